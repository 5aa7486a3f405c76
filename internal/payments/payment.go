// Package payments takes money for orders, gives it back, and keeps the ledger of both.
//
// A payment is written down before the gateway is asked. Whoever learns the outcome first, the caller, a webhook or
// the reconciler, ends it through one function. What the gateway did not answer is unknown: it is looked up, never
// tried elsewhere.
package payments

import (
	"time"

	"shopd/internal/money"
	"shopd/internal/platform/errs"
)

// Status is where a payment stands.
type Status string

// The states of a payment.
const (
	Created           Status = "created"
	Sending           Status = "sending"
	RequiresAction    Status = "requires_action"
	Authorised        Status = "authorised"
	Captured          Status = "captured"
	PartiallyRefunded Status = "partially_refunded"
	Refunded          Status = "refunded"
	Declined          Status = "declined"
	Voided            Status = "voided"
	Unknown           Status = "unknown"
)

// transitions lists every edge that a payment may take forward. Only a refund that the gateway would not make after all
// takes one back, to what it was before the refund was promised.
var transitions = map[Status][]Status{
	Created:           {Sending, Captured, Voided},
	Sending:           {Created, RequiresAction, Authorised, Captured, Declined, Unknown, Voided},
	RequiresAction:    {Sending, Authorised, Captured, Declined, Voided, Unknown},
	Authorised:        {Sending, Captured, Voided, Unknown},
	Unknown:           {Sending, RequiresAction, Authorised, Captured, Declined, Voided},
	Captured:          {PartiallyRefunded, Refunded},
	PartiallyRefunded: {Refunded},
	Voided:            {Refunded}, // money that came although we had given up: it goes back
	Declined:          {Refunded},
}

// sourcesOf returns the states from which a payment may go to next.
func sourcesOf(next Status) []string {
	var from []string
	for s, targets := range transitions {
		for _, t := range targets {
			if t == next {
				from = append(from, string(s))
			}
		}
	}
	return from
}

// Payment is one attempt to be paid for an order.
type Payment struct {
	ID          string
	OrderID     string
	Provider    string
	Method      string
	Status      Status
	Amount      money.Amount
	Captured    money.Amount
	Refunded    money.Amount
	Asked       int64  // minor units that a capture by hand asked for; 0 asks for the whole amount
	ProviderRef string // the gateway's own name for it
	NextAction  *NextAction
	Reason      string // why it was declined
	Version     int64
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// due is what the gateway takes when it captures the payment.
func (p *Payment) due() money.Amount {
	if p.Asked > 0 {
		return money.New(p.Asked, p.Amount.Currency)
	}
	return p.Amount
}

// ended reports whether no money is, or comes, of the payment.
func (p *Payment) ended() bool { return p.Status == Voided || p.Status == Declined }

// NextAction is what the shopper must do for the payment to go on.
type NextAction struct {
	Type         string `json:"type"`
	URL          string `json:"url,omitempty"`
	ClientSecret string `json:"client_secret,omitempty"`
}

// Request asks for money.
type Request struct {
	OrderID   string
	Amount    money.Amount
	Provider  string
	Method    string
	ReturnURL string // where a gateway sends the shopper back to
	// CustomerID lets the payment use what the customer keeps at the gateway; empty for guests.
	CustomerID string
	// Save keeps the way to pay at the gateway, for the customer's next purchase.
	Save bool
}

// What callers decide by.
var (
	ErrDeclined       = errs.New(errs.PaymentRequired, "payment_declined", "The payment was declined. Try another way to pay.")
	ErrUnavailable    = errs.New(errs.Unavailable, "payment_unavailable", "Payments cannot be taken right now. Nothing was charged; try again in a moment.").WithRetryAfter(10 * time.Second)
	ErrInProgress     = errs.New(errs.Conflict, "payment_in_progress", "A payment for this order is on its way.").WithRetryAfter(2 * time.Second)
	ErrAlreadyPaid    = errs.New(errs.Conflict, "already_paid", "This order is paid.")
	ErrUnknownMethod  = errs.New(errs.Invalid, "unknown_payment_method", "There is no such way to pay.")
	ErrInvalidState   = errs.New(errs.Conflict, "invalid_state", "The payment is not in a state that allows this.")
	ErrTooLarge       = errs.New(errs.Invalid, "capture_exceeds_authorisation", "More cannot be taken than was authorised.")
	ErrRefundFailed   = errs.New(errs.Conflict, "refund_failed", "The gateway would not give the money back.")
	ErrRefundTooLarge = errs.New(errs.Invalid, "refund_exceeds_capture", "More cannot go back than was taken.")
)
