package stripe

import (
	"fmt"
	"strings"

	"shopd/internal/money"
)

// hundredfold are the currencies without decimals that Stripe counts in hundredths all the same.
var hundredfold = map[money.Currency]bool{"ISK": true, "UGX": true}

// toStripe is the amount as Stripe counts it. The currencies with three decimals must end in 0 there.
func toStripe(a money.Amount) (minor int64, currency string, err error) {
	minor = a.Minor
	switch {
	case hundredfold[a.Currency]:
		minor *= 100
	case a.Currency.Exponent() == 3 && a.Minor%10 != 0:
		return 0, "", fmt.Errorf("stripe takes %s with two decimals only, and not %s", a.Currency, a)
	}
	return minor, strings.ToLower(string(a.Currency)), nil
}

// fromStripe is the inverse of toStripe.
func fromStripe(minor int64, currency string) money.Amount {
	code := money.Currency(strings.ToUpper(currency))
	if hundredfold[code] {
		minor /= 100
	}
	return money.New(minor, code)
}
