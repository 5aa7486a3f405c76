package main

import "fmt"

// article is something to buy.
type article struct {
	sku   string
	price int64
	stock int64
	kind  demand
}

// demand is how an article sells.
type demand int

const (
	steady demand = iota // there is enough for everybody
	scarce               // many want it and there is little
	flash                // sold out in a moment, all buyers come at once
)

const (
	steadyArticles = 30
	scarceArticles = 8
	flashArticles  = 5
	// plenty is more than a run can buy; scarceStock is not, although some comes after.
	plenty      = 1_000_000
	scarceStock = 40
)

// catalogue is what the shop sells.
func catalogue() []article {
	var all []article
	add := func(n int, prefix string, kind demand, stock int64) {
		for i := range n {
			all = append(all, article{sku: fmt.Sprintf("%s-%02d", prefix, i+1), price: 500 + 137*int64(len(all)), stock: stock, kind: kind})
		}
	}
	add(steadyArticles, "STEADY", steady, plenty)
	add(scarceArticles, "SCARCE", scarce, scarceStock)
	add(flashArticles, "FLASH", flash, 0)
	return all
}

// product is the article as shopd import reads it.
func (a article) product() map[string]any {
	return map[string]any{
		"sku": a.sku, "title": "Article " + a.sku, "description": "Made to be bought in a storm.", "brand": "Tempest",
		"category": "Things > " + []string{"Steady", "Scarce", "Flash"}[a.kind], "price": map[string]any{"amount": a.price, "currency": "USD"},
		"quantity": a.stock, "status": "active",
	}
}
