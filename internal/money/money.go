// Package money is integer money: an amount in minor units of a currency. No float comes near it.
package money

import (
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// Currency is an ISO 4217 code in upper case, such as "EUR".
type Currency string

// Amount is a sum of money. Minor counts the smallest unit of the currency by its ISO 4217 exponent: cents of a
// euro, yen, thousandths of a Kuwaiti dinar.
type Amount struct {
	Minor    int64    `json:"amount" doc:"Minor units of the ISO 4217 exponent: 1999 is EUR 19.99, JPY 1999, KWD 1.999." example:"1999"`
	Currency Currency `json:"currency" doc:"ISO 4217 code." example:"EUR" pattern:"^[A-Z]{3}$"`
}

// MaxMinor is the largest sum shopd handles. It keeps every product of a price and a quantity, and every sum of
// a cart, far away from overflow.
const MaxMinor = 1_000_000_000_000

// exponents lists the ISO 4217 currencies whose exponent is not 2 and the common ones whose is.
var exponents = map[Currency]int{
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0,
	"UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
}

// twoDigit are the ISO 4217 currencies with exponent 2.
const twoDigit = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE " +
	"CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP " +
	"LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR " +
	"SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG"

func init() { //nolint:gochecknoinits // completes a table that is never written again
	for c := range strings.FieldsSeq(twoDigit) {
		exponents[Currency(c)] = 2
	}
}

// Known reports whether c is a currency of ISO 4217 that money is kept in.
func (c Currency) Known() bool {
	_, ok := exponents[c]
	return ok
}

// Exponent is the number of decimals of c; 2 for a currency that is not Known.
func (c Currency) Exponent() int {
	if e, ok := exponents[c]; ok {
		return e
	}
	return 2
}

// New returns minor units of currency.
func New(minor int64, currency Currency) Amount { return Amount{Minor: minor, Currency: currency} }

// Check returns an error unless a is between zero and MaxMinor in a known currency: what a price may be.
func (a Amount) Check() error {
	if !a.Currency.Known() {
		return fmt.Errorf("currency %q is not in ISO 4217", string(a.Currency))
	}
	if a.Minor < 0 || a.Minor > MaxMinor {
		return fmt.Errorf("amount %d is outside 0 to %d", a.Minor, int64(MaxMinor))
	}
	return nil
}

// Add returns a + b. Both must be of one currency: adding different ones is a fault of the program and panics.
func (a Amount) Add(b Amount) Amount {
	if a.Currency != b.Currency {
		panic(fmt.Sprintf("money: add %s to %s", b.Currency, a.Currency))
	}
	return Amount{Minor: a.Minor + b.Minor, Currency: a.Currency}
}

// Sub returns a − b, under the rule of Add.
func (a Amount) Sub(b Amount) Amount { return a.Add(Amount{Minor: -b.Minor, Currency: b.Currency}) }

// Times returns a × n.
func (a Amount) Times(n int64) Amount { return Amount{Minor: a.Minor * n, Currency: a.Currency} }

// IsZero reports whether the sum is nothing.
func (a Amount) IsZero() bool { return a.Minor == 0 }

// Share returns a × num / den, rounded half away from zero. den must be positive.
func (a Amount) Share(num, den int64) Amount {
	return Amount{Minor: mulDivRound(a.Minor, num, den), Currency: a.Currency}
}

// mulDivRound computes x × num / den in 128 bits, rounded half away from zero.
func mulDivRound(x, num, den int64) int64 {
	negative := (x < 0) != (num < 0)
	hi, lo := bits.Mul64(abs(x), abs(num))
	lo, carry := bits.Add64(lo, uint64(den)/2, 0)
	hi += carry
	if hi >= uint64(den) {
		return math.MaxInt64 // beyond anything Check lets in
	}
	q, _ := bits.Div64(hi, lo, uint64(den))
	if negative {
		return -int64(q)
	}
	return int64(q)
}

func abs(x int64) uint64 {
	if x < 0 {
		return uint64(-x)
	}
	return uint64(x)
}

// Allocate splits a by weights so that the parts add up to a exactly: each gets its share rounded down, and the
// units that are left go one each to the largest remainders, the first of equals first. Weights must not be
// negative; when all are zero the first part gets everything.
func (a Amount) Allocate(weights []int64) []Amount {
	parts := make([]Amount, len(weights))
	if len(parts) == 0 {
		return parts
	}
	var total int64
	for _, w := range weights {
		total += w
	}
	if total == 0 {
		for i := range parts {
			parts[i].Currency = a.Currency
		}
		parts[0].Minor = a.Minor
		return parts
	}
	sign, whole := int64(1), abs(a.Minor)
	if a.Minor < 0 {
		sign = -1
	}
	remainders := make([]uint64, len(weights))
	var given uint64
	for i, w := range weights {
		hi, lo := bits.Mul64(whole, uint64(w))
		q, r := bits.Div64(hi, lo, uint64(total))
		parts[i] = Amount{Minor: sign * int64(q), Currency: a.Currency}
		remainders[i] = r
		given += q
	}
	for left := whole - given; left > 0; left-- {
		best := 0
		for i := range remainders {
			if remainders[i] > remainders[best] {
				best = i
			}
		}
		parts[best].Minor += sign
		remainders[best] = 0
	}
	return parts
}

// Decimal is the amount in major units with the currency's decimals, such as "19.99".
func (a Amount) Decimal() string {
	e := a.Currency.Exponent()
	sign := ""
	if a.Minor < 0 {
		sign = "-"
	}
	digits := fmt.Sprintf("%0*d", e+1, abs(a.Minor))
	if e == 0 {
		return sign + digits
	}
	return sign + digits[:len(digits)-e] + "." + digits[len(digits)-e:]
}

// String is the currency and the decimal amount, such as "EUR 19.99".
func (a Amount) String() string { return string(a.Currency) + " " + a.Decimal() }

// ParseDecimal reads major units such as "19.99" or "1299". It refuses signs, exponents, thousands separators and
// more decimals than the currency has.
func ParseDecimal(s string, currency Currency) (Amount, error) {
	if !currency.Known() {
		return Amount{}, fmt.Errorf("currency %q is not in ISO 4217", string(currency))
	}
	e := currency.Exponent()
	major, minor, _ := strings.Cut(s, ".")
	trimmed := strings.TrimRight(minor, "0")
	if len(trimmed) > e {
		return Amount{}, fmt.Errorf("%q has more than the %d decimals of %s", s, e, currency)
	}
	digits := major + trimmed + strings.Repeat("0", e-len(trimmed))
	if major == "" || len(digits) > 15 {
		return Amount{}, fmt.Errorf("%q is not an amount of money", s)
	}
	var v int64
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return Amount{}, fmt.Errorf("%q is not an amount of money", s)
		}
		v = v*10 + int64(c-'0')
	}
	a := Amount{Minor: v, Currency: currency}
	return a, a.Check()
}
