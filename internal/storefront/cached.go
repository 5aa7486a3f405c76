package storefront

import (
	"context"
	"errors"
	"sync"
	"time"
)

var errCutShort = errors.New("storefront: a load was cut short")

// cached keeps one value that many pages need for ttl. While it cannot be loaded again the old one is used on: a
// navigation of a minute ago is better than no page.
type cached[T any] struct {
	now  func() time.Time
	ttl  time.Duration
	load func(context.Context) (T, error)

	mu      sync.Mutex
	value   T
	have    bool
	until   time.Time
	loading chan struct{} // closed when the load under way has ended; nil when there is none
	err     error         // of the last load
}

func newCached[T any](now func() time.Time, ttl time.Duration, load func(context.Context) (T, error)) *cached[T] {
	return &cached[T]{now: now, ttl: ttl, load: load}
}

// get returns the value and loads it when it is missing or too old. One caller loads; the others get the old value,
// or wait when there is none. The error is that of a load which left nothing to show.
func (c *cached[T]) get(ctx context.Context) (T, error) {
	c.mu.Lock()
	if c.have && (c.now().Before(c.until) || c.loading != nil) {
		defer c.mu.Unlock()
		return c.value, nil
	}
	if wait := c.loading; wait != nil {
		c.mu.Unlock()
		return c.wait(ctx, wait)
	}
	done := make(chan struct{})
	c.loading = done
	c.mu.Unlock()
	return c.reload(ctx, done)
}

func (c *cached[T]) wait(ctx context.Context, done <-chan struct{}) (T, error) {
	select {
	case <-done:
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.have {
		return c.value, nil
	}
	return c.value, c.err
}

func (c *cached[T]) reload(ctx context.Context, done chan struct{}) (value T, err error) {
	err = errCutShort // what the others get when load panics
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.loading, c.err = nil, err
		close(done)
		switch {
		case err == nil:
			c.value, c.have, c.until = value, true, c.now().Add(c.ttl)
		case c.have:
			c.until = c.now().Add(time.Second)
			value, err = c.value, nil
		}
	}()
	// Others wait for this load, so it outlives a shopper who goes away.
	return c.load(context.WithoutCancel(ctx))
}
