package app

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// orderAfter is an order with what happened to it after it was paid.
type orderAfter struct {
	orderJSON
	Lines []struct {
		ID        string    `json:"id"`
		SKU       string    `json:"sku"`
		Quantity  int       `json:"quantity"`
		Cancelled int       `json:"cancelled_quantity"`
		Returned  int       `json:"returned_quantity"`
		Fulfilled int       `json:"fulfilled_quantity"`
		Total     moneyJSON `json:"total"`
	}
	Refunded moneyJSON `json:"refunded"`
	Refunds  []struct {
		ID       string    `json:"id"`
		State    string    `json:"state"`
		Amount   moneyJSON `json:"amount"`
		Shipping moneyJSON `json:"shipping"`
		Reason   string    `json:"reason"`
	} `json:"refunds"`
	Returns []struct {
		ID      string `json:"id"`
		Status  string `json:"status"`
		Note    string `json:"note"`
		Instead string `json:"exchange_order_id"`
	} `json:"returns"`
	Documents []struct {
		ID, Kind, Number string
		RefundID         string `json:"refund_id"`
	} `json:"documents"`
	Fulfilments []struct {
		ID       string `json:"id"`
		Carrier  string `json:"carrier"`
		Tracking string `json:"tracking"`
		URL      string `json:"tracking_url"`
	} `json:"fulfilments"`
	Supplements []struct {
		OrderID string    `json:"order_id"`
		Kind    string    `json:"kind"`
		Status  string    `json:"status"`
		Credit  moneyJSON `json:"credit"`
		Total   moneyJSON `json:"total"`
		Secret  string    `json:"secret"`
	} `json:"supplements"`
	ShippingAddress struct {
		Line1 string `json:"line1"`
		City  string `json:"city"`
	} `json:"shipping_address"`
}

// bought is an order of two articles, with the hands of its buyer and of the shop's staff.
type bought struct {
	*store
	buyer *buyer
	staff *client
	id    string
	a, b  article
	now   orderAfter
}

// boughtOf buys three pieces of one article and one of another, of which there are ten each.
func (s *store) boughtOf(t *testing.T, a, b article) *bought {
	t.Helper()
	x := &bought{store: s, a: a, b: b, staff: s.keyWith(t, "orders:*")}
	x.buyer = newBuyer(s.guest(t)).add(a, 3).add(b, 1).checkout()
	var o orderJSON
	x.buyer.complete("test_ok").is(http.StatusCreated).decode(&o)
	require.Equal(t, "paid", o.Status)
	x.id = o.ID
	x.read(t)
	within(t, soon, func() error { return s.has(t, a, 7, 0) })
	return x
}

func (x *bought) read(t *testing.T) *orderAfter {
	t.Helper()
	x.now = orderAfter{}
	x.buyer.on(t).get(storeAPI + "/orders/" + x.id).is(http.StatusOK).decode(&x.now)
	return &x.now
}

func (x *bought) admin(path string) string { return adminAPI + "/orders/" + x.id + path }

// does lets staff do something with the order under a key of its own.
func (x *bought) does(path string, body any) *reply {
	x.staff.t.Helper()
	return x.staff.post(x.admin(path), body, "Idempotency-Key", newKey())
}

// sends ships everything that is left.
func (x *bought) sends(t *testing.T) *bought {
	t.Helper()
	x.does("/fulfilments", map[string]any{}).is(http.StatusOK)
	x.read(t)
	return x
}

// back is how much of the order's money the gateway gave back, by the book.
func (x *bought) back(t *testing.T) int64 {
	t.Helper()
	return x.number(t, `select coalesce(sum(refunded), 0)::bigint from public_views.v_payments where order_id = $1`, x.id)
}

// unharmed fails when what was charged has changed, or the book does not balance.
func (x *bought) unharmed(t *testing.T) {
	t.Helper()
	require.Equal(t, x.now.Totals.Total.Amount, x.number(t, `select total from public_views.v_orders where order_id = $1`, x.id))
	require.Equal(t, x.now.Totals.Total.Amount, x.number(t, `select sum(captured)::bigint from public_views.v_payments where order_id = $1`, x.id), "one charge, of the total")
	require.Equal(t, int64(1), x.number(t, `select count(*) from public_views.v_payments where order_id = $1 and captured > 0`, x.id))
	require.Equal(t, x.now.Totals.Total.Amount, x.number(t, `
		select (select sum(total) from public_views.v_order_lines where order_id = $1) + shipping from public_views.v_orders where order_id = $1`, x.id))
	require.Zero(t, x.number(t, `select count(*) from (select transaction_id from public_views.v_ledger group by transaction_id, currency having sum(amount) <> 0) as wrong`))
}

// refunds are gestures: money back without goods.
func refunds(t *testing.T, s *store) {
	t.Run("in parts, never more than was taken", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10)) // 3000 + 510 + 490 shipping
		require.Equal(t, int64(4000), x.now.Totals.Total.Amount)
		x.staff.post(x.admin("/refunds"), map[string]any{"amount": moneyJSON{500, "EUR"}}).refuses(http.StatusBadRequest, "idempotency_key_required")
		for name, amount := range map[string]moneyJSON{"nothing": {0, "EUR"}, "less than nothing": {-5, "EUR"}} {
			require.Equal(t, "invalid_money", x.does("/refunds", map[string]any{"amount": amount}).is(http.StatusUnprocessableEntity).code(), name)
		}
		x.does("/refunds", map[string]any{"amount": moneyJSON{500, "USD"}}).refuses(http.StatusUnprocessableEntity, "currency_mismatch")
		x.does("/refunds", map[string]any{"amount": moneyJSON{4001, "EUR"}}).refuses(http.StatusUnprocessableEntity, "refund_exceeds_capture")
		x.does("/refunds", map[string]any{"amount": moneyJSON{5, "EUR"}, "reason": "card 4242 4242 4242 4242"}).refuses(http.StatusUnprocessableEntity, "card_data_not_accepted")
		require.Zero(t, x.back(t), "nothing of that went")

		key := newKey()
		body := map[string]any{"amount": moneyJSON{500, "EUR"}, "reason": "a dent"}
		first := x.staff.post(x.admin("/refunds"), body, "Idempotency-Key", key).is(http.StatusCreated)
		again := x.staff.post(x.admin("/refunds"), body, "Idempotency-Key", key).is(http.StatusCreated)
		require.Equal(t, string(first.body), string(again.body))
		x.does("/refunds", map[string]any{"amount": moneyJSON{3501, "EUR"}}).refuses(http.StatusUnprocessableEntity, "refund_exceeds_capture")
		require.Equal(t, int64(500), x.back(t))
		x.does("/refunds", map[string]any{}).is(http.StatusCreated).decode(&x.now)
		require.Equal(t, int64(4000), x.now.Refunded.Amount)
		require.Equal(t, int64(4000), x.back(t), "without an amount it is all that is left")
		x.does("/refunds", map[string]any{}).refuses(http.StatusUnprocessableEntity, "refund_exceeds_capture")
		within(t, soon, func() error {
			for _, r := range x.read(t).Refunds {
				if r.State != "done" {
					return fmt.Errorf("refund %s is %s", r.ID, r.State)
				}
			}
			return nil
		})
		require.Equal(t, "paid", x.now.Status, "its way goes on")
		x.unharmed(t)
	})

	t.Run("twenty at once", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10))
		done := 0
		for _, r := range together(t, 20, func(int) (*reply, error) {
			return x.staff.try(http.MethodPost, x.admin("/refunds"), map[string]any{"amount": moneyJSON{700, "EUR"}}, "Idempotency-Key", newKey())
		}) {
			if r.status == http.StatusCreated {
				done++
				continue
			}
			r.refuses(http.StatusUnprocessableEntity, "refund_exceeds_capture")
		}
		require.Equal(t, 5, done, "five of 700 go into 4000")
		require.Equal(t, int64(3500), x.back(t))
		require.Equal(t, int64(5), x.number(t, `select count(*) from public_views.v_events where aggregate_id = $1 and type = 'orders.order_refunded.v1'`, x.id))
		x.unharmed(t)
	})

	t.Run("what was not paid, or is cancelled", func(t *testing.T) {
		t.Parallel()
		b := newBuyer(s.guest(t)).add(s.stock(t, 1000, 10), 1).checkout()
		var o orderJSON
		b.complete("test_requires_action").is(http.StatusCreated).decode(&o)
		staff := s.keyWith(t, "orders:*")
		refund := adminAPI + "/orders/" + o.ID + "/refunds"
		staff.post(refund, map[string]any{}, "Idempotency-Key", newKey()).refuses(http.StatusConflict, "invalid_state")
		b.post(storeAPI+"/orders/"+o.ID+"/cancel", map[string]string{}).is(http.StatusOK)
		staff.post(refund, map[string]any{}, "Idempotency-Key", newKey()).refuses(http.StatusConflict, "invalid_state")
		staff.post(adminAPI+"/orders/ord_nowhere/refunds", map[string]any{}, "Idempotency-Key", newKey()).refuses(http.StatusNotFound, "not_found")
		require.Zero(t, s.number(t, `select count(*) from public_views.v_ledger as l join public_views.v_payments as p on p.order_id = $1 and l.transaction_id = p.payment_id`, o.ID))
	})

	t.Run("then the order is cancelled", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10))
		x.does("/refunds", map[string]any{"amount": moneyJSON{500, "EUR"}}).is(http.StatusCreated)
		x.does("/cancel", map[string]string{"reason": "sold by mistake"}).is(http.StatusOK)
		within(t, soon, func() error {
			if got := x.back(t); got != 4000 {
				return fmt.Errorf("%d cents went back", got)
			}
			return s.has(t, x.a, 10, 0)
		})
		x.read(t)
		require.Len(t, x.now.Refunds, 2, "what was left went back, not more")
		require.Equal(t, int64(3500), x.now.Refunds[1].Amount.Amount)
		x.unharmed(t)
	})
}

// edits change a paid order before it is sent.
func edits(t *testing.T, s *store) {
	line := func(x *bought, i, quantity int) map[string]any {
		return map[string]any{"lines": []any{map[string]any{"line_id": x.now.Lines[i].ID, "quantity": quantity}}}
	}
	t.Run("fewer pieces, and a line less", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10))
		x.does("/edits", line(x, 0, 4)).refuses(http.StatusUnprocessableEntity, "invalid_quantity")
		x.does("/edits", line(x, 0, 3)).refuses(http.StatusUnprocessableEntity, "validation_failed")
		x.does("/edits", map[string]any{}).refuses(http.StatusUnprocessableEntity, "validation_failed")
		x.does("/edits", map[string]any{"lines": []any{map[string]any{"line_id": "line_x", "quantity": 0}}}).refuses(http.StatusUnprocessableEntity, "validation_failed")
		require.Zero(t, x.back(t))

		x.does("/edits", line(x, 0, 1)).is(http.StatusOK).decode(&x.now)
		require.Equal(t, 2, x.now.Lines[0].Cancelled)
		require.Equal(t, int64(2000), x.now.Refunded.Amount)
		require.Equal(t, int64(2000), x.back(t))
		within(t, soon, func() error { return s.has(t, x.a, 9, 0) })
		x.does("/edits", line(x, 1, 0)).is(http.StatusOK).decode(&x.now)
		require.Equal(t, int64(2510), x.back(t))
		within(t, soon, func() error { return s.has(t, x.b, 10, 0) })
		require.Equal(t, "paid", x.now.Status)
		x.unharmed(t)

		x.sends(t)
		require.Equal(t, "fulfilled", x.now.Status, "what was taken off is not waited for")
		require.Equal(t, 1, x.now.Lines[0].Fulfilled)
		x.does("/edits", line(x, 0, 0)).refuses(http.StatusConflict, "invalid_state")
		require.Equal(t, int64(2510), x.back(t))
	})

	t.Run("the rest of an order that was sent in part", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10))
		x.does("/fulfilments", map[string]any{"lines": []any{map[string]any{"line_id": x.now.Lines[0].ID, "quantity": 2}}}).is(http.StatusOK)
		x.does("/edits", line(x, 0, 1)).refuses(http.StatusUnprocessableEntity, "invalid_quantity")
		x.does("/edits", map[string]any{"lost": true, "lines": []any{
			map[string]any{"line_id": x.now.Lines[0].ID, "quantity": 2}, map[string]any{"line_id": x.now.Lines[1].ID, "quantity": 0},
		}}).is(http.StatusOK).decode(&x.now)
		require.Equal(t, "fulfilled", x.now.Status, "nothing is left to be sent")
		require.Equal(t, int64(1510), x.back(t))
		within(t, soon, func() error {
			if n := s.number(t, `select count(*) from public_views.v_events where aggregate_id = $1 and type = 'orders.order_lines_cancelled.v1' and published_at is not null`, x.id); n != 1 {
				return fmt.Errorf("%d events", n)
			}
			return nil
		})
		require.NoError(t, s.has(t, x.a, 7, 0), "what is lost does not go onto the shelf")
		x.unharmed(t)
	})

	t.Run("all of it is a cancelling", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10))
		x.does("/edits", map[string]any{"note": "nothing left", "lines": []any{
			map[string]any{"line_id": x.now.Lines[0].ID, "quantity": 0}, map[string]any{"line_id": x.now.Lines[1].ID, "quantity": 0},
		}}).is(http.StatusOK).decode(&x.now)
		require.Equal(t, "cancelled", x.now.Status)
		require.Equal(t, int64(4000), x.back(t), "with the shipping")
		within(t, soon, func() error { return s.has(t, x.a, 10, 0) })
		within(t, soon, func() error { return s.has(t, x.b, 10, 0) })
		x.unharmed(t)
	})

	t.Run("the same article taken off, then the order cancelled", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10))
		x.does("/edits", line(x, 0, 1)).is(http.StatusOK)
		within(t, soon, func() error { return s.has(t, x.a, 9, 0) })
		x.does("/cancel", map[string]string{}).is(http.StatusOK)
		within(t, soon, func() error { return s.has(t, x.a, 10, 0) })
		within(t, soon, func() error { return s.has(t, x.b, 10, 0) })
		require.Equal(t, int64(4000), x.back(t))
		x.unharmed(t)
	})

	t.Run("more is an order of its own, with a link to pay it", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10))
		x.does("/edits", map[string]any{"add": []any{map[string]any{"sku": "NOWHERE", "quantity": 1}}}).refuses(http.StatusUnprocessableEntity, "not_purchasable")
		x.does("/edits", map[string]any{"add": []any{map[string]any{"sku": x.a.sku, "quantity": 8}}}).refuses(http.StatusConflict, "out_of_stock")
		require.NoError(t, s.has(t, x.a, 7, 0))
		x.does("/edits", map[string]any{"add": []any{map[string]any{"sku": x.a.sku, "quantity": 2}}}).is(http.StatusOK).decode(&x.now)
		require.NoError(t, s.has(t, x.a, 7, 2), "it is set aside")
		x.read(t)
		require.Len(t, x.now.Supplements, 1)
		more := x.now.Supplements[0]
		require.Equal(t, "addition", more.Kind)
		require.Equal(t, moneyJSON{2000, "EUR"}, more.Total)
		require.Equal(t, "pending_payment", more.Status)
		within(t, soon, func() error { return s.mailed(t, "Please pay your order", more.Secret) })

		s.guest(t).post(storeAPI+"/orders/"+more.OrderID+"/pay", payWith("test_ok"), "Idempotency-Key", newKey()).refuses(http.StatusNotFound, "not_found")
		guest := s.guest(t).with("X-Order-Secret", more.Secret)
		pay := func(method string) *reply {
			return guest.post(storeAPI+"/orders/"+more.OrderID+"/pay", payWith(method), "Idempotency-Key", newKey())
		}
		guest.post(storeAPI+"/orders/"+more.OrderID+"/pay", payWith("test_ok")).refuses(http.StatusBadRequest, "idempotency_key_required")
		pay("test_nonsense").refuses(http.StatusUnprocessableEntity, "unknown_payment_method")
		pay("test_declined").refuses(http.StatusPaymentRequired, "payment_declined")
		var added orderAfter
		pay("test_ok").is(http.StatusOK).decode(&added)
		require.Equal(t, "paid", added.Status)
		require.Equal(t, int64(2000), added.Totals.Total.Amount, "no shipping on top")
		pay("test_ok").refuses(http.StatusConflict, "already_paid")
		within(t, soon, func() error { return s.has(t, x.a, 5, 0) })
		require.Equal(t, int64(2000), s.number(t, `select sum(captured)::bigint from public_views.v_payments where order_id = $1`, more.OrderID))
		require.Zero(t, x.back(t))
		x.unharmed(t)
	})

	t.Run("swapped for something dearer, cheaper, and of the same price", func(t *testing.T) {
		t.Parallel()
		dear, cheap, same := s.stock(t, 2500, 10), s.stock(t, 300, 10), s.stock(t, 1000, 10)
		for _, row := range []struct {
			want                 article
			credit, total, back  int64
			status               string
			onHand, reservedThen int64
		}{
			{dear, 1000, 1500, 0, "pending_payment", 10, 1}, {cheap, 300, 0, 700, "paid", 9, 0}, {same, 1000, 0, 0, "paid", 9, 0},
		} {
			x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10))
			edit := line(x, 0, 2)
			edit["add"] = []any{map[string]any{"sku": row.want.sku, "quantity": 1}}
			key := newKey()
			x.staff.post(x.admin("/edits"), edit, "Idempotency-Key", key).is(http.StatusOK)
			x.read(t)
			require.Len(t, x.now.Supplements, 1)
			got := x.now.Supplements[0]
			require.Equal(t, row.credit, got.Credit.Amount)
			require.Equal(t, row.total, got.Total.Amount)
			require.Equal(t, row.status, got.Status)
			require.Equal(t, row.back, x.back(t))
			within(t, soon, func() error { return s.has(t, row.want, row.onHand, row.reservedThen) })
			x.unharmed(t)
			require.Equal(t, row.total, s.number(t, `select total from public_views.v_orders where order_id = $1`, got.OrderID))

			// What pays for the other order cannot go back as well, before that one is cancelled.
			x.does("/refunds", map[string]any{"amount": moneyJSON{4000 - row.credit - row.back + 1, "EUR"}}).refuses(http.StatusUnprocessableEntity, "refund_exceeds_capture")
			x.does("/cancel", map[string]string{}).refuses(http.StatusConflict, "invalid_state")
			x.staff.post(adminAPI+"/orders/"+got.OrderID+"/cancel", map[string]string{}).is(http.StatusOK)
			within(t, soon, func() error {
				if have := x.back(t); have != 1000 {
					return fmt.Errorf("%d went back of what was given up", have)
				}
				return s.has(t, row.want, 10, 0)
			})
			x.unharmed(t)
		}
	})

	t.Run("what is not paid in time gives stock and credit back", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10))
		dear := s.stock(t, 2500, 10)
		edit := line(x, 0, 2)
		edit["add"] = []any{map[string]any{"sku": dear.sku, "quantity": 1}}
		x.does("/edits", edit).is(http.StatusOK)
		more := x.read(t).Supplements[0].OrderID
		_, err := s.sql.Exec(t.Context(), `update orders.orders set pay_by = now() - interval '1 minute' where id = $1`, more)
		require.NoError(t, err)
		within(t, 20*time.Second, func() error {
			if got := x.read(t).Supplements[0].Status; got != "cancelled" {
				return fmt.Errorf("it is %s", got)
			}
			if back := x.back(t); back != 1000 {
				return fmt.Errorf("%d went back", back)
			}
			return s.has(t, dear, 10, 0)
		})
		x.unharmed(t)
	})
}

// mailed reports when no mail has the words in its subject and text.
func (s *store) mailed(t *testing.T, subject, text string) error {
	t.Helper()
	list, err := s.mails.List(1000)
	require.NoError(t, err)
	for _, m := range list {
		if strings.Contains(m.Subject, subject) && strings.Contains(m.Text, text) {
			return nil
		}
	}
	return fmt.Errorf("no mail %q with %q among %d", subject, text, len(list))
}

// returning is goods that come back.
func returning(t *testing.T, s *store) {
	ask := func(x *bought, i, quantity int, more ...any) map[string]any {
		body := map[string]any{"lines": []any{map[string]any{"line_id": x.now.Lines[i].ID, "quantity": quantity}}}
		for n := 0; n < len(more); n += 2 {
			body[more[n].(string)] = more[n+1]
		}
		return body
	}
	store := func(x *bought, path string) string { return storeAPI + "/orders/" + x.id + path }

	t.Run("asked for by the shopper, received in part", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10))
		x.buyer.post(store(x, "/returns"), ask(x, 0, 1)).refuses(http.StatusConflict, "invalid_state")
		x.sends(t)
		x.buyer.post(store(x, "/returns"), ask(x, 0, 4)).refuses(http.StatusUnprocessableEntity, "invalid_quantity")
		x.buyer.post(store(x, "/returns"), map[string]any{"lines": []any{}}).refuses(http.StatusUnprocessableEntity, "validation_failed")
		x.buyer.post(store(x, "/returns"), ask(x, 0, 1, "reason", "boredom")).refuses(http.StatusUnprocessableEntity, "validation_failed")
		x.buyer.post(store(x, "/returns"), ask(x, 0, 1, "refund", 100)).refuses(http.StatusUnprocessableEntity, "unknown_field")
		x.buyer.post(store(x, "/returns"), ask(x, 0, 1, "note", "4242 4242 4242 4242")).refuses(http.StatusUnprocessableEntity, "card_data_not_accepted")
		s.guest(t).post(store(x, "/returns"), ask(x, 0, 1)).refuses(http.StatusNotFound, "not_found")
		key := newKey()
		for range 2 {
			x.buyer.post(store(x, "/returns"), ask(x, 0, 2, "reason", "does_not_fit", "note", "too small"), "Idempotency-Key", key).is(http.StatusCreated).decode(&x.now)
			require.Len(t, x.now.Returns, 1)
		}
		ret := x.now.Returns[0]
		require.Equal(t, "requested", ret.Status)
		require.Equal(t, "too small", ret.Note)
		x.buyer.post(store(x, "/returns"), ask(x, 0, 2)).refuses(http.StatusUnprocessableEntity, "invalid_quantity")
		x.does("/returns/"+ret.ID+"/receive", nil).refuses(http.StatusConflict, "invalid_state")
		x.does("/returns/ret_nowhere/approve", nil).refuses(http.StatusNotFound, "not_found")
		require.Zero(t, x.back(t), "goods first")

		var waiting struct{ Items []struct{ ID, Note string } }
		s.keyWith(t, "orders:read").get(adminAPI + "/returns?limit=100").is(http.StatusOK).decode(&waiting)
		require.Contains(t, fmt.Sprint(waiting.Items), ret.ID)
		x.does("/returns/"+ret.ID+"/approve", nil).is(http.StatusOK)
		within(t, soon, func() error { return s.mailed(t, "Your return of order", fmt.Sprintf("#%d", x.now.Number)) })
		receive := func(lines ...any) map[string]any { return map[string]any{"lines": lines} }
		got := func(quantity int, restock bool) map[string]any {
			return map[string]any{"line_id": x.now.Lines[0].ID, "quantity": quantity, "restock": restock}
		}
		x.does("/returns/"+ret.ID+"/receive", receive(got(3, true))).refuses(http.StatusUnprocessableEntity, "invalid_quantity")
		x.does("/returns/"+ret.ID+"/receive", receive(got(1, true), got(1, true))).refuses(http.StatusUnprocessableEntity, "invalid_quantity")
		require.Zero(t, x.back(t))
		x.does("/returns/"+ret.ID+"/receive", receive(got(1, true))).is(http.StatusOK).decode(&x.now)
		require.Equal(t, 1, x.now.Lines[0].Returned)
		require.Equal(t, int64(1000), x.back(t))
		within(t, soon, func() error { return s.has(t, x.a, 8, 0) })
		x.does("/returns/"+ret.ID+"/receive", nil).refuses(http.StatusConflict, "invalid_state")
		require.Equal(t, int64(1000), x.back(t), "receiving twice gives once")

		// The piece that did not come can be announced again.
		x.buyer.post(store(x, "/returns"), ask(x, 0, 2)).is(http.StatusCreated).decode(&x.now)
		second := x.now.Returns[1].ID
		x.buyer.post(store(x, "/returns/"+second+"/cancel"), nil).is(http.StatusOK).decode(&x.now)
		require.Equal(t, "cancelled", x.now.Returns[1].Status)
		x.does("/returns/"+second+"/approve", nil).refuses(http.StatusConflict, "invalid_state")
		x.unharmed(t)
	})

	t.Run("everything, with the shipping, not to be sold again", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10)).sends(t)
		x.does("/returns", map[string]any{"reason": "damaged", "lines": []any{
			map[string]any{"line_id": x.now.Lines[0].ID, "quantity": 3}, map[string]any{"line_id": x.now.Lines[1].ID, "quantity": 1},
		}}).is(http.StatusCreated).decode(&x.now)
		require.Equal(t, "approved", x.now.Returns[0].Status, "what staff begin is approved")
		receive := "/returns/" + x.now.Returns[0].ID + "/receive"
		x.does(receive, map[string]any{"deduction": moneyJSON{4001, "EUR"}, "refund_shipping": true}).refuses(http.StatusUnprocessableEntity, "invalid_money")
		x.does(receive, map[string]any{"refund_shipping": true, "lines": []any{
			map[string]any{"line_id": x.now.Lines[0].ID, "quantity": 3, "restock": false}, map[string]any{"line_id": x.now.Lines[1].ID, "quantity": 1, "restock": false},
		}}).is(http.StatusOK).decode(&x.now)
		require.Equal(t, int64(4000), x.back(t))
		require.Equal(t, int64(490), x.now.Refunds[0].Shipping.Amount)
		within(t, soon, func() error {
			if n := s.number(t, `select count(*) from public_views.v_events where aggregate_id = $1 and type = 'orders.return_changed.v1' and published_at is not null`, x.id); n != 2 {
				return fmt.Errorf("%d events", n)
			}
			return nil
		})
		require.NoError(t, s.has(t, x.a, 7, 0))
		require.Equal(t, "fulfilled", x.now.Status)
		x.unharmed(t)
	})

	t.Run("less something for wear", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10)).sends(t)
		x.does("/returns", ask(x, 1, 1)).is(http.StatusCreated).decode(&x.now)
		x.does("/returns/"+x.now.Returns[0].ID+"/receive", map[string]any{"deduction": moneyJSON{110, "EUR"}}).is(http.StatusOK)
		require.Equal(t, int64(400), x.back(t))
		x.unharmed(t)
	})

	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10)).sends(t)
		x.buyer.post(store(x, "/returns"), ask(x, 0, 1)).is(http.StatusCreated).decode(&x.now)
		x.does("/returns/"+x.now.Returns[0].ID+"/reject", map[string]string{"note": "It was worn."}).is(http.StatusOK).decode(&x.now)
		require.Equal(t, "rejected", x.now.Returns[0].Status)
		x.buyer.post(store(x, "/returns"), ask(x, 0, 3)).is(http.StatusCreated)
		require.Zero(t, x.back(t))
	})

	t.Run("after the window", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10)).sends(t)
		_, err := s.sql.Exec(t.Context(), `update orders.fulfilments set created_at = created_at - interval '31 days' where order_id = $1`, x.id)
		require.NoError(t, err)
		x.buyer.post(store(x, "/returns"), ask(x, 0, 1)).refuses(http.StatusConflict, "return_window_over")
		x.does("/returns", ask(x, 0, 1)).is(http.StatusCreated).decode(&x.now)
		_, err = s.sql.Exec(t.Context(), `update orders.order_history set at = at - interval '31 days' where order_id = $1`, x.id)
		require.NoError(t, err)
		_, err = s.sql.Exec(t.Context(), `update orders.orders set placed_at = placed_at - interval '31 days' where id = $1`, x.id)
		require.NoError(t, err)
		require.NoError(t, s.Orders.CompleteDelivered(t.Context()))
		require.Equal(t, "fulfilled", x.read(t).Status, "something is on its way back")
		x.does("/returns/"+x.now.Returns[0].ID+"/receive", nil).is(http.StatusOK)
		require.NoError(t, s.Orders.CompleteDelivered(t.Context()))
		require.Equal(t, "completed", x.read(t).Status)
		x.buyer.post(store(x, "/returns"), ask(x, 0, 1)).refuses(http.StatusConflict, "return_window_over")
		x.does("/fulfilments", map[string]any{}).refuses(http.StatusConflict, "invalid_state")
		x.does("/returns", ask(x, 0, 1)).is(http.StatusCreated)
		require.Equal(t, int64(1), s.number(t, `select count(*) from public_views.v_events where aggregate_id = $1 and type = 'orders.order_completed.v1'`, x.id))
	})

	t.Run("in exchange", func(t *testing.T) {
		t.Parallel()
		for name, row := range map[string]struct {
			price, credit, total, back int64
			status                     string
		}{
			"dearer": {2500, 1000, 1500, 0, "pending_payment"}, "cheaper": {400, 400, 0, 600, "paid"}, "the same": {1000, 1000, 0, 0, "paid"},
		} {
			other := s.stock(t, row.price, 5)
			x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10)).sends(t)
			x.buyer.post(store(x, "/returns"), ask(x, 0, 1, "exchange", []any{map[string]any{"sku": other.sku, "quantity": 1}})).is(http.StatusCreated).decode(&x.now)
			ret := "/returns/" + x.now.Returns[0].ID
			x.does(ret+"/approve", nil).is(http.StatusOK)
			x.does(ret+"/receive", nil).is(http.StatusOK)
			x.read(t)
			require.Equal(t, "received", x.now.Returns[0].Status)
			require.Len(t, x.now.Supplements, 1, name)
			got := x.now.Supplements[0]
			require.Equal(t, x.now.Returns[0].Instead, got.OrderID)
			require.Equal(t, "exchange", got.Kind)
			require.Equal(t, row.credit, got.Credit.Amount, name)
			require.Equal(t, row.total, got.Total.Amount, name)
			require.Equal(t, row.status, got.Status, name)
			require.Equal(t, row.back, x.back(t), name)
			within(t, soon, func() error { return s.has(t, x.a, 8, 0) })
			x.unharmed(t)
		}
	})

	t.Run("in exchange for what is sold out", func(t *testing.T) {
		t.Parallel()
		gone := s.stock(t, 1000, 0)
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10)).sends(t)
		x.does("/returns", ask(x, 0, 1, "exchange", []any{map[string]any{"sku": gone.sku, "quantity": 1}})).is(http.StatusCreated).decode(&x.now)
		receive := "/returns/" + x.now.Returns[0].ID + "/receive"
		x.does(receive, nil).refuses(http.StatusConflict, "out_of_stock")
		require.Zero(t, x.back(t))
		require.Equal(t, "approved", x.read(t).Returns[0].Status)
		x.does(receive, map[string]any{"money_only": true}).is(http.StatusOK)
		require.Equal(t, int64(1000), x.back(t))
		x.unharmed(t)
	})

	t.Run("received by ten hands at once", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10)).sends(t)
		x.does("/returns", ask(x, 0, 2)).is(http.StatusCreated).decode(&x.now)
		path, done := x.admin("/returns/"+x.now.Returns[0].ID+"/receive"), 0
		for _, r := range together(t, 10, func(int) (*reply, error) { return x.staff.try(http.MethodPost, path, nil) }) {
			if r.status == http.StatusOK {
				done++
				continue
			}
			require.Contains(t, []int{http.StatusConflict, http.StatusPreconditionFailed}, r.status, "%s", r.body)
		}
		require.Equal(t, 1, done)
		require.Equal(t, int64(2000), x.back(t))
		within(t, soon, func() error { return s.has(t, x.a, 9, 0) })
		x.unharmed(t)
	})
}

// sending is parcels, addresses and papers.
func sending(t *testing.T, s *store) {
	t.Run("parcels can be followed", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10))
		one := map[string]any{"lines": []any{map[string]any{"line_id": x.now.Lines[0].ID, "quantity": 1}}, "carrier": "DHL", "tracking": "JD 014 600"}
		x.does("/fulfilments", map[string]any{"tracking_url": "javascript:alert(1)"}).refuses(http.StatusUnprocessableEntity, "url_not_allowed")
		key := newKey()
		for range 2 {
			x.staff.post(x.admin("/fulfilments"), one, "Idempotency-Key", key).is(http.StatusOK).decode(&x.now)
			require.Len(t, x.now.Fulfilments, 1)
		}
		require.Equal(t, "partially_fulfilled", x.now.Status)
		require.Contains(t, x.now.Fulfilments[0].URL, "tracking-id=JD+014+600")
		tracking := x.admin("/fulfilments/" + x.now.Fulfilments[0].ID + "/tracking")
		x.staff.do(http.MethodPut, tracking, map[string]string{"carrier": "Bike", "tracking": "7", "tracking_url": "https://bike.example/7"}).is(http.StatusOK).decode(&x.now)
		require.Equal(t, "https://bike.example/7", x.now.Fulfilments[0].URL)
		x.staff.do(http.MethodPut, x.admin("/fulfilments/ful_nowhere/tracking"), map[string]string{}).refuses(http.StatusNotFound, "not_found")
		// The rest in one parcel that names a line twice.
		x.does("/fulfilments", map[string]any{"lines": []any{
			map[string]any{"line_id": x.now.Lines[0].ID, "quantity": 1}, map[string]any{"line_id": x.now.Lines[0].ID, "quantity": 1}, map[string]any{"line_id": x.now.Lines[1].ID, "quantity": 1},
		}}).is(http.StatusOK).decode(&x.now)
		require.Equal(t, "fulfilled", x.now.Status)
		require.Equal(t, 3, x.now.Lines[0].Fulfilled)
		within(t, soon, func() error { return s.mailed(t, fmt.Sprintf("#%d is on its way", x.now.Number), "Tracking: Bike 7") })
	})

	t.Run("elsewhere, before it goes out", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10))
		to := func(more ...string) map[string]any {
			a := map[string]string{"name": "Ada Lovelace", "line1": "Ahornweg 9", "city": "Potsdam", "postal_code": "14467", "country": "DE"}
			for i := 0; i < len(more); i += 2 {
				a[more[i]] = more[i+1]
			}
			return map[string]any{"shipping": a}
		}
		path := storeAPI + "/orders/" + x.id + "/address"
		x.buyer.do(http.MethodPut, path, to("country", "US", "region", "NY")).refuses(http.StatusConflict, "address_changes_total")
		x.buyer.do(http.MethodPut, path, to("country", "Germany")).refuses(http.StatusUnprocessableEntity, "validation_failed")
		x.buyer.do(http.MethodPut, path, to("line2", "4242 4242 4242 4242")).refuses(http.StatusUnprocessableEntity, "card_data_not_accepted")
		x.buyer.do(http.MethodPut, path, map[string]any{"shipping": to()["shipping"], "total": 1}).refuses(http.StatusUnprocessableEntity, "unknown_field")
		s.guest(t).do(http.MethodPut, path, to()).refuses(http.StatusNotFound, "not_found")
		require.Equal(t, "Torstrasse 1", x.read(t).ShippingAddress.Line1)
		x.buyer.do(http.MethodPut, path, to()).is(http.StatusOK)
		require.Equal(t, "Ahornweg 9", x.read(t).ShippingAddress.Line1)
		x.staff.do(http.MethodPut, x.admin("/address"), to("line1", "Ahornweg 10")).is(http.StatusOK)
		require.Equal(t, "Ahornweg 10", x.read(t).ShippingAddress.Line1)
		x.sends(t)
		x.buyer.do(http.MethodPut, path, to()).refuses(http.StatusConflict, "invalid_state")
		x.unharmed(t)
	})

	t.Run("invoice and credit notes", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10))
		pdf := x.buyer.get(storeAPI + "/orders/" + x.id + "/documents/invoice").is(http.StatusOK)
		require.Equal(t, "application/pdf", pdf.header.Get("Content-Type"))
		require.True(t, bytes.HasPrefix(pdf.body, []byte("%PDF-")))
		x.does("/refunds", map[string]any{"amount": moneyJSON{500, "EUR"}}).is(http.StatusCreated)
		x.does("/edits", map[string]any{"lines": []any{map[string]any{"line_id": x.now.Lines[1].ID, "quantity": 0}}}).is(http.StatusOK)
		within(t, soon, func() error {
			if n := len(x.read(t).Documents); n != 3 {
				return fmt.Errorf("%d documents", n)
			}
			return nil
		})
		for _, d := range x.now.Documents {
			got := x.buyer.get(storeAPI + "/orders/" + x.id + "/documents/" + d.ID).is(http.StatusOK)
			require.Contains(t, got.header.Get("Content-Disposition"), d.Number+".pdf")
			require.Equal(t, string(got.body), string(x.staff.get(x.admin("/documents/"+d.ID)).is(http.StatusOK).body), "the same to the last byte")
			s.guest(t).get(storeAPI+"/orders/"+x.id+"/documents/"+d.ID).refuses(http.StatusNotFound, "not_found")
			s.guest(t).get(x.admin("/documents/"+d.ID)).refuses(http.StatusUnauthorized, "authentication_required")
		}
		other := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 700, 10))
		other.buyer.get(storeAPI+"/orders/"+other.id+"/documents/"+x.now.Documents[0].ID).refuses(http.StatusNotFound, "not_found")
	})

	t.Run("numbers have no gaps", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 1000, 60)
		buyers := make([]*buyer, 12)
		ids := make([]string, len(buyers))
		for i := range buyers {
			buyers[i] = newBuyer(s.guest(t)).add(a, 1).checkout()
		}
		for i, r := range together(t, len(buyers), func(i int) (*reply, error) {
			return buyers[i].try(http.MethodPost, buyers[i].path+"/complete", payWith("test_ok"), "Idempotency-Key", newKey())
		}) {
			var o orderJSON
			r.is(http.StatusCreated).decode(&o)
			ids[i] = o.ID
		}
		together(t, len(buyers), func(i int) (*reply, error) {
			return buyers[i].try(http.MethodGet, storeAPI+"/orders/"+ids[i]+"/documents/invoice", nil)
		})
		within(t, soon, func() error {
			if n := s.number(t, `select count(*) from orders.documents where kind = 'invoice' and order_id = any($1)`, ids); n != int64(len(ids)) {
				return fmt.Errorf("%d invoices", n)
			}
			return nil
		})
		require.Zero(t, s.number(t, `
			select count(*)
			from (select series, max(number) - count(*) as missing, max(number) as highest from orders.documents group by series) as d
			join orders.document_series as s using (series)
			where d.missing <> 0 or d.highest <> s.last`))
	})

	t.Run("the timeline tells everything", func(t *testing.T) {
		t.Parallel()
		x := s.boughtOf(t, s.stock(t, 1000, 10), s.stock(t, 510, 10)).sends(t)
		x.does("/notes", map[string]string{"note": "4242 4242 4242 4242"}).refuses(http.StatusUnprocessableEntity, "card_data_not_accepted")
		x.does("/notes", map[string]string{"note": ""}).refuses(http.StatusUnprocessableEntity, "validation_failed")
		x.does("/notes", map[string]string{"note": "handle with care"}).is(http.StatusCreated)
		x.buyer.post(storeAPI+"/orders/"+x.id+"/returns", map[string]any{"lines": []any{map[string]any{"line_id": x.now.Lines[0].ID, "quantity": 1}}}).is(http.StatusCreated).decode(&x.now)
		x.does("/returns/"+x.now.Returns[0].ID+"/approve", nil).is(http.StatusOK)
		x.does("/returns/"+x.now.Returns[0].ID+"/receive", nil).is(http.StatusOK)
		type timeline struct {
			Items []struct{ Kind, Actor, Detail, Note string }
		}
		kinds := func(tl timeline) map[string]int {
			m := map[string]int{}
			for _, e := range tl.Items {
				m[e.Kind]++
			}
			return m
		}
		var staff, shopper timeline
		within(t, soon, func() error {
			staff = timeline{}
			x.staff.get(x.admin("/timeline")).is(http.StatusOK).decode(&staff)
			have := kinds(staff)
			for _, k := range []string{"placed", "payment", "paid", "fulfilled", "note", "return_requested", "return_approved", "return_received", "refund_promised", "refunded", "mail"} {
				if have[k] == 0 {
					return fmt.Errorf("%s is missing in %v", k, have)
				}
			}
			return nil
		})
		require.Equal(t, "placed", staff.Items[0].Kind)
		x.buyer.get(storeAPI + "/orders/" + x.id + "/timeline").is(http.StatusOK).decode(&shopper)
		require.Zero(t, kinds(shopper)["note"], "staff write for each other")
		require.Equal(t, 1, kinds(shopper)["return_received"])
		for _, e := range shopper.Items {
			require.NotContains(t, e.Actor, "api_key:")
		}
		s.guest(t).get(storeAPI+"/orders/"+x.id+"/timeline").refuses(http.StatusNotFound, "not_found")
	})
}
