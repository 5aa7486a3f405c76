package storefronttest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"shopd/internal/catalog"
	"shopd/internal/platform/errs"
)

// Catalog answers for the products of the sample. It finds words as they stand; the only misspelling it knows is
// "jaket".
type Catalog struct {
	data *catalogData
	failure
	// SearchFailure stands for a search engine that does not answer.
	SearchFailure failure
}

// Product implements storefront.Catalog.
func (c *Catalog) Product(_ context.Context, ref string) (*catalog.Product, error) {
	if err := c.failing(); err != nil {
		return nil, err
	}
	if p := c.data.bySlug[ref]; p != nil {
		return p, nil
	}
	if p := c.data.byID[catalog.ProductID(ref)]; p != nil {
		return p, nil
	}
	return nil, errs.ErrNotFound
}

// List implements storefront.Catalog.
func (c *Catalog) List(_ context.Context, q catalog.ListQuery) ([]catalog.ListItem, string, error) {
	if err := c.failing(); err != nil {
		return nil, "", err
	}
	items := c.in(q.Category)
	sortBy(items, q.Sort)
	page, next := cut(items, q.After, q.Limit)
	return listItems(page), next, nil
}

// Search implements storefront.Catalog.
func (c *Catalog) Search(_ context.Context, q catalog.SearchQuery) (*catalog.SearchResult, error) {
	if err := cmp.Or(c.SearchFailure.failing(), c.failing()); err != nil {
		return nil, err
	}
	result := &catalog.SearchResult{TotalExact: true, QueryID: "qry_1"}
	text := strings.ToLower(q.Text)
	if strings.Contains(text, "jaket") {
		text = strings.ReplaceAll(text, "jaket", "jacket")
		result.CorrectedQuery = text
	}
	var words []string
	for word := range strings.FieldsSeq(text) {
		if known := slices.ContainsFunc(c.data.products, func(p *catalog.Product) bool { return mentions(p, word) }); known || len(strings.Fields(text)) == 1 {
			words = append(words, word)
		} else {
			result.Dropped = append(result.Dropped, word)
		}
	}
	items := slices.DeleteFunc(c.in(q.Category), func(p *catalog.Product) bool {
		return slices.ContainsFunc(words, func(word string) bool { return !mentions(p, word) }) ||
			q.InStock && !p.InStock || q.PriceMin != nil && p.Price.Minor < *q.PriceMin || q.PriceMax != nil && p.Price.Minor > *q.PriceMax
	})
	result.Facets = facets(items, q.Facets)
	items = slices.DeleteFunc(items, func(p *catalog.Product) bool { return !has(p, q.Facets, "") })
	for i, p := range items {
		if i == 0 || p.Price.Minor < result.PriceMin {
			result.PriceMin = p.Price.Minor
		}
		result.PriceMax = max(result.PriceMax, p.Price.Minor)
	}
	sortBy(items, q.Sort)
	result.Total = len(items)
	page, next := cut(items, q.After, q.Limit)
	result.Items, result.Next = listItems(page), next
	return result, nil
}

// Suggest implements storefront.Catalog.
func (c *Catalog) Suggest(_ context.Context, q string) (*catalog.Suggestions, error) {
	if err := cmp.Or(c.SearchFailure.failing(), c.failing()); err != nil {
		return nil, err
	}
	out := &catalog.Suggestions{}
	q = strings.ToLower(q)
	words := map[string]bool{}
	for _, p := range c.data.products {
		title := strings.ToLower(p.Title)
		for word := range strings.FieldsSeq(title) {
			if strings.HasPrefix(word, q) {
				words[word] = true
			}
		}
		if strings.Contains(title, q) && len(out.Products) < 5 {
			out.Products = append(out.Products, item(p))
		}
	}
	out.Queries = slices.Sorted(maps.Keys(words))
	out.Queries = out.Queries[:min(3, len(out.Queries))]
	for _, slug := range slices.Sorted(maps.Keys(c.data.category)) {
		if ref := c.data.category[slug].CategoryRef; strings.HasPrefix(strings.ToLower(ref.Name), q) && len(out.Categories) < 2 {
			out.Categories = append(out.Categories, ref)
		}
	}
	return out, nil
}

// Categories implements storefront.Catalog.
func (c *Catalog) Categories(context.Context) ([]catalog.Category, error) {
	if err := c.failing(); err != nil {
		return nil, err
	}
	return c.data.tree, nil
}

// Category implements storefront.Catalog.
func (c *Catalog) Category(_ context.Context, ref string) (*catalog.Category, error) {
	if err := c.failing(); err != nil {
		return nil, err
	}
	if category := c.data.category[ref]; category != nil {
		return category, nil
	}
	return nil, errs.ErrNotFound
}

// Reviews implements storefront.Catalog.
func (c *Catalog) Reviews(_ context.Context, product catalog.ProductID, after string, limit int) ([]catalog.Review, string, error) {
	if err := c.failing(); err != nil {
		return nil, "", err
	}
	page, next := cut(c.data.reviews[product], after, limit)
	return page, next, nil
}

// SitemapSlugs implements storefront.Catalog.
func (c *Catalog) SitemapSlugs(_ context.Context, after string, limit int) ([]catalog.SitemapEntry, string, error) {
	if err := c.failing(); err != nil {
		return nil, "", err
	}
	page, next := cut(c.data.products, after, limit)
	entries := make([]catalog.SitemapEntry, len(page))
	for i, p := range page {
		entries[i] = catalog.SitemapEntry{Slug: p.Slug, UpdatedAt: p.UpdatedAt}
	}
	return entries, next, nil
}

// in lists the products of a category and all below it, of the whole shop when it is empty.
func (c *Catalog) in(category string) []*catalog.Product {
	var out []*catalog.Product
	for _, p := range c.data.products {
		if category == "" || slices.ContainsFunc(p.Category.Path, func(r catalog.CategoryRef) bool { return r.Slug == category }) {
			out = append(out, p)
		}
	}
	return out
}

func mentions(p *catalog.Product, word string) bool {
	return strings.Contains(strings.ToLower(p.Title+" "+p.Brand+" "+p.Category.Name), word)
}

// has reports whether a product has one of the values of every facet but one.
func has(p *catalog.Product, chosen map[string][]string, but string) bool {
	for name, values := range chosen {
		if name != but && !slices.ContainsFunc(values, func(v string) bool { return slices.Contains(p.Attributes[name], v) }) {
			return false
		}
	}
	return true
}

func facets(items []*catalog.Product, chosen map[string][]string) []catalog.Facet {
	counts := map[string]map[string]int{}
	for _, p := range items {
		for name, values := range p.Attributes {
			if !has(p, chosen, name) {
				continue
			}
			if counts[name] == nil {
				counts[name] = map[string]int{}
			}
			for _, v := range values {
				counts[name][v]++
			}
		}
	}
	var out []catalog.Facet
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		f := catalog.Facet{Name: name}
		for _, value := range slices.Sorted(maps.Keys(counts[name])) {
			f.Values = append(f.Values, catalog.FacetValue{Value: value, Count: counts[name][value], Selected: slices.Contains(chosen[name], value)})
		}
		out = append(out, f)
	}
	return out
}

// sortBy sorts products; popularity stands for itself by a number that follows from the slug.
func sortBy(items []*catalog.Product, by string) {
	popularity := func(p *catalog.Product) uint32 {
		h := uint32(2166136261)
		for _, b := range []byte(p.Slug) {
			h = (h ^ uint32(b)) * 16777619
		}
		return h
	}
	compare := map[string]func(a, b *catalog.Product) int{
		"price":       func(a, b *catalog.Product) int { return cmp.Compare(a.Price.Minor, b.Price.Minor) },
		"-price":      func(a, b *catalog.Product) int { return cmp.Compare(b.Price.Minor, a.Price.Minor) },
		"title":       func(a, b *catalog.Product) int { return cmp.Compare(a.Title, b.Title) },
		"-popularity": func(a, b *catalog.Product) int { return cmp.Compare(popularity(b), popularity(a)) },
		"-created_at": func(a, b *catalog.Product) int {
			return cmp.Compare(popularity(a)^0x5a5a5a5a, popularity(b)^0x5a5a5a5a)
		},
	}[by]
	if compare != nil {
		slices.SortStableFunc(items, compare)
	}
}

// cut is a page of a list; its cursor is the number of items before it.
func cut[T any](items []T, after string, limit int) ([]T, string) {
	from, err := strconv.Atoi(after)
	if err != nil || from < 0 || from > len(items) {
		from = 0
	}
	to := min(from+limit, len(items))
	if to == len(items) {
		return items[from:], ""
	}
	return items[from:to], strconv.Itoa(to)
}

func listItems(products []*catalog.Product) []catalog.ListItem {
	out := make([]catalog.ListItem, len(products))
	for i, p := range products {
		out[i] = item(p)
	}
	return out
}
