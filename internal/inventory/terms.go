package inventory

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// BackorderPolicy says whether an article can be ordered that is not there.
type BackorderPolicy string

// The policies. An article denies unless it is told otherwise.
const (
	BackorderDeny  BackorderPolicy = "deny"
	BackorderAllow BackorderPolicy = "allow" // any number
	BackorderLimit BackorderPolicy = "limit" // up to a number
)

// Backorder is a policy with its number, which only BackorderLimit has.
type Backorder struct {
	Policy BackorderPolicy
	Limit  int64
}

// Terms are what holds for an article in a location besides how much there is. Nil fields stay as they are.
type Terms struct {
	SKU      string
	Location string // empty is DefaultLocation
	// ReorderPoint is how many pieces are few: the stock announces that it fell to it. Zero for never.
	ReorderPoint *int64
	// Backorder holds for the article, which owes what it has not got in this location alone.
	Backorder *Backorder
}

// unlimited is what can be ordered of an article without an end, for those who count.
const unlimited = 1_000_000_000

var (
	errOwed      = errs.New(errs.Conflict, "backorders_outstanding", "More pieces are owed than this would allow. Take in what is owed first, or allow as many.")
	errBackorder = errs.New(errs.Invalid, "validation_failed", "A limit is a number from 1 to a billion, and belongs to the policy limit only.").
			WithFields(errs.Field{Pointer: "/backorder_limit", Code: "invalid", Detail: "from 1 to a billion, with the policy limit only"})
)

// column is the policy as the stock row has it: nil is any number.
func (b Backorder) column() (*int64, error) {
	switch {
	case b.Policy == BackorderAllow && b.Limit == 0:
		return nil, nil
	case b.Policy == BackorderDeny && b.Limit == 0, b.Policy == BackorderLimit && b.Limit > 0 && b.Limit <= maxQuantity:
		return &b.Limit, nil
	}
	return nil, errBackorder
}

func backorderOf(column *int64) Backorder {
	switch {
	case column == nil:
		return Backorder{Policy: BackorderAllow}
	case *column == 0:
		return Backorder{Policy: BackorderDeny}
	}
	return Backorder{Policy: BackorderLimit, Limit: *column}
}

// termsSQL gives an article's backorders to one location, so that what it owes is one number.
var termsSQL = `
with told as (
    insert into inventory.stock as s (sku, location, reorder_point, backorder_limit, updated_at)
    values ($3, $4, coalesce($5::bigint, 0), case when $6::boolean then $7::bigint else 0 end, $2)
    on conflict (sku, location) do update
    set reorder_point = coalesce($5, s.reorder_point), backorder_limit = case when $6 then $7 else s.backorder_limit end,
        version = s.version + 1, updated_at = $2
    returning ` + levelColumns + `
), others as (
    update inventory.stock as s
    set backorder_limit = 0, version = s.version + 1, updated_at = $2
    where $6 and s.sku = $3 and s.location <> $4 and s.backorder_limit is distinct from 0
    returning ` + levelColumns + `
), changed as (
    select t.*, platform.new_event_id() as event_id, null::text as order_id from told as t
    union all
    select o.*, platform.new_event_id(), null::text from others as o
), announced as (` + announce("changed", "terms") + `
)
select count(*) from changed`

// SetTerms changes what holds for an article. Setting the backorders of one location takes them from all others. It
// returns a conflict when more is owed than the new policy allows.
func (s *Service) SetTerms(ctx context.Context, t Terms) error {
	if t.Location == "" {
		t.Location = DefaultLocation
	}
	if t.ReorderPoint != nil && (*t.ReorderPoint < 0 || *t.ReorderPoint > maxQuantity) {
		return errs.Validation(errs.Field{Pointer: "/reorder_point", Code: "invalid", Detail: "from 0 to a billion"})
	}
	var limit *int64
	if t.Backorder != nil {
		var err error
		if limit, err = t.Backorder.column(); err != nil {
			return err
		}
	}
	err := postgres.Retry(ctx, func() error {
		var n int
		return s.db.QueryRow(ctx, termsSQL, outbox.Trace(ctx), s.now(), t.SKU, t.Location, t.ReorderPoint, t.Backorder != nil, limit).Scan(&n)
	})
	switch {
	case postgres.Violates(err, "stock_location_fkey"):
		return errUnknownLocation
	case postgres.Violates(err, constraintNotOversold):
		return errOwed
	case err != nil:
		return fmt.Errorf("set the terms of %s: %w", t.SKU, err)
	}
	s.announced(ctx, t.SKU)
	return nil
}

// maxWatched bounds the articles with a metric of their own: each is a time series on every replica.
const maxWatched = 200

var errTooManyWatched = errs.New(errs.Conflict, "too_many_watched", "Two hundred articles are watched. Stop watching another one first.")

const watchSQL = `
insert into inventory.watched (sku, since)
select $1, $2
where (select count(*) from inventory.watched) < $3
on conflict (sku) do nothing`

const unwatchSQL = `
delete from inventory.watched
where sku = $1`

const isWatchedSQL = `
select exists (select from inventory.watched where sku = $1)`

// Watch gives an article a metric of its own, or takes it away.
func (s *Service) Watch(ctx context.Context, sku string, on bool) error {
	if !on {
		if _, err := s.db.Exec(ctx, unwatchSQL, sku); err != nil {
			return fmt.Errorf("stop watching %s: %w", sku, err)
		}
		return nil
	}
	tag, err := s.db.Exec(ctx, watchSQL, sku, s.now(), maxWatched)
	if err != nil {
		return fmt.Errorf("watch %s: %w", sku, err)
	}
	if tag.RowsAffected() > 0 {
		return nil
	}
	watched, err := s.Watched(ctx, sku)
	if err == nil && !watched {
		return errTooManyWatched
	}
	return err
}

// Watched reports whether an article has a metric of its own.
func (s *Service) Watched(ctx context.Context, sku string) (watched bool, err error) {
	if err := s.db.QueryRow(ctx, isWatchedSQL, sku).Scan(&watched); err != nil {
		return false, fmt.Errorf("read whether %s is watched: %w", sku, err)
	}
	return watched, nil
}

const watchedLevelsSQL = `
select w.sku, coalesce(sum(s.available), 0)::bigint
from inventory.watched as w
left join inventory.stock as s on s.sku = w.sku
group by w.sku`

func watchedLevels(ctx context.Context, q postgres.Querier) (map[string]int64, error) {
	rows, err := q.Query(ctx, watchedLevelsSQL)
	if err != nil {
		return nil, err
	}
	found := map[string]int64{}
	var sku string
	var available int64
	_, err = pgx.ForEachRow(rows, []any{&sku, &available}, func() error {
		found[sku] = available
		return nil
	})
	return found, err
}
