package inventory_test

import (
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"shopd/internal/events"
	"shopd/internal/inventory"
	"shopd/internal/platform/errs"
)

// places in the order in which they serve orders.
var places = []string{"main", "store"}

// shelf is an article in a place, as the model has it.
type shelf struct{ sku, place string }

// model is what the stock should be, written as plainly as it can be.
type model struct {
	onHand, reserved map[shelf]int64
	owes             map[string]shelf // where an article owes
	limit            map[string]int64 // how much, -1 for any number
	held, sold       map[string]map[shelf]int64
	ended            map[string]bool // orders that held something; they do not again
}

func (m *model) available(s shelf) int64 { return m.onHand[s] - m.reserved[s] }

// plan says from which shelves an order of one article comes; nil when it cannot be served.
func (m *model) plan(sku string, quantity int64) map[shelf]int64 {
	for _, place := range places {
		if s := (shelf{sku, place}); m.available(s) >= quantity {
			return map[shelf]int64{s: quantity}
		}
	}
	plan := map[shelf]int64{}
	left := quantity
	for _, place := range places {
		s := shelf{sku, place}
		if take := min(max(m.available(s), 0), left); take > 0 {
			plan[s], left = take, left-take
		}
	}
	if left == 0 {
		return plan
	}
	s := m.owes[sku]
	if limit := m.limit[sku]; limit == -1 || limit > 0 && -min(m.available(s), 0)+left <= limit {
		plan[s] += left
		return plan
	}
	return nil
}

// reserve grants all or nothing.
func (m *model) reserve(order string, items []inventory.Item) bool {
	wanted := map[string]int64{}
	for _, it := range items {
		wanted[it.SKU] += it.Quantity
	}
	whole := map[shelf]int64{}
	for sku, quantity := range wanted {
		plan := m.plan(sku, quantity)
		if plan == nil {
			return false
		}
		maps.Copy(whole, plan)
	}
	for s, n := range whole {
		m.reserved[s] += n
	}
	m.held[order] = whole
	return true
}

func (m *model) end(order string) {
	if m.held[order] != nil {
		delete(m.held, order)
		m.ended[order] = true
	}
}

func TestTheStockDoesWhatItsModelDoes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.location(t, "store", 50)
	project, gateless := b.subscription(t, "inventory.cache").Project, b.gateless(t)
	var runs atomic.Int64
	rapid.Check(t, func(r *rapid.T) {
		run := runs.Add(1)
		svc := rapid.SampledFrom([]*inventory.Service{b.svc, gateless}).Draw(r, "service")
		skus := []string{fmt.Sprintf("A%d", run), fmt.Sprintf("B%d", run)}
		m := &model{
			onHand: map[shelf]int64{}, reserved: map[shelf]int64{}, owes: map[string]shelf{}, limit: map[string]int64{},
			held: map[string]map[shelf]int64{}, sold: map[string]map[shelf]int64{}, ended: map[string]bool{},
		}
		sku, place := rapid.SampledFrom(skus), rapid.SampledFrom(places)
		order := func() string { return fmt.Sprintf("ord_%d_%d", run, rapid.IntRange(1, 4).Draw(r, "order")) }
		// agree compares an answer of the stock with that of the model.
		agree := func(what string, err error, granted bool) {
			if err != nil && errs.KindOf(err) != errs.Conflict {
				r.Fatalf("%s: %v", what, err)
			}
			if (err == nil) != granted {
				r.Fatalf("%s: the stock answers %v, the model %v", what, err, granted)
			}
		}
		for _, sku := range skus {
			for _, place := range places {
				if n := rapid.Int64Range(0, 8).Draw(r, "at first"); n > 0 {
					b.put(t, sku, place, n)
					m.onHand[shelf{sku, place}] = n
				}
			}
		}
		for range rapid.IntRange(1, 14).Draw(r, "steps") {
			switch rapid.SampledFrom([]string{"reserve", "reserve", "release", "pay", "cancel", "adjust", "transfer", "terms"}).Draw(r, "step") {
			case "reserve":
				id := order()
				var items []inventory.Item
				for range rapid.IntRange(1, 3).Draw(r, "lines") {
					items = append(items, inventory.Item{SKU: sku.Draw(r, "sku"), Quantity: rapid.Int64Range(1, 6).Draw(r, "pieces")})
				}
				if m.held[id] == nil && !m.ended[id] {
					agree("reserve", svc.Reserve(t.Context(), id, items, time.Hour), m.reserve(id, items))
				}
			case "release":
				id := order()
				require.NoError(r, svc.Release(t.Context(), id, "test"))
				for s, n := range m.held[id] {
					m.reserved[s] -= n
				}
				m.end(id)
			case "pay":
				id := order()
				b.deliver(t, events.OrderPaid{OrderFacts: facts(id, hot(1)...)})
				for s, n := range m.held[id] {
					m.reserved[s], m.onHand[s] = m.reserved[s]-n, m.onHand[s]-n
				}
				if held := m.held[id]; held != nil {
					m.sold[id] = held
					m.end(id)
				}
			case "cancel":
				id := order()
				b.deliver(t, events.OrderCancelled{OrderFacts: facts(id, hot(1)...), WasPaid: m.sold[id] != nil})
				for s, n := range m.held[id] {
					m.reserved[s] -= n
				}
				for s, n := range m.sold[id] {
					m.onHand[s] += n
				}
				m.end(id)
				delete(m.sold, id)
			case "adjust":
				s, n := shelf{sku.Draw(r, "sku"), place.Draw(r, "place")}, rapid.Int64Range(-8, 8).Draw(r, "pieces")
				if n == 0 {
					break
				}
				_, _, err := b.svc.Adjust(t.Context(), inventory.Adjustment{SKU: s.sku, Location: s.place, Quantity: n, Actor: "test"})
				floor := int64(0)
				if m.owes[s.sku] == s {
					floor = -m.limit[s.sku]
				}
				allowed := m.available(s)+n >= floor || m.owes[s.sku] == s && m.limit[s.sku] == -1
				if err == nil {
					m.onHand[s] += n
				}
				agree("adjust", err, allowed)
			case "transfer":
				from := shelf{sku.Draw(r, "sku"), place.Draw(r, "from")}
				to := shelf{from.sku, places[0]}
				if from.place == places[0] {
					to.place = places[1]
				}
				n := rapid.Int64Range(1, 6).Draw(r, "pieces")
				_, _, err := b.svc.Transfer(t.Context(), inventory.Transfer{SKU: from.sku, From: from.place, To: to.place, Quantity: n, Reason: "test", Actor: "test"})
				agree("transfer", err, m.available(from) >= n)
				if err == nil {
					m.onHand[from], m.onHand[to] = m.onHand[from]-n, m.onHand[to]+n
				}
			case "terms":
				s := shelf{sku.Draw(r, "sku"), place.Draw(r, "place")}
				policy := rapid.SampledFrom([]inventory.Backorder{{Policy: inventory.BackorderDeny}, {Policy: inventory.BackorderAllow}, {Policy: inventory.BackorderLimit, Limit: 3}}).Draw(r, "policy")
				limit := policy.Limit
				if policy.Policy == inventory.BackorderAllow {
					limit = -1
				}
				allowed := true
				for _, p := range places {
					other := shelf{s.sku, p}
					allowed = allowed && (m.available(other) >= 0 || other == s && (limit == -1 || -m.available(other) <= limit))
				}
				err := b.svc.SetTerms(t.Context(), inventory.Terms{SKU: s.sku, Location: s.place, Backorder: &policy})
				agree("terms", err, allowed)
				if err == nil {
					m.owes[s.sku], m.limit[s.sku] = s, limit
				}
			}
			require.NoError(r, project(t.Context(), nil), "the consumer of the cache, which comes after that of orders")
			rows, err := b.svc.Levels(t.Context(), skus)
			require.NoError(r, err)
			for _, l := range rows {
				s := shelf{l.SKU, l.Location}
				if l.OnHand != m.onHand[s] || l.Reserved != m.reserved[s] || l.Available != l.OnHand-l.Reserved {
					r.Fatalf("%v: %d on hand and %d reserved, the model has %d and %d", s, l.OnHand, l.Reserved, m.onHand[s], m.reserved[s])
				}
			}
		}
	})
	b.explained(t)
}
