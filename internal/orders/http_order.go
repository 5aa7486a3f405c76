package orders

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
)

// orderBody is an order on the wire.
type orderBody struct {
	ID              ID                 `json:"id"`
	Number          int64              `json:"number" doc:"What people call it."`
	Secret          string             `json:"secret,omitempty" doc:"Opens the order for a guest: send it as X-Order-Secret. Told when the cart is completed."`
	CartID          CartID             `json:"cart_id"`
	Status          Status             `json:"status" enum:"pending_payment,paid,partially_fulfilled,fulfilled,completed,cancelled"`
	Currency        money.Currency     `json:"currency"`
	Lines           []Line             `json:"lines"`
	Totals          Totals             `json:"totals"`
	Email           string             `json:"email"`
	ShippingAddress Address            `json:"shipping_address"`
	BillingAddress  *Address           `json:"billing_address,omitempty"`
	ShippingMethod  ShippingMethod     `json:"shipping_method"`
	Promotions      []AppliedPromotion `json:"promotions" nullable:"false" doc:"What took something off it."`
	Payment         *Payment           `json:"payment,omitempty" doc:"The latest of payments."`
	Payments        []Payment          `json:"payments"`
	Fulfilments     []Fulfilment       `json:"fulfilments"`
	Refunded        money.Amount       `json:"refunded" doc:"Of the total, what goes back or went back. The total stays what was charged."`
	Refunds         []Refund           `json:"refunds" nullable:"false"`
	Returns         []Return           `json:"returns" nullable:"false"`
	Documents       []Document         `json:"documents" nullable:"false"`
	Parent          *Supplement        `json:"belongs_to,omitempty" doc:"The order that this one was made for."`
	Supplements     []Supplement       `json:"supplements" nullable:"false" doc:"Orders that were made for this one: additions and exchanges."`
	History         []HistoryEntry     `json:"history"`
	Version         int64              `json:"version"`
	PlacedAt        time.Time          `json:"placed_at"`
	PaidAt          *time.Time         `json:"paid_at,omitempty"`
}

func bodyOf(o *Order) orderBody {
	b := orderBody{
		ID: o.ID, Number: o.Number, CartID: o.CartID, Status: o.Status, Currency: o.Currency, Lines: o.Lines, Totals: o.Totals,
		Email: o.Contact.Email, ShippingAddress: o.Contact.Shipping, BillingAddress: o.Contact.Billing, ShippingMethod: o.Method, Promotions: o.Promotions,
		Payments: o.Payments, Fulfilments: o.Fulfilments, Refunded: o.Refunded, Refunds: notNil(o.Refunds), Returns: notNil(o.Returns),
		Documents: notNil(o.Documents), Parent: o.Parent, Supplements: notNil(o.Supplements), History: o.readableHistory(), Version: o.Version, PlacedAt: o.PlacedAt, PaidAt: o.PaidAt,
	}
	if n := len(o.Payments); n > 0 {
		b.Payment = &o.Payments[n-1]
	} else {
		b.Payments = []Payment{}
	}
	return b
}

// notNil is a list that is written as [] and not as null.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

type orderOutput struct {
	ETag   string `header:"ETag"`
	Status int
	Body   orderBody
}

func orderAnswer(o *Order, err error) (*orderOutput, error) {
	if err != nil {
		return nil, err
	}
	return &orderOutput{ETag: httpx.ETag(o.Version), Status: http.StatusOK, Body: bodyOf(o)}, nil
}

type completeInput struct {
	CartPath
	Key     string `header:"Idempotency-Key" hidden:"true"`
	IfMatch string `header:"If-Match" maxLength:"40" doc:"Version of the cart that the shopper saw; 409 cart_changed when it is another one."`
	Body    struct {
		Payment struct {
			Provider  string `json:"provider" enum:"stripe,paypal,manual,test"`
			Method    string `json:"method,omitempty" maxLength:"120" doc:"test: test_ok, test_declined, test_requires_action or test_timeout."`
			ReturnURL string `json:"return_url,omitempty" maxLength:"500" format:"uri" doc:"Where a gateway sends the shopper back to."`
		} `json:"payment"`
	}
}

func (h storeHandlers) complete(ctx context.Context, in *completeInput) (*orderOutput, error) {
	version, err := httpx.IfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	if err := checkReturnURL(in.Body.Payment.ReturnURL); err != nil {
		return nil, err
	}
	if holdsCardNumber(in.Body.Payment.Method) {
		return nil, ErrCardData
	}
	r := CompleteRequest{
		CartID: CartID(in.ID), Access: in.access(ctx), Provider: in.Body.Payment.Provider, Method: in.Body.Payment.Method, IdempotencyKey: in.Key,
		ReturnURL: in.Body.Payment.ReturnURL,
	}
	if version != nil {
		r.CartVersion = *version
	}
	placed, err := h.Complete(ctx, r)
	if err != nil {
		return nil, err
	}
	out, _ := orderAnswer(placed.Order, nil)
	out.Status, out.Body.Secret = http.StatusCreated, placed.Secret
	if placed.Payment.Status == "unknown" {
		out.Status = http.StatusAccepted
	}
	return out, nil
}

// checkReturnURL refuses what a gateway must not send a shopper to.
func checkReturnURL(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return ErrReturnURL.WithFields(errs.Field{Pointer: "/payment/return_url", Code: "url_not_allowed", Detail: ErrReturnURL.Detail})
	}
	return nil
}

// OrderPath names an order and who asks. It is exported for huma, which fills it.
type OrderPath struct {
	Credentials
	ID string `path:"id" maxLength:"60"`
}

func (h storeHandlers) order(ctx context.Context, in *OrderPath) (*orderOutput, error) {
	return h.answer(h.Order(ctx, ID(in.ID), in.access(ctx)))
}

// answer is orderAnswer with what opens the orders that belong to this one: whoever may see the one may see the others.
func (h storeHandlers) answer(o *Order, err error) (*orderOutput, error) {
	out, err := orderAnswer(o, err)
	if err != nil {
		return nil, err
	}
	for i := range out.Body.Supplements {
		out.Body.Supplements[i].Secret = h.Secret(out.Body.Supplements[i].OrderID)
	}
	return out, nil
}

type cancelInput struct {
	OrderPath
	Body struct {
		Reason string `json:"reason,omitempty" maxLength:"500"`
	} `required:"false"`
}

func (h storeHandlers) cancel(ctx context.Context, in *cancelInput) (*orderOutput, error) {
	if holdsCardNumber(in.Body.Reason) {
		return nil, ErrCardData
	}
	return orderAnswer(h.Cancel(ctx, ID(in.ID), in.access(ctx), in.Body.Reason))
}

// summaryBody is an order in a shopper's list.
type summaryBody struct {
	ID       ID           `json:"id"`
	Number   int64        `json:"number"`
	Status   Status       `json:"status"`
	Total    money.Amount `json:"total"`
	Pieces   int          `json:"item_count"`
	Image    string       `json:"image,omitempty"`
	PlacedAt time.Time    `json:"placed_at"`
}

type myOrdersInput struct{ httpx.Page }

type myOrdersOutput struct{ Body httpx.List[summaryBody] }

func (h storeHandlers) myOrders(ctx context.Context, in *myOrdersInput) (*myOrdersOutput, error) {
	list, next, err := h.CustomerOrders(ctx, httpx.PrincipalFrom(ctx).CustomerID(), in.After, in.Limit)
	if err != nil {
		return nil, err
	}
	items := make([]summaryBody, len(list))
	for i, o := range list {
		items[i] = summaryBody{ID: o.ID, Number: o.Number, Status: o.Status, Total: o.Total, Pieces: o.Pieces, Image: o.Image, PlacedAt: o.PlacedAt}
	}
	return &myOrdersOutput{httpx.NewList(items, next)}, nil
}

type paymentMethodsOutput struct{ Body httpx.List[PaymentMethod] }

func (h storeHandlers) paymentMethods(context.Context, *struct{}) (*paymentMethodsOutput, error) {
	return &paymentMethodsOutput{httpx.NewList(h.PaymentMethods(), "")}, nil
}

const exportPage = 100

// Export returns all orders of a customer as a JSON array, for those who ask what the shop knows of them.
func (s *Service) Export(ctx context.Context, customerID string) (json.RawMessage, error) {
	all, after := []orderBody{}, ""
	for {
		list, next, err := s.CustomerOrders(ctx, customerID, after, exportPage)
		if err != nil {
			return nil, err
		}
		for _, sum := range list {
			o, err := s.Order(ctx, sum.ID, Access{CustomerID: customerID})
			if err != nil {
				return nil, err
			}
			all = append(all, bodyOf(o))
		}
		if after = next; after == "" {
			return json.Marshal(all)
		}
	}
}
