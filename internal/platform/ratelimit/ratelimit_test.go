package ratelimit_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
	"shopd/internal/platform/ratelimit"
	"shopd/internal/platform/testenv"
)

// clock stands still until it is moved.
type clock struct{ offset atomic.Int64 }

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func (c *clock) now() time.Time          { return start.Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// connect returns a client of the test's Redis that counts its commands.
func connect(t *testing.T, url string) (redis.UniversalClient, *atomic.Int64) {
	t.Helper()
	options, err := redis.ParseURL(url)
	require.NoError(t, err)
	options.ContextTimeoutEnabled = true
	client, commands := redis.NewClient(options), &atomic.Int64{}
	client.AddHook(counter{commands})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client, commands
}

type counter struct{ commands *atomic.Int64 }

func (c counter) DialHook(next redis.DialHook) redis.DialHook { return next }
func (c counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
func (c counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.commands.Add(1)
		return next(ctx, cmd)
	}
}

// patient waits for Redis longer than a busy test machine can take.
func patient(perMinute, replicas int) ratelimit.Config {
	return ratelimit.Config{PerMinute: perMinute, Replicas: replicas, Patience: 5 * time.Second}
}

func newLimiter(t *testing.T, rdb redis.UniversalClient, config ratelimit.Config, now func() time.Time) *ratelimit.Limiter {
	t.Helper()
	l, err := ratelimit.New(rdb, config, now, prometheus.NewRegistry())
	require.NoError(t, err)
	return l
}

// hammer makes n requests of one client over all limiters at once and returns how many were allowed.
func hammer(t *testing.T, n int, class ratelimit.Class, limiters ...*ratelimit.Limiter) int {
	t.Helper()
	var allowed atomic.Int64
	var group sync.WaitGroup
	const workers = 16
	for w := range workers {
		group.Go(func() {
			for i := w; i < n; i += workers {
				if limiters[i%len(limiters)].Allow(t.Context(), class, "ip:203.0.113.9").Allowed {
					allowed.Add(1)
				}
			}
		})
	}
	group.Wait()
	return int(allowed.Load())
}

func TestLimitHoldsAcrossReplicas(t *testing.T) {
	t.Parallel()
	url := testenv.RedisURL(t)
	a, tripsA := connect(t, url)
	b, tripsB := connect(t, url)
	const limit, requests = 1200, 3000
	began := time.Now()
	allowed := hammer(t, requests, ratelimit.General,
		newLimiter(t, a, patient(limit, 2), time.Now), newLimiter(t, b, patient(limit, 2), time.Now))

	refilled := int(time.Since(began).Seconds()*limit/60) + 1
	require.LessOrEqual(t, allowed, limit+refilled+limit*5/100)
	require.GreaterOrEqual(t, allowed, limit-limit*5/100)
	require.Less(t, tripsA.Load()+tripsB.Load(), int64(requests/5), "most requests must not need Redis")
}

func TestStrictClassesAreExactAcrossReplicas(t *testing.T) {
	t.Parallel()
	url := testenv.RedisURL(t)
	a, _ := connect(t, url)
	b, _ := connect(t, url)
	la, lb := newLimiter(t, a, patient(600, 2), time.Now), newLimiter(t, b, patient(600, 2), time.Now)
	began := time.Now()
	allowed := hammer(t, 200, ratelimit.Login, la, lb)
	refilled := int(time.Since(began).Seconds()/2) + 1
	require.GreaterOrEqual(t, allowed, 30)
	require.LessOrEqual(t, allowed, 30+refilled)
}

func TestClassesAndClientsAreApart(t *testing.T) {
	t.Parallel()
	rdb, _ := connect(t, testenv.RedisURL(t))
	l := newLimiter(t, rdb, patient(600, 1), time.Now)
	for range 30 {
		l.Allow(t.Context(), ratelimit.Login, "ip:203.0.113.1")
	}
	require.False(t, l.Allow(t.Context(), ratelimit.Login, "ip:203.0.113.1").Allowed)
	require.True(t, l.Allow(t.Context(), ratelimit.Login, "ip:203.0.113.2").Allowed)
	require.True(t, l.Allow(t.Context(), ratelimit.General, "ip:203.0.113.1").Allowed)

	keys, err := rdb.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	for _, key := range keys {
		require.Contains(t, key, "shopd:rate:")
	}
}

func TestDecisionTellsWhenToComeAgain(t *testing.T) {
	t.Parallel()
	rdb, _ := connect(t, testenv.RedisURL(t))
	l := newLimiter(t, rdb, patient(600, 1), time.Now)
	first := l.Allow(t.Context(), ratelimit.Reset, "k")
	require.Equal(t, 10, first.Limit)
	require.Equal(t, 9, first.Remaining)
	for range 9 {
		require.NoError(t, l.Check(t.Context(), ratelimit.Reset, "k"))
	}
	err := l.Check(t.Context(), ratelimit.Reset, "k")
	require.ErrorIs(t, err, ratelimit.ErrLimited)
	require.InDelta(t, 6, errs.As(err).RetryAfter.Seconds(), 1.5)
}

// silent is a server that takes connections and never answers.
func silent(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var held []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			held = append(held, conn)
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		<-done
		for _, conn := range held {
			require.NoError(t, conn.Close())
		}
	})
	return listener.Addr().String()
}

func TestWithoutRedisTheProcessLimitsItsShare(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{"refused": "127.0.0.1:1", "hanging": silent(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb, _ := connect(t, "redis://"+address)
			c := &clock{}
			l := newLimiter(t, rdb, ratelimit.Config{PerMinute: 600, Replicas: 2}, c.now)

			began := time.Now()
			require.Equal(t, 300, hammer(t, 1000, ratelimit.General, l), "half of the limit: there are two replicas")
			require.Less(t, time.Since(began), 10*time.Second, "a dead Redis must not cost every request its deadline")
			require.Equal(t, 7, hammer(t, 100, ratelimit.Login, l), "half of the share, for a strict class")

			c.advance(10 * time.Second)
			require.Equal(t, 50, hammer(t, 1000, ratelimit.General, l), "what ten seconds bring")
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := ratelimit.New(nil, ratelimit.Config{PerMinute: 0, Replicas: 1}, time.Now, prometheus.NewRegistry())
	require.Error(t, err)
}

func TestAddrKey(t *testing.T) {
	t.Parallel()
	for address, key := range map[string]string{
		"203.0.113.9":                   "ip:203.0.113.9",
		"::ffff:203.0.113.9":            "ip:203.0.113.9",
		"2001:db8:1:2:3:4:5:6":          "ip:2001:db8:1:2::",
		"2001:db8:1:2:ffff:ffff:ffff:1": "ip:2001:db8:1:2::",
		"2001:db8:1:3::1":               "ip:2001:db8:1:3::",
		"fe80::1%eth0":                  "ip:fe80::",
	} {
		require.Equal(t, key, ratelimit.AddrKey(netip.MustParseAddr(address)), address)
	}
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	rdb, _ := connect(t, testenv.RedisURL(t))
	l := newLimiter(t, rdb, patient(600, 1), time.Now)
	handler := ratelimit.Middleware(l, func(r *http.Request) ratelimit.Class {
		switch r.URL.Path {
		case "/login":
			return ratelimit.Login
		case "/asset":
			return ""
		}
		return ratelimit.General
	}, httpx.WriteError)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	call := func(path, remote string, customer string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.RemoteAddr = remote
		r.Header.Set("X-Forwarded-For", "198.51.100."+remote[len(remote)-1:]) // must not count by itself
		if customer != "" {
			r = r.WithContext(httpx.WithPrincipal(r.Context(), httpx.Principal{Kind: httpx.Customer, ID: customer}))
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}

	ok := call("/", "203.0.113.1:1000", "")
	require.Equal(t, http.StatusNoContent, ok.Code)
	require.Equal(t, `"general";q=600;w=60`, ok.Header().Get("RateLimit-Policy"))
	require.Equal(t, `"general";r=599;t=1`, ok.Header().Get("RateLimit"))
	require.Empty(t, call("/asset", "203.0.113.1:1000", "").Header().Get("RateLimit"))

	var last *httptest.ResponseRecorder
	for range 32 {
		last = call("/login", "203.0.113.1:1000", "")
	}
	require.Equal(t, http.StatusTooManyRequests, last.Code)
	require.NotEmpty(t, last.Header().Get("Retry-After"))
	require.Equal(t, "application/problem+json", last.Header().Get("Content-Type"))
	require.Contains(t, last.Body.String(), `"code":"rate_limited"`)
	require.Contains(t, last.Header().Get("RateLimit"), `"login";r=0;`)

	require.Equal(t, http.StatusTooManyRequests, call("/login", "203.0.113.1:2001", "").Code, "another port is the same client")
	require.Equal(t, http.StatusNoContent, call("/login", "203.0.113.2:1000", "").Code)
	require.Equal(t, http.StatusTooManyRequests, call("/login", "203.0.113.1:1000", "cus_1").Code, "being signed in must not give more guesses")
	require.Equal(t, `"general";r=598;t=1`, call("/", "203.0.113.1:1000", "cus_1").Header().Get("RateLimit"), "an account has its own limit")
}
