package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// Input is a product to be created, or to be brought to what it says. SKU, Title and at least one variant are
// required.
type Input struct {
	SKU         string // of the default variant; names the product when it is written again
	Slug        string // empty is made from the title
	Title       string
	Description string
	Brand       string
	Category    []string // path from the top category down; made where it does not exist
	Collections []string
	Attributes  map[string][]string
	Options     []Option
	Images      []Image
	Related     []string // SKUs
	Status      Status   // empty is Active
	Variants    []VariantInput
	CreatedAt   time.Time // of a new product; zero is now
}

// VariantInput is a variant of an Input.
type VariantInput struct {
	SKU     string
	Options map[string]string
	GTINs   []string
	Image   string // URL of one of the product's images; empty for none of its own
}

// Saved tells under which ids an Input is stored.
type Saved struct {
	ProductID ProductID
	Variants  map[string]VariantID // by SKU
}

// Bounds of a product.
const (
	MaxVariants = 2048
	maxSKU      = 100
	maxDepth    = 8
	maxTitle    = 300
)

// Check returns an ErrInvalid that names everything wrong with the input.
func (in *Input) Check() error {
	var fields []errs.Field
	wrong := func(pointer, detail string) {
		fields = append(fields, errs.Field{Pointer: pointer, Code: "validation_failed", Detail: detail})
	}
	if !validSKU(in.SKU) {
		wrong("/sku", "A SKU has 1 to 100 characters and no white space around it.")
	}
	if in.Title == "" || len(in.Title) > maxTitle {
		wrong("/title", "A title has 1 to 300 characters.")
	}
	if in.Status != "" && in.Status != Active && in.Status != Draft && in.Status != Archived {
		wrong("/status", "The status is draft, active or archived.")
	}
	if len(in.Category) > maxDepth || slices.Contains(in.Category, "") {
		wrong("/category", "A category path has up to 8 names, none of them empty.")
	}
	if len(in.Variants) == 0 || len(in.Variants) > MaxVariants {
		wrong("/variants", "A product has 1 to 2,048 variants.")
	}
	seen := map[string]bool{}
	for i, v := range in.Variants {
		switch {
		case !validSKU(v.SKU):
			wrong(fmt.Sprintf("/variants/%d/sku", i), "A SKU has 1 to 100 characters and no white space around it.")
		case seen[v.SKU]:
			wrong(fmt.Sprintf("/variants/%d/sku", i), "This SKU is there twice.")
		}
		seen[v.SKU] = true
	}
	if len(fields) > 0 {
		return ErrInvalid.WithFields(fields...)
	}
	return nil
}

func validSKU(s string) bool {
	return s != "" && len(s) <= maxSKU && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' })
}

// Save creates products or brings those that exist to what the inputs say, all of them or none. The inputs must have
// passed Check. A product is known again by its SKU, a variant by its own.
func (s *Service) Save(ctx context.Context, inputs []Input) ([]Saved, error) {
	var saved []Saved
	err := postgres.InTx(ctx, s.db, func(tx pgx.Tx) (err error) {
		w := writer{tx: tx, now: s.now()}
		saved, err = w.save(ctx, inputs)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("save products: %w", err)
	}
	outbox.Wake()
	return saved, nil
}

// writer writes one batch of products in a few statements.
type writer struct {
	tx         pgx.Tx
	now        time.Time
	categories map[string]CategoryID // by path
}

func (w *writer) save(ctx context.Context, inputs []Input) ([]Saved, error) {
	if err := w.ensureCategories(ctx, inputs); err != nil {
		return nil, fmt.Errorf("categories: %w", err)
	}
	known, err := w.known(ctx, inputs)
	if err != nil {
		return nil, err
	}
	slugs, err := w.slugs(ctx, inputs, known)
	if err != nil {
		return nil, err
	}
	products, variants, saved := w.rows(inputs, known, slugs)
	evs, err := w.writeProducts(ctx, products)
	if err != nil {
		return nil, err
	}
	if err := w.writeVariants(ctx, variants, saved); err != nil {
		return nil, err
	}
	return saved, outbox.Append(ctx, w.tx, w.now, evs...)
}

const pathSeparator = "\x00"

// insertCategoriesSQL puts new categories behind those that are there, so that they stand in the order in which an
// import names them, however it is cut into batches.
const insertCategoriesSQL = `
insert into catalog.categories (id, parent_id, slug, name, position)
select w.id, nullif(w.parent_id, ''), w.slug, w.name, w.n + (select coalesce(max(c.position), 0) from catalog.categories as c)
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) with ordinality as w (id, parent_id, slug, name, n)
on conflict do nothing`

// ensureCategories makes the categories that the inputs name, level by level. Ids and slugs follow from the path, so
// that two writers make the same ones.
func (w *writer) ensureCategories(ctx context.Context, inputs []Input) error {
	w.categories = map[string]CategoryID{"": ""}
	for depth := 1; depth <= maxDepth; depth++ {
		var ids, parents, slugs, names []string
		for _, in := range inputs {
			if len(in.Category) < depth {
				continue
			}
			path := strings.Join(in.Category[:depth], pathSeparator)
			if _, ok := w.categories[path]; ok {
				continue
			}
			category := CategoryID(id.Derive("cat", strings.ToLower(path)))
			w.categories[path] = category
			parent := w.categories[strings.Join(in.Category[:depth-1], pathSeparator)]
			ids, parents = append(ids, string(category)), append(parents, string(parent))
			slugs, names = append(slugs, slugify(strings.Join(in.Category[:depth], " "))), append(names, in.Category[depth-1])
		}
		if len(ids) == 0 {
			return nil
		}
		if _, err := w.tx.Exec(ctx, insertCategoriesSQL, ids, parents, slugs, names); err != nil {
			return err
		}
	}
	return nil
}

type knownVariant struct {
	SKU       string
	VariantID VariantID
	ProductID ProductID
	Slug      string
}

const knownSQL = `
select v.sku, v.id, v.product_id, p.slug
from catalog.variants as v
join catalog.products as p on p.id = v.product_id
where v.sku = any($1::text[])
order by v.sku
for update of p`

// known returns the variants that exist already, by SKU, with their products locked.
func (w *writer) known(ctx context.Context, inputs []Input) (map[string]knownVariant, error) {
	var skus []string
	for _, in := range inputs {
		for _, v := range in.Variants {
			skus = append(skus, v.SKU)
		}
	}
	rows, err := w.tx.Query(ctx, knownSQL, skus)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[knownVariant])
	if err != nil {
		return nil, fmt.Errorf("read variants: %w", err)
	}
	known := make(map[string]knownVariant, len(list))
	for _, v := range list {
		known[v.SKU] = v
	}
	return known, nil
}

const takenSlugsSQL = `
select slug
from catalog.products
where slug = any($1::text[])`

// slugs chooses the slug of each input: its own, the one the product has, or one of the title that is free.
func (w *writer) slugs(ctx context.Context, inputs []Input, known map[string]knownVariant) ([]string, error) {
	slugs, wanted := make([]string, len(inputs)), make([]string, len(inputs))
	for i, in := range inputs {
		wanted[i] = in.Slug
		if wanted[i] == "" {
			wanted[i] = slugify(in.Title)
		}
		if wanted[i] == "" {
			wanted[i] = slugify(in.SKU)
		}
	}
	rows, err := w.tx.Query(ctx, takenSlugsSQL, wanted)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	for _, slug := range list {
		taken[slug] = true
	}
	for i, in := range inputs {
		if have, ok := known[in.Variants[0].SKU]; ok && (in.Slug == "" || in.Slug == have.Slug) {
			slugs[i] = have.Slug
			continue
		}
		slugs[i] = wanted[i]
		if taken[slugs[i]] || slugs[i] == "" {
			slugs[i] = strings.Trim(wanted[i]+"-"+slugify(in.SKU), "-")
		}
		taken[slugs[i]] = true
	}
	return slugs, nil
}

// productRow and variantRow are the rows as JSON for one insert of many.
type productRow struct {
	ID          ProductID           `json:"id"`
	Slug        string              `json:"slug"`
	SKU         string              `json:"sku"`
	Title       string              `json:"title"`
	Description string              `json:"description"`
	Brand       string              `json:"brand"`
	Status      Status              `json:"status"`
	CategoryID  CategoryID          `json:"category_id"`
	Attributes  map[string][]string `json:"attributes"`
	Options     []Option            `json:"options"`
	Images      []Image             `json:"images"`
	Collections []string            `json:"collections"`
	Related     []string            `json:"related"`
	CreatedAt   time.Time           `json:"created_at"`
}

type variantRow struct {
	ID        VariantID         `json:"id"`
	ProductID ProductID         `json:"product_id"`
	SKU       string            `json:"sku"`
	Position  int               `json:"position"`
	Options   map[string]string `json:"options"`
	GTINs     []string          `json:"gtins"`
	Image     string            `json:"image"`
}

func (w *writer) rows(inputs []Input, known map[string]knownVariant, slugs []string) ([]productRow, []variantRow, []Saved) {
	products, saved := make([]productRow, len(inputs)), make([]Saved, len(inputs))
	var variants []variantRow
	for i, in := range inputs {
		product := ProductID(id.New("prod"))
		for _, v := range in.Variants {
			if have, ok := known[v.SKU]; ok {
				product = have.ProductID
				break
			}
		}
		saved[i] = Saved{ProductID: product, Variants: make(map[string]VariantID, len(in.Variants))}
		for position, v := range in.Variants {
			variant := VariantID(id.New("var"))
			if have, ok := known[v.SKU]; ok {
				variant = have.VariantID
			}
			saved[i].Variants[v.SKU] = variant
			variants = append(variants, variantRow{
				ID: variant, ProductID: product, SKU: v.SKU, Position: position, Options: orEmpty(v.Options), GTINs: orNone(v.GTINs), Image: v.Image,
			})
		}
		row := productRow{
			ID: product, Slug: slugs[i], SKU: in.SKU, Title: in.Title, Description: in.Description, Brand: in.Brand, Status: in.Status,
			CategoryID: w.categories[strings.Join(in.Category, pathSeparator)], Attributes: orEmpty(in.Attributes), Options: orNone(in.Options),
			Images: orNone(in.Images), Collections: orNone(in.Collections), Related: orNone(in.Related), CreatedAt: in.CreatedAt,
		}
		if row.Status == "" {
			row.Status = Active
		}
		if row.CreatedAt.IsZero() {
			row.CreatedAt = w.now
		}
		products[i] = row
	}
	return products, variants, saved
}

func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func orEmpty[T any](m map[string]T) map[string]T {
	if m == nil {
		return map[string]T{}
	}
	return m
}

const writeProductsSQL = `
insert into catalog.products as p (
    id, slug, sku, title, description, brand, status, category_id, attributes, options, images, collections, related, created_at, updated_at
)
select w.id, w.slug, w.sku, w.title, w.description, w.brand, w.status, nullif(w.category_id, ''), w.attributes, w.options, w.images, w.collections,
    w.related, w.created_at, $2
from jsonb_to_recordset($1::jsonb) as w (
    id text, slug text, sku text, title text, description text, brand text, status text, category_id text, attributes jsonb, options jsonb,
    images jsonb, collections text[], related text[], created_at timestamptz
)
order by w.id
on conflict (id) do update
set slug = excluded.slug, sku = excluded.sku, title = excluded.title, description = excluded.description, brand = excluded.brand,
    status = excluded.status, category_id = excluded.category_id, attributes = excluded.attributes, options = excluded.options,
    images = excluded.images, collections = excluded.collections, related = excluded.related, updated_at = excluded.updated_at,
    version = p.version + 1
where (
    p.slug, p.sku, p.title, p.description, p.brand, p.status, p.category_id, p.attributes, p.options, p.images, p.collections, p.related
) is distinct from (
    excluded.slug, excluded.sku, excluded.title, excluded.description, excluded.brand, excluded.status, excluded.category_id, excluded.attributes,
    excluded.options, excluded.images, excluded.collections, excluded.related
)
returning p.id, p.status, p.version`

// writeProducts writes the rows that differ from what is stored and returns their events.
func (w *writer) writeProducts(ctx context.Context, products []productRow) ([]events.Event, error) {
	body, err := json.Marshal(products)
	if err != nil {
		return nil, err
	}
	rows, err := w.tx.Query(ctx, writeProductsSQL, body, w.now)
	if err != nil {
		return nil, err
	}
	var evs []events.Event
	var ev events.ProductChanged
	_, err = pgx.ForEachRow(rows, []any{&ev.ProductID, &ev.Status, &ev.Version}, func() error {
		evs = append(evs, ev)
		return nil
	})
	if postgres.Violates(err, "products_slug_key") {
		return nil, ErrSlugTaken.Wrap(err)
	}
	return evs, err
}

const dropVariantsSQL = `
delete from catalog.variants
where product_id = any($1::text[]) and not (id = any($2::text[]))`

const writeVariantsSQL = `
insert into catalog.variants as v (id, product_id, sku, position, options, gtins, image)
select w.id, w.product_id, w.sku, w.position, w.options, w.gtins, nullif(w.image, '')
from jsonb_to_recordset($1::jsonb) as w (id text, product_id text, sku text, position int, options jsonb, gtins text[], image text)
order by w.id
on conflict (id) do update
set product_id = excluded.product_id, position = excluded.position, options = excluded.options, gtins = excluded.gtins, image = excluded.image
where (v.product_id, v.position, v.options, v.gtins, v.image)
    is distinct from (excluded.product_id, excluded.position, excluded.options, excluded.gtins, excluded.image)`

func (w *writer) writeVariants(ctx context.Context, variants []variantRow, saved []Saved) error {
	products, ids := make([]string, len(saved)), make([]string, len(variants))
	for i, p := range saved {
		products[i] = string(p.ProductID)
	}
	for i, v := range variants {
		ids[i] = string(v.ID)
	}
	if _, err := w.tx.Exec(ctx, dropVariantsSQL, products, ids); err != nil {
		return fmt.Errorf("drop variants: %w", err)
	}
	body, err := json.Marshal(variants)
	if err != nil {
		return err
	}
	if _, err := w.tx.Exec(ctx, writeVariantsSQL, body); err != nil {
		return fmt.Errorf("write variants: %w", err)
	}
	return nil
}

// NewReview is a review to be added to the product that has the SKU.
type NewReview struct {
	SKU    string
	Rating int
	Title  string
	Text   string
	Author string
	At     time.Time
}

const writeReviewsSQL = `
with wanted as (
    select w.id, p.id as product_id, w.rating, w.title, w.body, w.author, w.created_at
    from jsonb_to_recordset($1::jsonb) as w (id text, sku text, rating int, title text, body text, author text, created_at timestamptz)
    join catalog.products as p on p.sku = w.sku
), written as (
    insert into catalog.reviews (id, product_id, rating, title, body, author, created_at)
    select id, product_id, rating, title, body, author, created_at from wanted
    on conflict do nothing
    returning product_id, rating
), sums as (
    select product_id, sum(rating) as rating, count(*) as n
    from written
    group by product_id
)
update catalog.products as p
set rating_sum = p.rating_sum + s.rating, rating_count = p.rating_count + s.n, version = p.version + 1, updated_at = $2
from sums as s
where p.id = s.product_id
returning p.id, p.status, p.version`

// AddReviews stores reviews and counts them into their products' ratings. A review that is there already is left out.
func (s *Service) AddReviews(ctx context.Context, list []NewReview) error {
	type row struct {
		ID     string    `json:"id"`
		SKU    string    `json:"sku"`
		Rating int       `json:"rating"`
		Title  string    `json:"title"`
		Body   string    `json:"body"`
		Author string    `json:"author"`
		At     time.Time `json:"created_at"`
	}
	rows := make([]row, len(list))
	for i, r := range list {
		rows[i] = row{
			ID: id.Derive("rev", strings.Join([]string{r.SKU, r.Author, r.Title, r.Text}, pathSeparator)), SKU: r.SKU, Rating: r.Rating,
			Title: r.Title, Body: r.Text, Author: r.Author, At: r.At,
		}
	}
	body, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return s.announce(ctx, writeReviewsSQL, body)
}

const popularitySQL = `
update catalog.products as p
set popularity = w.popularity, version = p.version + 1, updated_at = $2
from jsonb_to_recordset($1::jsonb) as w (sku text, popularity float8)
where p.sku = w.sku and p.popularity <> w.popularity
returning p.id, p.status, p.version`

// SetPopularity says how much products are wanted, by SKU; only the proportions count.
func (s *Service) SetPopularity(ctx context.Context, popularity map[string]float64) error {
	type row struct {
		SKU        string  `json:"sku"`
		Popularity float64 `json:"popularity"`
	}
	rows := make([]row, 0, len(popularity))
	for sku, p := range popularity {
		rows = append(rows, row{sku, p})
	}
	body, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return s.announce(ctx, popularitySQL, body)
}

// announce runs a statement that changes products and returns id, status and version of each, and appends their
// events.
func (s *Service) announce(ctx context.Context, sql string, body []byte) error {
	err := postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql, body, s.now())
		if err != nil {
			return err
		}
		var evs []events.Event
		var ev events.ProductChanged
		if _, err := pgx.ForEachRow(rows, []any{&ev.ProductID, &ev.Status, &ev.Version}, func() error {
			evs = append(evs, ev)
			return nil
		}); err != nil {
			return err
		}
		return outbox.Append(ctx, tx, s.now(), evs...)
	})
	outbox.Wake()
	return err
}
