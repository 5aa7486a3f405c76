package orders

import (
	"time"

	"shopd/internal/money"
	real "shopd/internal/orders"
	"shopd/internal/platform/errs"
)

type (
	CartID         = real.CartID
	Cart           = real.Cart
	CartLine       = real.CartLine
	Contact        = real.Contact
	Address        = real.Address
	Totals         = real.Totals
	ShippingMethod = real.ShippingMethod
	ID             = real.ID
	Status         = real.Status
	Order          = real.Order
	Line           = real.Line
	HistoryEntry   = real.HistoryEntry
	Payment        = real.Payment
	NextAction     = real.NextAction
	Fulfilment     = real.Fulfilment
	FulfilmentLine = real.FulfilmentLine
)

const (
	PendingPayment     = real.PendingPayment
	Paid               = real.Paid
	PartiallyFulfilled = real.PartiallyFulfilled
	Fulfilled          = real.Fulfilled
	Completed          = real.Completed
	Cancelled          = real.Cancelled
	MaxQuantity        = real.MaxQuantity
)

type Access struct {
	CartToken, OrderSecret, CustomerID string
	Staff                              bool
}
type NewCart struct {
	Currency            money.Currency
	Country, CustomerID string
}
type AddLine struct {
	VariantID, SKU string
	Quantity       int
}
type CompleteRequest struct {
	CartID                                      CartID
	Access                                      Access
	Provider, Method, IdempotencyKey, ReturnURL string
}
type Placed struct {
	Order   *Order
	Secret  string
	Payment Payment
}
type Summary struct {
	ID       ID
	Number   int64
	Status   Status
	Total    money.Amount
	Pieces   int
	PlacedAt time.Time
	Image    string
}
type PaymentMethod struct{ Provider, Method, Label, Hint string }

var (
	ErrOutOfStock         = errs.New(errs.Conflict, "out_of_stock", "Not enough stock.")
	ErrPriceChanged       = errs.New(errs.Conflict, "price_changed", "A price has changed since you put it in the cart.")
	ErrCartChanged        = errs.New(errs.Conflict, "cart_changed", "The cart changed in the meantime.")
	ErrPaymentDeclined    = errs.New(errs.PaymentRequired, "payment_declined", "The payment was declined. Nothing was charged.")
	ErrPaymentUnavailable = errs.New(errs.Unavailable, "payment_unavailable", "This way to pay does not answer right now.")
)
