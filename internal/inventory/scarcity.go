package inventory

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/platform/broker"
)

// tellOfScarcity makes alerts of what the stock rows announced by themselves when they fell to their reorder point or
// ran out (see announce_scarcity in the schema). An article is out when no location has any of it.
func (s *Service) tellOfScarcity(ctx context.Context, tx pgx.Tx, batch []events.Envelope) error {
	var low []events.StockLow
	var out []events.StockedOut
	var skus []string
	for _, env := range batch {
		switch env.Type {
		case events.StockLow{}.Type():
			ev, err := events.Open[events.StockLow](env)
			if err != nil {
				return broker.Unreadable(err)
			}
			low, skus = append(low, ev), append(skus, ev.SKU)
		case events.StockedOut{}.Type():
			ev, err := events.Open[events.StockedOut](env)
			if err != nil {
				return broker.Unreadable(err)
			}
			out, skus = append(out, ev), append(skus, ev.SKU)
		}
	}
	rows, err := levels(ctx, tx, skus)
	if err != nil {
		return fmt.Errorf("read the stock of scarce articles: %w", err)
	}
	left := map[string]int64{} // by sku
	here := map[[2]string]int64{}
	for _, l := range rows {
		left[l.SKU] += max(l.Available, 0)
		here[[2]string{l.SKU, l.Location}] = max(l.Available, 0)
	}
	day := s.now().Format("2006-01-02")
	for _, ev := range out {
		if left[ev.SKU]-here[[2]string{ev.SKU, ev.Location}] > 0 {
			continue // other locations have some
		}
		s.metrics.stockouts.Inc()
		if left[ev.SKU] > 0 {
			continue // it has come again
		}
		if err := s.alert(ctx, tx, Alert{
			Key: "stockout/" + ev.SKU + "/" + day, Urgent: true, Summary: ev.SKU + " is sold out.",
			Details: map[string]string{"sku": ev.SKU, "location": ev.Location, "reserved": strconv.FormatInt(ev.Reserved, 10)},
		}); err != nil {
			return err
		}
	}
	for _, ev := range low {
		s.metrics.low.Inc()
		if left[ev.SKU] == 0 {
			continue // that it is out says more
		}
		if err := s.alert(ctx, tx, Alert{
			Key:     "low/" + ev.SKU + "@" + ev.Location + "/" + day,
			Summary: fmt.Sprintf("%s is running out in %s: %d left, to be reordered at %d.", ev.SKU, ev.Location, ev.Available, ev.ReorderPoint),
			Details: map[string]string{"sku": ev.SKU, "location": ev.Location, "available": strconv.FormatInt(ev.Available, 10)},
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) alert(ctx context.Context, tx pgx.Tx, a Alert) error {
	a.At = s.now()
	return s.alerter.Alert(ctx, tx, a)
}
