package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/postgres"
)

// recordSQL reads products with their variants, what those cost, and how many are there.
const recordSQL = `
select
    p.id, p.slug, p.sku, p.title, p.description, p.brand, p.status, coalesce(p.category_id, ''), p.attributes, p.options, p.images, p.collections,
    p.related, p.rating_sum, p.rating_count, p.popularity, p.version, p.card_version, p.created_at, p.updated_at,
    (
        select coalesce(json_agg(json_build_object(
            'id', v.id, 'sku', v.sku, 'options', v.options, 'gtins', v.gtins, 'image', coalesce(v.image, ''),
            'offers', (
                select coalesce(json_object_agg(o.currency, json_build_object('amount', o.amount, 'compare_at', o.compare_at, 'lowest_before', o.lowest_before)), '{}')
                from catalog.offers as o
                where o.variant_id = v.id
            ),
            'available', (select coalesce(sum(greatest(k.available, 0)), 0) from catalog.stock as k where k.sku = v.sku),
            'backorder', (select coalesce(bool_or(k.backorder), false) from catalog.stock as k where k.sku = v.sku)
        ) order by v.position), '[]')
        from catalog.variants as v
        where v.product_id = p.id
    )
from catalog.products as p
where `

func records(ctx context.Context, q postgres.Querier, condition string, args ...any) ([]*record, error) {
	rows, err := q.Query(ctx, recordSQL+condition, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[record])
}

func oneRecord(ctx context.Context, q postgres.Querier, condition string, args ...any) (*record, error) {
	list, err := records(ctx, q, condition, args...)
	if err != nil {
		return nil, fmt.Errorf("read product: %w", err)
	}
	if len(list) == 0 {
		return nil, errs.ErrNotFound
	}
	return list[0], nil
}

const cardsBySKUSQL = `
select p.card
from unnest($1::text[]) with ordinality as w (sku, position)
join catalog.products as p on p.sku = w.sku
where p.status = 'active' and p.card is not null
order by w.position
limit $2`

func cardsBySKU(ctx context.Context, q postgres.Querier, skus []string, limit int) ([]ListItem, error) {
	if len(skus) == 0 {
		return nil, nil
	}
	rows, err := q.Query(ctx, cardsBySKUSQL, skus, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[ListItem])
}

const cardsByIDSQL = `
select p.card
from unnest($1::text[]) with ordinality as w (id, position)
join catalog.products as p on p.id = w.id
where p.status = 'active' and p.in_stock and p.card is not null
order by w.position`

func cardsByID(ctx context.Context, q postgres.Querier, ids []string) ([]ListItem, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := q.Query(ctx, cardsByIDSQL, ids)
	if err != nil {
		return nil, fmt.Errorf("read products: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[ListItem])
}

const cardsInStockBySKUSQL = `
select p.card
from unnest($1::text[]) with ordinality as w (sku, position)
join catalog.products as p on p.sku = w.sku
where p.status = 'active' and p.in_stock and p.card is not null
order by w.position`

func cardsInStockBySKU(ctx context.Context, q postgres.Querier, skus []string) ([]ListItem, error) {
	rows, err := q.Query(ctx, cardsInStockBySKUSQL, skus)
	if err != nil {
		return nil, fmt.Errorf("read products: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[ListItem])
}

const skusOfSQL = `
select p.sku
from unnest($1::text[]) with ordinality as w (id, position)
join catalog.products as p on p.id = w.id
order by w.position`

func skusOf(ctx context.Context, q postgres.Querier, ids []string) ([]string, error) {
	rows, err := q.Query(ctx, skusOfSQL, ids)
	if err != nil {
		return nil, fmt.Errorf("read article numbers: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// order is a way to sort a list: the column of catalog.listings, its direction, and how a cursor carries its value.
type order struct {
	column     string
	descending bool
	cast       string
}

var orders = map[string]order{
	"":            {"created_at", true, "timestamptz"},
	"-created_at": {"created_at", true, "timestamptz"},
	"price":       {"price", false, "bigint"},
	"-price":      {"price", true, "bigint"},
	"title":       {"title", false, "text"},
	"-popularity": {"popularity", true, "float8"},
}

// listCursor is the place after an item of a sorted list.
type listCursor struct {
	Sort  string    `json:"s"`
	Value string    `json:"v"`
	ID    ProductID `json:"i"`
}

type listed struct {
	card  json.RawMessage
	id    ProductID
	value string
}

// list reads one page by key: an index has every order, so the thousandth page costs what the first one does.
func list(ctx context.Context, q postgres.Querier, category CategoryID, sort string, after *listCursor, limit int) ([]listed, error) {
	o, ok := orders[sort]
	if !ok {
		return nil, errBadSort
	}
	direction, compare := "asc", ">"
	if o.descending {
		direction, compare = "desc", "<"
	}
	sql := `
select p.card, l.product_id, l.` + o.column + `::text
from catalog.listings as l
join catalog.products as p on p.id = l.product_id
where l.category_id = $1`
	args := []any{string(category)}
	if after != nil {
		sql += fmt.Sprintf(" and (l.%s, l.product_id) %s ($2::text::%s, $3)", o.column, compare, o.cast)
		args = append(args, after.Value, after.ID)
	}
	sql += fmt.Sprintf("\norder by l.%s %s, l.product_id %s\nlimit %d", o.column, direction, direction, limit)
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("list products: %w", err)
	}
	page, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l listed, err error) {
		return l, row.Scan(&l.card, &l.id, &l.value)
	})
	if code := postgres.Code(err); code == "22P02" || code == "22007" || code == "22003" || code == "22008" {
		return nil, errBadCursor // a value in the cursor that is none of the column's type
	}
	return page, err
}

const reviewsSQL = `
select id, rating, title, body, author, created_at
from catalog.reviews
where product_id = $1 and ($2::timestamptz is null or (created_at, id) < ($2, $3))
order by created_at desc, id desc
limit $4`

func reviews(ctx context.Context, q postgres.Querier, product ProductID, at *time.Time, id string, limit int) ([]Review, error) {
	rows, err := q.Query(ctx, reviewsSQL, product, at, id, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Review])
}

// Sellable is a variant as a cart needs it.
type Sellable struct {
	VariantID   VariantID
	SKU         string
	ProductID   ProductID
	Slug        string
	Title       string
	Options     map[string]string
	Image       string
	Purchasable bool
	CategoryID  CategoryID // empty without one
}

const sellablesSQL = `
select v.id, v.sku, p.id, p.slug, p.title, v.options, coalesce(v.image, p.images -> 0 ->> 'url', ''), p.status = 'active', coalesce(p.category_id, '')
from catalog.variants as v
join catalog.products as p on p.id = v.product_id
where v.id = any($1::text[]) or v.sku = any($1::text[])`

func sellables(ctx context.Context, q postgres.Querier, refs []string) ([]Sellable, error) {
	rows, err := q.Query(ctx, sellablesSQL, refs)
	if err != nil {
		return nil, fmt.Errorf("read variants: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Sellable])
}

// SitemapEntry is a product page for the site map.
type SitemapEntry struct {
	Slug      string
	UpdatedAt time.Time
}

const sitemapSQL = `
select slug, updated_at
from catalog.products
where status = 'active' and card is not null and slug > $1
order by slug
limit $2`

func sitemap(ctx context.Context, q postgres.Querier, after string, limit int) ([]SitemapEntry, error) {
	rows, err := q.Query(ctx, sitemapSQL, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[SitemapEntry])
}

// AdminItem is a product in the merchant's list.
type AdminItem struct {
	ID        ProductID
	Slug      string
	Title     string
	Status    Status
	Category  CategoryID
	Card      *ListItem
	Stock     int64
	Variants  int
	UpdatedAt time.Time
}

const adminListSQL = `
select
    p.id, p.slug, p.title, p.status, coalesce(p.category_id, ''), p.card,
    (select coalesce(sum(k.available), 0)::bigint from catalog.variants as v join catalog.stock as k on k.sku = v.sku where v.product_id = p.id),
    (select count(*) from catalog.variants as v where v.product_id = p.id),
    p.updated_at
from catalog.products as p
where %s
order by p.updated_at desc, p.id desc
limit %d`

func adminList(ctx context.Context, q postgres.Querier, text string, status Status, after *adminCursor, limit int) ([]AdminItem, error) {
	conditions, args := []string{"true"}, []any{}
	where := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.ReplaceAll(strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1), "@", fmt.Sprintf("$%d", len(args)))
		}
		conditions = append(conditions, condition)
	}
	if status != "" {
		where("p.status = ?", string(status))
	}
	if text != "" {
		where(`(p.title ilike ? or p.slug ilike @ or exists (select from catalog.variants as v where v.product_id = p.id and v.sku ilike @))`, "%"+likeText(text)+"%")
	}
	if after != nil {
		where("(p.updated_at, p.id) < (?, ?)", after.At, after.ID)
	}
	rows, err := q.Query(ctx, fmt.Sprintf(adminListSQL, strings.Join(conditions, " and "), limit), args...)
	if err != nil {
		return nil, fmt.Errorf("list products: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[AdminItem])
}

// likeText takes the pattern characters of LIKE literally.
func likeText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(s)
}

type adminCursor struct {
	At time.Time `json:"t"`
	ID ProductID `json:"i"`
}

const updateSQL = `
update catalog.products
set title = coalesce($3, title), description = coalesce($4, description), status = coalesce($5, status), version = version + 1, updated_at = $6
where id = $1 and version = $2
returning version, status`

// update changes the given fields of a product that has the version the caller has seen.
func update(ctx context.Context, tx pgx.Tx, id ProductID, version int64, p Patch, now time.Time) (int64, Status, error) {
	var next int64
	var status Status
	err := tx.QueryRow(ctx, updateSQL, id, version, p.Title, p.Description, p.Status, now).Scan(&next, &status)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, "", errs.ErrStaleVersion
	}
	return next, status, err
}
