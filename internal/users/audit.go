package users

import (
	"context"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/platform/broker"
)

// Subscriptions are the queues of the domain.
func (s *Service) Subscriptions() []broker.Subscription {
	return []broker.Subscription{{
		Consumer: "users.audit",
		Types:    []string{events.PromotionChanged{}.Type()},
		Pool:     s.pool,
		Handle:   s.auditEvents,
	}}
}

// auditEvents writes what staff did in other domains into the audit log.
func (s *Service) auditEvents(ctx context.Context, tx pgx.Tx, batch []events.Envelope) error {
	for _, env := range batch {
		ev, err := events.Open[events.PromotionChanged](env)
		if err != nil {
			return broker.Unreadable(err)
		}
		detail := map[string]any{"kind": ev.Kind, "active": ev.Active, "version": ev.Version}
		if err := s.audit(ctx, tx, ev.Actor, "promotion."+ev.Change, ev.PromotionID, detail); err != nil {
			return err
		}
	}
	return nil
}
