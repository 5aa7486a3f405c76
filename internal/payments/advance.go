package payments

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/outbox"
)

// ErrDisagrees says that the gateway's record of a payment is not what we asked for. Nothing was taken over from it.
var ErrDisagrees = errs.New(errs.Conflict, "payment_disagrees", "The gateway's record of this payment is another one.")

// agree compares the gateway's record of a payment with ours.
func (s *Service) agree(ctx context.Context, p Payment, o Outcome) error {
	wrong := disagreement(p, o)
	if wrong == "" {
		return nil
	}
	s.metrics.disagreements.WithLabelValues(p.Provider).Inc()
	s.log.WarnContext(ctx, "gateway and shop disagree about a payment", "payment_id", p.ID, "order_id", p.OrderID, "provider_ref", o.Ref, "about", wrong)
	return ErrDisagrees.WithDetail("%s", wrong)
}

// disagreement says what of the gateway's record differs, empty when nothing does.
func disagreement(p Payment, o Outcome) string {
	seen := o.Seen
	switch {
	case seen == nil:
		return ""
	case p.ProviderRef != "" && o.Ref != "" && o.Ref != p.ProviderRef && o.Status != Voided && !renamed(p, o):
		return fmt.Sprintf("it is %s, not %s", o.Ref, p.ProviderRef)
	case seen.PaymentID != p.ID:
		return fmt.Sprintf("it is of payment %q", seen.PaymentID)
	case seen.OrderID != p.OrderID:
		return fmt.Sprintf("it is of order %q", seen.OrderID)
	case seen.Amount != p.Amount:
		return fmt.Sprintf("it is of %s, not %s", seen.Amount, p.Amount)
	case o.Status == Captured && (seen.Captured.Currency != p.Amount.Currency || seen.Captured.Minor < 1 || seen.Captured.Minor > p.Amount.Minor):
		return fmt.Sprintf("%s was taken, not %s", seen.Captured, p.due())
	case o.Status == Captured && p.Status != Captured && !p.ended() && seen.Captured != p.due():
		return fmt.Sprintf("%s was taken, not %s", seen.Captured, p.due())
	}
	return ""
}

// renamed reports whether a payment got another name at the gateway on its way: what begins as a page of Stripe's becomes
// a payment intent when the shopper pays.
func renamed(p Payment, o Outcome) bool { return o.Seen.Renamed == p.ProviderRef }

// Refresh asks the gateway about a payment that is not ended, and takes it further. It is what a shopper causes who comes
// back from the gateway's page. Without an answer the payment stays as it is.
func (s *Service) Refresh(ctx context.Context, paymentID string) (Payment, error) {
	p, err := get(ctx, s.db, paymentID)
	if err != nil {
		return Payment{}, err
	}
	switch p.Status {
	case Sending, Unknown, RequiresAction:
	default:
		return p, nil
	}
	next, err := s.advance(ctx, p)
	if err != nil {
		s.log.WarnContext(ctx, "payment not refreshed", "payment_id", p.ID, "error", err)
		return get(ctx, s.db, paymentID)
	}
	return next, nil
}

// advance asks the gateway where the payment stands and takes it there: its end, its refunds, and what came too late.
// Whoever learns of a payment (the shopper's return, a webhook, the reconciler) comes through here.
func (s *Service) advance(ctx context.Context, p Payment) (Payment, error) {
	gateway, err := s.gateway(p)
	if err != nil {
		return p, err
	}
	outcome, err := gateway.Lookup(ctx, p)
	if err != nil {
		return p, err
	}
	if err := s.agree(ctx, p, outcome); err != nil {
		return p, err
	}
	ctx = context.WithoutCancel(ctx)
	if outcome.Approved {
		return s.confirm(ctx, gateway, p, outcome)
	}
	if p, err = s.conclude(ctx, s.db, gateway, p, outcome); err != nil || p.ended() {
		return p, err
	}
	return p, s.takeRefunds(ctx, p, outcome)
}

// confirm takes the money of a payment that the shopper agreed to. First it is written down that it is being taken, so
// that nobody gives it up meanwhile.
func (s *Service) confirm(ctx context.Context, gateway Gateway, p Payment, approved Outcome) (Payment, error) {
	waiting := p
	if p.Status != Sending {
		var err error
		if p, err = s.end(ctx, s.db, p, Outcome{Status: Sending, Ref: approved.Ref}); err != nil {
			return p, err
		}
	}
	if p.Status != Sending {
		return p, nil // somebody else was faster, or the shopper gave up
	}
	outcome, err := gateway.Confirm(ctx, p)
	if errors.Is(err, ErrNotSent) {
		// The shopper's agreement stays: whoever comes next takes the money.
		back, failed := s.end(ctx, s.db, p, Outcome{Status: RequiresAction, Ref: p.ProviderRef, NextAction: waiting.NextAction})
		return back, errors.Join(err, failed)
	}
	return s.conclude(ctx, s.db, gateway, p, s.known(ctx, p, outcome, err))
}

// late deals with what a gateway has of a payment that we had given up. Its money goes back, whatever became of the order.
func (s *Service) late(ctx context.Context, gateway Gateway, p Payment, o Outcome) (Payment, error) {
	switch o.Status {
	case Captured:
		s.metrics.late.WithLabelValues(p.Provider).Inc()
		s.log.WarnContext(ctx, "money came for a payment that had been given up; it goes back", "payment_id", p.ID, "order_id", p.OrderID)
		refundID := id.Derive("ref", p.ID+"/late")
		took, err := takeLate(ctx, s.db, p.ID, refundID, cmp.Or(o.captured(), p.Amount.Minor), o.Ref, s.now())
		if err != nil {
			return p, fmt.Errorf("take late money of payment %s: %w", p.ID, err)
		}
		if p, err = get(ctx, s.db, p.ID); err != nil || !took {
			return p, err
		}
		r, err := getRefund(ctx, s.db, refundID)
		if err != nil {
			return p, fmt.Errorf("read refund %s: %w", refundID, err)
		}
		return p, s.sendRefund(ctx, p, r, false)
	case Authorised, RequiresAction:
		if o.Approved {
			return p, nil // nobody takes it
		}
		p.ProviderRef = o.Ref
		if _, err := gateway.Void(ctx, p); err != nil {
			return p, fmt.Errorf("let go of payment %s, which had been given up: %w", p.ID, err)
		}
	}
	return p, nil
}

// takeRefunds writes down refunds that the gateway has and we have not: ours whose answer was lost, and those that staff
// made at the gateway itself.
func (s *Service) takeRefunds(ctx context.Context, p Payment, o Outcome) error {
	if o.Seen == nil || len(o.Seen.Refunds) == 0 {
		return nil
	}
	for _, seen := range o.Seen.Refunds {
		refundID := seen.ID
		if refundID == "" {
			refundID = id.Derive("ref", p.Provider+"/"+seen.Ref)
			if _, err := takeForeignRefund(ctx, s.db, p.ID, refundID, seen.Amount.Minor, s.now()); err != nil {
				return fmt.Errorf("take over refund %s of payment %s: %w", seen.Ref, p.ID, err)
			}
		}
		if err := finishRefund(ctx, s.db, refundID, seen.Ref, s.now()); err != nil {
			return fmt.Errorf("finish refund %s: %w", refundID, err)
		}
	}
	outbox.Wake()
	return nil
}
