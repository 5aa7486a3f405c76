package admin_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/admin"
)

func get(t *testing.T, path string, header ...string) *http.Response {
	t.Helper()
	return do(t, http.MethodGet, path, header...)
}

func do(t *testing.T, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for pair := range slices.Chunk(header, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	w := httptest.NewRecorder()
	admin.Handler().ServeHTTP(w, r)
	return w.Result()
}

func read(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(b)
}

// script is the path of the entry script that index.html names.
func script(t *testing.T) string {
	t.Helper()
	match := regexp.MustCompile(`src="(/admin/assets/[^"]+\.js)"`).FindStringSubmatch(read(t, get(t, "/admin/").Body))
	require.Len(t, match, 2, "index.html names an entry script")
	return match[1]
}

func TestPagesOfTheApplicationGetIndex(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/admin/", "/admin/login", "/admin/orders/ord_1", "/admin/index.html", "/admin/assetsx"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			resp := get(t, path)
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.Equal(t, "text/html; charset=utf-8", resp.Header.Get("Content-Type"))
			require.Equal(t, "no-cache", resp.Header.Get("Cache-Control"))
			require.Contains(t, read(t, resp.Body), `<div id="root">`)
		})
	}
}

func TestIndexCarriesAStrictPolicyAndAFreshNonce(t *testing.T) {
	t.Parallel()
	nonceOf := func() string {
		resp := get(t, "/admin/")
		policy := resp.Header.Get("Content-Security-Policy")
		require.NotContains(t, policy, "unsafe")
		require.Contains(t, policy, "script-src 'self';")
		match := regexp.MustCompile(`'nonce-([^']+)'`).FindStringSubmatch(policy)
		require.Len(t, match, 2)
		body := read(t, resp.Body)
		require.Contains(t, body, `<meta property="csp-nonce" nonce="`+match[1]+`"`)
		require.NotContains(t, body, "SHOPD_CSP_NONCE")
		require.NotRegexp(t, `<script[^>]*>[^<]`, body, "no inline script")
		return match[1]
	}
	first := nonceOf()
	require.NotEqual(t, first, nonceOf())
}

func TestHashedFilesAreKeptForEver(t *testing.T) {
	t.Parallel()
	resp := get(t, script(t))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "text/javascript; charset=utf-8", resp.Header.Get("Content-Type"))
	require.Equal(t, "public, max-age=31536000, immutable", resp.Header.Get("Cache-Control"))
	require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))

	require.Equal(t, "no-cache", get(t, "/admin/color-scheme.js").Header.Get("Cache-Control"))
}

func TestTextIsCompressedForThoseWhoTakeIt(t *testing.T) {
	t.Parallel()
	path := script(t)
	plain := read(t, get(t, path).Body)
	for accept, want := range map[string]string{
		"":                    "",
		"br, deflate":         "",
		"gzip;q=0":            "",
		"gzip, deflate, br":   "gzip",
		"br;q=1, gzip; q=0.5": "gzip",
	} {
		t.Run(accept, func(t *testing.T) {
			t.Parallel()
			resp := get(t, path, "Accept-Encoding", accept)
			require.Equal(t, want, resp.Header.Get("Content-Encoding"))
			require.Equal(t, "Accept-Encoding", resp.Header.Get("Vary"))
			if want == "" {
				require.Equal(t, plain, read(t, resp.Body))
				return
			}
			require.Less(t, resp.ContentLength, int64(len(plain)/2))
			z, err := gzip.NewReader(resp.Body)
			require.NoError(t, err)
			require.Equal(t, plain, read(t, z))
		})
	}
}

func TestWhatIsNotThere(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		method, path string
		status       int
		header       [2]string
	}{
		"a chunk of an older version is missing": {"GET", "/admin/assets/gone-1234.js", 404, [2]string{"Cache-Control", "no-store"}},
		"a folder is no file":                    {"GET", "/admin/assets/", 404, [2]string{"Cache-Control", "no-store"}},
		"the path without slash leads home":      {"GET", "/admin", 308, [2]string{"Location", "/admin/"}},
		"other paths are not ours":               {"GET", "/administrator", 404, [2]string{}},
		"nothing can be written":                 {"POST", "/admin/", 405, [2]string{"Allow", "GET, HEAD"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp := do(t, tt.method, tt.path)
			require.Equal(t, tt.status, resp.StatusCode)
			require.Equal(t, tt.header[1], resp.Header.Get(tt.header[0]))
		})
	}
}

// The build is committed; this tells one that was forgotten after a change of its sources. `npm run build` in web/
// makes a new one. The sources and the way to sum them are those of web/vite/fingerprint.ts.
func TestTheBuildBelongsToTheSources(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, source := range []string{
		"index.html", "package-lock.json", "package.json", "postcss.config.cjs", "public", "src", "vite.config.ts",
	} {
		err := filepath.WalkDir(filepath.Join("web", source), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name, err := filepath.Rel("web", path)
			lines = append(lines, filepath.ToSlash(name)+" "+sum(b)+"\n")
			return err
		})
		require.NoError(t, err)
	}
	slices.Sort(lines)
	built, err := os.ReadFile("dist.sha256")
	require.NoError(t, err)
	require.Equal(t, strings.TrimSpace(string(built)), sum([]byte(strings.Join(lines, ""))),
		"internal/admin/dist is stale: run `npm ci && npm run build` in internal/admin/web")
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
