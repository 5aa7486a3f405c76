package inventory

import (
	"context"
	"errors"
	"sync"
	"time"

	"shopd/internal/platform/postgres"
)

// coalescer lets orders of one hot article travel together. A row is locked until its transaction has ended, so that
// orders one by one could only take turns; those that come while a statement for the same article runs wait for it and
// are granted together by the next one. Nobody waits when nobody is before them.
type coalescer struct {
	one  func(ctx context.Context, c claim, items []Item) (grant, error)
	many func(ctx context.Context, key hotKey, claims []claim) (map[string]grant, error)

	mu     sync.Mutex
	queues map[hotKey]*[]*waiter // of articles that a statement runs for
}

// hotKey is what orders must have in common to travel together.
type hotKey struct {
	sku      string
	quantity int64
}

type waiter struct {
	claim
	// turn gets what became of the order, or the batch that this one is to lead.
	turn chan turn
}

type turn struct {
	grant grant
	err   error
	batch []*waiter
}

const (
	// maxTogether bounds a batch; those behind it are the next one.
	maxTogether = 200
	// batchTimeout bounds the statement of a batch, which none of its orders can cancel.
	batchTimeout = 10 * time.Second
)

func newCoalescer(one func(context.Context, claim, []Item) (grant, error), many func(context.Context, hotKey, []claim) (map[string]grant, error)) *coalescer {
	return &coalescer{one: one, many: many, queues: map[hotKey]*[]*waiter{}}
}

// reserve asks for a number of pieces of one article.
func (c *coalescer) reserve(ctx context.Context, item Item, cl claim) (grant, error) {
	key := hotKey{item.SKU, item.Quantity}
	w := &waiter{claim: cl, turn: make(chan turn, 1)}
	c.mu.Lock()
	queue, running := c.queues[key]
	if !running {
		c.queues[key] = new([]*waiter)
		c.mu.Unlock()
		return c.lead(ctx, key, w, []*waiter{w})
	}
	*queue = append(*queue, w)
	c.mu.Unlock()
	select {
	case t := <-w.turn:
		return c.goOn(ctx, key, w, t)
	case <-ctx.Done():
	}
	if c.leave(key, w) {
		return grant{}, ctx.Err()
	}
	return c.goOn(ctx, key, w, <-w.turn) // it is on its way: what becomes of it must be known
}

func (c *coalescer) goOn(ctx context.Context, key hotKey, w *waiter, t turn) (grant, error) {
	if t.batch != nil {
		return c.lead(ctx, key, w, t.batch)
	}
	return t.grant, t.err
}

// leave takes w out of the queue; false when its turn has come.
func (c *coalescer) leave(key hotKey, w *waiter) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	queue, ok := c.queues[key]
	if !ok {
		return false
	}
	for i, other := range *queue {
		if other == w {
			*queue = append((*queue)[:i], (*queue)[i+1:]...)
			return true
		}
	}
	return false
}

// lead runs the statement of the batch, of which w is one, tells the others, and gives the lead to the next.
func (c *coalescer) lead(ctx context.Context, key hotKey, w *waiter, batch []*waiter) (mine grant, err error) {
	defer c.next(key)
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTimeout)
	defer cancel()
	if len(batch) == 1 {
		return c.one(limited, w.claim, []Item{{SKU: key.sku, Quantity: key.quantity}})
	}
	turns := make([]turn, len(batch))
	for i := range turns {
		turns[i].err = errInterrupted // what they hear if this panics
	}
	defer func() {
		for i, other := range batch {
			if other != w {
				other.turn <- turns[i]
			}
		}
	}()
	c.together(limited, key, batch, turns)
	for i, other := range batch {
		if other == w {
			mine, err = turns[i].grant, turns[i].err
		}
	}
	return mine, err
}

var errInterrupted = errors.New("the order that led others was interrupted")

// together grants the batch at once, and one by one those that this cannot decide: orders that have reservations, or
// that would be split or wait for goods.
func (c *coalescer) together(ctx context.Context, key hotKey, batch []*waiter, turns []turn) {
	claims := make([]claim, 0, len(batch))
	seen := make(map[string]bool, len(batch))
	for _, w := range batch {
		if !seen[w.orderID] {
			claims, seen[w.orderID] = append(claims, w.claim), true
		}
	}
	var grants map[string]grant
	err := postgres.Retry(ctx, func() (err error) {
		grants, err = c.many(ctx, key, claims)
		return err
	})
	told := make(map[string]bool, len(batch))
	for i, w := range batch {
		g, decided := grants[w.orderID]
		switch {
		case err != nil && !errors.Is(err, errAlreadyReserved):
			turns[i] = turn{err: err}
		case err == nil && decided && !told[w.orderID] && (g.granted || len(g.shortages) > 0 && g.shortages[0].Available < key.quantity):
			if len(told) > 0 {
				g.left = nil // the first one tells of it
			}
			turns[i] = turn{grant: g}
		default:
			g, err := c.one(ctx, w.claim, []Item{{SKU: key.sku, Quantity: key.quantity}})
			turns[i] = turn{grant: g, err: err}
		}
		told[w.orderID] = true
	}
}

// next makes the first of those that wait the leader of all of them, or ends the queue.
func (c *coalescer) next(key hotKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	queue := c.queues[key]
	if len(*queue) == 0 {
		delete(c.queues, key)
		return
	}
	n := min(len(*queue), maxTogether)
	batch := append([]*waiter(nil), (*queue)[:n]...)
	*queue = append([]*waiter(nil), (*queue)[n:]...)
	batch[0].turn <- turn{batch: batch}
}
