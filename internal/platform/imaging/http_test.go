package imaging_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/imaging"
)

func TestHandler(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]byte{"p.jpg": jpegOf(t, 900, 600), "bad.jpg": []byte("no picture")})
	mux := http.NewServeMux()
	var got error
	mux.Handle("GET /media/{name...}", b.Handler(func(w http.ResponseWriter, _ *http.Request, err error) {
		got = err
		w.WriteHeader(http.StatusTeapot)
	}))
	get := func(method, target string, header http.Header) *httptest.ResponseRecorder {
		got = nil
		req := httptest.NewRequest(method, target, nil)
		req.Header = header
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, req)
		return w
	}
	chromium := http.Header{"Accept": {"image/avif,image/webp,image/apng,*/*;q=0.8"}}

	for name, tc := range map[string]struct {
		target string
		accept http.Header
		want   string // content type
		vary   string
	}{
		"a modern browser gets WebP":             {"/media/p.jpg?w=320&f=auto", chromium, "image/webp", "Accept"},
		"auto is the default":                    {"/media/p.jpg?w=320", chromium, "image/webp", "Accept"},
		"a client that takes anything gets JPEG": {"/media/p.jpg?w=320&f=auto", http.Header{"Accept": {"*/*"}}, "image/jpeg", "Accept"},
		"a client that refuses WebP gets JPEG":   {"/media/p.jpg?w=320", http.Header{"Accept": {"image/webp;q=0, */*"}}, "image/jpeg", "Accept"},
		"a named format is what it is":           {"/media/p.jpg?w=320&f=jpeg", chromium, "image/jpeg", ""},
		"without a width it is the default one":  {"/media/p.jpg?f=jpeg", nil, "image/jpeg", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := get(http.MethodGet, tc.target, tc.accept)
			require.NoError(t, got)
			require.Equal(t, http.StatusOK, w.Code)
			require.Equal(t, tc.want, w.Header().Get("Content-Type"))
			require.Equal(t, tc.vary, w.Header().Get("Vary"))
			require.Equal(t, "public, max-age=31536000, immutable", w.Header().Get("Cache-Control"))
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))

			again := get(http.MethodGet, tc.target, http.Header{"Accept": tc.accept["Accept"], "If-None-Match": {w.Header().Get("ETag")}})
			require.Equal(t, http.StatusNotModified, again.Code)
			require.Zero(t, again.Body.Len())

			head := get(http.MethodHead, tc.target, tc.accept)
			require.Equal(t, w.Header().Get("Content-Length"), head.Header().Get("Content-Length"))
			require.Zero(t, head.Body.Len())
		})
	}

	for target, want := range map[string]error{
		"/media/none.jpg?w=320":            errs.ErrNotFound,
		"/media/..%2fp.jpg?w=320":          errs.ErrNotFound,
		"/media/.hidden?w=320":             errs.ErrNotFound,
		"/media/p.jpg?w=321":               imaging.ErrWidth,
		"/media/p.jpg?w=-320":              imaging.ErrWidth,
		"/media/p.jpg?w=wide":              imaging.ErrWidth,
		"/media/p.jpg?w=99999999999999999": imaging.ErrWidth,
		"/media/p.jpg?w=":                  imaging.ErrWidth,
		"/media/p.jpg?f=gif":               imaging.ErrFormat,
		"/media/p.jpg?f=":                  imaging.ErrFormat,
		"/media/p.jpg?w=320&w=640":         errs.Validation(),
		"/media/p.jpg?w=320&v=2":           errs.Validation(),
		"/media/bad.jpg?w=320":             imaging.ErrUnsupported,
	} {
		t.Run(target+" is refused", func(t *testing.T) {
			w := get(http.MethodGet, target, nil)
			require.ErrorIs(t, got, want)
			require.Equal(t, http.StatusTeapot, w.Code)
			require.Empty(t, w.Header().Get("Cache-Control"), "an error must not be kept for a year")
		})
	}
}
