package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"shopd/internal/events"
	"shopd/internal/inventory"
)

// put brings pieces of an article into a location.
func (b *bundle) put(t *testing.T, sku, location string, quantity int64) {
	t.Helper()
	_, _, err := b.svc.Adjust(t.Context(), inventory.Adjustment{SKU: sku, Location: location, Quantity: quantity, Kind: inventory.Received, Actor: "test"})
	require.NoError(t, err)
}

// heldIn is what an order holds of an article by location.
func (b *bundle) heldIn(t *testing.T, order, sku string) map[string]int64 {
	t.Helper()
	rows, err := b.admin.Query(t.Context(), `select location, quantity from inventory.reservations where order_id = $1 and sku = $2`, order, sku)
	require.NoError(t, err)
	held := map[string]int64{}
	for rows.Next() {
		var location string
		var quantity int64
		require.NoError(t, rows.Scan(&location, &quantity))
		held[location] = quantity
	}
	require.NoError(t, rows.Err())
	return held
}

func TestOrdersAreServedFromTheFirstLocationThatHasAll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.location(t, "store", 50)
	b.location(t, "attic", 90)
	b.put(t, "A", "main", 3) // main has priority 10
	b.put(t, "A", "store", 5)
	b.put(t, "A", "attic", 8)
	b.put(t, "B", "attic", 1)
	reserve := func(order string, a int64) error {
		return b.svc.Reserve(t.Context(), order, []inventory.Item{{SKU: "A", Quantity: a}, {SKU: "B", Quantity: 1}}, time.Minute)
	}
	for _, tt := range []struct {
		quantity int64
		want     map[string]int64
	}{
		{2, map[string]int64{"main": 2}},
		{3, map[string]int64{"main": 3}},
		{4, map[string]int64{"store": 4}},
		{6, map[string]int64{"attic": 6}},
		{9, map[string]int64{"main": 3, "store": 5, "attic": 1}},
		{16, map[string]int64{"main": 3, "store": 5, "attic": 8}},
	} {
		order := fmt.Sprintf("ord_%d", tt.quantity)
		require.NoError(t, reserve(order, tt.quantity))
		require.Equal(t, tt.want, b.heldIn(t, order, "A"))
		require.Equal(t, map[string]int64{"attic": 1}, b.heldIn(t, order, "B"))
		require.NoError(t, b.svc.Release(t.Context(), order, "test"))
	}
	require.ErrorIs(t, reserve("ord_17", 17), inventory.ErrOutOfStock)
	require.Empty(t, b.heldIn(t, "ord_17", "B"), "all or nothing")
	b.explained(t)
}

func TestASplitOrderIsSoldAndComesBackWhereItWas(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.location(t, "store", 50)
	b.put(t, "A", "main", 3)
	b.put(t, "A", "store", 5)
	item := inventory.Item{SKU: "A", Quantity: 7}
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_1", []inventory.Item{item}, time.Minute))
	b.deliver(t, events.OrderPaid{OrderFacts: facts("ord_1", item)})
	require.Equal(t, [2]int64{0, 0}, b.level(t, "A", "main"))
	require.Equal(t, [2]int64{1, 0}, b.level(t, "A", "store"))
	b.deliver(t, events.OrderCancelled{OrderFacts: facts("ord_1", item), WasPaid: true})
	require.Equal(t, [2]int64{3, 0}, b.level(t, "A", "main"))
	require.Equal(t, [2]int64{5, 0}, b.level(t, "A", "store"))
	b.explained(t)
}

func TestBackordersFollowTheirPolicy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.location(t, "store", 50)
	terms := func(p inventory.BackorderPolicy, limit int64, location string) error {
		return b.svc.SetTerms(t.Context(), inventory.Terms{SKU: "A", Location: location, Backorder: &inventory.Backorder{Policy: p, Limit: limit}})
	}
	available := func() int64 {
		t.Helper()
		rows, err := b.svc.Levels(t.Context(), []string{"A"})
		require.NoError(t, err)
		var sum int64
		for _, l := range rows {
			sum += l.Orderable()
		}
		return sum
	}
	var orders int
	svc := b.gateless(t)
	reserve := func(quantity int64) error {
		orders++
		return svc.Reserve(t.Context(), fmt.Sprintf("ord_%d", orders), []inventory.Item{{SKU: "A", Quantity: quantity}}, time.Minute)
	}
	b.put(t, "A", "main", 2)
	b.put(t, "A", "store", 1)
	require.ErrorIs(t, reserve(4), inventory.ErrOutOfStock, "an article denies unless it is told otherwise")
	require.NoError(t, terms(inventory.BackorderLimit, 5, "store"))
	require.Equal(t, int64(8), available())
	require.ErrorIs(t, reserve(9), inventory.ErrOutOfStock)
	require.NoError(t, reserve(4))
	require.Equal(t, map[string]int64{"main": 2, "store": 2}, b.heldIn(t, "ord_3", "A"), "what is there, and one that is owed")
	require.Equal(t, int64(4), available())
	require.ErrorIs(t, reserve(5), inventory.ErrOutOfStock)
	require.ErrorContains(t, terms(inventory.BackorderDeny, 0, "store"), "backorders_outstanding")
	require.ErrorContains(t, terms(inventory.BackorderLimit, 5, "main"), "backorders_outstanding", "the store owes one")
	require.NoError(t, reserve(4))
	require.Zero(t, available())

	b.deliver(t, events.OrderPaid{OrderFacts: facts("ord_3", inventory.Item{SKU: "A", Quantity: 4})})
	require.Equal(t, [2]int64{-1, 4}, b.level(t, "A", "store"), "one is sold and still to come")
	b.put(t, "A", "store", 7)
	require.Equal(t, [2]int64{6, 4}, b.level(t, "A", "store"))
	require.NoError(t, terms(inventory.BackorderAllow, 0, "main"))
	require.NoError(t, reserve(1000))
	require.Equal(t, map[string]int64{"store": 2, "main": 998}, b.heldIn(t, "ord_6", "A"))
	b.explained(t)
}

// What was told of an article makes a shopper put it into the cart.
func TestAvailabilityCountsWhatMayBeOwed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "A", "main", 2)
	require.NoError(t, b.svc.SetTerms(t.Context(), inventory.Terms{SKU: "A", Backorder: &inventory.Backorder{Policy: inventory.BackorderLimit, Limit: 5}}))
	project := b.subscription(t, "inventory.cache").Project
	require.NoError(t, project(t.Context(), b.announced(t, events.StockChanged{}.Type())))
	available, err := b.svc.Available(t.Context(), []string{"A"})
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"A": 7}, available)
}

// An update is checked first on the row as it was when the statement began: pieces that came back while an order waited
// for the row made it fail on the stock that was there before.
func TestPiecesThatComeWhileAnOrderWaitsAreGranted(t *testing.T) {
	t.Parallel()
	for name, items := range map[string][]inventory.Item{
		"alone": {{SKU: "A", Quantity: 3}}, "with others": {{SKU: "A", Quantity: 3}, {SKU: "B", Quantity: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.receive(t, 1, "A", "B")
			tx := b.begin(t)
			_, err := tx.Exec(t.Context(), `update inventory.stock set on_hand = on_hand + 5 where sku = 'A'`)
			require.NoError(t, err)
			done := make(chan error, 1)
			go func() { done <- b.svc.Reserve(context.WithoutCancel(t.Context()), "ord_1", items, time.Minute) }()
			b.awaitLockWaiters(t, 1)
			require.NoError(t, tx.Commit(t.Context()))
			require.NoError(t, <-done)
			require.Equal(t, [2]int64{6, 3}, b.level(t, "A", "main"))
		})
	}
}

// begin opens a transaction beside the service, which ends with the test.
func (b *bundle) begin(t *testing.T) pgx.Tx {
	t.Helper()
	tx, err := b.admin.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	return tx
}

// awaitLockWaiters waits until n statements of the test's database wait for a lock.
func (b *bundle) awaitLockWaiters(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		var waiting int
		err := b.admin.QueryRow(t.Context(), `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`).Scan(&waiting)
		return err == nil && waiting >= n
	}, 30*time.Second, 5*time.Millisecond)
}

// watch reads the stock from outside all the time and reports what must never be seen; it returns how to stop it.
func (b *bundle) watch(t *testing.T, initial map[string]int64) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var looks int
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			rows, err := b.admin.Query(ctx, `
				select s.sku, s.on_hand, s.reserved, s.available, (
					select coalesce(sum(r.quantity), 0)::bigint from inventory.reservations as r where r.sku = s.sku and r.state in ('held', 'sold')
				)
				from public_views.v_stock as s`)
			if err != nil {
				continue
			}
			for rows.Next() {
				var sku string
				var onHand, reserved, available, taken int64
				if err := rows.Scan(&sku, &onHand, &reserved, &available, &taken); err != nil {
					continue
				}
				if available < 0 || onHand < 0 || reserved < 0 || taken > initial[sku] || available+taken != initial[sku] {
					t.Errorf("%s: %d on hand, %d reserved, %d available, %d of %d taken", sku, onHand, reserved, available, taken, initial[sku])
				}
			}
			rows.Close()
			looks++
		}
	}()
	return func() {
		cancel()
		<-done
		require.Positive(t, looks)
	}
}

// pay sells what an order holds, as the consumer of the order's events does.
func (b *bundle) pay(t *testing.T, order string, items ...inventory.Item) {
	t.Helper()
	b.deliver(t, events.OrderPaid{OrderFacts: facts(order, items...)})
}

func TestTwoHundredCartsRaceForFiveArticles(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.replica(t, b.redisURL, prometheus.NewRegistry())
	skus := []string{"A", "B", "C", "D", "E"}
	const pieces, buyers = 10, 200
	b.receive(t, pieces, skus...)
	stop := b.watch(t, map[string]int64{"A": pieces, "B": pieces, "C": pieces, "D": pieces, "E": pieces})
	var granted atomic.Int64
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range buyers {
		svc := b.svc
		if i%2 == 1 {
			svc = other
		}
		wg.Go(func() {
			r := rand.New(rand.NewPCG(11, uint64(i)))
			first := r.IntN(len(skus))
			second := (first + 1 + r.IntN(len(skus)-1)) % len(skus)
			// In opposite orders, and one article twice.
			items := []inventory.Item{{SKU: skus[first], Quantity: 1}, {SKU: skus[second], Quantity: 1}, {SKU: skus[first], Quantity: 1}}
			if i%3 == 0 {
				items = []inventory.Item{{SKU: skus[second], Quantity: 1}, {SKU: skus[first], Quantity: 1}}
			}
			<-start
			order := fmt.Sprintf("ord_%d", i)
			err := svc.Reserve(context.WithoutCancel(t.Context()), order, items, time.Minute)
			switch {
			case err == nil:
				granted.Add(int64(len(items)))
				switch i % 4 {
				case 0:
					b.pay(t, order, items...)
				case 1:
					if err := svc.Release(context.WithoutCancel(t.Context()), order, "test"); err != nil {
						t.Errorf("release %s: %v", order, err)
					}
					granted.Add(-int64(len(items)))
				}
			case !errors.Is(err, inventory.ErrOutOfStock):
				t.Errorf("buyer %d: %v", i, err)
			}
		})
	}
	close(start)
	wg.Wait()
	stop()
	var taken, leaked int64
	require.NoError(t, b.admin.QueryRow(t.Context(), `select coalesce(sum(quantity), 0) from inventory.reservations where state in ('held', 'sold')`).Scan(&taken))
	require.Equal(t, granted.Load(), taken)
	require.NoError(t, b.admin.QueryRow(t.Context(), `
		select sum(s.reserved) - (select coalesce(sum(r.quantity), 0) from inventory.reservations as r where r.state = 'held')
		from inventory.stock as s`).Scan(&leaked))
	require.Zero(t, leaked, "reserved pieces without a reservation")
	b.explained(t)
}

func TestFiveHundredBuyersForAHundredUnitsOnTwoReplicas(t *testing.T) {
	t.Parallel()
	b := setup(t)
	replicas := []*inventory.Service{b.svc, b.replica(t, b.redisURL, prometheus.NewRegistry())}
	const pieces, buyers = 100, 500
	b.receive(t, pieces, "HOT")
	stop := b.watch(t, map[string]int64{"HOT": pieces})
	sold := b.rush(t, replicas, buyers)
	stop()
	require.Equal(t, pieces, sold, "exactly as many as there are")
	require.Equal(t, [2]int64{pieces, pieces}, b.level(t, "HOT", "main"))
	b.explained(t)
}

// rush lets buyers ask for a piece of HOT at once and returns how many got one.
func (b *bundle) rush(t *testing.T, replicas []*inventory.Service, buyers int) int {
	t.Helper()
	var sold atomic.Int64
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range buyers {
		wg.Go(func() {
			<-start
			err := replicas[i%len(replicas)].Reserve(context.WithoutCancel(t.Context()), fmt.Sprintf("ord_%d", i), []inventory.Item{{SKU: "HOT", Quantity: 1}}, time.Hour)
			switch {
			case err == nil:
				sold.Add(1)
			case !errors.Is(err, inventory.ErrOutOfStock):
				t.Errorf("buyer %d: %v", i, err)
			}
		})
	}
	close(start)
	wg.Wait()
	return int(sold.Load())
}

// Orders that travel together are decided one by one: some want more, some ask again, some give up while they wait.
func TestOrdersThatTravelTogetherHaveTheirOwnAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.location(t, "store", 50)
	b.put(t, "HOT", "main", 7)
	b.put(t, "HOT", "store", 5)
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_before", []inventory.Item{{SKU: "HOT", Quantity: 2}}, time.Minute))

	require.NoError(t, b.raw(t).Del(t.Context(), leftOfHot, "shopd:{gate}:ticket:ord_before").Err(), "the gate would not let all of them through")

	// Everybody waits behind a lock, so that they are granted together.
	tx := b.begin(t)
	_, err := tx.Exec(t.Context(), `select from inventory.stock where sku = 'HOT' for update`)
	require.NoError(t, err)
	impatient, giveUp := context.WithCancel(t.Context())
	results, impatience := make(chan error, 20), make(chan error, 1)
	ask := func(ctx context.Context, order string, answer chan<- error) {
		go func() { answer <- b.svc.Reserve(ctx, order, hot(2), time.Minute) }()
	}
	ask(context.Background(), "ord_lead", results)
	b.awaitLockWaiters(t, 1)
	for i := range 5 {
		ask(context.Background(), fmt.Sprintf("ord_%d", i), results)
	}
	ask(context.Background(), "ord_before", results) // has its reservation
	ask(context.Background(), "ord_twice", results)
	ask(context.Background(), "ord_twice", results)
	ask(impatient, "ord_impatient", impatience)
	time.Sleep(300 * time.Millisecond) // all of them have joined; if one has not, it is granted after them
	giveUp()
	require.ErrorIs(t, <-impatience, context.Canceled)
	require.NoError(t, tx.Commit(t.Context()))

	var granted, short int
	for range 9 {
		switch err := <-results; {
		case err == nil:
			granted++
		case errors.Is(err, inventory.ErrOutOfStock):
			short++
		default:
			t.Error(err)
		}
	}
	var orders, pieces, impatients int
	require.NoError(t, b.admin.QueryRow(t.Context(), `
		select count(distinct order_id), sum(quantity), count(*) filter (where order_id = 'ord_impatient') from inventory.reservations`).Scan(&orders, &pieces, &impatients))
	require.Equal(t, 6, orders, "twelve pieces are six pairs, and one of the pairs is split")
	require.Equal(t, 12, pieces)
	require.Zero(t, impatients)
	require.Equal(t, 9, granted+short)
	b.explained(t)
}
