package pricing

import (
	"cmp"
	"slices"
	"time"

	"shopd/internal/money"
)

// DiscountRequest asks what promotions take off a purchase. All amounts are in Currency.
type DiscountRequest struct {
	Currency       money.Currency
	Lines          []DiscountLine
	Shipping       money.Amount
	ShippingMethod string   // empty until one is chosen
	Codes          []string // as NormaliseCode has them
	Buyer          Buyer
	OrderID        string // of an order that this purchase replaces: its uses do not count
	// FirstOrder says whether the buyer ordered nothing before; nil when nobody asked yet.
	FirstOrder *bool
}

// DiscountLine is a line of the purchase.
type DiscountLine struct {
	VariantID  string
	ProductID  string
	Categories []string // the article's own and all above it
	Quantity   int
	UnitPrice  money.Amount
}

// Buyer is who buys, as far as it is known. Limits count an account and a mail address each by itself.
type Buyer struct {
	CustomerID string
	Mail       [][]byte // blind indexes of the mail address under all keys in use
}

// Discounts are what promotions take off. Line discounts never exceed their lines, and add up to those of Applied.
type Discounts struct {
	Lines    []money.Amount // of each line
	Shipping money.Amount   // of shipping
	Applied  []Applied
	Refused  []Refused // of the request's codes
	// NeedsFirstOrder says that the answer hangs on FirstOrder, which the request left out. It counted as false.
	NeedsFirstOrder bool
}

// Applied is a promotion that counts for the purchase.
type Applied struct {
	PromotionID PromotionID
	Version     int64
	Code        string // empty for an automatic one
	Title       string
	Kind        Kind
	Amount      money.Amount // off the lines
	Shipping    money.Amount // off shipping
	Limited     bool         // each use has to be claimed
}

// Refusal says why a code does nothing.
type Refusal string

// Why a code does nothing.
const (
	NoCoupon      Refusal = "not_valid"       // unknown, not begun, switched off, or for somebody else: not told apart
	CouponEnded   Refusal = "ended"           // it was valid once
	UsedUp        Refusal = "used_up"         // a limit is reached
	OtherCurrency Refusal = "other_currency"  // it has nothing to give in this currency
	NoArticle     Refusal = "no_article"      // nothing in the cart counts for it
	BelowMinimum  Refusal = "below_minimum"   // the articles it counts for cost too little
	OtherShipping Refusal = "other_shipping"  // it is for another way to send
	NotFirst      Refusal = "not_first_order" // the buyer has ordered before
	BetterOffer   Refusal = "better_offer"    // what it cannot be combined with takes more off
	NothingToTake Refusal = "nothing_to_take" // it counts and takes nothing off
	AppliedOnce   Refusal = "applied_already" // another code of the same promotion counts
)

// Refused is a code that does nothing now.
type Refused struct {
	Code   string
	Title  string // empty for NoCoupon
	Reason Refusal
}

// candidate is a promotion that may count, with what is known of its limits.
type candidate struct {
	*Promotion
	code      string
	buyerUses int64 // of this buyer, as often as the account or the mail address was counted
	member    bool  // the buyer is in one of its groups
}

// discount decides which of the candidates count at the time now, and what they take off: a function of its arguments
// alone.
func discount(now time.Time, r *DiscountRequest, candidates []candidate) Discounts {
	e := evaluation{now: now, r: r}
	for i := range r.Lines {
		e.full = append(e.full, r.Lines[i].UnitPrice.Times(int64(r.Lines[i].Quantity)).Minor)
	}
	var together, alone []eligible
	seen := map[PromotionID]bool{}
	for _, c := range candidates {
		if seen[c.ID] {
			e.refuse(c, AppliedOnce)
			continue
		}
		seen[c.ID] = true
		lines, reason := e.counts(c)
		if reason != "" {
			e.refuse(c, reason)
			continue
		}
		if c.Stacking == Exclusive {
			alone = append(alone, eligible{c, lines})
		} else {
			together = append(together, eligible{c, lines})
		}
	}
	together = e.bestOfGroups(together)
	slices.SortFunc(together, compareOrder)
	slices.SortFunc(alone, compareOrder)
	best := e.apply(together...)
	for _, one := range alone {
		if other := e.apply(one); len(best.taken) == 0 || other.beats(best) {
			best = other
		}
	}
	return e.result(best, append(together, alone...))
}

// evaluation is the work on one request.
type evaluation struct {
	now   time.Time
	r     *DiscountRequest
	full  []int64 // what each line costs without discounts
	needs bool
	out   []Refused
}

// eligible is a candidate with the lines that it counts for.
type eligible struct {
	candidate
	lines []int
}

// compareOrder is the order in which promotions are applied, each to what those before it left: by priority, then what
// takes single pieces off, shares, amounts and shipping, then by id so that it never changes.
func compareOrder(a, b eligible) int {
	return cmp.Or(
		cmp.Compare(b.Priority, a.Priority), cmp.Compare(rankOf[a.Kind], rankOf[b.Kind]), cmp.Compare(a.ID, b.ID), cmp.Compare(a.code, b.code),
	)
}

var rankOf = map[Kind]int{BuyXGetY: 0, Percentage: 1, FixedAmount: 2, FreeShipping: 3}

// counts returns the lines that c counts for, or why it does not count.
func (e *evaluation) counts(c candidate) (lines []int, reason Refusal) {
	conditions := &c.Terms.Conditions
	switch {
	case !c.Active, c.ValidFrom != nil && e.now.Before(*c.ValidFrom), !e.mayUse(c):
		return nil, NoCoupon
	case c.ValidTo != nil && !e.now.Before(*c.ValidTo):
		return nil, CouponEnded
	case c.CustomerLimit != nil && c.buyerUses >= *c.CustomerLimit && conditions.FirstOrder:
		return nil, NotFirst
	case c.UseLimit != nil && c.Uses >= *c.UseLimit, c.CustomerLimit != nil && c.buyerUses >= *c.CustomerLimit:
		return nil, UsedUp
	case len(conditions.Currencies) > 0 && !slices.Contains(conditions.Currencies, string(e.r.Currency)):
		return nil, OtherCurrency
	}
	if c.Kind == FixedAmount {
		if _, ok := amountIn(c.Terms.Amounts, e.r.Currency); !ok {
			return nil, OtherCurrency
		}
	}
	var subtotal int64
	for i := range e.r.Lines {
		l := &e.r.Lines[i]
		if (c.Terms.Include.empty() || c.Terms.Include.holds(l)) && !c.Terms.Exclude.holds(l) {
			lines = append(lines, i)
			subtotal += e.full[i]
		}
	}
	if len(lines) == 0 {
		return nil, NoArticle
	}
	if len(conditions.MinimumSubtotal) > 0 {
		least, ok := amountIn(conditions.MinimumSubtotal, e.r.Currency)
		if !ok {
			return nil, OtherCurrency
		}
		if subtotal < least.Minor {
			return nil, BelowMinimum
		}
	}
	if c.Kind == FreeShipping && e.r.ShippingMethod != "" && len(conditions.ShippingMethods) > 0 &&
		!slices.Contains(conditions.ShippingMethods, e.r.ShippingMethod) {
		return nil, OtherShipping
	}
	if conditions.FirstOrder {
		if e.r.FirstOrder == nil {
			e.needs = true
			return nil, NotFirst
		}
		if !*e.r.FirstOrder {
			return nil, NotFirst
		}
	}
	return lines, ""
}

func (e *evaluation) mayUse(c candidate) bool {
	conditions := &c.Terms.Conditions
	if len(conditions.Groups) > 0 && !c.member {
		return false
	}
	return len(conditions.Customers) == 0 || e.r.Buyer.CustomerID != "" && slices.Contains(conditions.Customers, e.r.Buyer.CustomerID)
}

func (e *evaluation) refuse(c candidate, reason Refusal) {
	if c.code == "" {
		return
	}
	refused := Refused{Code: c.code, Reason: reason}
	if reason != NoCoupon {
		refused.Title = c.Title
	}
	e.out = append(e.out, refused)
}

// bestOfGroups leaves of each stack group the one that takes most off by itself.
func (e *evaluation) bestOfGroups(list []eligible) []eligible {
	best := map[string]plan{}
	kept := list[:0:0]
	for _, one := range list {
		if one.Terms.StackGroup == "" {
			kept = append(kept, one)
			continue
		}
		if p := e.apply(one); best[one.Terms.StackGroup].taken == nil || p.beats(best[one.Terms.StackGroup]) {
			best[one.Terms.StackGroup] = p
		}
	}
	for _, one := range list {
		group := one.Terms.StackGroup
		if group == "" {
			continue
		}
		if winner := best[group]; winner.taken[0].ID == one.ID && winner.taken[0].code == one.code {
			kept = append(kept, one)
		} else {
			e.refuse(one.candidate, BetterOffer)
		}
	}
	return kept
}

// plan is what promotions take off together.
type plan struct {
	lines    []int64
	shipping int64
	taken    []take
	priority int // the highest of those that take something
	saving   int64
}

// take is the part of one promotion.
type take struct {
	eligible
	amount, shipping int64
}

// beats reports whether p goes before other: by priority, then by what the shopper saves.
func (p plan) beats(other plan) bool {
	if p.saving == 0 || other.saving == 0 {
		return p.saving > other.saving
	}
	return cmp.Or(cmp.Compare(p.priority, other.priority), cmp.Compare(p.saving, other.saving)) > 0
}

// apply lets promotions take off what they take, each of what those before it left.
func (e *evaluation) apply(list ...eligible) plan {
	p := plan{lines: make([]int64, len(e.full))}
	left := slices.Clone(e.full)
	for _, one := range list {
		t := take{eligible: one}
		for i, minor := range e.off(one, left) {
			left[i] -= minor
			p.lines[i] += minor
			t.amount += minor
		}
		if one.Kind == FreeShipping {
			t.shipping = e.r.Shipping.Minor - p.shipping
			p.shipping += t.shipping
		}
		p.taken = append(p.taken, t)
		if t.amount+t.shipping > 0 {
			if p.saving == 0 || one.Priority > p.priority {
				p.priority = one.Priority
			}
			p.saving += t.amount + t.shipping
		}
	}
	return p
}

// off returns what a promotion takes off each line, where left is what the lines still cost.
func (e *evaluation) off(one eligible, left []int64) []int64 {
	switch one.Kind {
	case Percentage:
		return e.spread(one.lines, left, func(sum money.Amount) money.Amount {
			return sum.Share(int64(one.Terms.Percent), int64(hundredPercent))
		})
	case FixedAmount:
		return e.amountOff(one, left)
	case BuyXGetY:
		return e.piecesOff(one, left)
	default:
		return make([]int64, len(left))
	}
}

// spread takes part of what the lines cost together off them, in proportion, to the last minor unit.
func (e *evaluation) spread(lines []int, left []int64, part func(sum money.Amount) money.Amount) []int64 {
	off, weights := make([]int64, len(left)), make([]int64, len(lines))
	sum := money.New(0, e.r.Currency)
	for i, line := range lines {
		weights[i] = left[line]
		sum.Minor += left[line]
	}
	for i, share := range part(sum).Allocate(weights) {
		off[lines[i]] = share.Minor
	}
	return off
}

func (e *evaluation) amountOff(one eligible, left []int64) []int64 {
	amount, _ := amountIn(one.Terms.Amounts, e.r.Currency)
	if one.Terms.Per == PerOrder {
		return e.spread(one.lines, left, func(sum money.Amount) money.Amount { return money.New(min(amount.Minor, sum.Minor), sum.Currency) })
	}
	off := make([]int64, len(left))
	for _, i := range one.lines {
		wanted := amount.Minor
		if one.Terms.Per == PerPiece {
			wanted = min(amount.Minor, e.r.Lines[i].UnitPrice.Minor) * int64(e.r.Lines[i].Quantity)
		}
		off[i] = min(wanted, left[i])
	}
	return off
}

// piecesOff makes as many whole sets of the pieces as there are, no piece in two of them, and takes the percentage off
// the cheapest of those that one gets.
func (e *evaluation) piecesOff(one eligible, left []int64) []int64 {
	off := make([]int64, len(left))
	buy, get := one.Terms.Buy, one.Terms.Get
	var bought, both, got int64 // pieces that can only be bought, be either, only be got
	candidates := make([]int, 0, len(one.lines))
	either := map[int]bool{}
	for _, i := range one.lines {
		l := &e.r.Lines[i]
		buys, gets := buy.empty() || buy.holds(l), get.empty() || get.holds(l)
		pieces := int64(l.Quantity)
		switch {
		case buys && gets:
			both += pieces
			either[i] = true
		case buys:
			bought += pieces
		case gets:
			got += pieces
		}
		if gets {
			candidates = append(candidates, i)
		}
	}
	x, y := int64(buy.Quantity), int64(get.Quantity)
	sets := min((bought+both)/x, (got+both)/y, (bought+both+got)/(x+y))
	if one.Terms.MaxSets > 0 {
		sets = min(sets, int64(one.Terms.MaxSets))
	}
	wanted := sets * y
	spare := both - max(0, sets*x-bought) // of those that can be either, what need not be bought
	slices.SortStableFunc(candidates, func(a, b int) int { return cmp.Compare(e.r.Lines[a].UnitPrice.Minor, e.r.Lines[b].UnitPrice.Minor) })
	for _, i := range candidates {
		pieces := min(wanted, int64(e.r.Lines[i].Quantity))
		if either[i] {
			pieces = min(pieces, spare)
			spare -= pieces
		}
		wanted -= pieces
		cost := money.New(left[i], e.r.Currency).Share(pieces, int64(e.r.Lines[i].Quantity))
		off[i] = cost.Share(int64(one.Terms.Percent), int64(hundredPercent)).Minor
	}
	return off
}

// result is the answer: of the best plan those that take something off, or will once shipping is chosen.
func (e *evaluation) result(best plan, all []eligible) Discounts {
	zero := money.New(0, e.r.Currency)
	d := Discounts{Lines: make([]money.Amount, len(e.full)), Shipping: money.New(best.shipping, e.r.Currency), NeedsFirstOrder: e.needs}
	for i, minor := range best.lines {
		d.Lines[i] = money.New(minor, e.r.Currency)
	}
	for _, one := range all {
		i := slices.IndexFunc(best.taken, func(t take) bool { return t.ID == one.ID && t.code == one.code })
		if i < 0 {
			e.refuse(one.candidate, BetterOffer)
			continue
		}
		t := best.taken[i]
		if t.amount+t.shipping == 0 && (t.Kind != FreeShipping || e.r.ShippingMethod != "") {
			e.refuse(one.candidate, NothingToTake)
			continue
		}
		a := Applied{
			PromotionID: t.ID, Version: t.Version, Code: t.code, Title: t.Title, Kind: t.Kind, Amount: zero, Shipping: zero, Limited: t.Limited(),
		}
		a.Amount.Minor, a.Shipping.Minor = t.amount, t.shipping
		d.Applied = append(d.Applied, a)
	}
	known := map[string]bool{}
	for _, refused := range e.out {
		known[refused.Code] = true
	}
	for _, a := range d.Applied {
		known[a.Code] = true
	}
	for _, code := range e.r.Codes {
		if !known[code] {
			e.out = append(e.out, Refused{Code: code, Reason: NoCoupon})
		}
	}
	d.Refused = e.out
	return d
}
