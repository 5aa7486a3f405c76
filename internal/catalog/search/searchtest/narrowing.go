package searchtest

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/catalog/search"
)

// counts are the values of a facet of a result.
func counts(r search.Result, name string) map[string]int {
	for _, f := range r.Facets {
		if f.Name == name {
			m := make(map[string]int)
			for _, v := range f.Values {
				m[v.Value] = v.Count
			}
			return m
		}
	}
	return nil
}

func testFacets(t *testing.T, e search.Engine) {
	bags := search.Query{CategoryID: "cat_bags"}
	t.Run("a category has what is below it", func(t *testing.T) {
		require.ElementsMatch(t, []string{"joust", "strive", "crown", "fusion", "hebrew", "japanese"}, ids(found(t, e, bags).Items))
		require.Equal(t, 10, found(t, e, search.Query{CategoryID: "cat_gear"}).Total)
	})
	t.Run("values are counted", func(t *testing.T) {
		r := found(t, e, bags)
		require.Equal(t, map[string]int{"Red": 2, "Blue": 1, "Black": 1}, counts(r, "Colour"))
		require.Equal(t, map[string]int{"Nylon": 2, "Polyester": 2, "Canvas": 1}, counts(r, "Material"))
		require.Equal(t, map[string]int{"Luma": 6}, counts(r, search.FacetBrand))
	})
	t.Run("categories are counted with their names", func(t *testing.T) {
		require.Equal(t, []search.CategoryCount{{ID: "cat_bags", Name: "Bags", Count: 6}, {ID: "cat_gear", Name: "Gear", Count: 6}},
			found(t, e, bags).Categories)
	})
	t.Run("values of a name are alternatives, names all apply", func(t *testing.T) {
		q := bags
		q.Facets = map[string][]string{"Colour": {"Red", "Blue"}, "Material": {"Polyester"}}
		r := found(t, e, q)
		require.ElementsMatch(t, []string{"joust", "fusion"}, ids(r.Items))
		require.Equal(t, map[string]int{"Red": 1, "Blue": 1}, counts(r, "Colour"), "as if no colour were selected")
		require.Equal(t, map[string]int{"Nylon": 1, "Polyester": 2, "Canvas": 1}, counts(r, "Material"), "as if no material were selected")
		require.Equal(t, 2, r.Total)
	})
	t.Run("selected values are marked, also when nothing has them", func(t *testing.T) {
		q := bags
		q.Facets = map[string][]string{"Colour": {"Red", "Pink"}}
		r := found(t, e, q)
		require.Equal(t, "Colour", r.Facets[0].Name)
		for _, v := range r.Facets[0].Values {
			require.Equal(t, v.Value == "Red" || v.Value == "Pink", v.Selected, v.Value)
		}
		require.Equal(t, 0, counts(r, "Colour")["Pink"])
	})
	t.Run("an empty selection is none", func(t *testing.T) {
		q := bags
		q.Facets = map[string][]string{"Colour": {}}
		require.Equal(t, 6, found(t, e, q).Total)
	})
	t.Run("prices bound inclusively", func(t *testing.T) {
		q := bags
		q.PriceMin, q.PriceMax = pointer(3200), pointer(3800)
		r := found(t, e, q)
		require.ElementsMatch(t, []string{"joust", "strive", "crown"}, ids(r.Items))
		require.Equal(t, &search.PriceRange{Min: 2500, Max: 5900}, r.Price, "as if no bounds were set")
		require.Equal(t, map[string]int{"Red": 1, "Blue": 1, "Black": 1}, counts(r, "Colour"), "with the bounds")
	})
	t.Run("bounds that exclude everything", func(t *testing.T) {
		r := found(t, e, search.Query{PriceMin: pointer(2), PriceMax: pointer(1)})
		require.Empty(t, r.Items)
		require.Zero(t, r.Total)
	})
	t.Run("no hits have no prices", func(t *testing.T) {
		require.Nil(t, found(t, e, search.Query{CategoryID: "cat_none"}).Price)
	})
	t.Run("what can be had", func(t *testing.T) {
		q := bags
		q.InStockOnly = true
		require.NotContains(t, ids(found(t, e, q).Items), "crown")
	})
	t.Run("a text with filters", func(t *testing.T) {
		r := found(t, e, search.Query{Text: "red", CategoryID: "cat_gear", InStockOnly: true, PriceMax: pointer(6000)})
		require.ElementsMatch(t, []string{"strive", "fusion"}, ids(r.Items))
	})
}

func testPaging(t *testing.T, e search.Engine) {
	number := func(f func(p *product) int64) func(a, b *product) int {
		return func(a, b *product) int { return int(f(a) - f(b)) }
	}
	orders := map[search.Sort]func(a, b *product) int{
		search.SortPriceAsc:   number(func(p *product) int64 { return p.price }),
		search.SortPriceDesc:  number(func(p *product) int64 { return -p.price }),
		search.SortPopularity: number(func(p *product) int64 { return -int64(p.popularity) }),
		search.SortNewest: number(func(p *product) int64 {
			return -int64(slices.IndexFunc(products, func(other product) bool { return other.id == p.id }))
		}),
		search.SortTitle: func(a, b *product) int {
			plain := strings.NewReplacer("è", "e", "û", "u", "é", "e")
			return strings.Compare(plain.Replace(strings.ToLower(a.title)), plain.Replace(strings.ToLower(b.title)))
		},
	}
	byID := func(id string) *product {
		i := slices.IndexFunc(products, func(p product) bool { return p.id == id })
		return &products[i]
	}
	for order, compare := range orders {
		t.Run("in the order "+string(order), func(t *testing.T) {
			all := pages(t, e, search.Query{Sort: order, Limit: 5})
			require.Len(t, all, len(products))
			require.True(t, slices.IsSortedFunc(all, func(a, b string) int {
				if c := compare(byID(a), byID(b)); c != 0 {
					return c
				}
				return strings.Compare(a, b)
			}), "%v", all)
		})
	}
	texts := map[string]string{"by relevance": "red luma jacket", "by quality": "", "with a correction": "bakpack",
		"with dropped words": "black seagate zzxxqq", "of an SKU": "24 mb01", "of one word": "luma"}
	for name, text := range texts {
		t.Run("pages "+name+" are the list in pieces", func(t *testing.T) {
			whole := found(t, e, search.Query{Text: text, Limit: search.MaxLimit})
			require.Empty(t, whole.Next)
			for _, limit := range []int{1, 2, 3, 7} {
				require.Equal(t, ids(whole.Items), pages(t, e, search.Query{Text: text, Limit: limit}))
			}
		})
	}
	t.Run("following pages keep what was understood", func(t *testing.T) {
		q := search.Query{Text: "blak cable zzxxqq", Limit: 1}
		first := found(t, e, q)
		q.After = first.Next
		second := found(t, e, q)
		require.NotEmpty(t, second.Items)
		require.Equal(t, first.CorrectedQuery, second.CorrectedQuery)
		require.Equal(t, first.Dropped, second.Dropped)
		require.Equal(t, first.Total, second.Total)
		require.Empty(t, second.Facets)
	})
	t.Run("products that come in between do not shift pages", func(t *testing.T) {
		q := search.Query{Sort: search.SortPriceAsc, Limit: 5, CategoryID: "cat_tech"}
		first := found(t, e, q)
		cheap := Document("prod_emoji", 2)
		cheap.CategoryIDs, cheap.CategoryNames, cheap.Price = []string{"cat_tech"}, []string{"Electronics"}, 1
		require.NoError(t, e.Upsert(t.Context(), []search.Document{cheap}))
		require.NoError(t, e.Refresh(t.Context()))
		q.After = first.Next
		require.NotContains(t, ids(found(t, e, q).Items), ids(first.Items)[4])
	})
	testCursors(t, e)
}

// pages reads all pages of a query.
func pages(t *testing.T, e search.Engine, q search.Query) []string {
	t.Helper()
	var all []string
	for range 100 {
		r := found(t, e, q)
		require.LessOrEqual(t, len(r.Items), q.Limit)
		all = append(all, ids(r.Items)...)
		if r.Next == "" {
			return all
		}
		require.NotEmpty(t, r.Items)
		q.After = r.Next
	}
	require.Fail(t, "the pages do not end")
	return nil
}

func testCursors(t *testing.T, e search.Engine) {
	q := search.Query{Text: "luma", Limit: 2}
	cursor := found(t, e, q).Next
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	require.NoError(t, err)
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	forged := map[string]search.Query{
		"of another text":     {Text: "bag", After: cursor},
		"of another order":    {Text: "luma", Sort: search.SortPriceAsc, After: cursor},
		"of another filter":   {Text: "luma", InStockOnly: true, After: cursor},
		"of other facets":     {Text: "luma", Facets: map[string][]string{"Colour": {"Red"}}, After: cursor},
		"cut off":             {Text: "luma", After: cursor[:len(cursor)/2]},
		"not base64":          {Text: "luma", After: "%%%"},
		"not JSON":            {Text: "luma", After: encode("hello")},
		"empty JSON":          {Text: "luma", After: encode("{}")},
		"with another field":  {Text: "luma", After: encode(strings.Replace(string(raw), "{", `{"z":1,`, 1))},
		"with a text to sort": {Text: "luma", After: encode(strings.Replace(string(raw), `"i":`, `"t":"x","i":`, 1))},
		"without an id":       {Text: "luma", After: encode(strings.Replace(string(raw), `"i":"prod_`, `"i":"","y":"`, 1))},
		"with all dropped":    {Text: "luma", After: encode(strings.Replace(string(raw), `"n":`, `"d":["luma"],"n":`, 1))},
		"endless":             {Text: "luma", After: strings.Repeat("A", 100_000)},
	}
	for name, q := range forged {
		t.Run("a cursor "+name+" is refused", func(t *testing.T) {
			_, err := e.Search(t.Context(), q)
			require.ErrorIs(t, err, search.ErrInvalidParameter)
		})
	}
	t.Run("a cursor serves another page size", func(t *testing.T) {
		r := found(t, e, search.Query{Text: "luma", Limit: 50, After: cursor})
		whole := found(t, e, search.Query{Text: "luma", Limit: 50})
		require.Equal(t, fmt.Sprint(ids(whole.Items)[2:]), fmt.Sprint(ids(r.Items)))
	})
}

func testSuggesting(t *testing.T, e search.Engine) {
	suggest := func(prefix string) search.Suggestions {
		s, err := e.Suggest(t.Context(), prefix, 5)
		require.NoError(t, err)
		return s
	}
	t.Run("completes a word", func(t *testing.T) {
		s := suggest("jou")
		require.Equal(t, []string{"joust"}, s.Queries)
		require.Equal(t, []string{"joust"}, ids(s.Products))
		require.JSONEq(t, `{"sku": "24-MB01", "rating": 4.50}`, string(s.Products[0].Payload))
	})
	t.Run("completes the last word among what has the others", func(t *testing.T) {
		s := suggest("network ca")
		require.Contains(t, s.Queries, "network cable")
		require.ElementsMatch(t, []string{"cable183", "cable10"}, ids(s.Products))
	})
	t.Run("names categories", func(t *testing.T) {
		require.Equal(t, []search.Category{{ID: "cat_jackets", Name: "Jackets"}}, suggest("jack").Categories)
		require.Equal(t, []search.Category{{ID: "cat_fitness", Name: "Fitness Equipment"}}, suggest("fitness eq").Categories)
	})
	t.Run("knows codes", func(t *testing.T) {
		require.Equal(t, []string{"joust"}, ids(suggest("24-mb01").Products))
		require.ElementsMatch(t, []string{"disk1", "disk2"}, ids(suggest("stgx").Products))
	})
	t.Run("forgives", func(t *testing.T) {
		require.Equal(t, []string{"keyboard"}, ids(suggest("wirelses key").Products))
	})
	t.Run("a word longer than what is indexed of it", func(t *testing.T) {
		require.Equal(t, []string{"jupiter"}, ids(suggest("jupiter all-weat").Products))
	})
	t.Run("the most popular first", func(t *testing.T) {
		require.Equal(t, "fusion", ids(suggest("b").Products)[0])
	})
	t.Run("one query for one stem", func(t *testing.T) {
		require.Len(t, slices.DeleteFunc(suggest("jacket").Queries, func(q string) bool { return q == "jackshirt" }), 1)
	})
	t.Run("nothing for nothing", func(t *testing.T) {
		for _, prefix := range []string{"", "  ", "!!", "zzxxqq"} {
			require.Equal(t, search.Suggestions{}, search.Suggestions{Queries: suggest(prefix).Queries, Products: suggest(prefix).Products, Categories: suggest(prefix).Categories})
		}
	})
}
