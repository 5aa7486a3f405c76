// Package recs says what a shopper may like next. It follows paid orders and knows what is bought, and what is bought
// together; where it knows nothing yet, it shows what the shop sells most.
package recs

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

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

// ModelVersion names what computes the recommendations: counts of what was bought together.
const ModelVersion = "bought-together-1"

// Catalog says what can be shown.
type Catalog interface {
	// Items returns the products with the given ids that can be bought now, in that order.
	Items(ctx context.Context, productIDs []string) ([]Item, error)
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
	Reason string `json:"reason" enum:"bought_together,popular"`
}

// Reasons for a recommendation.
const (
	BoughtTogether = "bought_together"
	MostWanted     = "popular"
)

// Deps is what the service needs. All fields are required.
type Deps struct {
	DB      *pgxpool.Pool // acts as shopd_recs
	Catalog Catalog
}

// Service recommends.
type Service struct{ Deps }

// New returns a Service.
func New(d Deps) *Service { return &Service{d} }

// candidates is how many more products are looked at than are shown: some cannot be bought now.
const candidates = 3

// Recommend returns up to limit products for a place. For the page of a product they are those bought together with
// it; the rest, and every other place, is filled with what is bought most.
func (s *Service) Recommend(ctx context.Context, placement Placement, productID string, limit int) ([]Recommendation, error) {
	var list []Recommendation
	shown := map[string]bool{productID: true}
	add := func(items []Item, reason string) {
		for _, it := range items {
			if len(list) < limit && !shown[it.ID] {
				shown[it.ID] = true
				list = append(list, Recommendation{Item: it, Reason: reason})
			}
		}
	}
	if placement == Product && productID != "" {
		ids, err := together(ctx, s.DB, productID, candidates*limit)
		if err != nil {
			return nil, fmt.Errorf("read what is bought together: %w", err)
		}
		items, err := s.Catalog.Items(ctx, ids)
		if err != nil {
			return nil, err
		}
		add(items, BoughtTogether)
	}
	if len(list) < limit {
		ids, err := mostWanted(ctx, s.DB, candidates*limit)
		if err != nil {
			return nil, fmt.Errorf("read what is bought most: %w", err)
		}
		items, err := s.Catalog.Items(ctx, ids)
		if err != nil {
			return nil, err
		}
		add(items, MostWanted)
	}
	if len(list) < limit {
		items, err := s.Catalog.Popular(ctx, limit+len(shown))
		if err != nil {
			return nil, err
		}
		add(items, MostWanted)
	}
	return list, nil
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
