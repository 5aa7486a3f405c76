package orders

import (
	"time"

	"shopd/internal/money"
	"shopd/internal/platform/id"
)

// ID identifies an order, "ord_…".
type ID string

// valid spares the database questions about what cannot be an order.
func (o ID) valid() bool { return id.Valid("ord", string(o)) }

// Status is where an order stands. The edges between them are in transitions.
type Status string

// The states of an order.
const (
	PendingPayment     Status = "pending_payment"
	Paid               Status = "paid"
	PartiallyFulfilled Status = "partially_fulfilled"
	Fulfilled          Status = "fulfilled"
	Completed          Status = "completed"
	Cancelled          Status = "cancelled"
)

// transitions lists every edge that an order may take.
var transitions = map[Status][]Status{
	PendingPayment:     {Paid, Cancelled},
	Paid:               {PartiallyFulfilled, Fulfilled, Cancelled},
	PartiallyFulfilled: {PartiallyFulfilled, Fulfilled},
	Fulfilled:          {Completed},
}

// May reports whether an order in state s may go to next.
func (s Status) May(next Status) bool {
	for _, t := range transitions[s] {
		if t == next {
			return true
		}
	}
	return false
}

// Line is one variant of an order at the price it was sold for.
type Line struct {
	ID        string            `json:"id"`
	VariantID string            `json:"variant_id"`
	SKU       string            `json:"sku"`
	ProductID string            `json:"product_id"`
	Slug      string            `json:"slug"`
	Title     string            `json:"title"`
	Options   map[string]string `json:"options"`
	Image     string            `json:"image,omitempty"`
	Quantity  int               `json:"quantity"`
	Fulfilled int               `json:"fulfilled_quantity"`
	UnitPrice money.Amount      `json:"unit_price"`
	Discount  money.Amount      `json:"discount"`
	Tax       money.Amount      `json:"tax" doc:"Added on top; zero where the price includes it."`
	Total     money.Amount      `json:"total" doc:"unit_price × quantity − discount + tax."`
}

// HistoryEntry is one thing that happened to an order.
type HistoryEntry struct {
	At     time.Time `json:"at"`
	Kind   string    `json:"kind" example:"paid"`
	Actor  string    `json:"actor" example:"customer:cus_…"`
	Detail string    `json:"detail,omitempty"`
}

// Payment is an attempt to pay an order, as orders knows it from payments.
type Payment struct {
	ID         string       `json:"id"`
	Provider   string       `json:"provider"`
	Method     string       `json:"method,omitempty"`
	Status     string       `json:"status" enum:"created,sending,requires_action,authorised,captured,partially_refunded,refunded,declined,voided,unknown"`
	Amount     money.Amount `json:"amount"`
	Captured   money.Amount `json:"captured"`
	Refunded   money.Amount `json:"refunded"`
	NextAction *NextAction  `json:"next_action,omitempty" doc:"What the shopper must do for the payment to go on."`
	Reason     string       `json:"reason,omitempty" doc:"Why it was declined."`
	CreatedAt  time.Time    `json:"created_at"`
}

// NextAction is what the shopper must do for a payment to go on.
type NextAction struct {
	Type         string `json:"type" enum:"redirect,client_secret"`
	URL          string `json:"url,omitempty"`
	ClientSecret string `json:"client_secret,omitempty"`
}

// Fulfilment is a parcel of an order.
type Fulfilment struct {
	ID       string           `json:"id"`
	Lines    []FulfilmentLine `json:"lines"`
	Tracking string           `json:"tracking,omitempty"`
	At       time.Time        `json:"created_at"`
}

// FulfilmentLine says how many pieces of a line are in a parcel.
type FulfilmentLine struct {
	LineID   string `json:"line_id"`
	Quantity int    `json:"quantity" minimum:"1" maximum:"9999"`
}

// Order is what a shopper bought.
type Order struct {
	ID          ID
	Number      int64
	CartID      CartID
	CartVersion int64 // of the cart it was made from
	CustomerID  string
	Status      Status
	Currency    money.Currency
	Lines       []Line
	Totals      Totals
	Contact     Contact
	Method      ShippingMethod
	Promotions  []AppliedPromotion // what took something off it
	Payments    []Payment
	Fulfilments []Fulfilment
	History     []HistoryEntry
	Version     int64
	PlacedAt    time.Time
	PaidAt      *time.Time
}

// Pieces counts what was ordered.
func (o *Order) Pieces() int {
	n := 0
	for _, l := range o.Lines {
		n += l.Quantity
	}
	return n
}

// Net is the line without the tax that is added on top: what its prices and discounts come to.
func (l Line) Net() money.Amount { return l.Total.Sub(l.Tax) }
