package payments

import (
	"context"
	"errors"
	"fmt"

	"shopd/internal/money"
	"shopd/internal/platform/outbox"
)

// Refund gives amount of a captured payment back. The refund id makes a repeated call harmless. It returns nil once the
// money is promised, also when the gateway gave no answer: the reconciler asks again. ErrRefundTooLarge says that more
// would go back than was taken, ErrRefundFailed that the gateway would not do it.
func (s *Service) Refund(ctx context.Context, paymentID, refundID string, amount money.Amount, reason string) error {
	p, err := get(ctx, s.db, paymentID)
	if err != nil {
		return err
	}
	if amount.Currency != p.Amount.Currency || amount.Minor <= 0 {
		return ErrRefundTooLarge
	}
	granted, err := beginRefund(ctx, s.db, paymentID, refundID, amount.Minor, reason, s.now())
	if err != nil {
		return fmt.Errorf("begin refund %s: %w", refundID, err)
	}
	if !granted {
		return ErrRefundTooLarge
	}
	r, err := getRefund(ctx, s.db, refundID)
	if err != nil {
		return fmt.Errorf("read refund %s: %w", refundID, err)
	}
	if r.Status == RefundSucceeded {
		return nil
	}
	return s.sendRefund(context.WithoutCancel(ctx), p, r, r.UpdatedAt != r.CreatedAt || r.Tries > 0)
}

// sendRefund asks the gateway; without an answer the reconciler asks again under the same id. again says that the refund
// may have been sent before.
func (s *Service) sendRefund(ctx context.Context, p Payment, r Refund, again bool) error {
	gateway, err := s.gateway(p)
	if err != nil {
		return err
	}
	given, err := gateway.Refund(ctx, p, RefundCall{ID: r.ID, Amount: r.Amount, Again: again, Try: r.Tries})
	switch no := refusal(err); {
	case no != nil:
		s.metrics.refundsFailed.WithLabelValues(p.Provider).Inc()
		s.log.WarnContext(ctx, "refund refused by the gateway", "refund_id", r.ID, "payment_id", p.ID, "code", no.Code, "reason", no.Reason)
		failed, err := failRefund(ctx, s.db, r.ID, no.Reason, s.now())
		if err == nil && !failed {
			err = triedRefund(ctx, s.db, r, s.now())
		}
		if err != nil {
			return fmt.Errorf("take back refund %s: %w", r.ID, err)
		}
		return ErrRefundFailed.Wrap(no)
	case errors.Is(err, ErrFailed):
		s.log.WarnContext(ctx, "refund failed at the gateway", "refund_id", r.ID, "error", err)
		if err := triedRefund(ctx, s.db, r, s.now()); err != nil {
			return fmt.Errorf("note the try of refund %s: %w", r.ID, err)
		}
		return nil
	case err != nil || given.Pending:
		s.log.WarnContext(ctx, "refund without an answer", "refund_id", r.ID, "pending", given.Pending, "error", err)
		if err := touchRefund(ctx, s.db, r.ID, s.now()); err != nil {
			return fmt.Errorf("note the try of refund %s: %w", r.ID, err)
		}
		return nil
	}
	if err := finishRefund(ctx, s.db, r.ID, given.Ref, s.now()); err != nil {
		return fmt.Errorf("finish refund %s: %w", r.ID, err)
	}
	outbox.Wake()
	return nil
}
