package pricing

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/postgres"
)

const promotionColumns = `
    p.id, p.title, p.kind, p.active, p.terms, p.stacking, p.priority, p.valid_from, p.valid_to, p.version, p.created_at, p.updated_at,
    l.use_limit, l.customer_limit, l.uses,
    array(select c.code from pricing.coupons as c where c.promotion_id = p.id order by c.code)`

func (p *Promotion) fields() []any {
	return []any{
		&p.ID, &p.Title, &p.Kind, &p.Active, &p.Terms, &p.Stacking, &p.Priority, &p.ValidFrom, &p.ValidTo, &p.Version, &p.CreatedAt, &p.UpdatedAt,
		&p.UseLimit, &p.CustomerLimit, &p.Uses, &p.Codes,
	}
}

func collectPromotions(rows pgx.Rows, err error) ([]*Promotion, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*Promotion, error) {
		p := &Promotion{}
		return p, row.Scan(p.fields()...)
	})
}

const automaticSQL = `
select` + promotionColumns + `
from pricing.promotions as p
join pricing.promotion_limits as l on l.promotion_id = p.id
where p.automatic and p.active and p.deleted_at is null
order by p.id`

// automaticPromotions returns those that every cart may get, also those whose time has not begun.
func automaticPromotions(ctx context.Context, q postgres.Querier) ([]*Promotion, error) {
	return collectPromotions(q.Query(ctx, automaticSQL))
}

// candidatesSQL finds promotions by code or id, with how often the buyer used each, whether the buyer is in one of its
// groups, and whether the order that is replaced uses it.
const candidatesSQL = `
with wanted as (
    select c.promotion_id, c.code from pricing.coupons as c where c.code = any($1::text[])
    union all
    select w.id, '' from unnest($2::text[]) as w (id)
)
select` + promotionColumns + `,
    w.code,
    coalesce((select max(b.uses) from pricing.promotion_buyers as b where b.promotion_id = p.id and b.buyer = any($3::text[])), 0),
    exists (
        select from pricing.customer_groups as g
        where g.customer_id = $4 and p.terms -> 'conditions' -> 'customer_groups' ? g.name
    ),
    exists (
        select from pricing.redemptions as r
        where r.order_id = $5 and r.promotion_id = p.id and r.counted and r.state <> 'released'
    )
from wanted as w
join pricing.promotions as p on p.id = w.promotion_id
join pricing.promotion_limits as l on l.promotion_id = p.id
where p.deleted_at is null`

func readCandidates(ctx context.Context, q postgres.Querier, codes, ids []string, buyer Buyer, replaced string) ([]candidate, error) {
	rows, err := q.Query(ctx, candidatesSQL, codes, ids, buyer.keys(), buyer.CustomerID, replaced)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (candidate, error) {
		c := candidate{Promotion: &Promotion{}}
		own := false
		err := row.Scan(append(c.fields(), &c.code, &c.buyerUses, &c.member, &own)...)
		if own {
			c.Uses, c.buyerUses = c.Uses-1, c.buyerUses-1
		}
		return c, err
	})
}

const promotionSQL = `
select` + promotionColumns + `
from pricing.promotions as p
join pricing.promotion_limits as l on l.promotion_id = p.id
where p.id = $1 and p.deleted_at is null`

func readPromotion(ctx context.Context, q postgres.Querier, id PromotionID) (*Promotion, error) {
	p := &Promotion{}
	err := q.QueryRow(ctx, promotionSQL, id).Scan(p.fields()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errs.ErrNotFound
	}
	return p, err
}

const listPromotionsSQL = `
select` + promotionColumns + `
from pricing.promotions as p
join pricing.promotion_limits as l on l.promotion_id = p.id
where p.deleted_at is null and ($1::timestamptz is null or (p.created_at, p.id) < ($1, $2))
order by p.created_at desc, p.id desc
limit $3`

// listPromotions returns promotions, newest first, that come after the given one.
func listPromotions(ctx context.Context, q postgres.Querier, at *time.Time, id PromotionID, limit int) ([]*Promotion, error) {
	return collectPromotions(q.Query(ctx, listPromotionsSQL, at, id, limit))
}

const insertPromotionSQL = `
with made as (
    insert into pricing.promotions (
        id, title, kind, active, automatic, percent, terms, stacking, priority, valid_from, valid_to, version, created_at, updated_at
    )
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $12, $12)
    returning id
), coded as (
    insert into pricing.coupons (code, promotion_id)
    select c.code, made.id
    from made, unnest($13::text[]) as c (code)
)
insert into pricing.promotion_limits (promotion_id, use_limit, customer_limit)
select id, $14, $15
from made`

func insertPromotion(ctx context.Context, tx pgx.Tx, p *Promotion) error {
	terms, err := json.Marshal(p.Terms)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, insertPromotionSQL, p.ID, p.Title, p.Kind, p.Active, p.Automatic(), p.Terms.Percent, terms, p.Stacking, p.Priority, p.ValidFrom,
		p.ValidTo, p.CreatedAt, p.Codes, p.UseLimit, p.CustomerLimit)
	return promotionError(err)
}

const updatePromotionSQL = `
update pricing.promotions
set title = $3, kind = $4, active = $5, automatic = $6, percent = $7, terms = $8, stacking = $9, priority = $10, valid_from = $11, valid_to = $12,
    version = version + 1, updated_at = $13
where id = $1 and version = $2 and deleted_at is null
returning version, created_at`

const dropCodesSQL = `
delete from pricing.coupons
where promotion_id = $1 and code <> all($2::text[])`

const addCodesSQL = `
insert into pricing.coupons (code, promotion_id)
select w.code, $1
from unnest($2::text[]) as w (code)
where not exists (select from pricing.coupons as c where c.code = w.code and c.promotion_id = $1)`

const setLimitsSQL = `
update pricing.promotion_limits
set use_limit = $2, customer_limit = $3
where promotion_id = $1
returning uses`

// updatePromotion replaces a promotion that has the version the caller has seen.
func updatePromotion(ctx context.Context, tx pgx.Tx, p *Promotion, version int64) error {
	terms, err := json.Marshal(p.Terms)
	if err != nil {
		return err
	}
	err = tx.QueryRow(ctx, updatePromotionSQL, p.ID, version, p.Title, p.Kind, p.Active, p.Automatic(), p.Terms.Percent, terms, p.Stacking, p.Priority,
		p.ValidFrom, p.ValidTo, p.UpdatedAt).Scan(&p.Version, &p.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return errs.ErrStaleVersion
	}
	if err != nil {
		return promotionError(err)
	}
	if _, err := tx.Exec(ctx, dropCodesSQL, p.ID, p.Codes); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, addCodesSQL, p.ID, p.Codes); err != nil {
		return promotionError(err)
	}
	return promotionError(tx.QueryRow(ctx, setLimitsSQL, p.ID, p.UseLimit, p.CustomerLimit).Scan(&p.Uses))
}

const deletePromotionSQL = `
update pricing.promotions
set deleted_at = $3, active = false, version = version + 1, updated_at = $3
where id = $1 and version = $2 and deleted_at is null
returning version`

func deletePromotion(ctx context.Context, tx pgx.Tx, id PromotionID, version int64, now time.Time) (next int64, err error) {
	err = tx.QueryRow(ctx, deletePromotionSQL, id, version, now).Scan(&next)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, errs.ErrStaleVersion
	}
	if err != nil {
		return 0, err
	}
	_, err = tx.Exec(ctx, dropCodesSQL, id, []string{})
	return next, err
}

// promotionError says what a broken constraint means.
func promotionError(err error) error {
	switch {
	case postgres.Violates(err, "coupons_pkey"):
		return ErrCodeTaken
	case postgres.Violates(err, "uses_within_limit"):
		return ErrLimitBelowUses
	}
	return err
}

const groupMembersSQL = `
select customer_id
from pricing.customer_groups
where name = $1 and customer_id > $2
order by customer_id
limit $3`

func groupMembers(ctx context.Context, q postgres.Querier, group, after string, limit int) ([]string, error) {
	rows, err := q.Query(ctx, groupMembersSQL, group, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

const addMemberSQL = `
insert into pricing.customer_groups (name, customer_id, added_at)
values ($1, $2, $3)
on conflict do nothing`

const removeMemberSQL = `
delete from pricing.customer_groups
where name = $1 and customer_id = $2`

const forgetMemberSQL = `
delete from pricing.customer_groups
where customer_id = any($1::text[])`
