package main

import (
	"context"
	"fmt"
	"slices"
)

// bookCheck is a promise as a statement: each row it finds is a breach.
type bookCheck struct {
	id, what, count, sql string
}

const (
	allOrders   = `select count(*) from public_views.v_orders`
	allPayments = `select count(*) from public_views.v_payments`
	// alive are the states of an order whose money the shop has.
	alive = `('paid', 'partially_fulfilled', 'fulfilled', 'completed')`
)

// aliveStates are the same for who compares in Go.
var aliveStates = []string{"paid", "partially_fulfilled", "fulfilled", "completed"}

// bookChecks hold once everything is quiet.
var bookChecks = []bookCheck{
	{"I1", "payments", allPayments, doubleChargeSQL},
	{"I2", "captures", `select count(*) from public_views.v_payments where captured > 0`, `
select format('payment %s of order %s: captured %s %s, the order costs %s %s', p.payment_id, p.order_id, p.captured, p.currency, o.total, o.currency)
from public_views.v_payments as p
join public_views.v_orders as o using (order_id)
where p.captured > 0 and (p.captured <> o.total or p.currency <> o.currency)`},
	{"I3", "orders", allOrders, `
select format('order %s is %s with %s live captures', o.order_id, o.status, coalesce(p.live, 0))
from public_views.v_orders as o
left join (
    select order_id, count(*) as live from public_views.v_payments where captured > refunded group by order_id
) as p using (order_id)
where o.total > 0 and (o.status in ` + alive + `) <> (coalesce(p.live, 0) = 1) and not (
    o.status in ` + alive + ` and coalesce(p.live, 0) = 0 and o.total = (
        select sum(r.amount) from orders.refunds as r where r.order_id = o.order_id and r.state = 'done' and r.reason <> 'cancelled'
    )
)`},
	{"I11", "refunds of orders", `select count(*) from orders.refunds`, `
select format('order %s: %s were given back, its payments say %s', o.order_id, r.done, p.refunded)
from public_views.v_orders as o
join (select order_id, sum(amount) filter (where state = 'done') as done, sum(amount) filter (where state <> 'failed') as promised from orders.refunds group by order_id) as r using (order_id)
join (select order_id, sum(captured) as captured, sum(refunded) as refunded from public_views.v_payments group by order_id) as p using (order_id)
where r.done > p.refunded or r.promised > o.total`},
	{"I3", "payments", allPayments, `
select format('payment %s is %s for order %s, which is not there', p.payment_id, p.status, p.order_id)
from public_views.v_payments as p
left join public_views.v_orders as o using (order_id)
where o.order_id is null and p.captured > p.refunded`},
	{"I5", "stock rows", `select count(*) from public_views.v_stock`, `
select format('%s: on hand %s, movements say %s', s.sku, s.on_hand, coalesce(m.quantity, 0))
from public_views.v_stock as s
left join (
    select sku, sum(quantity) as quantity from public_views.v_stock_movements where kind in ('received', 'adjusted', 'sold', 'returned', 'transferred') group by sku
) as m using (sku)
where s.on_hand <> coalesce(m.quantity, 0)`},
	{"I5", "articles", `select count(distinct sku) from public_views.v_stock`, `
select format('%s: %s came in or back, %s on hand, %s in paid orders', s.sku, had.quantity, s.on_hand, coalesce(sold.quantity, 0))
from public_views.v_stock as s
join (
    select m.sku, sum(m.quantity) as quantity
    from public_views.v_stock_movements as m
    left join public_views.v_orders as o using (order_id)
    where m.kind in ('received', 'adjusted') or m.kind = 'returned' and o.status in ` + alive + `
    group by m.sku
) as had using (sku)
left join (
    select l.sku, sum(l.quantity) as quantity
    from public_views.v_order_lines as l
    join public_views.v_orders as o using (order_id)
    where o.status in ` + alive + `
    group by l.sku
) as sold using (sku)
where s.on_hand + coalesce(sold.quantity, 0) <> had.quantity`},
	{"I5", "stock rows", `select count(*) from public_views.v_stock`, `
select format('%s: %s reserved for nobody', sku, reserved)
from public_views.v_stock
where reserved <> 0`},
	{"I7", "orders", allOrders, `
select format('order %s is %s without %s', o.order_id, o.status, t.type)
from public_views.v_orders as o
cross join lateral (
    values ('orders.order_placed.v1', true), ('orders.order_paid.v1', o.paid_at is not null), ('orders.order_cancelled.v1', o.status = 'cancelled'),
        ('orders.order_fulfilled.v1', o.status = 'fulfilled')
) as t (type, due)
where t.due and not exists (select from public_views.v_events as e where e.aggregate_id = o.order_id and e.type = t.type)`},
	{"I7", "captures", `select count(*) from public_views.v_payments where captured > 0`, `
select format('payment %s was captured without its event', p.payment_id)
from public_views.v_payments as p
where p.captured > 0 and not exists (
    select from public_views.v_events as e where e.aggregate_id = p.payment_id and e.type = 'payments.payment_captured.v1'
)`},
	{"I7", "versions of stock", `select sum(version)::bigint from inventory.stock`, `
select format('%s at %s: version %s, %s events', s.sku, s.location, s.version, count(e.event_id))
from inventory.stock as s
left join public_views.v_events as e on e.aggregate_id = s.sku || '@' || s.location and e.type = 'inventory.stock_changed.v1'
group by s.sku, s.location, s.version
having count(e.event_id) <> s.version`},
	{"I8", "orders with movements", `select count(distinct order_id) from public_views.v_stock_movements`, `
select format('order %s, %s: %s %s times for %s ordered', order_id, sku, kind, sum(abs(quantity)), max(ordered))
from public_views.v_stock_movements as m
join (
    select order_id, sku, sum(quantity) as ordered from public_views.v_order_lines group by order_id, sku
) as l using (order_id, sku)
where kind in ('sold', 'returned', 'reserved', 'released')
group by order_id, sku, kind
having sum(abs(quantity)) > max(ordered)`},
	{"I10", "orders", allOrders, `
select format('order %s is still %s', order_id, status)
from public_views.v_orders
where status = 'pending_payment'`},
	{"I10", "payments", allPayments, `
select format('payment %s of order %s is still %s', payment_id, order_id, status)
from public_views.v_payments
where status in ('sending', 'unknown', 'requires_action', 'authorised')`},
	{"I11", "ledger transactions", `select count(distinct transaction_id) from public_views.v_ledger`, `
select format('transaction %s: %s %s', transaction_id, sum(amount), currency)
from public_views.v_ledger
group by transaction_id, currency
having sum(amount) <> 0`},
	{"I11", "payments", allPayments, `
select format('payment %s: captured %s, refunded %s', payment_id, captured, refunded)
from public_views.v_payments
where refunded > captured or captured > amount or refunded < 0`},
	{"I11", "payments in the ledger", allPayments, `
select format('payment %s: captured %s, refunded %s, the ledger says %s', p.id, p.captured, p.refunded, coalesce(sum(l.amount), 0))
from payments.payments as p
left join payments.ledger as l on l.payment_id = p.id and l.account like 'gateway:%'
group by p.id
having p.captured - p.refunded <> coalesce(sum(l.amount), 0)`},
	{"I11", "orders", allOrders, `
select format('order %s: %s - %s + %s + %s <> %s', order_id, subtotal, discount, tax, shipping, total)
from public_views.v_orders
where subtotal - discount + tax + shipping <> total`},
	{"I11", "orders with lines", allOrders, `
select format('order %s: lines %s + shipping %s <> %s', o.order_id, coalesce(sum(l.total), 0), o.shipping, o.total)
from public_views.v_orders as o
left join public_views.v_order_lines as l using (order_id)
group by o.order_id, o.shipping, o.tax, o.discount, o.total
having coalesce(sum(l.unit_price * l.quantity), 0) - o.discount + o.tax + o.shipping <> o.total`},
	{"I13", "moves", `select count(*) from orders.order_history`, `
select format('order %s, version %s: from %s to %s', order_id, version, coalesce(came, 'nothing'), to_status)
from (
    select order_id, version, to_status, lag(to_status) over w as came, lag(version) over w as before
    from orders.order_history
    window w as (partition by order_id order by version)
) as h
where (coalesce(came, ''), to_status) not in (
    ('', 'pending_payment'), ('pending_payment', 'paid'), ('pending_payment', 'cancelled'), ('paid', 'partially_fulfilled'), ('paid', 'fulfilled'),
    ('paid', 'cancelled'), ('partially_fulfilled', 'partially_fulfilled'), ('partially_fulfilled', 'fulfilled'), ('fulfilled', 'completed')
) or version <= coalesce(before, 0)`},
	{"I13", "orders", allOrders, `
select format('order %s is %s and its history ends with %s', o.id, o.status, (
    select h.to_status from orders.order_history as h where h.order_id = o.id order by h.version desc limit 1
))
from orders.orders as o
where o.status is distinct from (
    select h.to_status from orders.order_history as h where h.order_id = o.id order by h.version desc limit 1
)`},
	{"I14", "webhooks", `select count(*) from payments.webhooks`, `
select format('webhook %s of %s (%s) is %s: %s', id, provider, type, status, reason)
from payments.webhooks
where status in ('received', 'quarantined')`},
	{"I26", "dead letters", `select count(*) from platform.dead_letters`, `
select format('%s gave up on %s %s after %s attempts: %s', consumer, type, event_id, attempts, left(error, 200))
from platform.dead_letters`},
	{"I26", "jobs", `select count(*) from jobs.river_job`, `
select format('job %s of kind %s is %s: %s', id, kind, state, left(errors[array_length(errors, 1)] ->> 'error', 200))
from jobs.river_job
where state in ('discarded', 'cancelled') and kind <> 'jobs.tick'`},
}

func (s *stand) checkBooks(ctx context.Context, b *book) error {
	for _, c := range slices.Concat(bookChecks, couponChecks) {
		if err := b.query(ctx, s, c.id, c.what, c.count, c.sql); err != nil {
			return fmt.Errorf("%w\n%s", err, c.sql)
		}
	}
	return nil
}
