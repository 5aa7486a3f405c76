package searchtest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/catalog/search"
	"shopd/internal/platform/errs"
)

func testFinding(t *testing.T, e search.Engine) {
	cases := map[string]struct {
		text string
		want []string // the first hits, in their order
		only bool     // and no others
	}{
		"a word of the title":                        {"joust", []string{"joust"}, true},
		"plural and singular":                        {"jackets", []string{"montana", "jupiter", "proteus"}, true},
		"all words, in any field":                    {"luma backpack laptop", []string{"fusion"}, true},
		"the title before the description":           {"toner cartridge", []string{"toner", "printer"}, true},
		"title, category and attribute together":     {"black watch", []string{"dash"}, true},
		"what is in stock before what is not":        {"backpack", []string{"fusion", "crown"}, true},
		"stop words do not matter":                   {"a bag for the shoulder", []string{"strive"}, true},
		"only stop words are looked for":             {"with the", nil, false},
		"without accents":                            {"creme brulee cafe", []string{"cafe"}, true},
		"with accents":                               {"CRÈME BRÛLÉE", []string{"cafe"}, true},
		"sharp s":                                    {"geniesser", []string{"cafe"}, true},
		"full width letters":                         {"ＪＯＵＳＴ", []string{"joust"}, true},
		"decomposed letters":                         {"cre\u0300me", []string{"cafe"}, true},
		"the possessive":                             {"womens tee", []string{"radiant"}, true},
		"a compound with its hyphen":                 {"t-shirt", []string{"radiant"}, true},
		"a compound as one word":                     {"tshirt", []string{"radiant"}, true},
		"a compound as two words":                    {"wi fi printer", []string{"printer"}, true},
		"a word written as two":                      {"key board", []string{"keyboard"}, true},
		"Hebrew":                                     {"תיק", []string{"hebrew"}, true},
		"Hebrew with points":                         {"תִּיק", []string{"hebrew"}, true},
		"Japanese":                                   {"バッグ", []string{"japanese"}, true},
		"an emoji":                                   {"🎉", []string{"emoji"}, true},
		"words whose joint stem is another word":     {"colour red", []string{"fusion", "didi", "jupiter", "strive", "montana"}, true},
		"an SKU":                                     {"24-MB01", []string{"joust"}, true},
		"an SKU without hyphen":                      {"24mb01", []string{"joust"}, true},
		"an SKU with a space":                        {"24 mb01", []string{"joust"}, false},
		"an SKU with other separators":               {"24_MB/01", []string{"joust"}, true},
		"the beginning of an SKU":                    {"stgx20", []string{"disk2"}, true},
		"brand and SKU":                              {"lexmark c5220ks", []string{"toner", "printer"}, true},
		"brand and SKU with spaces in it":            {"lexmark c 5220 ks", []string{"toner"}, false},
		"the SKU before its mention":                 {"c5220ks", []string{"toner", "printer"}, true},
		"a GTIN":                                     {"4006381333931", []string{"joust"}, true},
		"a GTIN without its leading zero":            {"763649116654", []string{"disk1"}, true},
		"a GTIN with a further zero":                 {"00763649116654", []string{"disk1"}, true},
		"a size with its unit":                       {"1tb drive", []string{"disk1"}, true},
		"a size with a space":                        {"2 TB drive", []string{"disk2"}, true},
		"a size written out":                         {"network cable 10 metres", []string{"cable10"}, true},
		"a size with decimals":                       {"1,83 m cable", []string{"cable183"}, true},
		"inches by their sign":                       {`2.5" disk seagate`, []string{"disk1", "disk2"}, true},
		"dimensions":                                 {"2 × 4 board", []string{"board"}, true},
		"a collection or category in the plural too": {"watches", []string{"dash", "didi"}, false},
		"nothing of the kind":                        {"zzxxqq", nil, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := found(t, e, search.Query{Text: c.text})
			got := ids(r.Items)
			require.Empty(t, r.CorrectedQuery)
			require.Empty(t, r.Dropped)
			require.GreaterOrEqual(t, len(got), len(c.want), "found %v", got)
			require.LessOrEqual(t, r.Matching, r.Total)
			if c.only {
				require.Equal(t, len(c.want), r.Matching, "found %v", got)
				got = got[:r.Matching]
			}
			if strings.Contains(name, "plural") {
				require.Subset(t, got, c.want)
				return
			}
			for i, want := range c.want {
				require.Equal(t, want, got[i], "found %v", got)
			}
		})
	}
	t.Run("gives the payload back verbatim", func(t *testing.T) {
		r := found(t, e, search.Query{Text: "joust"})
		require.Equal(t, `{"sku": "24-MB01", "rating": 4.50}`, string(r.Items[0].Payload)) //nolint:testifylint // byte by byte
		require.Positive(t, r.Items[0].Score)
	})
	t.Run("lists everything without a text", func(t *testing.T) {
		r := found(t, e, search.Query{Limit: search.MaxLimit})
		require.Len(t, r.Items, len(products))
		require.Equal(t, len(products), r.Total)
		require.True(t, r.TotalIsExact)
		require.Equal(t, "fusion", ids(r.Items)[0], "the most popular in stock first")
	})
}

func testForgiving(t *testing.T, e search.Engine) {
	cases := map[string]struct {
		text      string
		want      string // the first hit
		corrected string
		dropped   []string
	}{
		"a letter too many":                {"jackket", "", "jacket", nil},
		"a letter missing":                 {"bakpack", "fusion", "backpack", nil},
		"a wrong letter":                   {"wireless keyboatd", "keyboard", "wireless keyboard", nil},
		"letters swapped":                  {"wirelses keyboard", "keyboard", "wireless keyboard", nil},
		"the first letter wrong":           {"vackpack", "fusion", "backpack", nil},
		"two mistakes in a long word":      {"bluettoth speaker", "speaker", "bluetooth speaker", nil},
		"two words written together":       {"networkcable", "", "network cable", nil},
		"a correction keeps other words":   {"red jaket", "", "red jacket", nil},
		"a word that nothing has":          {"backpack zzxxqq", "fusion", "", []string{"zzxxqq"}},
		"words that nothing has together":  {"hebrew brûlée keyboard", "", "", nil},
		"a correction and a dropped word":  {"bakpack zzxxqq", "fusion", "backpack zzxxqq", []string{"zzxxqq"}},
		"four letters, for want of better": {"bluw tee", "radiant", "blue tee", nil},
		"a plural of four letters":         {"mygs", "emoji", "mugs", nil},
		"three letters, for a missing one": {"bgs", "", "bags", nil},
		"codes are left alone":             {"stgx9999999", "", "", nil},
		"numbers are left alone":           {"4006381333932", "", "", nil},
		"a correct text is left alone":     {"montana", "montana", "", nil},
		"a rare word of a description":     {"inclement", "jupiter", "", nil},
		"the mistake of a swapped compoud": {"tshrit", "", "", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := found(t, e, search.Query{Text: c.text})
			if c.corrected != "" || c.want != "" {
				require.Equal(t, c.corrected, r.CorrectedQuery)
				require.Equal(t, c.dropped, r.Dropped)
				require.NotEmpty(t, r.Items)
			}
			if c.want != "" {
				require.Equal(t, c.want, ids(r.Items)[0])
			}
		})
	}
	t.Run("codes and the shortest words find nothing rather than something else", func(t *testing.T) {
		for _, text := range []string{"bqs", "qz", "stgx9999999", "4006381333932"} {
			r := found(t, e, search.Query{Text: text})
			require.Empty(t, r.Items, text)
			require.Empty(t, r.CorrectedQuery, text)
			require.Zero(t, r.Total, text)
		}
	})
	t.Run("what matches most words comes first when words are dropped", func(t *testing.T) {
		r := found(t, e, search.Query{Text: "seagate bluetooth speaker"})
		require.Equal(t, []string{"seagate"}, r.Dropped)
		require.Equal(t, "speaker", ids(r.Items)[0])
	})
	t.Run("a filter that excludes everything is no reason to search for something else", func(t *testing.T) {
		r := found(t, e, search.Query{Text: "wireless keyboard", PriceMin: pointer(1_000_000)})
		require.Empty(t, r.Items)
		require.Empty(t, r.Dropped)
		require.Empty(t, r.CorrectedQuery)
	})
	t.Run("a correction is made under a filter, too", func(t *testing.T) {
		r := found(t, e, search.Query{Text: "bakpack", Facets: map[string][]string{"Colour": {"Black"}}})
		require.Equal(t, "backpack", r.CorrectedQuery)
		require.Equal(t, []string{"crown"}, ids(r.Items))
	})
}

func testLiteral(t *testing.T, e search.Engine) {
	cases := map[string]struct {
		text string
		want []string
	}{
		"wildcards":            {"jou*", nil},
		"match all":            {"*:*", nil},
		"field names":          {"brand:nosuch", nil},
		"boolean operators":    {"NOT joust", nil},
		"a regular expression": {"/.*/", nil},
		"a query in JSON":      {`{"query":{"match_all":{}}}`, nil},
		"_source":              {"_source", nil},
		"a script":             {"<script>alert(1)</script>", nil},
		"SQL":                  {"' OR 1=1 --", nil},
		"quotes":               {`"joust`, []string{"joust"}},
		"brackets":             {"joust [", []string{"joust"}},
		"a trailing operator":  {"joust AND", []string{"joust"}},
		"a fuzzy operator":     {"joust~2", nil},
		"only signs":           {"!!! ??? ***", nil},
		"NUL and broken UTF-8": {"jo\x00\xff\xfeust joust", nil},
		"only white space":     {"  \t\n", []string{}},
		"a separator of ours":  {"Colour\x1fRed", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := found(t, e, search.Query{Text: c.text})
			if len(c.want) > 0 {
				require.Equal(t, c.want, ids(r.Items))
			}
			if c.want == nil {
				require.Less(t, r.Matching, len(products)/2, "taken for an operator: found %v", ids(r.Items))
			}
		})
	}
	t.Run("only signs are a text that nothing matches", func(t *testing.T) {
		require.Empty(t, found(t, e, search.Query{Text: "!!!"}).Items)
	})
	long := map[string]string{
		"100 KB of one word":       strings.Repeat("a", 100<<10),
		"100 KB of words":          strings.Repeat("joust bag ", 10<<10),
		"100 KB of codes":          strings.Repeat("24-mb01 ", 12<<10),
		"100 KB of emoji":          strings.Repeat("🎉", 25<<10),
		"100 KB of accents":        "e" + strings.Repeat("\u0301", 50<<10),
		"100 KB of one character":  strings.Repeat("-", 100<<10),
		"many different words":     "red blue green black white grey orange nylon wood rubber canvas pack bag watch ball board",
		"a word of 400 characters": strings.Repeat("abcdefghij", 40),
	}
	for name, text := range long {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := e.Search(t.Context(), search.Query{Text: text})
			require.NoError(t, err)
			_, err = e.Suggest(t.Context(), text, 5)
			require.NoError(t, err)
			require.Less(t, time.Since(start), time.Second)
		})
	}
}

func testRefusing(t *testing.T, e search.Engine) {
	many := make(map[string][]string)
	for i := range 50 {
		many[strings.Repeat("x", i+1)] = []string{"y"}
	}
	cases := map[string]struct {
		query   search.Query
		pointer string
	}{
		"a negative limit":    {search.Query{Limit: -1}, "query/limit"},
		"a limit over 100":    {search.Query{Limit: 101}, "query/limit"},
		"an unknown order":    {search.Query{Sort: "price; drop table"}, "query/sort"},
		"too many facets":     {search.Query{Facets: many}, "query/facet"},
		"too many values":     {search.Query{Facets: map[string][]string{"Colour": make([]string, 101)}}, "query/facet"},
		"an endless name":     {search.Query{Facets: map[string][]string{strings.Repeat("x", 1000): {"y"}}}, "query/facet"},
		"an endless category": {search.Query{CategoryID: strings.Repeat("x", 1000)}, "query/category"},
		"a cursor of nothing": {search.Query{After: "x"}, "query/after"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := e.Search(t.Context(), c.query)
			require.ErrorIs(t, err, search.ErrInvalidParameter)
			require.Equal(t, errs.Invalid, errs.KindOf(err))
			require.Equal(t, c.pointer, errs.As(err).Fields[0].Pointer)
		})
	}
	_, err := e.Suggest(t.Context(), "j", 0)
	require.ErrorIs(t, err, search.ErrInvalidParameter)
}
