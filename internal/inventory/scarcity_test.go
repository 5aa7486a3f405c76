package inventory_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"shopd/internal/events"
	"shopd/internal/inventory"
	"shopd/internal/platform/id"
)

// announced are the envelopes of a type in the outbox, in the order in which they were written.
func (b *bundle) announced(t *testing.T, types ...string) []events.Envelope {
	t.Helper()
	rows, err := b.admin.Query(t.Context(), `
		select event_id, type, version, aggregate_id, aggregate_version, occurred_at, trace, data
		from platform.outbox
		where type = any($1)
		order by seq`, types)
	require.NoError(t, err)
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e events.Envelope, err error) {
		var data []byte
		err = row.Scan(&e.ID, &e.Type, &e.Version, &e.AggregateID, &e.AggregateVersion, &e.OccurredAt, &e.Trace, &data)
		e.Data = json.RawMessage(data)
		return e, err
	})
	require.NoError(t, err)
	return list
}

// hear hands what the stock announced of scarcity to its consumer.
func (b *bundle) hear(t *testing.T, batch []events.Envelope) {
	t.Helper()
	sub := b.subscription(t, "inventory.alerts")
	require.NoError(t, pgx.BeginFunc(t.Context(), sub.Pool, func(tx pgx.Tx) error { return sub.Handle(t.Context(), tx, batch) }))
}

func scarce() []string {
	return []string{events.StockLow{}.Type(), events.StockedOut{}.Type()}
}

func TestStockAnnouncesThatItIsLowAndOutOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receive(t, 10, "A")
	five := int64(5)
	require.NoError(t, b.svc.SetTerms(t.Context(), inventory.Terms{SKU: "A", ReorderPoint: &five}))
	for i, quantity := range []int64{4, 2, 1, 3} { // 6, 4, 3 and 0 are left
		require.NoError(t, b.svc.Reserve(t.Context(), "ord_"+string(rune('a'+i)), []inventory.Item{{SKU: "A", Quantity: quantity}}, time.Minute))
	}
	list := b.announced(t, scarce()...)
	require.Len(t, list, 2)
	low, err := events.Open[events.StockLow](list[0])
	require.NoError(t, err)
	require.Equal(t, events.StockLow{SKU: "A", Location: "main", Available: 4, ReorderPoint: 5, Version: 4}, low)
	out, err := events.Open[events.StockedOut](list[1])
	require.NoError(t, err)
	require.Equal(t, events.StockedOut{SKU: "A", Location: "main", OnHand: 10, Reserved: 10, Version: 6}, out)
	for _, e := range list {
		require.True(t, id.Valid("evt", e.ID), e.ID)
		require.Equal(t, "A@main", e.AggregateID)
		require.WithinDuration(t, time.Now(), e.OccurredAt, time.Minute)
	}
	require.NoError(t, b.svc.Release(t.Context(), "ord_d", "test"))
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_e", []inventory.Item{{SKU: "A", Quantity: 3}}, time.Minute))
	require.Len(t, b.announced(t, events.StockLow{}.Type()), 1, "it has been low all the time")
	require.Len(t, b.announced(t, events.StockedOut{}.Type()), 2, "and is out for the second time")
}

func TestPeopleHearOfStockoutsAndOfLowStock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.location(t, "store", 50)
	b.receive(t, 6, "A", "B")
	two := int64(2)
	for _, sku := range []string{"A", "B"} {
		require.NoError(t, b.svc.SetTerms(t.Context(), inventory.Terms{SKU: sku, ReorderPoint: &two}))
	}
	_, _, err := b.svc.Transfer(t.Context(), inventory.Transfer{SKU: "B", From: "main", To: "store", Quantity: 1, Reason: "test", Actor: "test"})
	require.NoError(t, err)
	take := func(quantity int64, sku string) {
		_, _, err := b.svc.Adjust(t.Context(), inventory.Adjustment{SKU: sku, Quantity: -quantity, Reason: "test", Actor: "test"})
		require.NoError(t, err)
	}
	take(4, "A")
	b.hear(t, b.announced(t, scarce()...))
	require.Len(t, b.alerts.list, 1)
	require.Equal(t, "A is running out in main: 2 left, to be reordered at 2.", b.alerts.list[0].Summary)
	require.False(t, b.alerts.list[0].Urgent)

	take(2, "A")
	take(5, "B") // one is left in the store
	b.hear(t, b.announced(t, events.StockedOut{}.Type()))
	require.Len(t, b.alerts.list, 2)
	require.Equal(t, "A is sold out.", b.alerts.list[1].Summary)
	require.True(t, b.alerts.list[1].Urgent)
	require.True(t, strings.HasPrefix(b.alerts.list[1].Key, "stockout/A/"))
	require.NoError(t, testutil.GatherAndCompare(b.metrics, strings.NewReader(`
# HELP shopd_stockouts_total Times that an article had nothing left in any location.
# TYPE shopd_stockouts_total counter
shopd_stockouts_total 1
# HELP shopd_stock_low_total Times that an article fell to its reorder point in a location.
# TYPE shopd_stock_low_total counter
shopd_stock_low_total 1
`), "shopd_stockouts_total", "shopd_stock_low_total"))
}

func TestWatchedArticlesAreAMetric(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.location(t, "store", 50)
	b.receive(t, 6, "A", "B")
	require.NoError(t, b.svc.TakeBack(t.Context(), inventory.Return{ID: "ret_1", Location: "store", Items: []inventory.Item{{SKU: "A", Quantity: 3}}, Actor: "test"}))
	for _, sku := range []string{"A", "NOWHERE", "B"} {
		require.NoError(t, b.svc.Watch(t.Context(), sku, true))
	}
	require.NoError(t, b.svc.Watch(t.Context(), "B", false))
	require.NoError(t, testutil.GatherAndCompare(b.metrics, strings.NewReader(`
# HELP shopd_stock_available Pieces of watched articles that can be ordered, over all locations.
# TYPE shopd_stock_available gauge
shopd_stock_available{sku="A"} 9
shopd_stock_available{sku="NOWHERE"} 0
`), "shopd_stock_available"))
	_, err := b.admin.Exec(t.Context(), `insert into inventory.watched (sku, since) select 'X' || n, now() from generate_series(1, 198) as n`)
	require.NoError(t, err)
	require.ErrorContains(t, b.svc.Watch(t.Context(), "ONE-TOO-MANY", true), "too_many_watched")
	require.NoError(t, b.svc.Watch(t.Context(), "A", true), "it is watched")
}
