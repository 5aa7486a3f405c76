package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// chargedOnce fails unless every order of the cart that is paid has one charge of exactly its total, and no other order of
// it has money.
func (s *store) chargedOnce(t *testing.T, cartID string) {
	t.Helper()
	require.Zero(t, s.number(t, `
		select count(*)
		from public_views.v_orders as o
		left join lateral (
			select coalesce(sum(p.captured - p.refunded), 0)::bigint as net, count(*) filter (where p.captured > p.refunded) as live
			from public_views.v_payments as p
			where p.order_id = o.order_id
		) as m on true
		where o.cart_id = $1 and (
			o.status not in ('pending_payment', 'cancelled') and (m.net <> o.total or m.live <> 1) or o.status in ('pending_payment', 'cancelled') and m.net <> 0
		)`, cartID), "paid means charged once, of the total")
}

// checkoutRaces are two people at one cart, or at one order.
func checkoutRaces(t *testing.T, s *store) {
	t.Run("an article comes into the cart while it is paid", func(t *testing.T) {
		t.Parallel()
		a, more := s.stock(t, 1000, 100), s.stock(t, 700, 100)
		for range 8 {
			b := newBuyer(s.guest(t)).add(a, 1).checkout()
			before := b.cart.Totals.Total.Amount
			replies := together(t, 2, func(i int) (*reply, error) {
				if i == 0 {
					return b.try(http.MethodPost, b.path+"/complete", payWith("test_ok"), "Idempotency-Key", newKey(), "If-Match", fmt.Sprintf(`"%d"`, b.cart.Version))
				}
				return b.try(http.MethodPost, b.path+"/lines", map[string]any{"sku": more.sku, "quantity": 1})
			})
			paid, added := replies[0], replies[1]
			if paid.status != http.StatusCreated {
				paid.refuses(http.StatusConflict, "cart_changed")
				require.Zero(t, s.number(t, `select count(*) from public_views.v_orders where cart_id = $1 and status <> 'cancelled'`, b.cart.ID))
			} else {
				var o orderJSON
				paid.decode(&o)
				require.Equal(t, before, o.Totals.Total.Amount, "what was seen is what is charged, whatever came after")
				require.Len(t, o.Lines, 1)
				require.Contains(t, []int{http.StatusOK, http.StatusConflict}, added.status, "%s", added.body)
			}
			s.chargedOnce(t, b.cart.ID)
		}
	})

	t.Run("fifty want the last piece", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 9900, 1)
		buyers := make([]*buyer, 50)
		for i := range buyers {
			buyers[i] = newBuyer(s.guest(t)).add(a, 1).checkout()
		}
		sold := 0
		for _, r := range together(t, len(buyers), func(i int) (*reply, error) {
			return buyers[i].try(http.MethodPost, buyers[i].path+"/complete", payWith("test_ok"), "Idempotency-Key", fmt.Sprintf("fifty-%d-%s", i, a.sku))
		}) {
			if r.status == http.StatusCreated {
				sold++
				continue
			}
			r.refuses(http.StatusConflict, "out_of_stock")
		}
		require.Equal(t, 1, sold)
		require.Equal(t, int64(1), s.number(t, `select count(*) from public_views.v_payments as p join public_views.v_order_lines as l using (order_id) where l.sku = $1`, a.sku),
			"nobody else was so much as asked for money")
		within(t, soon, func() error { return s.has(t, a, 0, 0) })
	})

	t.Run("cancelled while the money is being taken", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 1000, 10)
		b := newBuyer(s.guest(t)).add(a, 1).checkout()
		done := make(chan *reply, 1)
		go func() {
			r, _ := b.try(http.MethodPost, b.path+"/complete", payWith("test_timeout"), "Idempotency-Key", newKey())
			done <- r
		}()
		var order string
		within(t, soon, func() error {
			rows := s.rows(t, `select o.order_id from public_views.v_orders as o join public_views.v_payments as p using (order_id) where o.cart_id = $1 and p.status = 'sending'`, b.cart.ID)
			if len(rows) == 0 {
				return fmt.Errorf("nothing is being sent")
			}
			order = rows[0]["order_id"].(string)
			return nil
		})
		cancel := storeAPI + "/orders/" + order + "/cancel"
		require.NotEmpty(t, b.post(cancel, map[string]string{}).refuses(http.StatusConflict, "payment_in_progress").header.Get("Retry-After"))
		(<-done).is(http.StatusAccepted)
		within(t, 20*time.Second, func() error {
			if n := s.number(t, `select count(*) from public_views.v_orders where order_id = $1 and status = 'paid'`, order); n != 1 {
				return fmt.Errorf("not paid yet")
			}
			return nil
		})
		s.chargedOnce(t, b.cart.ID)
		b.post(cancel, map[string]string{}).is(http.StatusOK)
		b.post(cancel, map[string]string{}).refuses(http.StatusConflict, "invalid_state")
		within(t, soon, func() error { return s.has(t, a, 10, 0) })
		s.chargedOnce(t, b.cart.ID)
	})

	t.Run("captured and cancelled by two hands", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 1000, 100)
		staff := s.keyWith(t, "orders:*")
		for range 8 {
			b := newBuyer(s.guest(t)).add(a, 1).checkout()
			var o orderJSON
			b.post(b.path+"/complete", map[string]any{"payment": map[string]string{"provider": "manual"}}, "Idempotency-Key", newKey()).is(http.StatusCreated).decode(&o)
			for _, r := range together(t, 2, func(i int) (*reply, error) {
				return staff.try(http.MethodPost, adminAPI+"/orders/"+o.ID+[]string{"/capture", "/cancel"}[i], map[string]string{}, "Idempotency-Key", newKey())
			}) {
				require.Contains(t, []int{http.StatusOK, http.StatusConflict, http.StatusPreconditionFailed}, r.status, "%s", r.body)
			}
			within(t, soon, func() error {
				b.get(storeAPI + "/orders/" + o.ID).is(http.StatusOK).decode(&o)
				net := s.number(t, `select coalesce(sum(captured - refunded), 0)::bigint from public_views.v_payments where order_id = $1`, o.ID)
				if want := map[string]int64{"paid": o.Totals.Total.Amount}[o.Status]; o.Status == "pending_payment" || net != want {
					return fmt.Errorf("the order is %s and has %d", o.Status, net)
				}
				return nil
			})
			s.chargedOnce(t, b.cart.ID)
		}
		require.Zero(t, s.number(t, `select coalesce(sum(amount), 0)::bigint from public_views.v_ledger`))
	})

	t.Run("paid twice as an order", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 1000, 10)
		b := newBuyer(s.guest(t)).add(a, 1).checkout()
		b.complete("test_declined").refuses(http.StatusPaymentRequired, "payment_declined")
		order := s.rows(t, `select order_id from public_views.v_orders where cart_id = $1`, b.cart.ID)[0]["order_id"].(string)
		paid := 0
		for _, r := range together(t, 8, func(i int) (*reply, error) {
			path := storeAPI + "/orders/" + order + "/pay"
			if i%2 == 0 {
				path = b.path + "/complete"
			}
			return b.try(http.MethodPost, path, payWith("test_ok"), "Idempotency-Key", newKey())
		}) {
			if r.status < 300 {
				paid++
				continue
			}
			require.Equal(t, http.StatusConflict, r.status, "%s", r.body)
			require.Contains(t, []string{"payment_in_progress", "already_paid", "cart_changed"}, r.code(), "%s", r.body)
		}
		require.Equal(t, 1, paid)
		s.chargedOnce(t, b.cart.ID)
		within(t, soon, func() error { return s.has(t, a, 9, 0) })
	})
}

// keysThatAreNone are Idempotency-Keys used for something else than one request.
func keysThatAreNone(t *testing.T, s *store) {
	shelf := s.stock(t, 1000, 50)

	t.Run("empty, and of control characters", func(t *testing.T) {
		t.Parallel()
		b := newBuyer(s.guest(t)).add(shelf, 1).checkout()
		body := `{"payment":{"provider":"test","method":"test_ok"}}`
		for name, key := range map[string]string{"empty": "", "blank": " ", "a tab inside": "a\tb"} {
			text := "POST " + b.path + "/complete HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Cart-Token: " + b.cart.Token +
				"\r\nIdempotency-Key: " + key + fmt.Sprintf("\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", len(body)) + body
			require.Contains(t, rawRequest(t, s.url, text), " 400 ", name)
		}
		require.Zero(t, s.number(t, `select count(*) from public_views.v_orders where cart_id = $1`, b.cart.ID), "nothing was ordered")
	})

	t.Run("of another path, method or body", func(t *testing.T) {
		t.Parallel()
		b := newBuyer(s.guest(t)).add(shelf, 1).checkout()
		key := newKey()
		var o orderJSON
		b.completeUnder(key, "test_ok").is(http.StatusCreated).decode(&o)
		b.post(storeAPI+"/orders/"+o.ID+"/cancel", map[string]string{}, "Idempotency-Key", key).refuses(http.StatusUnprocessableEntity, "idempotency_key_reused")
		b.post(storeAPI+"/orders/"+o.ID+"/pay", payWith("test_ok"), "Idempotency-Key", key).refuses(http.StatusUnprocessableEntity, "idempotency_key_reused")
		b.completeUnder(key, "test_declined").refuses(http.StatusUnprocessableEntity, "idempotency_key_reused")
		b.get(storeAPI + "/orders/" + o.ID).is(http.StatusOK).decode(&o)
		require.Equal(t, "paid", o.Status)
		s.chargedOnce(t, b.cart.ID)
	})

	t.Run("after a refusal", func(t *testing.T) {
		t.Parallel()
		b := newBuyer(s.guest(t)).add(shelf, 1)
		key := newKey()
		b.completeUnder(key, "test_nonsense").refuses(http.StatusUnprocessableEntity, "unknown_payment_method")
		b.checkout()
		b.completeUnder(key, "test_ok").is(http.StatusCreated)
		s.chargedOnce(t, b.cart.ID)
	})

	t.Run("of a decline is answered by the decline", func(t *testing.T) {
		t.Parallel()
		b := newBuyer(s.guest(t)).add(shelf, 1).checkout()
		key := newKey()
		b.completeUnder(key, "test_declined").refuses(http.StatusPaymentRequired, "payment_declined")
		require.Equal(t, "true", b.completeUnder(key, "test_declined").refuses(http.StatusPaymentRequired, "payment_declined").header.Get("Idempotent-Replayed"))
		require.Equal(t, int64(1), s.number(t, `select count(*) from public_views.v_payments as p join public_views.v_orders as o using (order_id) where o.cart_id = $1`, b.cart.ID), "asked once")
	})
}

// steps that are left out, and orders that are guessed.
func steps(t *testing.T, s *store) {
	shelf := s.stock(t, 1000, 50)

	t.Run("nothing is held before paying", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 1000, 3)
		for range 5 {
			newBuyer(s.guest(t)).add(a, 3).checkout()
		}
		require.NoError(t, s.has(t, a, 3, 0), "carts promise nothing")
		newBuyer(s.guest(t)).add(a, 3).checkout().complete("test_ok").is(http.StatusCreated)
	})

	t.Run("an article that is taken off the shelf meanwhile", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 1000, 5)
		b := newBuyer(s.guest(t)).add(a, 1).checkout()
		staff := s.keyWith(t, "catalog:*")
		path := adminAPI + "/products/" + a.product
		staff.do(http.MethodPatch, path, map[string]string{"status": "archived"}, "If-Match", staff.get(path).is(http.StatusOK).header.Get("ETag")).is(http.StatusOK)
		b.complete("test_ok").refuses(http.StatusUnprocessableEntity, "not_purchasable")
		require.Zero(t, s.number(t, `select count(*) from public_views.v_orders where cart_id = $1`, b.cart.ID))
		require.NoError(t, s.has(t, a, 5, 0))
		b.do(http.MethodDelete, b.path+"/lines/"+b.cart.Lines[0].ID, nil).is(http.StatusOK)
		b.add(shelf, 1).complete("test_ok").is(http.StatusCreated)
	})

	t.Run("another currency", func(t *testing.T) {
		t.Parallel()
		b := newBuyer(s.guest(t)).add(shelf, 1).checkout()
		b.post(b.path+"/lines", map[string]any{"sku": shelf.sku, "quantity": 1, "currency": "USD"}).refuses(http.StatusUnprocessableEntity, "unknown_field")
		b.do(http.MethodPatch, b.path, map[string]any{"currency": "USD"}).refuses(http.StatusMethodNotAllowed, "method_not_allowed")
		var o orderJSON
		b.complete("test_ok").is(http.StatusCreated).decode(&o)
		require.Equal(t, moneyJSON{1490, "EUR"}, o.Totals.Total)
	})

	t.Run("what is not paid is not sent, changed or given back", func(t *testing.T) {
		t.Parallel()
		b := newBuyer(s.guest(t)).add(shelf, 1).checkout()
		var o orderAfter
		b.complete("test_requires_action").is(http.StatusCreated).decode(&o)
		staff := s.keyWith(t, "orders:*")
		line := map[string]any{"line_id": o.Lines[0].ID, "quantity": 1}
		none := map[string]any{"line_id": o.Lines[0].ID, "quantity": 0}
		for path, body := range map[string]any{
			"/fulfilments": map[string]any{}, "/edits": map[string]any{"lines": []any{none}}, "/refunds": map[string]any{}, "/returns": map[string]any{"lines": []any{line}},
		} {
			staff.post(adminAPI+"/orders/"+o.ID+path, body, "Idempotency-Key", newKey()).refuses(http.StatusConflict, "invalid_state")
		}
		b.get(storeAPI+"/orders/"+o.ID+"/documents/invoice").refuses(http.StatusNotFound, "not_found")
		b.get(storeAPI + "/orders/" + o.ID).is(http.StatusOK).decode(&o)
		require.Equal(t, "pending_payment", o.Status)
		require.Len(t, o.History, 1)
	})

	t.Run("orders that are guessed", func(t *testing.T) {
		t.Parallel()
		b, o := s.buys(t, shelf, 1)
		guest := s.guest(t)
		for _, ref := range []string{fmt.Sprint(o.Number), fmt.Sprintf("#%d", o.Number), "ord_" + strings.Repeat("0", 26), b.cart.ID, o.Payment.ID, o.ID[:len(o.ID)-1] + "0"} {
			for _, path := range []string{"", "/timeline", "/documents/invoice"} {
				guest.get(storeAPI+"/orders/"+strings.ReplaceAll(ref, "#", "%23")+path).refuses(http.StatusNotFound, "not_found")
			}
		}
		for _, call := range []struct {
			method, path string
			body         any
		}{
			{http.MethodPost, "/pay", payWith("test_ok")},
			{http.MethodPut, "/address", map[string]any{"shipping": canaryAddress("Elsewhere 1")}},
			{http.MethodPost, "/returns", map[string]any{"lines": []any{map[string]any{"line_id": o.Lines[0].ID, "quantity": 1}}}},
			{http.MethodPost, "/returns/ret_x/cancel", nil},
			{http.MethodPost, "/cancel", map[string]string{}},
		} {
			guest.do(call.method, storeAPI+"/orders/"+o.ID+call.path, call.body, "Idempotency-Key", newKey()).refuses(http.StatusNotFound, "not_found")
		}
		b.get(storeAPI + "/orders/" + o.ID).is(http.StatusOK).decode(&o)
		require.Len(t, o.History, 2, "nothing of that left a trace")
	})

	t.Run("what staff may do needs the right to it", func(t *testing.T) {
		t.Parallel()
		_, o := s.buys(t, shelf, 1)
		reads := s.keyWith(t, "orders:read")
		reads.get(adminAPI + "/orders/" + o.ID + "/timeline").is(http.StatusOK)
		for _, path := range []string{"/refunds", "/edits", "/returns", "/notes", "/returns/ret_x/receive", "/returns/ret_x/approve", "/fulfilments", "/cancel"} {
			reads.post(adminAPI+"/orders/"+o.ID+path, map[string]any{}, "Idempotency-Key", newKey()).refuses(http.StatusForbidden, "forbidden")
		}
		reads.do(http.MethodPut, adminAPI+"/orders/"+o.ID+"/address", map[string]any{}).refuses(http.StatusForbidden, "forbidden")
	})
}

// TestUnpaidOrdersGiveTheirStockBack lets the time of an order run out, with nobody asking.
func TestUnpaidOrdersGiveTheirStockBack(t *testing.T) {
	t.Parallel()
	s := openStore(t, onEmbedded(t), "SHOPD_RESERVATION_TTL=1s")
	a := s.stock(t, 1000, 5)
	waits := newBuyer(s.guest(t)).add(a, 2).checkout()
	declined := newBuyer(s.guest(t)).add(a, 3).checkout()
	var o orderJSON
	waits.complete("test_requires_action").is(http.StatusCreated).decode(&o)
	declined.complete("test_declined").refuses(http.StatusPaymentRequired, "payment_declined")
	within(t, time.Minute, func() error {
		waits.get(storeAPI + "/orders/" + o.ID).is(http.StatusOK).decode(&o)
		if o.Status != "cancelled" {
			return fmt.Errorf("the order is %s", o.Status)
		}
		return s.has(t, a, 5, 0)
	})
	require.Equal(t, "voided", o.Payment.Status)
	require.Equal(t, "cancelled", o.History[len(o.History)-1].Kind)
	require.Zero(t, s.number(t, `select coalesce(sum(captured), 0)::bigint from public_views.v_payments`))
	waits.post(storeAPI+"/orders/"+o.ID+"/pay", payWith("test_ok"), "Idempotency-Key", newKey()).refuses(http.StatusConflict, "invalid_state")
	waits.complete("test_ok").is(http.StatusCreated).decode(&o)
	require.Equal(t, "paid", o.Status, "the cart can be ordered anew")
	s.chargedOnce(t, waits.cart.ID)
	s.chargedOnce(t, declined.cart.ID)
}

// TestCardsAreNotTriedAtTheSpeedOfPages tests small cards one after the other, and opens carts without end.
func TestCardsAreNotTriedAtTheSpeedOfPages(t *testing.T) {
	t.Parallel()
	s := openStore(t, onEmbedded(t), "SHOPD_RATE_LIMIT_PER_MINUTE=600")
	a := s.stock(t, 100, 500)
	b := newBuyer(s.guest(t)).add(a, 1).checkout()
	declined := 0
	var refused *reply
	for range 200 {
		got := b.complete("test_declined")
		if got.status == http.StatusTooManyRequests {
			refused = got
			break
		}
		got.refuses(http.StatusPaymentRequired, "payment_declined")
		declined++
	}
	require.NotNil(t, refused, "%d cards were tried", declined)
	refused.refuses(http.StatusTooManyRequests, "rate_limited")
	require.NotEmpty(t, refused.header.Get("Retry-After"))
	require.Less(t, declined, 100)
	require.Equal(t, int64(declined), s.number(t, `select count(*) from public_views.v_payments`), "nothing reached the gateway after that")

	carts := 0
	for ; carts < 600; carts++ {
		got := s.guest(t).post(storeAPI+"/carts", map[string]string{"currency": "EUR"})
		if got.status == http.StatusTooManyRequests {
			break
		}
		got.is(http.StatusCreated)
	}
	require.Less(t, carts, 500, "carts are bounded by caller")
}
