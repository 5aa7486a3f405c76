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
		"compatibility forms are resolved":         {"ﬁne ＡＢＣ ①", "fine abc 1 abc1"},
		"compounds are kept whole and in parts":    {"wi-fi T-shirt", "wifi wi fi tshirt t shirt"},
		"codes are kept whole and in parts":        {"24-MB01", "24mb01 24 mb 01"},
		"digits and letters are parted":            {"iPhone15", "iphone15 iphon 15"},
		"the possessive goes":                      {"Women's men’s", "woman man"},
		"inches":                                   {`29" 29″ 29 inch 29-inch 29in`, "29in 29"},
		"units are joined to their number":         {"1 TB 1tb 1,83 m 10 metres", "1tb 1 1.83m 1.83 10m 10"},
		"a number belongs to the word before it":   {"Windows 10, iPhone 7", "window 10 window10 iphon 7 iphon7"},
		"what no rule makes singular":              {"mice feet", "mous foot"},
		"in after a space is no unit":              {"10 in red", "10 in red"},
		"dimensions":                               {"2x4 2 x 4 2×4 1920x1080", "2x4 1920x1080"},
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
			terms := make([]string, len(e.Terms))
			for i, term := range e.Terms {
				terms[i] = term.Text
			}
			require.Equal(t, c.want, strings.Join(terms, " "))
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
	require.Equal(t, []string{"summit", "pack", "luma", "bags", "t\x1fbag", "gear", "red", "colour"}, e.Vocabulary)
	require.Equal(t, []string{"summit", "pack", "luma", "bags", "gear"}, e.Names)
	require.Equal(t, []string{"summitpack", "pack", "^summitpack"}, e.Runs)
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

// TestWeights: what a term says about a product depends on where it stands.
func TestWeights(t *testing.T) {
	t.Parallel()
	e, err := search.NewEntry(&search.Document{
		ProductID: "p", Status: search.StatusActive, Title: "Acme notebook case black for printer", Brand: "Acme",
		Description: "A sleeve with a long story: everything that fits.", CategoryIDs: []string{"c1", "c0"},
		CategoryNames: []string{"Audio & Video Bags", "Travel"},
		Attributes:    map[string][]string{"Colour": {"Black"}, "Pattern": {"Red", "Blue"}, "Cable length": {"1.5"}, "Zip": {"No"}, "Padded": {"Yes"}},
	})
	require.NoError(t, err)
	weights := make(map[string]int)
	for _, term := range e.Terms {
		weights[term.Text] = int(term.Weight)
	}
	more := func(a, b string) {
		t.Helper()
		require.Greater(t, weights[a], weights[b], "%s %d, %s %d", a, weights[a], b, weights[b])
	}
	more("case", "notebook") // followed by a colour, not by a noun
	more("notebook", "printer")
	more("acm", "notebook")
	more("notebook", "sleev")
	more("bag", "video")
	more("video", "travel")
	more("black", "red")
	require.Equal(t, weights["red"], weights["blue"])
	require.Contains(t, weights, "av", "short for what stands around the &")
	require.Contains(t, weights, "1.5m", "a length without a unit is in metres")
	require.Contains(t, weights, "pad")
	require.NotContains(t, weights, "zip", "it has none")
	for term, w := range weights {
		require.Positive(t, w, term)
		require.LessOrEqual(t, w, search.MaxWeight, term)
	}
}

// TestWeightsOfPurposes: a screen protector for tablets is no tablet, but a tablet is.
func TestWeightsOfPurposes(t *testing.T) {
	t.Parallel()
	weight := func(category, attribute, title string) uint8 {
		e, err := search.NewEntry(&search.Document{
			ProductID: "p", Status: search.StatusActive, Title: title, CategoryIDs: []string{"c"}, CategoryNames: []string{category},
			Attributes: map[string][]string{attribute: {"Tablet computer"}},
		})
		require.NoError(t, err)
		for _, term := range e.Terms {
			if term.Text == "tablet" {
				return term.Weight
			}
		}
		return 0
	}
	for _, title := range []string{"Acme Screen Protector Tablet", "Acme Screen Protector Desktop/Tablet", "Acme Tablet 4 Protector"} {
		protector := weight("Protectors", "Device type", title)
		require.Positive(t, protector, title)
		require.Less(t, protector, weight("Protectors", "Form", title), title)
		require.Equal(t, weight("Tablets", "Form", title), weight("Tablets", "Device type", title), title)
	}
}

func TestRuns(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		title, brand string
		want         []string
	}{
		"from every word on":             {"C 5220 KS", "", []string{"c5220ks", "5220ks", "ks", "^c5220ks"}},
		"from every part of a code on":   {"DCP-L2530/DW", "", []string{"dcpl2530dw", "l2530dw", "dw", "^dcpl2530dw"}},
		"from behind the brand on":       {"Case Logic VHS-101", "Case Logic", []string{"caselogicvhs101", "logicvhs101", "vhs101", "101", "^caselogicvhs101", "^vhs101"}},
		"not when it is nothing but one": {"Luma", "Luma", []string{"luma", "^luma"}},
		"nothing":                        {"", "", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := search.NewEntry(&search.Document{ProductID: "p", Status: search.StatusActive, Title: c.title, Brand: c.brand})
			require.NoError(t, err)
			require.Equal(t, c.want, e.Runs)
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
		var scored []string
		for _, term := range e.Terms {
			scored = append(scored, term.Text)
		}
		for _, terms := range [][]string{scored, e.Names, e.Vocabulary, e.Runs, e.Codes} {
			for _, term := range terms {
				require.NotEmpty(t, term)
				require.True(t, utf8.ValidString(term), "%q", term)
				require.NotContains(t, term, " ")
				require.LessOrEqual(t, len(term), 80)
			}
		}
	})
}
