package outbound_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/platform/outbound"
)

func TestOnlyTheInternetIsPublic(t *testing.T) {
	t.Parallel()
	for address, public := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1:248:1893:25c8:1946": true,
		"127.0.0.1": false, "127.8.8.8": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:7f00:1": false,
		"10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "fd00::1": false,
		"169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false, "0.0.0.0": false, "::": false, "0.1.2.3": false,
		"100.100.100.200": false, "64:ff9b::a9fe:a9fe": false, "2002:7f00:1::": false, "224.0.0.1": false, "255.255.255.255": false,
	} {
		require.Equal(t, public, outbound.Public(netip.MustParseAddr(address)), address)
	}
}

func TestAClientForStrangersStaysOutOfTheHouse(t *testing.T) {
	t.Parallel()
	called := false
	house := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	t.Cleanup(house.Close)
	request := func() *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, house.URL, nil)
		require.NoError(t, err)
		return r
	}
	_, err := outbound.Client(outbound.Options{}).Do(request())
	require.ErrorIs(t, err, outbound.ErrNotAllowed)
	require.False(t, called)

	answer, err := outbound.Client(outbound.Options{AllowPrivate: true}).Do(request())
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.True(t, called)
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	behind := false
	mux := http.NewServeMux()
	mux.HandleFunc("/behind", func(http.ResponseWriter, *http.Request) { behind = true })
	mux.Handle("/", http.RedirectHandler("/behind", http.StatusFound))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/", nil)
	require.NoError(t, err)
	answer, err := outbound.Client(outbound.Options{AllowPrivate: true}).Do(r)
	require.Error(t, err)
	if answer != nil {
		require.NoError(t, answer.Body.Close())
	}
	require.False(t, behind)
}
