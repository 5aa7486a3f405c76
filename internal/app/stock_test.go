package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/events"
	"shopd/internal/inventory"
	"shopd/internal/money"
	"shopd/internal/platform/id"
)

type stockJSON struct {
	OnHand    int64 `json:"on_hand"`
	Reserved  int64
	Available int64
	Watched   bool
	Backorder struct {
		Policy, Location string
		Limit            *int64
	}
	Locations []struct {
		Location     string
		OnHand       int64 `json:"on_hand"`
		ReorderPoint int64 `json:"reorder_point"`
	}
}

// stockRooms is what a merchant does with stock over HTTP.
func stockRooms(t *testing.T, s *store) {
	t.Run("locations, transfers and returns", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 1500, 10)
		staff := s.keyWith(t, "inventory:*")
		place := "store-" + a.sku[len("TEST-"):]
		created := staff.post(adminAPI+"/locations", map[string]any{"id": place, "name": "Store", "priority": 500}).is(http.StatusCreated)
		staff.post(adminAPI+"/locations", map[string]any{"id": place, "name": "Store"}).refuses(http.StatusConflict, "location_exists")
		staff.post(adminAPI+"/locations", map[string]any{"id": "No Good", "name": "x"}).refuses(http.StatusUnprocessableEntity, "validation_failed")
		staff.do(http.MethodPatch, adminAPI+"/locations/"+place, map[string]any{"name": "Old Town"}, "If-Match", `"7"`).refuses(http.StatusPreconditionFailed, "stale_version")
		staff.do(http.MethodPatch, adminAPI+"/locations/"+place, map[string]any{"name": "Old Town"}, "If-Match", created.header.Get("ETag")).is(http.StatusOK)
		staff.do(http.MethodPatch, adminAPI+"/locations/nowhere", map[string]any{"name": "x"}).refuses(http.StatusNotFound, "not_found")

		path := adminAPI + "/inventory/" + a.sku
		move := func(quantity int64, from, to string) *reply {
			return staff.post(path+"/transfers", map[string]any{"from": from, "to": to, "quantity": quantity, "reason": "restock"}, "Idempotency-Key", newKey())
		}
		staff.post(path+"/transfers", map[string]any{"from": "main", "to": place, "quantity": 1, "reason": "x"}).refuses(http.StatusBadRequest, "idempotency_key_required")
		move(11, "main", place).refuses(http.StatusConflict, "insufficient_stock")
		move(1, "main", "moon").refuses(http.StatusUnprocessableEntity, "unknown_location")
		move(1, "main", "main").refuses(http.StatusUnprocessableEntity, "same_location")
		var transfer struct {
			Movements []struct {
				Location string
				Quantity int64
				OnHand   int64 `json:"on_hand"`
			}
		}
		move(3, "main", place).is(http.StatusCreated).decode(&transfer)
		require.Len(t, transfer.Movements, 2)
		require.Equal(t, []int64{-3, 7}, []int64{transfer.Movements[0].Quantity, transfer.Movements[0].OnHand})
		require.Equal(t, []int64{3, 3}, []int64{transfer.Movements[1].Quantity, transfer.Movements[1].OnHand})

		back, key := map[string]any{"quantity": 2, "reason": "too small", "location": place}, newKey()
		first := staff.post(path+"/returns", back, "Idempotency-Key", key).is(http.StatusCreated)
		again := staff.post(path+"/returns", back, "Idempotency-Key", key).is(http.StatusCreated)
		require.Equal(t, string(first.body), string(again.body))
		staff.post(path+"/returns", map[string]any{"quantity": 1, "reason": "x", "order_id": "ord_nowhere"}, "Idempotency-Key", newKey()).
			refuses(http.StatusConflict, "return_exceeds_sold")
		staff.post(path+"/returns", map[string]any{"quantity": 0, "reason": "x"}, "Idempotency-Key", newKey()).refuses(http.StatusUnprocessableEntity, "invalid_quantity")

		var level stockJSON
		staff.get(path).is(http.StatusOK).decode(&level)
		require.Equal(t, int64(12), level.OnHand)
		require.Len(t, level.Locations, 2)
		var list struct {
			Items []struct {
				Kind, Reason, Actor string
				Quantity            int64
			}
		}
		staff.get(path + "/movements?location=" + place).is(http.StatusOK).decode(&list)
		require.Len(t, list.Items, 2)
		require.Equal(t, "returned", list.Items[0].Kind)
		require.Equal(t, "too small", list.Items[0].Reason)
		require.Contains(t, list.Items[0].Actor, "api_key")
		staff.get(path+"/movements?kind=stolen").refuses(http.StatusUnprocessableEntity, "invalid_parameter")
		require.EqualValues(t, 12, s.number(t, `select sum(available)::bigint from public_views.v_stock where sku = $1`, a.sku))
		s.keyWith(t, "inventory:read").post(path+"/transfers", map[string]any{}, "Idempotency-Key", newKey()).refuses(http.StatusForbidden, "forbidden")
	})

	t.Run("terms", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 1500, 10)
		staff := s.keyWith(t, "inventory:*")
		path := adminAPI + "/inventory/" + a.sku
		patch := func(body map[string]any) *reply { return staff.do(http.MethodPatch, path, body) }
		patch(map[string]any{"backorder": "limit"}).refuses(http.StatusUnprocessableEntity, "validation_failed")
		patch(map[string]any{"backorder": "allow", "backorder_limit": 4}).refuses(http.StatusUnprocessableEntity, "validation_failed")
		patch(map[string]any{"backorder_limit": 4}).refuses(http.StatusUnprocessableEntity, "validation_failed")
		patch(map[string]any{"reorder_point": -1}).refuses(http.StatusUnprocessableEntity, "validation_failed")
		var level stockJSON
		patch(map[string]any{"backorder": "limit", "backorder_limit": 4, "reorder_point": 3, "watched": true}).is(http.StatusOK).decode(&level)
		require.Equal(t, "limit", level.Backorder.Policy)
		require.Equal(t, int64(4), *level.Backorder.Limit)
		require.Equal(t, int64(3), level.Locations[0].ReorderPoint)
		require.True(t, level.Watched)
		patch(map[string]any{"backorder": "deny", "watched": false}).is(http.StatusOK).decode(&level)
		require.Equal(t, "deny", level.Backorder.Policy)
		require.False(t, level.Watched)
	})

	t.Run("history", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 1500, 10)
		staff := s.keyWith(t, "inventory:read", "reports:read")
		require.NoError(t, s.Inventory.FillHistory(t.Context()))
		var history struct {
			Items []struct {
				Day, Location string
				Received      int64
				Closing       int64 `json:"closing_available"`
			}
		}
		path := adminAPI + "/inventory/" + a.sku + "/history"
		staff.get(path).is(http.StatusOK).decode(&history)
		require.NotEmpty(t, history.Items)
		require.Equal(t, int64(10), history.Items[len(history.Items)-1].Closing)
		staff.get(path+"?from=yesterday").refuses(http.StatusUnprocessableEntity, "invalid_parameter")
		staff.get(path+"?from=2026-02-01&to=2026-01-01").refuses(http.StatusUnprocessableEntity, "invalid_parameter")
		var totals struct{ Items []struct{ Received int64 } }
		staff.get(adminAPI + "/reports/stock").is(http.StatusOK).decode(&totals)
		require.NotEmpty(t, totals.Items)
		require.GreaterOrEqual(t, totals.Items[len(totals.Items)-1].Received, int64(10))
	})

	t.Run("a dead letter is looked at and sent again", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 1500, 10)
		order := id.New("ord")
		require.NoError(t, s.Inventory.Reserve(t.Context(), order, []inventory.Item{{SKU: a.sku, Quantity: 4}}, time.Hour))
		env, err := events.Wrap(events.OrderPaid{OrderFacts: events.OrderFacts{
			OrderID: order, Total: money.New(1, "EUR"), Version: 2, Lines: []events.OrderLine{{SKU: a.sku, Quantity: 4}},
		}}, time.Now(), "")
		require.NoError(t, err)
		body, err := json.Marshal(env)
		require.NoError(t, err)
		letter, junk := id.New("dl"), id.New("dl")
		_, err = s.sql.Exec(t.Context(), `
			insert into platform.dead_letters (id, consumer, event_id, type, envelope, error, attempts, first_failed_at, last_failed_at)
			values ($1, 'inventory.orders', $2, $3, $4::text::json, 'the disk was full', 6, now(), now())`, letter, env.ID, env.Type, string(body))
		require.NoError(t, err)
		_, err = s.sql.Exec(t.Context(), `
			insert into platform.dead_letters (id, consumer, raw, error, attempts, first_failed_at, last_failed_at)
			values ($1, 'inventory.orders', 'no event', 'unreadable', 1, now(), now())`, junk)
		require.NoError(t, err)

		staff, reader := s.keyWith(t, "dead_letters:*"), s.keyWith(t, "dead_letters:read")
		var list struct{ Items []struct{ ID, Error string } }
		reader.get(adminAPI + "/dead-letters?consumer=inventory.orders").is(http.StatusOK).decode(&list)
		require.Contains(t, fmt.Sprint(list.Items), letter)
		var shown struct {
			Type  string
			Event events.Envelope
			Raw   []byte
		}
		reader.get(adminAPI + "/dead-letters/" + letter).is(http.StatusOK).decode(&shown)
		require.Equal(t, env.ID, shown.Event.ID)
		reader.get(adminAPI + "/dead-letters/" + junk).is(http.StatusOK).decode(&shown)
		require.Equal(t, "no event", string(shown.Raw))
		reader.get(adminAPI+"/dead-letters/dl_nowhere").refuses(http.StatusNotFound, "not_found")
		reader.post(adminAPI+"/dead-letters/"+letter+"/redrive", nil).refuses(http.StatusForbidden, "forbidden")
		staff.post(adminAPI+"/dead-letters/"+junk+"/redrive", nil).refuses(http.StatusConflict, "not_redrivable")
		staff.post(adminAPI+"/dead-letters/"+letter+"/redrive", nil).is(http.StatusAccepted)
		within(t, opening, func() error {
			if n := s.number(t, `select on_hand from public_views.v_stock where sku = $1`, a.sku); n != 6 {
				return fmt.Errorf("%d are on hand: the order is not sold yet", n)
			}
			return nil
		})
		reader.get(adminAPI + "/dead-letters?consumer=inventory.orders&redriven=true").is(http.StatusOK).decode(&list)
		require.Contains(t, fmt.Sprint(list.Items), letter)
		require.EqualValues(t, 1, s.number(t, `select count(*) from public_views.v_stock_movements where order_id = $1 and kind = 'sold'`, order))
	})
}

// Somebody who fills carts and never pays must not empty the shelves.
func TestHoldHoardingOverHTTP(t *testing.T) {
	t.Parallel()
	s := openStore(t, onEmbedded(t), "SHOPD_RATE_LIMIT_PER_MINUTE=600")
	a := s.stock(t, 1500, 100)
	hoarder := newCustomer(t, s, "mallory@example.com")
	const most = 20 // a thirtieth
	held, refused := 0, 0
	for range most + 3 {
		switch answer := newBuyer(hoarder.client).add(a, 1).checkout().complete("test_requires_action"); answer.status {
		case http.StatusCreated:
			held++
		default:
			answer.refuses(http.StatusTooManyRequests, "too_many_holds")
			require.NotEmpty(t, answer.header.Get("Retry-After"))
			refused++
		}
	}
	require.LessOrEqual(t, held, most+1, "one more when Redis took too long to say so")
	require.GreaterOrEqual(t, refused, 2)
	require.EqualValues(t, held, s.number(t, `select reserved from public_views.v_stock where sku = $1`, a.sku), "what was refused holds nothing")
}

// A shopper who tries another card in the last minute is not cut off, and nobody keeps stock for ever by trying.
func TestTryingToPayAgainKeepsOrderAndStock(t *testing.T) {
	t.Parallel()
	s := openStore(t, onEmbedded(t), "SHOPD_COMPLETER_INTERVAL=1h")
	a := s.stock(t, 1500, 10)
	// waiting makes an order that was placed so long ago and whose time is nearly up, and tries to pay it again.
	waiting := func(placed string) (payBy, held int64) {
		t.Helper()
		b := newBuyer(s.guest(t)).add(a, 1).checkout()
		b.complete("test_declined").refuses(http.StatusPaymentRequired, "payment_declined")
		var order string
		require.NoError(t, s.sql.QueryRow(t.Context(), `
			update orders.orders set pay_by = now() + interval '1 minute', placed_at = now() - $2::interval
			where cart_id = $1 returning id`, b.cart.ID, placed).Scan(&order))
		_, err := s.sql.Exec(t.Context(), `update inventory.reservations set expires_at = now() + interval '2 minutes' where order_id = $1`, order)
		require.NoError(t, err)
		b.complete("test_requires_action").is(http.StatusCreated)
		payBy = s.number(t, `select extract(epoch from pay_by - now())::bigint from orders.orders where id = $1`, order)
		held = s.number(t, `select extract(epoch from expires_at - now())::bigint from inventory.reservations where order_id = $1`, order)
		return payBy, held
	}
	payBy, held := waiting("9 minutes")
	require.Greater(t, payBy, int64(8*60), "it has its ten minutes again")
	require.Greater(t, held, payBy, "and the stock is held longer than the order waits")
	payBy, held = waiting("3 hours")
	require.LessOrEqual(t, payBy, int64(60), "an hour is enough")
	require.LessOrEqual(t, held, int64(120))
}
