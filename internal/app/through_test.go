package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// promptly is how long caches and the search index may take to follow.
const promptly = time.Second

// TestOneOrderThroughEveryPart follows one order from the first look at a product to the mail, and reads each part from
// outside: HTTP, SQL views, the exchange, Redis, the search index, the mail server, the metrics and the trace.
func TestOneOrderThroughEveryPart(t *testing.T) {
	t.Parallel()
	t.Run("on the real services", func(t *testing.T) {
		t.Parallel()
		p := onServices(t)
		heard := listenTo(t, p.rabbitMQURL)
		inbox := startMailServer(t)
		spans := startCollector(t)
		s := openStore(t, p, "SHOPD_SMTP_URL="+inbox.url, "SHOPD_OTLP_ENDPOINT="+spans.url)
		o := followAnOrder(t, s, inbox.to)
		seen := seesTheEvents(t, s, o, heard.of)
		tree := seesOneTrace(t, spans)
		t.Logf("the event:\n%s", seen["orders.order_placed.v1"])
		t.Logf("the trace:\n%s", tree)
		if *update {
			golden(t, path.Join("testdata", "order_placed.json"), seen["orders.order_placed.v1"])
			golden(t, path.Join("testdata", "order_trace.txt"), []byte(tree))
		}
	})
	t.Run("in the embedded profile", func(t *testing.T) {
		t.Parallel()
		s := openStore(t, onEmbedded(t))
		followAnOrder(t, s, func(address string) []string {
			kept, err := s.mails.List(100)
			require.NoError(t, err)
			var texts []string
			for _, k := range kept {
				if k.To == address {
					texts = append(texts, "Subject: "+k.Subject+"\n"+k.Text)
				}
			}
			return texts
		})
	})
}

// followAnOrder buys the last piece of an article and looks at what that did.
func followAnOrder(t *testing.T, s *store, mailsTo func(string) []string) orderJSON {
	t.Helper()
	last, other := s.stock(t, 4900, 1), s.stock(t, 1900, 7)
	browses(t, s, last)
	pricesFollow(t, s, other)

	b := newBuyer(s.guest(t)).add(last, 1).add(other, 2).checkout()
	require.Equal(t, int64(4900+2*2100), b.cart.Totals.Subtotal.Amount)
	var o orderJSON
	b.complete("test_ok").is(http.StatusCreated).decode(&o)
	bought := time.Now()
	require.Equal(t, "paid", o.Status)
	require.Equal(t, "captured", o.Payment.Status)
	require.Equal(t, b.cart.Totals.Total, o.Totals.Total)

	within(t, promptly, func() error { return soldOut(s, b.client, last) })
	t.Logf("caches and search followed within %s", time.Since(bought).Round(time.Millisecond))
	seesTheViews(t, s, o, last, other)
	within(t, soon, func() error {
		mails := mailsTo(buyerEmail)
		if len(mails) != 1 {
			return fmt.Errorf("%d mails", len(mails))
		}
		for _, part := range []string{fmt.Sprintf("#%d", o.Number), last.title, "/order/" + o.ID} {
			if !strings.Contains(mails[0], part) {
				return fmt.Errorf("the mail does not mention %s: %s", part, mails[0])
			}
		}
		return nil
	})
	seesTheMetrics(t, s)
	b.with("X-Order-Secret", o.Secret, "X-Cart-Token", "").get(storeAPI + "/orders/" + o.ID).is(http.StatusOK).decode(&o)
	require.Len(t, o.History, 2, "placed and paid")
	return o
}

// browses finds the article as shoppers do: in its category, by its address, by a search with a typo, while typing.
func browses(t *testing.T, s *store, a article) {
	t.Helper()
	guest := s.guest(t)
	var page listJSON
	guest.get(storeAPI + "/products?category=gear-bags&sort=-created_at&limit=100").is(http.StatusOK).decode(&page)
	require.NotEmpty(t, page.Items)
	var p productJSON
	guest.get(storeAPI + "/products/" + a.slug).is(http.StatusOK).decode(&p)
	require.Equal(t, a.product, p.ID)
	within(t, 5*time.Second, func() error {
		var found listJSON
		guest.get(storeAPI + "/search?q=" + url.QueryEscape("wayfarrer satchel")).is(http.StatusOK).decode(&found)
		for _, item := range found.Items {
			if item.ID == a.product && item.InStock {
				return nil
			}
		}
		return fmt.Errorf("search does not find it in %d products", len(found.Items))
	})
	guest.get(storeAPI + "/search/suggest?q=wayf").is(http.StatusOK)
}

// pricesFollow changes a price as staff do and sees it in the store, the search and Redis.
func pricesFollow(t *testing.T, s *store, a article) {
	t.Helper()
	staff := s.keyWith(t, "pricing:write")
	staff.do(http.MethodPut, adminAPI+"/variants/"+a.variant+"/price", map[string]any{"price": map[string]any{"amount": 2100, "currency": "EUR"}}).
		is(http.StatusOK)
	guest := s.guest(t)
	within(t, promptly, func() error {
		var p productJSON
		guest.get(storeAPI + "/products/" + a.slug).decode(&p)
		var found listJSON
		guest.get(storeAPI + "/search?q=" + a.sku).decode(&found)
		cached := s.cached(t, "shopd:cache:price:"+a.variant+"/EUR")
		switch {
		case p.Price.Amount != 2100:
			return fmt.Errorf("the product costs %d", p.Price.Amount)
		case len(found.Items) == 0 || found.Items[0].Price.Amount != 2100:
			return fmt.Errorf("search says %v", found.Items)
		case !strings.Contains(cached, "2100"):
			return fmt.Errorf("redis says %q", cached)
		}
		return nil
	})
}

// soldOut reports where the last piece still seems to be.
func soldOut(s *store, guest *client, a article) error {
	var p productJSON
	guest.get(storeAPI + "/products/" + a.slug).decode(&p)
	var found listJSON
	guest.get(storeAPI + "/search?q=" + a.sku).decode(&found)
	switch cached := s.cached(guest.t, "shopd:cache:stock:"+a.sku); {
	case p.InStock:
		return errors.New("the product is still in stock")
	case len(found.Items) == 0 || found.Items[0].ID != a.product || found.Items[0].InStock:
		return fmt.Errorf("search says %+v", found.Items)
	case cached != "0":
		return fmt.Errorf("redis says %q", cached)
	}
	return nil
}

func seesTheViews(t *testing.T, s *store, o orderJSON, last, other article) {
	t.Helper()
	within(t, 5*time.Second, func() error {
		if n := s.number(t, `select count(*) from public_views.v_stock where sku in ($1, $2) and reserved > 0`, last.sku, other.sku); n > 0 {
			return fmt.Errorf("%d articles are still reserved", n)
		}
		return nil
	})
	total := o.Totals.Total.Amount
	row := s.rows(t, `select number, status, currency, total, cart_id, paid_at >= placed_at as in_order from public_views.v_orders where order_id = $1`, o.ID)
	require.Equal(t, []map[string]any{{
		"number": o.Number, "status": "paid", "currency": "EUR", "total": total, "cart_id": o.CartID, "in_order": true,
	}}, row)
	lines := s.rows(t, `select sku, quantity::bigint as quantity, unit_price, total from public_views.v_order_lines where order_id = $1 order by sku`, o.ID)
	require.Equal(t, []map[string]any{
		{"sku": last.sku, "quantity": int64(1), "unit_price": int64(4900), "total": int64(4900)},
		{"sku": other.sku, "quantity": int64(2), "unit_price": int64(2100), "total": int64(4200)},
	}, lines)
	payment := s.rows(t, `select status, amount, captured, refunded, currency, provider from public_views.v_payments where order_id = $1`, o.ID)
	require.Equal(t, []map[string]any{{
		"status": "captured", "amount": total, "captured": total, "refunded": int64(0), "currency": "EUR", "provider": "test",
	}}, payment)
	require.Equal(t, int64(0), s.number(t, `select sum(amount)::bigint from public_views.v_ledger`), "the ledger adds up to nothing")
	require.Equal(t, total, s.number(t, `select sum(amount)::bigint from public_views.v_ledger where account = 'gateway:test'`))
	stock := s.rows(t, `select sku, on_hand, reserved, available from public_views.v_stock where sku in ($1, $2) order by sku`, last.sku, other.sku)
	require.Equal(t, []map[string]any{
		{"sku": last.sku, "on_hand": int64(0), "reserved": int64(0), "available": int64(0)},
		{"sku": other.sku, "on_hand": int64(5), "reserved": int64(0), "available": int64(5)},
	}, stock)
	moves := s.rows(t, `select sku, kind, quantity from public_views.v_stock_movements where order_id = $1 order by sku, at, kind`, o.ID)
	require.Equal(t, []map[string]any{
		{"sku": last.sku, "kind": "reserved", "quantity": int64(1)}, {"sku": last.sku, "kind": "sold", "quantity": int64(-1)},
		{"sku": other.sku, "kind": "reserved", "quantity": int64(2)}, {"sku": other.sku, "kind": "sold", "quantity": int64(-2)},
	}, moves)
	within(t, 5*time.Second, func() error {
		if n := s.number(t, `select count(*) from public_views.v_events where published_at is null`); n > 0 {
			return fmt.Errorf("%d events are not published", n)
		}
		return nil
	})
	require.Equal(t, int64(2), s.number(t, `select count(*) from public_views.v_events where aggregate_id = $1`, o.ID), "placed and paid")
}

func seesTheMetrics(t *testing.T, s *store) {
	t.Helper()
	ops := newClient(t, s.ops)
	text := string(ops.get("/metrics").is(http.StatusOK).body)
	for _, line := range []string{
		`shopd_order_processing_seconds_count{outcome="paid"} 1`,
		`shopd_http_request_duration_seconds_count{method="POST",route="/api/v1/store/carts/{id}/complete",status="201"} 1`,
		`shopd_payment_gateway_seconds_count{operation="charge",outcome="captured",provider="test"} 1`,
		`shopd_event_lag_seconds_count{consumer="inventory.orders"} 1`,
		`shopd_breaker_state{provider="test"} 0`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("/metrics has no %s", line) // the whole of it would be too much to print
		}
	}
	within(t, 20*time.Second, func() error {
		if !strings.Contains(string(ops.get("/metrics").body), "shopd_outbox_pending 0\n") {
			return errors.New("events still wait in the outbox")
		}
		return nil
	})
	ops.get("/readyz").is(http.StatusOK)
	ops.get("/livez").is(http.StatusOK)
}

// seesTheEvents reads the order's messages from a queue of its own and returns them by type.
func seesTheEvents(t *testing.T, s *store, o orderJSON, heard func(orderID string) map[string][]byte) map[string][]byte {
	t.Helper()
	var seen map[string][]byte
	within(t, 5*time.Second, func() error {
		seen = heard(o.ID)
		for _, kind := range []string{
			"orders.order_placed.v1", "orders.order_paid.v1", "payments.payment_captured.v1", "inventory.stock_changed.v1",
		} {
			if seen[kind] == nil {
				return fmt.Errorf("%s was not heard", kind)
			}
		}
		return nil
	})
	for kind, body := range seen {
		var envelope map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(body, &envelope))
		for _, name := range []string{"id", "type", "version", "aggregate_id", "aggregate_version", "occurred_at", "trace", "data"} {
			require.Contains(t, envelope, name, kind)
		}
		require.Len(t, envelope, 8, "%s: %s", kind, body)
		for _, personal := range []string{"lovelace", `"ada`, "torstrasse", "10119", "1234567", "@example"} {
			require.NotContains(t, strings.ToLower(string(body)), personal, kind)
		}
		var id string
		require.NoError(t, json.Unmarshal(envelope["id"], &id))
		require.Equal(t, int64(1), s.number(t, `select count(*) from public_views.v_events where event_id = $1 and type = $2`, id, kind))
	}
	return seen
}
