package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// The coupons of a run, by what limits them.
const (
	couponFree    = "STORM-TEN"  // nothing
	couponLimited = "STORM-FEW"  // couponLimit uses
	couponOnce    = "STORM-ONCE" // one use of each buyer
	couponLimit   = 15
	// rushLimit is how often the coupon of a flash sale may be used, of which there is one for each.
	rushLimit = 3
	// couponPercent is what they take off.
	couponPercent = 10
)

// promotion is a coupon as the admin API makes it; limits of 0 are none.
func promotion(code string, uses, each int) map[string]any {
	body := map[string]any{
		"title": "Coupon " + code, "kind": "percentage", "percent": couponPercent, "codes": []string{code}, "stacking": "combinable",
		"include": map[string]any{}, "exclude": map[string]any{}, "conditions": map[string]any{},
	}
	if uses > 0 {
		body["use_limit"] = uses
	}
	if each > 0 {
		body["per_customer_limit"] = each
	}
	return body
}

// promote makes a coupon. Its key makes it once.
func (m *merchant) promote(ctx context.Context, code string, uses, each int) answer {
	a := m.call(ctx, adminAPI+"/promotions", promotion(code, uses, each), "coupon-"+code)
	if !a.ok() && !a.lost() {
		m.journal.breach("coupon %s is refused: %s", code, a)
	}
	return a
}

// promoteAll makes the coupons of the run, before any fault.
func (c *crowd) promoteAll(ctx context.Context) error {
	for code, limits := range map[string][2]int{couponFree: {}, couponLimited: {couponLimit, 0}, couponOnce: {0, 1}} {
		if a := c.merchant.promote(ctx, code, limits[0], limits[1]); !a.ok() {
			return fmt.Errorf("make coupon %s: %s %s", code, a, snippet(a.body))
		}
	}
	return nil
}

// redeem puts the buyer's coupon into the cart. A coupon that is used up is no reason not to buy.
func (b *buyer) redeem(ctx context.Context, cart *cartJSON) bool {
	if b.coupon == "" {
		return true
	}
	a := b.insist(ctx, http.MethodPost, b.cartPath+"/promotions", map[string]string{"code": b.coupon})
	if a.code() == "coupon_exhausted" || a.code() == "coupon_invalid" {
		b.coupon = ""
		return true
	}
	return a.ok() && json.Unmarshal(a.body, cart) == nil
}

// withoutCoupon takes the coupon out again, which somebody else used up.
func (b *buyer) withoutCoupon(ctx context.Context) bool {
	var cart cartJSON
	a := b.insist(ctx, http.MethodDelete, b.cartPath+"/promotions", map[string]string{"code": b.coupon})
	if !a.ok() || json.Unmarshal(a.body, &cart) != nil {
		return false
	}
	b.coupon, b.p.Seen = "", cart.Totals.Total.Amount
	return true
}

// couponOrders are the promotions of orders that live, one row each.
const couponOrders = `
    select p.value ->> 'promotion_id' as promotion_id, o.id, o.customer_id
    from orders.orders as o
    cross join lateral jsonb_array_elements(o.promotions) as p
    where o.status in ` + alive

// overusedSQL finds coupons that more orders have than may.
const overusedSQL = `
select format('promotion %s: %s orders that live have it, %s may', l.promotion_id, count(*), l.use_limit)
from (` + couponOrders + `
) as o
join pricing.promotion_limits as l using (promotion_id)
where l.use_limit is not null
group by l.promotion_id, l.use_limit
having count(*) > l.use_limit`

var couponChecks = []bookCheck{
	{"I12", "orders with a coupon", `select count(*) from (` + couponOrders + `) as o`, overusedSQL},
	{"I12", "customers with a coupon", `select count(distinct customer_id) from (` + couponOrders + `) as o`, `
select format('promotion %s: customer %s has %s orders that live with it, %s may be', l.promotion_id, o.customer_id, count(*), l.customer_limit)
from (` + couponOrders + `
) as o
join pricing.promotion_limits as l using (promotion_id)
where l.customer_limit is not null and o.customer_id is not null
group by l.promotion_id, o.customer_id, l.customer_limit
having count(*) > l.customer_limit`},
	{"I12", "uses", `select coalesce(sum(uses), 0)::bigint from pricing.promotion_limits`, `
select format('promotion %s counts %s uses, %s are there', l.promotion_id, l.uses, count(r.order_id))
from pricing.promotion_limits as l
left join pricing.redemptions as r on r.promotion_id = l.promotion_id and r.counted and r.state <> 'released'
group by l.promotion_id, l.uses
having l.uses <> count(r.order_id)`},
	{"I12", "uses given back", `select count(*) from pricing.redemptions where state = 'released'`, `
select format('order %s is %s, its use of promotion %s is %s', r.order_id, coalesce(o.status, 'not there'), r.promotion_id, r.state)
from pricing.redemptions as r
left join orders.orders as o on o.id = r.order_id
where r.counted and (r.state = 'used') <> coalesce(o.status in ` + alive + `, false)`},
}
