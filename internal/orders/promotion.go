package orders

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/errs"
)

// AppliedPromotion is a promotion that takes something off a cart or an order.
type AppliedPromotion struct {
	PromotionID string       `json:"promotion_id"`
	Version     int64        `json:"version" doc:"Of the promotion when it was applied."`
	Code        string       `json:"code,omitempty" doc:"The coupon code; left out where it was applied by itself."`
	Title       string       `json:"title"`
	Kind        string       `json:"kind" enum:"percentage,fixed_amount,free_shipping,buy_x_get_y"`
	Discount    money.Amount `json:"discount" doc:"Off the lines, contained in their discounts."`
	Shipping    money.Amount `json:"shipping" doc:"Off shipping, which is told after it."`
}

// Coupon is a code that was put into a cart.
type Coupon struct {
	Code    string `json:"code"`
	Title   string `json:"title,omitempty"`
	Applied bool   `json:"applied"`
	Reason  string `json:"reason,omitempty" doc:"Why it does nothing, for programs." enum:"not_valid,ended,used_up,other_currency,no_article,below_minimum,other_shipping,not_first_order,better_offer,nothing_to_take,applied_already"`
	Detail  string `json:"detail,omitempty" doc:"Why it does nothing, for people."`
}

// maxCoupons bounds the codes of one cart.
const maxCoupons = 10

// refusals says in words why a code does nothing.
var refusals = map[string]string{
	"ended":           "This coupon has ended.",
	"used_up":         "This coupon has been used as often as it may be.",
	"other_currency":  "This coupon is not for this currency.",
	"no_article":      "Nothing in the cart counts for this coupon.",
	"below_minimum":   "The cart does not reach the coupon's minimum yet.",
	"other_shipping":  "This coupon is for another way of shipping.",
	"not_first_order": "This coupon is for a first order.",
	"better_offer":    "This coupon cannot be combined with the better offer that the cart has.",
	"nothing_to_take": "This coupon takes nothing off this cart.",
	"applied_already": "This coupon is in the cart already.",
}

func refusal(reason string) string {
	if text, ok := refusals[reason]; ok {
		return text
	}
	return ErrCouponInvalid.Detail
}

func couponError(reason string) error {
	if reason == "used_up" {
		return ErrCouponExhausted
	}
	return ErrCouponInvalid.WithDetail("%s", refusal(reason)).WithFields(errs.Field{Pointer: "/code", Code: "coupon_invalid", Detail: refusal(reason)})
}

// ApplyCoupon puts a code into the cart if it takes something off. It returns ErrCouponInvalid for one that does not,
// and ErrCouponExhausted for one that has been used as often as it may be; that is checked again, and counted, when
// the cart is completed.
func (s *Service) ApplyCoupon(ctx context.Context, id CartID, a Access, text string) (*Cart, error) {
	code, ok := s.promotions.CouponCode(text)
	return s.change(ctx, id, a, func(c *storedCart) error {
		switch {
		case !ok:
			return couponError("")
		case slices.ContainsFunc(c.Coupons, func(have Coupon) bool { return have.Code == code }):
			return couponError("applied_already")
		case len(c.Coupons) >= maxCoupons:
			return ErrCouponInvalid.WithDetail("The cart holds no more coupons.")
		}
		c.Coupons = append(slices.Clone(c.Coupons), Coupon{Code: code})
		d, err := s.discounts(ctx, &c.Cart)
		if err != nil {
			return err
		}
		if reason, refused := d.refused(code); refused {
			return couponError(reason)
		}
		return nil
	})
}

// RemoveCoupon takes a code out of the cart.
func (s *Service) RemoveCoupon(ctx context.Context, id CartID, a Access, text string) (*Cart, error) {
	code, ok := s.promotions.CouponCode(text)
	return s.change(ctx, id, a, func(c *storedCart) error {
		i := slices.IndexFunc(c.Coupons, func(have Coupon) bool { return have.Code == code })
		if !ok || i < 0 {
			return errs.ErrNotFound
		}
		c.Coupons = slices.Delete(slices.Clone(c.Coupons), i, i+1)
		return nil
	})
}

func (d *Discounts) refused(code string) (reason string, refused bool) {
	i := slices.IndexFunc(d.Refused, func(r RefusedCoupon) bool { return r.Code == code })
	if i < 0 {
		return "", false
	}
	return d.Refused[i].Reason, true
}

// discounts asks what promotions take off the cart as it is.
func (s *Service) discounts(ctx context.Context, c *Cart) (Discounts, error) {
	r := DiscountRequest{Currency: c.Currency, Lines: make([]DiscountLine, len(c.Lines)), Shipping: money.New(0, c.Currency), CustomerID: c.CustomerID, OrderID: string(c.OrderID)}
	for i, l := range c.Lines {
		r.Lines[i] = DiscountLine{VariantID: l.VariantID, ProductID: l.ProductID, Categories: l.Categories, Quantity: l.Quantity, UnitPrice: l.UnitPrice}
	}
	if c.Method != nil {
		r.Shipping, r.ShippingMethod = c.Method.Price, c.Method.ID
	}
	for _, have := range c.Coupons {
		r.Codes = append(r.Codes, have.Code)
	}
	if c.Contact != nil {
		r.Mail = s.emailIndexes(c.Contact.Email)
	}
	d, err := s.promotions.Discounts(ctx, r)
	if err != nil || !d.NeedsFirstOrder {
		return d, err
	}
	ordered, err := s.orderedBefore(ctx, c.ID, r.CustomerID, r.Mail)
	if err != nil {
		return Discounts{}, err
	}
	first := !ordered
	r.FirstOrder = &first
	return s.promotions.Discounts(ctx, r)
}

// orderedBeforeSQL asks for orders of an account or a mail address that were not cancelled; those of the cart itself
// do not count.
const orderedBeforeSQL = `
select exists (
    select from orders.orders
    where customer_id = nullif($2, '') and status <> 'cancelled' and cart_id <> $1
) or exists (
    select from orders.orders
    where email_index = any($3::bytea[]) and status <> 'cancelled' and cart_id <> $1
)`

func (s *Service) orderedBefore(ctx context.Context, cart CartID, customerID string, mail [][]byte) (before bool, err error) {
	if err := s.db.QueryRow(ctx, orderedBeforeSQL, cart, customerID, mail).Scan(&before); err != nil {
		return false, fmt.Errorf("look for orders before cart %s: %w", cart, err)
	}
	return before, nil
}

func (s *Service) emailIndexes(email string) [][]byte {
	return s.sealer.BlindIndexes("email|" + strings.ToLower(email))
}

// take writes into the cart what promotions take off it; the sums follow from it.
func (c *Cart) take(d Discounts) {
	for i := range c.Lines {
		c.Lines[i].Discount = d.Lines[i]
	}
	c.Promotions = make([]AppliedPromotion, len(d.Applied))
	for i, a := range d.Applied {
		c.Promotions[i] = a.AppliedPromotion
	}
	coupons := make([]Coupon, len(c.Coupons))
	for i, have := range c.Coupons {
		coupons[i] = Coupon{Code: have.Code, Applied: true}
		if j := slices.IndexFunc(d.Refused, func(r RefusedCoupon) bool { return r.Code == have.Code }); j >= 0 {
			reason := d.Refused[j].Reason
			coupons[i] = Coupon{Code: have.Code, Title: d.Refused[j].Title, Reason: reason, Detail: refusal(reason)}
		} else if j := slices.IndexFunc(d.Applied, func(a Discount) bool { return a.Code == have.Code }); j >= 0 {
			coupons[i].Title = d.Applied[j].Title
		}
	}
	c.Coupons = coupons
}

// shippingCost is what sending the cart costs after promotions.
func (c *Cart) shippingCost() money.Amount {
	if c.Method == nil {
		return money.New(0, c.Currency)
	}
	cost := c.Method.Price
	for _, p := range c.Promotions {
		cost = cost.Sub(p.Shipping)
	}
	return cost
}

// stillDiscounted checks that promotions take off the cart now what the shopper was shown, and returns the uses to be
// claimed. The errors are ErrCouponExhausted for a code that others used up meanwhile, and ErrPriceChanged.
func (s *Service) stillDiscounted(ctx context.Context, c *storedCart) ([]Claim, error) {
	d, err := s.discounts(ctx, &c.Cart)
	if err != nil {
		return nil, err
	}
	var claims []Claim
	now := make([]AppliedPromotion, len(d.Applied))
	for i, a := range d.Applied {
		now[i] = a.AppliedPromotion
		now[i].Version, now[i].Title = 0, ""
		if a.Limited {
			claims = append(claims, Claim{PromotionID: a.PromotionID, Code: a.Code})
		}
	}
	shown := slices.Clone(c.Promotions)
	for i := range shown {
		shown[i].Version, shown[i].Title = 0, ""
	}
	if slices.Equal(shown, now) && sameDiscounts(c.Lines, d.Lines) {
		return claims, nil
	}
	var changed []errs.Field
	for _, have := range c.Coupons {
		reason, refused := d.refused(have.Code)
		if !have.Applied || !refused {
			continue
		}
		if reason == "used_up" {
			return nil, ErrCouponExhausted
		}
		changed = append(changed, errs.Field{Pointer: "/coupons/" + have.Code, Code: "price_changed", Detail: refusal(reason)})
	}
	return nil, ErrPriceChanged.WithDetail("What promotions take off has changed. Look at the cart again.").WithFields(changed...)
}

func sameDiscounts(lines []CartLine, discounts []money.Amount) bool {
	return slices.EqualFunc(lines, discounts, func(l CartLine, d money.Amount) bool { return l.Discount == d })
}

// redeem claims the uses for the order.
func (s *Service) redeem(ctx context.Context, o *Order, claims []Claim) error {
	if len(claims) == 0 {
		return nil
	}
	return s.promotions.Redeem(ctx, string(o.ID), claims, o.CustomerID, s.emailIndexes(o.Contact.Email), s.ttl+holdMargin)
}

// unredeem gives the uses of an order that will not be delivered back at once. When it cannot, the event of the
// cancelled order or the completer does.
func (s *Service) unredeem(ctx context.Context, id ID) {
	if err := s.promotions.Release(context.WithoutCancel(ctx), string(id)); err != nil {
		s.log.WarnContext(ctx, "uses of promotions stay claimed until their time ends", "order_id", id, "error", err)
	}
}

// endClaims ends claims that nobody came back to: those of orders that were never written or are cancelled are given
// back, those of paid ones are kept for good, and those of orders that wait are looked at again later.
func (s *Service) endClaims(ctx context.Context) error {
	claimed, err := s.promotions.ExpiredClaims(ctx, completerBatch)
	if err != nil || len(claimed) == 0 {
		return err
	}
	states, err := s.states(ctx, claimed)
	if err != nil {
		return fmt.Errorf("read the states of orders: %w", err)
	}
	var dead, waiting, paid []string
	for _, id := range claimed {
		switch states[id] {
		case "", Cancelled:
			dead = append(dead, id)
		case PendingPayment:
			waiting = append(waiting, id)
		default:
			paid = append(paid, id)
		}
	}
	if len(dead) > 0 {
		if err := s.promotions.Release(ctx, dead...); err != nil {
			return err
		}
	}
	if len(paid) > 0 {
		if err := s.promotions.Confirm(ctx, paid...); err != nil {
			return err
		}
	}
	if len(waiting) > 0 {
		return s.promotions.Prolong(ctx, max(s.ttl, time.Minute), waiting...)
	}
	return nil
}

// promotionFacts is what events of o say of its promotions.
func (o *Order) promotionFacts() []events.OrderPromotion {
	var facts []events.OrderPromotion
	for _, p := range o.Promotions {
		facts = append(facts, events.OrderPromotion{PromotionID: p.PromotionID, Code: p.Code, Discount: p.Discount.Add(p.Shipping)})
	}
	return facts
}
