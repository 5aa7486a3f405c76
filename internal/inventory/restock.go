package inventory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/platform/broker"
	"shopd/internal/platform/outbox"
)

// restocked is pieces of an order that can be sold again.
type restocked struct {
	order, sku string
	quantity   int64
}

// restock puts back what orders gave up in part: goods that came back, and lines taken off before they were sent.
func (s *Service) restock(ctx context.Context, tx pgx.Tx, batch []events.Envelope) error {
	var list []restocked
	var freed []string
	for _, env := range batch {
		switch env.Type {
		case events.OrderLinesCancelled{}.Type():
			ev, err := events.Open[events.OrderLinesCancelled](env)
			if err != nil {
				return broker.Unreadable(err)
			}
			for _, p := range ev.Restock {
				list, freed = append(list, restocked{ev.OrderID, p.SKU, int64(p.Quantity)}), append(freed, p.SKU)
			}
		case events.ReturnChanged{}.Type():
			ev, err := events.Open[events.ReturnChanged](env)
			if err != nil {
				return broker.Unreadable(err)
			}
			if err := s.takeIn(ctx, tx, ev); err != nil {
				return err
			}
			for _, p := range ev.Restock {
				freed = append(freed, p.SKU)
			}
		}
	}
	if len(list) > 0 {
		if err := putBack(ctx, tx, list, s.now()); err != nil {
			return fmt.Errorf("put %d articles back: %w", len(list), err)
		}
	}
	s.ended.add(nil, freed)
	return nil
}

// takeIn adds goods that came back. They are in the house, so they count also where no reservation tells that they were
// sold: orders of before the shop kept its stock here.
func (s *Service) takeIn(ctx context.Context, tx pgx.Tx, ev events.ReturnChanged) error {
	if len(ev.Restock) == 0 {
		return nil
	}
	r := Return{ID: ev.ReturnID, OrderID: ev.OrderID, Reason: "given back", Actor: "system"}
	for _, p := range ev.Restock {
		r.Items = append(r.Items, Item{SKU: p.SKU, Quantity: int64(p.Quantity)})
	}
	_, err := s.TakeBackTx(ctx, tx, r)
	if errors.Is(err, ErrReturnTooMuch) {
		r.OrderID = ""
		_, err = s.TakeBackTx(ctx, tx, r)
	}
	return err
}

// putBackSQL takes pieces that will not be sent out of the reservations of their orders, so that a later end of the order
// does not give them back a second time, and changes the stock by them: what was sold comes back on hand, what is still
// held is free again.
var putBackSQL = `
with wanted as (
    select order_id, sku, sum(quantity)::bigint as quantity
    from unnest($3::text[], $4::text[], $5::bigint[]) as w (order_id, sku, quantity)
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
), sums as (
    select sku, location, min(order_id) as order_id,
        coalesce(sum(back) filter (where state = 'sold'), 0)::bigint as sold, coalesce(sum(back) filter (where state = 'held'), 0)::bigint as held
    from ended
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
    returning s.sku, s.location, s.on_hand, s.reserved, s.available, s.version, s.backorder_limit, l.order_id
), told as (
    select c.*, platform.new_event_id() as event_id
    from changed as c
), moved as (
    insert into inventory.movements (sku, location, kind, quantity, order_id, reason, actor, at)
    select sku, location, case state when 'sold' then 'returned' else 'released' end, case state when 'sold' then back else -back end, order_id, $6,
        'system', $2
    from ended
), announced as (` + announce("told", "returned") + `
)
select count(*) from changed`

func putBack(ctx context.Context, tx pgx.Tx, list []restocked, now time.Time) error {
	n := len(list)
	orders, skus, quantities := make([]string, n), make([]string, n), make([]int64, n)
	for i, r := range list {
		orders[i], skus[i], quantities[i] = r.order, r.sku, r.quantity
	}
	var changed int64
	return tx.QueryRow(ctx, putBackSQL, outbox.Trace(ctx), now, orders, skus, quantities, "taken off the order").Scan(&changed)
}
