package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type adminProductJSON struct {
	ID, Title, Status string
	Version           int64
	Variants          []struct {
		SKU    string
		OnHand int64 `json:"on_hand"`
	}
}

// adminRoutes are all calls of the merchant's API by the document, with ids filled in.
func (s *store) adminRoutes(t *testing.T) []string {
	t.Helper()
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	s.guest(t).get("/api/v1/openapi.json").is(http.StatusOK).decode(&document)
	var routes []string
	for path, operations := range document.Paths {
		if !strings.HasPrefix(path, adminAPI) {
			continue
		}
		for method := range operations {
			routes = append(routes, strings.ToUpper(method)+" "+strings.NewReplacer("{id}", "x", "{sku}", "x").Replace(path))
		}
	}
	require.Greater(t, len(routes), 15)
	return routes
}

// merchant is what staff and programs do.
func merchant(t *testing.T, s *store) {
	t.Run("a key opens what it is for", func(t *testing.T) {
		t.Parallel()
		readOrders, all := s.keyWith(t, "orders:read"), s.keyWith(t, "*")
		readOrders.get(adminAPI + "/orders").is(http.StatusOK)
		readOrders.get(adminAPI+"/products").refuses(http.StatusForbidden, "forbidden")
		readOrders.post(adminAPI+"/orders/ord_x/cancel", map[string]string{}).refuses(http.StatusForbidden, "forbidden")
		readOrders.get(storeAPI+"/me").refuses(http.StatusForbidden, "forbidden")
		all.get(adminAPI + "/overview").is(http.StatusOK)
		all.get(adminAPI + "/products").is(http.StatusOK)
	})

	t.Run("stock is adjusted once", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 1500, 4)
		staff := s.keyWith(t, "inventory:*")
		path, key := adminAPI+"/inventory/"+a.sku+"/adjustments", newKey()
		body := map[string]any{"quantity": 6, "reason": "delivery"}
		staff.post(path, body).refuses(http.StatusBadRequest, "idempotency_key_required")
		first := staff.post(path, body, "Idempotency-Key", key).is(http.StatusCreated)
		again := staff.post(path, body, "Idempotency-Key", key).is(http.StatusCreated)
		require.Equal(t, string(first.body), string(again.body))
		require.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
		staff.post(path, map[string]any{"quantity": 7, "reason": "delivery"}, "Idempotency-Key", key).
			refuses(http.StatusUnprocessableEntity, "idempotency_key_reused")
		staff.post(path, map[string]any{"quantity": -11, "reason": "theft"}, "Idempotency-Key", newKey()).refuses(http.StatusConflict, "insufficient_stock")
		staff.post(path, map[string]any{"quantity": 0, "reason": "nothing"}, "Idempotency-Key", newKey()).refuses(http.StatusUnprocessableEntity, "invalid_quantity")
		staff.post(path, map[string]any{"quantity": 1, "reason": "moved", "location": "moon"}, "Idempotency-Key", newKey()).
			refuses(http.StatusUnprocessableEntity, "unknown_location")
		var level struct {
			OnHand    int64 `json:"on_hand"`
			Available int64
			Locations []struct{ Location string }
		}
		staff.get(adminAPI + "/inventory/" + a.sku).is(http.StatusOK).decode(&level)
		require.Equal(t, int64(10), level.OnHand)
		require.Equal(t, int64(10), level.Available)
		require.Len(t, level.Locations, 1)
		require.Equal(t, int64(1), s.number(t, `select count(*) from public_views.v_stock_movements where sku = $1 and kind = 'adjusted'`, a.sku))
		staff.get(adminAPI+"/inventory/NOWHERE").refuses(http.StatusNotFound, "not_found")
	})

	t.Run("orders", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 1500, 50)
		staff := s.keyWith(t, "orders:*")
		_, o := s.buys(t, a, 3)
		_, unwanted := s.buys(t, a, 1)
		var list struct{ Items []struct{ ID, Email string } }
		staff.get(adminAPI + fmt.Sprintf("/orders?q=%d", o.Number)).is(http.StatusOK).decode(&list)
		require.Len(t, list.Items, 1)
		require.Equal(t, o.ID, list.Items[0].ID)
		require.Equal(t, buyerEmail, list.Items[0].Email)

		order := adminAPI + "/orders/" + o.ID
		var detail orderJSON
		staff.get(order).is(http.StatusOK).decode(&detail)
		require.Equal(t, []string{"cancel", "fulfil", "edit", "refund", "address"}, detail.Actions)
		line := o.Lines[0].ID
		staff.post(order+"/fulfilments", map[string]any{"lines": []any{map[string]any{"line_id": line, "quantity": 4}}}).
			refuses(http.StatusUnprocessableEntity, "invalid_quantity")
		staff.post(order+"/fulfilments", map[string]any{"lines": []any{map[string]any{"line_id": line, "quantity": 1}}, "tracking": "DHL 1"}).
			is(http.StatusOK).decode(&detail)
		require.Equal(t, "partially_fulfilled", detail.Status)
		staff.post(order+"/cancel", map[string]string{}).refuses(http.StatusConflict, "invalid_state")
		staff.post(order+"/fulfilments", map[string]any{}).is(http.StatusOK).decode(&detail)
		require.Equal(t, "fulfilled", detail.Status)
		staff.post(order+"/fulfilments", map[string]any{}).refuses(http.StatusConflict, "invalid_state")
		staff.post(adminAPI+"/orders/"+unwanted.ID+"/cancel", map[string]string{"reason": "broken"}).is(http.StatusOK).decode(&detail)
		require.Equal(t, "cancelled", detail.Status)
		staff.get(adminAPI+"/orders/ord_nowhere").refuses(http.StatusNotFound, "not_found")

		waiting := newBuyer(s.guest(t)).add(a, 1).checkout()
		waiting.complete("test_requires_action").is(http.StatusCreated).decode(&o)
		staff.post(adminAPI+"/orders/"+o.ID+"/fulfilments", map[string]any{}).refuses(http.StatusConflict, "invalid_state")
	})

	t.Run("products by the version that was seen", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 1500, 4)
		staff := s.keyWith(t, "catalog:*")
		path := adminAPI + "/products/" + a.product
		seen := staff.get(path).is(http.StatusOK)
		var p adminProductJSON
		seen.decode(&p)
		require.Equal(t, int64(4), p.Variants[0].OnHand)
		title := map[string]string{"title": "Renamed " + a.title}
		staff.do(http.MethodPatch, path, title).refuses(http.StatusPreconditionRequired, "version_required")
		staff.do(http.MethodPatch, path, title, "If-Match", `"99"`).refuses(http.StatusPreconditionFailed, "stale_version")
		staff.do(http.MethodPatch, path, title, "If-Match", "yes").refuses(http.StatusUnprocessableEntity, "invalid_parameter")
		staff.do(http.MethodPatch, path, title, "If-Match", seen.header.Get("ETag")).is(http.StatusOK).decode(&p)
		require.Equal(t, title["title"], p.Title)
		staff.do(http.MethodPatch, path, title, "If-Match", seen.header.Get("ETag")).refuses(http.StatusPreconditionFailed, "stale_version")
		within(t, soon, func() error {
			var shown productJSON
			s.guest(t).get(storeAPI + "/products/" + a.product).decode(&shown)
			var found listJSON
			s.guest(t).get(storeAPI + "/search?q=" + a.sku).decode(&found)
			if shown.Title != title["title"] || len(found.Items) == 0 || found.Items[0].Title != title["title"] {
				return fmt.Errorf("shoppers see %q and find %v", shown.Title, found.Items)
			}
			return nil
		})
		now := fmt.Sprintf(`"%d"`, p.Version)
		staff.do(http.MethodPatch, path, map[string]string{"status": "archived"}, "If-Match", now).is(http.StatusOK)
		within(t, soon, func() error {
			if got := s.guest(t).get(storeAPI + "/products/" + a.product).status; got != http.StatusNotFound {
				return fmt.Errorf("an archived product answers %d", got)
			}
			return nil
		})
		b := newBuyer(s.guest(t))
		b.post(b.path+"/lines", map[string]any{"sku": a.sku, "quantity": 1}).refuses(http.StatusUnprocessableEntity, "not_purchasable")
	})

	t.Run("prices that are none", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 1500, 4)
		staff := s.keyWith(t, "pricing:write")
		path := adminAPI + "/variants/" + a.variant + "/price"
		for name, price := range map[string]string{
			"negative":          `{"price":{"amount":-1,"currency":"EUR"}}`,
			"too much":          `{"price":{"amount":1000000000000000000,"currency":"EUR"}}`,
			"a fraction":        `{"price":{"amount":19.99,"currency":"EUR"}}`,
			"an exponent":       `{"price":{"amount":1e2,"currency":"EUR"}}`,
			"a text":            `{"price":{"amount":"1999","currency":"EUR"}}`,
			"no such currency":  `{"price":{"amount":1999,"currency":"XXX"}}`,
			"a lower-case one":  `{"price":{"amount":1999,"currency":"eur"}}`,
			"compared downward": `{"price":{"amount":1999,"currency":"EUR"},"compare_at_price":{"amount":1000,"currency":"EUR"}}`,
		} {
			require.Equal(t, "invalid_money", staff.do(http.MethodPut, path, price).is(http.StatusUnprocessableEntity).code(), name)
		}
		staff.do(http.MethodPut, adminAPI+"/variants/var_nowhere/price", map[string]any{"price": moneyJSON{1, "EUR"}}).refuses(http.StatusNotFound, "not_found")
	})
}
