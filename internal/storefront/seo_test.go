package storefront_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// data reads the JSON-LD of a page by type.
func (p *page) data() map[string]map[string]any {
	p.Helper()
	out := map[string]map[string]any{}
	for _, n := range findAll(p.root, func(n *html.Node) bool { return attr(n, "type") == "application/ld+json" }) {
		var object map[string]any
		require.NoError(p, json.Unmarshal([]byte(n.FirstChild.Data), &object))
		require.Equal(p, "https://schema.org", object["@context"])
		out[object["@type"].(string)] = object
	}
	return out
}

func TestProductTellsSearchEngines(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.get(bag)
	base := b.server.URL
	require.Equal(t, base+bag, p.canonical())
	require.Equal(t, "Joust Duffle Bag – Luma & Co.", p.text(func(n *html.Node) bool { return n.Data == "title" }))
	require.Equal(t, "product", p.meta("og:type"))
	require.Equal(t, base+"/media/mb01-blue-0.jpg?w=1200&f=jpeg", p.meta("og:image"))
	require.LessOrEqual(t, len([]rune(p.meta("description"))), 160)

	product := p.data()["Product"]
	require.Equal(t, "Joust Duffle Bag", product["name"])
	require.Equal(t, "24-MB01", product["sku"])
	require.Equal(t, map[string]any{"@type": "Brand", "name": "Luma"}, product["brand"])
	require.Equal(t, map[string]any{
		"@type": "Offer", "price": "34.00", "priceCurrency": "USD", "availability": "https://schema.org/InStock", "url": base + bag,
	}, product["offers"])
	require.Equal(t, "AggregateRating", product["aggregateRating"].(map[string]any)["@type"])
	require.NotEmpty(t, product["review"])
	crumbs := p.data()["BreadcrumbList"]["itemListElement"].([]any)
	require.Len(t, crumbs, 4)
	require.Equal(t, base+"/c/gear-bags", crumbs[2].(map[string]any)["item"])

	dear := b.get(laptop).data()["Product"]["offers"].(map[string]any)
	require.Equal(t, "AggregateOffer", dear["@type"])
	require.Equal(t, "1299.00", dear["lowPrice"])
	require.Equal(t, "2299.00", dear["highPrice"])
}

func TestSiteTellsHowToSearchIt(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	site := b.get("/").data()["WebSite"]
	require.Equal(t, b.server.URL+"/search?q={search_term_string}", site["potentialAction"].(map[string]any)["target"].(map[string]any)["urlTemplate"])
}

func TestFilteredListsPointToTheWholeOne(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	require.Equal(t, b.server.URL+"/c/men", b.get("/c/men?facet.Colour=Blue&utm_source=x").canonical())
	require.Empty(t, b.get("/search?q=bag").canonical())
	require.Empty(t, b.get("/cart").canonical())
}

func TestSitemapListsTheWholeShop(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	var index struct {
		Files []struct {
			Loc string `xml:"loc"`
		} `xml:"sitemap"`
	}
	p := b.get("/sitemap.xml")
	require.Contains(t, p.header.Get("Content-Type"), "application/xml")
	require.NoError(t, xml.Unmarshal([]byte(p.body), &index))
	require.Len(t, index.Files, 2)
	urls := 0
	for _, file := range index.Files {
		var set struct {
			URLs []struct {
				Loc string `xml:"loc"`
			} `xml:"url"`
		}
		require.NoError(t, xml.Unmarshal([]byte(b.get(file.Loc[len(b.server.URL):]).body), &set))
		for i, u := range set.URLs {
			urls++
			if i%60 == 0 {
				require.Equal(t, http.StatusOK, b.get(u.Loc[len(b.server.URL):]).status, u.Loc)
			}
		}
	}
	require.Greater(t, urls, 253)
	require.Contains(t, b.get("/robots.txt").body, "Sitemap: "+b.server.URL+"/sitemap.xml")
}
