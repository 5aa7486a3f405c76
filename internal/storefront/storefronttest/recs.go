package storefronttest

import (
	"context"
	"slices"

	"shopd/internal/catalog"
	"shopd/internal/recs"
)

// Recs recommends what the shop is told goes with a product, and otherwise nothing in particular.
type Recs struct {
	failure
	data *catalogData
	with map[catalog.ProductID][]*catalog.Product
}

// Pair makes other be recommended with product; both are slugs. Call it before the shop is used.
func (r *Recs) Pair(product, other string) {
	if r.with == nil {
		r.with = map[catalog.ProductID][]*catalog.Product{}
	}
	id := r.data.bySlug[product].ID
	r.with[id] = append(r.with[id], r.data.bySlug[other])
}

// Recommend answers pairs, and a product that is popular.
func (r *Recs) Recommend(_ context.Context, req recs.Request) (recs.Recommended, error) {
	if err := r.failing(); err != nil {
		return recs.Recommended{}, err
	}
	answer := recs.Recommended{ModelVersion: recs.ModelVersion}
	add := func(p *catalog.Product, reason string) {
		if len(answer.Items) < req.Limit && !slices.Contains(req.ProductIDs, string(p.ID)) {
			item := recs.Item{ID: string(p.ID), Slug: p.Slug, SKU: p.SKU, Title: p.Title, Price: p.Price, PriceMax: p.PriceMax, InStock: p.InStock}
			answer.Items = append(answer.Items, recs.Recommendation{Item: item, Reason: reason})
		}
	}
	for _, id := range req.ProductIDs {
		for _, p := range r.with[catalog.ProductID(id)] {
			add(p, recs.BoughtTogether)
		}
	}
	add(r.data.products[0], recs.MostWanted)
	return answer, nil
}
