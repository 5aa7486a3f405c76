package storefront_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"shopd/internal/storefront"
)

const (
	sweatshirt = "/p/ajax-full-zip-sweatshirt" // colours and sizes
	laptop     = "/p/laptop"
	bag        = "/p/joust-duffle-bag" // one variant, with reviews
)

func TestPagesOfEverybody(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	tests := map[string]struct {
		path    string
		heading string
		want    []string
		noindex bool
	}{
		"home":                  {path: "/", heading: "Good things for going out and coming home.", want: []string{"New arrivals", "Popular right now", "On sale", "Departments"}},
		"top category":          {path: "/c/women", heading: "Women", want: []string{"Tops", "Bottoms", "Show more"}},
		"category":              {path: "/c/women-tops-jackets", heading: "Jackets", want: []string{"12 products", `href="/c/women-tops"`, "facet.Colour"}},
		"filtered category":     {path: "/c/men?facet.Colour=Blue&max=60", heading: "Men", want: []string{"Colour: Blue", "Up to $60.00", "Clear all"}, noindex: true},
		"sorted category":       {path: "/c/men?sort=price", heading: "Men", noindex: true},
		"search":                {path: "/search?q=jacket", heading: "Results for “jacket”", want: []string{"Best match"}, noindex: true},
		"search with a typo":    {path: "/search?q=jaket", heading: "Results for “jaket”", want: []string{"Showing results for", "jacket"}, noindex: true},
		"search with a stray":   {path: "/search?q=jacket+qqqq", heading: "Results for “jacket qqqq”", want: []string{"Left out", "qqqq"}, noindex: true},
		"search for nothing":    {path: "/search?q=qqqq", heading: "Results for “qqqq”", want: []string{"Nothing fits that", "What others are buying"}, noindex: true},
		"search without a word": {path: "/search", heading: "What are you looking for?", noindex: true},
		"product with options":  {path: sweatshirt, heading: "Ajax Full-Zip Sweatshirt", want: []string{`name="option.Colour"`, `name="option.Size"`, "Goes well with it", "Article number"}},
		"product with reviews":  {path: bag, heading: "Joust Duffle Bag", want: []string{"Reviews", "out of 5 stars", `name="sku" value="24-MB01"`}},
		"about":                 {path: "/about", heading: "About Luma & Co.", want: []string{"/dev/mail"}},
		"shipping":              {path: "/shipping", heading: "Delivery and returns", want: []string{"Test card that works"}},
		"credits":               {path: "/credits", heading: "Credits", want: []string{"Annie Spratt", "SIL Open Font License"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := b.get(tt.path)
			require.Equal(t, http.StatusOK, p.status, p.body)
			require.Equal(t, tt.heading, p.heading())
			for _, want := range tt.want {
				require.Contains(t, p.body, want)
			}
			require.Equal(t, tt.noindex, p.meta("robots") == "noindex")
			require.Contains(t, p.header.Get("Cache-Control"), "public")
			require.NotEmpty(t, p.header.Get("ETag"))
			sound(t, p)
		})
	}
}

// sound checks what holds on every page.
func sound(t *testing.T, p *page) {
	t.Helper()
	csp := p.header.Get("Content-Security-Policy")
	require.Contains(t, csp, "default-src 'self'")
	require.NotContains(t, csp, "unsafe")
	require.Equal(t, "nosniff", p.header.Get("X-Content-Type-Options"))
	seen := map[string]bool{}
	headings := 0
	for n := range p.root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "h1" {
			headings++
		}
		if n.Data == "script" && attr(n, "src") == "" {
			require.Contains(t, []string{"application/ld+json", "application/json"}, attr(n, "type"), "a script that the policy refuses")
		}
		require.NotEqual(t, "style", n.Data, "a style sheet that the policy refuses")
		for _, a := range n.Attr {
			require.NotEqual(t, "style", a.Key, "a style that the policy refuses")
			require.False(t, strings.HasPrefix(a.Key, "on"), "a handler that the policy refuses: %s", a.Key)
			require.NotContains(t, a.Val, "ZgotmplZ", "the template engine refused a value")
			if a.Key == "id" {
				require.False(t, seen[a.Val], "two elements with the id %s", a.Val)
				seen[a.Val] = true
			}
		}
		if n.Data == "img" {
			require.True(t, has(n, "alt") && attr(n, "width") != "" && attr(n, "height") != "", "a picture without text or room")
		}
	}
	require.Equal(t, 1, headings, "one h1 on a page")
}

func TestListingGoesOnByCursor(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	isCard := func(n *html.Node) bool { return attr(n, "class") == "card__link" }
	seen := map[string]bool{}
	path := "/c/gear"
	for range 10 {
		p := b.get(path)
		for _, n := range findAll(p.root, isCard) {
			require.False(t, seen[attr(n, "href")], "%s twice", attr(n, "href"))
			seen[attr(n, "href")] = true
		}
		next := find(p.root, func(n *html.Node) bool { return has(n, "data-more") })
		if next == nil {
			break
		}
		path = attr(next, "href")
	}
	p := b.get("/c/gear")
	require.Equal(t, p.text(func(n *html.Node) bool { return attr(n, "class") == "listing__count" }), countOf(len(seen)))
}

func countOf(n int) string {
	return strconv.Itoa(n) + " products"
}

func TestFiltersNarrowAndCanBeTakenAway(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.get("/c/men?facet.Colour=Blue&facet.Colour=Red&sort=price&in_stock=1&min=abc")
	chips := findAll(p.root, func(n *html.Node) bool { return attr(n, "class") == "chip chip--on" })
	require.Len(t, chips, 3)
	require.Equal(t, "/c/men?facet.Colour=Red&in_stock=1&sort=price", attr(chips[0], "href"))
	require.Equal(t, "/c/men?facet.Colour=Blue&in_stock=1&sort=price", attr(chips[1], "href"))
	require.Equal(t, "/c/men?facet.Colour=Blue&facet.Colour=Red&sort=price", attr(chips[2], "href"))
}

func TestSuggestionsAreOptions(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.get("/search/suggest?q=jack")
	options := findAll(p.root, func(n *html.Node) bool { return attr(n, "role") == "option" })
	require.NotEmpty(t, options)
	require.Equal(t, "/search?q=jacket", attr(options[0], "data-href"))
	require.Empty(t, findAll(b.get("/search/suggest?q=j").root, func(n *html.Node) bool { return attr(n, "role") == "option" }))
}

func TestVariantIsChosenByItsNumber(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.get(sweatshirt + "?sku=MH12-XS-Red")
	require.Contains(t, p.text(func(n *html.Node) bool { return has(n, "data-sku") }), "MH12-XS-Red")
	checked := findAll(p.root, func(n *html.Node) bool { return attr(n, "type") == "radio" && has(n, "checked") })
	require.Len(t, checked, 2)
}

func TestUnchangedPageIsNotSentAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	first := b.get(laptop)
	req := b.postRequest(laptop, nil)
	req.Method, req.Body = http.MethodGet, nil
	req.Header.Set("If-None-Match", first.header.Get("ETag"))
	second := b.do(req)
	require.Equal(t, http.StatusNotModified, second.status)
	require.Empty(t, second.body)
}

func TestAssetsAreKeptForEver(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	sheet := find(b.get("/").root, func(n *html.Node) bool { return n.Data == "link" && attr(n, "rel") == "stylesheet" })
	p := b.get(attr(sheet, "href"))
	require.Equal(t, http.StatusOK, p.status)
	require.Equal(t, "public, max-age=31536000, immutable", p.header.Get("Cache-Control"))
	require.Contains(t, p.header.Get("Content-Type"), "text/css")
	require.Equal(t, "no-cache", b.get("/assets/older/shop.css").header.Get("Cache-Control"))
	require.Equal(t, http.StatusNotFound, b.get("/assets/older/nothing.css").status)
	require.Contains(t, b.get("/favicon.ico").body, "<svg")
	require.Contains(t, b.get("/manifest.webmanifest").body, `"name":"Luma \u0026 Co."`)
}

func TestNewRefusesAnUnusableOrigin(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "shop.example", "ftp://shop.example", "https://"} {
		deps := sampleDeps(setup(t, nil).shop)
		deps.BaseURL = base
		_, err := storefront.New(deps)
		require.ErrorContains(t, err, "base URL")
	}
}
