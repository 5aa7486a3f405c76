package pricing_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/pricing"
)

func tenPercent(codes ...string) pricing.Promotion {
	return pricing.Promotion{Title: "Ten percent", Kind: pricing.Percentage, Active: true, Codes: codes, Terms: pricing.Terms{Percent: 10_00}}
}

func (b *bundle) promote(t *testing.T, p pricing.Promotion) *pricing.Promotion {
	t.Helper()
	made, err := b.svc.CreatePromotion(t.Context(), p, "staff:stf_test")
	require.NoError(t, err)
	return made
}

func purchase(codes ...string) pricing.DiscountRequest {
	return pricing.DiscountRequest{
		Currency: "EUR", Shipping: money.New(490, "EUR"), ShippingMethod: "ship_standard", Codes: codes,
		Lines: []pricing.DiscountLine{{VariantID: "var_1", ProductID: "prod_1", Quantity: 2, UnitPrice: money.New(1000, "EUR")}},
	}
}

func (b *bundle) uses(t *testing.T, p *pricing.Promotion) int64 {
	t.Helper()
	fresh, err := b.svc.Promotion(t.Context(), p.ID)
	require.NoError(t, err)
	return fresh.Uses
}

func TestAPromotionIsKeptAsItWasMade(t *testing.T) {
	t.Parallel()
	b := setup(t)
	from, to := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	made := b.promote(t, pricing.Promotion{
		Title: "Three for two", Kind: pricing.BuyXGetY, Active: true, Codes: []string{" three for two", "THREE-42"}, Stacking: pricing.Exclusive, Priority: 3,
		ValidFrom: &from, ValidTo: &to, UseLimit: new(int64(100)), CustomerLimit: new(int64(2)),
		Terms: pricing.Terms{
			Percent: 100_00, Buy: &pricing.Pieces{Quantity: 2, Scope: pricing.Scope{Categories: []string{"cat_1"}}}, Get: &pricing.Pieces{Quantity: 1}, MaxSets: 4,
			Exclude: pricing.Scope{Products: []string{"prod_9"}}, StackGroup: "sale",
			Conditions: pricing.Conditions{MinimumSubtotal: []money.Amount{money.New(2000, "EUR")}, Currencies: []string{"EUR"}, Groups: []string{"vip"}},
		},
	})
	require.Equal(t, []string{"THREE-42", "THREEFORTWO"}, made.Codes)
	kept, err := b.svc.Promotion(t.Context(), made.ID)
	require.NoError(t, err)
	require.Equal(t, made, kept)

	kept.Title, kept.Codes, kept.UseLimit = "Two for one", []string{"THREE-42", "two-one"}, nil
	replaced, err := b.svc.ReplacePromotion(t.Context(), made.ID, made.Version, *kept, "staff:stf_test")
	require.NoError(t, err)
	require.EqualValues(t, 2, replaced.Version)
	kept, err = b.svc.Promotion(t.Context(), made.ID)
	require.NoError(t, err)
	require.Equal(t, replaced, kept)
	_, err = b.svc.ReplacePromotion(t.Context(), made.ID, made.Version, *kept, "staff:stf_test")
	require.ErrorIs(t, err, errs.ErrStaleVersion)

	_, err = b.svc.CreatePromotion(t.Context(), tenPercent("Two-One"), "staff:stf_test")
	require.ErrorIs(t, err, pricing.ErrCodeTaken)
	b.promote(t, tenPercent("threefortwo")) // the code was given up
	require.ErrorIs(t, b.svc.DeletePromotion(t.Context(), made.ID, 1, "staff:stf_test"), errs.ErrStaleVersion)
	require.NoError(t, b.svc.DeletePromotion(t.Context(), made.ID, 2, "staff:stf_test"))
	_, err = b.svc.Promotion(t.Context(), made.ID)
	require.ErrorIs(t, err, errs.ErrNotFound)
	b.promote(t, tenPercent("Two-One"))
	var told int
	require.NoError(t, b.admin.QueryRow(t.Context(),
		`select count(*) from platform.outbox where type = 'pricing.promotion_changed.v1' and aggregate_id = $1 and data ->> 'actor' = 'staff:stf_test'`, made.ID).Scan(&told))
	require.Equal(t, 3, told, "created, replaced, deleted")
}

func TestWhatIsNoPromotionIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	early, late := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	for name, wrong := range map[string]func(*pricing.Promotion){
		"110 percent":             func(p *pricing.Promotion) { p.Terms.Percent = 110_00 },
		"less than nothing":       func(p *pricing.Promotion) { p.Terms.Percent = -1 },
		"no title":                func(p *pricing.Promotion) { p.Title = "" },
		"another kind":            func(p *pricing.Promotion) { p.Kind = "gift" },
		"a code of other letters": func(p *pricing.Promotion) { p.Codes = []string{"ЅАVЕ10"} },
		"ends before it begins":   func(p *pricing.Promotion) { p.ValidFrom, p.ValidTo = &late, &early },
		"no uses":                 func(p *pricing.Promotion) { p.UseLimit = new(int64(0)) },
		"an amount for a share":   func(p *pricing.Promotion) { p.Terms.Amounts = []money.Amount{money.New(1, "EUR")} },
		"a share for an amount": func(p *pricing.Promotion) {
			p.Kind, p.Terms.Amounts = pricing.FixedAmount, []money.Amount{money.New(1, "EUR")}
		},
		"no amount": func(p *pricing.Promotion) { p.Kind, p.Terms.Percent = pricing.FixedAmount, 0 },
		"less than no amount": func(p *pricing.Promotion) {
			p.Kind, p.Terms = pricing.FixedAmount, pricing.Terms{Amounts: []money.Amount{money.New(-5, "EUR")}}
		},
		"an amount in no currency": func(p *pricing.Promotion) {
			p.Kind, p.Terms = pricing.FixedAmount, pricing.Terms{Amounts: []money.Amount{money.New(5, "XXX")}}
		},
		"two amounts in a currency": func(p *pricing.Promotion) {
			p.Kind, p.Terms = pricing.FixedAmount, pricing.Terms{Amounts: []money.Amount{money.New(5, "EUR"), money.New(6, "EUR")}}
		},
		"pieces of nothing":   func(p *pricing.Promotion) { p.Kind, p.Terms.Buy = pricing.BuyXGetY, &pricing.Pieces{Quantity: 1} },
		"buy for a share":     func(p *pricing.Promotion) { p.Terms.Buy = &pricing.Pieces{Quantity: 1} },
		"an unknown currency": func(p *pricing.Promotion) { p.Terms.Conditions.Currencies = []string{"XXX"} },
	} {
		p := tenPercent("SAVE10")
		wrong(&p)
		_, err := b.svc.CreatePromotion(t.Context(), p, "staff:stf_test")
		require.Equal(t, errs.Invalid, errs.KindOf(err), "%s: %v", name, err)
	}
	all, _, err := b.svc.Promotions(t.Context(), "", 10)
	require.NoError(t, err)
	require.Empty(t, all)
	for _, percent := range []int{-1, 10_001} {
		_, err = b.admin.Exec(t.Context(), `insert into pricing.promotions (id, title, kind, active, automatic, percent, terms, stacking, created_at, updated_at)
			values ('promo_x', 'x', 'percentage', true, true, $1, '{}', 'combinable', now(), now())`, percent)
		require.ErrorContains(t, err, "promotions_percent_check", "nor does the database take it")
	}
}

func TestPromotionsAreListedPageByPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 5 {
		b.promote(t, tenPercent(fmt.Sprintf("LIST-%d", i)))
	}
	seen, after := map[pricing.PromotionID]bool{}, ""
	for range 3 {
		list, next, err := b.svc.Promotions(t.Context(), after, 2)
		require.NoError(t, err)
		for _, p := range list {
			seen[p.ID] = true
		}
		after = next
	}
	require.Len(t, seen, 5)
	require.Empty(t, after)
	_, _, err := b.svc.Promotions(t.Context(), "bm90aGluZw", 2)
	require.Equal(t, errs.Invalid, errs.KindOf(err))
}

func TestDiscountsKnowCodesBuyersAndGroups(t *testing.T) {
	t.Parallel()
	b := setup(t)
	auto := b.promote(t, pricing.Promotion{Title: "Free shipping", Kind: pricing.FreeShipping, Active: true})
	b.promote(t, tenPercent("SAVE10"))
	vip := tenPercent("VIP")
	vip.Terms.Conditions.Groups = []string{"vip"}
	b.promote(t, vip)
	once := tenPercent("ONCE")
	once.CustomerLimit = new(int64(1))
	limited := b.promote(t, once)

	d, err := b.svc.Discounts(t.Context(), purchase("SAVE10", "VIP", "NOBODY"))
	require.NoError(t, err)
	require.Equal(t, money.New(200, "EUR"), d.Lines[0])
	require.Equal(t, money.New(490, "EUR"), d.Shipping)
	require.Len(t, d.Applied, 2)
	require.ElementsMatch(t, []pricing.Refused{{Code: "VIP", Reason: pricing.NoCoupon}, {Code: "NOBODY", Reason: pricing.NoCoupon}}, d.Refused)

	me := id.New("cus")
	require.NoError(t, b.svc.AddToGroup(t.Context(), "vip", me))
	require.NoError(t, b.svc.AddToGroup(t.Context(), "vip", me))
	r := purchase("VIP", "ONCE")
	r.Buyer = pricing.Buyer{CustomerID: me, Mail: [][]byte{{1, 2}}}
	d, err = b.svc.Discounts(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, money.New(380, "EUR"), d.Lines[0])
	require.Empty(t, d.Refused)

	claims := []pricing.Claim{{PromotionID: limited.ID, Code: "ONCE"}}
	require.NoError(t, b.svc.Redeem(t.Context(), id.New("ord"), claims, pricing.Buyer{Mail: [][]byte{{1, 2}}}, time.Hour))
	d, err = b.svc.Discounts(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, []pricing.Refused{{Code: "ONCE", Title: "Ten percent", Reason: pricing.UsedUp}}, d.Refused, "the same mail address is the same buyer")

	members, err := b.svc.GroupMembers(t.Context(), "vip", "", 10)
	require.NoError(t, err)
	require.Equal(t, []string{me}, members)
	env, err := events.Wrap(events.CustomerErased{CustomerID: me, Version: 2, At: time.Now()}, time.Now(), "")
	require.NoError(t, err)
	b.deliver(t, "pricing.customers", env)
	d, err = b.svc.Discounts(t.Context(), r)
	require.NoError(t, err)
	require.Len(t, d.Refused, 2, "who is gone is in no group")
	require.ErrorIs(t, b.svc.RemoveFromGroup(t.Context(), "vip", me), errs.ErrNotFound)

	require.NoError(t, b.svc.DeletePromotion(t.Context(), auto.ID, auto.Version, "staff:stf_test"))
	d, err = b.svc.Discounts(t.Context(), purchase())
	require.NoError(t, err)
	require.Empty(t, d.Applied)
}

func TestAPersonalPromotionWithoutACodeIsCounted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := tenPercent()
	first.Terms.Conditions.FirstOrder = true
	made := b.promote(t, first)
	require.EqualValues(t, 1, *made.CustomerLimit)
	r := purchase()
	d, err := b.svc.Discounts(t.Context(), r)
	require.NoError(t, err)
	require.True(t, d.NeedsFirstOrder)
	require.Empty(t, d.Applied)
	yes := true
	r.FirstOrder, r.Buyer.Mail = &yes, [][]byte{{7}}
	d, err = b.svc.Discounts(t.Context(), r)
	require.NoError(t, err)
	require.True(t, d.Applied[0].Limited)
	require.NoError(t, b.svc.Redeem(t.Context(), id.New("ord"), []pricing.Claim{{PromotionID: made.ID}}, r.Buyer, time.Hour))
	d, err = b.svc.Discounts(t.Context(), r)
	require.NoError(t, err)
	require.Empty(t, d.Applied, "two first orders at once are one too many")
}

// together runs n functions that begin at the same moment and returns how many succeeded; the others must be refused.
func together(t *testing.T, n int, f func(i int) error) int {
	t.Helper()
	var wg sync.WaitGroup
	begin := make(chan struct{})
	failures := make([]error, n)
	for i := range n {
		wg.Go(func() {
			<-begin
			failures[i] = f(i)
		})
	}
	close(begin)
	wg.Wait()
	done := 0
	for _, err := range failures {
		if err == nil {
			done++
			continue
		}
		require.ErrorIs(t, err, pricing.ErrCouponExhausted)
	}
	return done
}

func TestLimitsHoldInARace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	total, mine, other := tenPercent("TOTAL"), tenPercent("MINE"), tenPercent("OTHER")
	total.UseLimit, mine.CustomerLimit, other.UseLimit = new(int64(7)), new(int64(2)), new(int64(1000))
	t7, c2, o := b.promote(t, total), b.promote(t, mine), b.promote(t, other)

	t.Run("of all orders", func(t *testing.T) {
		require.Equal(t, 7, together(t, 60, func(i int) error {
			claims := []pricing.Claim{{PromotionID: t7.ID}, {PromotionID: o.ID}}
			if i%2 == 0 {
				claims[0], claims[1] = claims[1], claims[0] // in either order: nobody waits in a circle
			}
			return b.svc.Redeem(t.Context(), id.New("ord"), claims, pricing.Buyer{}, time.Hour)
		}))
		require.EqualValues(t, 7, b.uses(t, t7))
		require.EqualValues(t, 7, b.uses(t, o), "who is refused one is not counted for the other")
	})
	t.Run("of one customer, by account and by mail", func(t *testing.T) {
		require.Equal(t, 2, together(t, 40, func(i int) error {
			buyer := pricing.Buyer{CustomerID: "cus_1", Mail: [][]byte{{9}}}
			if i%3 == 0 {
				buyer.CustomerID = ""
			}
			return b.svc.Redeem(t.Context(), id.New("ord"), []pricing.Claim{{PromotionID: c2.ID}, {PromotionID: o.ID}}, buyer, time.Hour)
		}))
		require.EqualValues(t, 2, b.uses(t, c2))
		require.EqualValues(t, 9, b.uses(t, o))
	})
	t.Run("others have their own", func(t *testing.T) {
		require.Equal(t, 20, together(t, 20, func(i int) error {
			return b.svc.Redeem(t.Context(), id.New("ord"), []pricing.Claim{{PromotionID: c2.ID}}, pricing.Buyer{CustomerID: fmt.Sprintf("cus_%d", 10+i)}, time.Hour)
		}))
	})
	require.NoError(t, b.svc.CheckPromotions(t.Context()))
}

func TestAClaimIsRepeatedAndReleasedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := tenPercent("ONE")
	p.UseLimit, p.CustomerLimit = new(int64(1)), new(int64(1))
	one := b.promote(t, p)
	buyer := pricing.Buyer{CustomerID: "cus_1", Mail: [][]byte{{1}}}
	claims := []pricing.Claim{{PromotionID: one.ID, Code: "ONE"}}
	first, second := id.New("ord"), id.New("ord")
	for range 3 {
		require.NoError(t, b.svc.Redeem(t.Context(), first, claims, buyer, time.Hour), "the answer to the first call was lost")
	}
	require.ErrorIs(t, b.svc.Redeem(t.Context(), second, claims, pricing.Buyer{CustomerID: "cus_2"}, time.Hour), pricing.ErrCouponExhausted)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := b.svc.Unredeem(t.Context(), first); err != nil {
				t.Errorf("release: %v", err)
			}
		})
	}
	wg.Wait()
	require.Zero(t, b.uses(t, one))
	require.NoError(t, b.svc.Redeem(t.Context(), second, claims, buyer, time.Hour), "what was given back can be had again, by the same buyer too")
	require.NoError(t, b.svc.Unredeem(t.Context(), first), "what was given back once is not given back again")
	require.EqualValues(t, 1, b.uses(t, one))
	require.NoError(t, b.svc.CheckPromotions(t.Context()))
}

func TestALimitCannotBeSetBelowTheUses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := tenPercent("LESS")
	p.UseLimit = new(int64(5))
	made := b.promote(t, p)
	for range 3 {
		require.NoError(t, b.svc.Redeem(t.Context(), id.New("ord"), []pricing.Claim{{PromotionID: made.ID}}, pricing.Buyer{}, time.Hour))
	}
	p.UseLimit = new(int64(2))
	_, err := b.svc.ReplacePromotion(t.Context(), made.ID, 1, p, "staff:stf_test")
	require.ErrorIs(t, err, pricing.ErrLimitBelowUses)
	p.UseLimit = new(int64(3))
	_, err = b.svc.ReplacePromotion(t.Context(), made.ID, 1, p, "staff:stf_test")
	require.NoError(t, err)
	require.ErrorIs(t, b.svc.Redeem(t.Context(), id.New("ord"), []pricing.Claim{{PromotionID: made.ID}}, pricing.Buyer{}, time.Hour), pricing.ErrCouponExhausted)
}

func TestClaimsThatNobodyFinishedAreFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := tenPercent("LEFT")
	p.UseLimit = new(int64(9))
	made := b.promote(t, p)
	left, kept, paid := id.New("ord"), id.New("ord"), id.New("ord")
	for _, order := range []string{left, kept, paid} {
		require.NoError(t, b.svc.Redeem(t.Context(), order, []pricing.Claim{{PromotionID: made.ID}}, pricing.Buyer{}, -time.Second))
	}
	found, err := b.svc.ExpiredClaims(t.Context(), 10)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{left, kept, paid}, found)
	require.NoError(t, b.svc.Prolong(t.Context(), time.Hour, kept))
	require.NoError(t, b.svc.Confirm(t.Context(), paid))
	found, err = b.svc.ExpiredClaims(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, []string{left}, found)
}

// deliver hands events to a consumer of the domain.
func (b *bundle) deliver(t *testing.T, consumer string, batch ...events.Envelope) {
	t.Helper()
	for _, s := range b.svc.Subscriptions() {
		if s.Consumer == consumer {
			require.NoError(t, s.Project(t.Context(), batch))
			return
		}
	}
	t.Fatalf("there is no consumer %s", consumer)
}

func TestOrdersAreFollowedWhateverOrderTheirEventsComeIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := tenPercent("COUNTED")
	p.UseLimit = new(int64(100))
	counted, free := b.promote(t, p), b.promote(t, tenPercent("FREE"))
	day := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	var all []events.Envelope
	wrap := func(ev events.Event) {
		env, err := events.Wrap(ev, day, "")
		require.NoError(t, err)
		for range 5 {
			all = append(all, env)
		}
	}
	for i := range 12 {
		order := id.New("ord")
		require.NoError(t, b.svc.Redeem(t.Context(), order, []pricing.Claim{{PromotionID: counted.ID, Code: "COUNTED"}}, pricing.Buyer{}, time.Hour))
		facts := events.OrderFacts{
			OrderID: order, Total: money.New(1000, "EUR"), At: day.AddDate(0, 0, i%2),
			Promotions: []events.OrderPromotion{
				{PromotionID: string(counted.ID), Code: "COUNTED", Discount: money.New(100, "EUR")}, {PromotionID: string(free.ID), Code: "FREE", Discount: money.New(50, "EUR")},
			},
		}
		if i < 8 {
			wrap(events.OrderPaid{OrderFacts: facts})
		}
		if i >= 6 {
			wrap(events.OrderCancelled{OrderFacts: facts, WasPaid: i < 8})
		}
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for len(all) > 0 {
		n := min(len(all), 1+rand.IntN(7))
		b.deliver(t, "pricing.redemptions", all[:n]...)
		all = all[n:]
	}
	require.EqualValues(t, 6, b.uses(t, counted), "twelve claims, six were cancelled")
	require.NoError(t, b.svc.CheckPromotions(t.Context()))
	for _, want := range []struct {
		id       pricing.PromotionID
		discount int64
	}{{counted.ID, 300}, {free.ID, 150}} {
		days, err := b.svc.PromotionDays(t.Context(), want.id, day.AddDate(0, 0, -1), day.AddDate(0, 0, 3))
		require.NoError(t, err)
		require.Len(t, days, 2)
		for _, d := range days {
			require.EqualValues(t, 3, d.Orders)
			require.EqualValues(t, 1, d.Cancelled)
			require.Equal(t, money.New(3000, "EUR"), d.Revenue)
			require.Equal(t, money.New(want.discount, "EUR"), d.Discount)
		}
	}
	found, err := b.svc.ExpiredClaims(t.Context(), 100)
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestAMiscountIsNoticed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := tenPercent("COUNT")
	p.UseLimit, p.CustomerLimit = new(int64(9)), new(int64(9))
	made := b.promote(t, p)
	require.NoError(t, b.svc.Redeem(t.Context(), id.New("ord"), []pricing.Claim{{PromotionID: made.ID}}, pricing.Buyer{CustomerID: "cus_1"}, time.Hour))
	require.NoError(t, b.svc.CheckPromotions(t.Context()))
	for _, breach := range []string{
		`update pricing.promotion_limits set uses = uses + 1`, `update pricing.promotion_buyers set uses = uses - 1`,
		`delete from pricing.promotion_buyers`, `update pricing.redemptions set state = 'released'`,
	} {
		tx, err := b.admin.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), breach)
		require.NoError(t, err)
		require.NoError(t, tx.Commit(t.Context()))
		require.ErrorContains(t, b.svc.CheckPromotions(t.Context()), string(made.ID), breach)
		_, err = b.admin.Exec(t.Context(), `truncate pricing.redemptions, pricing.promotion_buyers`)
		require.NoError(t, err)
		_, err = b.admin.Exec(t.Context(), `update pricing.promotion_limits set uses = 0`)
		require.NoError(t, err)
		require.NoError(t, b.svc.Redeem(t.Context(), id.New("ord"), []pricing.Claim{{PromotionID: made.ID}}, pricing.Buyer{CustomerID: "cus_1"}, time.Hour))
		require.NoError(t, b.svc.CheckPromotions(t.Context()))
	}
}

func TestTheDatabaseItselfHoldsTheLimits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := tenPercent("HARD")
	p.UseLimit, p.CustomerLimit = new(int64(1)), new(int64(1))
	made := b.promote(t, p)
	require.NoError(t, b.svc.Redeem(t.Context(), id.New("ord"), []pricing.Claim{{PromotionID: made.ID}}, pricing.Buyer{CustomerID: "cus_1"}, time.Hour))
	for _, breach := range []string{
		`update pricing.promotion_limits set uses = uses + 1`, `update pricing.promotion_limits set uses = -1`,
		`update pricing.promotion_buyers set uses = uses + 1`, `insert into pricing.coupons select 'HARD', promotion_id from pricing.promotion_limits`,
		`insert into pricing.coupons select 'hard', promotion_id from pricing.promotion_limits`, `update pricing.redemptions set state = 'gone'`,
	} {
		_, err := b.admin.Exec(t.Context(), breach)
		require.Error(t, err, breach)
	}
}

func TestTheLowestPriceOfThirtyDaysStandsBesideAReduction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := func(minor, compareAt int64, daysAgo int) {
		t.Helper()
		c := change("var_1", minor)
		if compareAt > 0 {
			c.CompareAt = new(money.New(compareAt, "EUR"))
		}
		_, err := b.svc.Set(t.Context(), []pricing.Change{c})
		require.NoError(t, err)
		// What came before is as old as the test says.
		_, err = b.admin.Exec(t.Context(), `update pricing.prices as p set valid_from = now() - make_interval(days => $1::int)
			where version = (select max(version) from pricing.prices)`, daysAgo)
		require.NoError(t, err)
		_, err = b.admin.Exec(t.Context(), `update pricing.prices as p set valid_to = n.valid_from from pricing.prices as n
			where n.variant_id = p.variant_id and n.currency = p.currency and n.version = p.version + 1`)
		require.NoError(t, err)
	}
	lowest := func() *money.Amount {
		t.Helper()
		prices, err := b.svc.Current(t.Context(), "EUR", []string{"var_1"})
		require.NoError(t, err)
		return prices["var_1"].LowestBefore
	}
	set(2000, 2500, 200)
	require.Nil(t, lowest(), "there is nothing before the first price")
	set(1000, 0, 100) // ended 50 days ago
	set(1900, 0, 50)  // held until 20 days ago
	require.Nil(t, lowest(), "nothing is reduced")
	set(2200, 0, 20)
	set(1500, 2200, 0)
	require.Equal(t, money.New(1900, "EUR"), *lowest())
	history, err := b.svc.History(t.Context(), "var_1", "EUR", 10)
	require.NoError(t, err)
	require.Equal(t, money.New(1900, "EUR"), *history[0].LowestBefore)
	set(1600, 2200, 0)
	require.Equal(t, money.New(1500, "EUR"), *lowest(), "the reduction before counts too")
	cached, err := b.svc.Cached(t.Context(), "EUR", []string{"var_1"})
	require.NoError(t, err)
	require.Equal(t, money.New(1500, "EUR"), *cached["var_1"].LowestBefore)
	var told int64
	require.NoError(t, b.admin.QueryRow(t.Context(),
		`select (data -> 'lowest_price_30_days' ->> 'amount')::bigint from platform.outbox order by seq desc limit 1`).Scan(&told))
	require.EqualValues(t, 1500, told)
}

func TestAnUnknownPromotionIsNotFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, wrong := range []pricing.PromotionID{"", "promo_1", pricing.PromotionID(id.New("promo")), "' or true"} {
		_, err := b.svc.Promotion(t.Context(), wrong)
		require.ErrorIs(t, err, errs.ErrNotFound)
	}
	require.NotErrorIs(t, pricing.ErrCodeTaken, pricing.ErrCouponExhausted)
}
