package search

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"shopd/internal/platform/errs"
)

// The fields of an index, the same in every engine. FieldTerms is scored, the others hold exact values.
const (
	FieldTerms       = "terms"        // text: every term, as often as it weighs
	FieldNames       = "names"        // beginnings of the words of title, brand, categories and collections
	FieldVocabulary  = "vocabulary"   // the words of title, label and attributes as they are written, and kinds of them
	FieldRuns        = "runs"         // the title from each of its words on, without separators
	FieldCodes       = "codes"        // SKUs and GTINs without separators
	FieldFacets      = "facets"       // name and value, see FacetTerm
	FieldCategories  = "categories"   // id and name of a category, see FacetTerm
	FieldCategoryIDs = "category_ids" // of the categories and their ancestors
	FieldPrice       = "price"        // number
	FieldInStock     = "in_stock"     // boolean
	FieldPopularity  = "popularity"   // number
	FieldQuality     = "quality"      // number: what a score is multiplied by
	FieldCreatedAt   = "created_at"   // number: milliseconds since 1970
	FieldSortTitle   = "sort_title"   // the title as people sort
	FieldID          = "id"           // decides ties of an order
	FieldLive        = "live"         // boolean: searches find it
	FieldVersion     = "version"      // number
	FieldPayload     = "payload"      // stored only
)

// Entry is a document after the analysis: what engines store.
type Entry struct {
	ID          string
	Version     int64
	Live        bool // false for deleted and inactive documents, of which only the version is kept
	Terms       []Term
	Names       []string // words of title, brand, categories and collections: what is completed while typing
	Vocabulary  []string
	Runs        []string
	Codes       []string
	Facets      []string
	Categories  []string
	CategoryIDs []string
	Price       int64
	InStock     bool
	Popularity  float64
	Quality     float64
	CreatedAt   int64
	SortTitle   string
	Payload     string
}

// Term is a term of a document with how much it says about it, from 1 to MaxWeight.
type Term struct {
	Text   string
	Weight uint8
}

// Tombstone is the entry that remembers the version of a deleted document.
func Tombstone(r Ref) Entry { return Entry{ID: r.ProductID, Version: r.Version} }

// NewEntry analyses a document. It fails for documents that no index could hold.
func NewEntry(d *Document) (Entry, error) {
	if err := d.validate(); err != nil {
		return Entry{}, err
	}
	if d.Status != StatusActive {
		return Tombstone(Ref{d.ProductID, d.Version}), nil
	}
	a := newAnalyser(d)
	return Entry{
		ID: d.ProductID, Version: d.Version, Live: true,
		Terms: a.terms(), Names: a.names.values, Vocabulary: a.vocabulary.values, Runs: a.runs.values, Codes: a.codes.values,
		Facets: facetTerms(d), Categories: categoryTerms(d), CategoryIDs: slices.Clone(d.CategoryIDs),
		Price: d.Price, InStock: d.InStock, Popularity: d.Popularity, Quality: quality(d),
		CreatedAt: d.CreatedAt.UnixMilli(), SortTitle: sortTitle(d.Title), Payload: string(d.Payload),
	}, nil
}

// NewEntries analyses documents, and returns those apart that no index can hold.
func NewEntries(docs []Document) ([]Entry, []Failure) {
	entries := make([]Entry, 0, len(docs))
	var refused []Failure
	for i := range docs {
		e, err := NewEntry(&docs[i])
		if err != nil {
			refused = append(refused, Failure{ProductID: docs[i].ProductID, Err: err})
			continue
		}
		entries = append(entries, e)
	}
	return entries, refused
}

func (d *Document) validate() error {
	switch {
	case d.ProductID == "" || len(d.ProductID) > 200:
		return errs.Validation(errs.Field{Pointer: "/product_id", Code: "invalid", Detail: "A document needs an id of at most 200 bytes."})
	case d.Version < 0:
		return errs.Validation(errs.Field{Pointer: "/version", Code: "invalid", Detail: "A version is not negative."})
	case math.IsNaN(d.Popularity) || math.IsInf(d.Popularity, 0) || d.Popularity < 0:
		return errs.Validation(errs.Field{Pointer: "/popularity", Code: "invalid", Detail: "A popularity is a number from 0."})
	case len(d.CategoryNames) != len(d.CategoryIDs):
		return errs.Validation(errs.Field{Pointer: "/category_names", Code: "invalid", Detail: "Every category has one name."})
	case len(d.Payload) > 0 && !json.Valid(d.Payload):
		return errs.Validation(errs.Field{Pointer: "/payload", Code: "invalid", Detail: "The payload is not JSON."})
	}
	return nil
}

// quality is what a score is multiplied by: a slight preference for what can be had and what sells.
func quality(d *Document) float64 {
	const stock, popular, half = 0.10, 0.15, 3
	q := 1.0
	if d.InStock {
		q += stock
	}
	p := math.Log1p(d.Popularity)
	return q + popular*p/(p+half)
}

// sortTitle is the title as people sort: without case and accents.
func sortTitle(title string) string {
	const untitled = "-" // an empty value would be none, and have no place in the order
	return cmp.Or(cut(strings.Join(strings.Fields(normalise(title)), " "), 200), untitled)
}

// cut returns at most n bytes of s, without a broken letter at the end.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// separator stands between the two halves of a facet term and in no name.
const separator = "\x1f"

// FacetTerm is how a name with a value is indexed.
func FacetTerm(name, value string) string { return cut(FacetPrefix(name)+value, maxFacetBytes) }

// FacetPrefix is how the terms of all values of a name begin.
func FacetPrefix(name string) string { return strings.ReplaceAll(name, separator, " ") + separator }

// maxFacetBytes keeps facet terms below the length that Lucene refuses.
const maxFacetBytes = 1000

func facetTerms(d *Document) []string {
	var s set
	if d.Brand != "" && d.Attributes[FacetBrand] == nil {
		s.add(FacetTerm(FacetBrand, d.Brand))
	}
	for name, values := range d.Attributes {
		for _, v := range values {
			if v != "" {
				s.add(FacetTerm(name, v))
			}
		}
	}
	return s.values
}

func categoryTerms(d *Document) []string {
	var s set
	for i, id := range d.CategoryIDs {
		s.add(cut(fmt.Sprintf("%s%s%s", id, separator, d.CategoryNames[i]), maxFacetBytes))
	}
	return s.values
}

// set collects strings once, in the order of their first coming.
type set struct {
	values []string
	seen   map[string]struct{}
}

func (s *set) add(v string) {
	if _, ok := s.seen[v]; ok {
		return
	}
	if s.seen == nil {
		s.seen = make(map[string]struct{})
	}
	s.seen[v] = struct{}{}
	s.values = append(s.values, v)
}
