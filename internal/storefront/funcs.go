package storefront

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"shopd/internal/catalog"
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
		"asset":      func(name string) string { return s.Assets + "/" + name },
		"price":      price,
		"percentOff": percentOff,
		"stars":      stars,
		"rating":     func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) },
		"count":      count,
		"day":        func(t time.Time) string { return t.UTC().Format("2 Jan 2006") },
		"iso":        func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"card":       newCard,
		"thumb":      thumb,
		"country":    countryName,
		"path":       url.PathEscape,
		"dict":       dict,
		"lower":      strings.ToLower,
		"join":       strings.Join,
		"step":       func(a, b int) int { return a + b },
		"statusWord": statusWord,
	}
}

// stars is a rating in half stars from 0 to 10, the form in which the style sheet draws it.
func stars(average float64) int { return int(math.Round(min(max(average, 0), 5) * 2)) }

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

// card is a product in a list.
type card struct {
	catalog.ListItem
	Picture *picture
}

func newCard(item catalog.ListItem) card {
	return card{ListItem: item, Picture: newPicture(item.Image, item.Title, sizesCard)}
}

// FromPrice reports whether the variants differ in price.
func (c card) FromPrice() bool { return c.PriceMax.Minor > c.Price.Minor }

// thumb is the small picture of a line of a cart or an order, which knows only its address.
func thumb(url, alt string) *picture {
	p := newPicture(&catalog.Image{URL: url}, alt, sizesThumb)
	if p != nil {
		p.Cutout = true // not known here, and hardly seen on a photograph this small
	}
	return p
}

func cards(items []catalog.ListItem) []card {
	out := make([]card, len(items))
	for i, item := range items {
		out[i] = newCard(item)
	}
	return out
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
