package pricing

import (
	"slices"
	"time"

	"shopd/internal/money"
	"shopd/internal/platform/errs"
)

// PromotionID identifies a promotion, "promo_…".
type PromotionID string

// Kind says what a promotion gives.
type Kind string

// The kinds of promotions.
const (
	Percentage   Kind = "percentage"    // Percent off each line that it counts for
	FixedAmount  Kind = "fixed_amount"  // one of Amounts off, see Per
	FreeShipping Kind = "free_shipping" // shipping costs nothing
	BuyXGetY     Kind = "buy_x_get_y"   // Get pieces cheaper for every Buy pieces
)

// Per says what a fixed amount is taken off.
type Per string

// What a fixed amount is taken off.
const (
	PerOrder Per = "order" // once, spread over the lines
	PerLine  Per = "line"  // of each line
	PerPiece Per = "piece" // of each piece
)

// Stacking says whether a promotion goes together with others.
type Stacking string

// How promotions go together.
const (
	Combinable Stacking = "combinable" // adds up with other combinable ones
	Exclusive  Stacking = "exclusive"  // is applied alone or not at all
)

// Scope names articles: by product, by variant, or by a category that they are in or below.
type Scope struct {
	Products   []string `json:"products,omitempty" maxItems:"500"`
	Variants   []string `json:"variants,omitempty" maxItems:"500"`
	Categories []string `json:"categories,omitempty" maxItems:"200" doc:"Ids; what is in a category below counts too."`
}

func (s Scope) empty() bool { return len(s.Products)+len(s.Variants)+len(s.Categories) == 0 }

func (s Scope) holds(l *DiscountLine) bool {
	return slices.Contains(s.Variants, l.VariantID) || slices.Contains(s.Products, l.ProductID) ||
		slices.ContainsFunc(s.Categories, func(c string) bool { return slices.Contains(l.Categories, c) })
}

// Pieces are the articles of one side of "buy X, get Y". Without a Scope they are what the promotion counts for.
type Pieces struct {
	Scope
	Quantity int `json:"quantity" minimum:"1" maximum:"1000"`
}

// Conditions say for which purchases a promotion counts. What is empty is no condition.
type Conditions struct {
	MinimumSubtotal []money.Amount `json:"minimum_subtotal,omitempty" maxItems:"50" doc:"Of the articles that the promotion counts for, before discounts, in each currency it is offered in."`
	Currencies      []string       `json:"currencies,omitempty" maxItems:"50"`
	Groups          []string       `json:"customer_groups,omitempty" maxItems:"50" doc:"Customers in one of these groups."`
	Customers       []string       `json:"customers,omitempty" maxItems:"500" doc:"These customers."`
	FirstOrder      bool           `json:"first_order,omitempty" doc:"Only the first order of an account or e-mail address. The limit per customer is one."`
	ShippingMethods []string       `json:"shipping_methods,omitempty" maxItems:"50" doc:"Of free_shipping: only with these."`
}

// Terms are what a promotion gives, and for what. They are kept as JSON.
type Terms struct {
	Percent    Percent        `json:"percent,omitempty" doc:"Of percentage, and of what one gets in buy_x_get_y."`
	Amounts    []money.Amount `json:"amounts,omitempty" maxItems:"50" doc:"Of fixed_amount: one in each currency it is offered in."`
	Per        Per            `json:"per,omitempty" enum:"order,line,piece" doc:"Of fixed_amount: what it is taken off; the order when left out."`
	Buy        *Pieces        `json:"buy,omitempty" doc:"Of buy_x_get_y."`
	Get        *Pieces        `json:"get,omitempty" doc:"Of buy_x_get_y: the cheapest of these, percent off."`
	MaxSets    int            `json:"max_sets,omitempty" minimum:"0" maximum:"1000" doc:"Of buy_x_get_y: how often in one order; 0 is without limit."`
	Include    Scope          `json:"include" doc:"The articles it counts for; all when empty."`
	Exclude    Scope          `json:"exclude" doc:"Articles it never counts for."`
	Conditions Conditions     `json:"conditions"`
	StackGroup string         `json:"stack_group,omitempty" maxLength:"60" doc:"Of the combinable promotions with the same name here only the best for the shopper is applied."`
}

// Promotion takes something off what a cart costs. Without codes it is applied by itself.
type Promotion struct {
	ID        PromotionID
	Title     string // what shoppers see
	Kind      Kind
	Active    bool
	Codes     []string // normalised by NormaliseCode
	Terms     Terms
	Stacking  Stacking
	Priority  int        // the higher goes first
	ValidFrom *time.Time // nil: from ever
	ValidTo   *time.Time // nil: for ever
	// UseLimit is in how many orders it may be used, CustomerLimit in how many of one customer; nil without limit. Both
	// count from when the limit was set.
	UseLimit      *int64
	CustomerLimit *int64
	Uses          int64 // counted against the limits
	Version       int64
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// Limited reports whether each use has to be claimed.
func (p *Promotion) Limited() bool { return p.UseLimit != nil || p.CustomerLimit != nil }

// Automatic reports whether it is applied without a code.
func (p *Promotion) Automatic() bool { return len(p.Codes) == 0 }

// What callers decide by.
var (
	ErrCouponExhausted = errs.New(errs.Conflict, "coupon_exhausted", "This coupon has been used as often as it may be.")
	ErrCodeTaken       = errs.New(errs.Conflict, "coupon_code_taken", "Another promotion has this code.")
	ErrLimitBelowUses  = errs.New(errs.Conflict, "limit_below_uses", "The promotion has been used more often than that already.")
)

// Bounds of one promotion.
const (
	maxTitle = 120
	maxCodes = 100
	maxLimit = 1_000_000_000
)

// normalise brings p to the form it is kept in, and refuses what is no promotion.
func (p *Promotion) normalise() error {
	var wrong []errs.Field
	refuse := func(pointer, detail string) {
		wrong = append(wrong, errs.Field{Pointer: pointer, Code: "invalid_promotion", Detail: detail})
	}
	if p.Title == "" || len(p.Title) > maxTitle {
		refuse("/title", "A title has 1 to 120 characters.")
	}
	if len(p.Codes) > maxCodes {
		refuse("/codes", "A promotion has up to 100 codes.")
	}
	codes := make([]string, 0, len(p.Codes))
	for _, text := range p.Codes {
		code, ok := NormaliseCode(text)
		if !ok {
			refuse("/codes", "A code has 3 to 40 letters A to Z, digits, dashes and underscores.")
			continue
		}
		codes = append(codes, code)
	}
	slices.Sort(codes)
	p.Codes = slices.Compact(codes)
	if p.ValidFrom != nil && p.ValidTo != nil && !p.ValidTo.After(*p.ValidFrom) {
		refuse("/valid_to", "It must end after it begins.")
	}
	if p.Stacking == "" {
		p.Stacking = Combinable
	}
	if p.Terms.Conditions.FirstOrder {
		p.CustomerLimit = new(int64(1))
	}
	for pointer, limit := range map[string]*int64{"/use_limit": p.UseLimit, "/per_customer_limit": p.CustomerLimit} {
		if limit != nil && (*limit < 1 || *limit > maxLimit) {
			refuse(pointer, "A limit is at least one.")
		}
	}
	p.Terms.check(p.Kind, refuse)
	if len(wrong) > 0 {
		return errs.Validation(wrong...)
	}
	return nil
}

func (t *Terms) check(kind Kind, refuse func(pointer, detail string)) {
	if t.Percent < 0 || t.Percent > hundredPercent {
		refuse("/percent", "A percentage is 0 to 100.")
	}
	checkAmounts("/amounts", t.Amounts, refuse)
	checkAmounts("/conditions/minimum_subtotal", t.Conditions.MinimumSubtotal, refuse)
	for _, c := range t.Conditions.Currencies {
		if !money.Currency(c).Known() {
			refuse("/conditions/currencies", c+" is not a currency.")
		}
	}
	switch kind {
	case Percentage:
		t.only(kind, refuse)
	case FixedAmount:
		if len(t.Amounts) == 0 {
			refuse("/amounts", "An amount is needed in each currency the promotion is offered in.")
		}
		if t.Per == "" {
			t.Per = PerOrder
		}
		t.only(kind, refuse)
	case FreeShipping:
		t.only(kind, refuse)
	case BuyXGetY:
		for pointer, side := range map[string]*Pieces{"/buy": t.Buy, "/get": t.Get} {
			if side == nil || side.Quantity < 1 || side.Quantity > MaxSetPieces {
				refuse(pointer, "Say of how many pieces.")
			}
		}
		if t.MaxSets < 0 || t.MaxSets > MaxSetPieces {
			refuse("/max_sets", "At most 1,000.")
		}
		t.only(kind, refuse)
	default:
		refuse("/kind", "The kind is percentage, fixed_amount, free_shipping or buy_x_get_y.")
	}
}

// MaxSetPieces bounds the pieces of one side of buy_x_get_y, and how many sets there are.
const MaxSetPieces = 1000

// only refuses what another kind has: a merchant who says it expects an effect.
func (t *Terms) only(kind Kind, refuse func(pointer, detail string)) {
	if t.Percent != 0 && kind != Percentage && kind != BuyXGetY {
		refuse("/percent", "This kind of promotion has no percentage.")
	}
	if len(t.Amounts) > 0 && kind != FixedAmount {
		refuse("/amounts", "This kind of promotion has no amounts.")
	}
	if t.Per != "" && kind != FixedAmount {
		refuse("/per", "This kind of promotion has no amounts.")
	}
	if kind != BuyXGetY && (t.Buy != nil || t.Get != nil || t.MaxSets != 0) {
		refuse("/buy", "This kind of promotion gives nothing for pieces.")
	}
	if len(t.Conditions.ShippingMethods) > 0 && kind != FreeShipping {
		refuse("/conditions/shipping_methods", "Only free shipping depends on how it is sent.")
	}
}

func checkAmounts(pointer string, amounts []money.Amount, refuse func(pointer, detail string)) {
	seen := map[money.Currency]bool{}
	for _, a := range amounts {
		if err := a.Check(); err != nil {
			refuse(pointer, err.Error())
		}
		if seen[a.Currency] {
			refuse(pointer, "There are two amounts in "+string(a.Currency)+".")
		}
		seen[a.Currency] = true
	}
}

// amountIn returns the one in the currency; false when there is none.
func amountIn(amounts []money.Amount, currency money.Currency) (money.Amount, bool) {
	i := slices.IndexFunc(amounts, func(a money.Amount) bool { return a.Currency == currency })
	if i < 0 {
		return money.Amount{}, false
	}
	return amounts[i], true
}
