package search

import (
	"context"
	"encoding/json"
)

// Backend carries out plans on one kind of index. An Engine is a Backend with a Searcher on top.
type Backend interface {
	// Execute finds one page.
	Execute(ctx context.Context, r *Request) (*Page, error)
	// Complete finds what begins with something.
	Complete(ctx context.Context, c *Completion) (*Completed, error)
	// Vocabulary is the words of the index as of some seconds ago; nil when they are not known yet.
	Vocabulary() *Vocabulary
}

// Request is a page to be found.
type Request struct {
	Plan   *Plan
	Filter Filter
	Sort   Sort // not empty; SortRelevance without a text is by FieldQuality
	Limit  int  // 0 to learn only the total
	After  *Position
	Facets bool // whether to fill Facets, Categories and Price of the page
}

// Filter keeps some of the documents a plan finds.
type Filter struct {
	CategoryID  string
	Facets      map[string][]string // every name has at least one value
	PriceMin    *int64
	PriceMax    *int64
	InStockOnly bool
}

// Empty reports whether the filter keeps everything.
func (f *Filter) Empty() bool {
	return f.CategoryID == "" && len(f.Facets) == 0 && f.PriceMin == nil && f.PriceMax == nil && !f.InStockOnly
}

// WithoutFacet is the filter without the values selected of one name.
func (f *Filter) WithoutFacet(name string) Filter {
	g := *f
	g.Facets = make(map[string][]string, len(f.Facets))
	for n, values := range f.Facets {
		if n != name {
			g.Facets[n] = values
		}
	}
	return g
}

// WithoutPrice is the filter without price bounds.
func (f *Filter) WithoutPrice() Filter {
	g := *f
	g.PriceMin, g.PriceMax = nil, nil
	return g
}

// The number of terms that are counted for a page.
const (
	MaxFacetTerms    = 500
	MaxCategoryTerms = 100
)

// MaxTotal is up to where an engine has to count.
const MaxTotal = 10_000

// Page is what a Backend found.
type Page struct {
	Hits       []PageHit
	Total      int
	Exact      bool
	Facets     []TermCount            // terms of FieldFacets of the hits
	Selected   map[string][]TermCount // per selected name: its terms, of the hits without the selection of that name
	Categories []TermCount            // terms of FieldCategories of the hits
	Price      *PriceRange            // of the hits without price bounds
}

// PageHit is a hit with its position in the order.
type PageHit struct {
	Hit
	Position Position
}

// TermCount is a term with the number of hits that have it.
type TermCount struct {
	Term  string
	Count int
}

// Completion asks for what begins with something.
type Completion struct {
	Plan   *Plan  // finds documents that have the words before, and one that begins with Prefix
	Prefix string // the last word, as it was typed
	Limit  int    // hits
}

// The number of terms a Backend counts for a completion.
const (
	MaxCompletedWords      = 50
	MaxCompletedCategories = 200
)

// Completed answers a Completion.
type Completed struct {
	Hits       []Hit
	Words      []TermCount // of FieldVocabulary, those that begin with the prefix
	Categories []TermCount // of FieldCategories
}

// Sorted tells how a Sort is done: by a number or a text of a field, upwards or downwards.
// By == "" is by score, which is a number and goes downwards.
type Sorted struct {
	By         string
	Descending bool
	Text       bool
}

// Order resolves the sort of a request.
func (r *Request) Order() Sorted {
	switch r.Sort {
	case SortPriceAsc:
		return Sorted{By: FieldPrice}
	case SortPriceDesc:
		return Sorted{By: FieldPrice, Descending: true}
	case SortNewest:
		return Sorted{By: FieldCreatedAt, Descending: true}
	case SortTitle:
		return Sorted{By: FieldSortTitle, Text: true}
	case SortPopularity:
		return Sorted{By: FieldPopularity, Descending: true}
	}
	if r.Plan.All() {
		return Sorted{By: FieldQuality, Descending: true}
	}
	return Sorted{Descending: true}
}

// RawPayload makes a stored payload the one of a hit.
func RawPayload(stored string) json.RawMessage {
	if stored == "" {
		return nil
	}
	return json.RawMessage(stored)
}
