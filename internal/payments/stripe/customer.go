package stripe

import (
	"context"

	"github.com/stripe/stripe-go/v76"

	"shopd/internal/payments"
)

// Customer implements payments.Keeper. Stripe learns nothing of the customer but our id.
func (g *Gateway) Customer(ctx context.Context, customerID string) (string, error) {
	p := &stripe.CustomerParams{Params: params(ctx)}
	p.SetIdempotencyKey("customer/" + customerID)
	p.AddMetadata(metaBuyer, customerID)
	p.AddMetadata(metaShop, g.cfg.Shop)
	c, err := g.api.Customers.New(p)
	if err != nil {
		return "", explain(err)
	}
	return c.ID, nil
}

// Methods implements payments.Keeper.
func (g *Gateway) Methods(ctx context.Context, customer string) ([]payments.SavedMethod, error) {
	list := &stripe.CustomerListPaymentMethodsParams{Customer: &customer, Type: stripe.String("card")}
	list.Context = ctx
	list.Limit = stripe.Int64(100)
	var methods []payments.SavedMethod
	all := g.api.Customers.ListPaymentMethods(list)
	for all.Next() {
		m := all.PaymentMethod()
		if m.Card == nil {
			continue
		}
		methods = append(methods, payments.SavedMethod{
			ID: m.ID, Brand: string(m.Card.Brand), Last4: m.Card.Last4, ExpiryMonth: int(m.Card.ExpMonth), ExpiryYear: int(m.Card.ExpYear),
		})
	}
	return methods, explain(all.Err())
}

// Forget implements payments.Keeper.
func (g *Gateway) Forget(ctx context.Context, customer, method string) error {
	m, err := g.api.PaymentMethods.Get(method, &stripe.PaymentMethodParams{Params: params(ctx)})
	if err != nil {
		return explain(err)
	}
	if m.Customer == nil || m.Customer.ID != customer {
		return &payments.Refused{Code: "resource_missing", Reason: "The payment method is not this customer's."}
	}
	_, err = g.api.PaymentMethods.Detach(method, &stripe.PaymentMethodDetachParams{Params: params(ctx)})
	return explain(err)
}
