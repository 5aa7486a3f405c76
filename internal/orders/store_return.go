package orders

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/platform/outbox"
)

const insertReturnSQL = `
insert into orders.returns (id, order_id, status, actor, reason, note, lines, exchange, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)`

func insertReturn(ctx context.Context, tx pgx.Tx, order ID, r Return, note []byte) error {
	lines, err := json.Marshal(r.Lines)
	if err != nil {
		return err
	}
	wanted := []byte("[]")
	if len(r.Wanted) > 0 {
		if wanted, err = json.Marshal(r.Wanted); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, insertReturnSQL, r.ID, order, string(r.Status), r.Actor, r.Reason, note, lines, wanted, r.At)
	return err
}

const updateReturnSQL = `
update orders.returns
set status = $2, lines = $3, refund_id = nullif($4, ''), exchange_order_id = nullif($5, ''), updated_at = $6
where id = $1 and status = any($7::text[])`

// updateReturn takes a return along one of its edges.
func updateReturn(ctx context.Context, tx pgx.Tx, r Return) error {
	lines, err := json.Marshal(r.Lines)
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, updateReturnSQL, r.ID, string(r.Status), lines, r.Refund, string(r.Instead), r.Changed, returnSources(r.Status))
	if err == nil && tag.RowsAffected() == 0 {
		return ErrInvalidState
	}
	return err
}

const openReturnsSQL = `
select r.id, r.status, r.actor, r.reason, r.note, r.lines, r.exchange, r.created_at, r.updated_at,
    o.id, o.number, o.cart_id, coalesce(o.customer_id, '')
from orders.returns as r
join orders.orders as o on o.id = r.order_id
where r.status in ('requested', 'approved') and (r.created_at, r.id) > ($1, $2)
order by r.created_at, r.id
limit $3`

func (s *Service) openReturns(ctx context.Context, after *cursor, limit int) ([]OpenReturn, error) {
	var from cursor
	if after != nil {
		from = *after
	}
	rows, err := s.db.Query(ctx, openReturnsSQL, from.At, string(from.ID), limit)
	if err != nil {
		return nil, err
	}
	var notes []sealedFor
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (OpenReturn, error) {
		var r OpenReturn
		var note []byte
		var cart CartID
		var customer string
		err := row.Scan(&r.ID, &r.Status, &r.Actor, &r.Reason, &note, &r.Lines, &r.Wanted, &r.At, &r.Changed, &r.OrderID, &r.Number, &cart, &customer)
		notes = append(notes, sealedFor{subjectOf(customer, cart), note, noteAD(r.OrderID)})
		return r, err
	})
	if err != nil {
		return nil, err
	}
	opened, err := s.openAll(ctx, notes)
	if err != nil {
		return nil, err
	}
	for i, text := range opened {
		list[i].Note = string(text)
	}
	return list, nil
}

const nextNumberSQL = `select nextval('orders.order_numbers')`

func nextNumber(ctx context.Context, tx pgx.Tx) (n int64, err error) {
	return n, tx.QueryRow(ctx, nextNumberSQL).Scan(&n)
}

// insertAdditionSQL writes an order that belongs to another one, with lines, history and events, if so much of the other
// one's money is left as is to pay for it.
var insertAdditionSQL = `
with spent as (
    update orders.orders
    set credited = credited + $34
    where id = $35 and refunded + credited + $34 <= total
    returning id
), placed as (
    insert into orders.orders (
        id, number, cart_id, cart_version, customer_id, status, currency, subtotal, discount, shipping, tax, tax_included, total,
        shipping_method, contact, email_index, pieces, placed_at, pay_by
    )
    select $1, $2, $3, 1, nullif($4, ''), 'pending_payment', $5, $6, $7, 0, $8, $9, $10, $11, $12, $13, $14, $15, $16
    from spent
    returning id
), lines as (
    insert into orders.order_lines (
        order_id, id, position, variant_id, product_id, sku, slug, title, options, image, quantity, unit_price, discount, tax, total
    )
    select p.id, l.id, l.position, l.variant_id, l.product_id, l.sku, l.slug, l.title, l.options::jsonb, l.image, l.quantity, l.unit_price, l.discount,
        l.tax, l.total
    from placed as p
    cross join unnest(
        $17::text[], $18::int[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[], $26::int[],
        $27::bigint[], $28::bigint[], $29::bigint[], $30::bigint[]
    ) as l (id, position, variant_id, product_id, sku, slug, title, options, image, quantity, unit_price, discount, tax, total)
), history as (
    insert into orders.order_history (order_id, version, kind, to_status, actor, at)
    select id, 1, 'placed', 'pending_payment', $31, $15
    from placed
), belongs as (
    insert into orders.supplements (order_id, parent_id, kind, return_id, credit, created_at)
    select id, $35, $32, nullif($33, ''), $34, $15
    from placed
), announced as (` + outbox.InsertSQL(36) + `
)
select id from placed`

func (s *Service) insertAddition(ctx context.Context, tx pgx.Tx, a *addition, actor string, payBy time.Time, evs []events.Event) error {
	o := a.order
	rows, err := outbox.Rows(ctx, o.PlacedAt, evs...)
	if err != nil {
		return err
	}
	method, err := json.Marshal(o.Method)
	if err != nil {
		return err
	}
	lines, err := lineColumns(o.Lines)
	if err != nil {
		return err
	}
	t := o.Totals
	args := []any{
		o.ID, o.Number, o.CartID, o.CustomerID, string(o.Currency), t.Subtotal.Minor, t.Discount.Minor, t.Tax.Minor, t.TaxIncluded.Minor, t.Total.Minor,
		method, a.contact, s.emailIndex(o.Contact.Email), o.Pieces(), o.PlacedAt, payBy,
	}
	args = append(args, lines...)
	args = append(args, actor, string(a.Kind), a.ReturnID, a.Credit.Minor, a.ParentID)
	args = append(args, rows...)
	err = tx.QueryRow(ctx, insertAdditionSQL, args...).Scan(new(string))
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrRefundTooLarge
	}
	return err
}

const supplementOfSQL = `
select s.order_id, s.parent_id, s.kind, coalesce(s.return_id, ''), s.credit, o.currency
from orders.supplements as s
join orders.orders as o on o.id = s.order_id
where s.order_id = $1`

// supplementOf says what an order belongs to; nil when it stands alone.
func (s *Service) supplementOf(ctx context.Context, id ID) (*Supplement, error) {
	var sup Supplement
	err := s.db.QueryRow(ctx, supplementOfSQL, id).Scan(&sup.OrderID, &sup.ParentID, &sup.Kind, &sup.ReturnID, &sup.Credit.Minor, &sup.Credit.Currency)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &sup, nil
}

const takeBackCreditSQL = `
update orders.orders
set credited = credited - $2
where id = $1`

func takeBackCredit(ctx context.Context, tx pgx.Tx, parent ID, minor int64) error {
	_, err := tx.Exec(ctx, takeBackCreditSQL, parent, minor)
	return err
}
