// Package orders turns carts into orders, and follows an order through payment, shipping, returns and refunds. A cart
// becomes an order once, whoever asks how often; what a crash leaves half done is finished or undone.
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
	Cancelled int               `json:"cancelled_quantity" doc:"Taken off before they were sent."`
	Returned  int               `json:"returned_quantity" doc:"Sent and given back."`
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
	ID       string       `json:"id"`
	Lines    []LinePieces `json:"lines"`
	Carrier  string       `json:"carrier,omitempty" example:"DHL"`
	Tracking string       `json:"tracking,omitempty" doc:"The carrier's number of the parcel."`
	URL      string       `json:"tracking_url,omitempty" doc:"Where the parcel can be followed."`
	At       time.Time    `json:"created_at"`
}

// LinePieces says how many pieces of a line are in a parcel.
type LinePieces struct {
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
	Refunds     []Refund
	Returns     []Return
	Documents   []Document
	Refunded    money.Amount // promised back, whether or not it has gone already
	Credited    money.Amount // what came back and pays for other goods in exchange
	// ShippingRefunded is what of Refunded is for the shipping.
	ShippingRefunded money.Amount
	Parent           *Supplement  // the order that this one belongs to; nil for one that stands alone
	Supplements      []Supplement // the orders that belong to this one
	History          []HistoryEntry
	Version          int64
	PlacedAt         time.Time
	PaidAt           *time.Time
}

// Unsent counts the pieces that are still to go out.
func (o *Order) Unsent() int {
	n := 0
	for _, l := range o.Lines {
		n += l.Unsent()
	}
	return n
}

// Refundable is what of the order's money can still go back.
func (o *Order) Refundable() money.Amount {
	if o.PaidAt == nil || o.Status == Cancelled {
		return money.New(0, o.Currency)
	}
	return o.Totals.Total.Sub(o.Refunded).Sub(o.Credited)
}

// TitleOf is what the article of a line is called.
func (o *Order) TitleOf(lineID string) string {
	if l := o.line(lineID); l != nil {
		return l.Title
	}
	return ""
}

// line finds a line by its id; nil when there is none.
func (o *Order) line(id string) *Line {
	for i := range o.Lines {
		if o.Lines[i].ID == id {
			return &o.Lines[i]
		}
	}
	return nil
}

// Pieces counts what was ordered.
func (o *Order) Pieces() int {
	n := 0
	for _, l := range o.Lines {
		n += l.Quantity
	}
	return n
}

// Unsent counts the pieces that are still to go out.
func (l Line) Unsent() int { return l.Quantity - l.Fulfilled - l.Cancelled }

// taken counts the pieces whose money went back, or pays for something else.
func (l Line) taken() int { return l.Cancelled + l.Returned }

// worth is what n more pieces of the line come to of what was charged for it, and the tax in that which was added on
// top. The shares of all pieces add up to the line, whatever the steps they are taken in.
func (l Line) worth(n int) (total, tax money.Amount) {
	upTo := func(a money.Amount, pieces int) money.Amount {
		return a.Allocate([]int64{int64(pieces), int64(l.Quantity - pieces)})[0]
	}
	before, after := l.taken(), l.taken()+n
	return upTo(l.Total, after).Sub(upTo(l.Total, before)), upTo(l.Tax, after).Sub(upTo(l.Tax, before))
}

// Net is the line without the tax that is added on top: what its prices and discounts come to.
func (l Line) Net() money.Amount { return l.Total.Sub(l.Tax) }
