package app

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLimitsHoldWhateverTheCallerSaysOfItself asks more often than is allowed, under ever other names.
func TestLimitsHoldWhateverTheCallerSaysOfItself(t *testing.T) {
	t.Parallel()
	p := onEmbedded(t)
	s := openStore(t, p, "SHOPD_RATE_LIMIT_PER_MINUTE=100")
	guest := s.guest(t)
	var refused *reply
	for i := range 200 {
		name := fmt.Sprintf("198.51.100.%d", i)
		got := guest.get(storeAPI+"/categories", "X-Forwarded-For", name, "X-Real-IP", name, "True-Client-IP", name, "Forwarded", "for="+name)
		if got.status != http.StatusOK {
			refused = got
			break
		}
		require.NotEmpty(t, got.header.Get("RateLimit"))
	}
	require.NotNil(t, refused, "200 requests were answered where 100 are allowed")
	refused.refuses(http.StatusTooManyRequests, "rate_limited")
	require.NotEmpty(t, refused.header.Get("Retry-After"))

	page := guest.get("/").is(http.StatusTooManyRequests)
	require.Equal(t, "text/html; charset=utf-8", page.header.Get("Content-Type"), "people who look at pages get a page")
	require.Contains(t, string(page.body), "That was a bit fast")
	require.NotEmpty(t, page.header.Get("Retry-After"))
	require.NotEmpty(t, page.header.Get("RateLimit"))

	trusting := openStore(t, p, "SHOPD_RATE_LIMIT_PER_MINUTE=100", "SHOPD_TRUSTED_PROXIES=127.0.0.0/8")
	for i := range 150 {
		trusting.guest(t).get(storeAPI+"/categories", "X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i)).is(http.StatusOK)
	}
	login := func() int {
		return trusting.guest(t).post(storeAPI+"/auth/login", map[string]string{"email": "a@example.com", "password": testPassword}, "X-Forwarded-For", "192.0.2.1").status
	}
	tries := 0
	for ; tries < 20 && login() == http.StatusUnauthorized; tries++ {
	}
	require.Less(t, tries, 10, "passwords cannot be tried at the speed of pages")
}
