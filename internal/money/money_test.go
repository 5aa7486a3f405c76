package money_test

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"shopd/internal/money"
)

func TestParseDecimal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text     string
		currency money.Currency
		minor    int64
		wrong    bool
	}{
		{text: "19.99", currency: "EUR", minor: 1999},
		{text: "19.9", currency: "EUR", minor: 1990},
		{text: "19", currency: "EUR", minor: 1900},
		{text: "19.990", currency: "EUR", minor: 1999},
		{text: "1999", currency: "JPY", minor: 1999},
		{text: "1999.00", currency: "JPY", minor: 1999},
		{text: "1.234", currency: "KWD", minor: 1234},
		{text: "19.999", currency: "EUR", wrong: true},
		{text: "1.5", currency: "JPY", wrong: true},
		{text: "-1", currency: "EUR", wrong: true},
		{text: "1e3", currency: "EUR", wrong: true},
		{text: "1,000", currency: "EUR", wrong: true},
		{text: "", currency: "EUR", wrong: true},
		{text: ".5", currency: "EUR", wrong: true},
		{text: "99999999999999999999", currency: "EUR", wrong: true},
		{text: "1", currency: "XXX", wrong: true},
	} {
		t.Run(c.text+" "+string(c.currency), func(t *testing.T) {
			t.Parallel()
			a, err := money.ParseDecimal(c.text, c.currency)
			if c.wrong {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, money.New(c.minor, c.currency), a)
		})
	}
}

func TestDecimalReadsBackAsTheSameAmount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := money.New(rapid.Int64Range(0, money.MaxMinor).Draw(t, "minor"), rapid.SampledFrom([]money.Currency{"EUR", "JPY", "KWD"}).Draw(t, "currency"))
		back, err := money.ParseDecimal(a.Decimal(), a.Currency)
		require.NoError(t, err)
		require.Equal(t, a, back)
	})
}

func TestAllocatedPartsAddUpAndDifferByLessThanAUnit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := money.New(rapid.Int64Range(-money.MaxMinor, money.MaxMinor).Draw(t, "minor"), "EUR")
		weights := rapid.SliceOfN(rapid.Int64Range(0, 1_000_000), 1, 40).Draw(t, "weights")
		parts := a.Allocate(weights)
		var sum, total int64
		for i, p := range parts {
			sum += p.Minor
			total += weights[i]
			require.Equal(t, a.Currency, p.Currency)
		}
		require.Equal(t, a.Minor, sum)
		if total == 0 {
			return
		}
		for i, p := range parts {
			exact := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(a.Minor), big.NewInt(weights[i])), big.NewInt(total))
			off := new(big.Rat).Sub(new(big.Rat).SetInt64(p.Minor), exact)
			require.Negative(t, off.Abs(off).Cmp(big.NewRat(1, 1)), "part %d of %v", i, parts)
		}
	})
}

func TestShareRoundsHalfAwayFromZero(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ minor, num, den, want int64 }{
		{1000, 190_000, 1_190_000, 160}, // 159.66
		{5, 1, 2, 3}, {-5, 1, 2, -3}, {4, 1, 3, 1}, {1, 1, 3, 0}, {0, 7, 9, 0},
		{money.MaxMinor, 999_999, 1_000_000, 999_999_000_000},
	} {
		require.Equal(t, c.want, money.New(c.minor, "EUR").Share(c.num, c.den).Minor, "%d × %d / %d", c.minor, c.num, c.den)
	}
}

func TestAddRefusesDifferentCurrencies(t *testing.T) {
	t.Parallel()
	require.Panics(t, func() { money.New(1, "EUR").Add(money.New(1, "USD")) })
}

func TestCheck(t *testing.T) {
	t.Parallel()
	require.NoError(t, money.New(0, "EUR").Check())
	require.NoError(t, money.New(money.MaxMinor, "JPY").Check())
	require.Error(t, money.New(-1, "EUR").Check())
	require.Error(t, money.New(money.MaxMinor+1, "EUR").Check())
	require.Error(t, money.New(1, "XXX").Check())
}
