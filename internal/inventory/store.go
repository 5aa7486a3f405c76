package inventory

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/id"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// announce is the statement part that puts a stock_changed event into the outbox for each row of the part named
// from, which has the columns of stock plus event_id and order_id. $1 is the trace and $2 the time in every
// statement that uses it.
func announce(from, kind string) string {
	return `
    insert into platform.outbox (event_id, type, version, aggregate_id, aggregate_version, data, trace, occurred_at)
    select
        event_id, 'inventory.stock_changed.v1', 1, sku || '@' || location, version,
        json_build_object(
            'sku', sku, 'location', location, 'on_hand', on_hand, 'reserved', reserved, 'available', available,
            'orderable', coalesce(greatest(available + backorder_limit, 0), ` + unlimitedSQL + `),
            'kind', '` + kind + `', 'order_id', coalesce(order_id, ''), 'version', version
        ),
        $1, $2
    from ` + from
}

// unlimitedSQL is the constant unlimited in a statement.
const unlimitedSQL = `1000000000`

// settle is the statement that ends reservations of orders in state from. For each article it changes on_hand and
// reserved by what its reservations hold, writes one movement a reservation, and one event a stock row.
func settle(from, to, kind, onHand, reserved, movement string) string {
	return `
with due as (
    update inventory.reservations
    set state = '` + to + `', settled_at = $2
    where order_id = any($3::text[]) and state = '` + from + `'
    returning order_id, sku, location, quantity, expires_at
), sums as (
    select sku, location, sum(quantity)::bigint as quantity, min(order_id) as order_id
    from due
    group by sku, location
), locked as (
    select s.sku, s.location, m.quantity, m.order_id
    from inventory.stock as s
    join sums as m using (sku, location)
    order by s.sku, s.location
    for update of s
), changed as (
    update inventory.stock as s
    set on_hand = s.on_hand ` + onHand + `, reserved = s.reserved ` + reserved + `, version = s.version + 1, updated_at = $2
    from locked as l
    where s.sku = l.sku and s.location = l.location
    returning s.sku, s.location, s.on_hand, s.reserved, s.available, s.version, s.backorder_limit, l.order_id
), told as (
    select c.*, coalesce(($6::text[])[row_number() over ()], platform.new_event_id()) as event_id
    from changed as c
), moved as (
    insert into inventory.movements (sku, location, kind, quantity, order_id, reason, actor, at)
    select sku, location, '` + kind + `', ` + movement + `, order_id, $4, $5, $2
    from due
), announced as (` + announce("told", kind) + `
)
select sku, bool_or(expires_at < $2)
from due
group by sku`
}

var (
	sellSQL    = settle("held", "sold", "sold", "- l.quantity", "- l.quantity", "-quantity")
	releaseSQL = settle("held", "released", "released", "", "- l.quantity", "-quantity")
	returnSQL  = settle("sold", "returned", "returned", "+ l.quantity", "", "quantity")
)

// end runs one of the statements above for a batch of orders that have articles reservations as a rule (more where
// several locations serve one). It returns the articles whose reservations it ended, and whether the time of one was up.
func end(ctx context.Context, q postgres.Querier, sql string, orderIDs []string, articles int, reason, actor string, now time.Time) (skus []string, late bool, err error) {
	eventIDs := make([]string, articles)
	for i := range eventIDs {
		eventIDs[i] = id.New("evt")
	}
	rows, err := q.Query(ctx, sql, outbox.Trace(ctx), now, orderIDs, reason, actor, eventIDs)
	if err != nil {
		return nil, false, err
	}
	var sku string
	var up bool
	_, err = pgx.ForEachRow(rows, []any{&sku, &up}, func() error {
		skus, late = append(skus, sku), late || up
		return nil
	})
	return skus, late, err
}

const extendSQL = `
update inventory.reservations
set expires_at = greatest(expires_at, $2)
where order_id = $1 and state = 'held'`

// extend keeps an order's reservations until expires; it returns how many there are.
func extend(ctx context.Context, q postgres.Querier, orderID string, expires time.Time) (int64, error) {
	tag, err := q.Exec(ctx, extendSQL, orderID, expires)
	return tag.RowsAffected(), err
}

const expiredSQL = `
select distinct order_id
from (
    select order_id
    from inventory.reservations
    where state = 'held' and expires_at < $1
    order by expires_at
    limit $2
) as oldest`

func expired(ctx context.Context, q postgres.Querier, before time.Time, limit int) ([]string, error) {
	rows, err := q.Query(ctx, expiredSQL, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// constraintNotOversold holds that no more is promised than is there and may be owed.
const constraintNotOversold = "stock_not_oversold"

// adjustSQL updates first: an insert would be checked with the adjustment alone before it found the row that is there.
var adjustSQL = `
with updated as (
    update inventory.stock as s
    set on_hand = s.on_hand + $5, version = s.version + 1, updated_at = $2
    where s.sku = $3 and s.location = $4
    returning ` + levelColumns + `
), inserted as (
    insert into inventory.stock as s (sku, location, on_hand, updated_at)
    select $3, $4, $5, $2
    where $5 > 0 and not exists (select from updated)
    on conflict (sku, location) do update
    set on_hand = s.on_hand + excluded.on_hand, version = s.version + 1, updated_at = $2
    returning ` + levelColumns + `
), changed as (
    select u.*, $6::text as event_id, null::text as order_id from updated as u
    union all
    select i.*, $6::text, null::text from inserted as i
), moved as (
    insert into inventory.movements (sku, location, kind, quantity, reason, actor, at)
    select sku, location, $7, $5, $8, $9, $2
    from changed
    returning id
), announced as (` + announce("changed", "adjusted") + `
)
select c.sku, c.location, c.on_hand, c.reserved, c.available, c.version, c.reorder_point, c.backorder_limit, m.id
from changed as c, moved as m`

func adjust(ctx context.Context, q postgres.Querier, a Adjustment, now time.Time) (Level, int64, error) {
	var l Level
	var movement int64
	err := q.QueryRow(ctx, adjustSQL, outbox.Trace(ctx), now, a.SKU, a.Location, a.Quantity, id.New("evt"), a.Kind, a.Reason, a.Actor).
		Scan(append(l.fields(), &movement)...)
	switch {
	case errors.Is(err, pgx.ErrNoRows), postgres.Violates(err, constraintNotOversold):
		return Level{}, 0, ErrTooMuch
	case postgres.Violates(err, "stock_location_fkey"):
		return Level{}, 0, errUnknownLocation
	}
	return l, movement, err
}

// setSQL brings on_hand of many articles to given numbers, as an import or a count says; those that have it
// already, and those that promised more to orders, stay as they are.
var setSQL = `
with wanted as (
    select w.sku, w.quantity, w.event_id
    from unnest($3::text[], $4::bigint[], $5::text[]) as w (sku, quantity, event_id)
    order by w.sku
), before as (
    select s.sku, s.on_hand
    from inventory.stock as s
    join wanted as w on w.sku = s.sku
    where s.location = $6
    order by s.sku
    for update of s
), changed as (
    insert into inventory.stock as s (sku, location, on_hand, updated_at)
    select sku, $6, quantity, $2 from wanted
    on conflict (sku, location) do update
    set on_hand = excluded.on_hand, version = s.version + 1, updated_at = $2
    where s.on_hand <> excluded.on_hand and s.reserved <= excluded.on_hand
    returning ` + levelColumns + `
), told as (
    select c.*, w.event_id, null::text as order_id, c.on_hand - coalesce(b.on_hand, 0) as delta
    from changed as c
    join wanted as w using (sku)
    left join before as b using (sku)
), moved as (
    insert into inventory.movements (sku, location, kind, quantity, reason, actor, at)
    select sku, location, case when delta > 0 then 'received' else 'adjusted' end, delta, $7, $8, $2
    from told
    where delta <> 0
), announced as (` + announce("told", "received") + `
)
select count(*) from told`

func setOnHand(ctx context.Context, q postgres.Querier, items []Item, reason, actor string, now time.Time) (n int, err error) {
	skus, quantities, eventIDs := make([]string, len(items)), make([]int64, len(items)), make([]string, len(items))
	for i, it := range items {
		skus[i], quantities[i], eventIDs[i] = it.SKU, it.Quantity, id.New("evt")
	}
	err = q.QueryRow(ctx, setSQL, outbox.Trace(ctx), now, skus, quantities, eventIDs, DefaultLocation, reason, actor).Scan(&n)
	return n, err
}

// levelColumns are a stock row, s, as Level has it.
const levelColumns = `s.sku, s.location, s.on_hand, s.reserved, s.available, s.version, s.reorder_point, s.backorder_limit`

const levelsSQL = `
select ` + levelColumns + `
from inventory.stock as s
where s.sku = any($1::text[])
order by s.sku, s.location`

func levels(ctx context.Context, q postgres.Querier, skus []string) ([]Level, error) {
	rows, err := q.Query(ctx, levelsSQL, skus)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Level])
}

const lowSQL = `
select ` + levelColumns + `
from inventory.stock as s
where s.available <= greatest(s.reorder_point, $1)
order by s.available, s.sku
limit $2`

func low(ctx context.Context, q postgres.Querier, atMost int64, limit int) ([]Level, error) {
	rows, err := q.Query(ctx, lowSQL, atMost, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Level])
}

const movementsSQL = `
select id, sku, location, kind, quantity, coalesce(order_id, ''), reason, actor, at
from inventory.movements
where sku = $1 and ($2::bigint = 0 or id < $2) and ($3 = '' or kind = $3) and ($4 = '' or location = $4)
order by id desc
limit $5`

func movements(ctx context.Context, q postgres.Querier, f MovementFilter, limit int) ([]Movement, error) {
	rows, err := q.Query(ctx, movementsSQL, f.SKU, f.Before, f.Kind, f.Location, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Movement])
}
