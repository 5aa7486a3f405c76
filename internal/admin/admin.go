// Package admin serves the administration, a single-page application built from web/ and embedded in the binary.
package admin

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// dist is what `npm run build` in web/ makes. It is committed, so that Go alone builds a complete shopd.
//
//go:embed all:dist
var dist embed.FS

// base is the path the application was built for (web/vite.config.ts).
const base = "/admin/"

// noncePlaceholder stands in index.html where the nonce of the answer goes (web/vite.config.ts).
const noncePlaceholder = "SHOPD_CSP_NONCE"

// contentTypes are fixed here because the tables of the operating system differ.
var contentTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".html":  "text/html; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".svg":   "image/svg+xml",
	".woff2": "font/woff2",
}

// Handler serves the application under /admin/. Files whose name carries a hash may be kept for ever; every other
// path that names no file gets index.html, because the application routes by path itself. It authenticates nobody:
// what it serves is the same for all, and the API behind it guards the data.
//
// The caller mounts it on /admin and /admin/*, with the path unstripped, and puts whatever has to answer before the
// application does (GET /admin/login with a token) in front of it.
func Handler() http.Handler {
	index, err := dist.ReadFile("dist/index.html")
	if err != nil {
		panic(fmt.Sprintf("admin: embedded application has no index.html: %v", err)) // the binary itself is broken
	}
	return &server{index: string(index)}
}

type server struct {
	index string
	// gzipped holds a func() []byte for each name, made when the file is first asked for.
	gzipped sync.Map
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "This page can only be read.", http.StatusMethodNotAllowed)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, base)
	switch {
	case r.URL.Path+"/" == base:
		http.Redirect(w, r, base, http.StatusPermanentRedirect)
	case !ok:
		http.NotFound(w, r)
	case name != "index.html" && isFile(name):
		s.serveFile(w, r, name)
	case strings.HasPrefix(name, "assets/"):
		// A chunk of another version. The answer must not outlive the deployment that lacks it.
		w.Header().Set("Cache-Control", "no-store")
		http.NotFound(w, r)
	default:
		s.serveIndex(w)
	}
}

func isFile(name string) bool {
	info, err := fs.Stat(dist, path.Join("dist", name))
	return err == nil && !info.IsDir()
}

func (s *server) serveFile(w http.ResponseWriter, r *http.Request, name string) {
	h := w.Header()
	h.Set("Content-Type", contentTypes[path.Ext(name)])
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body, err := dist.ReadFile(path.Join("dist", name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if compressible(name) {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			body = s.gzip(name, body)
		}
	}
	write(w, body)
}

// serveIndex writes the page that starts the application. It carries a fresh nonce, so that of all inline styles only
// those of the application's own components apply; scripts come from files alone.
func (s *server) serveIndex(w http.ResponseWriter) {
	nonce := rand.Text()
	h := w.Header()
	h.Set("Content-Type", contentTypes[".html"])
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Security-Policy", strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self' 'nonce-" + nonce + "'",
		"img-src 'self' data:",
		"font-src 'self'",
		"connect-src 'self'",
		"form-action 'self'",
		"base-uri 'none'",
		"frame-ancestors 'none'",
	}, "; "))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	write(w, []byte(strings.ReplaceAll(s.index, noncePlaceholder, nonce)))
}

// gzip returns body compressed. Each file is compressed once per process, when it is first asked for.
func (s *server) gzip(name string, body []byte) []byte {
	once, _ := s.gzipped.LoadOrStore(name, sync.OnceValue(func() []byte { return compress(body) }))
	return once.(func() []byte)() //nolint:errcheck // nothing else is stored there
}

func compress(body []byte) []byte {
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		panic(fmt.Sprintf("admin: gzip level: %v", err)) // a constant of the package itself
	}
	// Writing to memory does not fail.
	_, _ = z.Write(body)
	_ = z.Close()
	return buf.Bytes()
}

// compressible tells the text files from the fonts, which are compressed already.
func compressible(name string) bool { return path.Ext(name) != ".woff2" }

// acceptsGzip reads an Accept-Encoding header: "gzip" unless its weight is zero.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, params, _ := strings.Cut(part, ";")
		if strings.TrimSpace(coding) != "gzip" {
			continue
		}
		weight, found := strings.CutPrefix(strings.TrimSpace(params), "q=")
		q, err := strconv.ParseFloat(weight, 64)
		return !found || (err == nil && q > 0)
	}
	return false
}

// write sends body; net/http drops it for HEAD. A failure means that the client has gone.
func write(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) //nolint:gosec // the embedded application, with the nonce made here
}
