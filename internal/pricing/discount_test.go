package pricing

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"shopd/internal/money"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// cart is shirts (10.00 × 3), a lamp (45.50) and socks (3.33 × 2), sent for 4.90.
func cart() DiscountRequest {
	return DiscountRequest{
		Currency: "EUR", Shipping: money.New(490, "EUR"), ShippingMethod: "ship_standard",
		Lines: []DiscountLine{
			{VariantID: "var_shirt", ProductID: "prod_shirt", Categories: []string{"cat_tops", "cat_clothes"}, Quantity: 3, UnitPrice: money.New(1000, "EUR")},
			{VariantID: "var_lamp", ProductID: "prod_lamp", Categories: []string{"cat_home"}, Quantity: 1, UnitPrice: money.New(4550, "EUR")},
			{VariantID: "var_socks", ProductID: "prod_socks", Categories: []string{"cat_clothes"}, Quantity: 2, UnitPrice: money.New(333, "EUR")},
		},
	}
}

func offer(id string, kind Kind, change ...func(*candidate)) candidate {
	c := candidate{Promotion: &Promotion{ID: PromotionID(id), Title: id, Kind: kind, Active: true, Stacking: Combinable}}
	for _, f := range change {
		f(&c)
	}
	return c
}

func percent(p Percent) func(*candidate) { return func(c *candidate) { c.Terms.Percent = p } }

func amount(per Per, amounts ...money.Amount) func(*candidate) {
	return func(c *candidate) { c.Terms.Per, c.Terms.Amounts = per, amounts }
}

func coupon(code string) func(*candidate) {
	return func(c *candidate) { c.code, c.Codes = code, []string{code} }
}

func exclusive(c *candidate) { c.Stacking = Exclusive }

func with(f func(t *Terms)) func(*candidate) { return func(c *candidate) { f(&c.Terms) } }

func eur(minor int64) money.Amount { return money.New(minor, "EUR") }

func TestWhatPromotionsTakeOff(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for name, c := range map[string]struct {
		offers   []candidate
		change   func(*DiscountRequest)
		lines    []int64
		shipping int64
		applied  []string
		refused  map[string]Refusal
		needs    bool
	}{
		"nothing without promotions": {lines: []int64{0, 0, 0}},
		"a percentage of everything": {
			offers: []candidate{offer("ten", Percentage, percent(10_00))}, lines: []int64{300, 455, 67}, applied: []string{"ten"}, // 8216 → 822
		},
		"a percentage with decimals": {offers: []candidate{offer("odd", Percentage, percent(33_33))}, lines: []int64{1000, 1516, 222}, applied: []string{"odd"}},
		"everything for nothing":     {offers: []candidate{offer("all", Percentage, percent(100_00))}, lines: []int64{3000, 4550, 666}, applied: []string{"all"}},
		"a percentage of nothing takes nothing": {
			offers: []candidate{offer("zero", Percentage, percent(0), coupon("ZERO"))}, lines: []int64{0, 0, 0}, refused: map[string]Refusal{"ZERO": NothingToTake},
		},
		"an amount off the order is spread": {
			offers: []candidate{offer("five", FixedAmount, amount(PerOrder, eur(500)))}, lines: []int64{183, 277, 40}, applied: []string{"five"},
		},
		"an amount above the subtotal takes the subtotal": {
			offers: []candidate{offer("much", FixedAmount, amount(PerOrder, eur(1_000_000)))}, lines: []int64{3000, 4550, 666}, applied: []string{"much"},
		},
		"an amount off each line":  {offers: []candidate{offer("line", FixedAmount, amount(PerLine, eur(700)))}, lines: []int64{700, 700, 666}, applied: []string{"line"}},
		"an amount off each piece": {offers: []candidate{offer("piece", FixedAmount, amount(PerPiece, eur(200)))}, lines: []int64{600, 200, 400}, applied: []string{"piece"}},
		"an amount in another currency": {
			offers: []candidate{offer("usd", FixedAmount, amount(PerOrder, money.New(500, "USD")), coupon("USD"))}, lines: []int64{0, 0, 0},
			refused: map[string]Refusal{"USD": OtherCurrency},
		},
		"free shipping": {offers: []candidate{offer("ship", FreeShipping)}, lines: []int64{0, 0, 0}, shipping: 490, applied: []string{"ship"}},
		"free shipping before shipping is chosen": {
			offers: []candidate{offer("ship", FreeShipping, coupon("SHIP"))}, lines: []int64{0, 0, 0}, applied: []string{"ship"},
			change: func(r *DiscountRequest) { r.Shipping, r.ShippingMethod = eur(0), "" },
		},
		"free shipping that costs nothing anyway": {
			offers: []candidate{offer("ship", FreeShipping, coupon("SHIP"))}, lines: []int64{0, 0, 0}, refused: map[string]Refusal{"SHIP": NothingToTake},
			change: func(r *DiscountRequest) { r.Shipping = eur(0) },
		},
		"free shipping by another method": {
			offers: []candidate{offer("ship", FreeShipping, coupon("SHIP"), with(func(t *Terms) { t.Conditions.ShippingMethods = []string{"ship_express"} }))},
			lines:  []int64{0, 0, 0}, refused: map[string]Refusal{"SHIP": OtherShipping},
		},
		"a category counts what is below it": {
			offers: []candidate{offer("clothes", Percentage, percent(50_00), with(func(t *Terms) { t.Include.Categories = []string{"cat_clothes"} }))},
			lines:  []int64{1500, 0, 333}, applied: []string{"clothes"},
		},
		"products, variants and what is excluded": {
			offers: []candidate{offer("some", Percentage, percent(50_00), with(func(t *Terms) {
				t.Include = Scope{Products: []string{"prod_shirt", "prod_lamp"}, Variants: []string{"var_socks"}}
				t.Exclude = Scope{Products: []string{"prod_lamp"}}
			}))},
			lines: []int64{1500, 0, 333}, applied: []string{"some"},
		},
		"nothing in the cart counts": {
			offers: []candidate{offer("none", Percentage, percent(50_00), coupon("NONE"), with(func(t *Terms) { t.Include.Products = []string{"prod_other"} }))},
			lines:  []int64{0, 0, 0}, refused: map[string]Refusal{"NONE": NoArticle},
		},
		"the minimum is of what counts": {
			offers: []candidate{
				offer("low", Percentage, percent(10_00), coupon("LOW"), with(func(t *Terms) { t.Conditions.MinimumSubtotal = []money.Amount{eur(8216)} })),
				offer("high", Percentage, percent(10_00), coupon("HIGH"), with(func(t *Terms) { t.Conditions.MinimumSubtotal = []money.Amount{eur(8217)} })),
				offer("part", Percentage, percent(10_00), coupon("PART"), with(func(t *Terms) {
					t.Include.Products = []string{"prod_lamp"}
					t.Conditions.MinimumSubtotal = []money.Amount{eur(5000)}
				})),
				offer("yen", Percentage, percent(10_00), coupon("YEN"), with(func(t *Terms) { t.Conditions.MinimumSubtotal = []money.Amount{money.New(1, "JPY")} })),
			},
			lines: []int64{300, 455, 67}, applied: []string{"low"},
			refused: map[string]Refusal{"HIGH": BelowMinimum, "PART": BelowMinimum, "YEN": OtherCurrency},
		},
		"buy two shirts, get the third": {
			offers: []candidate{offer("three", BuyXGetY, percent(100_00), with(func(t *Terms) {
				t.Include.Products = []string{"prod_shirt"}
				t.Buy, t.Get = &Pieces{Quantity: 2}, &Pieces{Quantity: 1}
			}))},
			lines: []int64{1000, 0, 0}, applied: []string{"three"},
		},
		"the cheapest is what one gets": {
			offers: []candidate{offer("any", BuyXGetY, percent(50_00), with(func(t *Terms) { t.Buy, t.Get = &Pieces{Quantity: 2}, &Pieces{Quantity: 1} }))},
			lines:  []int64{0, 0, 333}, applied: []string{"any"}, // six pieces are two sets: both socks for half
		},
		"at most one set": {
			offers: []candidate{offer("any", BuyXGetY, percent(100_00), with(func(t *Terms) { t.Buy, t.Get, t.MaxSets = &Pieces{Quantity: 2}, &Pieces{Quantity: 1}, 1 }))},
			lines:  []int64{0, 0, 333}, applied: []string{"any"},
		},
		"buy a lamp, get a shirt": {
			offers: []candidate{offer("lamp", BuyXGetY, percent(100_00), with(func(t *Terms) {
				t.Buy = &Pieces{Quantity: 1, Scope: Scope{Categories: []string{"cat_home"}}}
				t.Get = &Pieces{Quantity: 2, Scope: Scope{Products: []string{"prod_shirt"}}}
			}))},
			lines: []int64{2000, 0, 0}, applied: []string{"lamp"},
		},
		"no piece is both bought and got": {
			offers: []candidate{offer("four", BuyXGetY, percent(100_00), coupon("FOUR"), with(func(t *Terms) {
				t.Include.Products = []string{"prod_shirt"}
				t.Buy, t.Get = &Pieces{Quantity: 2}, &Pieces{Quantity: 2}
			}))},
			lines: []int64{0, 0, 0}, refused: map[string]Refusal{"FOUR": NothingToTake},
		},
		"what can be both is bought where it must be": {
			// Shirts or the lamp are bought, shirts or socks are got. Two sets of (2, 1) from 1 + 3 + 2 pieces: of the four
			// that can be bought all are needed, so the socks are what one gets.
			offers: []candidate{offer("mixed", BuyXGetY, percent(100_00), with(func(t *Terms) {
				t.Buy = &Pieces{Quantity: 2, Scope: Scope{Products: []string{"prod_shirt", "prod_lamp"}}}
				t.Get = &Pieces{Quantity: 1, Scope: Scope{Products: []string{"prod_shirt", "prod_socks"}}}
			}))},
			lines: []int64{0, 0, 666}, applied: []string{"mixed"},
		},
		"combinable ones add up, each of what is left": {
			offers: []candidate{
				offer("b-five", FixedAmount, amount(PerOrder, eur(500))), offer("a-ten", Percentage, percent(10_00)), offer("ship", FreeShipping),
			},
			lines: []int64{483, 732, 107}, shipping: 490, applied: []string{"a-ten", "b-five", "ship"}, // 822 + 500
		},
		"priority turns the order": {
			offers: []candidate{
				offer("five", FixedAmount, amount(PerOrder, eur(500)), func(c *candidate) { c.Priority = 1 }), offer("ten", Percentage, percent(10_00)),
			},
			lines: []int64{465, 704, 103}, applied: []string{"five", "ten"}, // 500 + 772
		},
		"of exclusive and combinable the better wins": {
			offers: []candidate{
				offer("half", Percentage, percent(50_00), exclusive, coupon("HALF")), offer("ten", Percentage, percent(10_00), coupon("TEN")), offer("ship", FreeShipping),
			},
			lines: []int64{1500, 2275, 333}, applied: []string{"half"}, refused: map[string]Refusal{"TEN": BetterOffer},
		},
		"an exclusive one that saves less does not count": {
			offers: []candidate{offer("one", Percentage, percent(1_00), exclusive, coupon("ONE")), offer("ten", Percentage, percent(10_00))},
			lines:  []int64{300, 455, 67}, applied: []string{"ten"}, refused: map[string]Refusal{"ONE": BetterOffer},
		},
		"an exclusive one of higher priority counts although it saves less": {
			offers: []candidate{
				offer("one", Percentage, percent(1_00), exclusive, func(c *candidate) { c.Priority = 5 }), offer("ten", Percentage, percent(10_00), coupon("TEN")),
			},
			lines: []int64{30, 45, 7}, applied: []string{"one"}, refused: map[string]Refusal{"TEN": BetterOffer},
		},
		"an exclusive one of higher priority that takes nothing stands in nobody's way": {
			offers: []candidate{
				offer("none", Percentage, percent(0), exclusive, func(c *candidate) { c.Priority = 5 }), offer("ten", Percentage, percent(10_00)),
			},
			lines: []int64{300, 455, 67}, applied: []string{"ten"},
		},
		"of a group the best": {
			offers: []candidate{
				offer("ten", Percentage, percent(10_00), coupon("TEN"), with(func(t *Terms) { t.StackGroup = "sale" })),
				offer("twenty", Percentage, percent(20_00), coupon("TWENTY"), with(func(t *Terms) { t.StackGroup = "sale" })),
				offer("ship", FreeShipping),
			},
			lines: []int64{600, 910, 133}, shipping: 490, applied: []string{"twenty", "ship"}, refused: map[string]Refusal{"TEN": BetterOffer},
		},
		"the same promotion by two codes counts once": {
			offers: []candidate{offer("ten", Percentage, percent(10_00), coupon("TEN")), offer("ten", Percentage, percent(10_00), coupon("ZEHN"))},
			lines:  []int64{300, 455, 67}, applied: []string{"ten"}, refused: map[string]Refusal{"ZEHN": AppliedOnce},
		},
		"a code that nobody knows": {change: func(r *DiscountRequest) { r.Codes = []string{"NOBODY"} }, lines: []int64{0, 0, 0}, refused: map[string]Refusal{"NOBODY": NoCoupon}},
		"switched off, not begun, ended": {
			offers: []candidate{
				offer("off", Percentage, percent(10_00), coupon("OFF"), func(c *candidate) { c.Active = false }),
				offer("later", Percentage, percent(10_00), coupon("LATER"), func(c *candidate) { c.ValidFrom = new(noon.Add(time.Second)) }),
				offer("over", Percentage, percent(10_00), coupon("OVER"), func(c *candidate) { c.ValidTo = new(noon) }),
			},
			lines: []int64{0, 0, 0}, refused: map[string]Refusal{"OFF": NoCoupon, "LATER": NoCoupon, "OVER": CouponEnded},
		},
		"from its first to before its last moment": {
			offers: []candidate{offer("now", Percentage, percent(10_00), func(c *candidate) { c.ValidFrom, c.ValidTo = new(noon), new(noon.Add(1)) })},
			lines:  []int64{300, 455, 67}, applied: []string{"now"},
		},
		"used up": {
			offers: []candidate{
				offer("all", Percentage, percent(10_00), coupon("ALL"), func(c *candidate) { c.UseLimit, c.Uses = new(int64(5)), 5 }),
				offer("mine", Percentage, percent(10_00), coupon("MINE"), func(c *candidate) { c.CustomerLimit, c.buyerUses = new(int64(1)), 1 }),
			},
			lines: []int64{0, 0, 0}, refused: map[string]Refusal{"ALL": UsedUp, "MINE": UsedUp},
		},
		"for others": {
			offers: []candidate{
				offer("group", Percentage, percent(10_00), coupon("GROUP"), with(func(t *Terms) { t.Conditions.Groups = []string{"vip"} })),
				offer("one", Percentage, percent(10_00), coupon("ONE"), with(func(t *Terms) { t.Conditions.Customers = []string{"cus_other"} })),
				offer("usd", Percentage, percent(10_00), coupon("USD"), with(func(t *Terms) { t.Conditions.Currencies = []string{"USD"} })),
			},
			change: func(r *DiscountRequest) { r.Buyer.CustomerID = "cus_me" },
			lines:  []int64{0, 0, 0}, refused: map[string]Refusal{"GROUP": NoCoupon, "ONE": NoCoupon, "USD": OtherCurrency},
		},
		"for this one": {
			offers: []candidate{
				offer("group", Percentage, percent(10_00), func(c *candidate) { c.member = true }, with(func(t *Terms) {
					t.Conditions = Conditions{Groups: []string{"vip"}, Customers: []string{"cus_me"}, Currencies: []string{"EUR"}}
				})),
			},
			change: func(r *DiscountRequest) { r.Buyer.CustomerID = "cus_me" },
			lines:  []int64{300, 455, 67}, applied: []string{"group"},
		},
		"the first order, when nobody asked yet": {
			offers: []candidate{offer("first", Percentage, percent(10_00), coupon("FIRST"), with(func(t *Terms) { t.Conditions.FirstOrder = true }))},
			lines:  []int64{0, 0, 0}, refused: map[string]Refusal{"FIRST": NotFirst}, needs: true,
		},
		"the first order": {
			offers: []candidate{offer("first", Percentage, percent(10_00), with(func(t *Terms) { t.Conditions.FirstOrder = true }))},
			change: func(r *DiscountRequest) { r.FirstOrder = &yes }, lines: []int64{300, 455, 67}, applied: []string{"first"},
		},
		"the second order": {
			offers: []candidate{offer("first", Percentage, percent(10_00), coupon("FIRST"), with(func(t *Terms) { t.Conditions.FirstOrder = true }))},
			change: func(r *DiscountRequest) { r.FirstOrder = &no }, lines: []int64{0, 0, 0}, refused: map[string]Refusal{"FIRST": NotFirst},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := cart()
			if c.change != nil {
				c.change(&r)
			}
			d := discount(noon, &r, c.offers)
			lines := make([]int64, len(d.Lines))
			for i, l := range d.Lines {
				lines[i] = l.Minor
			}
			require.Equal(t, c.lines, lines)
			require.Equal(t, eur(c.shipping), d.Shipping)
			var applied []string
			var sum int64
			for _, a := range d.Applied {
				applied = append(applied, string(a.PromotionID))
				sum += a.Amount.Minor
			}
			require.Equal(t, c.applied, applied)
			require.Equal(t, lines[0]+lines[1]+lines[2], sum)
			refused := map[string]Refusal{}
			for _, f := range d.Refused {
				refused[f.Code] = f.Reason
			}
			if c.refused == nil {
				c.refused = map[string]Refusal{}
			}
			require.Equal(t, c.refused, refused)
			require.Equal(t, c.needs, d.NeedsFirstOrder)
		})
	}
}

func TestANameOfACouponThatIsNotOnesOwnIsNotTold(t *testing.T) {
	t.Parallel()
	r := cart()
	d := discount(noon, &r, []candidate{
		offer("secret", Percentage, percent(10_00), coupon("SECRET"), with(func(t *Terms) { t.Conditions.Customers = []string{"cus_other"} })),
		offer("over", Percentage, percent(10_00), coupon("OVER"), func(c *candidate) { c.ValidTo = new(noon) }),
	})
	require.Equal(t, []Refused{{Code: "SECRET", Reason: NoCoupon}, {Code: "OVER", Title: "over", Reason: CouponEnded}}, d.Refused)
}

// drawOffer is any promotion that Promotion.normalise lets through.
func drawOffer(t *rapid.T, i int, currency money.Currency) candidate {
	ids := func(prefix string) []string {
		return rapid.SliceOfN(rapid.SampledFrom([]string{prefix + "0", prefix + "1", prefix + "2", prefix + "3"}), 0, 2).Draw(t, prefix)
	}
	scope := func() Scope { return Scope{Products: ids("prod_"), Variants: ids("var_"), Categories: ids("cat_")} }
	p := &Promotion{
		ID: PromotionID(fmt.Sprintf("promo_%02d", i)), Title: "x", Active: true, Kind: rapid.SampledFrom([]Kind{Percentage, FixedAmount, FreeShipping, BuyXGetY}).Draw(t, "kind"),
		Stacking: rapid.SampledFrom([]Stacking{Combinable, Combinable, Exclusive}).Draw(t, "stacking"), Priority: rapid.IntRange(-1, 1).Draw(t, "priority"),
	}
	p.Terms.StackGroup = rapid.SampledFrom([]string{"", "", "a"}).Draw(t, "group")
	if rapid.Bool().Draw(t, "some") {
		p.Terms.Include, p.Terms.Exclude = scope(), scope()
	}
	switch p.Kind {
	case Percentage:
		p.Terms.Percent = Percent(rapid.Int64Range(0, 100_00).Draw(t, "percent"))
	case FixedAmount:
		p.Terms.Amounts = []money.Amount{money.New(rapid.Int64Range(0, 20_000).Draw(t, "amount"), currency)}
		p.Terms.Per = rapid.SampledFrom([]Per{PerOrder, PerLine, PerPiece}).Draw(t, "per")
	case BuyXGetY:
		p.Terms.Percent = Percent(rapid.Int64Range(0, 100_00).Draw(t, "percent"))
		p.Terms.Buy = &Pieces{Scope: scope(), Quantity: rapid.IntRange(1, 4).Draw(t, "buy")}
		p.Terms.Get = &Pieces{Scope: scope(), Quantity: rapid.IntRange(1, 4).Draw(t, "get")}
		p.Terms.MaxSets = rapid.IntRange(0, 3).Draw(t, "sets")
	}
	c := candidate{Promotion: p}
	if rapid.Bool().Draw(t, "code") {
		coupon(fmt.Sprintf("CODE%d", i))(&c)
	}
	return c
}

func drawRequest(t *rapid.T, currency money.Currency) DiscountRequest {
	r := DiscountRequest{Currency: currency, Shipping: money.New(rapid.Int64Range(0, 5000).Draw(t, "shipping"), currency), ShippingMethod: "ship_standard"}
	for i := range rapid.IntRange(0, 6).Draw(t, "lines") {
		n := fmt.Sprint(i % 4)
		price := rapid.Int64Range(0, 30_000)
		if i == 5 {
			price = rapid.Int64Range(0, money.MaxMinor/10_000)
		}
		r.Lines = append(r.Lines, DiscountLine{
			VariantID: "var_" + n, ProductID: "prod_" + fmt.Sprint(i/2), Categories: []string{"cat_" + fmt.Sprint(i%3)}, Quantity: rapid.IntRange(1, 12).Draw(t, "quantity"),
			UnitPrice: money.New(price.Draw(t, "price"), currency),
		})
	}
	return r
}

func TestDiscountsAddUpAndNeverExceedWhatThingsCost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		currency := rapid.SampledFrom([]money.Currency{"EUR", "JPY", "KWD"}).Draw(t, "currency")
		r := drawRequest(t, currency)
		var offers []candidate
		for i := range rapid.IntRange(0, 6).Draw(t, "offers") {
			offers = append(offers, drawOffer(t, i, currency))
			if offers[i].code != "" {
				r.Codes = append(r.Codes, offers[i].code)
			}
		}
		d := discount(noon, &r, offers)
		require.Len(t, d.Lines, len(r.Lines))
		var lines, amounts, shipping int64
		for i, l := range d.Lines {
			require.Equal(t, currency, l.Currency)
			require.GreaterOrEqual(t, l.Minor, int64(0))
			require.LessOrEqual(t, l.Minor, r.Lines[i].UnitPrice.Minor*int64(r.Lines[i].Quantity))
			lines += l.Minor
		}
		seen := map[PromotionID]bool{}
		for _, a := range d.Applied {
			require.False(t, seen[a.PromotionID], "no promotion counts twice")
			seen[a.PromotionID] = true
			require.GreaterOrEqual(t, a.Amount.Minor, int64(0))
			require.GreaterOrEqual(t, a.Shipping.Minor, int64(0))
			amounts += a.Amount.Minor
			shipping += a.Shipping.Minor
		}
		require.Equal(t, lines, amounts, "the parts of promotions and the parts of lines are the same money")
		require.Equal(t, d.Shipping.Minor, shipping)
		require.LessOrEqual(t, d.Shipping.Minor, r.Shipping.Minor)
		for _, o := range offers {
			if o.Stacking == Exclusive && seen[o.ID] {
				require.Len(t, d.Applied, 1, "an exclusive one is alone")
			}
		}
		told := map[string]int{}
		for _, a := range d.Applied {
			told[a.Code]++
		}
		for _, f := range d.Refused {
			told[f.Code]++
		}
		for _, code := range r.Codes {
			require.Equal(t, 1, told[code], "%s is either applied or refused", code)
		}
		require.Equal(t, d, discount(noon, &r, offers), "the same again gives the same")
	})
}

// TestNoPieceIsInTwoSets checks "buy X, get Y" against trying every way to hand the pieces out.
func TestNoPieceIsInTwoSets(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := DiscountRequest{Currency: "EUR", Shipping: eur(0)}
		for i := range rapid.IntRange(1, 3).Draw(t, "lines") {
			r.Lines = append(r.Lines, DiscountLine{
				ProductID: fmt.Sprintf("prod_%d", i), Quantity: rapid.IntRange(1, 5).Draw(t, "quantity"), UnitPrice: eur(rapid.Int64Range(1, 5).Draw(t, "price") * 100),
			})
		}
		some := func(label string) Scope {
			return Scope{Products: rapid.SliceOfN(rapid.SampledFrom([]string{"prod_0", "prod_1", "prod_2"}), 1, 3).Draw(t, label)}
		}
		terms := Terms{Percent: hundredPercent, Buy: &Pieces{some("bought"), rapid.IntRange(1, 3).Draw(t, "x")}, Get: &Pieces{some("got"), rapid.IntRange(1, 3).Draw(t, "y")}}
		d := discount(noon, &r, []candidate{offer("sets", BuyXGetY, func(c *candidate) { c.Terms = terms })})
		var have int64
		for _, l := range d.Lines {
			have += l.Minor
		}
		sets := mostSets(&r, &terms)
		require.Equal(t, cheapest(&r, &terms, sets), have, "%d sets", sets)
	})
}

// mostSets tries larger and larger numbers of sets: pieces are handed out one by one.
func mostSets(r *DiscountRequest, terms *Terms) int {
	for sets := 1; ; sets++ {
		if _, ok := handOut(r, terms, sets); !ok {
			return sets - 1
		}
	}
}

func cheapest(r *DiscountRequest, terms *Terms, sets int) int64 {
	cost, _ := handOut(r, terms, sets)
	return cost
}

// handOut is the least that the got pieces of so many sets cost, by trying every number of got pieces for each line.
func handOut(r *DiscountRequest, terms *Terms, sets int) (least int64, ok bool) {
	var try func(line, got int, bought int, cost int64)
	try = func(line, got, bought int, cost int64) {
		if line == len(r.Lines) {
			if got == sets*terms.Get.Quantity && bought >= sets*terms.Buy.Quantity && (!ok || cost < least) {
				least, ok = cost, true
			}
			return
		}
		l := &r.Lines[line]
		for n := 0; n <= l.Quantity && (n == 0 || terms.Get.holds(l)); n++ {
			more := 0
			if terms.Buy.holds(l) {
				more = l.Quantity - n
			}
			try(line+1, got+n, bought+more, cost+int64(n)*l.UnitPrice.Minor)
		}
	}
	try(0, 0, 0, 0)
	return least, ok
}

func TestNormaliseCode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"SUMMER-10": "SUMMER-10", "summer-10": "SUMMER-10", "  Summer - 10\t\n": "SUMMER-10", "ＳＵＭＭＥＲ－１０": "SUMMER-10", "summer\u00a0-10": "SUMMER-10", "a_b": "A_B",
		"": "", "AB": "", "   ": "", "ЅUMMER-10": "", "SUMMER‑10": "", "SÜMMER": "", "sum\u200bmer": "", "SUMMER\x00": "", "ıstanbul": "", "SUMMER%": "", "ab c d": "ABCD",
		"' or 1=1 --": "", string(make([]byte, 300)): "", "0123456789012345678901234567890123456789": "0123456789012345678901234567890123456789",
		"01234567890123456789012345678901234567890": "",
	} {
		code, ok := NormaliseCode(text)
		require.Equal(t, want != "", ok, "%q", text)
		if ok {
			require.Equal(t, want, code, "%q", text)
		}
	}
}

func TestPercentIsExact(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Percent{"0": 0, "10": 10_00, "12.5": 12_50, "33.33": 33_33, "100": 100_00, "0.01": 1, "7.10": 7_10, "110": 110_00} {
		var p Percent
		require.NoError(t, p.UnmarshalJSON([]byte(text)))
		require.Equal(t, want, p)
		var back Percent
		require.NoError(t, back.UnmarshalJSON([]byte(p.String())))
		require.Equal(t, want, back)
	}
	for _, text := range []string{"1e1", "0.001", `"10"`, "true", "1.2.3", "NaN"} {
		var p Percent
		require.Error(t, p.UnmarshalJSON([]byte(text)), text)
	}
}
