package stripe

import (
	"context"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v76"

	"shopd/internal/payments"
)

// Refund implements payments.Gateway.
func (g *Gateway) Refund(ctx context.Context, p payments.Payment, r payments.RefundCall) (payments.GivenBack, error) {
	if r.Again {
		list := &stripe.RefundListParams{PaymentIntent: &p.ProviderRef}
		list.Context = ctx
		list.Limit = stripe.Int64(100)
		all := g.api.Refunds.List(list)
		for all.Next() {
			if made := all.Refund(); made.Metadata[metaRefund] == r.ID && made.Status != stripe.RefundStatusFailed && made.Status != stripe.RefundStatusCanceled {
				return givenBack(made)
			}
		}
		if err := all.Err(); err != nil {
			return payments.GivenBack{}, explain(err)
		}
	}
	minor, _, err := toStripe(r.Amount)
	if err != nil {
		return payments.GivenBack{}, &payments.Refused{Code: "currency", Reason: err.Error()}
	}
	c := &stripe.RefundParams{Params: params(ctx), PaymentIntent: &p.ProviderRef, Amount: &minor}
	key := r.ID
	if r.Try > 0 {
		key = fmt.Sprintf("%s/%d", r.ID, r.Try)
	}
	c.SetIdempotencyKey(key)
	g.name(c, p)
	c.AddMetadata(metaRefund, r.ID)
	made, err := g.api.Refunds.New(c)
	if err != nil {
		return payments.GivenBack{}, explain(err)
	}
	return givenBack(made)
}

func givenBack(made *stripe.Refund) (payments.GivenBack, error) {
	switch made.Status {
	case stripe.RefundStatusSucceeded:
		return payments.GivenBack{Ref: made.ID}, nil
	case stripe.RefundStatusFailed, stripe.RefundStatusCanceled:
		return payments.GivenBack{}, &payments.Refused{Code: string(made.Status), Reason: "The refund ended as " + string(made.Status) + ": " + string(made.FailureReason)}
	}
	return payments.GivenBack{Ref: made.ID, Pending: true}, nil
}

// refundsOf are the refunds of a payment that succeeded.
func (g *Gateway) refundsOf(ctx context.Context, ref string) ([]payments.SeenRefund, error) {
	list := &stripe.RefundListParams{PaymentIntent: &ref}
	list.Context = ctx
	list.Limit = stripe.Int64(100)
	var refunds []payments.SeenRefund
	all := g.api.Refunds.List(list)
	for all.Next() {
		if made := all.Refund(); made.Status == stripe.RefundStatusSucceeded {
			refunds = append(refunds, payments.SeenRefund{Ref: made.ID, ID: made.Metadata[metaRefund], Amount: fromStripe(made.Amount, string(made.Currency))})
		}
	}
	return refunds, explain(all.Err())
}

// Movements implements payments.Statement.
func (g *Gateway) Movements(ctx context.Context, from, until time.Time, yield func(payments.Movement) error) error {
	created := &stripe.RangeQueryParams{GreaterThanOrEqual: from.Unix(), LesserThan: until.Unix()}
	list := &stripe.PaymentIntentListParams{CreatedRange: created}
	list.Context = ctx
	list.Limit = stripe.Int64(100)
	list.AddExpand("data.latest_charge.balance_transaction")
	all := g.api.PaymentIntents.List(list)
	for all.Next() {
		pi := all.PaymentIntent()
		if pi.AmountReceived == 0 {
			continue
		}
		m := payments.Movement{
			Ref: pi.ID, PaymentID: pi.Metadata[metaPayment], OrderID: pi.Metadata[metaOrder], Shop: pi.Metadata[metaShop],
			Amount: fromStripe(pi.AmountReceived, string(pi.Currency)),
		}
		if pi.LatestCharge != nil && pi.LatestCharge.BalanceTransaction != nil {
			m.Fee = fromStripe(pi.LatestCharge.BalanceTransaction.Fee, string(pi.LatestCharge.BalanceTransaction.Currency))
		}
		if err := yield(m); err != nil {
			return err
		}
	}
	if err := all.Err(); err != nil {
		return explain(err)
	}
	refunds := &stripe.RefundListParams{CreatedRange: created}
	refunds.Context = ctx
	refunds.Limit = stripe.Int64(100)
	refunds.AddExpand("data.payment_intent")
	given := g.api.Refunds.List(refunds)
	for given.Next() {
		r := given.Refund()
		if r.Status != stripe.RefundStatusSucceeded {
			continue
		}
		m := payments.Movement{
			Refund: true, Ref: r.ID, RefundID: r.Metadata[metaRefund], PaymentID: r.Metadata[metaPayment], OrderID: r.Metadata[metaOrder],
			Shop: r.Metadata[metaShop], Amount: fromStripe(r.Amount, string(r.Currency)),
		}
		if m.PaymentID == "" && r.PaymentIntent != nil {
			m.PaymentID, m.OrderID, m.Shop = r.PaymentIntent.Metadata[metaPayment], r.PaymentIntent.Metadata[metaOrder], r.PaymentIntent.Metadata[metaShop]
		}
		if err := yield(m); err != nil {
			return err
		}
	}
	return explain(given.Err())
}
