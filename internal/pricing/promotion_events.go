package pricing

import (
	"context"
	"fmt"
	"time"

	"shopd/internal/events"
	"shopd/internal/platform/broker"
)

// forgetPromotions lets the next cart read the automatic promotions anew.
func (s *Service) forgetPromotions(context.Context, []events.Envelope) error {
	s.promotions.Store(nil)
	return nil
}

// forgetCustomers takes erased customers out of their groups.
func (s *Service) forgetCustomers(ctx context.Context, batch []events.Envelope) error {
	ids := make([]string, len(batch))
	for i, env := range batch {
		ids[i] = env.AggregateID
	}
	if _, err := s.db.Exec(ctx, forgetMemberSQL, ids); err != nil {
		return fmt.Errorf("forget erased customers: %w", err)
	}
	return nil
}

// redeemed are rows of what orders used, for one statement.
type redeemed struct {
	orders, promotions, codes, currencies []string
	revenues, discounts                   []int64
	at                                    []time.Time
	seen                                  map[[2]string]bool
}

func (r *redeemed) add(f events.OrderFacts) {
	for _, p := range f.Promotions {
		key := [2]string{f.OrderID, p.PromotionID}
		if r.seen[key] {
			continue
		}
		if r.seen == nil {
			r.seen = map[[2]string]bool{}
		}
		r.seen[key] = true
		r.orders, r.promotions, r.codes = append(r.orders, f.OrderID), append(r.promotions, p.PromotionID), append(r.codes, p.Code)
		r.currencies, r.revenues = append(r.currencies, string(f.Total.Currency)), append(r.revenues, f.Total.Minor)
		r.discounts, r.at = append(r.discounts, p.Discount.Minor), append(r.at, f.At)
	}
}

// followOrders keeps what paid orders used and gives back what cancelled ones did. Orders without promotions cost
// nothing. All of it may happen twice and in any order: the rows of the uses decide.
func (s *Service) followOrders(ctx context.Context, batch []events.Envelope) error {
	var paid, returned redeemed
	var cancelled []string
	for _, env := range batch {
		switch env.Type {
		case events.OrderPaid{}.Type():
			ev, err := events.Open[events.OrderPaid](env)
			if err != nil {
				return broker.Unreadable(err)
			}
			paid.add(ev.OrderFacts)
		case events.OrderCancelled{}.Type():
			ev, err := events.Open[events.OrderCancelled](env)
			if err != nil {
				return broker.Unreadable(err)
			}
			if len(ev.Promotions) > 0 {
				cancelled = append(cancelled, ev.OrderID)
			}
			if ev.WasPaid {
				returned.add(ev.OrderFacts)
			}
		}
	}
	if len(paid.orders) > 0 {
		if _, err := s.db.Exec(ctx, settleSQL, paid.orders, paid.promotions, paid.codes, paid.currencies, paid.revenues, paid.discounts, paid.at); err != nil {
			return fmt.Errorf("keep what paid orders used: %w", err)
		}
	}
	if len(returned.orders) > 0 {
		if _, err := s.db.Exec(ctx, forgoSQL, returned.orders, returned.promotions, returned.codes, s.now()); err != nil {
			return fmt.Errorf("keep what cancelled orders used: %w", err)
		}
	}
	if len(cancelled) == 0 {
		return nil
	}
	return s.Unredeem(ctx, cancelled...)
}
