// Package pricing knows what every variant costs in each currency, now and ever, and what tax is.
package pricing

import (
	"time"

	"shopd/internal/money"
	"shopd/internal/platform/errs"
)

// Source says who made a price.
type Source string

// The sources of prices.
const (
	List   Source = "list"
	Import Source = "import"
	Admin  Source = "admin"
	Rule   Source = "rule"
	Model  Source = "model"
)

// Price is what a variant costs in one currency.
type Price struct {
	VariantID string
	SKU       string
	Amount    money.Amount
	CompareAt *money.Amount // what it is compared with where a reduction is shown; nil without one
	// LowestBefore is the lowest price that held in the 30 days before this one began, which the European Union wants to
	// be told beside every reduction. Nil without a reduction, and where this is the first price.
	LowestBefore *money.Amount
	Version      int64 // grows with every price of the variant in this currency
}

// Change is a price to be set.
type Change struct {
	VariantID string
	SKU       string
	Amount    money.Amount
	CompareAt *money.Amount
	Source    Source
	Reason    string
}

// Record is one entry of a price's history. ValidTo is nil for the price that holds.
type Record struct {
	Price
	Source    Source
	Reason    string
	ValidFrom time.Time
	ValidTo   *time.Time
}

// ErrInvalidMoney refuses what cannot be a price.
var ErrInvalidMoney = errs.New(errs.Invalid, "invalid_money", "That is not an acceptable amount of money.")

func (c Change) check() error {
	if err := c.Amount.Check(); err != nil {
		return ErrInvalidMoney.WithDetail("The price of %s is not acceptable: %s.", c.SKU, err).
			WithFields(errs.Field{Pointer: "/price", Code: "invalid_money", Detail: err.Error()})
	}
	if c.CompareAt == nil {
		return nil
	}
	if c.CompareAt.Currency != c.Amount.Currency || c.CompareAt.Minor <= c.Amount.Minor || c.CompareAt.Check() != nil {
		return ErrInvalidMoney.WithDetail("The price that %s is compared with must be higher and in the same currency.", c.SKU).
			WithFields(errs.Field{Pointer: "/compare_at_price", Code: "invalid_money", Detail: "must be above the price"})
	}
	return nil
}
