package inventory_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"shopd/internal/events"
	"shopd/internal/inventory"
	"shopd/internal/platform/errs"
)

func (b *bundle) location(t *testing.T, id string, priority int) {
	t.Helper()
	_, err := b.svc.AddLocation(t.Context(), inventory.Location{ID: id, Name: "The " + id, Priority: priority})
	require.NoError(t, err)
}

// level is what is on hand and reserved of an article in a location.
func (b *bundle) level(t *testing.T, sku, location string) [2]int64 {
	t.Helper()
	rows, err := b.svc.Levels(t.Context(), []string{sku})
	require.NoError(t, err)
	for _, l := range rows {
		if l.Location == location {
			return [2]int64{l.OnHand, l.Reserved}
		}
	}
	return [2]int64{}
}

// explained requires that the movements of an article add up to what is there, in every location.
func (b *bundle) explained(t *testing.T) {
	t.Helper()
	var wrong int
	require.NoError(t, b.admin.QueryRow(t.Context(), `
		select count(*)
		from inventory.stock as s
		where s.on_hand <> (
			select coalesce(sum(m.quantity), 0) from inventory.movements as m
			where m.sku = s.sku and m.location = s.location and m.kind not in ('reserved', 'released')
		) or s.reserved <> (
			select coalesce(sum(m.quantity), 0) from inventory.movements as m
			where m.sku = s.sku and m.location = s.location and m.kind in ('reserved', 'released', 'sold')
		)`).Scan(&wrong))
	require.Zero(t, wrong, "stock rows that their movements do not explain")
}

func TestPiecesGoFromOnePlaceToAnother(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.location(t, "store", 50)
	b.receive(t, 10, "A")
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_1", []inventory.Item{{SKU: "A", Quantity: 4}}, time.Minute))
	move := func(quantity int64, from, to string) error {
		_, _, err := b.svc.Transfer(t.Context(), inventory.Transfer{SKU: "A", From: from, To: to, Quantity: quantity, Reason: "restock", Actor: "test"})
		return err
	}
	require.ErrorContains(t, move(7, "main", "store"), "insufficient_stock", "four of the ten are promised")
	require.ErrorContains(t, move(1, "main", "main"), "same_location")
	require.ErrorContains(t, move(1, "main", "moon"), "unknown_location")
	require.ErrorContains(t, move(1, "moon", "main"), "insufficient_stock")
	require.ErrorContains(t, move(0, "main", "store"), "invalid_quantity")
	require.Equal(t, [2]int64{10, 4}, b.level(t, "A", "main"), "what was refused moved nothing")

	require.NoError(t, move(6, "main", "store"))
	require.NoError(t, move(2, "store", "main"))
	require.Equal(t, [2]int64{6, 4}, b.level(t, "A", "main"))
	require.Equal(t, [2]int64{4, 0}, b.level(t, "A", "store"))
	b.explained(t)

	list, err := b.svc.Movements(t.Context(), inventory.MovementFilter{SKU: "A", Kind: inventory.Transferred, Location: "store"}, 10)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, []int64{-2, 6}, []int64{list[0].Quantity, list[1].Quantity})
	require.Equal(t, "restock", list[0].Reason)
	require.Equal(t, "test", list[0].Actor)

	available, err := b.svc.Available(t.Context(), []string{"A"})
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"A": 6}, available, "over both places")
}

func TestTransfersAgainstEachOtherLoseNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.location(t, "store", 50)
	b.receive(t, 20, "A")
	var wg sync.WaitGroup
	for i := range 60 {
		from, to := "main", "store"
		if i%2 == 1 {
			from, to = to, from
		}
		wg.Go(func() {
			_, _, err := b.svc.Transfer(context.WithoutCancel(t.Context()), inventory.Transfer{SKU: "A", From: from, To: to, Quantity: int64(1 + i%5), Reason: "test", Actor: "test"})
			if err != nil && errs.KindOf(err) != errs.Conflict {
				t.Errorf("transfer %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, int64(20), b.level(t, "A", "main")[0]+b.level(t, "A", "store")[0])
	b.explained(t)
}

func TestAReturnIsTakenInOnceAndNeverExceedsTheSale(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receive(t, 10, "A", "B")
	items := []inventory.Item{{SKU: "A", Quantity: 4}, {SKU: "B", Quantity: 1}}
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_1", items, time.Minute))
	back := func(id string, a int64) error {
		return b.svc.TakeBack(t.Context(), inventory.Return{ID: id, OrderID: "ord_1", Items: []inventory.Item{{SKU: "A", Quantity: a}}, Reason: "too small", Actor: "test"})
	}
	require.ErrorIs(t, back("ret_0", 1), inventory.ErrReturnTooMuch, "it is not sold yet")
	b.deliver(t, events.OrderPaid{OrderFacts: facts("ord_1", items...)})
	require.NoError(t, back("ret_1", 3))
	require.NoError(t, back("ret_1", 3), "again")
	require.Equal(t, [2]int64{9, 0}, b.level(t, "A", "main"))
	require.ErrorIs(t, back("ret_2", 2), inventory.ErrReturnTooMuch)
	require.NoError(t, back("ret_2", 1))
	require.Equal(t, [2]int64{10, 0}, b.level(t, "A", "main"))

	require.NoError(t, b.svc.TakeBack(t.Context(), inventory.Return{ID: "ret_3", Items: []inventory.Item{{SKU: "NEW", Quantity: 2}}, Actor: "test"}), "of no order, of an article without stock")
	require.Equal(t, [2]int64{2, 0}, b.level(t, "NEW", "main"))
	require.ErrorContains(t, b.svc.TakeBack(t.Context(), inventory.Return{ID: "ret_4", Location: "moon", Items: items, Actor: "test"}), "unknown_location")
	b.explained(t)
}

func TestReturnsOfOneOrderInARace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receive(t, 10, "A")
	item := inventory.Item{SKU: "A", Quantity: 5}
	require.NoError(t, b.svc.Reserve(t.Context(), "ord_1", []inventory.Item{item}, time.Minute))
	b.deliver(t, events.OrderPaid{OrderFacts: facts("ord_1", item)})
	var taken atomic.Int64
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			err := b.svc.TakeBack(context.WithoutCancel(t.Context()), inventory.Return{
				ID: fmt.Sprintf("ret_%d", i), OrderID: "ord_1", Items: []inventory.Item{{SKU: "A", Quantity: 1}}, Actor: "test",
			})
			switch {
			case err == nil:
				taken.Add(1)
			case errs.KindOf(err) != errs.Conflict:
				t.Errorf("return %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, int64(5), taken.Load())
	require.Equal(t, [2]int64{10, 0}, b.level(t, "A", "main"))
	b.explained(t)
}

func TestMovementsCannotBeChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receive(t, 1, "A")
	for _, statement := range []string{`update inventory.movements set quantity = 2`, `delete from inventory.movements`, `truncate inventory.movements`} {
		_, err := b.db.Exec(t.Context(), statement)
		var refused *pgconn.PgError
		require.ErrorAs(t, err, &refused, statement)
		require.Equal(t, "42501", refused.Code, statement)
	}
}

func TestLocations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.location(t, "store", 50)
	_, err := b.svc.AddLocation(t.Context(), inventory.Location{ID: "store", Name: "again"})
	require.ErrorContains(t, err, "location_exists")
	for _, id := range []string{"", "Store", "a b", "../x", "a@b"} {
		_, err := b.svc.AddLocation(t.Context(), inventory.Location{ID: id, Name: "x"})
		require.ErrorContains(t, err, "validation_failed", id)
	}
	name, priority, stale := "Shop in town", 5, int64(9)
	_, err = b.svc.UpdateLocation(t.Context(), "store", &name, nil, &stale)
	require.ErrorIs(t, err, errs.ErrStaleVersion)
	_, err = b.svc.UpdateLocation(t.Context(), "moon", &name, nil, nil)
	require.ErrorIs(t, err, errs.ErrNotFound)
	_, err = b.svc.UpdateLocation(t.Context(), "store", &name, &priority, nil)
	require.NoError(t, err)
	list, err := b.svc.Locations(t.Context())
	require.NoError(t, err)
	require.Equal(t, []inventory.Location{{ID: "store", Name: name, Priority: 5, Version: 2}, {ID: "main", Name: "Main warehouse", Priority: 10, Version: 1}}, list)
}
