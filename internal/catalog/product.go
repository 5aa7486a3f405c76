// Package catalog knows what the shop sells: products, their variants, categories, pictures and reviews, and finds them.
package catalog

import (
	"time"

	"shopd/internal/money"
)

// ProductID identifies a product, "prod_…".
type ProductID string

// VariantID identifies one purchasable form of a product, "var_…".
type VariantID string

// CategoryID identifies a category, "cat_…".
type CategoryID string

// Status says whether shoppers see a product.
type Status string

// The states of a product.
const (
	Draft    Status = "draft"
	Active   Status = "active"
	Archived Status = "archived"
)

// Image is a picture of a product. URL is rooted at the shop; add ?w=640&f=auto for a rendition.
type Image struct {
	URL    string `json:"url" example:"/media/mb01-blue-0.jpg"`
	Alt    string `json:"alt"`
	Width  int    `json:"width,omitempty" doc:"Pixels of the original."`
	Height int    `json:"height,omitempty" doc:"Pixels of the original."`
	Colour string `json:"colour,omitempty" doc:"Dominant colour, shown while the picture loads." example:"#d8d2cc"`
}

// Option is something a shopper chooses, such as a size, with the values there are.
type Option struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// Rating sums the reviews of a product up.
type Rating struct {
	Average float64 `json:"average" doc:"1 to 5, one decimal."`
	Count   int     `json:"count"`
}

// Availability is what a shopper may know about the stock. Quantity is told only when few are left.
type Availability struct {
	InStock   bool `json:"in_stock"`
	Quantity  *int `json:"quantity,omitempty" doc:"Pieces left, told only when there are few."`
	Backorder bool `json:"backorder,omitempty" doc:"Can be ordered though it is not there: it is sent when it has come."`
}

// Orderable reports whether it can be bought, there or not.
func (a Availability) Orderable() bool { return a.InStock || a.Backorder }

// fewLeft is from how many pieces on a shopper is told the number.
const fewLeft = 5

// CategoryRef names a category.
type CategoryRef struct {
	ID   CategoryID `json:"id"`
	Slug string     `json:"slug"`
	Name string     `json:"name"`
}

// Category is a node of the category tree.
type Category struct {
	CategoryRef
	Path     []CategoryRef `json:"path" doc:"From the top category down to this one."`
	Products int           `json:"products" doc:"Active products in it and below it."`
	Image    *Image        `json:"image,omitempty" doc:"Picture of its most wanted product."`
	Children []Category    `json:"children"`
}

// Variant is one purchasable form of a product, as shoppers see it.
type Variant struct {
	ID           VariantID         `json:"id"`
	SKU          string            `json:"sku"`
	Options      map[string]string `json:"options"`
	Price        money.Amount      `json:"price"`
	CompareAt    *money.Amount     `json:"compare_at_price,omitempty"`
	LowestBefore *money.Amount     `json:"lowest_price_30_days,omitempty" doc:"The lowest price of the 30 days before the reduction began; only beside compare_at_price."`
	Availability Availability      `json:"availability"`
	Image        *Image            `json:"image,omitempty"`
}

// Product is a product as shoppers see it.
type Product struct {
	ID           ProductID           `json:"id"`
	Slug         string              `json:"slug"`
	SKU          string              `json:"sku" doc:"Of the default variant."`
	Title        string              `json:"title"`
	Description  string              `json:"description" doc:"Plain text; lines that start with \"- \" are a list."`
	Brand        string              `json:"brand,omitempty"`
	Price        money.Amount        `json:"price" doc:"Of the cheapest variant."`
	PriceMax     money.Amount        `json:"price_max" doc:"Of the dearest variant."`
	CompareAt    *money.Amount       `json:"compare_at_price,omitempty"`
	LowestBefore *money.Amount       `json:"lowest_price_30_days,omitempty" doc:"The lowest price of the 30 days before the reduction began; only beside compare_at_price."`
	InStock      bool                `json:"in_stock"`
	Backorder    bool                `json:"backorder,omitempty" doc:"Not in stock, and can be ordered all the same."`
	Category     *Category           `json:"category,omitempty"`
	Images       []Image             `json:"images"`
	Options      []Option            `json:"options"`
	Attributes   map[string][]string `json:"attributes"`
	Variants     []Variant           `json:"variants"`
	Rating       *Rating             `json:"rating,omitempty"`
	Related      []ListItem          `json:"related,omitempty" doc:"Chosen by the merchant to go with it."`
	Version      int64               `json:"version" doc:"Of what the merchant edits: send it as If-Match."`
	Revision     int64               `json:"revision" doc:"Of everything here, prices and stock included."`
	UpdatedAt    time.Time           `json:"updated_at"`
}

// ListItem is a product in a list.
type ListItem struct {
	ID           ProductID     `json:"id"`
	Slug         string        `json:"slug"`
	SKU          string        `json:"sku" doc:"Of the default variant."`
	Title        string        `json:"title"`
	Brand        string        `json:"brand,omitempty"`
	Price        money.Amount  `json:"price" doc:"Of the cheapest variant."`
	PriceMax     money.Amount  `json:"price_max" doc:"Of the dearest variant."`
	CompareAt    *money.Amount `json:"compare_at_price,omitempty"`
	LowestBefore *money.Amount `json:"lowest_price_30_days,omitempty" doc:"The lowest price of the 30 days before the reduction began; only beside compare_at_price."`
	Image        *Image        `json:"image,omitempty"`
	InStock      bool          `json:"in_stock"`
	Backorder    bool          `json:"backorder,omitempty" doc:"Not in stock, and can be ordered all the same."`
	Rating       *Rating       `json:"rating,omitempty"`
}

// Review is what a customer says about a product.
type Review struct {
	ID     string    `json:"id"`
	Rating int       `json:"rating" doc:"1 to 5."`
	Title  string    `json:"title"`
	Text   string    `json:"text"`
	Author string    `json:"author"`
	At     time.Time `json:"created_at"`
}
