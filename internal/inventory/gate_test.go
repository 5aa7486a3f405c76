package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"shopd/internal/inventory"
	"shopd/internal/platform/embedded"
	"shopd/internal/platform/errs"
)

// raw is a connection to the gate's Redis beside the service.
func (b *bundle) raw(t *testing.T) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(b.redisURL)
	require.NoError(t, err)
	client := redis.NewClient(options)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

func hot(quantity int64) []inventory.Item { return []inventory.Item{{SKU: "HOT", Quantity: quantity}} }

const leftOfHot = "shopd:{gate}:left:HOT"

func TestTheGateRefusesWithoutTouchingTheStock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receive(t, 1, "HOT")
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_1", hot(1), time.Hour))
	// Whoever came to the row now would wait for this.
	tx := b.begin(t)
	_, err := tx.Exec(t.Context(), `select from inventory.stock where sku = 'HOT' for update`)
	require.NoError(t, err)
	require.NoError(t, b.raw(t).Persist(t.Context(), leftOfHot).Err(), "a slow test must not outlive what the gate knows")
	for i := range 20 {
		err := b.svc.Reserve(t.Context(), fmt.Sprintf("ord_late_%d", i), hot(1), time.Hour)
		require.ErrorIs(t, err, inventory.ErrOutOfStock)
		require.ErrorContains(t, err, "HOT is sold out")
	}
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_1", hot(1), time.Hour), "who holds the last one is not refused")
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, testutil.GatherAndCompare(b.metrics, strings.NewReader(`
# HELP shopd_stock_gate_total Orders by what the gate before the stock said; bypassed while Redis is away.
# TYPE shopd_stock_gate_total counter
shopd_stock_gate_total{outcome="admitted"} 1
shopd_stock_gate_total{outcome="known"} 1
shopd_stock_gate_total{outcome="refused"} 20
`), "shopd_stock_gate_total"))
}

func TestTheGateWrongInBothDirections(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receive(t, 3, "HOT")
	known := func(left int) {
		t.Helper()
		require.NoError(t, b.raw(t).HSet(t.Context(), leftOfHot, "left", left, "version", 1).Err())
		require.NoError(t, b.raw(t).PExpire(t.Context(), leftOfHot, time.Second).Err())
	}
	known(0) // too few: a sale is refused for as long as the gate may believe that, and then made
	err := b.svc.Reserve(t.Context(), "ord_0", hot(2), time.Hour)
	require.ErrorIs(t, err, inventory.ErrOutOfStock)
	require.Eventually(t, func() bool {
		return b.svc.Reserve(t.Context(), "ord_1", hot(2), time.Hour) == nil
	}, 20*time.Second, 50*time.Millisecond)

	known(1000) // too many: PostgreSQL refuses, and the gate learns of it
	require.ErrorIs(t, b.svc.Reserve(t.Context(), "ord_2", hot(2), time.Hour), inventory.ErrOutOfStock)
	left, err := b.raw(t).HGet(t.Context(), leftOfHot, "left").Int()
	require.NoError(t, err)
	require.Equal(t, 1, left)
	require.Equal(t, [2]int64{3, 2}, b.level(t, "HOT", "main"))
}

// Somebody was let through and never came to PostgreSQL: what they seem to have taken comes back.
func TestATicketThatWasNeverUsedIsNoSaleLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receive(t, 2, "HOT")
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_1", hot(1), time.Hour))
	require.NoError(t, b.raw(t).HIncrBy(t.Context(), leftOfHot, "left", -1).Err(), "a process died after it was let through")
	require.Eventually(t, func() bool {
		return b.svc.Reserve(t.Context(), "ord_2", hot(1), time.Hour) == nil
	}, 20*time.Second, 50*time.Millisecond)
}

func TestMoreStockOpensTheGateAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receive(t, 1, "HOT")
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_1", hot(1), time.Hour))
	for i, more := range []func(){
		func() { b.put(t, "HOT", "main", 1) },
		func() { b.receive(t, 3, "HOT") },
		func() {
			require.NoError(t, b.svc.TakeBack(t.Context(), inventory.Return{ID: "ret_1", Items: hot(1), Actor: "test"}))
		},
		func() {
			require.NoError(t, b.svc.SetTerms(t.Context(), inventory.Terms{SKU: "HOT", Backorder: &inventory.Backorder{Policy: inventory.BackorderLimit, Limit: 1}}))
		},
	} {
		require.ErrorIs(t, b.svc.Reserve(t.Context(), "ord_none", hot(1), time.Hour), inventory.ErrOutOfStock)
		more()
		require.NoError(t, b.svc.Reserve(t.Context(), fmt.Sprintf("ord_more_%d", i), hot(1), time.Hour))
	}
}

func TestRedisIsEmptiedInTheMiddleOfARush(t *testing.T) {
	t.Parallel()
	b := setup(t)
	replicas := []*inventory.Service{b.svc, b.replica(t, b.redisURL, prometheus.NewRegistry())}
	const pieces, buyers = 100, 500
	b.receive(t, pieces, "HOT")
	stop := b.watch(t, map[string]int64{"HOT": pieces})
	client := b.raw(t)
	ctx, cancel := context.WithCancel(t.Context())
	var flushing sync.WaitGroup
	var flushes atomic.Int64
	flushing.Go(func() {
		for ctx.Err() == nil {
			if client.FlushDB(ctx).Err() == nil {
				flushes.Add(1)
			}
			time.Sleep(time.Millisecond)
		}
	})
	sold := b.rush(t, replicas, buyers)
	cancel()
	flushing.Wait()
	stop()
	require.Positive(t, flushes.Load())
	require.Equal(t, pieces, sold)
	require.Equal(t, [2]int64{pieces, pieces}, b.level(t, "HOT", "main"))
	b.explained(t)
}

func TestWhatIsScarceIsLearnedAgainAfterALoss(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receive(t, 5, "HOT", "OTHER")
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_1", hot(3), time.Hour))
	client := b.raw(t)
	require.NoError(t, client.FlushDB(t.Context()).Err())
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_2", []inventory.Item{{SKU: "OTHER", Quantity: 1}}, time.Hour))
	left, err := client.HGetAll(t.Context(), leftOfHot).Result()
	require.NoError(t, err)
	require.Equal(t, map[string]string{"left": "2", "version": "2"}, left, "from PostgreSQL")
	require.NoError(t, testutil.GatherAndCompare(b.metrics, strings.NewReader(`
# HELP shopd_stock_gate_losses_total Times that Redis had lost what the gate knew.
# TYPE shopd_stock_gate_losses_total counter
shopd_stock_gate_losses_total 1
`), "shopd_stock_gate_losses_total"))
}

func TestARushWithoutRedis(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receive(t, 100, "HOT")
	gone, err := embedded.StartRedis()
	require.NoError(t, err)
	replicas := []*inventory.Service{b.replica(t, gone.URL(), prometheus.NewRegistry()), b.replica(t, gone.URL(), prometheus.NewRegistry())}
	require.NoError(t, replicas[0].Reserve(t.Context(), "ord_first", hot(1), time.Hour))
	gone.Stop()
	stop := b.watch(t, map[string]int64{"HOT": 100})
	sold := b.rush(t, replicas, 500)
	stop()
	require.Equal(t, 99, sold)
	b.explained(t)
}

// hoard lets a holder reserve until it is refused, and returns how often it was not.
func hoard(t *testing.T, svc *inventory.Service, h inventory.Holder, name string) int {
	t.Helper()
	for i := range 50 {
		err := svc.ReserveFor(t.Context(), h, fmt.Sprintf("ord_%s_%d", name, i), hot(1), time.Hour)
		if errors.Is(err, inventory.ErrTooManyHolds) {
			require.Equal(t, errs.RateLimited, errs.KindOf(err))
			return i
		}
		require.NoError(t, err)
	}
	return 50
}

func TestNobodyHoardsStockWithManyCarts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.replica(t, b.redisURL, prometheus.NewRegistry())
	b.receive(t, 1000, "HOT")
	mallory, alice := inventory.Holder{Key: "mallory", Most: 5}, inventory.Holder{Key: "alice", Most: 5}
	require.Equal(t, 5, hoard(t, b.svc, mallory, "a"))
	require.Equal(t, 0, hoard(t, other, mallory, "b"), "on every replica")
	require.Equal(t, [2]int64{1000, 5}, b.level(t, "HOT", "main"))
	require.NoError(t, b.svc.ReserveFor(t.Context(), mallory, "ord_a_0", hot(1), time.Hour), "an order that has its stock")
	require.Equal(t, 5, hoard(t, b.svc, alice, "c"), "others may")
	require.Equal(t, 50, hoard(t, b.svc, inventory.Holder{}, "d"), "who is not counted may")

	require.NoError(t, b.svc.Release(t.Context(), "ord_a_1", "cancelled"))
	require.Equal(t, 1, hoard(t, other, mallory, "e"))
	b.pay(t, "ord_a_2", hot(1)...)
	require.NoError(t, b.subscription(t, "inventory.cache").Project(t.Context(), nil), "the consumer that hears of the sale")
	require.Equal(t, 1, hoard(t, other, mallory, "f"))
}

func TestNobodyHoardsStockWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receive(t, 1000, "HOT")
	gone, err := embedded.StartRedis()
	require.NoError(t, err)
	svc := b.replica(t, gone.URL(), prometheus.NewRegistry())
	gone.Stop()
	mallory := inventory.Holder{Key: "mallory", Most: 10}
	require.Equal(t, 5, hoard(t, svc, mallory, "a"), "each of two replicas allows its part")
	require.NoError(t, svc.Release(t.Context(), "ord_a_1", "cancelled"))
	require.Equal(t, 1, hoard(t, svc, mallory, "b"))
	b.clock.forward(2 * time.Hour)
	require.Equal(t, 5, hoard(t, svc, mallory, "c"), "their time is up")
}

func TestHoardingInARace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	replicas := []*inventory.Service{b.svc, b.replica(t, b.redisURL, prometheus.NewRegistry())}
	b.receive(t, 1000, "HOT")
	var held atomic.Int64
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			<-start
			err := replicas[i%2].ReserveFor(context.WithoutCancel(t.Context()), inventory.Holder{Key: "mallory", Most: 7}, fmt.Sprintf("ord_%d", i), hot(1), time.Hour)
			switch {
			case err == nil:
				held.Add(1)
			case !errors.Is(err, inventory.ErrTooManyHolds):
				t.Errorf("order %d: %v", i, err)
			}
		})
	}
	close(start)
	wg.Wait()
	require.Equal(t, int64(7), held.Load())
}
