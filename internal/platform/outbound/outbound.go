// Package outbound makes HTTP clients for addresses that somebody typed in, which must not become a way into the
// network around the shop: the address is checked after the name has been resolved, on the connection itself.
package outbound

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"shopd/internal/platform/errs"
)

// ErrNotAllowed says that an address leads into a network that strangers have no business in.
var ErrNotAllowed = errs.New(errs.Invalid, "url_not_allowed", "This address is not reachable from outside.")

// Options of a client. The zero value is for addresses that strangers give.
type Options struct {
	// AllowPrivate lets connections to loopback and private addresses through: for what an operator configures, in
	// tests and on a laptop.
	AllowPrivate bool
	// Timeout bounds a whole exchange. Default 10 s.
	Timeout time.Duration
}

const (
	defaultTimeout = 10 * time.Second
	dialTimeout    = 5 * time.Second
	maxHeader      = 64 << 10
)

// errRedirect is why a redirect ends an exchange: what was checked was the first address.
var errRedirect = errors.New("the server redirects, which is not followed")

// Client returns a client that follows no redirect, uses no proxy, and keeps no connection to a network that is not
// allowed. Its callers bound what they read.
func Client(o Options) *http.Client {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	dialer := &net.Dialer{Timeout: min(dialTimeout, o.Timeout)}
	if !o.AllowPrivate {
		dialer.Control = refusePrivate
	}
	return &http.Client{
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    dialTimeout,
			ResponseHeaderTimeout:  o.Timeout,
			MaxResponseHeaderBytes: maxHeader,
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        30 * time.Second,
			ForceAttemptHTTP2:      true,
		},
	}
}

// refusePrivate runs when the name has been resolved and the connection is about to be made, so that a name that
// changes its mind between two look-ups gains nothing.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial %s: %w", address, err)
	}
	if !Public(at.Addr()) {
		return ErrNotAllowed
	}
	return nil
}

// reserved are networks that are neither private nor loopback by name and still not the internet.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // carrier-grade NAT, and some clouds' metadata
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), // an IPv4 address in disguise
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), // 6to4, likewise
}

// Public reports whether a is an address on the internet.
func Public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || a.IsUnspecified() || a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
