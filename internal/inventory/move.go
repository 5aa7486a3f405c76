package inventory

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// Transfer brings pieces of an article from one location to another.
type Transfer struct {
	SKU      string
	From, To string
	Quantity int64 // more than zero
	Reason   string
	Actor    string
}

// Return takes pieces in that came back of an order, or of nobody in particular.
type Return struct {
	ID       string // the same one is taken in once
	OrderID  string // empty when nobody knows; otherwise no more comes back of an order than it was sold
	Location string // empty is DefaultLocation
	Items    []Item
	Reason   string
	Actor    string
}

var (
	errSamePlace = errs.New(errs.Invalid, "same_location", "A transfer needs two locations.").
			WithFields(errs.Field{Pointer: "/to", Code: "same_location", Detail: "another one than from"})
	errNotThere = errs.New(errs.Conflict, "insufficient_stock", "Not so many are there that are not promised to orders.")
	// ErrReturnTooMuch says that more would come back of an order than it was sold.
	ErrReturnTooMuch = errs.New(errs.Conflict, "return_exceeds_sold", "The order was not sold so many of it, or they have come back already.")
)

// Transfer moves pieces at once and returns the levels it left, the source first, and its two movements. What is
// promised to orders stays where it is: errNotThere when the rest is less than asked for.
func (s *Service) Transfer(ctx context.Context, t Transfer) (levels []Level, moved []int64, err error) {
	err = postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		levels, moved, err = s.TransferTx(ctx, tx, t)
		return err
	})
	if err == nil {
		s.announced(ctx, t.SKU)
	}
	return levels, moved, err
}

// TransferTx is Transfer inside the caller's transaction on the inventory pool.
func (s *Service) TransferTx(ctx context.Context, tx pgx.Tx, t Transfer) ([]Level, []int64, error) {
	if t.Quantity < 1 || t.Quantity > maxQuantity {
		return nil, nil, errQuantity
	}
	if t.From == t.To {
		return nil, nil, errSamePlace
	}
	return transfer(ctx, tx, t, s.now())
}

// transferSQL locks both rows in the order of their places, takes from the one if that leaves what is promised, and
// gives to the other, which may have none of the article yet. What it takes is counted from the locked row: PostgreSQL
// checks an update first on the row as it was when the statement began, which may have had less.
var transferSQL = `
with locked as (
    select s.location, s.on_hand, s.reserved, s.available
    from inventory.stock as s
    where s.sku = $3 and s.location in ($4, $5)
    order by s.location
    for update
), source as (
    update inventory.stock as s
    set on_hand = l.on_hand - $6::bigint, reserved = l.reserved, version = s.version + 1, updated_at = $2
    from locked as l
    where s.sku = $3 and s.location = $4 and l.location = $4 and l.available >= $6
    returning ` + levelColumns + `
), updated as (
    update inventory.stock as s
    set on_hand = s.on_hand + $6, version = s.version + 1, updated_at = $2
    from source as f, locked as l
    where s.sku = $3 and s.location = $5 and l.location = $5
    returning ` + levelColumns + `
), inserted as (
    insert into inventory.stock as s (sku, location, on_hand, updated_at)
    select $3, $5, $6, $2
    from source
    where not exists (select from locked as l where l.location = $5)
    on conflict (sku, location) do update
    set on_hand = s.on_hand + excluded.on_hand, version = s.version + 1, updated_at = $2
    returning ` + levelColumns + `
), changed as (
    select f.*, 1 as position, -$6 as quantity, $7::text as event_id, null::text as order_id from source as f
    union all
    select u.*, 2, $6, $8::text, null::text from updated as u
    union all
    select i.*, 2, $6, $8::text, null::text from inserted as i
), moved as (
    insert into inventory.movements (sku, location, kind, quantity, reason, actor, at)
    select sku, location, 'transferred', quantity, $9, $10, $2
    from changed
    order by position
    returning id, location
), announced as (` + announce("changed", "transferred") + `
)
select c.sku, c.location, c.on_hand, c.reserved, c.available, c.version, c.reorder_point, c.backorder_limit, m.id
from changed as c
join moved as m using (location)
order by c.position`

func transfer(ctx context.Context, q postgres.Querier, t Transfer, now time.Time) (list []Level, moved []int64, err error) {
	rows, err := q.Query(ctx, transferSQL, outbox.Trace(ctx), now, t.SKU, t.From, t.To, t.Quantity, id.New("evt"), id.New("evt"), t.Reason, t.Actor)
	if err != nil {
		return nil, nil, fmt.Errorf("transfer %s: %w", t.SKU, err)
	}
	var l Level
	var movement int64
	_, err = pgx.ForEachRow(rows, append(l.fields(), &movement), func() error {
		list, moved = append(list, l), append(moved, movement)
		return nil
	})
	switch {
	case postgres.Violates(err, "stock_location_fkey"):
		return nil, nil, errUnknownLocation
	case err != nil:
		return nil, nil, fmt.Errorf("transfer %s: %w", t.SKU, err)
	case len(list) == 0:
		return nil, nil, errNotThere
	}
	return list, moved, nil
}

// TakeBack adds what came back to the stock. A return that was taken in before adds nothing again. It returns
// ErrReturnTooMuch when an order would get more back than it was sold.
func (s *Service) TakeBack(ctx context.Context, r Return) error {
	err := postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		_, err := s.TakeBackTx(ctx, tx, r)
		return err
	})
	if err == nil {
		s.announced(ctx, skusIn(r.Items)...)
	}
	return err
}

// TakeBackTx is TakeBack inside the caller's transaction on the inventory pool. It returns the levels of what was added.
func (s *Service) TakeBackTx(ctx context.Context, tx pgx.Tx, r Return) ([]Level, error) {
	if r.Location == "" {
		r.Location = DefaultLocation
	}
	for _, it := range r.Items {
		if it.Quantity < 1 || it.Quantity > maxQuantity {
			return nil, errQuantity
		}
	}
	items := merge(r.Items)
	if r.OrderID != "" {
		if err := checkReturnable(ctx, tx, r, items); err != nil {
			return nil, err
		}
	}
	return takeBack(ctx, tx, r, items, s.now())
}

// lockSoldSQL makes returns of one order wait for each other, so that together they bring back no more than was sold.
const lockSoldSQL = `
select r.sku, r.quantity
from inventory.reservations as r
where r.order_id = $1 and r.state = 'sold'
order by r.sku, r.location
for update`

const returnedSQL = `
select r.sku, sum(r.quantity)::bigint
from inventory.returns as r
where r.order_id = $1 and r.return_id <> $2
group by r.sku`

func checkReturnable(ctx context.Context, q postgres.Querier, r Return, items []Item) error {
	left := map[string]int64{}
	var sku string
	var n int64
	rows, err := q.Query(ctx, lockSoldSQL, r.OrderID)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&sku, &n}, func() error { left[sku] += n; return nil })
	}
	if err != nil {
		return fmt.Errorf("read what order %s was sold: %w", r.OrderID, err)
	}
	rows, err = q.Query(ctx, returnedSQL, r.OrderID, r.ID)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&sku, &n}, func() error { left[sku] -= n; return nil })
	}
	if err != nil {
		return fmt.Errorf("read what order %s has returned: %w", r.OrderID, err)
	}
	for _, it := range items {
		if left[it.SKU] < it.Quantity {
			return ErrReturnTooMuch
		}
	}
	return nil
}

var takeBackSQL = `
with wanted as (
    select w.sku, w.quantity, w.event_id
    from unnest($5::text[], $6::bigint[], $7::text[]) as w (sku, quantity, event_id)
), claimed as (
    insert into inventory.returns (return_id, sku, location, order_id, quantity, at)
    select $3, w.sku, $4, nullif($8, ''), w.quantity, $2
    from wanted as w
    order by w.sku
    on conflict (return_id, sku) do nothing
    returning sku, quantity
), locked as (
    select s.sku, c.quantity
    from inventory.stock as s
    join claimed as c using (sku)
    where s.location = $4
    order by s.sku
    for update of s
), updated as (
    update inventory.stock as s
    set on_hand = s.on_hand + l.quantity, version = s.version + 1, updated_at = $2
    from locked as l
    where s.sku = l.sku and s.location = $4
    returning ` + levelColumns + `
), inserted as (
    insert into inventory.stock as s (sku, location, on_hand, updated_at)
    select c.sku, $4, c.quantity, $2
    from claimed as c
    where not exists (select from locked as l where l.sku = c.sku)
    on conflict (sku, location) do update
    set on_hand = s.on_hand + excluded.on_hand, version = s.version + 1, updated_at = $2
    returning ` + levelColumns + `
), added as (
    select * from updated
    union all
    select * from inserted
), changed as (
    select a.*, w.quantity, w.event_id, nullif($8, '') as order_id
    from added as a
    join wanted as w using (sku)
), moved as (
    insert into inventory.movements (sku, location, kind, quantity, order_id, reason, actor, at)
    select sku, location, 'returned', quantity, order_id, $9, $10, $2
    from changed
), announced as (` + announce("changed", "returned") + `
)
select sku, location, on_hand, reserved, available, version, reorder_point, backorder_limit
from changed
order by sku`

func takeBack(ctx context.Context, q postgres.Querier, r Return, items []Item, now time.Time) ([]Level, error) {
	skus, quantities, eventIDs := make([]string, len(items)), make([]int64, len(items)), make([]string, len(items))
	for i, it := range items {
		skus[i], quantities[i], eventIDs[i] = it.SKU, it.Quantity, id.New("evt")
	}
	rows, err := q.Query(ctx, takeBackSQL, outbox.Trace(ctx), now, r.ID, r.Location, skus, quantities, eventIDs, r.OrderID, r.Reason, r.Actor)
	if err != nil {
		return nil, fmt.Errorf("take in return %s: %w", r.ID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Level])
	if postgres.Violates(err, "returns_location_fkey") {
		return nil, errUnknownLocation
	}
	if err != nil {
		return nil, fmt.Errorf("take in return %s: %w", r.ID, err)
	}
	return list, nil
}
