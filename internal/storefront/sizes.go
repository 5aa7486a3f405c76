package storefront

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// letterSizes are the sizes of clothes from small to large.
var letterSizes = []string{"XXS", "XS", "S", "M", "L", "XL", "XXL", "3XL", "4XL"}

// compareSizes puts letters before numbers, each from small to large, and everything else behind in its order.
func compareSizes(a, b string) int {
	groupA, rankA := sizeRank(a)
	groupB, rankB := sizeRank(b)
	return cmp.Or(cmp.Compare(groupA, groupB), cmp.Compare(rankA, rankB))
}

func sizeRank(size string) (group int, rank float64) {
	if i := slices.Index(letterSizes, strings.ToUpper(size)); i >= 0 {
		return 0, float64(i)
	}
	number, _, _ := strings.Cut(size, " ")
	if n, err := strconv.ParseFloat(number, 64); err == nil {
		return 1, n
	}
	return 2, 0
}
