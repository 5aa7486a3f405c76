package storefronttest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"shopd/internal/catalog"
	"shopd/internal/money"
	"shopd/internal/platform/id"
	"shopd/internal/sample"
)

// fewLeft is from how many pieces on a shopper is told the number.
const fewLeft = 5

// catalogData is the sample catalogue as shoppers see it. It is never changed once it is read.
type catalogData struct {
	products []*catalog.Product
	bySlug   map[string]*catalog.Product
	byID     map[catalog.ProductID]*catalog.Product
	variants map[catalog.VariantID]*catalog.Product
	reviews  map[catalog.ProductID][]catalog.Review
	tree     []catalog.Category
	category map[string]*catalog.Category // by slug
}

// sampleCatalog reads the sample once for all tests of a process.
var sampleCatalog = sync.OnceValues(readSample)

var sampleTime = time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)

func readSample() (*catalogData, error) {
	d := &catalogData{
		bySlug: map[string]*catalog.Product{}, byID: map[catalog.ProductID]*catalog.Product{}, variants: map[catalog.VariantID]*catalog.Product{},
		reviews: map[catalog.ProductID][]catalog.Review{}, category: map[string]*catalog.Category{},
	}
	bySKU := map[string]*catalog.Product{}
	related := map[*catalog.Product][]string{}
	for source, err := range sample.Products() {
		if err != nil {
			return nil, fmt.Errorf("read sample products: %w", err)
		}
		p := productOf(source)
		d.products = append(d.products, p)
		d.bySlug[p.Slug], d.byID[p.ID], bySKU[source.SKU] = p, p, p
		related[p] = source.Related
		for _, v := range p.Variants {
			d.variants[v.ID] = p
		}
		d.place(p, strings.Split(source.Category, " > "))
	}
	if err := d.addReviews(bySKU); err != nil {
		return nil, err
	}
	for p, skus := range related {
		for _, sku := range skus[:min(len(skus), 8)] {
			if other := bySKU[sku]; other != nil && other != p {
				p.Related = append(p.Related, item(other))
			}
		}
	}
	d.finish(d.tree, nil)
	for _, p := range d.products {
		path := p.Category
		p.Category = d.category[path.Slug]
	}
	return d, nil
}

func productOf(s sample.Product) *catalog.Product {
	p := &catalog.Product{
		ID: catalog.ProductID(id.Derive("prod", s.SKU)), Slug: s.Slug, SKU: s.Variants[0].SKU, Title: s.Title, Description: s.Description,
		Brand: s.Brand, Price: s.Variants[0].Price, PriceMax: s.Variants[0].Price, Attributes: s.Attributes, UpdatedAt: sampleTime, Version: 1,
	}
	for _, img := range s.Images {
		p.Images = append(p.Images, catalog.Image{URL: "/media/" + img.File, Alt: img.Alt, Width: img.Width, Height: img.Height, Colour: img.Colour})
	}
	for _, o := range s.Options {
		p.Options = append(p.Options, catalog.Option{Name: o.Name, Values: o.Values})
	}
	for _, v := range s.Variants {
		variant := variantOf(v, p.Images)
		p.Variants = append(p.Variants, variant)
		p.InStock = p.InStock || variant.Availability.InStock
		if v.Price.Minor < p.Price.Minor {
			p.Price = v.Price
		}
		if v.Price.Minor > p.PriceMax.Minor {
			p.PriceMax = v.Price
		}
	}
	p.CompareAt, p.LowestBefore = s.CompareAtPrice, s.CompareAtPrice
	return p
}

func variantOf(v sample.Variant, images []catalog.Image) catalog.Variant {
	out := catalog.Variant{
		ID: catalog.VariantID(id.Derive("var", v.SKU)), SKU: v.SKU, Options: v.Options, Price: v.Price, CompareAt: v.CompareAtPrice, LowestBefore: v.CompareAtPrice,
		Availability: catalog.Availability{InStock: v.Quantity > 0},
	}
	if v.Quantity > 0 && v.Quantity <= fewLeft {
		out.Availability.Quantity = &v.Quantity
	}
	for i := range images {
		if images[i].URL == "/media/"+v.Image {
			out.Image = &images[i]
		}
	}
	return out
}

// place puts a product under its category, which is made when it is new.
func (d *catalogData) place(p *catalog.Product, names []string) {
	list := &d.tree
	slug := ""
	for _, name := range names {
		slug = strings.Trim(slug+"-"+slugOf(name), "-")
		i := slices.IndexFunc(*list, func(c catalog.Category) bool { return c.Slug == slug })
		if i < 0 {
			i = len(*list)
			*list = append(*list, catalog.Category{CategoryRef: catalog.CategoryRef{ID: catalog.CategoryID(id.Derive("cat", slug)), Slug: slug, Name: name}})
		}
		c := &(*list)[i]
		if c.Products++; c.Image == nil && len(p.Images) > 0 {
			c.Image = &p.Images[0]
		}
		list = &c.Children
	}
	p.Category = &catalog.Category{CategoryRef: catalog.CategoryRef{Slug: slug}}
}

// finish tells each category the way to it.
func (d *catalogData) finish(list []catalog.Category, above []catalog.CategoryRef) {
	for i := range list {
		c := &list[i]
		c.Path = append(slices.Clone(above), c.CategoryRef)
		d.category[c.Slug] = c
		d.finish(c.Children, c.Path)
	}
}

func (d *catalogData) addReviews(bySKU map[string]*catalog.Product) error {
	n := 0
	for r, err := range sample.Reviews() {
		if err != nil {
			return fmt.Errorf("read sample reviews: %w", err)
		}
		p := bySKU[r.SKU]
		if p == nil {
			continue
		}
		n++
		d.reviews[p.ID] = append(d.reviews[p.ID], catalog.Review{
			ID: fmt.Sprintf("rev_%d", n), Rating: r.Rating, Title: r.Title, Text: r.Text, Author: r.Author, At: sampleTime.AddDate(0, 0, -r.DaysAgo),
		})
	}
	for productID, list := range d.reviews {
		sum := 0
		for _, r := range list {
			sum += r.Rating
		}
		d.byID[productID].Rating = &catalog.Rating{Average: float64(sum) / float64(len(list)), Count: len(list)}
	}
	return nil
}

func slugOf(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "-")
}

func item(p *catalog.Product) catalog.ListItem {
	out := catalog.ListItem{
		ID: p.ID, Slug: p.Slug, SKU: p.SKU, Title: p.Title, Brand: p.Brand, Price: p.Price, PriceMax: p.PriceMax,
		CompareAt: p.CompareAt, LowestBefore: p.LowestBefore, InStock: p.InStock, Rating: p.Rating,
	}
	if len(p.Images) > 0 {
		out.Image = &p.Images[0]
	}
	return out
}

func zero(c money.Currency) money.Amount { return money.New(0, c) }
