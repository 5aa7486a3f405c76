package app

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/money"
	"shopd/internal/orders"
	"shopd/internal/platform/id"
	"shopd/internal/pricing"
)

// The parts of carts, orders and promotions that these tests look at.
type (
	appliedJSON struct {
		PromotionID string `json:"promotion_id"`
		Code, Kind  string
		Discount    moneyJSON
		Shipping    moneyJSON
	}
	discountedJSON struct {
		ID     string
		Status string
		Lines  []struct {
			Quantity             int64
			UnitPrice            moneyJSON `json:"unit_price"`
			Discount, Tax, Total moneyJSON
		}
		Coupons []struct {
			Code, Reason, Detail string
			Applied              bool
		}
		Promotions []appliedJSON
		Totals     struct {
			Subtotal, Discount, Shipping, Tax, Total moneyJSON
			TaxIncluded                              moneyJSON `json:"tax_included"`
		}
		Version int64
	}
	promotionJSON struct {
		ID      string
		Codes   []string
		Uses    int64
		Version int64
	}
)

// promotionShop is two replicas that share their services.
type promotionShop struct {
	*store
	other *store
	staff *client
}

func TestPromotions(t *testing.T) {
	t.Parallel()
	p := onServices(t)
	s := &promotionShop{store: openStore(t, p, "SHOPD_REPLICAS=2"), other: openStore(t, p, "SHOPD_REPLICAS=2")}
	s.staff = s.keyWith(t, "promotions:*")
	t.Run("all", func(t *testing.T) { promotionScenarios(t, s) })
	require.NoError(t, s.Pricing.CheckPromotions(t.Context()), "the counts are the uses that live")
}

func promotionScenarios(t *testing.T, s *promotionShop) {
	for name, scenario := range map[string]func(*testing.T, *promotionShop){
		"bad coupons":      badCoupons,
		"the merchant":     promotionMerchant,
		"a purchase":       discountedPurchase,
		"limits in a race": couponRaces,
		"given back":       couponsGivenBack,
		"what has changed": changedPromotions,
		"every order":      everyOrderAddsUp,
		"nothing to pay":   nothingToPay,
		"first orders":     firstOrders,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, s)
		})
	}
}

// only lets a promotion count for the articles of a test alone.
func only(body map[string]any, list ...article) map[string]any {
	products := make([]string, len(list))
	for i, a := range list {
		products[i] = a.product
	}
	body["include"] = map[string]any{"products": products}
	for _, needed := range []string{"exclude", "conditions"} {
		if body[needed] == nil {
			body[needed] = map[string]any{}
		}
	}
	return body
}

func (s *promotionShop) promote(t *testing.T, body map[string]any) promotionJSON {
	t.Helper()
	var p promotionJSON
	s.staff.on(t).post(adminAPI+"/promotions", body).is(http.StatusCreated).decode(&p)
	return p
}

func (s *promotionShop) uses(t *testing.T, p promotionJSON) int64 {
	t.Helper()
	s.staff.on(t).get(adminAPI + "/promotions/" + p.ID).is(http.StatusOK).decode(&p)
	return p.Uses
}

// code is a coupon code that no other test has.
func code(prefix string) string {
	return prefix + strings.ToUpper(strings.TrimPrefix(id.New("x"), "x_"))
}

func (b *buyer) coupon(text string) *reply {
	b.t.Helper()
	return b.post(b.path+"/promotions", map[string]string{"code": text})
}

func (b *buyer) discounted() discountedJSON {
	b.t.Helper()
	var d discountedJSON
	b.get(b.path).is(http.StatusOK).decode(&d)
	return d
}

// badCoupons are the rows of the promises about coupons that are none.
func badCoupons(t *testing.T, s *promotionShop) {
	a := s.stock(t, 2000, 1000)
	save, ended, later, off, foreign := code("SAVE-"), code("ENDED-"), code("LATER-"), code("OFF-"), code("MINE-")
	ten := func(code string, more ...any) {
		t.Helper()
		body := only(map[string]any{"title": "Ten percent", "kind": "percentage", "percent": 10, "codes": []string{code}}, a)
		for i := 0; i < len(more); i += 2 {
			body[more[i].(string)] = more[i+1] //nolint:forcetypeassert // names above
		}
		s.promote(t, body)
	}
	owner := newCustomer(t, s.store, "coupon.owner@example.com")
	ten(save)
	ten(ended, "valid_to", time.Now().Add(-time.Minute))
	ten(later, "valid_from", time.Now().Add(time.Hour))
	ten(off, "active", false)
	ten(foreign, "conditions", map[string]any{"customers": []string{owner.tokens.Customer.ID}})

	b := newBuyer(s.guest(t)).add(a, 1)
	for name, text := range map[string]string{
		"unknown": code("NO-"), "ended": ended, "not begun": later, "switched off": off, "somebody else's": foreign, "letters that look alike": "Ѕ" + save[1:],
		"letters that nobody sees": save[:3] + "\u200b" + save[3:], "a statement": "' or 1=1 --", "a pattern": "SAVE%", "too short": "AB", "only space": "   ",
	} {
		t.Run(name, func(t *testing.T) {
			before := b.discounted()
			r := *b
			r.client = b.on(t)
			r.coupon(text).refuses(http.StatusUnprocessableEntity, "coupon_invalid")
			require.Equal(t, before, b.discounted(), "nothing changed")
		})
	}
	t.Run("not a text", func(t *testing.T) {
		b.on(t).post(b.path+"/promotions", map[string]any{"code": 10}).refuses(http.StatusUnprocessableEntity, "validation_failed")
		b.on(t).post(b.path+"/promotions", map[string]any{"code": save, "percent": 99}).refuses(http.StatusUnprocessableEntity, "unknown_field")
		b.on(t).post(b.path+"/promotions", map[string]any{}).refuses(http.StatusUnprocessableEntity, "validation_failed")
	})
	t.Run("stacked twice under other spellings", func(t *testing.T) {
		r := *b
		r.client = b.on(t)
		r.coupon(strings.ToLower(save)).is(http.StatusOK)
		before := r.discounted()
		require.EqualValues(t, 200, before.Totals.Discount.Amount)
		for _, text := range []string{save, strings.ToLower(save), "  " + save + "\n", save[:6] + " " + save[6:], strings.Replace(save, "SAVE", "ＳＡＶＥ", 1)} {
			r.coupon(text).refuses(http.StatusUnprocessableEntity, "coupon_invalid")
		}
		require.Equal(t, before, r.discounted())
		r.do(http.MethodDelete, r.path+"/promotions", map[string]string{"code": code("NO-")}).refuses(http.StatusNotFound, "not_found")
		r.do(http.MethodDelete, r.path+"/promotions", map[string]string{"code": " " + strings.ToLower(save)}).is(http.StatusOK)
		require.Zero(t, r.discounted().Totals.Discount.Amount)
	})
	t.Run("a stranger's cart", func(t *testing.T) {
		s.guest(t).post(b.path+"/promotions", map[string]string{"code": save}).refuses(http.StatusNotFound, "not_found")
		newBuyer(s.guest(t)).post(b.path+"/promotions", map[string]string{"code": save}).refuses(http.StatusNotFound, "not_found")
	})
	t.Run("one's own", func(t *testing.T) {
		mine := newBuyer(owner.on(t)).add(a, 1)
		mine.coupon(foreign).is(http.StatusOK)
	})
}

// promotionMerchant makes, changes and deletes promotions.
func promotionMerchant(t *testing.T, s *promotionShop) {
	a := s.stock(t, 2000, 10)
	staff, path := s.staff.on(t), adminAPI+"/promotions"
	percent := func(p any) map[string]any {
		return only(map[string]any{"title": "A share", "kind": "percentage", "percent": p, "codes": []string{code("SHARE-")}}, a)
	}
	for _, wrong := range []any{110, 100.01, -1, 12.345, "10", 1e9} {
		staff.post(path, percent(wrong)).refuses(http.StatusUnprocessableEntity, "validation_failed")
	}
	body := percent(0)
	body["price"] = 1
	staff.post(path, body).refuses(http.StatusUnprocessableEntity, "unknown_field")
	body = percent(12.5)
	var p promotionJSON
	made := staff.post(path, body).is(http.StatusCreated)
	made.decode(&p)
	require.Contains(t, string(made.body), `"percent":12.5`)
	one := path + "/" + p.ID
	require.Equal(t, `"1"`, staff.get(one).is(http.StatusOK).header.Get("ETag"))
	staff.post(path, body).refuses(http.StatusConflict, "coupon_code_taken")

	staff.do(http.MethodPut, one, body).refuses(http.StatusPreconditionRequired, "version_required")
	staff.do(http.MethodPut, one, body, "If-Match", `"9"`).refuses(http.StatusPreconditionFailed, "stale_version")
	body["use_limit"], body["percent"] = 5, 20
	staff.do(http.MethodPut, one, body, "If-Match", `"1"`).is(http.StatusOK).decode(&p)
	require.EqualValues(t, 2, p.Version)
	staff.do(http.MethodDelete, one, nil, "If-Match", `"1"`).refuses(http.StatusPreconditionFailed, "stale_version")
	staff.get(one+"/statistics?from=2026-01-01&to=2020-01-01").refuses(http.StatusUnprocessableEntity, "invalid_parameter")
	staff.get(one + "/statistics").is(http.StatusOK)

	b := newBuyer(s.guest(t)).add(a, 1)
	b.coupon(p.Codes[0]).is(http.StatusOK)
	require.EqualValues(t, 400, b.discounted().Totals.Discount.Amount)
	staff.do(http.MethodDelete, one, nil, "If-Match", `"2"`).is(http.StatusNoContent)
	staff.get(one).refuses(http.StatusNotFound, "not_found")
	b.add(a, 1)
	d := b.discounted()
	require.Zero(t, d.Totals.Discount.Amount)
	require.Equal(t, "not_valid", d.Coupons[0].Reason)
	require.False(t, d.Coupons[0].Applied)

	seen, after := map[string]bool{}, ""
	for {
		var page struct {
			Items []promotionJSON
			Next  *string
		}
		staff.get(path + "?limit=2&after=" + after).is(http.StatusOK).decode(&page)
		for _, p := range page.Items {
			require.False(t, seen[p.ID])
			seen[p.ID] = true
		}
		if page.Next == nil {
			break
		}
		after = *page.Next
	}
	require.False(t, seen[p.ID])
	staff.get(path+"?after=nowhere").refuses(http.StatusUnprocessableEntity, "invalid_parameter")

	for _, c := range []*client{s.guest(t), newCustomer(t, s.store, "no.merchant@example.com").client, s.keyWith(t, "promotions:read"), s.keyWith(t, "orders:*")} {
		require.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, c.post(path, percent(10)).status)
	}
	auditor := s.keyWith(t, "audit:read")
	within(t, soon, func() error {
		log := string(auditor.get(adminAPI + "/audit-log?limit=100").is(http.StatusOK).body)
		for _, action := range []string{"promotion.created", "promotion.replaced", "promotion.deleted"} {
			if !strings.Contains(log, `"action":"`+action+`","object":"`+p.ID) {
				return fmt.Errorf("%s of %s is not in the audit log", action, p.ID)
			}
		}
		return nil
	})

	group := adminAPI + "/customer-groups/vip/members/"
	c := newCustomer(t, s.store, "vip@example.com")
	vip := percent(30)
	vip["conditions"] = map[string]any{"customer_groups": []string{"vip"}}
	s.promote(t, vip)
	vipCode := vip["codes"].([]string)[0] //nolint:forcetypeassert // made above
	mine := newBuyer(c.client).add(a, 1)
	mine.coupon(vipCode).refuses(http.StatusUnprocessableEntity, "coupon_invalid")
	staff.do(http.MethodPut, group+c.tokens.Customer.ID, nil).is(http.StatusNoContent)
	mine.coupon(vipCode).is(http.StatusOK)
	staff.do(http.MethodDelete, group+c.tokens.Customer.ID, nil).is(http.StatusNoContent)
	mine.add(a, 1)
	require.Zero(t, mine.discounted().Totals.Discount.Amount)
}

// discountedPurchase follows what promotions take off from the cart to the views.
func discountedPurchase(t *testing.T, s *promotionShop) {
	list := s.stockMany(t, 3, 0, 100)
	prices := []int64{1999, 333, 4550}
	changes := make([]pricing.Change, 3)
	for i, a := range list {
		changes[i] = pricing.Change{VariantID: a.variant, SKU: a.sku, Amount: money.New(prices[i], "EUR"), Source: pricing.List}
	}
	_, err := s.Pricing.Set(t.Context(), changes)
	require.NoError(t, err)
	ten := s.promote(t, only(map[string]any{"title": "Ten percent", "kind": "percentage", "percent": 10}, list...))
	five, ship := code("FIVE-"), code("SHIP-")
	s.promote(t, only(map[string]any{
		"title": "Five off", "kind": "fixed_amount", "amounts": []any{map[string]any{"amount": 500, "currency": "EUR"}}, "codes": []string{five},
		"conditions": map[string]any{"minimum_subtotal": []any{map[string]any{"amount": 5000, "currency": "EUR"}}},
	}, list...))
	s.promote(t, only(map[string]any{"title": "Free shipping", "kind": "free_shipping", "codes": []string{ship}}, list...))

	b := newBuyer(s.guest(t))
	within(t, soon, func() error { // the shops' caches follow the prices
		b = newBuyer(s.guest(t)).add(list[0], 2).add(list[1], 3)
		if got := b.cart.Totals.Subtotal.Amount; got != 2*1999+3*333 {
			return fmt.Errorf("subtotal %d", got)
		}
		return nil
	})
	b.coupon(five).refuses(http.StatusUnprocessableEntity, "coupon_invalid")
	b.add(list[2], 1)
	b.coupon(five).is(http.StatusOK)
	b.coupon(ship).is(http.StatusOK)
	b.checkout()
	d := b.discounted()
	require.EqualValues(t, 9547, d.Totals.Subtotal.Amount)
	require.EqualValues(t, 955+500, d.Totals.Discount.Amount)
	require.Zero(t, d.Totals.Shipping.Amount)
	require.EqualValues(t, 9547-1455, d.Totals.Total.Amount)
	require.InDelta(t, (9547-1455)*19/119, d.Totals.TaxIncluded.Amount, 3, "tax is of what is paid")
	require.Len(t, d.Promotions, 3)
	require.Equal(t, appliedJSON{ten.ID, "", "percentage", moneyJSON{955, "EUR"}, moneyJSON{0, "EUR"}}, d.Promotions[0])
	require.Equal(t, five, d.Promotions[1].Code)
	require.EqualValues(t, 490, d.Promotions[2].Shipping.Amount)

	var o discountedJSON
	b.complete("test_ok").is(http.StatusCreated).decode(&o)
	require.Equal(t, "paid", o.Status)
	require.Equal(t, d.Totals, o.Totals)
	require.Equal(t, d.Promotions, o.Promotions)
	require.EqualValues(t, 1455, s.number(t, `select sum(discount)::bigint from public_views.v_order_lines where order_id = $1`, o.ID))
	require.EqualValues(t, 9547-1455, s.number(t, `select captured from public_views.v_payments where order_id = $1`, o.ID))
	var again discountedJSON
	b.get(storeAPI + "/orders/" + o.ID).is(http.StatusOK).decode(&again)
	require.Equal(t, o.Promotions, again.Promotions)

	within(t, soon, func() error {
		var stats struct {
			Items []struct {
				Orders            int64
				Revenue, Discount moneyJSON
			}
		}
		s.staff.on(t).get(adminAPI + "/promotions/" + ten.ID + "/statistics").is(http.StatusOK).decode(&stats)
		if len(stats.Items) != 1 || stats.Items[0].Orders != 1 || stats.Items[0].Revenue.Amount != 9547-1455 || stats.Items[0].Discount.Amount != 955 {
			return fmt.Errorf("statistics: %+v", stats)
		}
		return nil
	})
}

// raceFor lets n buyers, whose carts have the coupon, complete at the same moment on both replicas.
func (s *promotionShop) raceFor(t *testing.T, buyers []*buyer) (won []orderJSON) {
	t.Helper()
	calls := make([]call, len(buyers))
	for i, b := range buyers {
		base := s.url
		if i%2 == 1 {
			base = s.other.url
		}
		calls[i] = call{base: base, path: b.path + "/complete", body: payWith("test_ok"), header: http.Header{
			"X-Cart-Token": {b.cart.Token}, "Idempotency-Key": {newKey()},
		}}
	}
	for _, r := range onTheLastByte(t, calls) {
		if r.status == http.StatusCreated {
			var o orderJSON
			r.decode(&o)
			won = append(won, o)
			continue
		}
		r.refuses(http.StatusConflict, "coupon_exhausted")
	}
	return won
}

// couponRaces are shoppers who want the last use of a coupon at the same moment.
func couponRaces(t *testing.T, s *promotionShop) {
	t.Run("a hundred want one", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 3000, 1000)
		coupon := code("LAST-")
		p := s.promote(t, only(map[string]any{"title": "One", "kind": "percentage", "percent": 50, "codes": []string{coupon}, "use_limit": 1}, a))
		buyers := make([]*buyer, 100)
		for i := range buyers {
			buyers[i] = newBuyer(s.guest(t)).add(a, 1).checkout()
			buyers[i].coupon(coupon).is(http.StatusOK)
		}
		won := s.raceFor(t, buyers)
		require.Len(t, won, 1)
		require.EqualValues(t, 1500+490, won[0].Totals.Total.Amount)
		require.EqualValues(t, 1, s.number(t, `select count(*) from public_views.v_payments as p join public_views.v_order_lines as l using (order_id) where l.sku = $1`, a.sku),
			"nobody else was charged")
		require.EqualValues(t, 1, s.number(t, `select count(*) from public_views.v_order_lines where sku = $1`, a.sku))
		require.Zero(t, s.number(t, `select count(*) from public_views.v_stock_movements where sku = $1 and kind = 'released'`, a.sku), "nor did anybody else hold stock")
		require.EqualValues(t, 1, s.uses(t, p))
		loser := buyers[0]
		if won[0].CartID == loser.cart.ID {
			loser = buyers[1]
		}
		loser.coupon(coupon).refuses(http.StatusUnprocessableEntity, "coupon_invalid") // it is in the cart
		loser.post(loser.path+"/accept-prices", map[string]any{}).is(http.StatusOK)
		require.Equal(t, "used_up", loser.discounted().Coupons[0].Reason)
		var o orderJSON
		loser.complete("test_ok").is(http.StatusCreated).decode(&o)
		require.EqualValues(t, 3000+490, o.Totals.Total.Amount, "who was told buys without it")
		newBuyer(s.guest(t)).add(a, 1).coupon(coupon).refuses(http.StatusConflict, "coupon_exhausted")
	})
	t.Run("one buyer in many carts", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 3000, 1000)
		coupon := code("ONCE-")
		p := s.promote(t, only(map[string]any{"title": "Once each", "kind": "percentage", "percent": 50, "codes": []string{coupon}, "per_customer_limit": 2}, a))
		me := newCustomer(t, s.store, "many.carts@example.com")
		buyers := make([]*buyer, 30)
		for i := range buyers {
			who := me.client // as oneself, and as a guest with the same address
			if i%2 == 1 {
				who = s.guest(t)
			}
			b := newBuyer(who).add(a, 1)
			to := map[string]any{"email": "Many.Carts@example.com", "shipping": address["shipping"]}
			b.do(http.MethodPut, b.path+"/address", to).is(http.StatusOK)
			b.do(http.MethodPut, b.path+"/shipping-method", map[string]string{"shipping_method_id": "ship_standard"}).is(http.StatusOK)
			b.coupon(coupon).is(http.StatusOK)
			buyers[i] = b
		}
		require.Len(t, s.raceFor(t, buyers), 2)
		require.EqualValues(t, 2, s.uses(t, p))
		other := newBuyer(s.guest(t)).add(a, 1).checkout()
		other.coupon(coupon).is(http.StatusOK)
		other.complete("test_ok").is(http.StatusCreated)
	})
}

// couponsGivenBack are uses that come back, each once.
func couponsGivenBack(t *testing.T, s *promotionShop) {
	limited := func(t *testing.T, a article) (string, promotionJSON) {
		t.Helper()
		coupon := code("BACK-")
		return coupon, s.promote(t, only(map[string]any{
			"title": "Limited", "kind": "percentage", "percent": 50, "codes": []string{coupon}, "use_limit": 1, "per_customer_limit": 1,
		}, a))
	}
	left := func(t *testing.T, p promotionJSON, want int64) {
		t.Helper()
		within(t, soon, func() error {
			if n := s.uses(t, p); n != want {
				return fmt.Errorf("%d uses", n)
			}
			return nil
		})
	}
	t.Run("of a cancelled order", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 3000, 10)
		coupon, p := limited(t, a)
		b := newBuyer(s.guest(t)).add(a, 1).checkout()
		b.coupon(coupon).is(http.StatusOK)
		var o orderJSON
		b.complete("test_ok").is(http.StatusCreated).decode(&o)
		require.EqualValues(t, 1, s.uses(t, p))
		together(t, 5, func(int) (*reply, error) {
			return b.try(http.MethodPost, storeAPI+"/orders/"+o.ID+"/cancel", map[string]string{})
		})
		require.Zero(t, s.uses(t, p), "at once")
		again := newBuyer(s.guest(t)).add(a, 1).checkout()
		again.coupon(coupon).is(http.StatusOK)
		again.complete("test_ok").is(http.StatusCreated)
		within(t, soon, func() error {
			if n := s.number(t, `select count(*) from platform.outbox where published_at is null`); n > 0 {
				return fmt.Errorf("%d events wait", n)
			}
			return nil
		})
		time.Sleep(200 * time.Millisecond) // the event of the cancelled order has been handled or is about to be
		left(t, p, 1)
	})
	t.Run("of an order whose goods are gone", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 3000, 1)
		coupon, p := limited(t, a)
		b := newBuyer(s.guest(t)).add(a, 1).checkout()
		b.coupon(coupon).is(http.StatusOK)
		newBuyer(s.guest(t)).add(a, 1).checkout().complete("test_ok").is(http.StatusCreated)
		b.complete("test_ok").refuses(http.StatusConflict, "out_of_stock")
		require.Zero(t, s.uses(t, p))
	})
	t.Run("of one's own order that makes room", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 3000, 10)
		coupon, p := limited(t, a)
		b := newBuyer(s.guest(t)).add(a, 1).checkout()
		b.coupon(coupon).is(http.StatusOK)
		b.complete("test_declined").refuses(http.StatusPaymentRequired, "payment_declined")
		require.EqualValues(t, 1, s.uses(t, p), "the order waits for another try")
		b.complete("test_declined").refuses(http.StatusPaymentRequired, "payment_declined")
		b.add(a, 1) // another cart makes another order
		var o orderJSON
		b.complete("test_ok").is(http.StatusCreated).decode(&o)
		require.EqualValues(t, 3000+490, o.Totals.Total.Amount)
		left(t, p, 1)
	})
	t.Run("of orders that were never written", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 3000, 10)
		coupon, p := limited(t, a)
		// A process that was killed between the claim and the order leaves this.
		claims := []pricing.Claim{{PromotionID: pricing.PromotionID(p.ID), Code: coupon}}
		require.NoError(t, s.Pricing.Redeem(t.Context(), id.New("ord"), claims, pricing.Buyer{CustomerID: "cus_x"}, 500*time.Millisecond))
		require.EqualValues(t, 1, s.uses(t, p))
		left(t, p, 0)
	})
	t.Run("not of orders that live", func(t *testing.T) {
		t.Parallel()
		a := s.stock(t, 3000, 10)
		coupon, p := limited(t, a)
		b := newBuyer(s.guest(t)).add(a, 1).checkout()
		b.coupon(coupon).is(http.StatusOK)
		var o orderJSON
		b.complete("test_requires_action").is(http.StatusCreated).decode(&o)
		require.Equal(t, "pending_payment", o.Status)
		overdue := func() {
			_, err := s.sql.Exec(t.Context(), `update pricing.redemptions set expires_at = now() - interval '1 minute' where order_id = $1`, o.ID)
			require.NoError(t, err)
		}
		overdue()
		within(t, soon, func() error {
			if n := s.number(t, `select count(*) from pricing.redemptions where order_id = $1 and state = 'held' and expires_at > now()`, o.ID); n != 1 {
				return fmt.Errorf("the claim was not prolonged")
			}
			return nil
		})
		require.EqualValues(t, 1, s.uses(t, p))
		s.guest(t).post(storeAPI+"/orders/"+o.ID+"/cancel", map[string]string{}, "X-Order-Secret", o.Secret).is(http.StatusOK)
		require.Zero(t, s.uses(t, p))
	})
}

// changedPromotions are promotions that end or begin between the cart and the order: nobody pays what they were not
// shown.
func changedPromotions(t *testing.T, s *promotionShop) {
	a := s.stock(t, 3000, 10_000)
	coupon := code("SOON-OVER-")
	body := only(map[string]any{"title": "Over soon", "kind": "percentage", "percent": 50, "codes": []string{coupon}}, a)
	p := s.promote(t, body)
	b := newBuyer(s.guest(t)).add(a, 1).checkout()
	b.coupon(coupon).is(http.StatusOK)
	body["percent"] = 40
	s.staff.on(t).do(http.MethodPut, adminAPI+"/promotions/"+p.ID, body, "If-Match", `"1"`).is(http.StatusOK)
	b.complete("test_ok").refuses(http.StatusConflict, "price_changed")
	b.post(b.path+"/accept-prices", map[string]any{}).is(http.StatusOK)
	require.EqualValues(t, 1200, b.discounted().Totals.Discount.Amount)
	body["valid_to"] = time.Now().Add(-time.Second)
	s.staff.on(t).do(http.MethodPut, adminAPI+"/promotions/"+p.ID, body, "If-Match", `"2"`).is(http.StatusOK)
	refused := b.complete("test_ok").refuses(http.StatusConflict, "price_changed")
	require.Contains(t, string(refused.body), "This coupon has ended.")
	require.Zero(t, s.number(t, `select count(*) from public_views.v_orders where cart_id = $1`, b.cart.ID))
	b.post(b.path+"/accept-prices", map[string]any{}).is(http.StatusOK)
	var o orderJSON
	b.complete("test_ok").is(http.StatusCreated).decode(&o)
	require.EqualValues(t, 3490, o.Totals.Total.Amount)

	t.Run("one that begins by itself, seen by the other replica too", func(t *testing.T) {
		b := newBuyer(s.other.guest(t)).add(a, 1).checkout()
		s.promote(t, only(map[string]any{"title": "Begun", "kind": "percentage", "percent": 10}, a))
		within(t, soon, func() error {
			if off := newBuyer(s.other.guest(t)).add(a, 1).discounted().Totals.Discount.Amount; off != 300 {
				return fmt.Errorf("the other replica takes %d off", off)
			}
			return nil
		})
		b.complete("test_ok").refuses(http.StatusConflict, "price_changed")
		b.post(b.path+"/accept-prices", map[string]any{}).is(http.StatusOK)
		require.EqualValues(t, 300, b.discounted().Totals.Discount.Amount)
	})
}

// everyOrderAddsUp buys at random, with random promotions, in currencies of every exponent, and checks each row.
func everyOrderAddsUp(t *testing.T, s *promotionShop) {
	const purchases = 40
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	currencies := []money.Currency{"EUR", "USD", "JPY", "KWD"}
	list := s.stockMany(t, 6, 1000, 100_000)
	var changes []pricing.Change
	for _, a := range list {
		for _, c := range currencies {
			changes = append(changes, pricing.Change{VariantID: a.variant, SKU: a.sku, Amount: money.New(1+random.Int64N(20_000), c), Source: pricing.List})
		}
	}
	_, err := s.Pricing.Set(t.Context(), changes)
	require.NoError(t, err)
	var codes []string
	for i := range 12 {
		body := only(map[string]any{"title": fmt.Sprintf("Random %d", i), "codes": []string{code("RND-")}, "priority": random.IntN(3)}, list[random.IntN(6):]...)
		switch i % 4 {
		case 0:
			body["kind"], body["percent"] = "percentage", float64(random.IntN(10_001))/100
		case 1:
			var amounts []any
			for _, c := range currencies {
				amounts = append(amounts, map[string]any{"amount": random.Int64N(9_000), "currency": c})
			}
			body["kind"], body["amounts"], body["per"] = "fixed_amount", amounts, []string{"order", "line", "piece"}[random.IntN(3)]
		case 2:
			body["kind"] = "free_shipping"
		case 3:
			body["kind"], body["percent"] = "buy_x_get_y", random.IntN(101)
			body["buy"], body["get"] = map[string]any{"quantity": 1 + random.IntN(3)}, map[string]any{"quantity": 1 + random.IntN(2)}
		}
		if random.IntN(4) == 0 {
			body["stacking"] = "exclusive"
		}
		codes = append(codes, s.promote(t, body).Codes...)
	}
	places := map[money.Currency]orders.Address{
		"EUR": {Country: "DE"}, "USD": {Country: "US", Region: "CA"}, "JPY": {Country: "JP"}, "KWD": {Country: "KW"},
	}
	for i := range purchases {
		currency := currencies[i%len(currencies)]
		ctx := t.Context()
		c, token, err := s.Orders.CreateCart(ctx, orders.NewCart{Currency: currency})
		require.NoError(t, err)
		access := orders.Access{CartToken: token}
		for n := range 1 + random.IntN(5) {
			_, err = s.Orders.AddLine(ctx, c.ID, access, orders.AddLine{SKU: list[(i+n)%6].sku, Quantity: 1 + random.IntN(7)})
			require.NoError(t, err)
		}
		to := places[currency]
		to.Name, to.Line1, to.City, to.PostalCode = "Ada", "Street 1", "Town", "12345"
		_, err = s.Orders.SetContact(ctx, c.ID, access, orders.Contact{Email: fmt.Sprintf("random%d@example.com", i), Shipping: to})
		require.NoError(t, err)
		_, err = s.Orders.SetShippingMethod(ctx, c.ID, access, "ship_standard")
		require.NoError(t, err)
		for range random.IntN(4) {
			_, err = s.Orders.ApplyCoupon(ctx, c.ID, access, codes[random.IntN(len(codes))])
			if err != nil {
				require.ErrorIs(t, err, orders.ErrCouponInvalid)
			}
		}
		_, err = s.Orders.AcceptPrices(ctx, c.ID, access) // what the cache showed may be older
		require.NoError(t, err)
		placed, err := s.Orders.Complete(ctx, orders.CompleteRequest{CartID: c.ID, Access: access, Provider: "test", Method: "test_ok", IdempotencyKey: newKey()})
		require.NoError(t, err)
		adds(t, placed.Order)
	}
	require.Zero(t, s.number(t, `
		select count(*)
		from public_views.v_orders as o
		join (
			select order_id, sum(unit_price * quantity) as subtotal, sum(discount) as discount, sum(tax) as tax, sum(total) as total
			from public_views.v_order_lines group by order_id
		) as l using (order_id)
		where o.total <> l.subtotal - l.discount + l.tax + o.shipping or o.total <> l.total + o.shipping or o.discount <> l.discount or o.subtotal <> l.subtotal
			or o.discount > o.subtotal or o.total < 0`))
	require.EqualValues(t, purchases, s.number(t, `select count(*) from public_views.v_orders as o join public_views.v_payments as p using (order_id)
		where o.currency in ('USD', 'JPY', 'KWD', 'EUR') and p.captured = o.total and p.currency = o.currency and exists (
			select from public_views.v_order_lines as l where l.order_id = o.order_id and l.sku = any($1))`, skus(list)))
}

func skus(list []article) []string {
	names := make([]string, len(list))
	for i, a := range list {
		names[i] = a.sku
	}
	return names
}

// adds checks an order to the minor unit.
func adds(t *testing.T, o *orders.Order) {
	t.Helper()
	var subtotal, discount, tax, off, shipping int64
	for _, l := range o.Lines {
		full := l.UnitPrice.Minor * int64(l.Quantity)
		require.Equal(t, full-l.Discount.Minor+l.Tax.Minor, l.Total.Minor)
		require.GreaterOrEqual(t, l.Discount.Minor, int64(0))
		require.LessOrEqual(t, l.Discount.Minor, full)
		subtotal, discount, tax = subtotal+full, discount+l.Discount.Minor, tax+l.Tax.Minor
	}
	for _, p := range o.Promotions {
		off, shipping = off+p.Discount.Minor, shipping+p.Shipping.Minor
	}
	require.Equal(t, discount, off, "the parts of the promotions are the discounts of the lines")
	require.Equal(t, o.Method.Price.Minor-shipping, o.Totals.Shipping.Minor)
	require.Equal(t, []int64{subtotal, discount, tax}, []int64{o.Totals.Subtotal.Minor, o.Totals.Discount.Minor, o.Totals.Tax.Minor})
	require.Equal(t, subtotal-discount+tax+o.Totals.Shipping.Minor, o.Totals.Total.Minor)
}

// nothingToPay is an order of which promotions leave nothing.
func nothingToPay(t *testing.T, s *promotionShop) {
	a := s.stock(t, 3000, 10)
	free, ship := code("FREE-"), code("SHIP-")
	p := s.promote(t, only(map[string]any{"title": "All of it", "kind": "percentage", "percent": 100, "codes": []string{free}, "use_limit": 1}, a))
	s.promote(t, only(map[string]any{"title": "Free shipping", "kind": "free_shipping", "codes": []string{ship}}, a))
	b := newBuyer(s.guest(t)).add(a, 2).checkout()
	b.coupon(free).is(http.StatusOK)
	b.coupon(ship).is(http.StatusOK)
	var o orderJSON
	b.complete("test_ok").is(http.StatusCreated).decode(&o)
	require.Equal(t, "paid", o.Status)
	require.Zero(t, o.Totals.Total.Amount)
	require.EqualValues(t, 1, s.uses(t, p))
	within(t, soon, func() error { return s.has(t, a, 8, 0) })
	b.post(storeAPI+"/orders/"+o.ID+"/cancel", map[string]string{}).is(http.StatusOK)
	within(t, soon, func() error { return s.has(t, a, 10, 0) })
	require.Zero(t, s.uses(t, p))
}

// firstOrders is a promotion for those who never ordered before.
func firstOrders(t *testing.T, s *promotionShop) {
	a := s.stock(t, 3000, 50)
	coupon := code("FIRST-")
	s.promote(t, only(map[string]any{
		"title": "Welcome", "kind": "percentage", "percent": 20, "codes": []string{coupon}, "conditions": map[string]any{"first_order": true},
	}, a))
	as := func(email string) *buyer {
		b := newBuyer(s.guest(t)).add(a, 1)
		b.do(http.MethodPut, b.path+"/address", map[string]any{"email": email, "shipping": address["shipping"]}).is(http.StatusOK)
		b.do(http.MethodPut, b.path+"/shipping-method", map[string]string{"shipping_method_id": "ship_standard"}).is(http.StatusOK)
		return b
	}
	first, beside := as("first.order@example.com"), as("first.order@example.com")
	first.coupon(coupon).is(http.StatusOK)
	beside.coupon(coupon).is(http.StatusOK)
	first.complete("test_ok").is(http.StatusCreated)
	beside.complete("test_ok").is(http.StatusConflict)
	as("FIRST.order@example.com").coupon(coupon).refuses(http.StatusUnprocessableEntity, "coupon_invalid")
	later := newBuyer(s.guest(t)).add(a, 1)
	later.coupon(coupon).is(http.StatusOK) // nobody knows yet who it is
	later.do(http.MethodPut, later.path+"/address", map[string]any{"email": "first.order@example.com", "shipping": address["shipping"]}).is(http.StatusOK)
	require.Equal(t, "not_first_order", later.discounted().Coupons[0].Reason)
}
