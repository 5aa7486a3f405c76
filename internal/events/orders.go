package events

import (
	"time"

	"shopd/internal/money"
)

// OrderLine is a line of an order as events carry it.
type OrderLine struct {
	VariantID string       `json:"variant_id"`
	ProductID string       `json:"product_id"`
	SKU       string       `json:"sku"`
	Quantity  int          `json:"quantity"`
	UnitPrice money.Amount `json:"unit_price"`
}

// OrderPromotion is a promotion of an order as events carry it.
type OrderPromotion struct {
	PromotionID string       `json:"promotion_id"`
	Code        string       `json:"code,omitempty"` // empty for one that was applied by itself
	Discount    money.Amount `json:"discount"`       // what it took off the order, shipping included
}

// OrderFacts is what every event of an order carries.
type OrderFacts struct {
	OrderID    string           `json:"order_id"`
	Number     int64            `json:"number"`
	CartID     string           `json:"cart_id"`
	CustomerID string           `json:"customer_id,omitempty"` // empty for a guest
	Total      money.Amount     `json:"total"`
	Lines      []OrderLine      `json:"lines"`
	Promotions []OrderPromotion `json:"promotions,omitempty"`
	Version    int64            `json:"version"`
	At         time.Time        `json:"at"`
}

// Aggregate is the order.
func (f OrderFacts) Aggregate() (string, int64) { return f.OrderID, f.Version }

// OrderPlaced says that an order was made and its stock is reserved. It is not paid yet.
type OrderPlaced struct{ OrderFacts }

// Type is orders.order_placed.v1.
func (OrderPlaced) Type() string { return "orders.order_placed.v1" }

// OrderPaid says that the money of an order is there: stock is sold, the goods can go out.
type OrderPaid struct {
	OrderFacts
	PaymentID string `json:"payment_id"`
}

// Type is orders.order_paid.v1.
func (OrderPaid) Type() string { return "orders.order_paid.v1" }

// NotPaidInTime is the reason of orders that end because their money did not come.
const NotPaidInTime = "not paid in time"

// OrderCancelled says that an order will not be delivered: its stock goes back and its money too. What people wrote as
// their reason is not in it.
type OrderCancelled struct {
	OrderFacts
	Reason  string `json:"reason"` // "not paid in time", "cancelled by the customer", …
	WasPaid bool   `json:"was_paid"`
}

// Type is orders.order_cancelled.v1.
func (OrderCancelled) Type() string { return "orders.order_cancelled.v1" }

// OrderFulfilled says that goods of an order went out; Complete when nothing is left to send.
type OrderFulfilled struct {
	OrderFacts
	FulfilmentID string `json:"fulfilment_id"`
	Complete     bool   `json:"complete"`
}

// Type is orders.order_fulfilled.v1.
func (OrderFulfilled) Type() string { return "orders.order_fulfilled.v1" }

// OrderPieces counts pieces of an article.
type OrderPieces struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

// OrderLinesCancelled says that pieces of a paid order will not be sent. Its total stays what was charged; what goes back
// is told by OrderRefunded.
type OrderLinesCancelled struct {
	OrderFacts
	Taken   []OrderPieces `json:"taken"`
	Restock []OrderPieces `json:"restock"` // of them, what can be sold again
}

// Type is orders.order_lines_cancelled.v1.
func (OrderLinesCancelled) Type() string { return "orders.order_lines_cancelled.v1" }

// ReturnChanged says where the return of goods stands: requested, approved, received, rejected or cancelled. Restock is
// what can be sold again of what was received.
type ReturnChanged struct {
	OrderFacts
	ReturnID string        `json:"return_id"`
	Status   string        `json:"status"`
	Restock  []OrderPieces `json:"restock"`
}

// Type is orders.return_changed.v1.
func (ReturnChanged) Type() string { return "orders.return_changed.v1" }

// OrderRefunded says that money of an order was promised back. That it went is told by payments.payment_refunded.v1 with
// the same refund_id.
type OrderRefunded struct {
	OrderFacts
	RefundID string       `json:"refund_id"`
	Amount   money.Amount `json:"amount"`
	Reason   string       `json:"reason"`              // lines_cancelled, return, goodwill, exchange_cancelled, not_captured, cancelled
	ReturnID string       `json:"return_id,omitempty"` // whose goods it is for
}

// Type is orders.order_refunded.v1.
func (OrderRefunded) Type() string { return "orders.order_refunded.v1" }

// PaymentRequested says that an order waits for the shopper to pay it: what was added to another order, or the difference
// of an exchange.
type PaymentRequested struct {
	OrderFacts
	ParentID string `json:"parent_id"`
}

// Type is orders.payment_requested.v1.
func (PaymentRequested) Type() string { return "orders.payment_requested.v1" }

// OrderCompleted says that nothing comes after: everything was sent, and the time to give it back is over.
type OrderCompleted struct{ OrderFacts }

// Type is orders.order_completed.v1.
func (OrderCompleted) Type() string { return "orders.order_completed.v1" }
