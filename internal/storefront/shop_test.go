package storefront_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"shopd/internal/storefront"
	"shopd/internal/storefront/storefronttest"
)

var testTime = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// bundle is a shop with one shopper in front of it, whose browser runs no script.
type bundle struct {
	*testing.T
	shop   *storefronttest.Shop
	front  *storefront.Storefront
	server *httptest.Server
	client *http.Client
}

// setup opens a shop. change may alter what it is made of; nil leaves it as it is.
func setup(t *testing.T, change func(*storefront.Deps)) *bundle {
	t.Helper()
	shop, err := storefronttest.New(func() time.Time { return testTime })
	require.NoError(t, err)
	deps := sampleDeps(shop)
	deps.Now = func() time.Time { return testTime }
	router := chi.NewRouter()
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	deps.BaseURL = server.URL
	if change != nil {
		change(&deps)
	}
	front, err := storefront.New(deps)
	require.NoError(t, err)
	front.Routes(router)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := server.Client()
	client.Jar = jar
	return &bundle{T: t, shop: shop, front: front, server: server, client: client}
}

// page is an answer with its parsed HTML.
type page struct {
	*testing.T
	status int
	header http.Header
	url    *url.URL // where redirects ended
	body   string
	root   *html.Node
}

func (b *bundle) do(req *http.Request) *page {
	b.Helper()
	res, err := b.client.Do(req)
	require.NoError(b, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(b, err)
	root, err := html.Parse(strings.NewReader(string(body)))
	require.NoError(b, err)
	return &page{T: b.T, status: res.StatusCode, header: res.Header, url: res.Request.URL, body: string(body), root: root}
}

func (b *bundle) get(path string) *page {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, b.server.URL+path, nil)
	require.NoError(b, err)
	return b.do(req)
}

func (b *bundle) post(path string, fields url.Values) *page {
	b.Helper()
	return b.do(b.postRequest(path, fields))
}

func (b *bundle) postRequest(path string, fields url.Values) *http.Request {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, b.server.URL+path, strings.NewReader(fields.Encode()))
	require.NoError(b, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req
}

// submit fills the form on p that goes to action and sends it, as a browser would: with everything in it.
func (b *bundle) submit(p *page, action string, fill map[string]string) *page {
	b.Helper()
	form := find(p.root, func(n *html.Node) bool { return n.Data == "form" && attr(n, "action") == action })
	require.NotNil(b, form, "no form to %s on %s:\n%s", action, p.url, p.body)
	values := url.Values{}
	for _, n := range findAll(form, func(n *html.Node) bool { return n.Data == "input" || n.Data == "select" }) {
		name := attr(n, "name")
		switch kind := attr(n, "type"); {
		case name == "":
		case n.Data == "select":
			if chosen := find(n, func(o *html.Node) bool { return o.Data == "option" && has(o, "selected") }); chosen != nil {
				values.Set(name, attr(chosen, "value"))
			}
		case kind != "radio" && kind != "checkbox", has(n, "checked"):
			values.Set(name, attr(n, "value"))
		}
	}
	for name, value := range fill {
		values.Set(name, value)
	}
	return b.post(action, values)
}

// cookies are what the shopper's browser keeps, by name.
func (b *bundle) cookies() map[string]string {
	u, err := url.Parse(b.server.URL)
	require.NoError(b, err)
	out := map[string]string{}
	for _, c := range b.client.Jar.Cookies(u) {
		out[c.Name] = c.Value
	}
	return out
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

func find(n *html.Node, match func(*html.Node) bool) *html.Node {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && match(d) {
			return d
		}
	}
	return nil
}

func findAll(n *html.Node, match func(*html.Node) bool) []*html.Node {
	var out []*html.Node
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && match(d) {
			out = append(out, d)
		}
	}
	return out
}

// text is what stands in the first element that matches.
func (p *page) text(match func(*html.Node) bool) string {
	p.Helper()
	n := find(p.root, match)
	require.NotNil(p, n, "nothing matches on %s", p.url)
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func (p *page) heading() string {
	p.Helper()
	return p.text(func(n *html.Node) bool { return n.Data == "h1" })
}

func (p *page) meta(name string) string {
	n := find(p.root, func(n *html.Node) bool {
		return n.Data == "meta" && (attr(n, "name") == name || attr(n, "property") == name)
	})
	if n == nil {
		return ""
	}
	return attr(n, "content")
}

func (p *page) canonical() string {
	n := find(p.root, func(n *html.Node) bool { return n.Data == "link" && attr(n, "rel") == "canonical" })
	if n == nil {
		return ""
	}
	return attr(n, "href")
}

// setupJar is another browser in front of the same shop.
func setupJar(t *testing.T, b *bundle) *bundle {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &bundle{T: t, shop: b.shop, server: b.server, client: &http.Client{Jar: jar}}
}
