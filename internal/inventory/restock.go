package inventory

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/platform/broker"
	"shopd/internal/platform/id"
	"shopd/internal/platform/outbox"
)

// restocked is pieces of an order that can be sold again.
type restocked struct {
	order    string
	sku      string
	quantity int64
	// arrived says that they were sent and came back: they go onto the shelf whatever is known of their reservation.
	// What was never sent only gives up what its order holds or has bought.
	arrived bool
}

// restock puts back what orders gave up in part: lines taken off before they were sent, and goods that came back.
func (s *Service) restock(ctx context.Context, tx pgx.Tx, batch []events.Envelope) error {
	var list []restocked
	add := func(order string, pieces []events.OrderPieces, arrived bool) {
		for _, p := range pieces {
			list = append(list, restocked{order: order, sku: p.SKU, quantity: int64(p.Quantity), arrived: arrived})
		}
	}
	for _, env := range batch {
		switch env.Type {
		case events.OrderLinesCancelled{}.Type():
			ev, err := events.Open[events.OrderLinesCancelled](env)
			if err != nil {
				return broker.Unreadable(err)
			}
			add(ev.OrderID, ev.Restock, false)
		case events.ReturnChanged{}.Type():
			ev, err := events.Open[events.ReturnChanged](env)
			if err != nil {
				return broker.Unreadable(err)
			}
			add(ev.OrderID, ev.Restock, true)
		}
	}
	if len(list) == 0 {
		return nil
	}
	if err := putBack(ctx, tx, list, s.now()); err != nil {
		return fmt.Errorf("put %d articles back: %w", len(list), err)
	}
	return nil
}

// putBackSQL takes pieces out of the reservations of their orders, so that a later end of the order does not give them
// back a second time, and changes the stock by them: what was sold comes back on hand, what is still held is free again.
var putBackSQL = `
with wanted as (
    select order_id, sku, sum(quantity)::bigint as quantity, bool_or(arrived) as arrived
    from unnest($3::text[], $4::text[], $5::bigint[], $6::boolean[]) as w (order_id, sku, quantity, arrived)
    group by order_id, sku
), reserved as (
    select r.order_id, r.sku, r.location, r.state, r.quantity, w.quantity as wanted
    from inventory.reservations as r
    join wanted as w using (order_id, sku)
    where r.state in ('held', 'sold')
    order by r.order_id, r.sku, r.location
    for update of r
), shares as (
    select order_id, sku, location, state, quantity,
        least(quantity, greatest(0, wanted + quantity - sum(quantity) over (partition by order_id, sku order by location)))::bigint as back
    from reserved
), ended as (
    update inventory.reservations as r
    set quantity = case when s.back < s.quantity then s.quantity - s.back else s.quantity end,
        state = case when s.back < s.quantity then s.state when s.state = 'held' then 'released' else 'returned' end,
        settled_at = case when s.back < s.quantity then r.settled_at else $2 end
    from shares as s
    where s.back > 0 and r.order_id = s.order_id and r.sku = s.sku and r.location = s.location
    returning r.order_id, r.sku, r.location, s.state, s.back
), unknown as (
    select w.order_id, w.sku, $8::text as location, 'sold' as state, w.quantity - coalesce(sum(e.back), 0)::bigint as back
    from wanted as w
    left join ended as e using (order_id, sku)
    where w.arrived
    group by w.order_id, w.sku, w.quantity
    having w.quantity > coalesce(sum(e.back), 0)
), backs as (
    select order_id, sku, location, state, back from ended
    union all
    select order_id, sku, location, state, back from unknown
), sums as (
    select sku, location, min(order_id) as order_id,
        coalesce(sum(back) filter (where state = 'sold'), 0)::bigint as sold, coalesce(sum(back) filter (where state = 'held'), 0)::bigint as held
    from backs
    group by sku, location
), locked as (
    select s.sku, s.location, m.sold, m.held, m.order_id
    from inventory.stock as s
    join sums as m using (sku, location)
    order by s.sku, s.location
    for update of s
), changed as (
    update inventory.stock as s
    set on_hand = s.on_hand + l.sold, reserved = s.reserved - l.held, version = s.version + 1, updated_at = $2
    from locked as l
    where s.sku = l.sku and s.location = l.location
    returning s.sku, s.location, s.on_hand, s.reserved, s.available, s.version, l.order_id
), told as (
    select c.*, ($7::text[])[row_number() over ()] as event_id
    from changed as c
), moved as (
    insert into inventory.movements (sku, location, kind, quantity, order_id, reason, actor, at)
    select b.sku, b.location, case b.state when 'sold' then 'returned' else 'released' end, case b.state when 'sold' then b.back else -b.back end,
        b.order_id, $9, 'system', $2
    from backs as b
    join changed as c using (sku, location)
), announced as (` + announce("told", "returned") + `
)
select count(*) from changed`

// locationsOfAnOrder bounds the places that pieces of one article come back to.
const locationsOfAnOrder = 16

func putBack(ctx context.Context, tx pgx.Tx, list []restocked, now time.Time) error {
	n := len(list)
	orders, skus, quantities, arrived := make([]string, n), make([]string, n), make([]int64, n), make([]bool, n)
	for i, r := range list {
		orders[i], skus[i], quantities[i], arrived[i] = r.order, r.sku, r.quantity, r.arrived
	}
	eventIDs := make([]string, n*locationsOfAnOrder)
	for i := range eventIDs {
		eventIDs[i] = id.New("evt")
	}
	var changed int64
	return tx.QueryRow(ctx, putBackSQL, outbox.Trace(ctx), now, orders, skus, quantities, arrived, eventIDs, DefaultLocation, "given back by an order").Scan(&changed)
}
