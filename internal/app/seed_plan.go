package app

import (
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"shopd/internal/catalog"
	"shopd/internal/inventory"
	"shopd/internal/money"
	"shopd/internal/orders"
	"shopd/internal/platform/id"
	"shopd/internal/sample"
	"shopd/internal/users"
)

const (
	usd money.Currency = "USD"
	eur money.Currency = "EUR"
)

// seedPlan is the sample shop at one moment: the same moment makes the same shop.
type seedPlan struct {
	at        time.Time
	currency  money.Currency // of the orders
	products  []sample.Product
	customers []sample.Customer
	orders    []sample.Order

	defaults map[string]string       // product SKU → SKU of its default variant, which names it in the shop
	prices   map[string]money.Amount // variant SKU → price in currency
	made     map[string]time.Time    // product SKU → when it came into the shop
	joined   []time.Time             // customer → when they opened their account
}

func newSeedPlan(at time.Time, currency money.Currency) (*seedPlan, error) {
	p := &seedPlan{
		at: at, currency: currency, customers: sample.Customers(sampleCustomers), defaults: map[string]string{}, prices: map[string]money.Amount{},
	}
	owners := map[string]string{} // variant SKU → product SKU
	for product, err := range sample.Products() {
		if err != nil {
			return nil, fmt.Errorf("read the sample: %w", err)
		}
		p.products = append(p.products, product)
		p.defaults[product.SKU] = product.Variants[0].SKU
		for _, v := range product.Variants {
			owners[v.SKU] = product.SKU
			p.prices[v.SKU] = v.Price
			if currency == eur {
				p.prices[v.SKU] = inEuros(v.Price)
			}
		}
	}
	past, err := sample.Orders(sample.OrderPlan{Seed: sampleSeed, Count: sampleOrders, Customers: sampleCustomers, From: at.Add(-samplePast), To: at})
	if err != nil {
		return nil, err
	}
	p.orders = slices.Collect(past)
	return p, p.date(owners)
}

// date spreads products and accounts over the past year, each before it is first heard of: sold, reviewed, used.
func (p *seedPlan) date(owners map[string]string) error {
	p.made, p.joined = map[string]time.Time{}, make([]time.Time, len(p.customers))
	for _, product := range p.products {
		p.made[product.SKU] = p.at.Add(-spread("product/" + product.SKU))
	}
	for i, c := range p.customers {
		p.joined[i] = p.at.Add(-spread("customer/" + c.Email))
	}
	before := func(have, first time.Time, by time.Duration) time.Time {
		if first = first.Add(-by); first.Before(have) {
			return first
		}
		return have
	}
	for _, o := range p.orders {
		p.joined[o.Customer] = before(p.joined[o.Customer], o.PlacedAt, 10*time.Minute)
		for _, l := range o.Lines {
			product := owners[l.SKU]
			p.made[product] = before(p.made[product], o.PlacedAt, 36*time.Hour)
		}
	}
	for r, err := range sample.Reviews() {
		if err != nil {
			return fmt.Errorf("read the sample: %w", err)
		}
		if made, ok := p.made[r.SKU]; ok {
			p.made[r.SKU] = before(made, p.reviewed(r), 7*24*time.Hour)
		}
	}
	return nil
}

// spread is a time within samplePast that always belongs to the same name.
func spread(name string) time.Duration {
	h := fnv.New64a()
	h.Write([]byte(name)) //nolint:errcheck // a hash never fails to write
	return time.Duration(h.Sum64() % uint64(samplePast)).Truncate(time.Second)
}

func (p *seedPlan) reviewed(r sample.Review) time.Time { return p.at.AddDate(0, 0, -r.DaysAgo) }

// rows yields the products as rows of an import.
func (p *seedPlan) rows() func() (ImportRow, error) {
	i := 0
	return func() (ImportRow, error) {
		if i == len(p.products) {
			return ImportRow{}, io.EOF
		}
		i++
		return p.row(int64(i), &p.products[i-1]), nil
	}
}

func (p *seedPlan) row(line int64, product *sample.Product) ImportRow {
	in := catalog.Input{
		SKU: p.defaults[product.SKU], Slug: product.Slug, Title: product.Title, Description: product.Description, Brand: product.Brand,
		Category: strings.Split(product.Category, " > "), Collections: product.Collections, Attributes: product.Attributes,
		Status: catalog.Status(product.Status), CreatedAt: p.made[product.SKU],
	}
	for _, o := range product.Options {
		in.Options = append(in.Options, catalog.Option(o))
	}
	for _, img := range product.Images {
		in.Images = append(in.Images, catalog.Image{URL: mediaURL(img.File), Alt: img.Alt, Width: img.Width, Height: img.Height, Colour: img.Colour})
	}
	for _, sku := range slices.Concat(product.CrossSell, product.Related) {
		if sku = p.defaults[sku]; !slices.Contains(in.Related, sku) {
			in.Related = append(in.Related, sku)
		}
	}
	row := ImportRow{Line: line}
	for _, v := range product.Variants {
		variant := catalog.VariantInput{SKU: v.SKU, Options: v.Options}
		if v.Image != "" {
			variant.Image = mediaURL(v.Image)
		}
		in.Variants = append(in.Variants, variant)
		row.Prices = append(row.Prices, pricesOf(v)...)
		row.Stock = append(row.Stock, inventory.Item{SKU: v.SKU, Quantity: int64(v.Quantity)})
	}
	row.Product = in
	return row
}

func mediaURL(file string) string { return "/media/" + file }

// pricesOf are what a variant costs in each currency of the sample shop.
func pricesOf(v sample.Variant) []ImportPrice {
	dollars := ImportPrice{SKU: v.SKU, Amount: v.Price, CompareAt: v.CompareAtPrice}
	euros := ImportPrice{SKU: v.SKU, Amount: inEuros(v.Price)}
	if v.CompareAtPrice != nil {
		if compareAt := inEuros(*v.CompareAtPrice); compareAt.Minor > euros.Amount.Minor {
			euros.CompareAt = &compareAt
		}
	}
	return []ImportPrice{dollars, euros}
}

// The sample's prices are in dollars. Those in euros are made at a fixed rate of 0.92, which is no exchange rate of
// any day, and rounded to the nearest amount that ends in .90, .95 or .99, the lower one of two that are as near.
const euroNum, euroDen = 92, 100

func inEuros(dollars money.Amount) money.Amount {
	exact := money.New(dollars.Minor, eur).Share(euroNum, euroDen)
	best := int64(90)
	for whole := max(exact.Minor/100-1, 0); whole <= exact.Minor/100+1; whole++ {
		for _, cents := range []int64{90, 95, 99} {
			if c := whole*100 + cents; distance(c, exact.Minor) < distance(best, exact.Minor) {
				best = c
			}
		}
	}
	return money.New(best, eur)
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

// reviews are those of products that the shop has.
func (p *seedPlan) reviews() ([]catalog.NewReview, error) {
	var list []catalog.NewReview
	for r, err := range sample.Reviews() {
		if err != nil {
			return nil, fmt.Errorf("read the sample: %w", err)
		}
		if sku, ok := p.defaults[r.SKU]; ok {
			list = append(list, catalog.NewReview{SKU: sku, Rating: r.Rating, Title: r.Title, Text: r.Text, Author: r.Author, At: p.reviewed(r)})
		}
	}
	return list, nil
}

// popularity counts the pieces sold of each product.
func (p *seedPlan) popularity() map[string]float64 {
	product := map[string]string{} // variant SKU → SKU that names the product
	for _, pr := range p.products {
		for _, v := range pr.Variants {
			product[v.SKU] = p.defaults[pr.SKU]
		}
	}
	sold := map[string]float64{}
	for _, o := range p.orders {
		for _, l := range o.Lines {
			sold[product[l.SKU]] += float64(l.Quantity)
		}
	}
	return sold
}

// email is where a customer is written to.
func (p *seedPlan) email(customer int) string {
	if customer == demoCustomer {
		return demoCustomerEmail
	}
	return p.customers[customer].Email
}

func (p *seedPlan) accounts() []users.ImportedCustomer {
	list := make([]users.ImportedCustomer, len(p.customers))
	for i, c := range p.customers {
		a := c.Address
		list[i] = users.ImportedCustomer{
			Email: p.email(i), Name: c.Name, Phone: a.Phone, Verified: true, CreatedAt: p.joined[i],
			Address: &users.PostalAddress{
				Name: c.Name, Line1: a.Line1, Line2: a.Line2, City: a.City, Region: a.Region, PostalCode: a.PostalCode, Country: a.Country, Phone: a.Phone,
			},
		}
		if i == demoCustomer {
			list[i].Password = demoCustomerPassword
		}
	}
	return list
}

// paying is how long the sample's shoppers took to pay.
const paying = 2 * time.Second

func (p *seedPlan) pastOrders(customers []users.CustomerID) []orders.PastOrder {
	list := make([]orders.PastOrder, len(p.orders))
	for i, o := range p.orders {
		c, a := p.customers[o.Customer], p.customers[o.Customer].Address
		past := orders.PastOrder{
			ID: orders.ID(idAt("ord", o.PlacedAt, fmt.Sprintf("sample/%d", i))), Currency: p.currency, ShippingMethod: o.Shipping,
			PlacedAt: o.PlacedAt, PaidAt: o.PlacedAt.Add(paying), FulfilledAt: o.FulfilledAt, CancelledAt: o.CancelledAt,
			Contact: orders.Contact{Email: p.email(o.Customer), Shipping: orders.Address{
				Name: c.Name, Line1: a.Line1, Line2: a.Line2, City: a.City, Region: a.Region, PostalCode: a.PostalCode, Country: a.Country, Phone: a.Phone,
			}},
		}
		if !o.Guest {
			past.CustomerID = string(customers[o.Customer])
		}
		for _, l := range o.Lines {
			past.Lines = append(past.Lines, orders.PastLine{SKU: l.SKU, Quantity: l.Quantity, UnitPrice: p.prices[l.SKU]})
		}
		list[i] = past
	}
	return list
}

// idAt is the id that always belongs to the same prefix and seed, and sorts by at as new ids do by their time.
func idAt(prefix string, at time.Time, seed string) string {
	u := uuid.NewSHA1(uuid.NameSpaceOID, []byte(prefix+"\x00"+seed))
	ms := at.UnixMilli()
	for i := range 6 {
		u[i] = byte(ms >> (8 * (5 - i)))
	}
	u[6] = u[6]&0x0f | 0x70 // version 7; the variant is the same in all versions
	return id.From(prefix, u)
}
