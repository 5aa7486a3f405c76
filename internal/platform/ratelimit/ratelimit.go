// Package ratelimit bounds how many requests a minute one client makes, over all replicas together: GCRA in Redis,
// asked for a few requests at a time, and a limiter in the process while Redis is away.
package ratelimit

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"shopd/internal/platform/errs"
)

// Class is a sort of request with a limit of its own.
type Class string

// The classes. All but General are strict: they guard against guessing and abuse, so every request of theirs asks
// Redis, and without Redis they get half of what General's rule would give them.
const (
	General  Class = "general"
	Register Class = "register"
	Login    Class = "login"
	Reset    Class = "reset" // password resets, and every other mail that a stranger can cause
	Coupon   Class = "coupon"
	Cart     Class = "cart" // making carts
	Pay      Class = "pay"
)

// divisors say which fraction of the general limit each class gets.
var divisors = map[Class]int{General: 1, Cart: 5, Pay: 10, Register: 10, Login: 20, Coupon: 20, Reset: 60}

const (
	window = time.Minute
	// floor keeps the strict classes usable when the general limit is set very low.
	floor = 5
	// leaseDivisor keeps a lease at 2.5 % of the limit: what each replica can hold back or over-count.
	leaseDivisor = 40
	leaseLife    = 10 * time.Second
	// maxClients bounds the memory for clients seen lately, about 200 bytes each.
	maxClients = 100_000
	patience   = 20 * time.Millisecond
)

// ErrLimited says that a client asked too often. Its RetryAfter says when to come again.
var ErrLimited = errs.New(errs.RateLimited, "rate_limited", "Too many requests. Wait a moment and try again.")

// Config is how much is allowed.
type Config struct {
	PerMinute int // requests a minute of one client in class General, at least 1; the other classes get fractions of it
	Replicas  int // processes that share the limit, at least 1: each allows its part while Redis is away
	// Patience is what a decision may wait for Redis; 0 takes 20 ms.
	Patience time.Duration
}

// Decision is the answer to one request.
type Decision struct {
	Allowed    bool
	Limit      int           // requests a minute
	Remaining  int           // requests that are left at once, as far as this process knows
	ResetAfter time.Duration // until the whole limit is there again
	RetryAfter time.Duration // until the next request is allowed; zero when this one was
}

// Limiter decides. It is safe for concurrent use.
type Limiter struct {
	config   Config
	store    *store
	clients  *lru.Cache[string, *client]
	now      func() time.Time
	requests *prometheus.CounterVec
}

// New returns a Limiter on rdb, which must have ContextTimeoutEnabled: or a Redis that hangs
// costs its first requests more than Config.Patience.
func New(rdb redis.UniversalClient, config Config, now func() time.Time, registerer prometheus.Registerer) (*Limiter, error) {
	if config.PerMinute < 1 || config.Replicas < 1 {
		return nil, fmt.Errorf("rate limit: %d a minute over %d replicas: both must be at least 1", config.PerMinute, config.Replicas)
	}
	clients, err := lru.New[string, *client](maxClients)
	if err != nil {
		return nil, err
	}
	l := &Limiter{config: config, store: newStore(rdb, cmp.Or(config.Patience, patience)), clients: clients, now: now, requests: prometheus.NewCounterVec(
		prometheus.CounterOpts{Name: "shopd_rate_limit_requests_total", Help: "Requests by what the rate limit said to them."},
		[]string{"class", "outcome"})}
	if err := registerer.Register(l.requests); err != nil {
		return nil, fmt.Errorf("register rate limit metrics: %w", err)
	}
	return l, nil
}

// limit is how many requests a minute class allows.
func (l *Limiter) limit(class Class) int {
	if class == General {
		return l.config.PerMinute
	}
	divisor, known := divisors[class]
	if !known {
		divisor = divisors[Reset] // a class nobody listed gets the strictest rule
	}
	return max(l.config.PerMinute/divisor, floor)
}

// lease is how many requests of class are asked for at once, at most.
func (l *Limiter) lease(class Class) int {
	if class != General {
		return 1
	}
	return max(l.limit(class)/leaseDivisor, 1)
}

// client is what this process knows of one client in one class.
type client struct {
	mu sync.Mutex
	// leased requests were granted by Redis, not yet used, and lapse at leaseEnds. Leases double in size
	// while they are used up in time: a client that comes once takes one.
	leased    int
	size      int
	leaseEnds time.Time
	remaining int // in Redis, after the last lease
	fullAt    time.Time
	refused   time.Time  // until then Redis need not be asked
	local     rateBucket // used while Redis is away
}

// Allow counts one request of the client named key. It always decides: without Redis by the limiter of this
// process.
func (l *Limiter) Allow(ctx context.Context, class Class, key string) Decision {
	name := string(class) + ":" + key
	c, found := l.clients.Get(name)
	if !found {
		c = &client{}
		if earlier, exists, _ := l.clients.PeekOrAdd(name, c); exists {
			c = earlier
		}
	}
	d := l.decide(ctx, c, class, name)
	outcome := "allowed"
	if !d.Allowed {
		outcome = "refused"
	}
	l.requests.WithLabelValues(string(class), outcome).Inc()
	return d
}

func (l *Limiter) decide(ctx context.Context, c *client, class Class, name string) Decision {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, limit := l.now(), l.limit(class)
	if now.Before(c.refused) {
		return Decision{Limit: limit, ResetAfter: c.fullAt.Sub(now), RetryAfter: c.refused.Sub(now)}
	}
	inTime := now.Before(c.leaseEnds)
	if !inTime || c.leased == 0 {
		c.size = nextLease(c.size, inTime, l.lease(class))
		granted, err := l.store.take(ctx, name, limit, c.size)
		if err != nil {
			return c.local.allow(now, l.localLimit(class))
		}
		c.leased, c.leaseEnds = granted.Allowed, now.Add(leaseLife)
		c.remaining, c.fullAt = granted.Remaining, now.Add(granted.ResetAfter)
		if c.leased == 0 {
			c.refused = now.Add(granted.RetryAfter)
			return Decision{Limit: limit, ResetAfter: granted.ResetAfter, RetryAfter: granted.RetryAfter}
		}
	}
	c.leased--
	return Decision{Allowed: true, Limit: limit, Remaining: c.remaining + c.leased, ResetAfter: max(c.fullAt.Sub(now), 0)}
}

func nextLease(size int, usedInTime bool, most int) int {
	if !usedInTime {
		return 1
	}
	return min(max(size, 1)*2, most)
}

// localLimit is what this process allows a client by itself.
func (l *Limiter) localLimit(class Class) int {
	share := l.limit(class) / l.config.Replicas
	if class != General {
		share /= 2
	}
	return max(share, 1)
}

// Check is Allow as an error: nil, or ErrLimited with the time to wait.
func (l *Limiter) Check(ctx context.Context, class Class, key string) error {
	return l.Allow(ctx, class, key).Err()
}

// Err is nil for an allowed request, and ErrLimited with the time to wait for a refused one.
func (d Decision) Err() error {
	if d.Allowed {
		return nil
	}
	return ErrLimited.WithRetryAfter(max(d.RetryAfter, time.Second))
}

// rateBucket is the limit of one client in one process.
type rateBucket struct{ limiter *rate.Limiter }

func (b *rateBucket) allow(now time.Time, limit int) Decision {
	if b.limiter == nil {
		b.limiter = rate.NewLimiter(rate.Limit(float64(limit)/window.Seconds()), limit)
	}
	d := Decision{Limit: limit}
	reservation := b.limiter.ReserveN(now, 1)
	if wait := reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		d.RetryAfter = wait
	} else {
		d.Allowed = true
	}
	left := max(b.limiter.TokensAt(now), 0)
	d.Remaining = int(left)
	d.ResetAfter = time.Duration((float64(limit) - left) / float64(limit) * float64(window))
	return d
}
