package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"shopd/internal/rig"
)

// merchant does what staff do meanwhile: takes money that came by transfer, sends goods, brings stock. It repeats what
// was not answered, always under the same key.
type merchant struct {
	shop    *caller
	header  []string
	journal *journal
	work    chan chore
	stop    chan struct{}
	done    sync.WaitGroup
}

type chore struct {
	what, order string
}

const (
	merchantHands = 4
	// choresKept bounds what waits to be done; what comes beyond it is not done at all.
	choresKept  = 4096
	restockEach = 4 * time.Second
)

func newMerchant(shop *caller, apiKey string, j *journal) *merchant {
	return &merchant{
		shop: shop, header: []string{"Authorization", "Bearer " + apiKey}, journal: j, work: make(chan chore, choresKept), stop: make(chan struct{}),
	}
}

// do puts something on the list of what is to be done.
func (m *merchant) do(what, order string) { m.put(chore{what, order}) }

func (m *merchant) put(c chore) {
	select {
	case m.work <- c:
	default:
	}
}

// open begins the work; it goes on until close.
func (m *merchant) open(ctx context.Context, goods []article, seed uint64) {
	for range merchantHands {
		m.done.Go(func() {
			for c := range m.work {
				m.serve(ctx, c)
			}
		})
	}
	m.done.Go(func() { m.bringStock(ctx, goods, rand.New(rand.NewPCG(seed, 1<<50))) })
}

// close ends the work when what waits has been done.
func (m *merchant) close() {
	close(m.stop)
	close(m.work)
	m.done.Wait()
}

func (m *merchant) bringStock(ctx context.Context, goods []article, rng *rand.Rand) {
	for n := 0; ; n++ {
		select {
		case <-m.stop:
			return
		case <-time.After(restockEach):
		}
		a := goods[rng.IntN(len(goods))]
		if a.kind == scarce {
			m.restock(ctx, a.sku, int64(1+rng.IntN(12)), fmt.Sprintf("restock-%d", n))
		}
	}
}

// restock brings pieces of an article in, once for each key.
func (m *merchant) restock(ctx context.Context, sku string, pieces int64, key string) {
	a := m.call(ctx, adminAPI+"/inventory/"+sku+"/adjustments", map[string]any{"quantity": pieces, "reason": key}, key)
	if a.ok() {
		m.journal.restock(sku, pieces)
	} else if !a.lost() {
		m.journal.breach("adjusting %s by %d is refused: %s", sku, pieces, a)
	}
}

// call repeats a request of staff until it is answered.
func (m *merchant) call(ctx context.Context, path string, body any, key string) answer {
	header := append([]string{idempotencyKey, key}, m.header...)
	var a answer
	for n := range 40 { // more than any fault lasts
		a = m.shop.do(ctx, managing, answerPatience, http.MethodPost, path, body, header...)
		m.journal.answered("merchant", key, repeat{http.MethodPost, path, body, header}, a)
		if !a.lost() && a.code() != "request_in_progress" {
			break
		}
		if rig.Pause(ctx, min(time.Duration(n+1)*300*time.Millisecond, 3*time.Second)) != nil {
			break
		}
	}
	return a
}
