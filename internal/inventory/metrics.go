package inventory

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	stockouts, low prometheus.Counter
	expired        prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		stockouts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "shopd_stockouts_total", Help: "Times that an article had nothing left in any location.",
		}),
		low: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "shopd_stock_low_total", Help: "Times that an article fell to its reorder point in a location.",
		}),
		expired: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "shopd_reservations_expired_total", Help: "Orders whose stock was given back because its time had ended.",
		}),
	}
	reg.MustRegister(m.stockouts, m.low, m.expired)
	return m
}

// watchedStock is the metric of the watched articles. It asks the database when it is read, so every replica tells the
// same.
type watchedStock struct {
	db          *pgxpool.Pool
	log         *slog.Logger
	description *prometheus.Desc
}

func newWatchedStock(db *pgxpool.Pool, log *slog.Logger) *watchedStock {
	return &watchedStock{db, log, prometheus.NewDesc("shopd_stock_available", "Pieces of watched articles that can be ordered, over all locations.", []string{"sku"}, nil)}
}

// Describe is of prometheus.Collector.
func (w *watchedStock) Describe(ch chan<- *prometheus.Desc) { ch <- w.description }

// scrapePatience bounds what a scrape waits for the database: without an answer the metric is missing this time.
const scrapePatience = time.Second

// Collect is of prometheus.Collector.
func (w *watchedStock) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapePatience)
	defer cancel()
	levels, err := watchedLevels(ctx, w.db)
	if err != nil {
		w.log.WarnContext(ctx, "watched stock not read", "error", err)
		return
	}
	for sku, available := range levels {
		ch <- prometheus.MustNewConstMetric(w.description, prometheus.GaugeValue, float64(available), sku)
	}
}
