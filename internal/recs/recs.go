// Package recs says what a shopper may like next. It follows paid orders and knows what is bought, and what is bought
// together; a trained model says more where one is active; where nothing is known yet, it shows what the shop sells most.
package recs

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/broker"
)

// Placement is where recommendations are shown.
type Placement string

// The placements.
const (
	Home    Placement = "home"
	Product Placement = "product"
	Cart    Placement = "cart"
)

// ModelVersion names what computes the recommendations while no model does: counts of what was bought together.
const ModelVersion = "bought-together-1"

// Catalog says what can be shown.
type Catalog interface {
	// Items returns the products with the given ids that can be bought now, in that order.
	Items(ctx context.Context, productIDs []string) ([]Item, error)
	// BySKU returns the products with the given default article numbers that can be bought now, in that order.
	BySKU(ctx context.Context, skus []string) ([]Item, error)
	// SKUs returns the default article numbers of products, whether they can be bought or not.
	SKUs(ctx context.Context, productIDs []string) ([]string, error)
	// Popular returns what the shop sells most.
	Popular(ctx context.Context, limit int) ([]Item, error)
}

// Item is a product as lists show it.
type Item struct {
	ID           string             `json:"id"`
	Slug         string             `json:"slug"`
	SKU          string             `json:"sku" doc:"Of the default variant."`
	Title        string             `json:"title"`
	Brand        string             `json:"brand,omitempty"`
	Price        money.Amount       `json:"price" doc:"Of the cheapest variant."`
	PriceMax     money.Amount       `json:"price_max" doc:"Of the dearest variant."`
	CompareAt    *money.Amount      `json:"compare_at_price,omitempty"`
	LowestBefore *money.Amount      `json:"lowest_price_30_days,omitempty" doc:"The lowest price of the 30 days before the reduction began; only beside compare_at_price."`
	Image        *RecommendedImage  `json:"image,omitempty"`
	InStock      bool               `json:"in_stock"`
	Rating       *RecommendedRating `json:"rating,omitempty"`
}

// RecommendedImage is the picture of an Item.
type RecommendedImage struct {
	URL    string `json:"url"`
	Alt    string `json:"alt"`
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
	Colour string `json:"colour,omitempty"`
}

// RecommendedRating sums the reviews of an Item up.
type RecommendedRating struct {
	Average float64 `json:"average"`
	Count   int     `json:"count"`
}

// Recommendation is a product with the reason it is shown for.
type Recommendation struct {
	Item
	Reason string `json:"reason" enum:"predicted,bought_together,popular"`
}

// Reasons for a recommendation.
const (
	Predicted      = "predicted" // by a trained model, from the products that were asked about
	BoughtTogether = "bought_together"
	MostWanted     = "popular"
)

// Deps is what the service needs. All fields are required.
type Deps struct {
	DB         *pgxpool.Pool // acts as shopd_recs
	Catalog    Catalog
	Log        *slog.Logger
	Now        func() time.Time
	Registerer prometheus.Registerer
}

// Service recommends.
type Service struct {
	Deps
	metrics *metrics
	serving atomic.Pointer[serving] // nil while no model is active
}

// New returns a Service. It has no model until FollowModels runs.
func New(d Deps) *Service { return &Service{Deps: d, metrics: newMetrics(d.Registerer)} }

// candidates is how many more products are looked at than are shown: some cannot be bought now.
const candidates = 3

// Request asks for recommendations.
type Request struct {
	Placement Placement
	// ProductIDs are the product of the page, or what is in the cart, oldest first. None of them is recommended.
	ProductIDs []string
	Limit      int
}

// Recommended is the answer to a Request.
type Recommended struct {
	Items []Recommendation
	// ModelVersion is of what answered: an activated model, else ModelVersion.
	ModelVersion string
}

// Recommend answers what goes with the products of a request: what the active model says, else what is bought together
// with them. The rest, and every other place, is filled with what is bought most.
func (s *Service) Recommend(ctx context.Context, req Request) (Recommended, error) {
	answer := Recommended{ModelVersion: ModelVersion}
	shown := map[string]bool{}
	for _, id := range req.ProductIDs {
		shown[id] = true
	}
	add := func(items []Item, reason string) (added bool) {
		for _, it := range items {
			if len(answer.Items) < req.Limit && !shown[it.ID] {
				shown[it.ID], added = true, true
				answer.Items = append(answer.Items, Recommendation{Item: it, Reason: reason})
			}
		}
		return added
	}
	if req.Placement != Home && len(req.ProductIDs) > 0 {
		items, version, err := s.predict(ctx, req.ProductIDs, candidates*req.Limit)
		if err != nil {
			return answer, err
		}
		if add(items, Predicted) {
			answer.ModelVersion = version
		}
		if len(answer.Items) < req.Limit {
			if items, err = s.boughtTogether(ctx, req.ProductIDs, req.Limit); err != nil {
				return answer, err
			}
			add(items, BoughtTogether)
		}
	}
	if len(answer.Items) < req.Limit {
		items, err := s.mostWanted(ctx, req.Limit+len(shown))
		if err != nil {
			return answer, err
		}
		add(items, MostWanted)
	}
	if len(answer.Items) < req.Limit {
		items, err := s.Catalog.Popular(ctx, req.Limit+len(shown))
		if err != nil {
			return answer, err
		}
		add(items, MostWanted)
	}
	return answer, nil
}

func (s *Service) boughtTogether(ctx context.Context, productIDs []string, limit int) ([]Item, error) {
	ids, err := together(ctx, s.DB, productIDs, candidates*limit+len(productIDs))
	if err != nil {
		return nil, fmt.Errorf("read what is bought together: %w", err)
	}
	return s.Catalog.Items(ctx, ids)
}

func (s *Service) mostWanted(ctx context.Context, limit int) ([]Item, error) {
	ids, err := mostWanted(ctx, s.DB, candidates*limit)
	if err != nil {
		return nil, fmt.Errorf("read what is bought most: %w", err)
	}
	return s.Catalog.Items(ctx, ids)
}

// Subscriptions are the queues of the domain.
func (s *Service) Subscriptions() []broker.Subscription {
	return []broker.Subscription{{
		Consumer: "recs.orders", Types: []string{events.OrderPaid{}.Type()}, Pool: s.DB, Handle: s.learn,
	}}
}

// maxTogether bounds the products of one order that are counted as bought together: pairs grow with its square.
const maxTogether = 20

// learn counts what paid orders tell.
func (s *Service) learn(ctx context.Context, tx pgx.Tx, batch []events.Envelope) error {
	sold, pairs := map[string]int64{}, map[[2]string]int64{}
	for _, env := range batch {
		ev, err := events.Open[events.OrderPaid](env)
		if err != nil {
			return broker.Unreadable(err)
		}
		var products []string
		for _, l := range ev.Lines {
			sold[l.ProductID] += int64(l.Quantity)
			if !slices.Contains(products, l.ProductID) && len(products) < maxTogether {
				products = append(products, l.ProductID)
			}
		}
		for _, a := range products {
			for _, b := range products {
				if a != b {
					pairs[[2]string{a, b}]++
				}
			}
		}
	}
	if err := countSales(ctx, tx, sold); err != nil {
		return fmt.Errorf("count sales: %w", err)
	}
	if err := countPairs(ctx, tx, pairs); err != nil {
		return fmt.Errorf("count what is bought together: %w", err)
	}
	return nil
}
