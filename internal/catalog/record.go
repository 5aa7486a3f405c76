package catalog

import (
	"encoding/json"
	"math"
	"slices"
	"time"

	"shopd/internal/catalog/search"
	"shopd/internal/money"
)

// record is a product with all that belongs to it, as it is stored. Everything that anybody reads of a product is
// made from it.
type record struct {
	ID          ProductID
	Slug        string
	SKU         string
	Title       string
	Description string
	Brand       string
	Status      Status
	CategoryID  CategoryID
	Attributes  map[string][]string
	Options     []Option
	Images      []Image
	Collections []string
	Related     []string
	RatingSum   int64
	RatingCount int64
	Popularity  float64
	Version     int64
	CardVersion int64
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Variants    []variantRecord
}

type variantRecord struct {
	ID        VariantID                `json:"id"`
	SKU       string                   `json:"sku"`
	Options   map[string]string        `json:"options"`
	GTINs     []string                 `json:"gtins"`
	Image     string                   `json:"image"`
	Offers    map[money.Currency]offer `json:"offers"`
	Available int64                    `json:"available"`
	Backorder bool                     `json:"backorder"`
}

type offer struct {
	Amount       int64  `json:"amount"`
	CompareAt    *int64 `json:"compare_at"`
	LowestBefore *int64 `json:"lowest_before"`
}

// priceTag is what a variant costs, and what is said beside it where it is reduced.
type priceTag struct {
	price                   money.Amount
	compareAt, lowestBefore *money.Amount
}

func (v *variantRecord) price(currency money.Currency) (priceTag, bool) {
	o, ok := v.Offers[currency]
	if !ok {
		return priceTag{}, false
	}
	optional := func(minor *int64) *money.Amount {
		if minor == nil {
			return nil
		}
		a := money.New(*minor, currency)
		return &a
	}
	return priceTag{money.New(o.Amount, currency), optional(o.CompareAt), optional(o.LowestBefore)}, true
}

func (v *variantRecord) availability() Availability {
	a := Availability{InStock: v.Available > 0, Backorder: v.Available <= 0 && v.Backorder}
	if v.Available > 0 && v.Available <= fewLeft {
		n := int(v.Available)
		a.Quantity = &n
	}
	return a
}

// span is what a product costs: its cheapest and its dearest variant, and whether one is there.
type span struct {
	low, high    money.Amount
	compareAt    *money.Amount // of the cheapest
	lowestBefore *money.Amount // of the cheapest
	inStock      bool
	backorder    bool // none is there, and one can be ordered all the same
	priced       bool
}

// currency is the one that the product is shown in: the shop's own where it has a price in it, else the first by name
// that it has one in.
func (r *record) currency(shop money.Currency) money.Currency {
	var other money.Currency
	for i := range r.Variants {
		for c := range r.Variants[i].Offers {
			if c == shop {
				return shop
			}
			if other == "" || c < other {
				other = c
			}
		}
	}
	if other == "" {
		return shop
	}
	return other
}

func (r *record) span(shop money.Currency) span {
	currency := r.currency(shop)
	s := span{low: money.New(math.MaxInt64, currency), high: money.New(0, currency)}
	for i := range r.Variants {
		v := &r.Variants[i]
		tag, ok := v.price(currency)
		if !ok {
			continue
		}
		s.priced = true
		s.inStock = s.inStock || v.Available > 0
		s.backorder = s.backorder || v.Backorder
		if tag.price.Minor < s.low.Minor {
			s.low, s.compareAt, s.lowestBefore = tag.price, tag.compareAt, tag.lowestBefore
		}
		s.high.Minor = max(s.high.Minor, tag.price.Minor)
	}
	if !s.priced {
		s.low.Minor = 0
	}
	return s
}

func (r *record) rating() *Rating {
	if r.RatingCount == 0 {
		return nil
	}
	return &Rating{Average: math.Round(10*float64(r.RatingSum)/float64(r.RatingCount)) / 10, Count: int(r.RatingCount)}
}

func (r *record) image() *Image {
	if len(r.Images) == 0 {
		return nil
	}
	return &r.Images[0]
}

func (r *record) item(currency money.Currency) ListItem {
	s := r.span(currency)
	return ListItem{
		ID: r.ID, Slug: r.Slug, SKU: r.SKU, Title: r.Title, Brand: r.Brand, Price: s.low, PriceMax: s.high, CompareAt: s.compareAt, LowestBefore: s.lowestBefore,
		Image: r.image(), InStock: s.inStock, Backorder: s.backorder && !s.inStock, Rating: r.rating(),
	}
}

// visible reports whether shoppers see the product: it is active and something of it has a price.
func (r *record) visible(currency money.Currency) bool {
	return r.Status == Active && r.span(currency).priced
}

func (r *record) product(shop money.Currency, tree *tree) *Product {
	currency, s := r.currency(shop), r.span(shop)
	p := &Product{
		ID: r.ID, Slug: r.Slug, SKU: r.SKU, Title: r.Title, Description: r.Description, Brand: r.Brand, Price: s.low, PriceMax: s.high,
		CompareAt: s.compareAt, LowestBefore: s.lowestBefore, InStock: s.inStock, Backorder: s.backorder && !s.inStock, Category: tree.reference(r.CategoryID), Images: r.Images, Options: r.Options,
		Attributes: r.Attributes, Rating: r.rating(), Version: r.Version, Revision: r.CardVersion, UpdatedAt: r.UpdatedAt, Variants: []Variant{},
	}
	for i := range r.Variants {
		v := &r.Variants[i]
		tag, ok := v.price(currency)
		if !ok {
			continue
		}
		p.Variants = append(p.Variants, Variant{
			ID: v.ID, SKU: v.SKU, Options: v.Options, Price: tag.price, CompareAt: tag.compareAt, LowestBefore: tag.lowestBefore, Availability: v.availability(), Image: r.imageOf(v),
		})
	}
	return p
}

// imageOf is the picture of a variant where it has one of its own.
func (r *record) imageOf(v *variantRecord) *Image {
	i := slices.IndexFunc(r.Images, func(img Image) bool { return v.Image != "" && img.URL == v.Image })
	if i < 0 {
		return nil
	}
	return &r.Images[i]
}

// document is what the search index keeps of the product.
func (r *record) document(currency money.Currency, tree *tree, card json.RawMessage) search.Document {
	s := r.span(currency)
	d := search.Document{
		ProductID: string(r.ID), Slug: r.Slug, Title: r.Title, Description: r.Description, Brand: r.Brand, Collections: r.Collections,
		Attributes: r.Attributes, Price: s.low.Minor, InStock: s.inStock, Popularity: r.Popularity, CreatedAt: r.CreatedAt,
		Status: string(r.Status), Version: r.CardVersion, Payload: card, SKUs: []string{r.SKU},
	}
	if !s.priced {
		d.Status = string(Draft)
	}
	for _, c := range tree.path(r.CategoryID) {
		d.CategoryIDs, d.CategoryNames = append(d.CategoryIDs, string(c.ID)), append(d.CategoryNames, c.Name)
	}
	for i := range r.Variants {
		if sku := r.Variants[i].SKU; sku != r.SKU {
			d.SKUs = append(d.SKUs, sku)
		}
		d.GTINs = append(d.GTINs, r.Variants[i].GTINs...)
	}
	return d
}
