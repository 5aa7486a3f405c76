package embedded

import (
	"cmp"
	"context"
	"fmt"

	"github.com/blevesearch/bleve/v2/mapping"
	blevesearch "github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/searcher"
	index "github.com/blevesearch/bleve_index_api"

	"shopd/internal/catalog/search"
)

// planQuery is a plan with a filter as a query of bleve. It serves for one search.
type planQuery struct {
	plan       *search.Plan
	filter     search.Filter
	statistics statistics
	prices     search.PriceRange // of the matches, after the search
}

// Searcher implements query.Query.
func (q *planQuery) Searcher(ctx context.Context, r index.IndexReader, _ mapping.IndexMapping, _ blevesearch.SearcherOptions) (blevesearch.Searcher, error) {
	b := builder{ctx: ctx, reader: r, statistics: q.statistics}
	main, err := b.plan(q.plan)
	if err != nil {
		return nil, b.failed(err)
	}
	all, err := b.filters(&q.filter)
	if err != nil {
		return nil, b.failed(err)
	}
	found, err := both(ctx, r, append(all, main))
	if err != nil {
		return nil, b.failed(err)
	}
	values, err := r.DocValueReader([]string{search.FieldQuality, search.FieldPrice})
	if err != nil {
		return nil, b.failed(err)
	}
	ranked := &ranked{matching: found, values: values, prices: &q.prices}
	for i := range q.plan.Optional {
		c := &q.plan.Optional[i]
		s, err := b.clause(c)
		if err != nil {
			return nil, b.failed(err)
		}
		ranked.preferences = append(ranked.preferences, &preference{matching: s, boost: c.Boost})
	}
	return ranked, nil
}

// builder makes searchers of a plan.
type builder struct {
	ctx        context.Context //nolint:containedctx // lives for one call of Searcher
	reader     index.IndexReader
	statistics statistics
	open       []blevesearch.Searcher
}

// failed closes what was opened before err.
func (b *builder) failed(err error) error {
	for _, s := range b.open {
		err = cmp.Or(err, s.Close())
	}
	return fmt.Errorf("prepare the search: %w", err)
}

// keep remembers an opened searcher.
func (b *builder) keep(s blevesearch.Searcher, err error) (matching, error) {
	if err != nil {
		return nil, err
	}
	b.open = append(b.open, s)
	return s, nil
}

func (b *builder) plan(p *search.Plan) (matching, error) {
	if p.All() {
		live, err := b.term(search.FieldLive, yes)
		return constant{live, 1}, err
	}
	readings := make([]matching, len(p.Readings))
	for i, reading := range p.Readings {
		clauses := make([]matching, len(reading))
		for j := range reading {
			var err error
			if clauses[j], err = b.clause(&reading[j]); err != nil {
				return nil, err
			}
		}
		var err error
		if readings[i], err = both(b.ctx, b.reader, clauses); err != nil {
			return nil, err
		}
	}
	return newBest(readings), nil
}

func (b *builder) clause(c *search.Clause) (matching, error) {
	alternatives := make([]matching, len(c.Alternatives))
	for i := range c.Alternatives {
		var err error
		if alternatives[i], err = b.alternative(&c.Alternatives[i]); err != nil {
			return nil, err
		}
	}
	return newBest(alternatives), nil
}

func (b *builder) alternative(a *search.Alternative) (matching, error) {
	terms := make([]matching, len(a.Terms))
	for i, t := range a.Terms {
		var err error
		if terms[i], err = b.match(a.Match, t); err != nil {
			return nil, err
		}
	}
	all, err := both(b.ctx, b.reader, terms)
	if err != nil || a.Match == search.Words {
		return all, err
	}
	return constant{all, a.Score}, nil
}

func (b *builder) match(m search.Match, term string) (matching, error) {
	switch m {
	case search.Words:
		t, err := newScoredTerm(b.ctx, b.reader, term, b.statistics)
		if err != nil {
			return nil, err
		}
		return b.keep(t, nil)
	case search.Code:
		return b.term(search.FieldCodes, term)
	case search.CodePrefix:
		return b.keep(searcher.NewTermPrefixSearcher(b.ctx, b.reader, term, search.FieldCodes, 1, unscored))
	case search.Prefix:
		return b.term(search.FieldPrefixes, term)
	}
	return nil, fmt.Errorf("unknown match %d", m)
}

func (b *builder) term(field, term string) (matching, error) {
	return b.keep(searcher.NewTermSearcher(b.ctx, b.reader, term, field, 1, unscored))
}

func (b *builder) filters(f *search.Filter) ([]matching, error) {
	var all []matching
	add := func(s matching, err error) error {
		if err == nil {
			all = append(all, constant{s, 0})
		}
		return err
	}
	if f.CategoryID != "" {
		if err := add(b.term(search.FieldCategoryIDs, f.CategoryID)); err != nil {
			return nil, err
		}
	}
	if f.InStockOnly {
		if err := add(b.term(search.FieldInStock, yes)); err != nil {
			return nil, err
		}
	}
	if f.PriceMin != nil || f.PriceMax != nil {
		if err := add(b.price(f)); err != nil {
			return nil, err
		}
	}
	for name, values := range f.Facets {
		if err := add(b.facet(name, values)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (b *builder) price(f *search.Filter) (matching, error) {
	inclusive := true
	return b.keep(searcher.NewNumericRangeSearcher(b.ctx, b.reader, float(f.PriceMin), float(f.PriceMax),
		&inclusive, &inclusive, search.FieldPrice, 1, unscored))
}

func float(p *int64) *float64 {
	if p == nil {
		return nil
	}
	f := float64(*p)
	return &f
}

func (b *builder) facet(name string, values []string) (matching, error) {
	found := make([]matching, len(values))
	for i, v := range values {
		var err error
		if found[i], err = b.term(search.FieldFacets, search.FacetTerm(name, v)); err != nil {
			return nil, err
		}
	}
	return newBest(found), nil
}
