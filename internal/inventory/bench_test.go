package inventory_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"shopd/internal/inventory"
)

// BenchmarkReserve compares a crowd at one article with the same crowd at a thousand: orders a second of 64 buyers.
func BenchmarkReserve(b *testing.B) {
	stock := setup(b)
	skus := make([]string, 1000)
	for i := range skus {
		skus[i] = fmt.Sprintf("SKU-%04d", i)
	}
	stock.receive(b, 1_000_000, skus...)
	var orders atomic.Int64
	for name, pick := range map[string]func() string{
		"hot": func() string { return skus[0] }, "many": func() string { return skus[rand.IntN(len(skus))] },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetParallelism(32) // for each of two cores
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					order := fmt.Sprintf("ord_%d", orders.Add(1))
					if err := stock.svc.Reserve(context.Background(), order, []inventory.Item{{SKU: pick(), Quantity: 1}}, time.Hour); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
		})
	}
}
