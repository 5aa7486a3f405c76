package catalog

import (
	"context"
	"encoding/json"
	"time"

	"shopd/internal/catalog/search"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
)

// SearchQuery asks for products by text, category, facets and price.
type SearchQuery struct {
	Text     string
	Category string // id or slug
	Facets   map[string][]string
	PriceMin *int64 // minor units of the shop's currency
	PriceMax *int64
	InStock  bool
	Sort     string // "" is by relevance; otherwise as in ListQuery
	Limit    int
	After    string
}

// Facet is an attribute of the products found, with its values.
type Facet struct {
	Name   string       `json:"name"`
	Values []FacetValue `json:"values"`
}

// FacetValue is a value of a facet with the number of products that have it.
type FacetValue struct {
	Value    string `json:"value"`
	Count    int    `json:"count"`
	Selected bool   `json:"selected"`
}

// SearchResult is a page of what was found.
type SearchResult struct {
	Items          []ListItem
	Facets         []Facet
	Total          int
	TotalExact     bool
	PriceMin       int64
	PriceMax       int64
	Next           string
	CorrectedQuery string   // what was searched in place of Text
	Dropped        []string // words no product had to have
	QueryID        string   // clicks and orders are joined to it
}

// sorts translates the orders of the API into the engine's.
var sorts = map[string]search.Sort{
	"": search.SortRelevance, "relevance": search.SortRelevance, "price": search.SortPriceAsc, "-price": search.SortPriceDesc,
	"-created_at": search.SortNewest, "title": search.SortTitle, "-popularity": search.SortPopularity,
}

// Search finds products. search.ErrUnavailable when the index does not answer.
func (s *Service) Search(ctx context.Context, q SearchQuery) (*SearchResult, error) {
	hits, result, err := s.search(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, h := range hits {
		var item ListItem
		if err := json.Unmarshal(h.Payload, &item); err != nil {
			return nil, err
		}
		result.Items = append(result.Items, item)
	}
	return result, nil
}

func (s *Service) search(ctx context.Context, q SearchQuery) ([]search.Hit, *SearchResult, error) {
	sort, ok := sorts[q.Sort]
	if !ok {
		return nil, nil, errBadSort
	}
	engineQuery := search.Query{
		Text: q.Text, Facets: q.Facets, PriceMin: q.PriceMin, PriceMax: q.PriceMax, InStockOnly: q.InStock, Sort: sort, Limit: q.Limit, After: q.After,
	}
	if q.Category != "" {
		c, err := s.Category(ctx, q.Category)
		if err != nil {
			return nil, nil, err
		}
		engineQuery.CategoryID = string(c.ID)
	}
	start := time.Now()
	found, err := s.engine.Search(ctx, engineQuery)
	s.seconds.Observe(time.Since(start).Seconds())
	if err != nil {
		return nil, nil, err
	}
	result := &SearchResult{
		Items: make([]ListItem, 0, len(found.Items)), Facets: make([]Facet, 0, len(found.Facets)), Total: found.Total, TotalExact: found.TotalIsExact,
		Next: found.Next, CorrectedQuery: found.CorrectedQuery, Dropped: found.Dropped, QueryID: id.New("qry"),
	}
	if found.Price != nil {
		result.PriceMin, result.PriceMax = found.Price.Min, found.Price.Max
	}
	for _, f := range found.Facets {
		facet := Facet{Name: f.Name, Values: make([]FacetValue, len(f.Values))}
		for i, v := range f.Values {
			facet.Values[i] = FacetValue(v)
		}
		result.Facets = append(result.Facets, facet)
	}
	return found.Items, result, nil
}

// Suggestions complete what somebody types.
type Suggestions struct {
	Queries    []string      `json:"queries"`
	Products   []ListItem    `json:"products"`
	Categories []CategoryRef `json:"categories"`
}

const (
	suggested     = 6
	maxSuggestion = 100
)

// Suggest completes what somebody types into queries, products and categories.
func (s *Service) Suggest(ctx context.Context, text string) (*Suggestions, error) {
	if len(text) > maxSuggestion {
		return nil, errs.New(errs.Invalid, "invalid_parameter", "That is too long to complete.").
			WithFields(errs.Field{Pointer: "query/q", Code: "invalid_parameter", Detail: "at most 100 bytes"})
	}
	found, err := s.engine.Suggest(ctx, text, suggested)
	if err != nil {
		return nil, err
	}
	t, err := s.categories(ctx)
	if err != nil {
		return nil, err
	}
	result := &Suggestions{Queries: found.Queries, Products: []ListItem{}, Categories: []CategoryRef{}}
	if result.Queries == nil {
		result.Queries = []string{}
	}
	for _, h := range found.Products {
		var item ListItem
		if err := json.Unmarshal(h.Payload, &item); err != nil {
			return nil, err
		}
		result.Products = append(result.Products, item)
	}
	for _, c := range found.Categories {
		if ref := t.reference(CategoryID(c.ID)); ref != nil {
			result.Categories = append(result.Categories, ref.CategoryRef)
		}
	}
	return result, nil
}
