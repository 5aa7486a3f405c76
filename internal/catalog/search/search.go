// Package search finds products: one query model, one analysis of text and one way to rank, which two engines carry
// out (elastic for production, embedded for a single process).
//
// An index is a read model. It is filled with Documents by whoever owns the catalogue, can be thrown away and
// rebuilt at any moment, and never decides what a customer pays.
package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"shopd/internal/platform/errs"
)

var (
	// ErrUnavailable says that the index does not answer now; whoever asked should fall back or try again.
	ErrUnavailable = errs.New(errs.Unavailable, "search_unavailable", "Search is not available at the moment.").WithRetryAfter(time.Second)
	// ErrInvalidParameter says that a part of the query cannot be used: an unknown sort, a limit out of range, a
	// cursor that was not given out for this query.
	ErrInvalidParameter = errs.New(errs.Invalid, "invalid_parameter", "A parameter of the search is not acceptable.")
	// ErrRebuildSuperseded says that a newer rebuild took the place of this one.
	ErrRebuildSuperseded = errs.New(errs.Conflict, "rebuild_superseded", "Another rebuild of the search index was started.")
)

// Engine is a search index. All methods are safe for concurrent use, and errors that a user may come to see are
// ErrUnavailable, ErrInvalidParameter or the context's own.
type Engine interface {
	// Upsert stores documents. A document whose Version is lower than the one that is stored (or was deleted) is
	// silently left out. The error is a *BulkError when some documents were refused and the others stored.
	Upsert(ctx context.Context, docs []Document) error
	// Delete removes documents, and remembers the versions, so that an older Upsert that comes late does not bring
	// them back. Removing what is not there is no error.
	Delete(ctx context.Context, refs []Ref) error
	// Search answers a query. The zero Query lists all active documents.
	Search(ctx context.Context, q Query) (Result, error)
	// Suggest completes what somebody is typing; limit bounds each of the three lists.
	Suggest(ctx context.Context, prefix string, limit int) (Suggestions, error)
	// Rebuild starts an empty index beside the one that is searched. Everything that is upserted or deleted from now
	// on, by any process, goes to both; read the documents to write after Rebuild has returned. A rebuild
	// that was left behind is superseded.
	Rebuild(ctx context.Context) (Rebuild, error)
	// Missing returns those refs of which the index has neither this version nor a newer one: they were never stored,
	// or lost since.
	Missing(ctx context.Context, refs []Ref) ([]Ref, error)
	// Ping fails when the engine cannot answer.
	Ping(ctx context.Context) error
	// Count is the number of active documents. It is 0 for an index that was lost and needs a Rebuild.
	Count(ctx context.Context) (int, error)
	// Refresh makes everything stored so far visible; without it that takes less than a second. For tests.
	Refresh(ctx context.Context) error
	// Close stops background work and releases the index.
	Close() error
}

// Rebuild is an index being filled. It ends with Commit or Abort; Abort after Commit does nothing.
type Rebuild interface {
	// Write stores documents in the new index; older versions are left out as in Engine.Upsert.
	Write(ctx context.Context, docs []Document) error
	// Commit lets searches use the new index and removes the old one. ErrRebuildSuperseded when a newer rebuild began.
	Commit(ctx context.Context) error
	// Abort removes the new index.
	Abort(ctx context.Context) error
}

// StatusActive is the Status of a document that searches find; any other hides it.
const StatusActive = "active"

// Document is what an index knows of a product.
type Document struct {
	ProductID   string // "prod_…", the identity of the document
	Slug        string
	Title       string
	Description string // plain text
	Brand       string // also a facet of the name FacetBrand
	SKUs        []string
	GTINs       []string
	// CategoryIDs are the product's categories and all their ancestors; CategoryNames[i] is the name of CategoryIDs[i].
	CategoryIDs   []string
	CategoryNames []string
	Collections   []string
	// Attributes are the facets: "Colour" → {"Red", "Blue"}.
	Attributes map[string][]string
	Price      int64 // of the cheapest variant, minor units of the shop's currency
	InStock    bool
	Popularity float64 // ≥ 0, for example units sold lately; its order of magnitude counts, not its unit
	CreatedAt  time.Time
	Status     string
	// Version grows with every change of the document: an older one never overwrites a newer one, an equal one does.
	Version int64
	// Payload is given back verbatim in hits: the listing item. Must be valid JSON or empty.
	Payload json.RawMessage
}

// Ref names a document to be deleted. Version is to be greater than the one of every Upsert that came before.
type Ref struct {
	ProductID string
	Version   int64
}

// Sort is the order of results. The empty Sort is SortRelevance.
type Sort string

// The orders; ties are broken by product id. Without a text, SortRelevance lists what is in stock and popular first.
const (
	SortRelevance  Sort = "relevance"
	SortPriceAsc   Sort = "price"
	SortPriceDesc  Sort = "-price"
	SortNewest     Sort = "-created_at"
	SortTitle      Sort = "title"
	SortPopularity Sort = "popularity" // most popular first
)

// The bounds of Query.Limit; zero means DefaultLimit.
const (
	DefaultLimit = 24
	MaxLimit     = 100
)

// FacetBrand is the name of the facet made from Document.Brand.
const FacetBrand = "Brand"

// Query is what somebody looks for.
type Query struct {
	// Text is what they typed, taken literally: it has no operators. Beyond MaxTextBytes it is ignored.
	Text       string
	CategoryID string
	// Facets keeps documents that have one of the values of every name.
	Facets      map[string][]string
	PriceMin    *int64 // minor units, inclusive
	PriceMax    *int64 // minor units, inclusive
	InStockOnly bool
	Sort        Sort
	Limit       int
	// Synonyms are the shop's own, besides those of the language; nil for none.
	Synonyms *Synonyms
	// After is the Next of an earlier Result of the same query (Limit may differ).
	After string
}

// Result is one page of hits with what is needed to narrow the query.
type Result struct {
	Items []Hit
	// Facets are counted disjunctively: the values of a name as if none of that name were selected.
	// They are there on the first page only (Query.After empty).
	Facets []Facet
	// Categories are those of the hits, the most frequent first; on the first page only.
	Categories []CategoryCount
	// Price spans the hits as if the query had no price bounds; nil when there are none. On the first page only.
	Price *PriceRange
	// Total is the number of hits; at least so many when TotalIsExact is false.
	Total        int
	TotalIsExact bool
	// Matching is how many of them meet all words of the text. The others, which follow when those are few, miss one.
	Matching int
	// Next is the cursor of the following page; empty on the last one.
	Next string
	// CorrectedQuery is the text that was searched in place of Query.Text, when nothing matched that.
	CorrectedQuery string
	// Dropped are words that no hit had to match, because nothing matched all of them.
	Dropped []string
}

// Hit is a document found.
type Hit struct {
	ProductID string
	Score     float64 // comparable within one result; 0 when the order is not by relevance
	Payload   json.RawMessage
}

// Facet is an attribute with its values, the most frequent first.
type Facet struct {
	Name   string
	Values []FacetValue
}

// FacetValue is a value with the number of hits that have it.
type FacetValue struct {
	Value    string
	Count    int
	Selected bool
}

// CategoryCount is a category with the number of hits in it or below it.
type CategoryCount struct {
	ID    string
	Name  string
	Count int
}

// PriceRange is in minor units, inclusive.
type PriceRange struct {
	Min int64
	Max int64
}

// Suggestions complete what is being typed, best first.
type Suggestions struct {
	Queries    []string
	Products   []Hit
	Categories []Category
}

// Category is a category to go to.
type Category struct {
	ID   string
	Name string
}

// BulkError lists the documents that an index refused; the other documents of the call were stored. Refused
// documents will be refused again: log them and go on.
type BulkError struct {
	Failures []Failure
}

// Failure is one refused document.
type Failure struct {
	ProductID string
	Err       error
}

// Refused is a *BulkError of the failures, or nil when there are none.
func Refused(failures []Failure) error {
	if len(failures) == 0 {
		return nil
	}
	return &BulkError{Failures: failures}
}

// Error names at most three of the documents.
func (e *BulkError) Error() string {
	const shown = 3
	parts := make([]string, 0, shown)
	for _, f := range e.Failures[:min(shown, len(e.Failures))] {
		parts = append(parts, fmt.Sprintf("%s: %v", f.ProductID, f.Err))
	}
	return fmt.Sprintf("search: %d documents refused (%s)", len(e.Failures), strings.Join(parts, "; "))
}

// Unwrap returns the errors of all documents.
func (e *BulkError) Unwrap() []error {
	all := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		all[i] = f.Err
	}
	return all
}

// Unavailable wraps err as ErrUnavailable, unless it is already an error for the user or the caller gave up.
func Unavailable(err error) error {
	if err == nil || errs.As(err) != nil || errors.Is(err, context.Canceled) {
		return err
	}
	return ErrUnavailable.Wrap(err)
}
