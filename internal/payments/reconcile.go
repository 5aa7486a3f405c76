package payments

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// shopperTakes is how long a payment may wait for its shopper before the gateway is asked, in case that neither the
// shopper nor a webhook comes back.
const shopperTakes = 3 * time.Minute

// reconcileBatch is how many payments, and refunds, one run asks about.
const reconcileBatch = 100

// Reconcile looks up payments and refunds that have been without an answer for a while. It returns how many of the
// payments are not without one any more.
func (s *Service) Reconcile(ctx context.Context, after time.Duration) (ended int, err error) {
	waiting, err := unresolved(ctx, s.db, s.now().Add(-after), s.now().Add(-max(after, shopperTakes)), reconcileBatch)
	if err != nil {
		return 0, fmt.Errorf("read unresolved payments: %w", err)
	}
	var failures []error
	for _, p := range waiting {
		next, err := s.advance(ctx, p)
		if err == nil && next.Status != p.Status {
			ended++
			continue
		}
		if errors.Is(err, ErrNotSure) {
			err = nil // it is only a matter of time
		}
		if err != nil {
			err = fmt.Errorf("look up payment %s: %w", p.ID, err)
		}
		failures = append(failures, err, touch(ctx, s.db, p.ID, s.now()))
	}
	refunds, err := openRefunds(ctx, s.db, s.now().Add(-after), reconcileBatch)
	if err != nil {
		return ended, fmt.Errorf("read open refunds: %w", err)
	}
	for _, r := range refunds {
		p, err := get(ctx, s.db, r.PaymentID)
		if err == nil {
			err = s.sendRefund(ctx, p, r, true)
		}
		failures = append(failures, err)
	}
	return ended, errors.Join(failures...)
}
