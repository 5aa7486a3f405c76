package pricing

import (
	"shopd/internal/money"
)

// TaxRequest asks for the tax of a purchase. Amounts are after discounts, all in Currency.
type TaxRequest struct {
	Currency money.Currency
	Country  string
	Region   string
	Lines    []money.Amount
	Shipping money.Amount
}

// Tax is what a purchase is taxed with. Where prices include it, Lines are zero and Included is what the prices
// contain; elsewhere Lines are to be added.
type Tax struct {
	Lines    []money.Amount // of each line, to be added
	Included money.Amount   // of lines and shipping, contained
}

// class of goods that has a country's usual rate.
const standard = "standard"

// million is the unit of rates.
const million = 1_000_000

type place struct{ country, region, class string }

// rates is the tax table in memory.
type rates struct {
	rate      map[place]int64
	inclusive map[money.Currency]bool
}

// of returns the rate in millionths: the region's, else the country's, else nothing.
func (t *rates) of(country, region string) int64 {
	if r, ok := t.rate[place{country, region, standard}]; ok {
		return r
	}
	return t.rate[place{country, "", standard}]
}

// tax computes each line by itself, rounded half up, so that every line of an invoice can be checked.
// Where prices include tax, tax = price × rate / (1 + rate), also of shipping; elsewhere shipping is not taxed.
func (t *rates) tax(r TaxRequest) Tax {
	rate := t.of(r.Country, r.Region)
	result := Tax{Lines: make([]money.Amount, len(r.Lines)), Included: money.New(0, r.Currency)}
	inclusive := t.inclusive[r.Currency]
	for i, line := range r.Lines {
		result.Lines[i] = money.New(0, r.Currency)
		if inclusive {
			result.Included = result.Included.Add(line.Share(rate, million+rate))
		} else {
			result.Lines[i] = line.Share(rate, million)
		}
	}
	if inclusive {
		result.Included = result.Included.Add(r.Shipping.Share(rate, million+rate))
	}
	return result
}
