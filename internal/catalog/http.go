package catalog

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
)

// RegisterStore adds what shoppers read of the catalogue to api.
func RegisterStore(api *httpx.API, s *Service) {
	h := storeHandlers{s}
	public := func(r httpx.Route) httpx.Route {
		r.Method, r.Tag, r.Access = http.MethodGet, "Catalogue", httpx.Public()
		return r
	}
	httpx.Register(api, public(httpx.Route{
		ID: "list-products", Path: "/api/v1/store/products", Summary: "List products", Answer: httpx.List[ListItem]{}, Errors: []int{404, 422},
	}), h.list)
	httpx.Register(api, public(httpx.Route{
		ID: "get-product", Path: "/api/v1/store/products/{ref}", Summary: "Get a product by id or slug", Answer: Product{}, Errors: []int{404},
	}), h.product)
	httpx.Register(api, public(httpx.Route{
		ID: "list-reviews", Path: "/api/v1/store/products/{ref}/reviews", Summary: "List the reviews of a product", Errors: []int{404, 422},
	}), h.reviews)
	httpx.Register(api, public(httpx.Route{
		ID: "list-categories", Path: "/api/v1/store/categories", Summary: "Get the category tree",
	}), h.categories)
	httpx.Register(api, public(httpx.Route{
		ID: "search", Path: "/api/v1/store/search", Summary: "Search products", OpenQuery: true, Answer: searchAnswer{}, Errors: []int{404, 422, 503},
	}), h.search)
	httpx.Register(api, public(httpx.Route{
		ID: "suggest", Path: "/api/v1/store/search/suggest", Summary: "Complete what a shopper types", Errors: []int{422, 503},
	}), h.suggest)
}

type storeHandlers struct{ *Service }

// rendered is an answer whose bytes are there already.
type rendered struct {
	ContentType  string `header:"Content-Type"`
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	// ContentLength spares net/http the chunks, and with them a system call for their end.
	ContentLength string `header:"Content-Length" hidden:"true"`
	Status        int
	Body          []byte
}

func renderedOK(body []byte, cacheControl string) *rendered {
	return &rendered{ContentType: jsonType, CacheControl: cacheControl, ContentLength: strconv.Itoa(len(body)), Status: http.StatusOK, Body: body}
}

const (
	jsonType = "application/json"
	// publicCache lets browsers and proxies keep what everybody sees, and ask whether it is still so.
	publicCache = "public, max-age=0, s-maxage=2, stale-while-revalidate=10"
)

type listInput struct {
	httpx.Page
	Category string `query:"category" maxLength:"200" doc:"Id or slug; products of the categories below it are in the list too."`
	Sort     string `query:"sort" enum:"-created_at,price,-price,title,-popularity" default:"-created_at"`
	Count    string `query:"count" enum:"none,estimate,exact" default:"none" doc:"Lists are not counted exactly; the category tree has the numbers."`
}

func (h storeHandlers) list(ctx context.Context, in *listInput) (*rendered, error) {
	items, next, err := h.ListJSON(ctx, ListQuery{Category: in.Category, Sort: in.Sort, Limit: in.Limit, After: in.After})
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(httpx.NewList(items, next))
	return renderedOK(body, publicCache), err
}

type productInput struct {
	Ref         string `path:"ref" maxLength:"200" doc:"Id or slug."`
	IfNoneMatch string `header:"If-None-Match"`
}

func (h storeHandlers) product(ctx context.Context, in *productInput) (*rendered, error) {
	body, etag, err := h.ProductJSON(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	r := renderedOK(body, publicCache)
	r.ETag = etag
	if in.IfNoneMatch == etag {
		r.Status, r.Body, r.ContentLength = http.StatusNotModified, nil, ""
	}
	return r, nil
}

type reviewsInput struct {
	httpx.Page
	Ref string `path:"ref" maxLength:"200"`
}

type reviewsOutput struct{ Body httpx.List[Review] }

func (h storeHandlers) reviews(ctx context.Context, in *reviewsInput) (*reviewsOutput, error) {
	p, err := h.Product(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	list, next, err := h.Reviews(ctx, p.ID, in.After, in.Limit)
	return &reviewsOutput{httpx.NewList(list, next)}, err
}

type categoriesOutput struct {
	Body struct {
		Items []Category `json:"items"`
	}
}

func (h storeHandlers) categories(ctx context.Context, _ *struct{}) (*categoriesOutput, error) {
	top, err := h.Categories(ctx)
	out := &categoriesOutput{}
	out.Body.Items = top
	return out, err
}

type searchInput struct {
	httpx.Page
	Q        string                `query:"q" maxLength:"1000" doc:"What the shopper typed; taken literally."`
	Category string                `query:"category" maxLength:"200" doc:"Id or slug."`
	PriceMin httpx.Optional[int64] `query:"price_min" minimum:"0" maximum:"1000000000000" doc:"Minor units of the shop's currency."`
	PriceMax httpx.Optional[int64] `query:"price_max" minimum:"0" maximum:"1000000000000" doc:"Minor units of the shop's currency."`
	InStock  bool                  `query:"in_stock" doc:"Only what is there."`
	Sort     string                `query:"sort" enum:"relevance,-created_at,price,-price,title,-popularity" default:"relevance"`
	Count    string                `query:"count" enum:"none,estimate,exact" default:"estimate"`

	facets map[string][]string
}

const (
	facetPrefix    = "facet."
	maxFacetNames  = 20
	maxFacetValues = 100
)

// Resolve reads facet.<name> parameters, which may come any number of times, and refuses unknown ones.
func (in *searchInput) Resolve(hctx huma.Context) []error {
	u := hctx.URL()
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return []error{errs.New(errs.Malformed, "malformed_query", "The query string cannot be read.")}
	}
	known := []string{"q", "category", "price_min", "price_max", "in_stock", "sort", "limit", "after", "count"}
	if err := httpx.UnknownQuery(query, known, facetPrefix); err != nil {
		return []error{err}
	}
	values := 0
	for name, list := range query {
		facet, ok := strings.CutPrefix(name, facetPrefix)
		if !ok {
			continue
		}
		if in.facets == nil {
			in.facets = map[string][]string{}
		}
		in.facets[facet] = append(in.facets[facet], list...)
		values += len(list)
	}
	if len(in.facets) > maxFacetNames || values > maxFacetValues {
		return []error{errs.New(errs.Invalid, "invalid_parameter", "Too many facets.").
			WithFields(errs.Field{Pointer: "query/facet", Code: "invalid_parameter", Detail: "at most 20 names and 100 values"})}
	}
	return nil
}

type searchAnswer struct {
	Items          []ListItem  `json:"items"`
	Facets         []Facet     `json:"facets"`
	Total          int         `json:"total" doc:"How many there are; at least so many where total_exact is false."`
	TotalExact     bool        `json:"total_exact"`
	Price          *priceRange `json:"price_range,omitempty"`
	Next           *string     `json:"next"`
	CorrectedQuery string      `json:"corrected_query,omitempty" doc:"What was searched instead."`
	DroppedWords   []string    `json:"dropped_words,omitempty" doc:"Words that nothing found had to have."`
	QueryID        string      `json:"query_id" doc:"Send it with the clicks that follow."`
}

type priceRange struct {
	Min int64 `json:"min"`
	Max int64 `json:"max"`
}

func (h storeHandlers) search(ctx context.Context, in *searchInput) (*rendered, error) {
	hits, found, err := h.Service.search(ctx, SearchQuery{
		Text: in.Q, Category: in.Category, Facets: in.facets, PriceMin: in.PriceMin.Pointer(), PriceMax: in.PriceMax.Pointer(), InStock: in.InStock,
		Sort: in.Sort, Limit: in.Limit, After: in.After,
	})
	if err != nil {
		return nil, err
	}
	answer := struct {
		Items []json.RawMessage `json:"items"`
		searchAnswer
	}{Items: make([]json.RawMessage, len(hits)), searchAnswer: searchAnswer{
		Facets: found.Facets, Total: found.Total, TotalExact: found.TotalExact, CorrectedQuery: found.CorrectedQuery, DroppedWords: found.Dropped, QueryID: found.QueryID,
	}}
	for i, hit := range hits {
		answer.Items[i] = hit.Payload
	}
	if found.PriceMax > 0 {
		answer.Price = &priceRange{found.PriceMin, found.PriceMax}
	}
	if found.Next != "" {
		answer.Next = &found.Next
	}
	body, err := json.Marshal(answer)
	return renderedOK(body, "no-store"), err
}

type suggestInput struct {
	Q string `query:"q" maxLength:"100"`
}

type suggestOutput struct{ Body *Suggestions }

func (h storeHandlers) suggest(ctx context.Context, in *suggestInput) (*suggestOutput, error) {
	found, err := h.Suggest(ctx, in.Q)
	return &suggestOutput{found}, err
}
