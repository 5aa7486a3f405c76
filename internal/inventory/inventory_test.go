package inventory_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"shopd/internal/events"
	"shopd/internal/inventory"
	"shopd/internal/money"
	"shopd/internal/platform/broker"
	"shopd/internal/platform/cache"
	"shopd/internal/platform/id"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/testenv"
)

type bundle struct {
	svc      *inventory.Service
	db       *pgxpool.Pool // as the domain
	admin    *pgxpool.Pool // the owner, who may look everywhere
	redisURL string
	alerts   *alerts
	metrics  *prometheus.Registry
	clock    *clock
}

// alerts keeps what people were told.
type alerts struct {
	mu   sync.Mutex
	list []inventory.Alert
}

func (a *alerts) Alert(_ context.Context, _ pgx.Tx, al inventory.Alert) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, al)
	return nil
}

// clock is the real one until it is set forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Now().Add(time.Duration(c.ahead.Load())).UTC().Truncate(time.Microsecond)
}

func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

func setup(t testing.TB) *bundle {
	t.Helper()
	url := testenv.Database(t)
	db, err := postgres.Open(t.Context(), postgres.Config{URL: url, Role: "shopd_inventory", MaxConns: 16})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	admin, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(admin.Close)
	b := &bundle{db: db, admin: admin, redisURL: testenv.RedisURL(t), alerts: &alerts{}, metrics: prometheus.NewRegistry(), clock: &clock{}}
	b.svc = b.replica(t, b.redisURL, b.metrics)
	return b
}

// replica is another process of the shop on the same database.
func (b *bundle) replica(t testing.TB, redisURL string, metrics *prometheus.Registry) *inventory.Service {
	t.Helper()
	client, err := cache.Connect(redisURL)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return b.service(t, client, client, metrics)
}

// gateless is a process without a gate, so that PostgreSQL is asked about everything.
func (b *bundle) gateless(t *testing.T) *inventory.Service {
	t.Helper()
	return b.service(t, b.raw(t), nil, prometheus.NewRegistry())
}

func (b *bundle) service(t testing.TB, client, gate redis.UniversalClient, metrics *prometheus.Registry) *inventory.Service {
	t.Helper()
	store, err := cache.NewStore(client, metrics)
	require.NoError(t, err)
	svc, err := inventory.New(inventory.Deps{
		DB: b.db, Cache: store, Redis: gate, Patience: 10 * time.Second, Replicas: 2, Alerter: b.alerts, Log: slog.New(slog.DiscardHandler), Now: b.clock.now, Registerer: metrics,
	})
	require.NoError(t, err)
	return svc
}

func (b *bundle) stock(t *testing.T, sku string) (onHand, reserved int64) {
	t.Helper()
	require.NoError(t, b.admin.QueryRow(t.Context(), `select on_hand, reserved from public_views.v_stock where sku = $1`, sku).Scan(&onHand, &reserved))
	return onHand, reserved
}

func (b *bundle) receive(t testing.TB, quantity int64, skus ...string) {
	t.Helper()
	items := make([]inventory.Item, len(skus))
	for i, sku := range skus {
		items[i] = inventory.Item{SKU: sku, Quantity: quantity}
	}
	_, err := b.svc.SetOnHand(t.Context(), items, "delivery", "test")
	require.NoError(t, err)
}

func facts(orderID string, lines ...inventory.Item) events.OrderFacts {
	f := events.OrderFacts{OrderID: orderID, Total: money.New(1, "EUR"), Version: 2, At: time.Now()}
	for _, l := range lines {
		f.Lines = append(f.Lines, events.OrderLine{SKU: l.SKU, Quantity: int(l.Quantity)})
	}
	return f
}

// deliver hands events to the consumer of orders in one transaction, as the broker does.
func (b *bundle) deliver(t *testing.T, evs ...events.Event) {
	t.Helper()
	var batch []events.Envelope
	for _, ev := range evs {
		env, err := events.Wrap(ev, time.Now(), "")
		require.NoError(t, err)
		batch = append(batch, env)
	}
	sub := b.subscription(t, "inventory.orders")
	require.NoError(t, pgx.BeginFunc(t.Context(), sub.Pool, func(tx pgx.Tx) error { return sub.Handle(t.Context(), tx, batch) }))
}

func (b *bundle) subscription(t *testing.T, consumer string) broker.Subscription {
	t.Helper()
	for _, s := range b.svc.Subscriptions() {
		if s.Consumer == consumer {
			return s
		}
	}
	t.Fatalf("no subscription %s", consumer)
	return broker.Subscription{}
}

func TestReservationIsAllOrNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receive(t, 5, "A", "B")
	err := b.svc.Reserve(t.Context(), "ord_1", []inventory.Item{{SKU: "A", Quantity: 2}, {SKU: "B", Quantity: 6}, {SKU: "none", Quantity: 1}}, time.Minute)
	require.ErrorIs(t, err, inventory.ErrOutOfStock)
	require.ErrorContains(t, err, "out_of_stock")
	_, reserved := b.stock(t, "A")
	require.Zero(t, reserved)

	require.NoError(t, b.svc.Reserve(t.Context(), "ord_2", []inventory.Item{{SKU: "A", Quantity: 2}, {SKU: "A", Quantity: 3}}, time.Minute), "equal articles are summed")
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_2", []inventory.Item{{SKU: "A", Quantity: 5}}, time.Minute), "a repeated call is harmless")
	onHand, reserved := b.stock(t, "A")
	require.Equal(t, []int64{5, 5}, []int64{onHand, reserved})
}

func TestOrderGoesThroughSoldReleasedAndReturned(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receive(t, 10, "A")
	for i, order := range []string{"sold", "released", "returned"} {
		item := inventory.Item{SKU: "A", Quantity: int64(i + 1)}
		require.NoError(t, b.svc.Reserve(t.Context(), order, []inventory.Item{item}, time.Minute))
	}
	b.deliver(t,
		events.OrderPaid{OrderFacts: facts("sold", inventory.Item{SKU: "A", Quantity: 1})},
		events.OrderPaid{OrderFacts: facts("returned", inventory.Item{SKU: "A", Quantity: 3})},
		events.OrderCancelled{OrderFacts: facts("released", inventory.Item{SKU: "A", Quantity: 2})},
	)
	onHand, reserved := b.stock(t, "A")
	require.Equal(t, []int64{6, 0}, []int64{onHand, reserved})
	for range 3 { // delivered again, nothing moves again
		b.deliver(t,
			events.OrderCancelled{OrderFacts: facts("returned", inventory.Item{SKU: "A", Quantity: 3}), WasPaid: true},
			events.OrderPaid{OrderFacts: facts("sold", inventory.Item{SKU: "A", Quantity: 1})},
		)
	}
	onHand, reserved = b.stock(t, "A")
	require.Equal(t, []int64{9, 0}, []int64{onHand, reserved})

	var moved int64
	require.NoError(t, b.admin.QueryRow(t.Context(),
		`select sum(quantity) from public_views.v_stock_movements where sku = 'A' and kind not in ('reserved', 'released')`).Scan(&moved))
	require.Equal(t, onHand, moved, "the movements explain what is on hand")
}

func TestEveryChangeAnnouncesTheLevelItLeft(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receive(t, 3, "A")
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_1", []inventory.Item{{SKU: "A", Quantity: 2}}, time.Minute))
	b.deliver(t, events.OrderPaid{OrderFacts: facts("ord_1", inventory.Item{SKU: "A", Quantity: 2})})
	rows, err := b.admin.Query(t.Context(), `select event_id, data from platform.outbox where type = 'inventory.stock_changed.v1' order by aggregate_version`)
	require.NoError(t, err)
	var eventID string
	var data []byte
	var told []events.StockChanged
	_, err = pgx.ForEachRow(rows, []any{&eventID, &data}, func() error {
		require.True(t, id.Valid("evt", eventID), eventID)
		var ev events.StockChanged
		require.NoError(t, json.Unmarshal(data, &ev))
		told = append(told, ev)
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []events.StockChanged{
		{SKU: "A", Location: "main", OnHand: 3, Available: 3, Orderable: 3, Kind: "received", Version: 1},
		{SKU: "A", Location: "main", OnHand: 3, Reserved: 2, Available: 1, Orderable: 1, Kind: "reserved", OrderID: "ord_1", Version: 2},
		{SKU: "A", Location: "main", OnHand: 1, Available: 1, Orderable: 1, Kind: "sold", OrderID: "ord_1", Version: 3},
	}, told)
}

func TestTwoHundredBuyersNeverOversell(t *testing.T) {
	t.Parallel()
	b := setup(t)
	skus := []string{"A", "B", "C", "D", "E"}
	const pieces, buyers = 10, 200
	b.receive(t, pieces, skus...)
	var granted atomic.Int64
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range buyers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(i)))
			first := r.IntN(len(skus))
			second := (first + 1 + r.IntN(len(skus)-1)) % len(skus)
			items := []inventory.Item{{SKU: skus[first], Quantity: 1}, {SKU: skus[second], Quantity: 1}} // in any order
			<-start
			err := b.svc.Reserve(context.WithoutCancel(t.Context()), fmt.Sprintf("ord_%d", i), items, time.Minute)
			switch {
			case err == nil:
				granted.Add(2)
			case errors.Is(err, inventory.ErrOutOfStock):
			default:
				t.Errorf("buyer %d: %v", i, err)
			}
		})
	}
	close(start)
	wg.Wait()
	var total int64
	for _, sku := range skus {
		onHand, reserved := b.stock(t, sku)
		require.LessOrEqual(t, reserved, onHand, sku)
		total += reserved
	}
	require.Equal(t, granted.Load(), total)
	require.Greater(t, total, int64(pieces*len(skus)*8/10), "what is there gets sold")
}

func TestAdjustmentNeverTakesWhatIsPromised(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receive(t, 4, "A")
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_1", []inventory.Item{{SKU: "A", Quantity: 3}}, time.Minute))
	_, _, err := b.svc.Adjust(t.Context(), inventory.Adjustment{SKU: "A", Quantity: -2, Reason: "broken", Actor: "test"})
	require.ErrorIs(t, err, inventory.ErrTooMuch)
	level, _, err := b.svc.Adjust(t.Context(), inventory.Adjustment{SKU: "A", Quantity: -1, Reason: "broken", Actor: "test"})
	require.NoError(t, err)
	require.Equal(t, int64(0), level.Available)
	_, _, err = b.svc.Adjust(t.Context(), inventory.Adjustment{SKU: "A", Quantity: 0, Actor: "test"})
	require.ErrorContains(t, err, "invalid_quantity")
}

func TestCacheFollowsTheNewestEventAndSurvivesAnOldOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receive(t, 4, "A")
	available, err := b.svc.Available(t.Context(), []string{"A", "none"})
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"A": 4}, available)
	project := b.subscription(t, "inventory.cache").Project
	tell := func(version, pieces int64) {
		env, err := events.Wrap(events.StockChanged{SKU: "A", Location: "main", Available: pieces, Version: version}, time.Now(), "")
		require.NoError(t, err)
		require.NoError(t, project(t.Context(), []events.Envelope{env}))
	}
	tell(9, 1)
	tell(5, 3)
	require.Eventually(t, func() bool {
		available, err := b.svc.Available(t.Context(), []string{"A"})
		return err == nil && available["A"] == 1
	}, 20*time.Second, 20*time.Millisecond)
}

func TestExpiredHoldsAreFoundExtendedAndReleased(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receive(t, 4, "A")
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_1", []inventory.Item{{SKU: "A", Quantity: 1}}, -time.Second))
	held, err := b.svc.ExpiredHolds(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, []string{"ord_1"}, held)
	require.NoError(t, b.svc.Extend(t.Context(), "ord_1", time.Minute))
	held, err = b.svc.ExpiredHolds(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, held)
	b.clock.forward(2 * time.Minute)
	require.NoError(t, b.svc.Release(t.Context(), "ord_1", "test"))
	require.NoError(t, b.svc.Release(t.Context(), "ord_1", "test"), "again")
	require.ErrorIs(t, b.svc.Extend(t.Context(), "ord_1", time.Minute), inventory.ErrNotReserved)
	_, reserved := b.stock(t, "A")
	require.Zero(t, reserved)
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_2", []inventory.Item{{SKU: "A", Quantity: 1}}, time.Minute))
	b.deliver(t, events.OrderCancelled{OrderFacts: facts("ord_2", inventory.Item{SKU: "A", Quantity: 1}), Reason: events.NotPaidInTime})
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_3", []inventory.Item{{SKU: "A", Quantity: 1}}, time.Minute))
	require.NoError(t, b.svc.Release(t.Context(), "ord_3", "changed my mind"), "in time")
	require.NoError(t, testutil.GatherAndCompare(b.metrics, strings.NewReader(`
# HELP shopd_reservations_expired_total Orders whose stock was given back because its time had ended.
# TYPE shopd_reservations_expired_total counter
shopd_reservations_expired_total 2
`), "shopd_reservations_expired_total"))
}
