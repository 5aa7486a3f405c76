package storefront

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"shopd/internal/catalog"
	"shopd/internal/money"
	"shopd/internal/platform/errs"
)

const (
	pageLength  = 24
	eagerCards  = 4   // in sight before anybody scrolls
	maxQuery    = 200 // characters of a search that are looked at
	maxFacets   = 40  // values that one address may ask for
	facetPrefix = "facet."
)

// sortOption is an order a list can be in.
type sortOption struct {
	Value, Label string
	Selected     bool
}

var sortOptions = []sortOption{
	{Value: "-popularity", Label: "Popular first"},
	{Value: "-created_at", Label: "Newest first"},
	{Value: "price", Label: "Price, low to high"},
	{Value: "-price", Label: "Price, high to low"},
	{Value: "title", Label: "Name, A to Z"},
}

// listingBody is a page of products with what narrows them down.
type listingBody struct {
	Category   *catalog.Category // nil for a search in the whole shop
	Heading    string
	Text       string // what was searched for
	Corrected  string
	CorrectURL string
	Dropped    []string
	Count      string
	Items      []card
	Next       string // address of the following page
	First      string // address of the first page, empty on it
	Action     string // where the filter form goes
	Sorts      []sortOption
	Facets     []facetGroup
	Active     []activeFilter
	Price      priceFilter
	InStock    bool
	ClearURL   string
	Degraded   bool // the search engine does not answer
	Filters    bool // there is something to narrow down
	QueryID    string
	Popular    []card // to go on with when nothing was found
}

type facetGroup struct {
	Name, Param string
	Open        bool
	Values      []facetValue
}

type facetValue struct {
	Value    string
	Count    int
	Selected bool
	Swatch   string // colour to draw, empty for a word
}

// activeFilter is one thing that narrows the list, with the address of the list without it.
type activeFilter struct{ Label, URL string }

type priceFilter struct {
	Symbol       string
	Min, Max     string // as typed
	Lowest, Most string // of the list
}

// filters is what the address of a list asks for.
type filters struct {
	path     string
	text     string
	category string
	facets   map[string][]string
	min, max string
	inStock  bool
	sort     string
	after    string
}

func readFilters(r *http.Request) filters {
	q := r.Form
	f := filters{
		path: r.URL.Path, text: truncate(strings.TrimSpace(q.Get("q")), maxQuery), facets: map[string][]string{},
		min: decimal(q.Get("min")), max: decimal(q.Get("max")), inStock: q.Get("in_stock") == "1", after: q.Get("after"),
	}
	if slices.ContainsFunc(sortOptions, func(o sortOption) bool { return o.Value == q.Get("sort") }) {
		f.sort = q.Get("sort")
	}
	total := 0
	for param, values := range q {
		name, ok := strings.CutPrefix(param, facetPrefix)
		if !ok || name == "" {
			continue
		}
		for _, v := range values {
			if total++; v != "" && total <= maxFacets {
				f.facets[name] = append(f.facets[name], v)
			}
		}
	}
	return f
}

// narrowed reports whether the list is less than the whole category or search.
func (f filters) narrowed() bool {
	return len(f.facets) > 0 || f.min != "" || f.max != "" || f.inStock
}

func (f filters) values() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("q", f.text)
	set("sort", f.sort)
	set("min", f.min)
	set("max", f.max)
	set("after", f.after)
	if f.inStock {
		q.Set("in_stock", "1")
	}
	for name, values := range f.facets {
		q[facetPrefix+name] = values
	}
	return q
}

// url is the address of the list that f describes.
func (f filters) url() string {
	if q := f.values().Encode(); q != "" {
		return f.path + "?" + q
	}
	return f.path
}

// with returns the first page of a changed list.
func (f filters) with(change func(*filters)) filters {
	c := f
	c.after = ""
	c.facets = map[string][]string{}
	for name, values := range f.facets {
		c.facets[name] = slices.Clone(values)
	}
	change(&c)
	return c
}

func (f filters) query(currency money.Currency) catalog.SearchQuery {
	q := catalog.SearchQuery{
		Text: f.text, Category: f.category, Facets: f.facets, InStock: f.inStock, Sort: f.sort, Limit: pageLength, After: f.after,
		PriceMin: minor(f.min, currency), PriceMax: minor(f.max, currency),
	}
	if q.Sort == "" && q.Text == "" {
		q.Sort = "-popularity"
	}
	return q
}

func (f filters) active(currency money.Currency) []activeFilter {
	var list []activeFilter
	add := func(label string, change func(*filters)) {
		list = append(list, activeFilter{Label: label, URL: f.with(change).url()})
	}
	for _, name := range sortedKeys(f.facets) {
		for _, value := range f.facets[name] {
			add(name+": "+value, func(c *filters) {
				c.facets[name] = slices.DeleteFunc(c.facets[name], func(v string) bool { return v == value })
				if len(c.facets[name]) == 0 {
					delete(c.facets, name)
				}
			})
		}
	}
	if a := minor(f.min, currency); a != nil {
		add("From "+price(money.New(*a, currency)), func(c *filters) { c.min = "" })
	}
	if a := minor(f.max, currency); a != nil {
		add("Up to "+price(money.New(*a, currency)), func(c *filters) { c.max = "" })
	}
	if f.inStock {
		add("In stock", func(c *filters) { c.inStock = false })
	}
	return list
}

func (s *Storefront) category(w http.ResponseWriter, r *http.Request) error {
	category, err := s.Catalog.Category(r.Context(), chi.URLParam(r, "slug"))
	if err != nil {
		return err
	}
	if category.Slug != chi.URLParam(r, "slug") {
		return moved(w, r, "/c/"+category.Slug)
	}
	f := readFilters(r)
	f.category, f.text = category.Slug, ""
	body, err := s.list(r.Context(), f)
	if err != nil {
		return err
	}
	body.Category, body.Heading = category, category.Name
	h := head{
		Title:       category.Name,
		Description: "Shop " + category.Name + " at " + s.ShopName + ": " + count(category.Products, "product", "products") + ", filter by what matters to you.",
		Canonical:   f.path,
		NoIndex:     f.narrowed() || f.sort != "" || f.after != "",
		Data:        []any{breadcrumbData(s.BaseURL, category.Path, "", "")},
	}
	if category.Image != nil {
		h.Image = rendition(category.Image.URL, 1200, "jpeg")
	}
	return s.show(w, r, http.StatusOK, "listing", forAll, h, body)
}

func (s *Storefront) search(w http.ResponseWriter, r *http.Request) error {
	f := readFilters(r)
	if f.text == "" && !f.narrowed() {
		return s.emptySearch(w, r)
	}
	body, err := s.list(r.Context(), f)
	if err != nil {
		return err
	}
	body.Heading = "Results for “" + f.text + "”"
	if f.text == "" {
		body.Heading = "All products"
	}
	if len(body.Items) == 0 {
		if front, err := s.front.get(r.Context()); err == nil {
			body.Popular = firstCards(front.Popular, 4)
		}
	}
	return s.show(w, r, http.StatusOK, "listing", forAll, head{Title: body.Heading, NoIndex: true}, body)
}

func (s *Storefront) emptySearch(w http.ResponseWriter, r *http.Request) error {
	body := &listingBody{Heading: "What are you looking for?"}
	if front, err := s.front.get(r.Context()); err == nil {
		body.Popular = front.Popular
	}
	return s.show(w, r, http.StatusOK, "search-empty", forAll, head{Title: "Search", NoIndex: true}, body)
}

// list asks the search engine, and the database for a plain list while the engine does not answer.
func (s *Storefront) list(ctx context.Context, f filters) (*listingBody, error) {
	found, err := s.Catalog.Search(ctx, f.query(s.Currency))
	if errs.KindOf(err) == errs.Invalid && f.after != "" {
		f.after = "" // a bookmark of a page that is gone: begin again
		found, err = s.Catalog.Search(ctx, f.query(s.Currency))
	}
	switch {
	case err == nil:
		return s.found(f, found), nil
	case errs.KindOf(err) != errs.Unavailable || f.text != "":
		return nil, err
	}
	s.Log.WarnContext(ctx, "listing without search", "error", err)
	plain := f.with(func(c *filters) { c.facets, c.min, c.max, c.inStock = nil, "", "", false })
	sort := f.sort
	if sort == "" {
		sort = "-popularity"
	}
	items, next, err := s.Catalog.List(ctx, catalog.ListQuery{Category: f.category, Sort: sort, Limit: pageLength, After: f.after})
	if err != nil {
		return nil, err
	}
	body := &listingBody{Degraded: true, Items: listCards(items), Action: f.path, Sorts: sortsFor(f)}
	body.page(plain, f.after, next)
	return body, nil
}

func (s *Storefront) found(f filters, found *catalog.SearchResult) *listingBody {
	body := &listingBody{
		Text: f.text, Corrected: found.CorrectedQuery, Dropped: found.Dropped, QueryID: found.QueryID,
		Count: resultCount(found), Items: listCards(found.Items), Action: f.path, Sorts: sortsFor(f),
		Facets: facetGroups(found.Facets), Active: f.active(s.Currency), InStock: f.inStock,
		ClearURL: f.with(func(c *filters) { c.facets, c.min, c.max, c.inStock = nil, "", "", false }).url(),
		Price: priceFilter{
			Symbol: symbolOf(s.Currency), Min: f.min, Max: f.max,
			Lowest: money.New(found.PriceMin, s.Currency).Decimal(), Most: money.New(found.PriceMax, s.Currency).Decimal(),
		},
	}
	body.Filters = len(found.Items) > 0 || f.narrowed()
	if found.CorrectedQuery != "" {
		body.CorrectURL = f.with(func(c *filters) { c.text = found.CorrectedQuery }).url()
	}
	body.page(f, f.after, found.Next)
	return body
}

// page sets the addresses of the pages around this one.
func (b *listingBody) page(f filters, after, next string) {
	if next != "" {
		b.Next = f.with(func(c *filters) { c.after = next }).url()
	}
	if after != "" {
		b.First = f.with(func(*filters) {}).url()
	}
}

func sortsFor(f filters) []sortOption {
	out := slices.Clone(sortOptions)
	chosen := f.sort
	if f.text != "" {
		out = slices.Insert(out, 0, sortOption{Label: "Best match"})
	} else if chosen == "" {
		chosen = "-popularity"
	}
	for i := range out {
		out[i].Selected = out[i].Value == chosen
	}
	return out
}

func listCards(items []catalog.ListItem) []card {
	list := make([]card, len(items))
	for i, item := range items {
		list[i] = newCard(item, sizesCard, i < eagerCards)
	}
	return list
}

// firstFacets are what most shoppers narrow a list down by; the others follow in the order of the search engine.
var firstFacets = []string{"Size", "Colour", "Brand", "Gender"}

// openFacets is how many groups show their values before anybody asks.
const openFacets = 3

func facetGroups(facets []catalog.Facet) []facetGroup {
	rank := func(f catalog.Facet) int {
		if i := slices.Index(firstFacets, f.Name); i >= 0 {
			return i
		}
		return len(firstFacets)
	}
	facets = slices.SortedStableFunc(slices.Values(facets), func(a, b catalog.Facet) int { return cmp.Compare(rank(a), rank(b)) })
	var groups []facetGroup
	for _, f := range facets {
		if len(f.Values) == 1 && !f.Values[0].Selected {
			continue // everything has it: nothing to choose
		}
		g := facetGroup{Name: f.Name, Param: facetPrefix + f.Name, Open: len(groups) < openFacets}
		swatches := isColourOption(f.Name)
		values := f.Values
		if f.Name == "Size" {
			values = slices.SortedStableFunc(slices.Values(values), func(a, b catalog.FacetValue) int { return compareSizes(a.Value, b.Value) })
		}
		for _, v := range values {
			value := facetValue{Value: v.Value, Count: v.Count, Selected: v.Selected}
			if swatches {
				value.Swatch = swatch(v.Value)
			}
			g.Open = g.Open || v.Selected
			g.Values = append(g.Values, value)
		}
		if len(g.Values) > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}

func resultCount(r *catalog.SearchResult) string {
	if r.TotalExact {
		return count(r.Total, "product", "products")
	}
	return "More than " + count(r.Total, "product", "products")
}

// moved sends on to the one address of a thing that was asked for by another name.
func moved(w http.ResponseWriter, r *http.Request, to string) error {
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	http.Redirect(w, r, to, http.StatusMovedPermanently) //nolint:gosec // callers name a path of this shop
	return nil
}

// decimal keeps what can be a price, and drops everything else.
func decimal(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), ",", ".")
	whole, part, _ := strings.Cut(s, ".")
	if _, err := strconv.ParseUint(whole, 10, 40); err != nil || len(part) > 3 {
		return ""
	}
	if _, err := strconv.ParseUint("0"+part, 10, 40); err != nil {
		return ""
	}
	return s
}

func minor(s string, currency money.Currency) *int64 {
	if s == "" {
		return nil
	}
	a, err := money.ParseDecimal(s, currency)
	if err != nil {
		return nil
	}
	return &a.Minor
}

func symbolOf(c money.Currency) string {
	if s, ok := symbols[c]; ok {
		return s
	}
	return string(c)
}

func truncate(s string, n int) string {
	runes := 0
	for i := range s {
		if runes == n {
			return s[:i]
		}
		runes++
	}
	return s
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
