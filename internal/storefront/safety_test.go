package storefront_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/net/html"

	"shopd/internal/catalog"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
	"shopd/internal/storefront"
)

// hostile is a catalogue whose every text wants to be a script.
type hostile struct{ storefront.Catalog }

const attack = `"><script>alert(1)</script><img src=x onerror=alert(1)>`

func (h hostile) Product(ctx context.Context, _ string) (*catalog.Product, error) {
	p, err := h.Catalog.Product(ctx, "laptop")
	if err != nil {
		return nil, err
	}
	c := *p
	c.Slug, c.Title, c.Description, c.Brand, c.SKU = "evil", attack, "</script>"+attack+"\n- "+attack, attack, attack
	c.Attributes = map[string][]string{attack: {attack}}
	c.Options = []catalog.Option{{Name: attack, Values: []string{attack, "javascript:alert(1)"}}}
	c.Variants = []catalog.Variant{{ID: "var_1", SKU: attack, Options: map[string]string{attack: attack}, Price: p.Price, Availability: catalog.Availability{InStock: true}}}
	c.Images = []catalog.Image{{URL: `javascript:alert(1)//"`, Alt: attack, Colour: `red" onload="alert(1)`}}
	return &c, nil
}

func (h hostile) Search(ctx context.Context, q catalog.SearchQuery) (*catalog.SearchResult, error) {
	r, err := h.Catalog.Search(ctx, q)
	if err == nil {
		r.CorrectedQuery, r.Dropped = attack, []string{attack}
		r.Facets = []catalog.Facet{{Name: attack, Values: []catalog.FacetValue{{Value: attack, Count: 1}, {Value: "x", Count: 1}}}}
	}
	return r, err
}

func TestTextsNeverBecomeMarkup(t *testing.T) {
	t.Parallel()
	b := setup(t, func(d *storefront.Deps) { d.Catalog = hostile{d.Catalog} })
	q := url.QueryEscape(attack)
	for _, path := range []string{
		"/p/evil", "/search?q=" + q, "/c/men?facet." + q + "=" + q, "/search/suggest?q=" + q, "/nothing/" + url.PathEscape(attack),
		"/account/login?next=" + q, "/account/reset/confirm?token=" + q, "/account/register?next=" + q,
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			p := b.get(path)
			for n := range p.root.Descendants() {
				if n.Type != html.ElementNode {
					continue
				}
				require.False(t, n.Data == "script" && attr(n, "src") == "" && !strings.Contains(attr(n, "type"), "json"), "a script got in")
				require.False(t, has(n, "onerror") || has(n, "onload"), "a handler got in")
				for _, name := range []string{"href", "src", "action", "srcset"} {
					require.False(t, strings.HasPrefix(strings.TrimSpace(attr(n, name)), "javascript:"), "a script address got in")
				}
			}
		})
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for _, path := range []string{"/cart/lines", "/checkout/complete", "/account/login", "/account/logout", "/order/ord_x/cancel", "/nothing"} {
		for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
			req := b.postRequest(path, nil)
			req.Header.Set(name, value)
			p := b.do(req)
			require.Equal(t, http.StatusForbidden, p.status, "%s %s", path, name)
			require.Contains(t, p.body, "This form was sent from another site.")
		}
	}
}

func TestCookiesAreOnlyForTheServer(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		b := setup(t, func(d *storefront.Deps) {
			if secure {
				d.BaseURL = "https://shop.example"
			}
		})
		b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		b.shop.Users.Fail(nil)
		product := find(b.get(bag).root, func(n *html.Node) bool { return attr(n, "name") == "product" })
		p := b.post("/cart/lines", url.Values{"product": {attr(product, "value")}, "sku": {"24-MB01"}})
		require.Equal(t, http.StatusSeeOther, p.status)
		require.Equal(t, "/cart", p.header.Get("Location"))
		set := p.header.Values("Set-Cookie")
		require.Len(t, set, 2)
		for _, c := range set {
			require.Contains(t, c, "HttpOnly")
			require.Contains(t, c, "SameSite=Lax")
			require.Contains(t, c, "Path=/")
			require.Equal(t, secure, strings.Contains(c, "Secure"), c)
		}
	}
}

func TestMadeUpCookiesAreNobodys(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for _, value := range []string{"", "x", "cart_1.token.1", "cart_00000000000000000000000000.ct_000000000000000000000.5", "cart_00000000000000000000000000.ct_0000000000000000000.-5", "..", strings.Repeat("a", 3000)} {
		req := b.postRequest("/cart", nil)
		req.Method, req.Body = http.MethodGet, nil
		req.AddCookie(&http.Cookie{Name: "shopd_cart", Value: value})
		req.AddCookie(&http.Cookie{Name: "shopd_orders", Value: value})
		req.AddCookie(&http.Cookie{Name: "shopd_access", Value: value})
		req.AddCookie(&http.Cookie{Name: "shopd_notice", Value: value})
		p := b.do(req)
		require.Equal(t, http.StatusOK, p.status, value)
		require.Contains(t, p.body, "Nothing in it yet")
	}
}

func TestBrokenTextIsNoFault(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for path, want := range map[string]int{
		"/p/%ff": 404, "/c/a%00b": 404, "/order/%ff": 404, "/search?q=%ff%00bag": 200, "/c/men?facet.%ff=%00": 200, "/c/men?after=nonsense": 200,
		"/search?q=%zz": 200, "/account/login?next=%ff": 200, "/search/suggest?q=%ff%fe": 200,
	} {
		require.Equal(t, want, b.get(path).status, path)
	}
}

func TestLinksComeFromTheSettingNotFromTheRequest(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	req := b.postRequest("/", nil)
	req.Method, req.Body = http.MethodGet, nil
	req.Host = "evil.example"
	req.Header.Set("X-Forwarded-Host", "evil.example")
	require.NotContains(t, b.do(req).body, "evil.example")
}

func TestFailuresAreShownAsPages(t *testing.T) {
	t.Parallel()
	unavailable := errs.New(errs.Unavailable, "unavailable", "The shop cannot answer right now. Try again in a moment.").WithRetryAfter(2e9)
	secret := errs.New(errs.Internal, "internal", "Something went wrong on our side.").Wrap(context.DeadlineExceeded)
	tests := map[string]struct {
		fail    error
		path    string
		status  int
		heading string
	}{
		"unknown page":     {nil, "/nothing", 404, "We could not find that page"},
		"unknown product":  {nil, "/p/nothing", 404, "We could not find that page"},
		"unknown category": {nil, "/c/nothing", 404, "We could not find that page"},
		"unknown order":    {nil, "/order/ord_1", 404, "We could not find that page"},
		"unknown payment":  {nil, "/checkout/test-payment/pay_1", 404, "We could not find that page"},
		"shop away":        {unavailable, laptop, 503, "The shop needs a moment"},
		"fault of ours":    {secret, laptop, 500, "Something went wrong on our side"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			b.shop.Catalog.Fail(tt.fail)
			p := b.get(tt.path)
			require.Equal(t, tt.status, p.status)
			require.Equal(t, tt.heading, p.heading())
			require.Equal(t, "private, no-store", p.header.Get("Cache-Control"))
			require.NotContains(t, p.body, "deadline", "the inside of an error stays inside")
			if tt.status == http.StatusServiceUnavailable {
				require.Equal(t, "2", p.header.Get("Retry-After"))
			}
			sound(t, p)
		})
	}
}

func TestSearchEngineAwayLeavesThePlainList(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.shop.Catalog.SearchFailure.Fail(errs.New(errs.Unavailable, "search_unavailable", "Search does not answer."))
	p := b.get("/c/women-tops?facet.Colour=Blue")
	require.Equal(t, http.StatusOK, p.status)
	require.Contains(t, p.body, "Filters are resting for a moment.")
	require.NotContains(t, p.body, "facet.Colour")
	require.Len(t, findAll(p.root, func(n *html.Node) bool { return attr(n, "class") == "card__link" }), 24)
	require.Equal(t, http.StatusServiceUnavailable, b.get("/search?q=jacket").status)
	require.Equal(t, http.StatusOK, b.get("/search/suggest?q=jacket").status)
	require.Equal(t, http.StatusOK, b.get("/").status)
}

func TestKnownAddressUnderAnotherMethod(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.post("/about", nil)
	require.Equal(t, http.StatusMethodNotAllowed, p.status)
	require.Equal(t, "GET, HEAD", p.header.Get("Allow"))
	require.Equal(t, "POST", b.get("/checkout/complete").header.Get("Allow"))
	require.Contains(t, b.get("/api/v1/nothing").header.Get("Content-Type"), "application/problem+json")
}

func TestWhatIsNoFormIsNotRead(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	tests := map[string]struct {
		body    string
		headers []string
		status  int
		heading string
	}{
		"too large":  {"email=" + strings.Repeat("a", 1<<20), nil, 413, "That is too much text"},
		"JSON":       {`{"email":"a"}`, []string{"Content-Type", "application/json"}, 415, "That request does not work here"},
		"no type":    {"email=a", []string{"Content-Type", ""}, 415, "That request does not work here"},
		"compressed": {"email=a", []string{"Content-Encoding", "gzip"}, 415, "That request does not work here"},
		"broken":     {"email=%zz", nil, 400, "That request does not work here"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := b.postRequest("/account/login", nil)
			req.Body, req.ContentLength = io.NopCloser(strings.NewReader(tt.body)), int64(len(tt.body))
			for i := 0; i < len(tt.headers); i += 2 {
				req.Header.Set(tt.headers[i], tt.headers[i+1])
			}
			p := b.do(req)
			require.Equal(t, tt.status, p.status)
			require.Equal(t, tt.heading, p.heading())
			sound(t, p)
		})
	}
}

// TestWhatFailsBeforeAPageIsAPageToo drives what stands in front of the pages in a running shop.
func TestWhatFailsBeforeAPageIsAPageToo(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	router := chi.NewRouter()
	router.Use(httpx.Observe(httpx.Observer{
		Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Tracer: noop.NewTracerProvider().Tracer(""),
		Propagator: propagation.TraceContext{}, Fail: b.front.Fail,
	}), httpx.ReadablePath(b.front.Fail))
	limited := errs.New(errs.RateLimited, "rate_limited", "Too many requests.").WithRetryAfter(6500 * time.Millisecond)
	broken := func(http.ResponseWriter, *http.Request) { panic("a fault of ours") }
	refused := func(w http.ResponseWriter, r *http.Request) { b.front.Fail(w, r, limited) }
	router.Get("/broken", broken)
	router.Get("/api/broken", broken)
	router.Get("/limited", refused)
	router.Get("/api/limited", refused)
	router.Get("//evil.example/limited", refused)
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	b.server = server

	for path, want := range map[string]struct {
		status  int
		heading string
	}{
		"/broken":                {500, "Something went wrong on our side"},
		"/limited?q=a":           {429, "That was a bit fast"},
		"//evil.example/limited": {429, "That was a bit fast"},
		"/a%00b":                 {404, "We could not find that page"},
	} {
		p := b.get(path)
		require.Equal(t, want.status, p.status, path)
		require.Equal(t, want.heading, p.heading(), path)
		require.Contains(t, p.header.Get("Content-Security-Policy"), "default-src 'self'")
		require.Equal(t, "private, no-store", p.header.Get("Cache-Control"))
		require.NotContains(t, p.body, "a fault of ours", "the inside of an error stays inside")
		sound(t, p)
	}
	p := b.get("/limited?q=a")
	require.Equal(t, "7", p.header.Get("Retry-After"))
	require.Contains(t, p.body, "Go on in 7 seconds.")
	require.Contains(t, p.body, `href="/limited?q=a"`)
	require.NotContains(t, b.get("//evil.example/limited").body, `href="//`, "trying again leads nowhere else")

	script := b.postRequest("/limited", nil)
	script.Method, script.Body = http.MethodGet, nil
	script.Header.Set("X-Fragment", "1")
	piece := b.do(script)
	require.Equal(t, http.StatusTooManyRequests, piece.status)
	require.True(t, strings.HasPrefix(piece.body, `<p class="alert"`), piece.body)

	for path, status := range map[string]int{"/api/broken": 500, "/api/limited": 429} {
		p := b.get(path)
		require.Equal(t, status, p.status)
		require.Equal(t, "application/problem+json", p.header.Get("Content-Type"))
	}
}

func TestOldNamesLeadToTheOneAddress(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	product := find(b.get(laptop).root, func(n *html.Node) bool { return attr(n, "name") == "product" })
	require.Equal(t, laptop+"?sku=L2201308", b.get("/p/"+attr(product, "value")+"?sku=L2201308").url.RequestURI())
}

func TestPagesAreCompressedUnlessTheyArePersonal(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	b.client.Transport = transport
	for path, want := range map[string]string{laptop: "gzip", "/cart": ""} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+path, nil)
		req.RequestURI = ""
		req.Header.Set("Accept-Encoding", "gzip")
		res, err := b.client.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, want, res.Header.Get("Content-Encoding"))
	}
}
