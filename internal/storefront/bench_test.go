package storefront_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"shopd/internal/storefront"
	"shopd/internal/storefront/storefronttest"
)

// BenchmarkPages measures what a page costs beside what the domains do for it; a rendering should stay below 2 ms.
func BenchmarkPages(b *testing.B) {
	shop, err := storefronttest.New(time.Now)
	require.NoError(b, err)
	front, err := storefront.New(sampleDeps(shop))
	require.NoError(b, err)
	router := chi.NewRouter()
	front.Routes(router)
	for _, path := range []string{"/", "/c/women-tops", sweatshirt, "/cart"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rec := httptest.NewRecorder()
				router.ServeHTTP(rec, httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil))
				if rec.Code != http.StatusOK {
					b.Fatal(rec.Code)
				}
			}
		})
	}
}
