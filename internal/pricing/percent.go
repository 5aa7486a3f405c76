package pricing

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Percent counts hundredths of a percent: 1250 is 12.5 %. In JSON it is the number of percent, 12.5, with at most two
// decimals; no float comes near it.
type Percent int64

const hundredPercent Percent = 100_00

// String is the number of percent, such as "12.5".
func (p Percent) String() string {
	if p%100 == 0 {
		return strconv.FormatInt(int64(p/100), 10)
	}
	return strings.TrimRight(fmt.Sprintf("%d.%02d", p/100, p%100), "0")
}

// MarshalJSON writes the number of percent.
func (p Percent) MarshalJSON() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalJSON reads a number of percent with at most two decimals.
func (p *Percent) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		return nil
	}
	whole, decimals, _ := strings.Cut(string(text), ".")
	decimals = strings.TrimRight(decimals, "0")
	if len(decimals) > 2 {
		return fmt.Errorf("%s has more than two decimals", text)
	}
	n, err := strconv.ParseInt(whole+decimals+strings.Repeat("0", 2-len(decimals)), 10, 64)
	if err != nil {
		return fmt.Errorf("%s is not a percentage", text)
	}
	*p = Percent(n)
	return nil
}

// Schema describes the number.
func (Percent) Schema(huma.Registry) *huma.Schema {
	least, most := 0.0, 100.0
	return &huma.Schema{Type: huma.TypeNumber, Minimum: &least, Maximum: &most, Description: "Percent, with at most two decimals.", Examples: []any{12.5}}
}
