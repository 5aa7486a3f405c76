package events

import "shopd/internal/money"

// PaymentFacts is what every event of a payment carries.
type PaymentFacts struct {
	PaymentID string       `json:"payment_id"`
	OrderID   string       `json:"order_id"`
	Provider  string       `json:"provider"`
	Amount    money.Amount `json:"amount"`
	Version   int64        `json:"version"`
}

// Aggregate is the payment.
func (f PaymentFacts) Aggregate() (string, int64) { return f.PaymentID, f.Version }

// PaymentCaptured says that the money of a payment was taken.
type PaymentCaptured struct{ PaymentFacts }

// Type is payments.payment_captured.v1.
func (PaymentCaptured) Type() string { return "payments.payment_captured.v1" }

// PaymentFailed says that a payment ended without money: it was declined, or voided.
type PaymentFailed struct {
	PaymentFacts
	Reason string `json:"reason"`
}

// Type is payments.payment_failed.v1.
func (PaymentFailed) Type() string { return "payments.payment_failed.v1" }

// PaymentRefunded says that money went back to the buyer. Amount is what went back this time.
type PaymentRefunded struct {
	PaymentFacts
	RefundID string `json:"refund_id"`
}

// Type is payments.payment_refunded.v1.
func (PaymentRefunded) Type() string { return "payments.payment_refunded.v1" }
