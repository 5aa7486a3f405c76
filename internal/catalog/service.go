package catalog

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"shopd/internal/catalog/search"
	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/cache"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// Deps is what the service needs. All fields are required.
type Deps struct {
	DB         *pgxpool.Pool // acts as shopd_catalog
	Engine     search.Engine
	EngineName string // label of the search metric: elasticsearch or embedded
	Cache      *cache.Store
	Currency   money.Currency // of lists and of the search index
	Log        *slog.Logger
	Now        func() time.Time
	Registerer prometheus.Registerer
}

// Service is the catalogue.
type Service struct {
	db       *pgxpool.Pool
	engine   search.Engine
	currency money.Currency
	pages    *cache.Cache[page]
	log      *slog.Logger
	now      func() time.Time
	tree     atomic.Pointer[tree]
	flights  singleflight.Group
	wake     chan struct{}
	guard    indexGuard
	seconds  prometheus.Observer
	stale    prometheus.Gauge
}

// pageTTL is how long a product stays in the cache; events drop it before.
const pageTTL = 10 * time.Minute

// New returns a Service.
func New(d Deps) (*Service, error) {
	pages, err := cache.New[page](d.Cache, cache.Options{Name: "product", TTL: pageTTL})
	if err != nil {
		return nil, err
	}
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "shopd_search_seconds", Help: "Time a search took.", Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2},
	}, []string{"engine"})
	stale := prometheus.NewGauge(prometheus.GaugeOpts{Name: "shopd_search_unindexed_products", Help: "Products that the search index does not have as they are."})
	d.Registerer.MustRegister(seconds, stale)
	return &Service{
		db: d.DB, engine: d.Engine, currency: d.Currency, pages: pages, log: d.Log, now: d.Now, wake: make(chan struct{}, 1),
		seconds: seconds.WithLabelValues(d.EngineName), stale: stale,
	}, nil
}

// Product returns the active product with the id or slug, with its prices in the shop's currency. It costs two SQL
// statements where no cache has it. The product is shared: callers must not change it.
func (s *Service) Product(ctx context.Context, ref string) (*Product, error) {
	p, err := s.page(ctx, ref)
	if err != nil {
		return nil, err
	}
	return p.parse()
}

// ProductJSON is Product as the HTTP API answers it, with an entity tag.
func (s *Service) ProductJSON(ctx context.Context, ref string) (body []byte, etag string, err error) {
	p, err := s.page(ctx, ref)
	if err != nil {
		return nil, "", err
	}
	return p.body, p.etag, nil
}

const maxRef = 200

func (s *Service) page(ctx context.Context, ref string) (page, error) {
	if ref == "" || len(ref) > maxRef {
		return page{}, errs.ErrNotFound
	}
	p, found, err := s.pages.Get(ctx, ref, func(ctx context.Context) (cache.Entry[page], error) { return s.loadPage(ctx, ref) })
	if err != nil {
		return page{}, err
	}
	if !found {
		return page{}, errs.ErrNotFound
	}
	return p, nil
}

func (s *Service) loadPage(ctx context.Context, ref string) (cache.Entry[page], error) {
	t, err := s.categories(ctx)
	if err != nil {
		return cache.Entry[page]{}, err
	}
	condition := "p.slug = $1"
	if id.Valid("prod", ref) {
		condition = "p.id = $1"
	}
	r, err := oneRecord(ctx, s.db, condition, ref)
	if errors.Is(err, errs.ErrNotFound) || err == nil && !r.visible(s.currency) {
		return cache.Entry[page]{Absent: true}, nil
	}
	if err != nil {
		return cache.Entry[page]{}, err
	}
	p := r.product(s.currency, t)
	if p.Related, err = cardsBySKU(ctx, s.db, r.Related, relatedShown); err != nil {
		return cache.Entry[page]{}, fmt.Errorf("read related products: %w", err)
	}
	value, err := newPage(p)
	return cache.Entry[page]{Value: value, Version: r.CardVersion}, err
}

// relatedShown is how many of the products that go with one are told.
const relatedShown = 8

// ListQuery asks for a page of products. An empty Category is the whole shop.
type ListQuery struct {
	Category string // id or slug
	Sort     string // -created_at (default), price, -price, title, -popularity
	Limit    int
	After    string
}

// List returns active products and where the next page begins; empty after the last one.
func (s *Service) List(ctx context.Context, q ListQuery) ([]ListItem, string, error) {
	raw, next, err := s.ListJSON(ctx, q)
	if err != nil {
		return nil, "", err
	}
	items := make([]ListItem, len(raw))
	for i := range raw {
		if err := json.Unmarshal(raw[i], &items[i]); err != nil {
			return nil, "", err
		}
	}
	return items, next, nil
}

// ListJSON is List with the items as the HTTP API answers them. It costs one SQL statement.
func (s *Service) ListJSON(ctx context.Context, q ListQuery) ([]json.RawMessage, string, error) {
	var category CategoryID
	if q.Category != "" {
		c, err := s.Category(ctx, q.Category)
		if err != nil {
			return nil, "", err
		}
		category = c.ID
	}
	var after *listCursor
	if q.After != "" {
		after = &listCursor{}
		if err := decodeCursor(q.After, after); err != nil || after.Sort != q.Sort || !id.Valid("prod", string(after.ID)) {
			return nil, "", errBadCursor
		}
	}
	rows, err := list(ctx, s.db, category, q.Sort, after, q.Limit+1)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		last := rows[q.Limit-1]
		next = encodeCursor(listCursor{Sort: q.Sort, Value: last.value, ID: last.id})
	}
	items := make([]json.RawMessage, len(rows))
	for i, r := range rows {
		items[i] = r.card
	}
	return items, next, nil
}

func encodeCursor(v any) string {
	body, _ := json.Marshal(v) //nolint:errchkjson // cursors hold strings, numbers and times
	return base64.RawURLEncoding.EncodeToString(body)
}

func decodeCursor(s string, v any) error {
	body, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

// Reviews returns what customers say about a product, newest first, and where the next page begins.
func (s *Service) Reviews(ctx context.Context, product ProductID, after string, limit int) ([]Review, string, error) {
	var from struct {
		At *time.Time `json:"t"`
		ID string     `json:"i"`
	}
	if after != "" {
		if err := decodeCursor(after, &from); err != nil || from.At == nil {
			return nil, "", errBadCursor
		}
	}
	list, err := reviews(ctx, s.db, product, from.At, from.ID, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("read reviews: %w", err)
	}
	if len(list) <= limit {
		return list, "", nil
	}
	list = list[:limit]
	last := list[limit-1]
	from.At, from.ID = &last.At, last.ID
	return list, encodeCursor(from), nil
}

// Sellables returns the variants with the given ids or SKUs; those that do not exist are left out.
func (s *Service) Sellables(ctx context.Context, refs []string) ([]Sellable, error) {
	return sellables(ctx, s.db, refs)
}

// CategoryPath returns the ids of a category and of all above it, the top one first; nothing for one that is not there.
func (s *Service) CategoryPath(ctx context.Context, category CategoryID) ([]CategoryID, error) {
	if category == "" {
		return nil, nil
	}
	t, err := s.categories(ctx)
	if err != nil {
		return nil, err
	}
	var path []CategoryID
	for _, c := range t.path(category) {
		path = append(path, c.ID)
	}
	return path, nil
}

// InStock returns the products with the given ids that can be bought now, in that order.
func (s *Service) InStock(ctx context.Context, ids []string) ([]ListItem, error) {
	return cardsByID(ctx, s.db, ids)
}

// InStockBySKU returns the products with these default article numbers that can be bought now, in that order.
func (s *Service) InStockBySKU(ctx context.Context, skus []string) ([]ListItem, error) {
	return cardsInStockBySKU(ctx, s.db, skus)
}

// SKUs returns the default article numbers of products, whatever their status, in that order.
func (s *Service) SKUs(ctx context.Context, ids []string) ([]string, error) {
	return skusOf(ctx, s.db, ids)
}

// SitemapSlugs returns the pages of active products by slug, and after which slug to go on.
func (s *Service) SitemapSlugs(ctx context.Context, after string, limit int) ([]SitemapEntry, string, error) {
	list, err := sitemap(ctx, s.db, after, limit)
	if err != nil || len(list) < limit {
		return list, "", err
	}
	return list, list[limit-1].Slug, nil
}

// AdminList returns products of any status for the merchant, the ones changed last first. text is looked for in
// titles, slugs and SKUs.
func (s *Service) AdminList(ctx context.Context, text string, status Status, after string, limit int) ([]AdminItem, string, error) {
	var from *adminCursor
	if after != "" {
		from = &adminCursor{}
		if err := decodeCursor(after, from); err != nil || !id.Valid("prod", string(from.ID)) {
			return nil, "", errBadCursor
		}
	}
	list, err := adminList(ctx, s.db, text, status, from, limit+1)
	if err != nil || len(list) <= limit {
		return list, "", err
	}
	list = list[:limit]
	last := list[limit-1]
	return list, encodeCursor(adminCursor{At: last.UpdatedAt, ID: last.ID}), nil
}

// AdminProduct is a product as the merchant sees it: in any state, and with the variants that have no price too.
type AdminProduct struct {
	Product
	Status      Status
	AllVariants []AdminVariant
}

// AdminVariant is a variant without its price and stock, which other domains know.
type AdminVariant struct {
	ID      VariantID
	SKU     string
	Options map[string]string
}

// AdminProduct returns the product with the id in whatever state it is; errs.ErrNotFound when there is none.
func (s *Service) AdminProduct(ctx context.Context, product ProductID) (*AdminProduct, error) {
	t, err := s.categories(ctx)
	if err != nil {
		return nil, err
	}
	r, err := oneRecord(ctx, s.db, "p.id = $1", product)
	if err != nil {
		return nil, err
	}
	p := &AdminProduct{Product: *r.product(s.currency, t), Status: r.Status}
	for _, v := range r.Variants {
		p.AllVariants = append(p.AllVariants, AdminVariant{ID: v.ID, SKU: v.SKU, Options: v.Options})
	}
	return p, nil
}

// Patch changes the fields that are not nil.
type Patch struct {
	Title       *string
	Description *string
	Status      *Status
}

func (p Patch) check() error {
	switch {
	case p.Title != nil && (*p.Title == "" || len(*p.Title) > 300):
		return ErrInvalid.WithFields(errs.Field{Pointer: "/title", Code: "invalid_title", Detail: "A title has 1 to 300 characters."})
	case p.Description != nil && len(*p.Description) > 50_000:
		return ErrInvalid.WithFields(errs.Field{Pointer: "/description", Code: "too_long", Detail: "A description has up to 50,000 characters."})
	case p.Status != nil && *p.Status != Draft && *p.Status != Active && *p.Status != Archived:
		return ErrInvalid.WithFields(errs.Field{Pointer: "/status", Code: "invalid_status", Detail: "The status is draft, active or archived."})
	}
	return nil
}

// Update changes a product that the caller has seen at the given version; errs.ErrStaleVersion when it is not that any
// more.
func (s *Service) Update(ctx context.Context, product ProductID, version int64, p Patch) (*AdminProduct, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if _, err := s.AdminProduct(ctx, product); err != nil {
		return nil, err
	}
	err := postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		next, status, err := update(ctx, tx, product, version, p, s.now())
		if err != nil {
			return err
		}
		return outbox.Append(ctx, tx, s.now(), events.ProductChanged{ProductID: string(product), Status: string(status), Version: next})
	})
	if err != nil {
		return nil, err
	}
	outbox.Wake()
	return s.AdminProduct(ctx, product)
}
