package storefront

import "strings"

// swatches are the colours that colour names of products stand for.
var swatches = map[string]string{
	"black": "#1b1b1d", "blue": "#2f62c9", "brown": "#7a4f2e", "gray": "#8b9095", "grey": "#8b9095", "green": "#2f8f57",
	"lavender": "#b9a5e0", "orange": "#ee7c2b", "pink": "#ec7fa9", "purple": "#6f46b3", "red": "#cf2f35", "white": "#ffffff",
	"yellow": "#f3c735", "beige": "#d9c6a5", "navy": "#1f2f57", "teal": "#177e7e", "silver": "#c3c7cc", "gold": "#c9a227",
	"wood": "#b98b5e", "turquoise": "#35bfb5", "mint": "#9fdcc0", "cream": "#f3ead8", "khaki": "#a49a6c", "burgundy": "#6d1f31",
	"mustard": "#d3a122",
}

// isColourOption reports whether the values of an option or facet are colours.
func isColourOption(name string) bool {
	return strings.EqualFold(name, "colour") || strings.EqualFold(name, "color")
}

// swatch is the colour that a name stands for, empty when it stands for none that can be drawn.
func swatch(name string) string { return swatches[strings.ToLower(name)] }
