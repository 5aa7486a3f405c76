package httpx

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"shopd/internal/platform/errs"
)

// ReadablePath answers 404 to a path that is no text, or has a zero byte: no name of a thing is like that, and no
// database takes it.
func ReadablePath(fail ErrorWriter) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !utf8.ValidString(r.URL.Path) || strings.ContainsRune(r.URL.Path, 0) {
				fail(w, r, errs.ErrNotFound)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
