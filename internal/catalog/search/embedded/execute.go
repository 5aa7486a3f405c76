package embedded

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/blevesearch/bleve/v2"
	blevesearch "github.com/blevesearch/bleve/v2/search"

	"shopd/internal/catalog/search"
)

// find runs a search on the live index; once more when a rebuild exchanged it meanwhile.
func (e *Engine) find(ctx context.Context, request func() *bleve.SearchRequest) (*bleve.SearchResult, error) {
	for {
		g := e.live.Load()
		found, err := g.index.SearchInContext(ctx, request())
		if errors.Is(err, bleve.ErrorIndexClosed) && e.live.Load() != g {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("search the index: %w", err)
		}
		return found, nil
	}
}

// count runs a query for what it counts.
func (e *Engine) count(ctx context.Context, plan *search.Plan, f search.Filter, facets ...facet) (*bleve.SearchResult, *planQuery, error) {
	var q *planQuery
	found, err := e.find(ctx, func() *bleve.SearchRequest {
		q = &planQuery{plan: plan, filter: f, statistics: e.vocabulary.Load().statistics}
		return requestFacets(bleve.NewSearchRequestOptions(q, 0, 0, false), facets)
	})
	return found, q, err
}

// facet are the terms of a field to be counted.
type facet struct {
	field  string
	prefix string
	limit  int
}

func requestFacets(r *bleve.SearchRequest, facets []facet) *bleve.SearchRequest {
	for _, f := range facets {
		fr := bleve.NewFacetRequest(f.field, f.limit)
		fr.SetPrefixFilter(f.prefix)
		r.AddFacet(f.field, fr)
	}
	return r
}

func termCounts(found *bleve.SearchResult, field string) []search.TermCount {
	f := found.Facets[field]
	if f == nil || f.Terms == nil {
		return nil
	}
	terms := f.Terms.Terms()
	counts := make([]search.TermCount, len(terms))
	for i, t := range terms {
		counts[i] = search.TermCount{Term: t.Term, Count: t.Count}
	}
	return counts
}

// Execute implements search.Backend.
func (e *Engine) Execute(ctx context.Context, r *search.Request) (*search.Page, error) {
	order := r.Order()
	var q *planQuery
	found, err := e.find(ctx, func() *bleve.SearchRequest {
		q = &planQuery{plan: r.Plan, filter: r.Filter, statistics: e.vocabulary.Load().statistics}
		return newRequest(r, order, q)
	})
	if err != nil {
		return nil, err
	}
	page := &search.Page{Hits: make([]search.PageHit, len(found.Hits)), Total: int(found.Total), Exact: true} //nolint:gosec // a number of documents
	for i, h := range found.Hits {
		if page.Hits[i], err = newHit(h, order); err != nil {
			return nil, err
		}
	}
	if !r.Facets {
		return page, nil
	}
	page.Facets = termCounts(found, search.FieldFacets)
	page.Categories = termCounts(found, search.FieldCategories)
	if err := e.countUnselected(ctx, r, page); err != nil {
		return nil, err
	}
	return page, e.spanPrices(ctx, r, q, page)
}

// countUnselected counts the values of every selected name as if none of them were selected.
func (e *Engine) countUnselected(ctx context.Context, r *search.Request, page *search.Page) error {
	page.Selected = make(map[string][]search.TermCount, len(r.Filter.Facets))
	for name := range r.Filter.Facets {
		f := facet{search.FieldFacets, search.FacetPrefix(name), search.MaxFacetTerms}
		found, _, err := e.count(ctx, r.Plan, r.Filter.WithoutFacet(name), f)
		if err != nil {
			return err
		}
		page.Selected[name] = termCounts(found, search.FieldFacets)
	}
	return nil
}

// spanPrices finds the range of prices as if there were no bounds; q has it when there are none.
func (e *Engine) spanPrices(ctx context.Context, r *search.Request, q *planQuery, page *search.Page) error {
	matches := page.Total
	if r.Filter.PriceMin != nil || r.Filter.PriceMax != nil {
		found, unbounded, err := e.count(ctx, r.Plan, r.Filter.WithoutPrice())
		if err != nil {
			return err
		}
		q, matches = unbounded, int(found.Total) //nolint:gosec // a number of documents
	}
	if matches > 0 {
		page.Price = &q.prices
	}
	return nil
}

func newRequest(r *search.Request, order search.Sorted, q *planQuery) *bleve.SearchRequest {
	sr := bleve.NewSearchRequestOptions(q, r.Limit, 0, false)
	sr.Fields = []string{search.FieldPayload}
	sr.Sort = blevesearch.SortOrder{sortBy(order), &blevesearch.SortDocID{}}
	if r.After != nil {
		first := r.After.Text
		if !order.Text {
			first = strconv.FormatFloat(r.After.Number, 'g', -1, 64)
		}
		sr.SetSearchAfter([]string{first, r.After.ID})
	}
	if r.Facets {
		requestFacets(sr, []facet{
			{field: search.FieldFacets, limit: search.MaxFacetTerms},
			{field: search.FieldCategories, limit: search.MaxCategoryTerms},
		})
	}
	return sr
}

func sortBy(order search.Sorted) blevesearch.SearchSort {
	if order.By == "" {
		return &blevesearch.SortScore{Desc: true}
	}
	s := &blevesearch.SortField{Field: order.By, Desc: order.Descending, Type: blevesearch.SortFieldAsNumber}
	if order.Text {
		s.Type = blevesearch.SortFieldAsString
	}
	return s
}

func newHit(h *blevesearch.DocumentMatch, order search.Sorted) (search.PageHit, error) {
	payload, _ := h.Fields[search.FieldPayload].(string)
	hit := search.PageHit{
		Hit:      search.Hit{ProductID: h.ID, Payload: search.RawPayload(payload)},
		Position: search.Position{ID: h.ID},
	}
	switch {
	case order.By == "":
		hit.Score, hit.Position.Number = h.Score, h.Score
	case order.Text:
		hit.Position.Text = h.Sort[0]
	default:
		n, ok := decodeNumber([]byte(h.Sort[0]))
		if !ok {
			return hit, fmt.Errorf("document %s has no %s to sort by", h.ID, order.By)
		}
		hit.Position.Number = n
	}
	return hit, nil
}

// Complete implements search.Backend.
func (e *Engine) Complete(ctx context.Context, c *search.Completion) (*search.Completed, error) {
	found, err := e.find(ctx, func() *bleve.SearchRequest {
		q := &planQuery{plan: c.Plan, statistics: e.vocabulary.Load().statistics}
		sr := newRequest(&search.Request{Limit: c.Limit}, search.Sorted{}, q)
		return requestFacets(sr, []facet{
			{field: search.FieldVocabulary, prefix: c.Prefix, limit: search.MaxCompletedWords},
			{field: search.FieldCategories, limit: search.MaxCompletedCategories},
		})
	})
	if err != nil {
		return nil, err
	}
	done := &search.Completed{
		Words: termCounts(found, search.FieldVocabulary), Categories: termCounts(found, search.FieldCategories),
	}
	for _, h := range found.Hits {
		hit, err := newHit(h, search.Sorted{})
		if err != nil {
			return nil, err
		}
		done.Hits = append(done.Hits, hit.Hit)
	}
	return done, nil
}
