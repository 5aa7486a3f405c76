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

// OrderCancelled says that an order will not be delivered: its stock goes back and its money too.
type OrderCancelled struct {
	OrderFacts
	Reason  string `json:"reason"`
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
