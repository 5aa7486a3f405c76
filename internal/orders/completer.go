package orders

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shopd/internal/events"
	"shopd/internal/platform/broker"
)

// completerBatch is how much one run of the completer takes on.
const completerBatch = 200

// CompleteInterrupted ends what crashes and shoppers left: unpaid orders whose time is up are looked up and paid or
// cancelled, refunds that were promised are sent, and stock and uses of promotions that are held for nobody go back. It may
// run on any number of replicas at once.
func (s *Service) CompleteInterrupted(ctx context.Context) error {
	ids, err := s.overdue(ctx, completerBatch)
	if err != nil {
		return fmt.Errorf("read overdue orders: %w", err)
	}
	var failures []error
	for _, id := range ids {
		if err := s.endOverdue(ctx, id); err != nil {
			failures = append(failures, fmt.Errorf("end overdue order %s: %w", id, err))
		}
	}
	return errors.Join(append(failures, s.sendPromised(ctx), s.releaseOrphans(ctx), s.endClaims(ctx))...)
}

func (s *Service) endOverdue(ctx context.Context, id ID) error {
	o, err := s.Order(ctx, id, Access{Staff: true})
	if err != nil {
		return err
	}
	for _, p := range o.Payments {
		switch p.Status {
		case "captured":
			return s.settle(ctx, o, p.ID)
		case "sending", "unknown":
			// The reconciler asks the gateway; until it knows, the order neither lives nor dies.
			if _, err := s.stock.Extend(ctx, string(id), s.ttl); err != nil {
				return err
			}
			return s.postpone(ctx, id, s.now().Add(time.Minute))
		case "created", "authorised":
			// Money that comes another way takes its time.
			if s.now().Before(o.PlacedAt.Add(manualTTL)) {
				if _, err := s.stock.Extend(ctx, string(id), time.Hour); err != nil {
					return err
				}
				return s.postpone(ctx, id, s.now().Add(30*time.Minute))
			}
		}
	}
	if o.Totals.Total.IsZero() && o.Parent != nil {
		return s.settleFree(ctx, id)
	}
	_, err = s.cancel(ctx, o, causeUnpaid, "system")
	return err
}

// manualTTL is how long an order waits for money that does not come through a gateway.
const manualTTL = 7 * 24 * time.Hour

// releaseOrphans gives back stock that was reserved for orders that were never written, and keeps that of orders
// that live.
func (s *Service) releaseOrphans(ctx context.Context) error {
	held, err := s.stock.ExpiredHolds(ctx, completerBatch)
	if err != nil || len(held) == 0 {
		return err
	}
	states, err := s.states(ctx, held)
	if err != nil {
		return fmt.Errorf("read the states of orders: %w", err)
	}
	var failures []error
	for _, id := range held {
		switch states[id] {
		case "":
			failures = append(failures, s.stock.Release(ctx, id, "the order was never placed"))
		case Cancelled:
			failures = append(failures, s.stock.Release(ctx, id, "order cancelled"))
		default:
			_, err := s.stock.Extend(ctx, id, s.ttl)
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// Subscriptions are the queues of the domain.
func (s *Service) Subscriptions() []broker.Subscription {
	return []broker.Subscription{
		{
			Consumer: "orders.payments",
			Types:    []string{events.PaymentCaptured{}.Type()},
			Project:  s.settleCaptured,
		},
		{
			Consumer: "orders.mail",
			Types: []string{
				events.OrderPaid{}.Type(), events.OrderCancelled{}.Type(), events.OrderFulfilled{}.Type(), events.OrderRefunded{}.Type(),
				events.ReturnChanged{}.Type(), events.PaymentRequested{}.Type(),
			},
			Pool:   s.db,
			Handle: s.enqueueMails,
		},
		{
			Consumer: "orders.documents",
			Types:    []string{events.OrderPaid{}.Type(), events.OrderRefunded{}.Type()},
			Pool:     s.db,
			Handle:   s.issueDocuments,
		},
		{
			Consumer: "orders.refunds",
			Types:    []string{events.PaymentRefunded{}.Type(), events.PaymentFailed{}.Type()},
			Pool:     s.db,
			Handle:   s.noteRefunded,
		},
		{
			Consumer: "orders.credit",
			Types:    []string{events.OrderCancelled{}.Type()},
			Project:  s.returnCredit,
		},
		{
			Consumer: "orders.erasure",
			Types:    []string{events.CustomerErased{}.Type()},
			Pool:     s.db,
			Handle:   s.forgetCustomers,
		},
	}
}

// settleCaptured marks orders as paid whose money came while nobody waited for it. Those that are paid already cost
// one statement for the whole batch.
func (s *Service) settleCaptured(ctx context.Context, batch []events.Envelope) error {
	captured := make(map[string]string, len(batch))
	ids := make([]string, 0, len(batch))
	for _, env := range batch {
		ev, err := events.Open[events.PaymentCaptured](env)
		if err != nil {
			return broker.Unreadable(err)
		}
		captured[ev.OrderID] = ev.PaymentID
		ids = append(ids, ev.OrderID)
	}
	states, err := s.states(ctx, ids)
	if err != nil {
		return fmt.Errorf("read the states of orders: %w", err)
	}
	for id, payment := range captured {
		if status := states[id]; status != PendingPayment && status != Cancelled {
			continue
		}
		o, err := s.Order(ctx, ID(id), Access{Staff: true})
		if err != nil {
			return err
		}
		if err := s.settle(ctx, o, payment); err != nil {
			return err
		}
	}
	return nil
}
