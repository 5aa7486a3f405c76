// Package sample is the shop that shopd demo opens with: a real catalogue with photographs and reviews, and invented
// customers and orders. Everything is embedded; nothing is read from disk or network at run time.
//
// The catalogue is made by ./gen from two published sample shops; see README.md and CREDITS.md.
package sample

import (
	"bufio"
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"iter"
	"path"

	"shopd/internal/money"
)

//go:generate go run ./gen -luma $LUMA -unsplash $UNSPLASH -out .

//go:embed products.jsonl reviews.jsonl credits.json
var data embed.FS

//go:embed images
var images embed.FS

// The values of Product.Type.
const (
	Physical = "physical"
	Digital  = "digital" // delivered as a download: needs no shipping
)

// Product is one line of products.jsonl: the import format of the contract with more about pictures.
type Product struct {
	SKU            string              `json:"sku"` // of the product; equal to the variant's when there is only one
	Slug           string              `json:"slug"`
	Title          string              `json:"title"`
	Description    string              `json:"description"` // plain text: paragraphs and "- " lists between blank lines
	Brand          string              `json:"brand,omitempty"`
	Type           string              `json:"type"`
	Category       string              `json:"category"` // path, such as "Women > Tops > Jackets"
	Collections    []string            `json:"collections,omitempty"`
	Price          money.Amount        `json:"price"` // of the default variant
	CompareAtPrice *money.Amount       `json:"compare_at_price,omitempty"`
	Cost           money.Amount        `json:"cost"`
	Quantity       int                 `json:"quantity"` // of all variants together
	Attributes     map[string][]string `json:"attributes"`
	Images         []ProductImage      `json:"images"`
	Options        []Option            `json:"options,omitempty"`
	Variants       []Variant           `json:"variants"` // never empty; the first one is the default
	Related        []string            `json:"related,omitempty"`
	CrossSell      []string            `json:"cross_sell,omitempty"`
	Status         string              `json:"status"`
}

// ProductImage is a picture of a product. Width, Height and Colour are those of the file, so that pages can reserve its
// place without decoding it.
type ProductImage struct {
	File   string `json:"file"` // for Image
	Alt    string `json:"alt"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Colour string `json:"colour"` // "#rrggbb", what most of the picture has
}

// Option is what variants differ in, with its values in the order to show them.
type Option struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// Variant is what is bought.
type Variant struct {
	SKU            string            `json:"sku"`
	Options        map[string]string `json:"options,omitempty"`
	Price          money.Amount      `json:"price"`
	CompareAtPrice *money.Amount     `json:"compare_at_price,omitempty"`
	Cost           money.Amount      `json:"cost"`
	Quantity       int               `json:"quantity"`
	Image          string            `json:"image,omitempty"` // a file of Product.Images; the first one when empty
}

// Review is what a customer of the source shop is said to have written.
type Review struct {
	SKU       string `json:"sku,omitempty"`        // of the product; empty when the source reviews what it does not sell
	SourceSKU string `json:"source_sku,omitempty"` // as in the source, where it differs from SKU
	Rating    int    `json:"rating"`               // 1 to 5
	Title     string `json:"title"`
	Text      string `json:"text"`
	Author    string `json:"author"`   // a first name
	DaysAgo   int    `json:"days_ago"` // invented: the source has no dates
}

// CreditList says whose work the catalogue is, for a page that shows it.
type CreditList struct {
	Sources  []Source  `json:"sources"`
	Pictures []Picture `json:"pictures"` // those whose author is known one by one
}

// Source is a published work that parts of the catalogue come from.
type Source struct {
	Name        string `json:"name"`
	What        string `json:"what"`
	URL         string `json:"url"`
	Copyright   string `json:"copyright"`
	License     string `json:"license"`
	LicenseURL  string `json:"license_url"`
	LicenseFile string `json:"license_file"` // under licenses/
	Changes     string `json:"changes"`
}

// Picture credits one photograph.
type Picture struct {
	File    string `json:"file"`
	Author  string `json:"author"`
	ID      string `json:"id"` // at the place it comes from
	From    string `json:"from"`
	License string `json:"license"`
}

// Products yields the catalogue in the order of its sources. An error ends it.
func Products() iter.Seq2[Product, error] { return lines[Product]("products.jsonl") }

// Reviews yields the reviews in the order of their source. An error ends it.
func Reviews() iter.Seq2[Review, error] { return lines[Review]("reviews.jsonl") }

// Credits returns the credits of the catalogue and its pictures.
func Credits() (CreditList, error) {
	var c CreditList
	raw, err := data.ReadFile("credits.json")
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return CreditList{}, fmt.Errorf("read credits: %w", err)
	}
	return c, nil
}

// Image returns the JPEG file of that name; an error that is fs.ErrNotExist when there is none.
func Image(name string) ([]byte, error) {
	if path.Base(name) != name {
		return nil, fmt.Errorf("picture %q: %w", name, fs.ErrNotExist)
	}
	return images.ReadFile("images/" + name)
}

// Images returns the names of all pictures, sorted.
func Images() []string {
	entries, err := images.ReadDir("images")
	if err != nil {
		panic("sample: the embedded pictures are gone: " + err.Error()) // cannot happen in a built program
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// maxLine is far above the longest line of the files, which is about 30 kB.
const maxLine = 1 << 20

func lines[T any](name string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		raw, err := data.ReadFile(name)
		if err != nil {
			yield(none, err)
			return
		}
		scanner := bufio.NewScanner(bytes.NewReader(raw))
		scanner.Buffer(nil, maxLine)
		for n := 1; scanner.Scan(); n++ {
			var v T
			if err := json.Unmarshal(scanner.Bytes(), &v); err != nil {
				yield(none, fmt.Errorf("%s line %d: %w", name, n, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := scanner.Err(); err != nil {
			yield(none, fmt.Errorf("read %s: %w", name, err))
		}
	}
}
