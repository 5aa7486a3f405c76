package main

import (
	"context"
	"fmt"
)

// goalHot is what a crowd at one article is to reach of the same crowd at many.
const goalHot = 0.80

// hot measures purchases of a single article that everybody wants beside those of any article, and checks the books.
func (b *bench) hot(ctx context.Context) error {
	if !b.wants("hot") {
		return nil
	}
	method, err := b.shop.shippingMethod(ctx)
	if err != nil {
		return err
	}
	before, err := b.place.books(ctx)
	if err != nil {
		return err
	}
	wanted := b.shop.purchaseOf(method, func(*worker) string { return b.shop.skus[0] })
	spread := b.shop.purchaseOf(method, func(w *worker) string { return b.shop.skus[w.rng.IntN(len(b.shop.skus))] })
	bought := 0
	for _, connections := range b.connections {
		b.say(fmt.Sprintf("hot article, %d connections", connections))
		row := newRow("purchase of one hot article", connections, "purchase of any article", goalHot)
		for range b.rounds {
			one, n, err := b.measurePurchases(ctx, connections, wanted)
			if err != nil {
				return err
			}
			bought += n
			many, n, err := b.measurePurchases(ctx, connections, spread)
			if err != nil {
				return err
			}
			bought += n
			row.add(one, many)
		}
		b.report.add(row)
	}
	checks, err := b.place.check(ctx, before, bought)
	b.report.Checks = append(b.report.Checks, checks...)
	return err
}
