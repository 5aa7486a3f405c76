package pricing

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/money"
	"shopd/internal/platform/postgres"
)

// claimSQL counts one use of each promotion for an order: of all of them, or of none. The rows of the limits are locked
// in the order of their promotions, and decided by what is seen under the lock. A buyer's count is checked by its
// constraint, which undoes the whole statement: rows that others are just writing cannot be seen before.
const claimSQL = `
with wanted as (
    select w.promotion_id, w.code
    from unnest($2::text[], $3::text[]) as w (promotion_id, code)
), locked as (
    select l.promotion_id, l.use_limit, l.customer_limit, l.uses, w.code
    from pricing.promotion_limits as l
    join wanted as w using (promotion_id)
    order by l.promotion_id
    for update of l
), verdict as (
    select (select count(*) from locked where use_limit is null or uses < use_limit) = (select count(*) from wanted) as granted
), counted as (
    update pricing.promotion_limits as l
    set uses = l.uses + 1
    from locked as k, verdict as v
    where v.granted and l.promotion_id = k.promotion_id
    returning l.promotion_id, l.customer_limit, k.code
), buyers as (
    insert into pricing.promotion_buyers as b (promotion_id, buyer, uses, use_limit)
    select c.promotion_id, w.buyer, 1, c.customer_limit
    from counted as c
    cross join unnest($4::text[]) as w (buyer)
    where c.customer_limit is not null
    order by c.promotion_id, w.buyer
    on conflict (promotion_id, buyer) do update
    set uses = b.uses + 1, use_limit = excluded.use_limit
), held as (
    insert into pricing.redemptions (order_id, promotion_id, code, buyers, counted, state, expires_at, created_at)
    select $1, promotion_id, code, case when customer_limit is null then '{}' else $4::text[] end, true, 'held', $5, $6
    from counted
)
select granted
from verdict`

const claimedSQL = `
select exists (select from pricing.redemptions where order_id = $1 and state <> 'released')`

// claim counts a use of each promotion for the order. granted is false when a limit is reached. An order that has its
// uses already, because the answer to an earlier call was lost, has them.
func claim(ctx context.Context, q postgres.Querier, orderID string, claims []Claim, buyers []string, expires, now time.Time) (granted bool, err error) {
	promotions, codes := make([]string, len(claims)), make([]string, len(claims))
	for i, c := range claims {
		promotions[i], codes[i] = string(c.PromotionID), c.Code
	}
	err = q.QueryRow(ctx, claimSQL, orderID, promotions, codes, buyers, expires, now).Scan(&granted)
	if granted || err != nil && !postgres.Violates(err, "buyer_within_limit") && !postgres.Violates(err, "redemptions_pkey") {
		return granted, err
	}
	err = q.QueryRow(ctx, claimedSQL, orderID).Scan(&granted)
	return granted, err
}

// releaseSQL ends the uses of orders that will not be delivered, and takes them off the counts once: whoever changes
// the state first does. An order that was paid by an event that has not been handled yet leaves its row for it.
const releaseSQL = `
with due as (
    select r.order_id, r.promotion_id
    from pricing.redemptions as r
    where r.order_id = any($1::text[]) and r.state <> 'released'
    order by r.order_id, r.promotion_id
    for update
), ended as (
    update pricing.redemptions as r
    set state = 'released', released_at = $2
    from due as d
    where r.order_id = d.order_id and r.promotion_id = d.promotion_id and r.state <> 'released'
    returning r.promotion_id, r.buyers, r.counted
), sums as (
    select promotion_id, count(*) as uses
    from ended
    where counted
    group by promotion_id
), locked as (
    select l.promotion_id, s.uses
    from pricing.promotion_limits as l
    join sums as s using (promotion_id)
    order by l.promotion_id
    for update of l
), uncounted as (
    update pricing.promotion_limits as l
    set uses = l.uses - k.uses
    from locked as k
    where l.promotion_id = k.promotion_id
), buyers as (
    select e.promotion_id, w.buyer, count(*) as uses
    from ended as e
    cross join unnest(e.buyers) as w (buyer)
    group by e.promotion_id, w.buyer
), forgotten as (
    update pricing.promotion_buyers as b
    set uses = b.uses - w.uses
    from buyers as w
    where b.promotion_id = w.promotion_id and b.buyer = w.buyer
)
select count(*)
from ended`

// release gives the uses of the orders back and returns how many there were.
func release(ctx context.Context, q postgres.Querier, orderIDs []string, now time.Time) (n int64, err error) {
	err = q.QueryRow(ctx, releaseSQL, orderIDs, now).Scan(&n)
	return n, err
}

// settleSQL writes down what paid orders used. It may be repeated, and come before or after their cancelling.
const settleSQL = `
insert into pricing.redemptions as r (order_id, promotion_id, code, counted, state, currency, revenue, discount, created_at, paid_at)
select w.order_id, w.promotion_id, w.code, false, 'used', w.currency, w.revenue, w.discount, w.at, w.at
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::timestamptz[])
    as w (order_id, promotion_id, code, currency, revenue, discount, at)
where exists (select from pricing.promotions as p where p.id = w.promotion_id)
order by w.order_id, w.promotion_id
on conflict (order_id, promotion_id) do update
set state = case when r.state = 'held' then 'used' else r.state end, currency = excluded.currency, revenue = excluded.revenue,
    discount = excluded.discount, paid_at = coalesce(r.paid_at, excluded.paid_at)`

// forgoSQL writes down that paid orders were cancelled whose payment nobody told us of yet.
const forgoSQL = `
insert into pricing.redemptions (order_id, promotion_id, code, counted, state, created_at, released_at)
select w.order_id, w.promotion_id, w.code, false, 'released', $4, $4
from unnest($1::text[], $2::text[], $3::text[]) as w (order_id, promotion_id, code)
where exists (select from pricing.promotions as p where p.id = w.promotion_id)
order by w.order_id, w.promotion_id
on conflict do nothing`

const confirmSQL = `
update pricing.redemptions
set state = 'used'
where order_id = any($1::text[]) and state = 'held'`

const prolongSQL = `
update pricing.redemptions
set expires_at = greatest(expires_at, $2)
where order_id = any($1::text[]) and state = 'held'`

const expiredClaimsSQL = `
select distinct order_id
from (
    select order_id
    from pricing.redemptions
    where state = 'held' and expires_at < $1
    order by expires_at
    limit $2
) as oldest`

func expiredClaims(ctx context.Context, q postgres.Querier, before time.Time, limit int) ([]string, error) {
	rows, err := q.Query(ctx, expiredClaimsSQL, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

const promotionDaysSQL = `
select (r.paid_at at time zone 'UTC')::date, r.currency, count(*) filter (where r.state <> 'released'),
    coalesce(sum(r.revenue) filter (where r.state <> 'released'), 0)::bigint,
    coalesce(sum(r.discount) filter (where r.state <> 'released'), 0)::bigint,
    count(*) filter (where r.state = 'released')
from pricing.redemptions as r
where r.promotion_id = $1 and r.paid_at >= $2 and r.paid_at < $3
group by 1, 2
order by 1, 2`

func promotionDays(ctx context.Context, q postgres.Querier, id PromotionID, from, to time.Time) ([]PromotionDay, error) {
	rows, err := q.Query(ctx, promotionDaysSQL, id, from, to)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (d PromotionDay, err error) {
		var currency money.Currency
		err = row.Scan(&d.Day, &currency, &d.Orders, &d.Revenue.Minor, &d.Discount.Minor, &d.Cancelled)
		d.Revenue.Currency, d.Discount.Currency = currency, currency
		return d, err
	})
}

// miscountedSQL compares the counts with the uses that live: they differ only when something is broken.
const miscountedSQL = `
with living as (
    select r.promotion_id, r.buyers
    from pricing.redemptions as r
    where r.counted and r.state <> 'released'
), uses as (
    select promotion_id, count(*) as n
    from living
    group by promotion_id
), buyers as (
    select l.promotion_id, w.buyer, count(*) as n
    from living as l
    cross join unnest(l.buyers) as w (buyer)
    group by l.promotion_id, w.buyer
)
select l.promotion_id
from pricing.promotion_limits as l
left join uses as u using (promotion_id)
where l.uses <> coalesce(u.n, 0)
union
select promotion_id
from pricing.promotion_buyers as b
full join buyers as w using (promotion_id, buyer)
where coalesce(b.uses, 0) <> coalesce(w.n, 0)
order by 1`

func miscounted(ctx context.Context, q postgres.Querier) ([]PromotionID, error) {
	rows, err := q.Query(ctx, miscountedSQL)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[PromotionID])
}
