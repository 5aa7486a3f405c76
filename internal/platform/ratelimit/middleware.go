package ratelimit

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/go-chi/chi/v5/middleware"

	"shopd/internal/platform/httpx"
)

// Middleware refuses the requests of clients who ask too often. classify names the class of a request; an empty
// one is not limited. A request of a strict class counts in General too. It belongs behind the middleware that
// finds the client's address (chi's ClientIPFrom…) and behind httpx.Authenticate. refuse answers those who have to wait.
func Middleware(l *Limiter, classify func(*http.Request) Class, refuse httpx.ErrorWriter) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			class := classify(r)
			if class == "" {
				next.ServeHTTP(w, r)
				return
			}
			key := ClientKey(r)
			d := l.Allow(r.Context(), General, key)
			shown := General
			if d.Allowed && class != General {
				d, shown = l.Allow(r.Context(), class, keyFor(class, r)), class
			}
			setHeaders(w.Header(), shown, d)
			if err := d.Err(); err != nil {
				refuse(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// setHeaders writes the fields of draft-ietf-httpapi-ratelimit-headers.
func setHeaders(h http.Header, class Class, d Decision) {
	h.Set("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%d", class, d.Limit, int(window.Seconds())))
	h.Set("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", class, d.Remaining, seconds(d.ResetAfter)))
}

func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// ClientKey names who makes the request: the caller when they proved who they are, their address otherwise.
func ClientKey(r *http.Request) string {
	if p := httpx.PrincipalFrom(r.Context()); p.Known() {
		return p.Actor()
	}
	return addressKey(r)
}

// keyFor names who a request of class counts for. What guards the way to an account counts by address even for
// those signed in, or everyone would get a fresh limit with every account they make.
func keyFor(class Class, r *http.Request) string {
	switch class {
	case Login, Register, Reset:
		return addressKey(r)
	}
	return ClientKey(r)
}

func addressKey(r *http.Request) string {
	addr := middleware.GetClientIPAddr(r.Context())
	if !addr.IsValid() {
		addr = peer(r.RemoteAddr)
	}
	return AddrKey(addr)
}

func peer(remote string) netip.Addr {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.IPv6Unspecified() // all whose address cannot be read share one limit
	}
	return addr
}

// subscriberBits is the part of an IPv6 address that a provider gives to one subscriber.
const subscriberBits = 64

// AddrKey names an address: an IPv4 one by itself, also in its IPv6 form, any other IPv6 one by its /64, because
// one household has all of it.
func AddrKey(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return "ip:" + addr.String()
	}
	network, err := addr.Prefix(subscriberBits)
	if err != nil {
		return "ip:" + addr.String()
	}
	return "ip:" + network.Addr().String()
}
