package inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

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
	Redis      redis.UniversalClient // of the gate, with deadlines honoured; nil for none
	Patience   time.Duration         // what an order waits for the gate; 0 takes 30 ms
	Replicas   int                   // share what a holder may hold while Redis is away; 0 is one
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

	gate      *gate
	turns     turns
	coalescer *coalescer
	ended     ended
}

// turnsPerConnection is how many orders may wait for each connection while Redis is away: those who wait for an article
// together need one.
const turnsPerConnection = 8

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
	s := &Service{
		db: d.DB, relaxed: cmp.Or(d.Relaxed, d.DB), cache: levels, alerter: d.Alerter, log: d.Log, now: d.Now, metrics: newMetrics(d.Registerer),
	}
	s.turns = newTurns(turnsPerConnection * int64(s.relaxed.Config().MaxConns))
	s.coalescer = newCoalescer(s.grantOne, s.grantMany)
	if s.gate, err = newGate(d.Redis, d.Patience, d.Replicas, d.Log, d.Registerer, d.Now); err != nil {
		return nil, err
	}
	s.gate.relearn = s.orderable
	return s, nil
}

// Holder is who stock is held for. The zero value may hold for any number of orders.
type Holder struct {
	Key  string // names an account or an address, and is not personal
	Most int    // orders at a time
}

// Reserve promises items to the order until ttl has passed: all of them, or none and ErrOutOfStock that names
// what is short. Calling it again for the same order extends what the first call reserved.
func (s *Service) Reserve(ctx context.Context, orderID string, items []Item, ttl time.Duration) error {
	return s.ReserveFor(ctx, Holder{}, orderID, items, ttl)
}

// ReserveFor is Reserve for a holder. It returns ErrTooManyHolds when the holder has as many unpaid orders as they may,
// and ErrBusy when too many orders ask at once while nothing holds them back.
func (s *Service) ReserveFor(ctx context.Context, h Holder, orderID string, items []Item, ttl time.Duration) error {
	items = merge(items)
	verdict := s.gate.admit(ctx, h, orderID, items, ttl)
	switch verdict.outcome {
	case known:
		if err := s.Extend(ctx, orderID, ttl); !errors.Is(err, ErrNotReserved) {
			return err
		}
	case refused:
		return s.unlessHeld(ctx, orderID, ttl, OutOfStock(verdict.shortages))
	case hoarding:
		return s.unlessHeld(ctx, orderID, ttl, ErrTooManyHolds)
	case bypassed:
		if err := s.turns.take(ctx); err != nil {
			s.gate.undo(ctx, h, orderID, items)
			return err
		}
		defer s.turns.giveBack()
	}
	g, err := s.grant(ctx, claim{orderID, s.now().Add(ttl)}, items)
	switch {
	case err != nil:
		s.gate.undo(ctx, h, orderID, items)
		return fmt.Errorf("reserve stock for order %s: %w", orderID, err)
	case g.already:
		return s.Extend(ctx, orderID, ttl)
	case !g.granted:
		s.gate.undo(ctx, h, orderID, items)
		s.gate.learn(ctx, g.left)
		return s.unlessHeld(ctx, orderID, ttl, OutOfStock(g.shortages))
	}
	s.gate.learn(ctx, g.left)
	outbox.Wake()
	return nil
}

// unlessHeld is the refusal of an order, unless it holds its stock by an earlier call whose reply was lost.
func (s *Service) unlessHeld(ctx context.Context, orderID string, ttl time.Duration, refusal error) error {
	err := s.Extend(ctx, orderID, ttl)
	if errors.Is(err, ErrNotReserved) {
		return refusal
	}
	return err
}

// grant asks PostgreSQL; orders of a single article travel with others of the same.
func (s *Service) grant(ctx context.Context, c claim, items []Item) (grant, error) {
	if len(items) == 1 {
		return s.coalescer.reserve(ctx, items[0], c)
	}
	return s.grantOne(ctx, c, items)
}

func (s *Service) grantOne(ctx context.Context, c claim, items []Item) (g grant, err error) {
	err = postgres.Retry(ctx, func() (err error) {
		g, err = reserve(ctx, s.relaxed, c.orderID, items, s.now(), c.expires)
		return err
	})
	return g, err
}

func (s *Service) grantMany(ctx context.Context, key hotKey, claims []claim) (map[string]grant, error) {
	return reserveMany(ctx, s.relaxed, key.sku, key.quantity, claims, s.now())
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
	s.gate.extend(ctx, orderID, ttl)
	return nil
}

// Release gives back what is held for the order. Releasing what is not held does nothing.
func (s *Service) Release(ctx context.Context, orderID, reason string) error {
	var skus []string
	var late bool
	err := postgres.Retry(ctx, func() (err error) {
		skus, late, err = end(ctx, s.db, releaseSQL, []string{orderID}, maxArticles, reason, "order:"+orderID, s.now())
		return err
	})
	if err != nil {
		return fmt.Errorf("release the stock of order %s: %w", orderID, err)
	}
	if late {
		s.metrics.expired.Inc()
	}
	s.gate.end(ctx, orderID)
	s.announced(ctx, skus...)
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
		s.announced(ctx, a.SKU)
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

// announced follows a commit after which more may be there of the articles: the gate must not go on refusing them.
func (s *Service) announced(ctx context.Context, skus ...string) {
	s.gate.forget(ctx, skus...)
	outbox.Wake()
}

func skusIn(items []Item) []string {
	skus := make([]string, len(items))
	for i, it := range items {
		skus[i] = it.SKU
	}
	return skus
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
	s.announced(ctx, skusIn(unique)...)
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
			Consumer: "inventory.restock",
			Types:    []string{events.OrderLinesCancelled{}.Type(), events.ReturnChanged{}.Type()},
			Pool:     s.db,
			Handle:   s.restock,
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
			if ev.Reason == events.NotPaidInTime {
				s.metrics.expired.Inc()
			}
			if ev.WasPaid {
				add(&returned, ev.OrderFacts)
			}
		}
	}
	// Paid before cancelled: an order that is both was sold first and comes back after.
	var freed []string
	defer func() { s.ended.add(append(slices.Clone(paid.orders), unpaid.orders...), freed) }()
	for _, step := range []struct {
		group
		sql, reason string
	}{{paid, sellSQL, "order paid"}, {unpaid, releaseSQL, "order cancelled"}, {returned, returnSQL, "order cancelled"}} {
		if len(step.orders) == 0 {
			continue
		}
		skus, _, err := end(ctx, tx, step.sql, step.orders, step.articles, step.reason, "system", s.now())
		if err != nil {
			return fmt.Errorf("%s: %w", step.reason, err)
		}
		if step.sql != sellSQL {
			freed = append(freed, skus...)
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
	orders, freed := s.ended.take()
	s.gate.end(ctx, orders...)
	s.gate.forget(ctx, freed...)
	return s.cache.Put(ctx, newest)
}

// ended are orders that hold nothing any more, and articles of which something came back. They are noted in the
// transaction of their events, where Redis is not asked, and told to the gate by the consumer of the cache, which hears
// of their movements next.
type ended struct {
	mu            sync.Mutex
	orders, freed []string
}

// maxEnded bounds the memory for it; places that are forgotten are free when the time of their holds is up.
const maxEnded = 10_000

func (e *ended) add(orders, freed []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.orders) < maxEnded {
		e.orders, e.freed = append(e.orders, orders...), append(e.freed, freed...)
	}
}

func (e *ended) take() (orders, freed []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	orders, freed = e.orders, e.freed
	e.orders, e.freed = nil, nil
	return orders, freed
}

// orderable is what can be ordered of the articles, for the gate.
func (s *Service) orderable(ctx context.Context, skus []string) ([]left, error) {
	rows, err := levels(ctx, s.db, skus)
	if err != nil {
		return nil, err
	}
	var list []left
	for _, l := range rows { // sorted by SKU
		if n := len(list); n == 0 || list[n-1].SKU != l.SKU {
			list = append(list, left{SKU: l.SKU})
		}
		sum := &list[len(list)-1]
		sum.Quantity, sum.Version = sum.Quantity+l.Orderable(), sum.Version+l.Version
	}
	return list, nil
}
