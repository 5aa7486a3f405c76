package storefront

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"time"

	"shopd/internal/catalog"
)

const (
	sitemapTTL  = time.Hour
	sitemapPage = 10_000 // addresses in one file; the protocol allows 50,000
	sitemapNS   = "http://www.sitemaps.org/schemas/sitemap/0.9"
)

type sitemapURL struct {
	Loc     string `xml:"loc"`
	LastMod string `xml:"lastmod,omitempty"`
}

type sitemapIndex struct {
	XMLName xml.Name     `xml:"sitemapindex"`
	NS      string       `xml:"xmlns,attr"`
	Files   []sitemapURL `xml:"sitemap"`
}

type urlSet struct {
	XMLName xml.Name     `xml:"urlset"`
	NS      string       `xml:"xmlns,attr"`
	URLs    []sitemapURL `xml:"url"`
}

// loadSitemap walks through the whole catalogue once to name the files that list it. A file is named by where it
// starts, so that every replica serves every file.
func (s *Storefront) loadSitemap(ctx context.Context) ([]byte, error) {
	index := sitemapIndex{NS: sitemapNS, Files: []sitemapURL{{Loc: s.BaseURL + "/sitemap-pages.xml"}}}
	after := ""
	for {
		entries, next, err := s.Catalog.SitemapSlugs(ctx, after, sitemapPage)
		if err != nil {
			return nil, err
		}
		if len(entries) > 0 {
			loc := s.BaseURL + "/sitemap-products.xml"
			if after != "" {
				loc += "?after=" + url.QueryEscape(after)
			}
			index.Files = append(index.Files, sitemapURL{Loc: loc, LastMod: newest(entries)})
		}
		if next == "" || next == after {
			return marshalXML(index)
		}
		after = next
	}
}

func newest(entries []catalog.SitemapEntry) string {
	var last time.Time
	for _, e := range entries {
		if e.UpdatedAt.After(last) {
			last = e.UpdatedAt
		}
	}
	return last.UTC().Format(time.RFC3339)
}

func (s *Storefront) sitemapIndex(w http.ResponseWriter, r *http.Request) error {
	body, err := s.sitemap.get(r.Context())
	if err != nil {
		return err
	}
	return sendXML(w, body)
}

func (s *Storefront) sitemapPages(w http.ResponseWriter, r *http.Request) error {
	tree, err := s.Catalog.Categories(r.Context())
	if err != nil {
		return err
	}
	set := urlSet{NS: sitemapNS}
	for _, path := range []string{"/", "/about", "/shipping", "/credits"} {
		set.URLs = append(set.URLs, sitemapURL{Loc: s.BaseURL + path})
	}
	var walk func([]catalog.Category)
	walk = func(list []catalog.Category) {
		for _, c := range list {
			if c.Products > 0 {
				set.URLs = append(set.URLs, sitemapURL{Loc: s.BaseURL + "/c/" + url.PathEscape(c.Slug)})
			}
			walk(c.Children)
		}
	}
	walk(tree)
	body, err := marshalXML(set)
	if err != nil {
		return err
	}
	return sendXML(w, body)
}

func (s *Storefront) sitemapProducts(w http.ResponseWriter, r *http.Request) error {
	entries, _, err := s.Catalog.SitemapSlugs(r.Context(), r.Form.Get("after"), sitemapPage)
	if err != nil {
		return err
	}
	set := urlSet{NS: sitemapNS}
	for _, e := range entries {
		set.URLs = append(set.URLs, sitemapURL{Loc: s.BaseURL + "/p/" + url.PathEscape(e.Slug), LastMod: e.UpdatedAt.UTC().Format(time.RFC3339)})
	}
	body, err := marshalXML(set)
	if err != nil {
		return err
	}
	return sendXML(w, body)
}

func marshalXML(v any) ([]byte, error) {
	body, err := xml.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), body...), nil
}

func sendXML(w http.ResponseWriter, body []byte) error {
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	return send(w, http.StatusOK, body)
}

// robots keeps crawlers to the pages that are the same for everybody.
func (s *Storefront) robots(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=3600")
	body := "User-agent: *\n" +
		"Disallow: /cart\nDisallow: /checkout\nDisallow: /order/\nDisallow: /account\nDisallow: /search/suggest\n" +
		"Disallow: /api/\nDisallow: /admin\n\n" +
		"Sitemap: " + s.BaseURL + "/sitemap.xml\n"
	if err := send(w, http.StatusOK, []byte(body)); err != nil {
		s.fail(w, r, err)
	}
}
