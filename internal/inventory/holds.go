package inventory

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"shopd/internal/platform/errs"
)

// ErrTooManyHolds says that somebody has stock held for more orders than they may without paying.
var ErrTooManyHolds = errs.New(errs.RateLimited, "too_many_holds", "You have too many unpaid orders. Pay or cancel one of them first.").
	WithRetryAfter(time.Minute)

// ErrBusy says that more orders ask for stock at once than can be decided soon.
var ErrBusy = errs.New(errs.Unavailable, "busy", "Many people are buying right now. Try again in a moment.").WithRetryAfter(2 * time.Second)

// localHolds counts what holders hold while Redis is away: each replica allows its part.
type localHolds struct {
	mu       sync.Mutex
	replicas int
	now      func() time.Time
	byOrder  map[string]localHold
	count    map[string]int // by holder
	swept    time.Time
}

type localHold struct {
	holder string
	until  time.Time
}

// maxLocalHolds bounds the memory for holds of a time without Redis; beyond it nobody is counted.
const maxLocalHolds = 100_000

func newLocalHolds(replicas int, now func() time.Time) *localHolds {
	return &localHolds{replicas: max(replicas, 1), now: now, byOrder: map[string]localHold{}, count: map[string]int{}}
}

// take reports whether the holder may have one more order, and counts it.
func (l *localHolds) take(h Holder, orderID string, life time.Duration) bool {
	if h.Most == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep()
	if _, ok := l.byOrder[orderID]; ok || len(l.byOrder) >= maxLocalHolds {
		return true
	}
	if l.count[h.Key] >= max(h.Most/l.replicas, 1) {
		return false
	}
	l.byOrder[orderID] = localHold{h.Key, l.now().Add(life)}
	l.count[h.Key]++
	return true
}

func (l *localHolds) extend(orderID string, life time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h, ok := l.byOrder[orderID]; ok {
		h.until = l.now().Add(life)
		l.byOrder[orderID] = h
	}
}

func (l *localHolds) drop(orderIDs ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range orderIDs {
		if h, ok := l.byOrder[id]; ok {
			l.remove(id, h)
		}
	}
}

// sweep forgets holds whose time is up, once a second.
func (l *localHolds) sweep() {
	now := l.now()
	if now.Sub(l.swept) < time.Second {
		return
	}
	l.swept = now
	for id, h := range l.byOrder {
		if h.until.Before(now) {
			l.remove(id, h)
		}
	}
}

func (l *localHolds) remove(orderID string, h localHold) {
	delete(l.byOrder, orderID)
	if l.count[h.holder]--; l.count[h.holder] <= 0 {
		delete(l.count, h.holder)
	}
}

// shedPatience is how long an order without the gate waits for its turn at PostgreSQL.
const shedPatience = 2 * time.Second

// turns bounds how many orders ask PostgreSQL for stock at once while the gate does not hold the crowd back.
type turns struct{ free *semaphore.Weighted }

func newTurns(n int64) turns { return turns{semaphore.NewWeighted(n)} }

// take waits for a turn; the caller gives it back. It returns ErrBusy when none comes in time.
func (t turns) take(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, shedPatience)
	defer cancel()
	if err := t.free.Acquire(limited, 1); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return ErrBusy
	}
	return nil
}

func (t turns) giveBack() { t.free.Release(1) }
