package searchtest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/catalog/search"
)

// testNear: when few products meet all words, those follow that miss one, but never what sort of product is wanted.
func testNear(t *testing.T, e search.Engine) {
	t.Run("what meets all words comes first, then what misses one", func(t *testing.T) {
		r := found(t, e, search.Query{Text: "red luma jacket"})
		got := ids(r.Items)
		require.Equal(t, "jupiter", got[0])
		require.Equal(t, 1, r.Matching)
		require.Contains(t, got, "montana", "a jacket, but not by Luma")
		require.NotContains(t, got, "fusion", "red and by Luma, but no jacket")
		require.Equal(t, len(got), r.Total)
	})
	t.Run("a single word is met or not", func(t *testing.T) {
		r := found(t, e, search.Query{Text: "montana"})
		require.Equal(t, []string{"montana"}, ids(r.Items))
		require.Equal(t, 1, r.Matching)
	})
	t.Run("a filter does not change what is near", func(t *testing.T) {
		whole := found(t, e, search.Query{Text: "red luma jacket", Limit: search.MaxLimit})
		filtered := found(t, e, search.Query{Text: "red luma jacket", PriceMax: pointer(5000), Limit: search.MaxLimit})
		require.NotEmpty(t, filtered.Items)
		require.Subset(t, ids(whole.Items), ids(filtered.Items))
		require.Zero(t, filtered.Matching)
	})
	t.Run("without a text everything matches", func(t *testing.T) {
		r := found(t, e, search.Query{})
		require.Equal(t, r.Total, r.Matching)
	})
}

func testSynonyms(t *testing.T, e search.Engine) {
	own := search.NewSynonyms([]search.Synonym{
		{Words: []string{"rucksack", "backpack"}},
		{Words: []string{"hydration gear"}, To: []string{"water bottle"}},
		{Words: []string{"timepiece"}, To: []string{"watch"}},
		{Words: []string{"", "a b c d e"}, To: []string{"joust"}},
	})
	with := func(text string) []string {
		r := found(t, e, search.Query{Text: text, Synonyms: own})
		return ids(r.Items)[:r.Matching]
	}
	t.Run("a word is met by another", func(t *testing.T) {
		require.Empty(t, found(t, e, search.Query{Text: "rucksack"}).Items)
		require.ElementsMatch(t, []string{"fusion", "crown"}, with("rucksack"))
		require.Equal(t, []string{"fusion"}, with("red rucksacks"), "in the plural, beside other words")
	})
	t.Run("one way only", func(t *testing.T) {
		require.ElementsMatch(t, []string{"dash", "didi"}, with("timepiece"))
		require.NotContains(t, with("watch"), "timepiece")
	})
	t.Run("an expression is met by another", func(t *testing.T) {
		require.Equal(t, []string{"fusion"}, with("hydration gear"))
	})
	t.Run("the two spellings of English are one", func(t *testing.T) {
		require.Equal(t, []string{"cable183"}, ids(found(t, e, search.Query{Text: "gray network cable"}).Items)[:1])
	})
	t.Run("following pages keep them", func(t *testing.T) {
		q := search.Query{Text: "rucksack", Synonyms: own, Limit: 1}
		first := found(t, e, q)
		q.After = first.Next
		require.Equal(t, []string{"fusion", "crown"}, append(ids(first.Items), ids(found(t, e, q).Items)...))
	})
}

// testPieces: parts of titles are found however they are separated and wherever they end.
func testPieces(t *testing.T, e search.Engine) {
	cases := map[string]string{
		"lexmark c522":          "toner", // the beginning of a number
		"lexmark c 5220 ks":     "toner",
		"lexmark c-5220-ks":     "toner",
		"cartridgec5220ks":      "toner",
		"balance board 2x4":     "board",
		"crown summit back":     "crown",
		"all weather trainer":   "jupiter",
		"external hard drive 1": "disk1",
		"bluetoothspeaker":      "speaker",
	}
	for text, want := range cases {
		t.Run(text, func(t *testing.T) {
			require.Equal(t, want, ids(found(t, e, search.Query{Text: text}).Items)[0])
		})
	}
}

// testLimits: what is asked with too much, or with bounds that cannot be, is answered like anything else.
func testLimits(t *testing.T, e search.Engine) {
	many := make([]string, 0, 100)
	for range 99 {
		many = append(many, strings.Repeat("x", len(many)+1))
	}
	queries := map[string]struct {
		query search.Query
		total int
	}{
		"a hundred values of a facet":    {search.Query{Facets: map[string][]string{"Colour": append(many, "Orange")}}, 1},
		"a facet that nothing has":       {search.Query{Facets: map[string][]string{"Nothing": {"x"}}}, 0},
		"a value that is an expression":  {search.Query{Facets: map[string][]string{"Colour": {".*", "Red|Blue"}}}, 0},
		"a name that is an expression":   {search.Query{Facets: map[string][]string{"Col.*": {"Red"}}}, 0},
		"prices below zero":              {search.Query{PriceMin: pointer(-100), PriceMax: pointer(-1)}, 0},
		"a price from below zero":        {search.Query{PriceMin: pointer(-100), PriceMax: pointer(1000)}, 2},
		"prices upside down":             {search.Query{PriceMin: pointer(5000), PriceMax: pointer(100)}, 0},
		"the largest prices":             {search.Query{PriceMin: pointer(-1 << 63), PriceMax: pointer(1<<63 - 1)}, len(products)},
		"a category that nobody made":    {search.Query{CategoryID: "cat_' OR 1=1 --"}, 0},
		"a facet with a separator of us": {search.Query{Facets: map[string][]string{"Colour\x1fRed": {"x"}}}, 0},
	}
	for name, c := range queries {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.total, found(t, e, c.query).Total)
		})
	}
}
