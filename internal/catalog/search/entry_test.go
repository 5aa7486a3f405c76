package search_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"shopd/internal/catalog/search"
	"shopd/internal/platform/errs"
)

func TestTerms(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		title string
		want  string
	}{
		"words are stemmed": {"Running Jackets", "run jacket"},
		"accents go":        {"Crème BRÛLÉE Łódź", "creme brule lodz"},
		"letters without decomposition are folded": {"Straße Ærø", "strass aero"},
		"compatibility forms are resolved":         {"ﬁne ＡＢＣ ①", "fine abc 1"},
		"compounds are kept whole and in parts":    {"wi-fi T-shirt", "wifi wi fi tshirt t shirt"},
		"codes are kept whole and in parts":        {"24-MB01", "24mb01 24 mb 01"},
		"digits and letters are parted":            {"iPhone15", "iphone15 iphon 15"},
		"the possessive goes":                      {"Women's men’s", "women men"},
		"inches":                                   {`29" 29″ 29 inch 29-inch 29in`, "29in 29 29in 29 29in 29 29in 29 29in 29"},
		"units are joined to their number":         {"1 TB 1tb 1,83 m 10 metres", "1tb 1 1tb 1 1.83m 1.83 10m 10"},
		"in after a space is no unit":              {"10 in red", "10 in red"},
		"dimensions":                               {"2x4 2 x 4 2×4 1920x1080", "2x4 2x4 2x4 1920x1080"},
		"thousands and decimals":                   {"1,000 1,5 2.5 1,000,000", "1000 1.5 2.5 1000000"},
		"a sentence without spaces":                {"Bag.Big enough", "bagbig bag big enough"},
		"lists without spaces":                     {"red,blue", "red blue"},
		"ideographs and kana stand alone":          {"赤いバッグ", "赤 い バ ッ グ"},
		"emoji stand alone":                        {"Mug🎉🎈 ❤️", "mug 🎉 🎈 ❤"},
		"skin tones go":                            {"👍🏽", "👍"},
		"Hebrew points go":                         {"תִּיק", "תיק"},
		"Arabic vowels go":                         {"كِتَاب", "كتاب"},
		"Hindi keeps its vowels":                   {"हिन्दी", "हिन्दी"},
		"a number before a hyphen at the end":      {"220 -", "220"},
		"a number before a joiner":                 {"10 -20", "10 20"},
		"joiners alone":                            {"- / . ' & +", ""},
		"nothing":                                  {"", ""},
		"endless numbers are cut":                  {strings.Repeat("1", 1000), strings.Repeat("1", 64)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := search.NewEntry(&search.Document{ProductID: "p", Status: search.StatusActive, Title: c.title})
			require.NoError(t, err)
			require.Equal(t, c.want, strings.Join(e.Title, " "))
		})
	}
}

func TestEntry(t *testing.T) {
	t.Parallel()
	d := search.Document{
		ProductID: "prod_1", Version: 7, Status: search.StatusActive, Title: "Summit Pack", Brand: "Luma",
		Description: "A pack.", SKUs: []string{"24-MB 03"}, GTINs: []string{"0088698629123"},
		CategoryIDs: []string{"c1", "c0"}, CategoryNames: []string{"Bags", "Gear"},
		Attributes: map[string][]string{"Colour": {"Red", "", "Red"}},
	}
	e, err := search.NewEntry(&d)
	require.NoError(t, err)
	require.Equal(t, []string{"24mb03", "88698629123"}, e.Codes)
	require.Equal(t, []string{"Brand\x1fLuma", "Colour\x1fRed"}, e.Facets)
	require.Equal(t, []string{"c1\x1fBags", "c0\x1fGear"}, e.Categories)
	require.Equal(t, []string{"luma", "bag", "gear"}, e.Label)
	require.Equal(t, []string{"summit", "pack", "luma", "bags", "gear", "colour", "red"}, e.Vocabulary)
	require.Subset(t, e.Prefixes, []string{"s", "summit", "b", "bags"})
	require.NotContains(t, e.Prefixes, "red")
	require.Equal(t, "summit pack", e.SortTitle)

	t.Run("an attribute of the name of the brand facet replaces it", func(t *testing.T) {
		t.Parallel()
		d := d
		d.Attributes = map[string][]string{search.FacetBrand: {"Other"}}
		e, err := search.NewEntry(&d)
		require.NoError(t, err)
		require.Equal(t, []string{"Brand\x1fOther"}, e.Facets)
	})
	t.Run("of an inactive document only the version is kept", func(t *testing.T) {
		t.Parallel()
		d := d
		d.Status = "draft"
		e, err := search.NewEntry(&d)
		require.NoError(t, err)
		require.Equal(t, search.Tombstone(search.Ref{ProductID: "prod_1", Version: 7}), e)
	})
}

func TestEntryRefuses(t *testing.T) {
	t.Parallel()
	cases := map[string]func(d *search.Document){
		"/product_id":     func(d *search.Document) { d.ProductID = "" },
		"/version":        func(d *search.Document) { d.Version = -1 },
		"/popularity":     func(d *search.Document) { d.Popularity = math.Inf(1) },
		"/category_names": func(d *search.Document) { d.CategoryIDs = []string{"c"} },
		"/payload":        func(d *search.Document) { d.Payload = json.RawMessage("{") },
	}
	for pointer, spoil := range cases {
		t.Run(pointer, func(t *testing.T) {
			t.Parallel()
			d := search.Document{ProductID: "p", Status: search.StatusActive}
			spoil(&d)
			_, err := search.NewEntry(&d)
			require.Equal(t, errs.Invalid, errs.KindOf(err))
			require.Equal(t, pointer, errs.As(err).Fields[0].Pointer)
		})
	}
}

// TestAnyText: whatever stands in a document, its terms are what an index can hold.
func TestAnyText(t *testing.T) {
	t.Parallel()
	pieces := rapid.SampledFrom([]string{" ", "-", ".", ",", "'", `"`, "x", "10", "1,5", "m", "in", "TB", "é", "\u0301", "\xff", "\x00",
		"バ", "🎉", "\u200d", "تِ", "हि", "²", "Ⅷ", "½", "ﷺ", "İ", "&", "+", "/", "_", "\u00a0", "a", "B"})
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(pieces), func(s []string) string { return strings.Join(s, "") })).Draw(t, "text")
		e, err := search.NewEntry(&search.Document{
			ProductID: "p", Status: search.StatusActive, Title: text, Brand: text, SKUs: []string{text},
			Attributes: map[string][]string{text: {text}},
		})
		require.NoError(t, err)
		for _, terms := range [][]string{e.Title, e.Text, e.Prefixes, e.Vocabulary, e.Codes} {
			for _, term := range terms {
				require.NotEmpty(t, term)
				require.True(t, utf8.ValidString(term), "%q", term)
				require.NotContains(t, term, " ")
				require.LessOrEqual(t, len(term), 80)
			}
		}
	})
}
