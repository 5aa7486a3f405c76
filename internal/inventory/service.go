package inventory

import (
	"cmp"
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
	"shopd/internal/platform/broker"
	"shopd/internal/platform/cache"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// Deps is what the service needs. Fields are required unless they say otherwise.
type Deps struct {
	DB *pgxpool.Pool // acts as shopd_inventory
	// Relaxed is the same with relaxed commits, for reservations: nobody is promised one before its order is written,
	// and whatever PostgreSQL has made durable holds all it committed before. Nil takes DB.
	Relaxed    *pgxpool.Pool
	Cache      *cache.Store
	Alerter    Alerter
	Log        *slog.Logger
	Now        func() time.Time
	Registerer prometheus.Registerer
}

// Service grants, keeps and moves stock.
type Service struct {
	db      *pgxpool.Pool
	relaxed *pgxpool.Pool
	cache   *cache.Cache[int64]
	alerter Alerter
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics
	places  atomic.Pointer[knownPlaces]
}

// levelTTL is how long a level stays in the cache without news of it.
const levelTTL = time.Hour

// New returns a Service.
func New(d Deps) (*Service, error) {
	levels, err := cache.New[int64](d.Cache, cache.Options{Name: "stock", TTL: levelTTL})
	if err != nil {
		return nil, err
	}
	if err := d.Registerer.Register(newWatchedStock(d.DB, d.Log)); err != nil {
		return nil, fmt.Errorf("register the metric of watched stock: %w", err)
	}
	return &Service{
		db: d.DB, relaxed: cmp.Or(d.Relaxed, d.DB), cache: levels, alerter: d.Alerter, log: d.Log, now: d.Now, metrics: newMetrics(d.Registerer),
	}, nil
}

// Reserve promises items to the order until ttl has passed: all of them, or none and ErrOutOfStock that names
// what is short. Calling it again for the same order extends what the first call reserved.
func (s *Service) Reserve(ctx context.Context, orderID string, items []Item, ttl time.Duration) error {
	now := s.now()
	var shortages []Shortage
	err := postgres.Retry(ctx, func() (err error) {
		shortages, err = reserve(ctx, s.relaxed, orderID, items, now, now.Add(ttl), "order:"+orderID)
		return err
	})
	if err != nil && !errAlreadyReserved.Is(err) {
		return fmt.Errorf("reserve stock for order %s: %w", orderID, err)
	}
	if err != nil || len(shortages) > 0 {
		// The reply to an earlier call may have been lost: what the order holds by then counts.
		if extended := s.Extend(ctx, orderID, ttl); extended == nil || err != nil {
			return extended
		}
		return OutOfStock(shortages)
	}
	outbox.Wake()
	return nil
}

// Extend keeps the order's reservation for another ttl from now. It returns ErrNotReserved when nothing is held.
func (s *Service) Extend(ctx context.Context, orderID string, ttl time.Duration) error {
	n, err := extend(ctx, s.db, orderID, s.now().Add(ttl))
	if err != nil {
		return fmt.Errorf("extend the reservation of order %s: %w", orderID, err)
	}
	if n == 0 {
		return ErrNotReserved
	}
	return nil
}

// Release gives back what is held for the order. Releasing what is not held does nothing.
func (s *Service) Release(ctx context.Context, orderID, reason string) error {
	err := postgres.Retry(ctx, func() error {
		_, err := end(ctx, s.db, releaseSQL, []string{orderID}, maxArticles, reason, "order:"+orderID, s.now())
		return err
	})
	if err != nil {
		return fmt.Errorf("release the stock of order %s: %w", orderID, err)
	}
	outbox.Wake()
	return nil
}

// maxArticles bounds the articles of one order.
const maxArticles = 200

// ExpiredHolds returns orders whose reservation ended before now: the caller knows which of them live.
func (s *Service) ExpiredHolds(ctx context.Context, limit int) ([]string, error) {
	return expired(ctx, s.db, s.now(), limit)
}

// Adjust changes what is on hand by hand and returns the level it left and the movement's number. It returns
// ErrTooMuch when less would be left than is promised.
func (s *Service) Adjust(ctx context.Context, a Adjustment) (level Level, movement int64, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		level, movement, err = s.AdjustTx(ctx, tx, a)
		return err
	})
	if err == nil {
		outbox.Wake()
	}
	return level, movement, err
}

// AdjustTx is Adjust inside the caller's transaction on the inventory pool.
func (s *Service) AdjustTx(ctx context.Context, tx pgx.Tx, a Adjustment) (Level, int64, error) {
	if a.Location == "" {
		a.Location = DefaultLocation
	}
	if a.Kind == "" {
		a.Kind = Adjusted
	}
	if a.Quantity == 0 || a.Quantity > maxQuantity || a.Quantity < -maxQuantity {
		return Level{}, 0, errQuantity
	}
	return adjust(ctx, tx, a, s.now())
}

const maxQuantity = 1_000_000_000

var errQuantity = errs.New(errs.Invalid, "invalid_quantity", "The quantity must be a whole number other than zero, up to a billion.").
	WithFields(errs.Field{Pointer: "/quantity", Code: "invalid_quantity", Detail: "not zero, at most a billion"})

// SetOnHand brings what is on hand of many articles to the given numbers. Articles that promised more to orders
// than the number keep what they have. It returns how many changed.
func (s *Service) SetOnHand(ctx context.Context, items []Item, reason, actor string) (int, error) {
	last := make(map[string]int64, len(items))
	for _, it := range items {
		last[it.SKU] = it.Quantity
	}
	unique := make([]Item, 0, len(last))
	for sku, q := range last {
		unique = append(unique, Item{SKU: sku, Quantity: q})
	}
	n := 0
	err := postgres.Retry(ctx, func() (err error) {
		n, err = setOnHand(ctx, s.db, unique, reason, actor, s.now())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("set stock: %w", err)
	}
	outbox.Wake()
	return n, nil
}

// Levels returns the stock of the articles by location, sorted by SKU; articles without stock are left out.
func (s *Service) Levels(ctx context.Context, skus []string) ([]Level, error) {
	return levels(ctx, s.db, skus)
}

// Low returns up to limit stock rows at or below their reorder point, or atMost where that is more.
func (s *Service) Low(ctx context.Context, atMost int64, limit int) ([]Level, error) {
	return low(ctx, s.db, atMost, limit)
}

// MovementFilter narrows the record of an article. Empty fields do not, SKU is required.
type MovementFilter struct {
	SKU      string
	Kind     Kind
	Location string
	Before   int64 // the number of a movement; 0 begins with the newest
}

// Movements returns the record of an article, newest first.
func (s *Service) Movements(ctx context.Context, f MovementFilter, limit int) ([]Movement, error) {
	return movements(ctx, s.db, f, limit)
}

// Available returns how many pieces of each article can be ordered, over all locations and with those that may be owed,
// from the cache where it knows. It may be a moment old: only Reserve grants.
func (s *Service) Available(ctx context.Context, skus []string) (map[string]int64, error) {
	places, err := s.placeIDs(ctx)
	if err != nil {
		return nil, err
	}
	keys := make([]string, 0, len(skus)*len(places))
	skuOf := make(map[string]string, cap(keys))
	for _, sku := range skus {
		for _, place := range places {
			key := levelKey(sku, place)
			keys, skuOf[key] = append(keys, key), sku
		}
	}
	found, err := s.cache.GetMany(ctx, keys, func(ctx context.Context, missing []string) (map[string]cache.Entry[int64], error) {
		rows, err := levels(ctx, s.db, skusOf(missing, skuOf))
		if err != nil {
			return nil, fmt.Errorf("read stock: %w", err)
		}
		entries := make(map[string]cache.Entry[int64], len(rows))
		for _, l := range rows {
			entries[levelKey(l.SKU, l.Location)] = cache.Entry[int64]{Value: l.Orderable(), Version: l.Version}
		}
		return entries, nil
	})
	if err != nil {
		return nil, err
	}
	sums := make(map[string]int64, len(skus))
	for key, n := range found {
		sums[skuOf[key]] += n
	}
	return sums, nil
}

// levelKey is where the cache has what can be ordered of an article in a location.
func levelKey(sku, location string) string {
	if location == DefaultLocation {
		return sku
	}
	return sku + "\x1f" + location
}

func skusOf(keys []string, skuOf map[string]string) []string {
	skus := make([]string, 0, len(keys))
	for _, key := range keys {
		if sku := skuOf[key]; !slices.Contains(skus, sku) {
			skus = append(skus, sku)
		}
	}
	return skus
}

// Subscriptions are the queues of the domain.
func (s *Service) Subscriptions() []broker.Subscription {
	return []broker.Subscription{
		{
			Consumer: "inventory.orders",
			Types:    []string{events.OrderPaid{}.Type(), events.OrderCancelled{}.Type()},
			Pool:     s.db,
			Handle:   s.settleOrders,
		},
		{
			Consumer: "inventory.cache",
			Types:    []string{events.StockChanged{}.Type()},
			Project:  s.projectLevels,
		},
		{
			Consumer: "inventory.alerts",
			Types:    []string{events.StockLow{}.Type(), events.StockedOut{}.Type()},
			Pool:     s.db,
			Handle:   s.tellOfScarcity,
		},
	}
}

// settleOrders takes the goods of paid orders off the stock and gives back those of cancelled ones.
func (s *Service) settleOrders(ctx context.Context, tx pgx.Tx, batch []events.Envelope) error {
	type group struct {
		orders   []string
		articles int
	}
	var paid, unpaid, returned group
	add := func(g *group, f events.OrderFacts) {
		g.orders = append(g.orders, f.OrderID)
		g.articles += len(f.Lines)
	}
	for _, env := range batch {
		switch env.Type {
		case events.OrderPaid{}.Type():
			ev, err := events.Open[events.OrderPaid](env)
			if err != nil {
				return broker.Unreadable(err)
			}
			add(&paid, ev.OrderFacts)
		case events.OrderCancelled{}.Type():
			ev, err := events.Open[events.OrderCancelled](env)
			if err != nil {
				return broker.Unreadable(err)
			}
			add(&unpaid, ev.OrderFacts)
			if ev.WasPaid {
				add(&returned, ev.OrderFacts)
			}
		}
	}
	// Paid before cancelled: an order that is both was sold first and comes back after.
	for _, step := range []struct {
		group
		sql, reason string
	}{{paid, sellSQL, "order paid"}, {unpaid, releaseSQL, "order cancelled"}, {returned, returnSQL, "order cancelled"}} {
		if len(step.orders) == 0 {
			continue
		}
		if _, err := end(ctx, tx, step.sql, step.orders, step.articles, step.reason, "system", s.now()); err != nil {
			return fmt.Errorf("%s: %w", step.reason, err)
		}
	}
	return nil
}

// projectLevels brings what can be ordered to the cache: the newest level of each article in the batch.
func (s *Service) projectLevels(ctx context.Context, batch []events.Envelope) error {
	newest := make(map[string]cache.Entry[int64], len(batch))
	for _, env := range batch {
		ev, err := events.Open[events.StockChanged](env)
		if err != nil {
			return broker.Unreadable(err)
		}
		if key := levelKey(ev.SKU, ev.Location); newest[key].Version <= ev.Version {
			newest[key] = cache.Entry[int64]{Value: max(ev.Available, ev.Orderable), Version: ev.Version}
		}
	}
	return s.cache.Put(ctx, newest)
}
