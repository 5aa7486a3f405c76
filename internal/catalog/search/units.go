package search

import "strings"

// units maps how a unit is written to its canonical form.
var units = map[string]string{
	"mm": "mm", "millimeter": "mm", "millimetre": "mm", "millimeters": "mm", "millimetres": "mm",
	"cm": "cm", "centimeter": "cm", "centimetre": "cm", "centimeters": "cm", "centimetres": "cm",
	"m": "m", "meter": "m", "metre": "m", "meters": "m", "metres": "m",
	"km": "km", "inch": "in", "inches": "in", "ft": "ft", "foot": "ft", "feet": "ft",
	"g": "g", "gram": "g", "grams": "g", "kg": "kg", "kilo": "kg", "kilos": "kg", "lb": "lb", "lbs": "lb", "oz": "oz",
	"ml": "ml", "cl": "cl", "l": "l", "liter": "l", "litre": "l", "liters": "l", "litres": "l",
	"kb": "kb", "mb": "mb", "gb": "gb", "tb": "tb", "gigabyte": "gb", "gigabytes": "gb", "terabyte": "tb", "terabytes": "tb",
	"hz": "hz", "khz": "khz", "mhz": "mhz", "ghz": "ghz",
	"w": "w", "watt": "w", "watts": "w", "kw": "kw", "v": "v", "volt": "v", "volts": "v",
	"ah": "ah", "mah": "mah", "mp": "mp", "megapixel": "mp", "megapixels": "mp", "dpi": "dpi",
}

// attachedUnits are units only when they touch the number, because apart from it they are other words.
var attachedUnits = map[string]string{"in": "in", `"`: "in", "''": "in", "'": "ft"}

// measure reads a size at the start of chunk+rest: "29\"", "1 TB", "10-metre", "2 x 4". It returns the text after it.
func measure(chunk, rest string) (token, string, bool) {
	n := numberLen(chunk)
	if n == 0 {
		return token{}, rest, false
	}
	digits, tail := canonicalNumber(chunk[:n]), chunk[n:]
	if tail != "" {
		t, ok := attached(chunk, digits, tail)
		return t, rest, ok
	}
	for _, sign := range []string{"''", `"`, "'"} {
		if left, ok := strings.CutPrefix(rest, sign); ok {
			return sized(chunk+sign, digits, attachedUnits[sign]), left, true
		}
	}
	if t, left, ok := spaced(chunk, digits, rest); ok {
		return t, left, true
	}
	return token{surface: chunk, whole: digits, kind: number}, rest, true
}

// attached reads what touches the number: a unit, or the second side of "2x4".
func attached(chunk, digits, tail string) (token, bool) {
	unit := strings.TrimLeft(tail, "-.")
	if u, ok := units[unit]; ok {
		return sized(chunk, digits, u), true
	}
	if u, ok := attachedUnits[unit]; ok {
		return sized(chunk, digits, u), true
	}
	if isDimensions(chunk) {
		return token{surface: chunk, whole: chunk, kind: size}, true
	}
	return token{}, false
}

// spaced reads the unit, or the second side, that follows the number after one space.
func spaced(chunk, digits, rest string) (token, string, bool) {
	after, ok := strings.CutPrefix(rest, " ")
	if !ok {
		return token{}, "", false
	}
	next := after[:chunkEnd(after)]
	if u, ok := units[next]; ok {
		return sized(chunk+" "+next, digits, u), after[len(next):], true
	}
	if side, ok := strings.CutPrefix(after, "x "); ok {
		second := side[:chunkEnd(side)]
		if numberLen(second) == len(second) && second != "" {
			whole := digits + "x" + canonicalNumber(second)
			return token{surface: whole, whole: whole, kind: size}, side[len(second):], true
		}
	}
	return token{}, "", false
}

func sized(surface, digits, unit string) token {
	return token{surface: surface, whole: digits + unit, parts: []string{digits}, kind: size}
}

// numberLen is the length of the decimal number at the start of s.
func numberLen(s string) int {
	i := 0
	for i < len(s) && (isDigit(s[i]) || i > 0 && i+1 < len(s) && (s[i] == '.' || s[i] == ',') && isDigit(s[i-1]) && isDigit(s[i+1])) {
		i++
	}
	return i
}

// canonicalNumber removes thousands separators and makes the decimal sign a point: "1,000" is "1000", "1,5" is "1.5".
func canonicalNumber(s string) string {
	i := strings.IndexByte(s, ',')
	switch {
	case i < 0:
		return s
	case len(s)-i-1 == 3 && strings.Count(s, ",") == 1 || strings.Count(s, ",") > 1:
		return strings.ReplaceAll(s, ",", "")
	default:
		return strings.Replace(s, ",", ".", 1)
	}
}

// isDimensions is true for numbers joined by x: "2x4", "1920x1080".
func isDimensions(s string) bool {
	sides := strings.Split(s, "x")
	if len(sides) < 2 {
		return false
	}
	for _, side := range sides {
		if side == "" || numberLen(side) != len(side) {
			return false
		}
	}
	return true
}
