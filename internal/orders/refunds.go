package orders

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/broker"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
)

// RefundState is how far a refund is.
type RefundState string

// The states of a refund: written here, taken over by payments, gone to the buyer; or it cannot go.
const (
	RefundPromised RefundState = "promised"
	RefundAccepted RefundState = "accepted"
	RefundDone     RefundState = "done"
	RefundFailed   RefundState = "failed"
)

// Why money goes back.
const (
	becauseCancelled         = "cancelled"
	becauseLinesCancelled    = "lines_cancelled"
	becauseReturn            = "return"
	becauseGoodwill          = "goodwill"
	becauseExchangeCancelled = "exchange_cancelled"
	becauseNotCaptured       = "not_captured" // it never came: only a part was captured
)

// Refund is money of an order that goes back. Its id is the refund's id at payments too, so that it goes once however
// often it is asked for.
type Refund struct {
	ID        string       `json:"id"`
	State     RefundState  `json:"state" enum:"promised,accepted,done,failed" doc:"done: the money went."`
	Amount    money.Amount `json:"amount"`
	Shipping  money.Amount `json:"shipping" doc:"Of amount, for the shipping."`
	Lines     []RefundLine `json:"lines" doc:"What it is for; empty for a gesture."`
	Reason    string       `json:"reason" enum:"cancelled,lines_cancelled,return,goodwill,exchange_cancelled,not_captured"`
	ReturnID  string       `json:"return_id,omitempty"`
	Actor     string       `json:"actor,omitempty"`
	CreatedAt time.Time    `json:"created_at"`
}

// RefundLine is what a refund gives back for pieces of a line.
type RefundLine struct {
	LineID   string       `json:"line_id"`
	Quantity int          `json:"quantity"`
	Amount   money.Amount `json:"amount"`
	Tax      money.Amount `json:"tax" doc:"In amount, where tax was added on top."`
}

// RefundRequest is a gesture: money back without goods.
type RefundRequest struct {
	Amount *money.Amount // everything that is left when it is nil
	Note   string
	Actor  string
	Key    string // of the request: the same one again does nothing more
}

// Refund gives money of an order back that no goods stand for. It returns ErrRefundTooLarge for more than is left.
func (s *Service) Refund(ctx context.Context, orderID ID, r RefundRequest) (*Order, error) {
	if err := checkNote("/reason", r.Note); err != nil {
		return nil, err
	}
	if r.Amount != nil && r.Amount.Minor <= 0 {
		return nil, errAmount
	}
	refund := Refund{ID: rowID("ref", orderID, r.Actor, r.Key), Reason: becauseGoodwill, Actor: r.Actor}
	return s.amendAndRefund(ctx, orderID, Access{Staff: true}, func(tx pgx.Tx, o *Order) error {
		if o.refund(refund.ID) != nil {
			return nil // the request came before
		}
		if o.PaidAt == nil || o.Status == Cancelled {
			return ErrInvalidState.WithDetail("The order is %s: there is nothing to give back.", o.Status)
		}
		refund.Amount = o.Refundable()
		if r.Amount != nil {
			refund.Amount = *r.Amount
		}
		if refund.Amount.Currency != o.Currency {
			return ErrCurrency.WithDetail("The order is in %s.", o.Currency)
		}
		if refund.Amount.Minor == 0 {
			return ErrRefundTooLarge.WithDetail("Nothing of the order is left to give back.")
		}
		return s.promise(ctx, tx, o, refund, r.Note)
	})
}

var errAmount = errs.New(errs.Invalid, "invalid_money", "The amount must be more than nothing.").
	WithFields(errs.Field{Pointer: "/amount", Code: "invalid_money", Detail: "more than nothing"})

// refund finds a refund by its id; nil when there is none.
func (o *Order) refund(id string) *Refund {
	for i := range o.Refunds {
		if o.Refunds[i].ID == id {
			return &o.Refunds[i]
		}
	}
	return nil
}

// promise writes a refund and tells of it; after the commit it is to be sent. It returns ErrRefundTooLarge for more than
// is left of the order.
func (s *Service) promise(ctx context.Context, tx pgx.Tx, o *Order, r Refund, note string) error {
	if left := o.Refundable(); r.Amount.Minor > left.Minor {
		return ErrRefundTooLarge.WithDetail("Only %s of the order are left to give back.", left)
	}
	r.State, r.CreatedAt = RefundPromised, s.now()
	if r.Shipping.Currency == "" {
		r.Shipping = money.New(0, o.Currency)
	}
	if err := insertRefund(ctx, tx, o, r); err != nil {
		return fmt.Errorf("promise refund %s: %w", r.ID, err)
	}
	o.Refunds, o.Refunded = append(o.Refunds, r), o.Refunded.Add(r.Amount)
	o.ShippingRefunded = o.ShippingRefunded.Add(r.Shipping)
	ev := events.OrderRefunded{OrderFacts: o.facts(r.CreatedAt), RefundID: r.ID, Amount: r.Amount, Reason: r.Reason, ReturnID: r.ReturnID}
	return s.note(ctx, tx, o, entry{kind: kindRefundPromised, actor: r.Actor, detail: r.Reason, ref: r.ID, amount: &r.Amount, note: note}, ev)
}

// amendAndRefund is amend for changes that promise money: what they promised is on its way when it returns, or the
// completer sends it.
func (s *Service) amendAndRefund(ctx context.Context, id ID, a Access, fn func(tx pgx.Tx, o *Order) error) (*Order, error) {
	o, err := s.amend(ctx, id, a, fn)
	if err != nil {
		return nil, err
	}
	if err := s.sendRefunds(context.WithoutCancel(ctx), o); err != nil {
		s.log.WarnContext(ctx, "the refund is sent later", "order_id", id, "error", err)
		return o, nil
	}
	return s.Order(ctx, id, Access{Staff: true})
}

// sendRefunds hands the refunds of o that payments may not know yet to it. Repeating it is harmless.
func (s *Service) sendRefunds(ctx context.Context, o *Order) error {
	var failures []error
	for i := range o.Refunds {
		if o.Refunds[i].State == RefundPromised {
			failures = append(failures, s.sendRefund(ctx, o, &o.Refunds[i]))
		}
	}
	return errors.Join(failures...)
}

func (s *Service) sendRefund(ctx context.Context, o *Order, r *Refund) error {
	paid := o.capturedPayment()
	if paid == nil {
		return fmt.Errorf("send refund %s: order %s has no payment that took money", r.ID, o.ID)
	}
	err := s.payments.Refund(ctx, paid.ID, r.ID, r.Amount, r.Reason)
	switch {
	case errors.Is(err, ErrRefundTooLarge), errors.Is(err, ErrRefundFailed):
		// The gateway would not, or money went back that orders does not know of. It is owed all the same, so it stays
		// promised in the books: staff see it, and try again or give it another way.
		if err := s.failRefund(ctx, r.ID, errs.As(err).Detail); err != nil {
			return fmt.Errorf("note that refund %s failed: %w", r.ID, err)
		}
		r.State = RefundFailed
		return nil
	case err != nil:
		return fmt.Errorf("send refund %s: %w", r.ID, err)
	}
	if err := s.markRefund(ctx, r.ID, RefundAccepted, RefundPromised); err != nil {
		return fmt.Errorf("mark refund %s as accepted: %w", r.ID, err)
	}
	r.State = RefundAccepted
	return nil
}

// RetryRefund asks once more for a refund that failed. It returns ErrInvalidState for one that did not.
func (s *Service) RetryRefund(ctx context.Context, orderID ID, refundID, actor string) (*Order, error) {
	return s.amendAndRefund(ctx, orderID, Access{Staff: true}, func(tx pgx.Tx, o *Order) error {
		r := o.refund(refundID)
		if r == nil {
			return errs.ErrNotFound
		}
		if r.State != RefundFailed {
			return ErrInvalidState.WithDetail("The refund is %s.", r.State)
		}
		if err := repromiseRefund(ctx, tx, r.ID, s.now()); err != nil {
			return fmt.Errorf("promise refund %s again: %w", r.ID, err)
		}
		return s.note(ctx, tx, o, entry{kind: kindRefundPromised, actor: actor, detail: r.Reason, ref: r.ID, amount: &r.Amount})
	})
}

// capturedPayment is the one payment that took the order's money; nil when none did.
func (o *Order) capturedPayment() *Payment {
	for i := range o.Payments {
		if o.Payments[i].Captured.Minor > 0 || o.Payments[i].Status == "captured" {
			return &o.Payments[i]
		}
	}
	return nil
}

// sendPromised hands refunds to payments that a crash left behind.
func (s *Service) sendPromised(ctx context.Context) error {
	ids, err := s.promisedBefore(ctx, s.now().Add(-promisedPatience), completerBatch)
	if err != nil {
		return fmt.Errorf("read promised refunds: %w", err)
	}
	var failures []error
	for _, id := range ids {
		o, err := s.Order(ctx, id, Access{Staff: true})
		if err == nil {
			err = s.sendRefunds(ctx, o)
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// promisedPatience is how long a refund is left to the request that promised it.
const promisedPatience = 10 * time.Second

// noteRefunded keeps that money went, in the transaction that marks the event as handled.
func (s *Service) noteRefunded(ctx context.Context, tx pgx.Tx, batch []events.Envelope) error {
	for _, env := range batch {
		switch env.Type {
		case events.PaymentRefunded{}.Type():
			ev, err := events.Open[events.PaymentRefunded](env)
			if err != nil {
				return broker.Unreadable(err)
			}
			if err := finishRefund(ctx, tx, ev, env.OccurredAt); err != nil {
				return fmt.Errorf("finish refund %s: %w", ev.RefundID, err)
			}
		case events.PaymentFailed{}.Type():
			ev, err := events.Open[events.PaymentFailed](env)
			if err != nil {
				return broker.Unreadable(err)
			}
			if err := logPaymentFailed(ctx, tx, ev, env.OccurredAt); err != nil {
				return fmt.Errorf("note failed payment %s: %w", ev.PaymentID, err)
			}
		}
	}
	return nil
}

// cancelRefund is the refund of an order that is cancelled after it was paid. Payments gives the money back under the
// same id when it hears of the cancelling, so it goes once whoever comes first.
func cancelRefund(o *Order, p *Payment, actor string) Refund {
	left := o.Refundable() // gestures may have left less than the shipping
	return Refund{
		ID: id.Derive("ref", p.ID+"/cancelled"), Amount: left, Shipping: minAmount(o.Totals.Shipping.Sub(o.ShippingRefunded), left),
		Lines: o.refundLines(o.unsentLines()), Reason: becauseCancelled, Actor: actor,
	}
}

// refundLines says what pieces of lines are worth.
func (o *Order) refundLines(list []LinePieces) []RefundLine {
	lines := []RefundLine{}
	for _, l := range list {
		if line := o.line(l.LineID); line != nil && l.Quantity > 0 {
			total, tax := line.worth(l.Quantity)
			lines = append(lines, RefundLine{LineID: l.LineID, Quantity: l.Quantity, Amount: total, Tax: tax})
		}
	}
	return lines
}

// sumOf adds up what the lines of a refund give back.
func sumOf(lines []RefundLine, currency money.Currency) money.Amount {
	sum := money.New(0, currency)
	for _, l := range lines {
		sum = sum.Add(l.Amount)
	}
	return sum
}
