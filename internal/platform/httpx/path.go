package httpx

import (
	"net/http"
	"strings"
	"unicode/utf8"
)

// ReadablePath answers 404 to a path that is no text, or has a zero byte: no name of a thing is like that, and no
// database takes it.
func ReadablePath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !utf8.ValidString(r.URL.Path) || strings.ContainsRune(r.URL.Path, 0) {
			NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
