package catalog

import (
	"time"

	real "shopd/internal/catalog"
)

type (
	Product      = real.Product
	ProductID    = real.ProductID
	VariantID    = real.VariantID
	Variant      = real.Variant
	Image        = real.Image
	Option       = real.Option
	Rating       = real.Rating
	Availability = real.Availability
	CategoryRef  = real.CategoryRef
	Category     = real.Category
	CategoryID   = real.CategoryID
	ListItem     = real.ListItem
	Review       = real.Review
)

type ListQuery struct {
	Category string
	Sort     string
	Limit    int
	After    string
}

type SearchQuery struct {
	Text, Category     string
	Facets             map[string][]string
	PriceMin, PriceMax *int64
	InStock            bool
	Sort               string
	Limit              int
	After              string
}

type FacetValue struct {
	Value    string
	Count    int
	Selected bool
}
type Facet struct {
	Name   string
	Values []FacetValue
}

type SearchResult struct {
	Items              []ListItem
	Facets             []Facet
	Total              int
	TotalExact         bool
	PriceMin, PriceMax int64
	Next               string
	CorrectedQuery     string
	Dropped            []string
	QueryID            string
}
type Suggestions struct {
	Queries    []string
	Products   []ListItem
	Categories []CategoryRef
}
type SitemapEntry struct {
	Slug      string
	UpdatedAt time.Time
}
