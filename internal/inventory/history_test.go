package inventory_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/events"
	"shopd/internal/inventory"
)

func TestHistoryTellsWhatMovedEachDay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.location(t, "store", 50)
	// Noon, so that no test runs over midnight.
	first := b.clock.now().Truncate(24 * time.Hour)
	b.clock.forward(first.Add(36 * time.Hour).Sub(b.clock.now()))
	first = first.Add(24 * time.Hour)
	day := func(n int) time.Time { return first.Add(time.Duration(n) * 24 * time.Hour) }

	b.receive(t, 20, "A")
	item := inventory.Item{SKU: "A", Quantity: 3}
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_1", []inventory.Item{item}, time.Minute))
	require.NoError(t, b.svc.FillHistory(t.Context()))
	list, err := b.svc.History(t.Context(), "A", day(-1), day(1))
	require.NoError(t, err)
	require.Equal(t, []inventory.Day{
		{Day: day(0), Location: "main", Received: 20, Reserved: 3, ClosingOnHand: 20, ClosingReserved: 3},
		{Day: day(1), Location: "main", ClosingOnHand: 20, ClosingReserved: 3},
	}, list)

	// The next two days pass without a run; the run on the third makes up for them.
	b.clock.forward(24 * time.Hour)
	b.deliver(t, events.OrderPaid{OrderFacts: facts("ord_1", item)})
	_, _, err = b.svc.Transfer(t.Context(), inventory.Transfer{SKU: "A", From: "main", To: "store", Quantity: 5, Reason: "test", Actor: "test"})
	require.NoError(t, err)
	b.clock.forward(48 * time.Hour)
	_, _, err = b.svc.Adjust(t.Context(), inventory.Adjustment{SKU: "A", Location: "store", Quantity: -1, Reason: "broken", Actor: "test"})
	require.NoError(t, err)
	want := []inventory.Day{
		{Day: day(0), Location: "main", Received: 20, Reserved: 3, ClosingOnHand: 20, ClosingReserved: 3},
		{Day: day(1), Location: "main", Sold: -3, Transferred: -5, ClosingOnHand: 12},
		{Day: day(1), Location: "store", Transferred: 5, ClosingOnHand: 5},
		{Day: day(2), Location: "main", ClosingOnHand: 12},
		{Day: day(2), Location: "store", ClosingOnHand: 5},
		{Day: day(3), Location: "main", ClosingOnHand: 12},
		{Day: day(3), Location: "store", Adjusted: -1, ClosingOnHand: 4},
	}
	for range 2 { // filling is repeatable
		require.NoError(t, b.svc.FillHistory(t.Context()))
		list, err = b.svc.History(t.Context(), "A", day(0), day(3))
		require.NoError(t, err)
		require.Equal(t, want, list)
	}
	list, err = b.svc.History(t.Context(), "A", day(2), day(2))
	require.NoError(t, err)
	require.Equal(t, want[3:5], list, "what was there before the period is known")

	totals, err := b.svc.Totals(t.Context(), day(0), day(3))
	require.NoError(t, err)
	require.Equal(t, []inventory.DayTotal{
		{Day: day(0), Articles: 1, Received: 20, Reserved: 3}, {Day: day(1), Articles: 1, Sold: -3}, {Day: day(3), Articles: 1, Adjusted: -1},
	}, totals)
	_, err = b.svc.History(t.Context(), "A", day(3), day(0))
	require.ErrorContains(t, err, "invalid_parameter")
	_, err = b.svc.History(t.Context(), "A", day(-1000), day(0))
	require.ErrorContains(t, err, "invalid_parameter")
}

func TestPartitionsOfTheHistoryAreThereBeforeTheirMonths(t *testing.T) {
	t.Parallel()
	b := setup(t)
	partitions := func() (n int) {
		require.NoError(t, b.admin.QueryRow(t.Context(), `select count(*) from pg_inherits where inhparent = 'inventory.daily_stock'::regclass`).Scan(&n))
		return n
	}
	require.NoError(t, b.svc.FillHistory(t.Context()))
	n := partitions()
	require.GreaterOrEqual(t, n, 4, "this month and three to come")
	require.NoError(t, b.svc.FillHistory(t.Context()))
	require.Equal(t, n, partitions())
	b.clock.forward(200 * 24 * time.Hour)
	b.receive(t, 1, "A")
	require.NoError(t, b.svc.FillHistory(t.Context()), "after half a year without a run")
	require.Greater(t, partitions(), n)
	list, err := b.svc.History(t.Context(), "A", b.clock.now().Truncate(24*time.Hour), b.clock.now().Truncate(24*time.Hour))
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, int64(1), list[0].Received)
}
