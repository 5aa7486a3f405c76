package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"shopd/internal/rig"
)

const (
	// accounts is how many registered customers there are; each buys many times.
	accounts = 24
	// crowdLimit is how many buyers are in the shop at once. Further ones wait outside: the load is bounded however slow
	// the shop is.
	crowdLimit = 250
	// bearerLife is how long a customer stays signed in; then the next purchase signs in again.
	bearerLife = 30 * time.Second
	// flashEvery is how often everybody comes at once, and flashCrowd how many those are.
	flashEvery = 25 * time.Second
	flashCrowd = 40
	flashStock = 10
	password   = "correct horse battery storm"
)

// crowd is all buyers of a run.
type crowd struct {
	seed     uint64
	rate     float64 // purchases begun in a second
	canary   string  // in every name, address and mail address: it must be found nowhere in clear
	goods    []article
	shop     *caller
	journal  *journal
	merchant *merchant
	bank     *bank

	mu      sync.Mutex
	bearers [accounts]struct {
		sync.Mutex
		token string
		until time.Time
	}
	inside sync.WaitGroup
	slots  chan struct{}
	next   uint64
}

func newCrowd(seed uint64, rate float64, s *stand, j *journal, t *traffic) *crowd {
	shop := newCaller(s.balancer.url, t)
	return &crowd{
		seed: seed, rate: rate, canary: fmt.Sprintf("Kanarienvogel%x", seed), goods: s.goods, shop: shop, journal: j,
		merchant: newMerchant(shop, s.apiKey, j), bank: s.bank, slots: make(chan struct{}, crowdLimit),
	}
}

func (c *crowd) email(account int) string {
	return fmt.Sprintf("%s.customer%d@example.com", c.canary, account)
}

// address is where buyer n lives.
func (c *crowd) address(n uint64) map[string]any {
	return map[string]any{
		"email": fmt.Sprintf("%s.buyer%d@example.com", c.canary, n),
		"shipping": map[string]string{
			"name": c.canary + " Storm", "line1": fmt.Sprintf("%d %s Lane", n%97+1, c.canary), "city": "Springfield", "region": "IL", "postal_code": "62701",
			"country": "US",
		},
	}
}

// register makes the accounts, before any fault.
func (c *crowd) register(ctx context.Context) error {
	for i := range accounts {
		body := map[string]string{"email": c.email(i), "password": password, "name": c.canary + " Customer"}
		if a := c.shop.do(ctx, signingIn, answerPatience, http.MethodPost, storeAPI+"/auth/register", body); !a.ok() {
			return fmt.Errorf("register a customer: %s", a)
		}
		if _, ok := c.bearer(ctx, i); !ok {
			return fmt.Errorf("customer %d cannot sign in", i)
		}
	}
	return nil
}

// bearer signs an account in, unless it is.
func (c *crowd) bearer(ctx context.Context, account int) (string, bool) {
	b := &c.bearers[account]
	b.Lock()
	defer b.Unlock()
	if time.Now().Before(b.until) {
		return b.token, true
	}
	for n := range insistTries {
		a := c.shop.do(ctx, signingIn, answerPatience, http.MethodPost, storeAPI+"/auth/login", map[string]string{"email": c.email(account), "password": password})
		var tokens struct {
			AccessToken string `json:"access_token"`
		}
		if a.ok() && json.Unmarshal(a.body, &tokens) == nil {
			b.token, b.until = tokens.AccessToken, time.Now().Add(bearerLife)
			return b.token, true
		}
		if !a.lost() {
			c.journal.breach("customer %d cannot sign in: %s", account, a)
			return "", false
		}
		if rig.Pause(ctx, time.Duration(n+1)*300*time.Millisecond) != nil {
			break
		}
	}
	return "", false
}

// come lets buyers come until ctx ends, at the rate, with crowds in between, and returns when the last has left.
func (c *crowd) come(ctx context.Context) {
	// Who is inside when the run ends goes through with it.
	inside := context.WithoutCancel(ctx)
	pace := time.NewTicker(time.Duration(float64(time.Second) / c.rate))
	defer pace.Stop()
	rush := time.NewTicker(flashEvery)
	defer rush.Stop()
	for round := 0; ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case <-pace.C:
			select {
			case c.slots <- struct{}{}:
				c.enter(inside, draw(c.seed, c.next, c.goods))
			default: // it is full: this one goes elsewhere
			}
		case <-rush.C:
			round++
			c.inside.Go(func() { c.rush(inside, round) })
		}
	}
	c.inside.Wait()
}

// enter lets the next buyer in, who has a slot.
func (c *crowd) enter(ctx context.Context, p plan) {
	n := c.next
	c.next++
	c.inside.Go(func() {
		defer func() { <-c.slots }()
		c.buy(ctx, n, p)
	})
}

func (c *crowd) buy(ctx context.Context, n uint64, p plan) {
	b := &buyer{plan: p, n: n, shop: c.shop, journal: c.journal, crowd: c, rng: rand.New(rand.NewPCG(n, c.seed)), p: &purchase{
		N: int(n), At: time.Now(), Kind: string(p.temper) + " " + p.method, Wants: map[string]int{}, Account: p.account,
	}}
	b.p.Outcome = b.buy(ctx)
	c.journal.close(b.p)
}

// rush is a flash sale: a few pieces of some articles come in, and many buyers want all of them in the same moment, half
// of them in the opposite order. Their numbers are far from those of the others.
func (c *crowd) rush(ctx context.Context, round int) {
	var skus []string
	for _, a := range c.goods {
		if a.kind == flash {
			skus = append(skus, a.sku)
		}
	}
	rng := rand.New(rand.NewPCG(c.seed, uint64(round)<<40))
	for _, sku := range skus {
		c.merchant.restock(ctx, sku, flashStock, fmt.Sprintf("flash-%d-%s", round, sku))
	}
	coupon := fmt.Sprintf("FLASH-%d", round)
	c.merchant.promote(ctx, coupon, rushLimit, 0)
	start := make(chan struct{})
	var ready, group sync.WaitGroup
	for i := range flashCrowd {
		n := uint64(round)<<20 | uint64(i) | 1<<60
		p := draw(c.seed, n, c.goods)
		p.browses, p.account, p.coupon = false, -1, coupon
		from := rng.IntN(len(skus))
		p.lines = []line{{skus[from], 1}, {skus[(from+1)%len(skus)], 1}}
		if i%2 == 0 {
			p.lines[0], p.lines[1] = p.lines[1], p.lines[0]
		}
		ready.Add(1)
		group.Go(func() {
			b := &buyer{plan: p, n: n, shop: c.shop, journal: c.journal, crowd: c, rng: rand.New(rand.NewPCG(n, c.seed)), p: &purchase{
				N: int(n), At: time.Now(), Kind: "flash " + string(p.temper) + " " + p.method, Wants: map[string]int{}, Account: p.account,
			}}
			filled := b.fill(ctx)
			ready.Done()
			<-start
			b.p.Outcome = untried
			if filled {
				b.p.Outcome = b.pay(ctx, p.method, p.second)
			}
			c.journal.close(b.p)
		})
	}
	ready.Wait()
	close(start)
	group.Wait()
}
