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
	Source    string        `json:"source"`                     // list, import, admin, rule or model
	ValidFrom time.Time     `json:"valid_from"`
	Version   int64         `json:"version"` // grows with every price of the variant in this currency
}

// Type is pricing.price_changed.v1.
func (PriceChanged) Type() string { return "pricing.price_changed.v1" }

// Aggregate is the variant's price in one currency: "var_…/EUR".
func (e PriceChanged) Aggregate() (string, int64) {
	return e.VariantID + "/" + string(e.Price.Currency), e.Version
}
