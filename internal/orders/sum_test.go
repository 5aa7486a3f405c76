package orders

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"shopd/internal/money"
)

// anyTax adds or contains a share of each line, as it was drawn.
type anyTax struct {
	Pricing
	rate     int64
	included bool
}

func (p anyTax) Tax(_ context.Context, r TaxRequest) (Tax, error) {
	t := Tax{Lines: make([]money.Amount, len(r.Lines)), Included: money.New(0, r.Currency)}
	for i, l := range r.Lines {
		t.Lines[i] = money.New(0, r.Currency)
		if p.included {
			t.Included = t.Included.Add(l.Share(p.rate, 1_000_000+p.rate))
		} else {
			t.Lines[i] = l.Share(p.rate, 1_000_000)
		}
	}
	return t, nil
}

func TestCartAndOrderAddUpWhateverPromotionsTakeOff(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		currency := rapid.SampledFrom([]money.Currency{"EUR", "JPY", "KWD"}).Draw(t, "currency")
		s := &Service{pricing: anyTax{rate: rapid.Int64Range(0, 1_000_000).Draw(t, "rate"), included: rapid.Bool().Draw(t, "included")}}
		s.now = func() time.Time { return time.Time{} }
		c := &storedCart{Cart: Cart{Currency: currency, Contact: &Contact{}, Method: &ShippingMethod{Price: money.New(rapid.Int64Range(0, 5000).Draw(t, "shipping"), currency)}}}
		d := Discounts{}
		promotion := AppliedPromotion{Discount: money.New(0, currency), Shipping: money.New(rapid.Int64Range(0, c.Method.Price.Minor).Draw(t, "off shipping"), currency)}
		for range rapid.IntRange(1, 8).Draw(t, "lines") {
			l := CartLine{Quantity: rapid.IntRange(1, 99).Draw(t, "quantity"), UnitPrice: money.New(rapid.Int64Range(0, 100_000).Draw(t, "price"), currency)}
			off := money.New(rapid.Int64Range(0, l.UnitPrice.Minor*int64(l.Quantity)).Draw(t, "off"), currency)
			c.Lines, d.Lines = append(c.Lines, l), append(d.Lines, off)
			promotion.Discount = promotion.Discount.Add(off)
		}
		d.Applied = []Discount{{AppliedPromotion: promotion}}
		c.take(d)
		require.NoError(t, s.sum(t.Context(), &c.Cart))
		o, err := s.draw(t.Context(), c)
		require.NoError(t, err, "what is ordered is what the cart said")
		require.Equal(t, c.Totals, o.Totals)
		var full, off, tax, total int64
		for _, l := range o.Lines {
			require.Equal(t, l.UnitPrice.Minor*int64(l.Quantity)-l.Discount.Minor+l.Tax.Minor, l.Total.Minor)
			full, off, tax, total = full+l.UnitPrice.Minor*int64(l.Quantity), off+l.Discount.Minor, tax+l.Tax.Minor, total+l.Total.Minor
		}
		require.Equal(t, promotion.Discount.Minor, off)
		require.Equal(t, off, o.Totals.Discount.Minor)
		require.Equal(t, c.Method.Price.Minor-promotion.Shipping.Minor, o.Totals.Shipping.Minor)
		require.Equal(t, full-off+tax+o.Totals.Shipping.Minor, o.Totals.Total.Minor)
		require.Equal(t, total+o.Totals.Shipping.Minor, o.Totals.Total.Minor)
		require.GreaterOrEqual(t, o.Totals.Total.Minor, int64(0))
	})
}
