package storefront

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
	"golang.org/x/sync/errgroup"

	"shopd/internal/catalog"
	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/recs"
)

const (
	reviewsShown = 6
	optionPrefix = "option."
)

type productBody struct {
	*catalog.Product
	Gallery    []*picture
	Options    []optionGroup
	Chosen     *catalog.Variant // nil until the options say which one
	Quantity   int
	Text       []block
	Attributes []attribute
	Reviews    []catalog.Review
	MoreURL    string // address of further reviews
	Related    []card
	Picker     []pickerVariant // what the script needs to show the chosen variant
	Error      string
	Crumbs     []catalog.CategoryRef
}

// optionGroup is one choice of the shopper.
type optionGroup struct {
	Name, Param string
	Swatches    bool
	Values      []optionValue
}

type optionValue struct {
	Value    string
	Swatch   string
	Selected bool
	SoldOut  bool // no variant with it is in stock
}

type attribute struct {
	Name   string
	Values string
}

// block is a paragraph or a list of the description.
type block struct {
	Text  string
	Items []string
}

// pickerVariant is a variant as the script on the page knows it.
type pickerVariant struct {
	ID      string            `json:"id"`
	SKU     string            `json:"sku"`
	Options map[string]string `json:"options"`
	Price   string            `json:"price"`
	Was     string            `json:"was,omitempty"`
	Off     int64             `json:"off,omitempty"`
	Lowest  string            `json:"lowest,omitempty"` // of the 30 days before the reduction
	Stock   string            `json:"stock"`
	InStock bool              `json:"inStock"` // whether it can be bought
	Image   int               `json:"image"`   // index in the gallery, -1 for none
}

// Buyable is the variant whose price and stock are shown: the chosen one, else the product's own figures.
func (b *productBody) Buyable() bool {
	if b.Chosen != nil {
		return b.Chosen.Availability.Orderable()
	}
	return b.Orderable()
}

// Orderable reports whether any form of it can be bought.
func (b *productBody) Orderable() bool { return b.InStock || b.Backorder }

// Lowest is the lowest price before the reduction that is shown; nil without one.
func (b *productBody) Lowest() *money.Amount {
	now, before, lowest := b.Price, b.CompareAt, b.LowestBefore
	if b.Chosen != nil {
		now, before, lowest = b.Chosen.Price, b.Chosen.CompareAt, b.Chosen.LowestBefore
	}
	if percentOff(now, before) == 0 {
		return nil
	}
	return lowest
}

// StockLine tells a shopper about the stock as far as the choice is made.
func (b *productBody) StockLine() string {
	if b.Chosen != nil {
		return stockLine(b.Chosen.Availability)
	}
	return stockLine(catalog.Availability{InStock: b.InStock, Backorder: b.Backorder})
}

func stockLine(a catalog.Availability) string {
	switch {
	case !a.Orderable():
		return "Sold out"
	case !a.InStock:
		return "Not here yet. Order it now, and it is sent when it has come"
	case a.Quantity != nil:
		return "Only " + count(*a.Quantity, "piece", "pieces") + " left"
	}
	return "In stock"
}

func (s *Storefront) product(w http.ResponseWriter, r *http.Request) error {
	product, err := s.Catalog.Product(r.Context(), chi.URLParam(r, "slug"))
	if err != nil {
		return err
	}
	if product.Slug != chi.URLParam(r, "slug") {
		return moved(w, r, "/p/"+product.Slug)
	}
	return s.showProduct(w, r, product, http.StatusOK, "")
}

// showProduct shows a product page; problem is what was wrong with putting it into the cart.
func (s *Storefront) showProduct(w http.ResponseWriter, r *http.Request, product *catalog.Product, status int, problem string) error {
	body, err := s.productBody(r.Context(), product, r.Form.Get("reviews_after"))
	if err != nil {
		return err
	}
	body.Error = problem
	body.choose(chosenOptions(r), r.Form.Get("sku"))
	who := forAll
	if problem != "" {
		who = forOne
	}
	h := head{
		Title:       product.Title,
		Description: summary(product.Description, 155),
		Canonical:   "/p/" + product.Slug,
		Type:        "product",
		Data:        []any{s.productData(product, body.Reviews), breadcrumbData(s.BaseURL, body.Crumbs, product.Title, "/p/"+product.Slug)},
	}
	if len(body.Gallery) > 0 {
		h.Image = body.Gallery[0].Src(1200)
	}
	return s.show(w, r, status, "product", who, h, body)
}

func (s *Storefront) productBody(ctx context.Context, product *catalog.Product, reviewsAfter string) (*productBody, error) {
	body := &productBody{Product: product, Quantity: 1, Text: blocks(product.Description), Related: cards(product.Related)}
	if product.Category != nil {
		body.Crumbs = product.Category.Path
	}
	for i := range product.Images {
		if p := newPicture(&product.Images[i], product.Title, sizesMain); p != nil {
			body.Gallery = append(body.Gallery, p)
		}
	}
	if len(body.Gallery) > 0 {
		body.Gallery[0].Eager = true
	}
	for _, name := range sortedKeys(product.Attributes) {
		body.Attributes = append(body.Attributes, attribute{Name: name, Values: strings.Join(product.Attributes[name], ", ")})
	}
	body.Options = optionGroups(product)
	body.Picker = picker(product, body.Gallery)
	group, ctx := errgroup.WithContext(ctx)
	if product.Rating != nil && product.Rating.Count > 0 {
		group.Go(func() error { return s.addReviews(ctx, body, reviewsAfter) })
	}
	if len(body.Related) < recommendedRow {
		group.Go(func() error { return s.addRelated(ctx, body) })
	}
	return body, group.Wait()
}

func (s *Storefront) addReviews(ctx context.Context, body *productBody, after string) error {
	list, next, err := s.Catalog.Reviews(ctx, body.ID, after, reviewsShown)
	if err != nil {
		return err
	}
	body.Reviews = list
	if next != "" {
		body.MoreURL = "/p/" + url.PathEscape(body.Slug) + "?reviews_after=" + url.QueryEscape(next) + "#reviews"
	}
	return nil
}

// addRelated fills the row below a product that the merchant paired with little: with what shoppers buy together with
// it, then with what sells most of its kind.
func (s *Storefront) addRelated(ctx context.Context, body *productBody) error {
	add := func(items []catalog.ListItem) {
		for _, it := range items {
			known := it.ID == body.ID || slices.ContainsFunc(body.Related, func(c card) bool { return c.ID == it.ID })
			if !known && len(body.Related) < recommendedRow {
				body.Related = append(body.Related, newCard(it, sizesCard, false))
			}
		}
	}
	add(s.recommended(ctx, recs.Product, []string{string(body.ID)}, recommendedRow))
	if len(body.Related) > 0 || body.Category == nil {
		return nil
	}
	items, _, err := s.Catalog.List(ctx, catalog.ListQuery{Category: body.Category.Slug, Sort: "-popularity", Limit: recommendedRow + 1})
	if err != nil {
		return err
	}
	add(items)
	return nil
}

func optionGroups(p *catalog.Product) []optionGroup {
	var groups []optionGroup
	for _, o := range p.Options {
		g := optionGroup{Name: o.Name, Param: optionPrefix + o.Name, Swatches: isColourOption(o.Name)}
		for _, v := range o.Values {
			g.Swatches = g.Swatches && swatch(v) != ""
			g.Values = append(g.Values, optionValue{Value: v, Swatch: swatch(v), SoldOut: !inStockWith(p, o.Name, v), Selected: len(o.Values) == 1})
		}
		groups = append(groups, g)
	}
	return groups
}

func inStockWith(p *catalog.Product, option, value string) bool {
	return slices.ContainsFunc(p.Variants, func(v catalog.Variant) bool {
		return v.Options[option] == value && v.Availability.Orderable()
	})
}

// choose marks the options that were asked for, by name or by the SKU of a variant. A colour is always chosen, so
// that the page shows one thing; a size never is, because the wrong one would be bought.
func (b *productBody) choose(options map[string]string, sku string) {
	if v := variantBySKU(b.Product, sku); v != nil {
		options = v.Options
	}
	if len(options) == 0 {
		options = b.startColour()
	}
	for i := range b.Options {
		for j := range b.Options[i].Values {
			value := &b.Options[i].Values[j]
			value.Selected = value.Selected || options[b.Options[i].Name] == value.Value
		}
	}
	b.Chosen = variantWith(b.Product, b.selected())
}

func (b *productBody) startColour() map[string]string {
	first := slices.IndexFunc(b.Variants, func(v catalog.Variant) bool { return v.Availability.Orderable() })
	if first < 0 || len(b.Options) < 2 {
		return nil
	}
	for _, g := range b.Options {
		if isColourOption(g.Name) {
			return map[string]string{g.Name: b.Variants[first].Options[g.Name]}
		}
	}
	return nil
}

func (b *productBody) selected() map[string]string {
	chosen := map[string]string{}
	for _, g := range b.Options {
		for _, v := range g.Values {
			if v.Selected {
				chosen[g.Name] = v.Value
			}
		}
	}
	return chosen
}

// variantWith finds the variant that has all options of the product as chosen; nil when there is none or a choice
// is missing.
func variantWith(p *catalog.Product, chosen map[string]string) *catalog.Variant {
	for i := range p.Variants {
		fits := true
		for _, o := range p.Options {
			fits = fits && chosen[o.Name] != "" && p.Variants[i].Options[o.Name] == chosen[o.Name]
		}
		if fits {
			return &p.Variants[i]
		}
	}
	return nil
}

func variantBySKU(p *catalog.Product, sku string) *catalog.Variant {
	i := slices.IndexFunc(p.Variants, func(v catalog.Variant) bool { return sku != "" && v.SKU == sku })
	if i < 0 {
		return nil
	}
	return &p.Variants[i]
}

// chosenOptions reads the options of a form or an address.
func chosenOptions(r *http.Request) map[string]string {
	chosen := map[string]string{}
	for param, values := range r.Form {
		if name, ok := strings.CutPrefix(param, optionPrefix); ok && len(values) > 0 {
			chosen[name] = values[0]
		}
	}
	return chosen
}

func picker(p *catalog.Product, gallery []*picture) []pickerVariant {
	out := make([]pickerVariant, len(p.Variants))
	for i, v := range p.Variants {
		out[i] = pickerVariant{
			ID: string(v.ID), SKU: v.SKU, Options: v.Options, Price: price(v.Price), InStock: v.Availability.Orderable(),
			Stock: stockLine(v.Availability), Image: -1, Off: percentOff(v.Price, v.CompareAt),
		}
		if out[i].Off > 0 {
			out[i].Was = price(*v.CompareAt)
			if v.LowestBefore != nil {
				out[i].Lowest = price(*v.LowestBefore)
			}
		}
		if v.Image != nil {
			out[i].Image = slices.IndexFunc(gallery, func(g *picture) bool { return g.URL == v.Image.URL })
		}
	}
	return out
}

// blocks splits a description into paragraphs and lists.
func blocks(text string) []block {
	var out []block
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		item, isItem := strings.CutPrefix(line, "- ")
		switch {
		case line == "":
		case isItem && len(out) > 0 && out[len(out)-1].Items != nil:
			out[len(out)-1].Items = append(out[len(out)-1].Items, item)
		case isItem:
			out = append(out, block{Items: []string{item}})
		default:
			out = append(out, block{Text: line})
		}
	}
	return out
}

// summary is the beginning of a text in one line, cut at a word.
func summary(text string, n int) string {
	line := strings.Join(strings.Fields(strings.ReplaceAll(text, "\n- ", " ")), " ")
	short := truncate(line, n)
	if len(short) == len(line) {
		return line
	}
	if cut := strings.LastIndexByte(short, ' '); cut > 0 {
		short = short[:cut]
	}
	return strings.TrimRight(short, " ,.;:–-") + "…"
}

var errChoose = errs.New(errs.Invalid, "options_missing", "Choose every option first.")
