package app

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/catalog"
	"shopd/internal/orders"
	"shopd/internal/platform/config"
	"shopd/internal/platform/telemetry"
	"shopd/internal/pricing"
)

// The bounds of the hot calls, in SQL statements.
const (
	productStatements  = 2
	listingStatements  = 2
	completeStatements = 15
)

func TestHotCallsNeedFewStatements(t *testing.T) {
	t.Parallel()
	busy := openStore(t, onEmbedded(t))
	shelf := busy.stockMany(t, 20, 1900, 50)

	t.Run("a product nobody has looked at", func(t *testing.T) {
		cold := coldHandler(t, busy)
		_, sent := counted(t, cold, http.MethodGet, storeAPI+"/products/"+shelf[0].slug, nil, "")
		require.LessOrEqual(t, len(sent), productStatements, "%s", strings.Join(sent, "\n---\n"))
		require.NotEmpty(t, sent, "it was cold")
		_, sent = counted(t, cold, http.MethodGet, storeAPI+"/products/"+shelf[0].slug, nil, "")
		require.Empty(t, sent, "the second time it comes from the cache")
	})
	t.Run("a listing", func(t *testing.T) {
		cold := coldHandler(t, busy)
		body, sent := counted(t, cold, http.MethodGet, storeAPI+"/products?limit=20&category=gear-bags&sort=price", nil, "")
		var page listJSON
		require.NoError(t, json.Unmarshal(body, &page))
		require.Len(t, page.Items, 20)
		require.LessOrEqual(t, len(sent), listingStatements, "%s", strings.Join(sent, "\n---\n"))
	})
	t.Run("a checkout costs the same for one line and for twenty", func(t *testing.T) {
		complete := func(lines int) []string {
			b := newBuyer(busy.guest(t))
			for _, a := range shelf[:lines] {
				b.add(a, 1)
			}
			b.checkout()
			body, sent := counted(t, busy.handler, http.MethodPost, b.path+"/complete", payWith("test_ok"), b.cart.Token)
			var o orderJSON
			require.NoError(t, json.Unmarshal(body, &o))
			require.Equal(t, "paid", o.Status, "%s", body)
			require.Len(t, o.Lines, lines)
			return sent
		}
		complete(1) // fills the caches of shipping methods and taxes
		// Whoever meets the event of the own payment looks twice: the least of a few counts.
		least := func(lines int) []string {
			return slices.MinFunc([][]string{complete(lines), complete(lines), complete(lines)}, func(a, b []string) int { return len(a) - len(b) })
		}
		one, twenty := least(1), least(20)
		t.Logf("complete: %d statements", len(one))
		require.LessOrEqual(t, len(one), completeStatements, "%s", strings.Join(one, "\n---\n"))
		require.Len(t, twenty, len(one), "%s", strings.Join(twenty, "\n---\n"))
	})
	t.Run("a coupon costs two statements more, for any number of lines", func(t *testing.T) {
		coupon := code("COUNT-")
		_, err := busy.Pricing.CreatePromotion(t.Context(), pricing.Promotion{
			Title: "Counted", Kind: pricing.Percentage, Active: true, Codes: []string{coupon}, Terms: pricing.Terms{Percent: 10_00},
			UseLimit: new(int64(1000)), CustomerLimit: new(int64(1000)),
		}, "staff:stf_test")
		require.NoError(t, err)
		complete := func(lines int, codes ...string) []string {
			b := newBuyer(busy.guest(t))
			for _, a := range shelf[:lines] {
				b.add(a, 1)
			}
			b.checkout()
			for _, text := range codes {
				b.coupon(text).is(http.StatusOK)
			}
			_, sent := counted(t, busy.handler, http.MethodPost, b.path+"/complete", payWith("test_ok"), b.cart.Token)
			return sent
		}
		// What reads a cache anew, or meets the event of its own payment, sends some more: the least of a few counts.
		least := func(lines int, codes ...string) int {
			n := len(complete(lines, codes...))
			for range 4 {
				n = min(n, len(complete(lines, codes...)))
			}
			return n
		}
		plain, one, twenty := least(1), least(1, coupon), least(20, coupon)
		t.Logf("complete: %d statements, %d with a coupon", plain, one)
		require.Equal(t, plain+2, one)
		require.Equal(t, one, twenty)
		require.LessOrEqual(t, one, completeStatements)
	})
}

// coldHandler is a shop beside s that has nothing in memory yet, and nothing in Redis.
func coldHandler(t *testing.T, s *store) http.Handler {
	t.Helper()
	cfg, err := config.Load(s.environ("SHOPD_BASE_URL="+s.url), config.Test)
	require.NoError(t, err)
	in, err := NewInstruments(t.Context(), cfg, "test", &shopLog{})
	require.NoError(t, err)
	in.QueryTracer = telemetry.StatementCounter{}
	shop, err := Open(t.Context(), cfg, Options{Version: "test", DataDir: t.TempDir(), Instruments: in})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, shop.Close()) })
	handler, err := shop.handler()
	require.NoError(t, err)
	require.NoError(t, shop.redis.FlushDB(t.Context()).Err())
	return handler
}

// counted serves one request in this goroutine and returns the SQL that it took.
func counted(t *testing.T, h http.Handler, method, path string, body any, cartToken string) ([]byte, []string) {
	t.Helper()
	ctx, statements := telemetry.CountStatements(t.Context())
	var content bytes.Buffer
	if body != nil {
		require.NoError(t, json.NewEncoder(&content).Encode(body))
	}
	req := httptest.NewRequestWithContext(ctx, method, path, &content)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", newKey())
	req.Header.Set("X-Cart-Token", cartToken)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	require.Less(t, w.Code, 300, "%s", w.Body)
	return w.Body.Bytes(), statements.All()
}

// The statements that are put together while the program runs, which the test of all statements knows by example only.
func TestListsInEveryOrderAndUnderEveryCondition(t *testing.T) {
	t.Parallel()
	s := openStore(t, onEmbedded(t))
	shelf := s.stockMany(t, 3, 1900, 50)
	for range 3 {
		s.buys(t, shelf[0], 1)
	}
	t.Run("products", func(t *testing.T) {
		for _, sort := range []string{"-created_at", "price", "-price", "title", "-popularity"} {
			for _, category := range []string{"", "gear-bags"} {
				seen, after := map[catalog.ProductID]bool{}, ""
				for range shelf {
					page, next, err := s.Catalog.List(t.Context(), catalog.ListQuery{Category: category, Sort: sort, Limit: 1, After: after})
					require.NoError(t, err, "%s %s", sort, category)
					require.Len(t, page, 1)
					seen[page[0].ID], after = true, next
				}
				require.Len(t, seen, len(shelf), "%s %s: every product once", sort, category)
				require.Empty(t, after)
			}
		}
	})
	t.Run("products of the merchant", func(t *testing.T) {
		first, next, err := s.Catalog.AdminList(t.Context(), "satchel", catalog.Active, "", 1)
		require.NoError(t, err)
		require.Len(t, first, 1)
		second, _, err := s.Catalog.AdminList(t.Context(), "satchel", catalog.Active, next, 1)
		require.NoError(t, err)
		require.NotEqual(t, first[0].ID, second[0].ID)
		none, _, err := s.Catalog.AdminList(t.Context(), `100%_\`, "", "", 10)
		require.NoError(t, err)
		require.Empty(t, none, "the characters of a pattern are taken literally")
	})
	t.Run("orders", func(t *testing.T) {
		mine := orders.Filter{Email: buyerEmail, Status: orders.Paid}
		first, next, err := s.Orders.List(t.Context(), mine, "", 1)
		require.NoError(t, err)
		require.Len(t, first, 1)
		second, _, err := s.Orders.List(t.Context(), mine, next, 5)
		require.NoError(t, err)
		require.Len(t, second, 2)
		byNumber, _, err := s.Orders.List(t.Context(), orders.Filter{Number: first[0].Number}, "", 5)
		require.NoError(t, err)
		require.Equal(t, first[0].ID, byNumber[0].ID)
		foreign, _, err := s.Orders.List(t.Context(), orders.Filter{CustomerID: "cus_nobody"}, "", 5)
		require.NoError(t, err)
		require.Empty(t, foreign)
	})
}
