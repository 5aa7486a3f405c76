package gatewaytest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Delivering says how webhooks are brought.
type Delivering struct {
	// URL is where they go; empty brings none.
	URL string `json:"url"`
	// Copies is how many of each are brought beside the first one.
	Copies int `json:"copies"`
	// Delay is the longest that each copy waits, by chance: with it, they arrive in another order than they happened.
	Delay Duration `json:"delay"`
	// Hold keeps them until they are delivered by their ids.
	Hold bool `json:"hold"`
	// Lose is the probability that a copy is never brought.
	Lose float64 `json:"lose"`
	// Tries is how often one is brought that was not answered with 2xx; 0 is 8.
	Tries int `json:"tries"`
}

// Event is a webhook that a gateway has to tell.
type Event struct {
	ID      string    `json:"id"`
	Type    string    `json:"type"`
	Ref     string    `json:"ref"` // the payment it speaks of
	OrderID string    `json:"order_id,omitempty"`
	Body    []byte    `json:"-"`
	At      time.Time `json:"at"`
	// Answers are the statuses that deliveries met; 0 is no answer.
	Answers []int `json:"answers"`
}

// Courier brings webhooks to the shop.
type Courier struct {
	// Sign returns the headers that prove where a body comes from.
	sign   func(body []byte) http.Header
	now    func() time.Time
	client *http.Client

	mu     sync.Mutex
	how    Delivering
	events map[string]*Event
	order  []string
	under  int // deliveries under way
	wg     sync.WaitGroup
	ctx    context.Context
	stop   context.CancelFunc
}

const (
	deliveryTimeout = 10 * time.Second
	deliveryTries   = 8
	deliveryPause   = 250 * time.Millisecond
)

// NewCourier returns a courier that signs with sign.
func NewCourier(sign func(body []byte) http.Header, now func() time.Time) *Courier {
	ctx, stop := context.WithCancel(context.Background())
	return &Courier{
		sign: sign, now: now, events: map[string]*Event{}, ctx: ctx, stop: stop,
		client: &http.Client{Timeout: deliveryTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}},
	}
}

// Close ends all deliveries.
func (c *Courier) Close() {
	c.stop()
	c.wg.Wait()
	c.client.CloseIdleConnections()
}

// Deliver says how webhooks are brought from now on.
func (c *Courier) Deliver(how Delivering) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.how = how
}

// How is how webhooks are brought.
func (c *Courier) How() Delivering {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.how
}

// Pending is how many deliveries are under way: not answered with 2xx yet, and not given up.
func (c *Courier) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.under
}

// Events are all that were told, the oldest first.
func (c *Courier) Events() []Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Event, 0, len(c.order))
	for _, id := range c.order {
		e := *c.events[id]
		e.Answers = append([]int{}, e.Answers...)
		list = append(list, e)
	}
	return list
}

// Reset forgets what was told.
func (c *Courier) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events, c.order = map[string]*Event{}, nil
}

// Tell takes an event to the shop, as often and as late as it was told to.
func (c *Courier) Tell(e Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.At = c.now()
	if _, known := c.events[e.ID]; !known {
		c.order = append(c.order, e.ID)
	}
	c.events[e.ID] = &e
	if c.how.URL == "" || c.how.Hold {
		return
	}
	for range 1 + c.how.Copies {
		if c.how.Lose > 0 && rand.Float64() < c.how.Lose {
			continue
		}
		var pause time.Duration
		if c.how.Delay > 0 {
			pause = time.Duration(rand.Int64N(int64(c.how.Delay)))
		}
		c.under++
		c.wg.Go(func() {
			c.bring(e.ID, e.Body, pause)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.under--
		})
	}
}

// Bring delivers the events with these ids now, one after the other, and returns what the shop answered to each.
func (c *Courier) Bring(ids ...string) ([]int, error) {
	answers := make([]int, len(ids))
	for i, id := range ids {
		c.mu.Lock()
		e, ok := c.events[id]
		c.mu.Unlock()
		if !ok {
			return answers[:i], fmt.Errorf("there is no event %q", id)
		}
		status, err := c.once(id, e.Body)
		if err != nil {
			return answers[:i], err
		}
		answers[i] = status
	}
	return answers, nil
}

func (c *Courier) bring(id string, body []byte, pause time.Duration) {
	tries := c.How().Tries
	if tries <= 0 {
		tries = deliveryTries
	}
	for try := range tries {
		select {
		case <-c.ctx.Done():
			return
		case <-time.After(pause):
		}
		if status, err := c.once(id, body); err == nil && status >= 200 && status < 300 {
			return
		}
		pause = deliveryPause << min(try, 6)
	}
}

// once brings a body to the shop.
func (c *Courier) once(id string, body []byte) (int, error) {
	status, err := c.post(body)
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.events[id]; ok {
		e.Answers = append(slices.Clip(e.Answers), status)
	}
	return status, err
}

func (c *Courier) post(body []byte) (int, error) {
	req, err := http.NewRequestWithContext(c.ctx, http.MethodPost, c.How().URL, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header = c.sign(body)
	req.Header.Set("Content-Type", "application/json")
	res, err := c.client.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}
