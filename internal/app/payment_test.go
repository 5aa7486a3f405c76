package app

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// paymentWays are the ways a payment can go.
func paymentWays(t *testing.T, s *store) {
	shelf := s.stock(t, 2500, 100)

	t.Run("taken at once", func(t *testing.T) {
		t.Parallel()
		b, o := s.buys(t, shelf, 2)
		require.Equal(t, b.cart.Totals.Total, o.Totals.Total)
		require.Equal(t, "captured", o.Payment.Status)
		require.NotEmpty(t, o.Secret)
		b.complete("test_ok").refuses(http.StatusConflict, "already_paid")
	})

	t.Run("declined, then another method pays the same order", func(t *testing.T) {
		t.Parallel()
		b := newBuyer(s.guest(t)).add(shelf, 1).checkout()
		b.complete("test_declined").refuses(http.StatusPaymentRequired, "payment_declined")
		require.Equal(t, int64(1), s.number(t, `select reserved from public_views.v_stock_movements m, lateral (select sum(quantity)::bigint as reserved
			from public_views.v_stock_movements where order_id = m.order_id) as r where m.order_id = (select order_id from public_views.v_orders where cart_id = $1) limit 1`, b.cart.ID),
			"the pieces stay reserved")
		var o orderJSON
		b.complete("test_ok").is(http.StatusCreated).decode(&o)
		require.Equal(t, "paid", o.Status)
		require.Equal(t, int64(1), s.number(t, `select count(*) from public_views.v_orders where cart_id = $1`, b.cart.ID), "one order")
		require.Equal(t, o.Totals.Total.Amount, s.number(t, `select sum(captured - refunded)::bigint from public_views.v_payments where order_id = $1`, o.ID), "paid once")
	})

	t.Run("the shopper has to confirm", func(t *testing.T) {
		t.Parallel()
		for answer, want := range map[string]struct{ order, payment string }{
			"approve": {"paid", "captured"}, "refuse": {"pending_payment", "declined"},
		} {
			b := newBuyer(s.guest(t)).add(shelf, 1).checkout()
			var o orderJSON
			b.complete("test_requires_action").is(http.StatusCreated).decode(&o)
			require.Equal(t, "pending_payment", o.Status)
			require.Equal(t, "requires_action", o.Payment.Status)
			require.Equal(t, "redirect", o.Payment.NextAction.Type)
			require.True(t, strings.HasPrefix(o.Payment.NextAction.URL, s.url), o.Payment.NextAction.URL)

			bank := strings.TrimPrefix(o.Payment.NextAction.URL, s.url)
			newClient(t, s.url).get(bank).is(http.StatusNotFound) // somebody who found the address
			browser := newClient(t, s.url)
			browser.get("/order/" + o.ID + "?secret=" + url.QueryEscape(o.Secret)).is(http.StatusOK)
			browser.get(bank).is(http.StatusOK)
			browser.post(bank, url.Values{"answer": {answer}}, "Origin", s.url, "Sec-Fetch-Site", "same-origin").is(http.StatusOK)
			b.get(storeAPI + "/orders/" + o.ID).is(http.StatusOK).decode(&o)
			require.Equal(t, want.order, o.Status, answer)
			require.Equal(t, want.payment, o.Payment.Status, answer)
			if answer == "refuse" {
				b.complete("test_ok").is(http.StatusCreated).decode(&o)
				require.Equal(t, "paid", o.Status)
			}
		}
	})

	t.Run("the answer gets lost", func(t *testing.T) {
		t.Parallel()
		b := newBuyer(s.guest(t)).add(shelf, 1).checkout()
		var o orderJSON
		first := b.completeUnder("lost-"+b.cart.ID, "test_timeout").is(http.StatusAccepted)
		first.decode(&o)
		require.Equal(t, "pending_payment", o.Status)
		require.Equal(t, "unknown", o.Payment.Status)
		again := b.completeUnder("lost-"+b.cart.ID, "test_timeout").is(http.StatusAccepted)
		require.Equal(t, string(first.body), string(again.body))
		require.Equal(t, http.StatusConflict, b.complete("test_ok").status, "never a second charge beside an unknown one")
		within(t, 20*time.Second, func() error {
			b.get(storeAPI + "/orders/" + o.ID).is(http.StatusOK).decode(&o)
			if o.Status != "paid" {
				return fmt.Errorf("order is %s, payment %s", o.Status, o.Payment.Status)
			}
			return nil
		})
		require.Len(t, o.Payments, 1)
		require.Equal(t, int64(1), s.number(t, `select count(*) from public_views.v_payments where order_id = $1`, o.ID))
		require.Equal(t, int64(1), s.number(t, `select count(*) from public_views.v_events where aggregate_id = $1 and type = 'orders.order_paid.v1'`, o.ID))
		b.complete("test_ok").refuses(http.StatusConflict, "already_paid")
	})

	t.Run("by bank transfer", func(t *testing.T) {
		t.Parallel()
		b := newBuyer(s.guest(t)).add(shelf, 1).checkout()
		var o orderJSON
		b.post(b.path+"/complete", map[string]any{"payment": map[string]string{"provider": "manual"}}, "Idempotency-Key", newKey()).
			is(http.StatusCreated).decode(&o)
		require.Equal(t, "pending_payment", o.Status)
		staff := s.keyWith(t, "orders:*")
		capture := adminAPI + "/orders/" + o.ID + "/capture"
		staff.post(capture, nil).refuses(http.StatusBadRequest, "idempotency_key_required")
		key := newKey()
		staff.post(capture, nil, "Idempotency-Key", key).is(http.StatusOK).decode(&o)
		require.Equal(t, "paid", o.Status)
		require.Equal(t, "true", staff.post(capture, nil, "Idempotency-Key", key).is(http.StatusOK).header.Get("Idempotent-Replayed"))
		staff.post(capture, nil, "Idempotency-Key", newKey()).refuses(http.StatusConflict, "invalid_state")
	})
}

// changedPrices is a price that changes while an article lies in a cart.
func changedPrices(t *testing.T, s *store) {
	a := s.stock(t, 1000, 10)
	b := newBuyer(s.guest(t)).add(a, 3).checkout()
	staff := s.keyWith(t, "pricing:write")
	staff.do(http.MethodPut, adminAPI+"/variants/"+a.variant+"/price", map[string]any{"price": moneyJSON{1200, "EUR"}}).is(http.StatusOK)

	refused := b.complete("test_ok").refuses(http.StatusConflict, "price_changed")
	var p problemJSON
	refused.decode(&p)
	require.Len(t, p.Errors, 1, "it says which line")
	require.Equal(t, "/lines/"+b.cart.Lines[0].ID, p.Errors[0].Pointer)
	require.Zero(t, s.number(t, `select count(*) from public_views.v_orders where cart_id = $1`, b.cart.ID))

	b.post(b.path+"/accept-prices", map[string]any{}).is(http.StatusOK).decode(&b.cart)
	require.Equal(t, int64(3600), b.cart.Totals.Subtotal.Amount)
	var o orderJSON
	b.complete("test_ok").is(http.StatusCreated).decode(&o)
	require.Equal(t, b.cart.Totals.Total, o.Totals.Total, "what the shopper saw is what was charged")
}
