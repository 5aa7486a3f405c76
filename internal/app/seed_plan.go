package app

import (
	"fmt"
	"hash/fnv"
	"io"
	"maps"
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
	arrived  map[string]time.Time    // the same of the new arrivals alone
	joined   []time.Time             // customer → when they opened their account
	demo     int                     // the customer whose account everybody may sign in to
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
	p.date()
	if err := p.recall(owners); err != nil {
		return nil, err
	}
	p.demo = p.chooseDemo()
	return p, p.dateBack(owners)
}

// chooseDemo returns the customer who bought last of those who did so several times, and not so often that they seem
// to live here.
func (p *seedPlan) chooseDemo() int {
	const few, many = 4, 12
	bought := make([]int, len(p.customers))
	for _, o := range p.orders {
		if !o.Guest {
			bought[o.Customer]++
		}
	}
	for _, o := range slices.Backward(p.orders) {
		if n := bought[o.Customer]; !o.Guest && n >= few && n <= many {
			return o.Customer
		}
	}
	return 0
}

// newArrivals is the collection of what came last.
const newArrivals = "New Arrivals"

// date spreads products and accounts over the past year, the new arrivals over its last quarter.
func (p *seedPlan) date() {
	const quarter = samplePast / 4
	p.made, p.joined = map[string]time.Time{}, make([]time.Time, len(p.customers))
	for _, product := range p.products {
		age := quarter + spread("product/"+product.SKU, samplePast-quarter)
		if slices.Contains(product.Collections, newArrivals) {
			age = spread("product/"+product.SKU, quarter)
		}
		p.made[product.SKU] = p.at.Add(-age)
	}
	for i, c := range p.customers {
		p.joined[i] = p.at.Add(-spread("customer/"+c.Email, samplePast))
	}
	p.arrived = maps.Clone(p.made)
	maps.DeleteFunc(p.arrived, func(_ string, made time.Time) bool { return p.at.Sub(made) >= quarter })
}

// recall makes the orders up. Those of new arrivals before they came did not happen: so many more are made up.
func (p *seedPlan) recall(owners map[string]string) error {
	all, err := sample.Orders(sample.OrderPlan{
		Seed: sampleSeed, Count: sampleOrders * 13 / 10, Customers: sampleCustomers, From: p.at.Add(-samplePast), To: p.at,
	})
	if err != nil {
		return err
	}
	for o := range all {
		tooEarly := func(l sample.Line) bool { return o.PlacedAt.Before(p.arrived[owners[l.SKU]]) }
		if !slices.ContainsFunc(o.Lines, tooEarly) {
			p.orders = append(p.orders, o)
		}
	}
	p.orders = p.orders[max(0, len(p.orders)-sampleOrders):]
	return nil
}

// dateBack makes sure that products and accounts are there before they are first heard of: sold, reviewed, used.
func (p *seedPlan) dateBack(owners map[string]string) error {
	back := func(have, first time.Time, by time.Duration) time.Time {
		if first = first.Add(-by); first.Before(have) {
			return first
		}
		return have
	}
	for _, o := range p.orders {
		p.joined[o.Customer] = back(p.joined[o.Customer], o.PlacedAt, 10*time.Minute)
		for _, l := range o.Lines {
			if product := owners[l.SKU]; p.arrived[product].IsZero() {
				p.made[product] = back(p.made[product], o.PlacedAt, 36*time.Hour)
			}
		}
	}
	for r, err := range sample.Reviews() {
		if err != nil {
			return fmt.Errorf("read the sample: %w", err)
		}
		if made, ok := p.made[r.SKU]; ok && p.arrived[r.SKU].IsZero() {
			p.made[r.SKU] = back(made, p.reviewed(r), 7*24*time.Hour)
		}
	}
	return nil
}

// spread is a time from zero up to most that always belongs to the same name.
func spread(name string, most time.Duration) time.Duration {
	h := fnv.New64a()
	h.Write([]byte(name)) // never fails
	return time.Duration(h.Sum64() % uint64(most)).Truncate(time.Second)
}

// reviewed is when a review was written; of a new arrival, not before it came.
func (p *seedPlan) reviewed(r sample.Review) time.Time {
	at := p.at.AddDate(0, 0, -r.DaysAgo)
	if came := p.arrived[r.SKU]; at.Before(came) {
		return came.Add(spread(r.Author+r.Title, p.at.Sub(came)))
	}
	return at
}

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
// What costs nothing costs nothing.
const euroNum, euroDen = 92, 100

func inEuros(dollars money.Amount) money.Amount {
	if dollars.IsZero() {
		return money.New(0, eur)
	}
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
	if customer == p.demo {
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
		if i == p.demo {
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
