package app

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// together runs n calls that begin at the same moment, and returns how many gave each answer.
func together(t *testing.T, n int, call func(i int) (*reply, error)) []*reply {
	t.Helper()
	replies, failures := make([]*reply, n), make([]error, n)
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			<-start
			replies[i], failures[i] = call(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	for _, err := range failures {
		require.NoError(t, err)
	}
	return replies
}

// repetitions are requests that come again under their key.
func repetitions(t *testing.T, s *store) {
	shelf := s.stock(t, 2500, 100)

	t.Run("the same request has the same answer", func(t *testing.T) {
		t.Parallel()
		b := newBuyer(s.guest(t)).add(shelf, 1).checkout()
		key := newKey()
		first := b.completeUnder(key, "test_ok").is(http.StatusCreated)
		require.Empty(t, first.header.Get("Idempotent-Replayed"))
		for range 2 {
			again := b.completeUnder(key, "test_ok").is(http.StatusCreated)
			require.Equal(t, string(first.body), string(again.body))
			require.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
			require.Equal(t, first.header.Get("ETag"), again.header.Get("ETag"))
			require.NoError(t, s.redis.FlushDB(t.Context()).Err(), "and without Redis too")
		}
		b.completeUnder(key, "test_declined").refuses(http.StatusUnprocessableEntity, "idempotency_key_reused")
		require.Equal(t, int64(1), s.number(t, `select count(*) from public_views.v_orders where cart_id = $1`, b.cart.ID))
	})

	t.Run("a key belongs to who used it", func(t *testing.T) {
		t.Parallel()
		key := newKey()
		newBuyer(s.guest(t)).add(shelf, 1).checkout().completeUnder(key, "test_ok").is(http.StatusCreated)
		newBuyer(s.guest(t)).add(shelf, 1).checkout().completeUnder(key, "test_ok").is(http.StatusCreated)
	})

	t.Run("a complaint is not kept", func(t *testing.T) {
		t.Parallel()
		b := newBuyer(s.guest(t)).add(shelf, 1).checkout()
		key := newKey()
		b.completeUnder(key, "test_nonsense").refuses(http.StatusUnprocessableEntity, "unknown_payment_method")
		b.completeUnder(key, "test_ok").is(http.StatusCreated)
	})

	t.Run("fifty at once", func(t *testing.T) {
		t.Parallel()
		b := newBuyer(s.guest(t)).add(shelf, 1).checkout()
		key := newKey()
		replies := together(t, 50, func(int) (*reply, error) {
			return b.try(http.MethodPost, b.path+"/complete", payWith("test_ok"), "Idempotency-Key", key)
		})
		var body string
		for _, r := range replies {
			if r.status == http.StatusCreated {
				body = string(r.body)
			}
		}
		require.NotEmpty(t, body)
		fresh := 0
		for _, r := range replies {
			if r.status != http.StatusCreated {
				r.refuses(http.StatusConflict, "request_in_progress")
				require.NotEmpty(t, r.header.Get("Retry-After"))
				continue
			}
			require.Equal(t, body, string(r.body))
			if r.header.Get("Idempotent-Replayed") == "" {
				fresh++
			}
		}
		require.Equal(t, 1, fresh)
		require.Equal(t, int64(1), s.number(t, `select count(*) from public_views.v_orders where cart_id = $1`, b.cart.ID))
	})

	t.Run("keys that are none", func(t *testing.T) {
		t.Parallel()
		b := newBuyer(s.guest(t)).add(shelf, 1).checkout()
		b.post(b.path+"/complete", payWith("test_ok")).refuses(http.StatusBadRequest, "idempotency_key_required")
		for _, key := range []string{fmt.Sprintf("%0256d", 1), "käse"} {
			b.completeUnder(key, "test_ok").refuses(http.StatusBadRequest, "idempotency_key_invalid")
		}
	})
}

// cancelling gives stock and money back.
func cancelling(t *testing.T, s *store) {
	t.Run("a paid order", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 3000, 5)
		b, o := s.buys(t, a, 2)
		within(t, soon, func() error { return s.has(t, a, 3, 0) })
		cancel := storeAPI + "/orders/" + o.ID + "/cancel"
		b.post(cancel, map[string]string{"reason": "changed my mind"}).is(http.StatusOK).decode(&o)
		require.Equal(t, "cancelled", o.Status)
		b.post(cancel, map[string]string{}).refuses(http.StatusConflict, "invalid_state")
		within(t, soon, func() error {
			if err := s.has(t, a, 5, 0); err != nil {
				return err
			}
			left := s.number(t, `select sum(captured - refunded)::bigint from public_views.v_payments where order_id = $1`, o.ID)
			returned := s.number(t, `select count(*) from public_views.v_events where type = 'payments.payment_refunded.v1' and aggregate_id = $1`, o.Payment.ID)
			if left != 0 || returned != 1 {
				return fmt.Errorf("%d cents are left, %d refunds were told", left, returned)
			}
			return nil
		})
		require.Zero(t, s.number(t, `select sum(amount)::bigint from public_views.v_ledger`))
		require.Equal(t, int64(1), s.number(t, `select count(*) from public_views.v_stock_movements where order_id = $1 and kind = 'returned'`, o.ID))
		b.get(storeAPI + "/orders/" + o.ID).is(http.StatusOK).decode(&o)
		require.Equal(t, "refunded", o.Payment.Status)
	})

	t.Run("an order that was not paid", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 3000, 5)
		b := newBuyer(s.guest(t)).add(a, 2).checkout()
		var o orderJSON
		b.complete("test_requires_action").is(http.StatusCreated).decode(&o)
		require.NoError(t, s.has(t, a, 5, 2))
		b.post(storeAPI+"/orders/"+o.ID+"/cancel", map[string]string{}).is(http.StatusOK).decode(&o)
		require.Equal(t, "voided", o.Payment.Status)
		within(t, soon, func() error { return s.has(t, a, 5, 0) })
		b.complete("test_ok").is(http.StatusCreated).decode(&o)
		require.Equal(t, "paid", o.Status, "the cart is still there for another try")
	})

	t.Run("at the same moment", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 3000, 5)
		b, o := s.buys(t, a, 2)
		replies := together(t, 10, func(int) (*reply, error) {
			return b.try(http.MethodPost, storeAPI+"/orders/"+o.ID+"/cancel", map[string]string{})
		})
		done := 0
		for _, r := range replies {
			if r.status == http.StatusOK {
				done++
				continue
			}
			require.Contains(t, []int{http.StatusConflict, http.StatusPreconditionFailed}, r.status, "%s", r.body)
		}
		require.Equal(t, 1, done)
		within(t, soon, func() error { return s.has(t, a, 5, 0) })
		require.Equal(t, int64(1), s.number(t, `select count(*) from public_views.v_events where aggregate_id = $1 and type = 'orders.order_cancelled.v1'`, o.ID))
	})
}

// has reports how the stock of an article differs from what is expected.
func (s *store) has(t *testing.T, a article, onHand, reserved int64) error {
	t.Helper()
	row := s.rows(t, `select on_hand, reserved from public_views.v_stock where sku = $1`, a.sku)
	if len(row) != 1 || row[0]["on_hand"] != onHand || row[0]["reserved"] != reserved {
		return fmt.Errorf("%s: have %v, want %d on hand and %d reserved", a.sku, row, onHand, reserved)
	}
	return nil
}

// access is who may see what: guests by what they hold, nobody else's.
func access(t *testing.T, s *store) {
	shelf := s.stock(t, 2500, 100)
	owner, o := s.buys(t, shelf, 1)
	open := newBuyer(s.guest(t)).add(shelf, 1)
	other := newBuyer(s.guest(t)).add(shelf, 1)
	stranger := s.guest(t)
	order := storeAPI + "/orders/" + o.ID
	line := open.path + "/lines/" + open.cart.Lines[0].ID

	owner.get(order).is(http.StatusOK)
	stranger.with("X-Order-Secret", o.Secret).get(order).is(http.StatusOK)
	stranger.with("X-Cart-Token", owner.cart.Token).get(order).is(http.StatusOK)
	for name, c := range map[string]*client{
		"nobody": stranger, "another guest": other.client, "a guessed secret": stranger.with("X-Order-Secret", "os_AAAAAAAAAAAAAAAAAAAAAA"),
		"a customer": newCustomer(t, s, "stranger@example.com").client, "a merchant's key": s.keyWith(t, "orders:*"),
	} {
		t.Run(name, func(t *testing.T) {
			c := c.on(t)
			for _, call := range []struct {
				method, path string
				body         any
			}{
				{http.MethodGet, order, nil},
				{http.MethodPost, order + "/cancel", map[string]string{}},
				{http.MethodGet, open.path, nil},
				{http.MethodPost, open.path + "/lines", map[string]any{"sku": shelf.sku, "quantity": 1}},
				{http.MethodPatch, line, map[string]any{"quantity": 2}},
				{http.MethodDelete, line, nil},
				{http.MethodPut, open.path + "/address", address},
				{http.MethodGet, open.path + "/shipping-method", nil},
				{http.MethodPut, open.path + "/shipping-method", map[string]string{"shipping_method_id": "ship_standard"}},
				{http.MethodPost, open.path + "/accept-prices", map[string]any{}},
				{http.MethodPost, open.path + "/complete", payWith("test_ok")},
			} {
				c.do(call.method, call.path, call.body, "Idempotency-Key", newKey()).refuses(http.StatusNotFound, "not_found")
			}
		})
	}
	open.get(open.path).is(http.StatusOK)
}

// races are shoppers who want the same thing at the same moment.
func races(t *testing.T, s *store) {
	t.Run("twenty want the last piece", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 9900, 1)
		buyers := make([]*buyer, 20)
		for i := range buyers {
			buyers[i] = newBuyer(s.guest(t)).add(a, 1).checkout()
		}
		replies := together(t, len(buyers), func(i int) (*reply, error) {
			return buyers[i].try(http.MethodPost, buyers[i].path+"/complete", payWith("test_ok"), "Idempotency-Key", fmt.Sprintf("last-%d-%s", i, a.sku))
		})
		sold := 0
		for _, r := range replies {
			if r.status == http.StatusCreated {
				sold++
				continue
			}
			r.refuses(http.StatusConflict, "out_of_stock")
		}
		require.Equal(t, 1, sold)
		require.Equal(t, int64(1), s.number(t, `select count(*) from public_views.v_payments as p join public_views.v_order_lines as l using (order_id) where l.sku = $1`, a.sku),
			"nobody else was charged")
		within(t, soon, func() error { return s.has(t, a, 0, 0) })
	})

	t.Run("one cart is paid twice", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 2500, 10)
		b := newBuyer(s.guest(t)).add(a, 1).checkout()
		replies := together(t, 8, func(int) (*reply, error) {
			return b.try(http.MethodPost, b.path+"/complete", payWith("test_ok"), "Idempotency-Key", newKey())
		})
		paid := 0
		for _, r := range replies {
			if r.status == http.StatusCreated {
				paid++
				continue
			}
			require.Equal(t, http.StatusConflict, r.status, "%s", r.body)
			require.Contains(t, []string{"payment_in_progress", "already_paid", "cart_changed"}, r.code(), "%s", r.body)
		}
		require.Equal(t, 1, paid)
		require.Equal(t, int64(1), s.number(t, `select count(*) from public_views.v_payments as p join public_views.v_orders as o using (order_id) where o.cart_id = $1 and p.captured > 0`, b.cart.ID))
		within(t, soon, func() error { return s.has(t, a, 9, 0) })
	})

	t.Run("two articles in opposite order", func(t *testing.T) {
		t.Parallel()
		both := s.stockMany(t, 2, 500, 12)
		buyers := make([]*buyer, 12)
		for i := range buyers {
			buyers[i] = newBuyer(s.guest(t)).add(both[i%2], 1).add(both[1-i%2], 1).checkout()
		}
		for _, r := range together(t, len(buyers), func(i int) (*reply, error) {
			return buyers[i].try(http.MethodPost, buyers[i].path+"/complete", payWith("test_ok"), "Idempotency-Key", newKey())
		}) {
			r.is(http.StatusCreated)
		}
		within(t, soon, func() error { return s.has(t, both[0], 0, 0) })
		within(t, soon, func() error { return s.has(t, both[1], 0, 0) })
	})

	t.Run("the cart changes while it is paid", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 2500, 10)
		b := newBuyer(s.guest(t)).add(a, 1).checkout()
		b.post(b.path+"/complete", payWith("test_ok"), "Idempotency-Key", newKey(), "If-Match", `"1"`).refuses(http.StatusConflict, "cart_changed")
		b.post(b.path+"/complete", payWith("test_ok"), "Idempotency-Key", newKey(), "If-Match", fmt.Sprintf(`"%d"`, b.cart.Version)).is(http.StatusCreated)
		b.post(b.path+"/lines", map[string]any{"sku": a.sku, "quantity": 1}).refuses(http.StatusConflict, "cart_completed")
	})
}
