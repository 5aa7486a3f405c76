package inventory

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/id"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// reserveSQL takes all of an order's articles or none. It locks the rows of all locations in the order of their SKUs,
// so that two orders never wait for each other in a circle, and decides by what it sees under the lock:
//
//   - an article comes from the first location, by priority, that has all of it
//   - where none has, from several in that order
//   - what is nowhere, from the location that owes the article, as far as its backorders allow
//
// What it writes is counted from the locked rows: PostgreSQL checks an update first on the row as it was when the
// statement began, and would refuse pieces that have come back meanwhile.
var reserveSQL = `
with wanted as (
    select w.sku, w.quantity
    from unnest($4::text[], $5::bigint[]) as w (sku, quantity)
), locked as (
    select s.sku, s.location, s.on_hand, s.reserved, s.available, s.version, s.backorder_limit, w.quantity, l.priority
    from inventory.stock as s
    join wanted as w on w.sku = s.sku
    join inventory.locations as l on l.id = s.location
    order by s.sku, s.location
    for update of s
), counted as (
    select
        k.*,
        greatest(k.available, 0) as here,
        sum(greatest(k.available, 0)) over by_sku as everywhere,
        coalesce(sum(greatest(k.available, 0)) over (by_place rows between unbounded preceding and 1 preceding), 0) as before,
        row_number() over (partition by k.sku order by k.available >= k.quantity desc, k.priority, k.location) as choice,
        bool_or(k.available >= k.quantity) over by_sku as whole
    from locked as k
    window by_sku as (partition by k.sku), by_place as (partition by k.sku order by k.priority, k.location)
), planned as (
    select
        c.*,
        case
            when c.whole and c.choice = 1 then c.quantity
            when c.whole then 0
            else greatest(least(c.here, c.quantity - c.before), 0) + case
                when c.everywhere < c.quantity and (
                    c.backorder_limit is null
                    or c.backorder_limit > 0 and least(c.available, 0) - (c.quantity - c.everywhere) >= -c.backorder_limit
                ) then c.quantity - c.everywhere
                else 0
            end
        end::bigint as take
    from counted as c
), sums as (
    select
        p.sku, sum(p.take) as taken, sum(p.version)::bigint + count(*) filter (where p.take > 0) as version,
        (sum(p.here) + sum(coalesce(p.backorder_limit + least(p.available, 0), ` + unlimitedSQL + `)))::bigint as orderable
    from planned as p
    group by p.sku
), verdict as (
    select (select count(*) from wanted as w join sums as m on m.sku = w.sku and m.taken = w.quantity) = (select count(*) from wanted) as granted
), chosen as (
    select p.*, row_number() over (order by p.sku, p.location) as n
    from planned as p, verdict as v
    where v.granted and p.take > 0
), taken as (
    update inventory.stock as s
    set on_hand = c.on_hand, reserved = c.reserved + c.take, backorder_limit = c.backorder_limit, version = c.version + 1, updated_at = $2
    from chosen as c
    where s.sku = c.sku and s.location = c.location
    returning
        s.sku, s.location, s.on_hand, s.reserved, s.available, s.version, s.backorder_limit, c.take as quantity,
        coalesce(($6::text[])[c.n], platform.new_event_id()) as event_id, $3::text as order_id
), held as (
    insert into inventory.reservations (order_id, sku, location, quantity, expires_at, created_at)
    select order_id, sku, location, quantity, $7, $2
    from taken
), moved as (
    insert into inventory.movements (sku, location, kind, quantity, order_id, actor, at)
    select sku, location, 'reserved', quantity, order_id, $8, $2
    from taken
), announced as (` + announce("taken", "reserved") + `
)
select v.granted, w.sku, w.quantity, coalesce(m.taken = w.quantity, false), coalesce(m.orderable, 0), coalesce(m.version, 0)
from wanted as w
cross join verdict as v
left join sums as m on m.sku = w.sku`

// grant is what became of one order: granted, already there from an earlier call, or neither, with what is short.
type grant struct {
	granted, already bool
	shortages        []Shortage
	left             []left // of each article
}

// reserve grants all items, which are merged, to the order or says what is short. A second call for the same order
// finds the first one's rows and grants nothing more.
func reserve(ctx context.Context, q postgres.Querier, orderID string, items []Item, now, expires time.Time) (g grant, err error) {
	skus, quantities, eventIDs := make([]string, len(items)), make([]int64, len(items)), make([]string, len(items))
	for i, it := range items {
		skus[i], quantities[i], eventIDs[i] = it.SKU, it.Quantity, id.New("evt")
	}
	rows, err := q.Query(ctx, reserveSQL, outbox.Trace(ctx), now, orderID, skus, quantities, eventIDs, expires, "order:"+orderID)
	if err != nil {
		return g, err
	}
	var s Shortage
	var l left
	var enough bool
	_, err = pgx.ForEachRow(rows, []any{&g.granted, &s.SKU, &s.Wanted, &enough, &s.Available, &l.Version}, func() error {
		l.SKU, l.Quantity = s.SKU, s.Available
		if g.granted {
			l.Quantity -= s.Wanted
		} else if !enough {
			g.shortages = append(g.shortages, s)
		}
		g.left = append(g.left, l)
		return nil
	})
	if postgres.Violates(err, "reservations_pkey") {
		return grant{already: true}, nil
	}
	return g, err
}

// reserveManySQL grants many orders of the same number of pieces of one article in one visit of its rows: as many as
// locations can serve whole, in the order in which they came, and after those single pieces that are owed. Orders that
// would have to be split are left for reserveSQL, and so are those that have reservations.
var reserveManySQL = `
with asked as (
    select a.order_id, a.expires_at, a.position
    from unnest($3::text[], $4::timestamptz[]) with ordinality as a (order_id, expires_at, position)
), wanted as (
    select a.order_id, a.expires_at, row_number() over (order by a.position) as n
    from asked as a
    where not exists (select from inventory.reservations as r where r.order_id = a.order_id)
), locked as (
    select s.sku, s.location, s.on_hand, s.reserved, s.available, s.version, s.backorder_limit, l.priority
    from inventory.stock as s
    join inventory.locations as l on l.id = s.location
    where s.sku = $5
    order by s.location
    for update of s
), counted as (
    select k.location, k.priority, 1 as resort, greatest(k.available, 0) / $6::bigint as orders
    from locked as k
    union all
    select k.location, k.priority, 2, coalesce(k.backorder_limit + least(k.available, 0), ` + unlimitedSQL + `)
    from locked as k
    where $6 = 1 and k.backorder_limit is distinct from 0
), slots as (
    select
        c.location, c.orders,
        coalesce(sum(c.orders) over (order by c.resort, c.priority, c.location rows between unbounded preceding and 1 preceding), 0) as before
    from counted as c
), served as (
    select w.order_id, w.expires_at, s.location
    from wanted as w
    join slots as s on w.n > s.before and w.n <= s.before + s.orders
), sums as (
    select location, count(*) as orders, min(order_id) as order_id, row_number() over (order by location) as n
    from served
    group by location
), taken as (
    update inventory.stock as s
    set on_hand = k.on_hand, reserved = k.reserved + m.orders * $6, backorder_limit = k.backorder_limit, version = k.version + 1, updated_at = $2
    from locked as k
    join sums as m using (location)
    where s.sku = $5 and s.location = k.location
    returning
        s.sku, s.location, s.on_hand, s.reserved, s.available, s.version, s.backorder_limit,
        coalesce(($7::text[])[m.n], platform.new_event_id()) as event_id, m.order_id
), held as (
    insert into inventory.reservations (order_id, sku, location, quantity, expires_at, created_at)
    select order_id, $5, location, $6, expires_at, $2
    from served
), moved as (
    insert into inventory.movements (sku, location, kind, quantity, order_id, actor, at)
    select $5, location, 'reserved', $6, order_id, 'order:' || order_id, $2
    from served
), announced as (` + announce("taken", "reserved") + `
), total as (
    select
        (coalesce(sum(greatest(k.available, 0) + coalesce(k.backorder_limit + least(k.available, 0), ` + unlimitedSQL + `)), 0))::bigint as orderable,
        coalesce(sum(k.version), 0)::bigint + (select count(*) from sums) as version
    from locked as k
)
select
    a.order_id, v.location is not null, w.order_id is null, t.orderable - (select count(*) from served) * $6, t.version
from asked as a
cross join total as t
left join wanted as w on w.order_id = a.order_id
left join served as v on v.order_id = a.order_id`

// claim is an order that waits for a turn at a hot article.
type claim struct {
	orderID string
	expires time.Time
}

// reserveMany grants the claims on quantity pieces of an article, each or not, by order. The claims are of different
// orders. When a reservation of one of them is written at the same moment, it returns errAlreadyReserved and has granted
// nothing.
func reserveMany(ctx context.Context, q postgres.Querier, sku string, quantity int64, claims []claim, now time.Time) (map[string]grant, error) {
	orders, expires := make([]string, len(claims)), make([]time.Time, len(claims))
	for i, c := range claims {
		orders[i], expires[i] = c.orderID, c.expires
	}
	rows, err := q.Query(ctx, reserveManySQL, outbox.Trace(ctx), now, orders, expires, sku, quantity, []string{id.New("evt")})
	if err != nil {
		return nil, err
	}
	grants := make(map[string]grant, len(claims))
	var order string
	var g grant
	l := left{SKU: sku}
	_, err = pgx.ForEachRow(rows, []any{&order, &g.granted, &g.already, &l.Quantity, &l.Version}, func() error {
		g.left, g.shortages = []left{l}, nil
		if !g.granted && !g.already {
			g.shortages = []Shortage{{SKU: sku, Wanted: quantity, Available: l.Quantity}}
		}
		grants[order] = g
		return nil
	})
	if postgres.Violates(err, "reservations_pkey") {
		return nil, errAlreadyReserved
	}
	return grants, err
}
