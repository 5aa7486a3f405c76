package storefront

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"shopd/internal/money"
	"shopd/internal/orders"
)

// symbols are the signs of common currencies that an English reader knows; the others show their code.
var symbols = map[money.Currency]string{
	"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CAD": "CA$", "AUD": "A$", "NZD": "NZ$", "INR": "₹", "KRW": "₩",
	"BRL": "R$", "MXN": "MX$", "ILS": "₪", "PHP": "₱", "VND": "₫", "TWD": "NT$", "HKD": "HK$",
}

// price writes a sum as an English reader expects it: "$1,299.00", "CHF 12.50", "−€3.00".
func price(a money.Amount) string {
	decimal, negative := strings.CutPrefix(a.Decimal(), "-")
	major, minor, _ := strings.Cut(decimal, ".")
	var b strings.Builder
	if negative {
		b.WriteString("−")
	}
	if symbol, ok := symbols[a.Currency]; ok {
		b.WriteString(symbol)
	} else {
		b.WriteString(string(a.Currency) + "\u00a0")
	}
	for i, digit := range major {
		if i > 0 && (len(major)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	if minor != "" {
		b.WriteString("." + minor)
	}
	return b.String()
}

// percentOff is how much cheaper now is than before, in whole per cent rounded down; 0 when it is not.
func percentOff(now money.Amount, before *money.Amount) int64 {
	if before == nil || before.Currency != now.Currency || before.Minor <= now.Minor {
		return 0
	}
	return (before.Minor - now.Minor) * 100 / before.Minor
}

// templateFuncs are the words that templates may use beside their own.
func templateFuncs(s site) template.FuncMap {
	return template.FuncMap{
		"asset":       func(name string) string { return s.Assets + "/" + name },
		"price":       price,
		"percentOff":  percentOff,
		"stars":       stars,
		"reviewStars": func(n int) template.HTML { return stars(float64(n)) },
		"icon":        iconFunc(s),
		"assetTags":   assetTags(s),
		"noPicture":   func() template.HTML { return emptyFrame },
		"rating":      func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) },
		"count":       count,
		"day":         func(t time.Time) string { return t.UTC().Format("2 Jan 2006") },
		"iso":         func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"thumb":       thumb,
		"country":     countryName,
		"path":        url.PathEscape,
		"dict":        dict,
		"lower":       strings.ToLower,
		"join":        strings.Join,
		"step":        func(a, b int) int { return a + b },
		"statusWord":  statusWord,
		"returnWord":  returnWord,
	}
}

// stars draws a rating. The style sheet knows eleven widths, from none to ten half stars.
func stars(average float64) template.HTML {
	average = min(max(average, 0), 5)
	return template.HTML(`<span class="stars" role="img" aria-label="` + strconv.FormatFloat(average, 'f', 1, 64) + //nolint:gosec // digits only
		` out of 5 stars" data-half="` + strconv.Itoa(int(math.Round(average*2))) + `"></span>`)
}

// iconFunc draws an icon of the sprite, as a decoration beside words.
func iconFunc(s site) func(string) template.HTML {
	return func(name string) template.HTML {
		return template.HTML(`<svg class="icon" aria-hidden="true" focusable="false"><use href="` + s.Assets + "/icons.svg#" + name + `"></use></svg>`) //nolint:gosec // names of icons stand in the templates
	}
}

// assetTags are the elements that load style sheet, fonts and scripts. They are the same on every page.
func assetTags(s site) func() template.HTML {
	tags := strings.ReplaceAll(`<link rel="icon" type="image/svg+xml" href="@/icon.svg">
<link rel="preload" as="font" type="font/woff2" href="@/fonts/bricolage.woff2" crossorigin>
<link rel="preload" as="font" type="font/woff2" href="@/fonts/instrument.woff2" crossorigin>
<link rel="stylesheet" href="@/shop.css">
<script src="@/js/theme.js"></script>
<script type="module" src="@/js/shop.js"></script>`, "@", s.Assets)
	return func() template.HTML { return template.HTML(tags) } //nolint:gosec // a constant and a hash
}

// count writes a number with its noun: "1 review", "1,204 reviews".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// dict builds the arguments of a partial template that needs several.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: %d arguments are not pairs", len(pairs))
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: key %v is not a string", pairs[i])
		}
		m[key] = pairs[i+1]
	}
	return m, nil
}

// statusWord is what a shopper is told about the state of an order.
func statusWord(status orders.Status) string {
	switch status {
	case orders.PendingPayment:
		return "Waiting for payment"
	case orders.Paid:
		return "Paid"
	case orders.PartiallyFulfilled:
		return "Partly sent"
	case orders.Fulfilled:
		return "Sent"
	case orders.Completed:
		return "Delivered"
	case orders.Cancelled:
		return "Cancelled"
	}
	return string(status)
}
