package storefront

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"shopd/internal/money"
)

//go:embed templates
var templateFiles embed.FS

// site is what every page knows about the shop.
type site struct {
	Name     string
	Tagline  string
	BaseURL  string
	Assets   string // path that asset URLs start with
	Currency money.Currency
	Demo     bool
}

// head is what a page says about itself to browsers and search engines.
type head struct {
	Title       string
	Description string
	Canonical   string // path of the page's one address; empty when it should not be found
	NoIndex     bool
	Image       string // path of the picture that stands for the page
	Type        string // Open Graph type, "website" when empty
	Data        []any  // JSON-LD
}

// page is all that a template gets.
type page struct {
	Site   site
	Head   head
	Nav    []navCategory
	Cart   int // pieces in the cart, as its cookie says
	Query  string
	Notice string // what just happened, for a shopper who was sent here after a form
	Plain  bool   // checkout: nothing around the page that leads away from it
	Path   string
	Body   any
}

// audience says who may keep a copy of a page.
type audience int

const (
	forAll   audience = iota // the same for everybody who has no cart
	forOne                   // never kept
	fragment                 // a piece for a script, never kept
)

// pages holds the parsed templates, one set for each page.
type pages struct {
	sets map[string]*template.Template
}

func parsePages(s site) (*pages, error) {
	base, err := template.New("layout.html").Funcs(templateFuncs(s)).ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("storefront: parse the layout: %w", err)
	}
	p := &pages{sets: map[string]*template.Template{}}
	names, err := fs.Glob(templateFiles, "templates/pages/*.html")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		set, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if _, err := set.ParseFS(templateFiles, name); err != nil {
			return nil, fmt.Errorf("storefront: parse %s: %w", name, err)
		}
		p.sets[strings.TrimSuffix(path.Base(name), ".html")] = set
	}
	return p, nil
}

func (p *pages) execute(buf *bytes.Buffer, name, block string, data any) error {
	set, ok := p.sets[name]
	if !ok {
		return fmt.Errorf("storefront: no page %q", name)
	}
	if err := set.ExecuteTemplate(buf, block, data); err != nil {
		return fmt.Errorf("storefront: render %s: %w", name, err)
	}
	return nil
}

var buffers sync.Pool // of *bytes.Buffer

// maxPooled keeps a single giant page from staying in memory.
const maxPooled = 1 << 20

// show renders a whole page.
func (s *Storefront) show(w http.ResponseWriter, r *http.Request, status int, name string, who audience, h head, body any) error {
	p := page{Site: s.site, Head: h, Body: body, Path: r.URL.Path, Query: queryText(r), Cart: cartCount(r)}
	p.Plain = strings.HasPrefix(r.URL.Path, "/checkout")
	if nav, err := s.nav.get(r.Context()); err == nil {
		p.Nav = nav
	} else {
		s.Log.WarnContext(r.Context(), "page without navigation", "error", err)
	}
	if who != forAll {
		p.Head.NoIndex, p.Head.Canonical = true, ""
		p.Notice = s.takeNotice(w, r)
	}
	return s.write(w, r, status, name, "layout.html", who, p)
}

// piece renders one block of a page for a script that puts it into the page it has.
func (s *Storefront) piece(w http.ResponseWriter, r *http.Request, status int, name, block string, body any) error {
	return s.write(w, r, status, name, block, fragment, body)
}

func (s *Storefront) write(w http.ResponseWriter, r *http.Request, status int, name, block string, who audience, data any) error {
	buf, ok := buffers.Get().(*bytes.Buffer)
	if !ok {
		buf = new(bytes.Buffer)
	}
	buf.Reset()
	defer func() {
		if buf.Cap() <= maxPooled {
			buffers.Put(buf)
		}
	}()
	if err := s.pages.execute(buf, name, block, data); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if who != forAll || status != http.StatusOK {
		h.Set("Cache-Control", "private, no-store")
		return send(w, status, buf.Bytes())
	}
	return s.sendShared(w, r, buf.Bytes())
}

// sendShared sends a page that may be kept: for a minute by anybody, and by a shopper with a cart only to ask whether
// it is still right, because their page carries the number of pieces in it.
func (s *Storefront) sendShared(w http.ResponseWriter, r *http.Request, body []byte) error {
	h := w.Header()
	if cartCount(r) > 0 {
		h.Set("Cache-Control", "private, no-cache")
	} else {
		h.Set("Cache-Control", "public, max-age=60, stale-while-revalidate=600")
	}
	h.Set("Vary", "Cookie, Accept-Encoding")
	tag := etag(body)
	h.Set("ETag", tag)
	if strings.Contains(r.Header.Get("If-None-Match"), tag[2:]) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	// Personal pages are never compressed: their size would tell about secrets beside what others can put into them.
	if !acceptsGzip(r) {
		return send(w, http.StatusOK, body)
	}
	h.Set("Content-Encoding", "gzip")
	zw, ok := gzipWriters.Get().(*gzip.Writer)
	if !ok {
		zw = gzip.NewWriter(w)
	}
	defer gzipWriters.Put(zw)
	zw.Reset(w)
	w.WriteHeader(http.StatusOK)
	if _, err := zw.Write(body); err != nil {
		return ignoreHangUp(err)
	}
	return ignoreHangUp(zw.Close())
}

var gzipWriters sync.Pool // of *gzip.Writer

func send(w http.ResponseWriter, status int, body []byte) error {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err := w.Write(body)
	return ignoreHangUp(err)
}

// ignoreHangUp drops the error of writing to a shopper who has gone: there is nobody left to show it to, and the
// status line is out.
func ignoreHangUp(error) error { return nil }

func etag(body []byte) string {
	sum := fnv.New128a()
	sum.Write(body)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum.Sum(nil)) + `"`
}

// isScript reports whether one of our scripts asks, which wants a piece of a page instead of a redirect.
func isScript(r *http.Request) bool { return r.Header.Get("X-Fragment") != "" }

func queryText(r *http.Request) string {
	if r.URL.Path != "/search" {
		return ""
	}
	return r.Form.Get("q")
}
