package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/catalog/search"
	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/broker"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/postgres"
)

// Subscriptions are the queues of the domain.
func (s *Service) Subscriptions() []broker.Subscription {
	types := []string{events.ProductChanged{}.Type(), events.PriceChanged{}.Type(), events.StockChanged{}.Type()}
	return []broker.Subscription{
		{Consumer: "catalog.projector", Types: types, Project: s.project, MaxBatch: 500},
	}
}

// project follows what other domains say of prices and stock, renders the products anew that look different for it,
// and brings them to the search index. All of it may happen twice: versions decide.
func (s *Service) project(ctx context.Context, batch []events.Envelope) error {
	var changes readModel
	for _, env := range batch {
		if err := changes.add(env); err != nil {
			return broker.Unreadable(err)
		}
	}
	var refreshed []ProductID
	err := postgres.InTx(ctx, s.db, func(tx pgx.Tx) (err error) {
		affected, err := changes.write(ctx, tx)
		if err != nil {
			return err
		}
		refreshed, err = s.render(ctx, tx, affected)
		return err
	})
	if err != nil {
		return fmt.Errorf("follow prices and stock: %w", err)
	}
	if len(refreshed) == 0 {
		return nil
	}
	if err := s.invalidate(ctx, refreshed); err != nil {
		s.log.WarnContext(ctx, "product cache not cleared", "error", err) // entries end by themselves; the index matters more
	}
	if _, err := s.indexSome(ctx); err != nil {
		s.log.WarnContext(ctx, "products not indexed yet", "error", err) // Index goes on trying
	}
	return nil
}

// readModel gathers the newest of a batch: one row each, so that a batch is a few statements.
type readModel struct {
	products map[ProductID]bool
	offers   map[[2]string]events.PriceChanged
	stock    map[[2]string]events.StockChanged
}

func (m *readModel) add(env events.Envelope) error {
	switch env.Type {
	case events.ProductChanged{}.Type():
		ev, err := events.Open[events.ProductChanged](env)
		if err != nil {
			return err
		}
		if m.products == nil {
			m.products = map[ProductID]bool{}
		}
		m.products[ProductID(ev.ProductID)] = true
	case events.PriceChanged{}.Type():
		ev, err := events.Open[events.PriceChanged](env)
		if err != nil {
			return err
		}
		if m.offers == nil {
			m.offers = map[[2]string]events.PriceChanged{}
		}
		key := [2]string{ev.VariantID, string(ev.Price.Currency)}
		if have, ok := m.offers[key]; !ok || have.Version < ev.Version {
			m.offers[key] = ev
		}
	case events.StockChanged{}.Type():
		ev, err := events.Open[events.StockChanged](env)
		if err != nil {
			return err
		}
		if m.stock == nil {
			m.stock = map[[2]string]events.StockChanged{}
		}
		key := [2]string{ev.SKU, ev.Location}
		if have, ok := m.stock[key]; !ok || have.Version < ev.Version {
			m.stock[key] = ev
		}
	}
	return nil
}

// write stores what is newer than what is there, and returns the products that look different for it.
func (m *readModel) write(ctx context.Context, tx pgx.Tx) ([]ProductID, error) {
	affected := make(map[ProductID]bool, len(m.products))
	for p := range m.products {
		affected[p] = true
	}
	priced, err := m.writeOffers(ctx, tx)
	if err != nil {
		return nil, err
	}
	stocked, err := m.writeStock(ctx, tx)
	if err != nil {
		return nil, err
	}
	for _, p := range append(priced, stocked...) {
		affected[p] = true
	}
	list := make([]ProductID, 0, len(affected))
	for p := range affected {
		list = append(list, p)
	}
	return list, nil
}

const writeOffersSQL = `
with newer as (
    insert into catalog.offers as o (variant_id, currency, amount, compare_at, lowest_before, version)
    select w.variant_id, w.currency, w.amount, w.compare_at, w.lowest_before, w.version
    from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
        as w (variant_id, currency, amount, compare_at, lowest_before, version)
    order by w.variant_id, w.currency
    on conflict (variant_id, currency) do update
    set amount = excluded.amount, compare_at = excluded.compare_at, lowest_before = excluded.lowest_before, version = excluded.version
    where o.version < excluded.version
    returning o.variant_id
)
select distinct v.product_id
from newer as n
join catalog.variants as v on v.id = n.variant_id`

func (m *readModel) writeOffers(ctx context.Context, tx pgx.Tx) ([]ProductID, error) {
	if len(m.offers) == 0 {
		return nil, nil
	}
	var variants, currencies []string
	var amounts, versions []int64
	var compareAts, lowest []*int64
	for _, ev := range m.offers {
		variants, currencies = append(variants, ev.VariantID), append(currencies, string(ev.Price.Currency))
		amounts, versions = append(amounts, ev.Price.Minor), append(versions, ev.Version)
		compareAts, lowest = append(compareAts, minorOf(ev.CompareAt)), append(lowest, minorOf(ev.LowestBefore))
	}
	rows, err := tx.Query(ctx, writeOffersSQL, variants, currencies, amounts, compareAts, lowest, versions)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[ProductID])
}

func minorOf(a *money.Amount) *int64 {
	if a == nil {
		return nil
	}
	return &a.Minor
}

// writeStockSQL returns the products for which shoppers see a difference: something is there or is not any more, or
// few are left.
const writeStockSQL = `
with wanted as (
    select w.*
    from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::boolean[]) as w (sku, location, available, version, backorder)
), before as (
    select k.sku, k.location, k.available, k.backorder
    from catalog.stock as k
    join wanted as w using (sku, location)
), newer as (
    insert into catalog.stock as k (sku, location, available, version, backorder)
    select w.sku, w.location, w.available, w.version, w.backorder
    from wanted as w
    order by w.sku, w.location
    on conflict (sku, location) do update
    set available = excluded.available, version = excluded.version, backorder = excluded.backorder
    where k.version < excluded.version
    returning k.sku, k.location, k.available, k.backorder
)
select distinct v.product_id
from newer as n
left join before as b using (sku, location)
join catalog.variants as v on v.sku = n.sku
where b.available is null or b.backorder <> n.backorder or (least(b.available, $6) <> least(n.available, $6))`

func (m *readModel) writeStock(ctx context.Context, tx pgx.Tx) ([]ProductID, error) {
	if len(m.stock) == 0 {
		return nil, nil
	}
	var skus, locations []string
	var available, versions []int64
	var backorder []bool
	for _, ev := range m.stock {
		skus, locations = append(skus, ev.SKU), append(locations, ev.Location)
		available, versions = append(available, ev.Available), append(versions, ev.Version)
		backorder = append(backorder, ev.Orderable > max(ev.Available, 0))
	}
	rows, err := tx.Query(ctx, writeStockSQL, skus, locations, available, versions, backorder, fewLeft+1)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[ProductID])
}

const lockProductsSQL = `
select id
from catalog.products
where id = any($1::text[])
order by id
for update`

const writeCardsSQL = `
update catalog.products as p
set card = w.card::jsonb, price = w.price, in_stock = w.in_stock, card_version = p.card_version + 1,
    index_refusal = null, index_retry_at = null
from unnest($1::text[], $2::text[], $3::bigint[], $4::bool[]) as w (id, card, price, in_stock)
where p.id = w.id`

const dropListingsSQL = `
delete from catalog.listings
where product_id = any($1::text[]) and not (category_id || ' ' || product_id = any($2::text[]))`

const writeListingsSQL = `
insert into catalog.listings as l (category_id, product_id, created_at, title, price, popularity)
select w.category_id, p.id, p.created_at, p.title, p.price, p.popularity
from unnest($1::text[], $2::text[]) as w (category_id, product_id)
join catalog.products as p on p.id = w.product_id
on conflict (category_id, product_id) do update
set created_at = excluded.created_at, title = excluded.title, price = excluded.price, popularity = excluded.popularity
where (l.created_at, l.title, l.price, l.popularity) is distinct from (excluded.created_at, excluded.title, excluded.price, excluded.popularity)`

// render makes the cards and listings of products anew, under their row locks, and returns those it touched.
func (s *Service) render(ctx context.Context, tx pgx.Tx, products []ProductID) ([]ProductID, error) {
	if len(products) == 0 {
		return nil, nil
	}
	if _, err := tx.Exec(ctx, lockProductsSQL, products); err != nil {
		return nil, err
	}
	list, err := records(ctx, tx, "p.id = any($1::text[])", products)
	if err != nil {
		return nil, err
	}
	t, err := loadTree(ctx, tx, categoryNamesSQL, s.now())
	if err != nil {
		return nil, err
	}
	n := len(list)
	ids, cards, prices, inStock := make([]string, n), make([]string, n), make([]int64, n), make([]bool, n)
	var categories, members, listings []string
	for i, r := range list {
		item := r.item(s.currency)
		card, err := json.Marshal(item)
		if err != nil {
			return nil, err
		}
		ids[i], cards[i], prices[i], inStock[i] = string(r.ID), string(card), item.Price.Minor, item.InStock
		if !r.visible(s.currency) {
			continue
		}
		for _, c := range append(t.path(r.CategoryID), CategoryRef{}) {
			categories, members = append(categories, string(c.ID)), append(members, string(r.ID))
			listings = append(listings, string(c.ID)+" "+string(r.ID))
		}
	}
	if _, err := tx.Exec(ctx, writeCardsSQL, ids, cards, prices, inStock); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, dropListingsSQL, ids, listings); err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, writeListingsSQL, categories, members)
	return products, err
}

const keysSQL = `
select id, slug
from catalog.products
where id = any($1::text[])`

func (s *Service) invalidate(ctx context.Context, products []ProductID) error {
	rows, err := s.db.Query(ctx, keysSQL, products)
	if err != nil {
		return err
	}
	var keys []string
	var product, slug string
	if _, err := pgx.ForEachRow(rows, []any{&product, &slug}, func() error {
		keys = append(keys, product, slug)
		return nil
	}); err != nil {
		return err
	}
	return s.pages.Invalidate(ctx, keys...)
}

const (
	indexBatch = 500
	indexPause = time.Second
)

// Index brings products to the search index that it does not have as they are, until ctx ends: those whose turn came
// while the index did not answer, and all of them when it was lost.
func (s *Service) Index(ctx context.Context) error {
	for {
		n, err := s.indexSome(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // told to stop
		case err != nil:
			s.log.WarnContext(ctx, "search index not updated", "error", err)
		case n == indexBatch:
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-time.After(indexPause):
		}
	}
}

const toIndexSQL = `p.indexed_version < p.card_version
and (p.index_retry_at is null or p.index_retry_at <= now())
order by p.id
limit $1`

const markIndexedSQL = `
update catalog.products as p
set indexed_version = w.version, index_refusal = null, index_retry_at = null
from unnest($1::text[], $2::bigint[]) as w (id, version)
where p.id = w.id and p.indexed_version < w.version`

// markRefusedSQL leaves products that changed meanwhile alone: they may be accepted now.
const markRefusedSQL = `
update catalog.products as p
set index_refusal = w.reason, index_retry_at = now() + $4::interval
from unnest($1::text[], $2::bigint[], $3::text[]) as w (id, version, reason)
where p.id = w.id and p.card_version = w.version`

// refusedPause is when a product that the search index refused is tried again, if it does not change before.
const refusedPause = time.Minute

// indexSome brings one batch to the index and returns how many products it had. Those that the index refused are not in
// it, and their turn comes again.
func (s *Service) indexSome(ctx context.Context) (int, error) {
	list, err := records(ctx, s.db, toIndexSQL, indexBatch)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	docs, err := s.documents(ctx, list)
	if err != nil {
		return 0, err
	}
	refused, err := s.refusedOf(ctx, s.engine.Upsert(ctx, docs))
	if err != nil {
		return 0, err
	}
	var stored, left struct {
		ids      []string
		versions []int64
	}
	var reasons []string
	for _, r := range list {
		if reason, no := refused[string(r.ID)]; no {
			left.ids, left.versions = append(left.ids, string(r.ID)), append(left.versions, r.CardVersion)
			reasons = append(reasons, reason)
		} else {
			stored.ids, stored.versions = append(stored.ids, string(r.ID)), append(stored.versions, r.CardVersion)
		}
	}
	if _, err := s.db.Exec(ctx, markIndexedSQL, stored.ids, stored.versions); err != nil {
		return 0, fmt.Errorf("mark indexed products: %w", err)
	}
	if len(left.ids) > 0 {
		if _, err := s.db.Exec(ctx, markRefusedSQL, left.ids, left.versions, reasons, refusedPause); err != nil {
			return 0, fmt.Errorf("mark refused products: %w", err)
		}
	}
	return len(list), nil
}

// maxRefusal is how much of the reason of a refusal is kept, in bytes.
const maxRefusal = 500

// refusedOf are the products that a write to the index refused, with the reasons; any other error is returned.
func (s *Service) refusedOf(ctx context.Context, err error) (map[string]string, error) {
	var refused *search.BulkError
	if !errors.As(err, &refused) {
		return nil, err
	}
	s.log.ErrorContext(ctx, "search index refused products", "error", err)
	reasons := make(map[string]string, len(refused.Failures))
	for _, f := range refused.Failures {
		reason := f.Err.Error()
		if e := errs.As(f.Err); e != nil {
			for _, field := range e.Fields {
				reason += " " + field.Pointer + ": " + field.Detail
			}
		}
		reasons[f.ProductID] = strings.ToValidUTF8(reason[:min(len(reason), maxRefusal)], "")
	}
	return reasons, nil
}

func (s *Service) documents(ctx context.Context, list []*record) ([]search.Document, error) {
	t, err := loadTree(ctx, s.db, categoryNamesSQL, s.now())
	if err != nil {
		return nil, err
	}
	docs := make([]search.Document, len(list))
	for i, r := range list {
		card, err := json.Marshal(r.item(s.currency))
		if err != nil {
			return nil, err
		}
		docs[i] = r.document(s.currency, t, card)
	}
	return docs, nil
}

const (
	// reindexLock is the advisory lock of who builds the search index.
	reindexLock = 7467_02

	lockReindexSQL   = `select pg_try_advisory_lock($1)`
	unlockReindexSQL = `select pg_advisory_unlock($1)`
)

// Reindex renders all products anew, builds the search index beside the one in use and switches over; changes
// meanwhile go to both. Of several processes one does so at a time, the others get errReindexing: two at once would
// exchange the index under each other's writes. The lock is the connection's, and ends with the process that holds it.
// progress hears how many products are in it and how many there are.
func (s *Service) Reindex(ctx context.Context, progress func(done, total int)) error {
	conn, err := s.db.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("take the lock of the search index: %w", err)
	}
	defer conn.Release()
	var locked bool
	if err := conn.QueryRow(ctx, lockReindexSQL, reindexLock).Scan(&locked); err != nil {
		return fmt.Errorf("take the lock of the search index: %w", err)
	}
	if !locked {
		return errReindexing
	}
	err = s.reindex(ctx, progress)
	if _, unlockErr := conn.Exec(context.WithoutCancel(ctx), unlockReindexSQL, reindexLock); unlockErr != nil {
		return errors.Join(err, unlockErr, conn.Conn().Close(context.WithoutCancel(ctx))) // closing it gives the lock back
	}
	return err
}

func (s *Service) reindex(ctx context.Context, progress func(done, total int)) (err error) {
	var total int
	if err := s.db.QueryRow(ctx, `select count(*) from catalog.products`).Scan(&total); err != nil {
		return fmt.Errorf("count products: %w", err)
	}
	rebuild, err := s.engine.Rebuild(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, rebuild.Abort(context.WithoutCancel(ctx)))
		}
	}()
	last, done := "", 0
	for {
		list, err := s.renderAfter(ctx, last)
		if err != nil {
			return fmt.Errorf("render products: %w", err)
		}
		if len(list) == 0 {
			break
		}
		docs, err := s.documents(ctx, list)
		if err != nil {
			return err
		}
		// What is refused here is refused by indexSome, too, for which renderAfter has marked every product.
		if _, err := s.refusedOf(ctx, rebuild.Write(ctx, docs)); err != nil {
			return err
		}
		last = string(list[len(list)-1].ID)
		done += len(list)
		progress(done, max(total, done))
	}
	return rebuild.Commit(ctx)
}

const productsAfterSQL = `
select id
from catalog.products
where id > $1
order by id
limit $2`

// renderAfter renders the products that come after the given one, a batch of them, and returns them as they are then.
func (s *Service) renderAfter(ctx context.Context, last string) ([]*record, error) {
	rows, err := s.db.Query(ctx, productsAfterSQL, last, indexBatch)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[ProductID])
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	if err := postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		_, err := s.render(ctx, tx, ids)
		return err
	}); err != nil {
		return nil, err
	}
	if err := s.invalidate(ctx, ids); err != nil {
		s.log.WarnContext(ctx, "product cache not cleared", "error", err) // entries end by themselves
	}
	return records(ctx, s.db, "p.id = any($1::text[]) order by p.id", ids)
}

const markAllSQL = `
update catalog.products
set card_version = card_version + 1, index_refusal = null, index_retry_at = null`

const unindexedSQL = `
select count(*) filter (where indexed_version < card_version), count(index_refusal), count(*)
from catalog.products`

// ReindexElsewhere lets the process that has the search index bring every product to it again, and returns when it has.
// It fails when the index refused some.
func (s *Service) ReindexElsewhere(ctx context.Context, progress func(done, total int)) error {
	if _, err := s.db.Exec(ctx, markAllSQL); err != nil {
		return fmt.Errorf("mark products: %w", err)
	}
	for {
		var left, refused, total int
		if err := s.db.QueryRow(ctx, unindexedSQL).Scan(&left, &refused, &total); err != nil {
			return fmt.Errorf("count products: %w", err)
		}
		progress(total-left, total)
		switch left {
		case 0:
			return nil
		case refused:
			return fmt.Errorf("the search index refused %d of %d products; index_refusal in catalog.products says why", refused, total)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(indexPause / 4):
		}
	}
}
