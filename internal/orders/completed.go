package orders

import (
	"context"
	"errors"
	"fmt"

	"shopd/internal/events"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/outbox"
)

// CompleteDelivered ends orders of which everything was sent longer ago than goods may be given back, and nothing is on its
// way back. It may run on any number of replicas at once.
func (s *Service) CompleteDelivered(ctx context.Context) error {
	ids, err := s.deliveredBefore(ctx, s.now().Add(-s.returnWindow), completerBatch)
	if err != nil {
		return fmt.Errorf("read delivered orders: %w", err)
	}
	var failures []error
	for _, id := range ids {
		failures = append(failures, s.completeDelivered(ctx, id))
	}
	outbox.Wake()
	return errors.Join(failures...)
}

func (s *Service) completeDelivered(ctx context.Context, id ID) error {
	o, _, err := s.loadOrder(ctx, s.db, id)
	if err != nil {
		return err
	}
	for _, r := range o.Returns {
		if r.Status.open() {
			return nil
		}
	}
	err = s.move(ctx, s.db, o, Completed, "completed", "system", "", events.OrderCompleted{OrderFacts: o.facts(s.now())})
	if errors.Is(err, errs.ErrStaleVersion) || errors.Is(err, ErrInvalidState) {
		return nil // somebody else did, or a return was asked for at this moment: the next run looks again
	}
	return err
}
