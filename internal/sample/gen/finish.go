package main

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"shopd/internal/sample"
)

// finish adds what neither source has — stock, cost, slugs, the default variant — and what the files say of the
// pictures, and checks that the whole fits together.
func finish(products []sample.Product, pictures map[string]sample.ProductImage) error {
	slugs, skus := map[string]bool{}, map[string]string{}
	var wrong []error
	for i := range products {
		p := &products[i]
		addStockAndCost(p)
		chooseDefault(p)
		if p.Slug == "" {
			p.Slug = slug(p.Title)
			if slugs[p.Slug] {
				p.Slug += "-" + slug(p.SKU)
			}
		}
		if slugs[p.Slug] {
			wrong = append(wrong, fmt.Errorf("two products have the slug %s", p.Slug))
		}
		slugs[p.Slug] = true
		for _, v := range p.Variants {
			if owner, ok := skus[v.SKU]; ok {
				wrong = append(wrong, fmt.Errorf("%s and %s have the SKU %s", owner, p.Slug, v.SKU))
			}
			skus[v.SKU] = p.Slug
		}
		for n, img := range p.Images {
			known, ok := pictures[img.File]
			if !ok {
				wrong = append(wrong, fmt.Errorf("%s: there is no picture %s", p.Slug, img.File))
			}
			known.Alt = img.Alt
			p.Images[n] = known
		}
	}
	return errors.Join(wrong...)
}

// draw returns a number from 0 up to 1 that always belongs to the same purpose and key.
func draw(purpose, key string) float64 {
	h := fnv.New64a()
	h.Write([]byte(purpose + "\x00" + key)) // never fails
	x := h.Sum64()
	// FNV leaves its high bits alike for keys that end alike; this is the mixer of splitmix64.
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return float64(x>>11) / (1 << 53)
}

// Shares of the variants that are sold out, and that are nearly so.
const (
	soldOut = 0.03
	low     = 0.10
)

// dear is the price in cents above which a shop keeps only a few.
const dear = 100_000

// digitalStock stands for "as many as you like" of a download.
const digitalStock = 10_000

func addStockAndCost(p *sample.Product) {
	share := 35 + int64(draw("cost", p.SKU)*31) // per cent of the price
	p.Quantity = 0
	for i := range p.Variants {
		v := &p.Variants[i]
		v.Cost = v.Price.Share(share, 100)
		v.Quantity = stock(p.Type, v)
		p.Quantity += v.Quantity
	}
}

func stock(kind string, v *sample.Variant) int {
	if kind == sample.Digital {
		return digitalStock
	}
	amount := draw("amount", v.SKU)
	switch d := draw("stock", v.SKU); {
	case d < soldOut:
		return 0
	case d < low:
		return 1 + int(amount*4)
	case v.Price.Minor > dear:
		return 4 + int(amount*12)
	default:
		return 20 + int(amount*181)
	}
}

// chooseDefault moves the variant that stands for the product to the front and takes its prices for the product's:
// what the first picture shows, in a middle size, if it is in stock; the cheapest where prices differ.
func chooseDefault(p *sample.Product) {
	best := 0
	for i := range p.Variants {
		if rank(p, i) < rank(p, best) {
			best = i
		}
	}
	v := p.Variants[best]
	p.Variants = slices.Insert(slices.Delete(p.Variants, best, best+1), 0, v)
	p.Price, p.CompareAtPrice, p.Cost = v.Price, v.CompareAtPrice, v.Cost
}

// rank orders variants for chooseDefault, the least first.
func rank(p *sample.Product, i int) int64 {
	v := p.Variants[i]
	r := v.Price.Minor * 1000
	if v.Quantity == 0 {
		r += 1 << 40
	}
	if v.Image != "" && v.Image != p.Images[0].File {
		r += 1 << 30
	}
	if size, ok := v.Options["Size"]; ok {
		at := slices.IndexFunc(p.Options, func(o sample.Option) bool { return o.Name == "Size" })
		sizes := p.Options[at].Values
		r += int64(max(slices.Index(sizes, size)-len(sizes)/2, len(sizes)/2-slices.Index(sizes, size)))
	}
	return r
}

// photographers whose names are not written like names.
var photographers = map[string]string{"chuttersnap": "CHUTTERSNAP", "neonbrand": "NeONBRAND"}

// credit reads a file name such as abel-y-costa-716024-unsplash.jpg.
func credit(file string) sample.Picture {
	parts := strings.Split(strings.TrimSuffix(file, "-unsplash.jpg"), "-")
	last := len(parts) - 1
	author, ok := photographers[strings.Join(parts[:last], "-")]
	if !ok {
		for i, part := range parts[:last] {
			parts[i] = capital(part)
		}
		author = strings.Join(parts[:last], " ")
	}
	return sample.Picture{File: file, Author: author, ID: parts[last], From: "Unsplash", License: "Unsplash License"}
}
