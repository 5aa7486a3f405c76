package events

import (
	"time"

	"shopd/internal/money"
)

// PriceChanged says what a variant costs from now on in one currency.
type PriceChanged struct {
	VariantID string        `json:"variant_id"`
	SKU       string        `json:"sku"`
	Price     money.Amount  `json:"price"`
	CompareAt *money.Amount `json:"compare_at_price,omitempty"` // what it is compared with where a reduction is shown
	// The lowest price of the 30 days before this one began; only where a reduction is shown and there was one.
	LowestBefore *money.Amount `json:"lowest_price_30_days,omitempty"`
	Source       string        `json:"source"` // list, import, admin, rule or model
	ValidFrom    time.Time     `json:"valid_from"`
	Version      int64         `json:"version"` // grows with every price of the variant in this currency
}

// Type is pricing.price_changed.v1.
func (PriceChanged) Type() string { return "pricing.price_changed.v1" }

// Aggregate is the variant's price in one currency: "var_…/EUR".
func (e PriceChanged) Aggregate() (string, int64) {
	return e.VariantID + "/" + string(e.Price.Currency), e.Version
}

// PromotionChanged says that a member of staff made, replaced or deleted a promotion.
type PromotionChanged struct {
	PromotionID string `json:"promotion_id"`
	Change      string `json:"change"` // created, replaced or deleted
	Actor       string `json:"actor"`  // who did it, such as "staff:stf_…"
	Kind        string `json:"kind"`   // percentage, fixed_amount, free_shipping or buy_x_get_y
	Active      bool   `json:"active"`
	Version     int64  `json:"version"`
}

// Type is pricing.promotion_changed.v1.
func (PromotionChanged) Type() string { return "pricing.promotion_changed.v1" }

// Aggregate is the promotion.
func (e PromotionChanged) Aggregate() (string, int64) { return e.PromotionID, e.Version }
