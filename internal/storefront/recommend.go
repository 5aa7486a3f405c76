package storefront

import (
	"context"

	"shopd/internal/catalog"
	"shopd/internal/recs"
)

// recommendedRow is how many products are recommended at once.
const recommendedRow = 4

// recommended are products that go with some others, fewer or none when that is not known. A page goes on without them
// when they cannot be read.
func (s *Storefront) recommended(ctx context.Context, where recs.Placement, with []string, n int) []catalog.ListItem {
	answer, err := s.Recs.Recommend(ctx, recs.Request{Placement: where, ProductIDs: with, Limit: n})
	if err != nil {
		if ctx.Err() == nil {
			s.Log.WarnContext(ctx, "showing a page without recommendations", "placement", where, "error", err)
		}
		return nil
	}
	var items []catalog.ListItem
	for _, r := range answer.Items {
		// What everybody buys says nothing about these products.
		if r.Reason != recs.MostWanted {
			items = append(items, catalog.ListItem{
				ID: catalog.ProductID(r.ID), Slug: r.Slug, SKU: r.SKU, Title: r.Title, Brand: r.Brand, Price: r.Price, PriceMax: r.PriceMax,
				CompareAt: r.CompareAt, LowestBefore: r.LowestBefore, Image: (*catalog.Image)(r.Image), InStock: r.InStock, Rating: (*catalog.Rating)(r.Rating),
			})
		}
	}
	return items
}
