package storefront

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base32"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

//go:embed assets
var assetFiles embed.FS

// assetTypes are the media types of the files in assets. They do not come from the machine's own table, which differs
// from one machine to the next.
var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	".woff2": "font/woff2", ".png": "image/png", ".txt": "text/plain; charset=utf-8",
}

type asset struct {
	contentType string
	plain       []byte
	gzipped     []byte // nil where it would not be smaller
}

// assets are the style sheets, scripts and fonts, ready to be sent. All of them live under a path that names their
// common version, so that relative imports work and browsers may keep them for ever.
type assets struct {
	version string
	prefix  string // "/assets/{version}"
	files   map[string]asset
}

func loadAssets() (*assets, error) {
	a := &assets{files: map[string]asset{}}
	sum := sha256.New()
	err := fs.WalkDir(assetFiles, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := assetFiles.ReadFile(name)
		if err != nil {
			return err
		}
		contentType, ok := assetTypes[path.Ext(name)]
		if !ok {
			return fmt.Errorf("storefront: no media type for asset %s", name)
		}
		sum.Write([]byte(name + "\x00" + strconv.Itoa(len(data)) + "\x00"))
		sum.Write(data)
		a.files[strings.TrimPrefix(name, "assets/")] = asset{contentType: contentType, plain: data, gzipped: gzipped(contentType, data)}
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.version = strings.ToLower(base32.StdEncoding.EncodeToString(sum.Sum(nil)[:10]))
	a.prefix = "/assets/" + a.version
	return a, nil
}

// gzipped compresses text; a font or a picture is compressed already.
func gzipped(contentType string, data []byte) []byte {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.HasPrefix(media, "text/") && media != "image/svg+xml" {
		return nil
	}
	var buf bytes.Buffer
	zw, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil
	}
	_, writeErr := zw.Write(data)
	if closeErr := zw.Close(); writeErr != nil || closeErr != nil || buf.Len() >= len(data) {
		return nil
	}
	return buf.Bytes()
}

// serve answers /assets/{version}/…. A page that an older release rendered names an older version: it gets today's
// file, but may not keep it.
func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	file, ok := a.files[chi.URLParam(r, "*")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", `"`+a.version+`"`)
	if chi.URLParam(r, "version") == a.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	body := file.plain
	if file.gzipped != nil && acceptsGzip(r) {
		body = file.gzipped
		h.Set("Content-Encoding", "gzip")
		h.Set("ETag", `"`+a.version+`-gz"`)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reports whether the caller takes gzip. "gzip;q=0" is a refusal that no browser sends, and is heeded.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(coding, "gzip") {
			weight := strings.TrimRight(strings.TrimPrefix(strings.ReplaceAll(q, " ", ""), "q="), "0")
			return q == "" || weight != "" && weight != "." && weight != "0."
		}
	}
	return false
}
