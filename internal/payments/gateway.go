package payments

import (
	"context"
	"errors"
	"fmt"

	"shopd/internal/money"
)

// Gateway is a company that moves money. Every call carries an id of ours, under which a repeated call does
// nothing new.
//
// An error of a call says what is known: ErrNotSent that nothing happened and nothing will, a *Refused that the gateway
// would not do it, and every other one that nobody knows. After an ErrFailed it is known that the same id would fail again.
type Gateway interface {
	// Charge asks for the payment's amount.
	Charge(ctx context.Context, c Charge) (Outcome, error)
	// Lookup says where the payment stands, and changes nothing that a shopper could notice. Outcome.Status is Voided when
	// the gateway never heard of it and never will; as long as that is not sure, it is an error.
	Lookup(ctx context.Context, p Payment) (Outcome, error)
	// Confirm takes, or authorises, what the shopper agreed to: it follows an Outcome that is Approved.
	Confirm(ctx context.Context, p Payment) (Outcome, error)
	// Capture takes p.due() of an authorised payment and lets go of the rest. Its id is made of the payment's version.
	Capture(ctx context.Context, p Payment) (Outcome, error)
	// Void ends a payment that was not captured. When it was, the outcome says so.
	Void(ctx context.Context, p Payment) (Outcome, error)
	// Refund gives money of a captured payment back, once for each refund id.
	Refund(ctx context.Context, p Payment, r RefundCall) (GivenBack, error)
	// Ping asks for something that costs nothing: whether the gateway answers and lets us in.
	Ping(ctx context.Context) error
}

// Charge is what Gateway.Charge asks for.
type Charge struct {
	Payment
	ReturnURL string // where the gateway sends the shopper back to
	Customer  string // the gateway's name of the customer, empty for none
	Save      bool   // keep the way to pay for the customer
}

// RefundCall is one try to give money back.
type RefundCall struct {
	ID     string
	Amount money.Amount
	// Again says that it may have been made already: the gateway is to look before it gives.
	Again bool
	// Try counts the ids of this refund that the gateway answered with a failure, which it would go on repeating.
	Try int
}

// GivenBack is what a gateway says of a refund.
type GivenBack struct {
	Ref     string
	Pending bool // it is on its way; ask again
}

// Outcome is what a gateway says of a payment.
type Outcome struct {
	Status     Status
	Ref        string // the gateway's own name of the payment
	NextAction *NextAction
	Reason     string
	// Approved says that the shopper agreed, and that the money comes when Confirm takes it.
	Approved bool
	// Seen is what the gateway's own record says, to be compared with ours; nil where a gateway keeps none.
	Seen *Seen
}

// captured is how much the gateway took, in minor units; 0 stands for the whole amount.
func (o *Outcome) captured() int64 {
	if o.Seen == nil {
		return 0
	}
	return o.Seen.Captured.Minor
}

// Seen is a payment in the books of its gateway.
type Seen struct {
	PaymentID string // of ours, as we told it
	OrderID   string
	Amount    money.Amount
	Captured  money.Amount
	Refunds   []SeenRefund
	// Renamed is what the gateway called the payment before, if it changed its name.
	Renamed string
}

// SeenRefund is a refund in the books of its gateway.
type SeenRefund struct {
	Ref    string
	ID     string // of ours; empty for one that was made at the gateway itself
	Amount money.Amount
}

// What errors of a gateway tell, beside Refused.
var (
	// ErrNotSent says that nothing happened: the breaker is open, too many calls are under way, or the gateway turned the
	// call away before it looked at it.
	ErrNotSent = errors.New("payments: the gateway was not asked")
	// ErrFailed says that the gateway itself failed. What it did meanwhile is not known.
	ErrFailed = errors.New("payments: the gateway failed")
	// ErrNotSure says that the gateway does not know the payment, and may still come to.
	ErrNotSure = errors.New("payments: the gateway may not know the payment yet")
)

// Refused is the answer of a gateway that would not do what it was asked for. Nothing happened.
type Refused struct { //nolint:errname // what it is reads better at its callers
	Code   string // in the gateway's words
	Reason string // for staff
}

// Error says what the gateway said.
func (r *Refused) Error() string {
	return fmt.Sprintf("payments: the gateway refused: %s (%s)", r.Reason, r.Code)
}

// IsRefused reports whether err says that the gateway would not do what it was asked for.
func IsRefused(err error) bool { return refusal(err) != nil }
