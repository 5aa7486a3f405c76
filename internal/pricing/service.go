package pricing

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/broker"
	"shopd/internal/platform/cache"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// Deps is what the service needs. Fields are required unless they say otherwise.
type Deps struct {
	DB *pgxpool.Pool // acts as shopd_pricing
	// Relaxed is the same with relaxed commits, for uses of promotions: nobody is promised one before its order is
	// written, and whatever PostgreSQL has made durable holds all it committed before. Nil takes DB.
	Relaxed *pgxpool.Pool
	Cache   *cache.Store
	Log     *slog.Logger
	Now     func() time.Time
}

// Service keeps prices and taxes.
type Service struct {
	db    *pgxpool.Pool
	cache *cache.Cache[Price]
	log   *slog.Logger
	now   func() time.Time
	tax   atomic.Pointer[timedRates]

	claims     *pgxpool.Pool
	promotions atomic.Pointer[automatic]
	reading    sync.Mutex // whoever reads the automatic promotions anew
}

type timedRates struct {
	*rates
	read time.Time
}

// taxTTL is how long a change of the tax table may take to be seen by every replica.
const taxTTL = 10 * time.Second

// priceTTL is how long a price stays in the cache without news of it.
const priceTTL = time.Hour

// New returns a Service.
func New(d Deps) (*Service, error) {
	prices, err := cache.New[Price](d.Cache, cache.Options{Name: "price", TTL: priceTTL})
	if err != nil {
		return nil, err
	}
	return &Service{db: d.DB, claims: cmp.Or(d.Relaxed, d.DB), cache: prices, log: d.Log, now: d.Now}, nil
}

// Set changes prices: all of them, or none when one is not acceptable. Prices that are what they were stay. It
// returns those that changed.
func (s *Service) Set(ctx context.Context, changes []Change) ([]Price, error) {
	last := make(map[[2]string]int, len(changes))
	unique := make([]Change, 0, len(changes))
	for _, c := range changes {
		if err := c.check(); err != nil {
			return nil, err
		}
		key := [2]string{c.VariantID, string(c.Amount.Currency)}
		if i, ok := last[key]; ok {
			unique[i] = c
			continue
		}
		last[key] = len(unique)
		unique = append(unique, c)
	}
	var fresh []Price
	err := postgres.InTx(ctx, s.db, func(tx pgx.Tx) (err error) {
		fresh, err = setPrices(ctx, tx, unique, s.now())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("set prices: %w", err)
	}
	outbox.Wake()
	return fresh, nil
}

// Current returns the prices that hold now, from PostgreSQL. Variants without a price in the currency are left out.
func (s *Service) Current(ctx context.Context, currency money.Currency, variantIDs []string) (map[string]Price, error) {
	prices, err := current(ctx, s.db, currency, variantIDs)
	if err != nil {
		return nil, fmt.Errorf("read prices: %w", err)
	}
	return prices, nil
}

// cacheKey names a price in the cache.
func cacheKey(variantID string, currency money.Currency) string {
	return variantID + "/" + string(currency)
}

// Cached is Current from the cache where it knows: good enough to show, not to charge.
func (s *Service) Cached(ctx context.Context, currency money.Currency, variantIDs []string) (map[string]Price, error) {
	keys := make([]string, len(variantIDs))
	for i, v := range variantIDs {
		keys[i] = cacheKey(v, currency)
	}
	found, err := s.cache.GetMany(ctx, keys, func(ctx context.Context, missing []string) (map[string]cache.Entry[Price], error) {
		variants := make([]string, len(missing))
		for i, key := range missing {
			variants[i], _, _ = strings.Cut(key, "/")
		}
		read, err := s.Current(ctx, currency, variants)
		if err != nil {
			return nil, err
		}
		entries := make(map[string]cache.Entry[Price], len(read))
		for v, p := range read {
			entries[cacheKey(v, currency)] = cache.Entry[Price]{Value: p, Version: p.Version}
		}
		return entries, nil
	})
	if err != nil {
		return nil, err
	}
	prices := make(map[string]Price, len(found))
	for _, p := range found {
		prices[p.VariantID] = p
	}
	return prices, nil
}

// History returns what a variant has cost, newest first.
func (s *Service) History(ctx context.Context, variantID string, currency money.Currency, limit int) ([]Record, error) {
	return history(ctx, s.db, variantID, currency, limit)
}

// Tax computes the tax of a purchase. A change of the tax table counts within ten seconds.
func (s *Service) Tax(ctx context.Context, r TaxRequest) (Tax, error) {
	t, err := s.rates(ctx)
	if err != nil {
		return Tax{}, fmt.Errorf("read tax rates: %w", err)
	}
	return t.tax(r), nil
}

func (s *Service) rates(ctx context.Context) (*rates, error) {
	have := s.tax.Load()
	if have != nil && s.now().Sub(have.read) < taxTTL {
		return have.rates, nil
	}
	t, err := taxTable(ctx, s.db)
	if err != nil {
		if have != nil {
			return have.rates, nil // the rates of a moment ago are better than no checkout
		}
		return nil, err
	}
	s.tax.Store(&timedRates{rates: t, read: s.now()})
	return t, nil
}

// Subscriptions are the queues of the domain.
func (s *Service) Subscriptions() []broker.Subscription {
	return []broker.Subscription{
		{
			Consumer: "pricing.cache",
			Types:    []string{events.PriceChanged{}.Type()},
			Project:  s.projectPrices,
		},
		{
			Consumer: "pricing.redemptions",
			Types:    []string{events.OrderPaid{}.Type(), events.OrderCancelled{}.Type()},
			Project:  s.followOrders,
		},
		{
			Consumer:  "pricing.promotions",
			Types:     []string{events.PromotionChanged{}.Type()},
			Project:   s.forgetPromotions,
			Broadcast: true,
			Connected: func() { s.promotions.Store(nil) },
		},
		{
			Consumer: "pricing.customers",
			Types:    []string{events.CustomerErased{}.Type()},
			Project:  s.forgetCustomers,
		},
	}
}

// projectPrices brings prices to the cache: the newest of each in the batch.
func (s *Service) projectPrices(ctx context.Context, batch []events.Envelope) error {
	newest := make(map[string]cache.Entry[Price], len(batch))
	for _, env := range batch {
		ev, err := events.Open[events.PriceChanged](env)
		if err != nil {
			return broker.Unreadable(err)
		}
		key := cacheKey(ev.VariantID, ev.Price.Currency)
		if newest[key].Version <= ev.Version {
			price := Price{VariantID: ev.VariantID, SKU: ev.SKU, Amount: ev.Price, CompareAt: ev.CompareAt, LowestBefore: ev.LowestBefore, Version: ev.Version}
			newest[key] = cache.Entry[Price]{Value: price, Version: ev.Version}
		}
	}
	return s.cache.Put(ctx, newest)
}
