package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

const lockOrderSQL = `
select id
from orders.orders
where id = $1
for update`

// lockOrder keeps everybody else from changing an order until tx ends.
func lockOrder(ctx context.Context, tx pgx.Tx, id ID) error {
	if !id.valid() {
		return errs.ErrNotFound
	}
	err := tx.QueryRow(ctx, lockOrderSQL, id).Scan(new(string))
	if errors.Is(err, pgx.ErrNoRows) {
		return errs.ErrNotFound
	}
	return err
}

// writeLogSQL counts the order's version up, with an entry in its log and the events of it.
const writeLogSQL = `
with counted as (
    update orders.orders
    set version = version + 1
    where id = $1 and version = $2
    returning id, version
), logged as (
    insert into orders.order_log (order_id, kind, actor, detail, ref, amount, note, at)
    select id, $3, $4, $5, $6, $7, $8, $9
    from counted
), announced as (
    insert into platform.outbox (event_id, type, version, aggregate_id, aggregate_version, data, trace, occurred_at)
    select e.event_id, e.type, e.version, e.aggregate_id, e.aggregate_version, e.data::json, $16, $17
    from counted
    cross join unnest($10::text[], $11::text[], $12::int[], $13::text[], $14::bigint[], $15::text[])
        as e (event_id, type, version, aggregate_id, aggregate_version, data)
)
select version from counted`

func (s *Service) writeLog(ctx context.Context, tx pgx.Tx, o *Order, e entry, note []byte, evs []events.Event) error {
	now := s.now()
	rows, err := outbox.Rows(ctx, now, evs...)
	if err != nil {
		return err
	}
	var amount *int64
	if e.amount != nil {
		amount = &e.amount.Minor
	}
	args := append([]any{o.ID, o.Version, e.kind, e.actor, e.detail, e.ref, amount, note, now}, rows...)
	err = tx.QueryRow(ctx, writeLogSQL, args...).Scan(&o.Version)
	if errors.Is(err, pgx.ErrNoRows) {
		return errs.ErrStaleVersion
	}
	return err
}

const logOfSQL = `
select kind, actor, detail, ref, amount, note, at
from orders.order_log
where order_id = $1
order by id`

// logOf reads the log of an order with the words of people, as far as they may still be read.
func (s *Service) logOf(ctx context.Context, o *Order) ([]TimelineEntry, error) {
	rows, err := s.db.Query(ctx, logOfSQL, o.ID)
	if err != nil {
		return nil, err
	}
	var notes []sealedFor
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (TimelineEntry, error) {
		var e TimelineEntry
		var amount *int64
		var note []byte
		err := row.Scan(&e.Kind, &e.Actor, &e.Detail, &e.Ref, &amount, &note, &e.At)
		if amount != nil {
			sum := o.Totals.Total
			sum.Minor = *amount
			e.Amount = &sum
		}
		notes = append(notes, sealedFor{o.subject(), note, noteAD(o.ID)})
		return e, err
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

const cancelPiecesSQL = `
update orders.order_lines as l
set cancelled = l.cancelled + p.quantity
from unnest($2::text[], $3::int[]) as p (id, quantity)
where l.order_id = $1 and l.id = p.id and l.fulfilled + l.cancelled + p.quantity <= l.quantity`

// cancelPieces counts pieces as never to be sent.
func cancelPieces(ctx context.Context, tx pgx.Tx, o *Order, lines []LinePieces) error {
	return countPieces(ctx, tx, cancelPiecesSQL, o, lines)
}

const returnPiecesSQL = `
update orders.order_lines as l
set returned = l.returned + p.quantity
from unnest($2::text[], $3::int[]) as p (id, quantity)
where l.order_id = $1 and l.id = p.id and l.returned + p.quantity <= l.fulfilled`

// returnPieces counts pieces as given back.
func returnPieces(ctx context.Context, tx pgx.Tx, o *Order, lines []LinePieces) error {
	return countPieces(ctx, tx, returnPiecesSQL, o, lines)
}

func countPieces(ctx context.Context, tx pgx.Tx, sql string, o *Order, lines []LinePieces) error {
	ids, quantities := columnsOf(lines)
	tag, err := tx.Exec(ctx, sql, o.ID, ids, quantities)
	if err == nil && tag.RowsAffected() != int64(len(lines)) {
		return ErrQuantity.WithDetail("So many pieces are not there any more.")
	}
	return err
}

const setContactSQL = `
update orders.orders
set contact = $2
where id = $1`

func setContact(ctx context.Context, tx pgx.Tx, id ID, sealed []byte) error {
	_, err := tx.Exec(ctx, setContactSQL, id, sealed)
	return err
}

const insertRefundSQL = `
with given as (
    update orders.orders
    set refunded = refunded + $3, shipping_refunded = shipping_refunded + $4
    where id = $2 and refunded + credited + $3 <= total and paid_at is not null and status <> 'cancelled'
    returning id
)
insert into orders.refunds (id, order_id, amount, shipping, lines, reason, return_id, actor, created_at, updated_at)
select $1, id, $3, $4, $5, $6, nullif($7, ''), $8, $9, $9
from given`

// insertRefund promises money, if so much of the order's is left.
func insertRefund(ctx context.Context, tx pgx.Tx, o *Order, r Refund) error {
	lines, err := json.Marshal(r.Lines)
	if err != nil {
		return err
	}
	if r.Lines == nil {
		lines = []byte("[]")
	}
	tag, err := tx.Exec(ctx, insertRefundSQL, r.ID, o.ID, r.Amount.Minor, r.Shipping.Minor, lines, r.Reason, r.ReturnID, r.Actor, r.CreatedAt)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrRefundTooLarge
	}
	return err
}

const markRefundSQL = `
update orders.refunds
set state = $2, updated_at = $4
where id = $1 and state = $3`

func (s *Service) markRefund(ctx context.Context, id string, state, from RefundState) error {
	return markRefund(ctx, s.db, id, state, from, s.now())
}

func markRefund(ctx context.Context, q postgres.Querier, id string, state, from RefundState, now time.Time) error {
	_, err := q.Exec(ctx, markRefundSQL, id, string(state), string(from), now)
	return err
}

const failRefundSQL = `
with failed as (
    update orders.refunds
    set state = 'failed', updated_at = $3
    where id = $1 and state = 'promised'
    returning id, order_id, amount
)
insert into orders.order_log (order_id, kind, actor, detail, ref, amount, at)
select order_id, 'refund_failed', 'system', $2, id, amount, $3
from failed`

// failRefund keeps that the gateway would not give the money of a refund.
func (s *Service) failRefund(ctx context.Context, id, reason string) error {
	_, err := s.db.Exec(ctx, failRefundSQL, id, reason, s.now())
	return err
}

const repromiseRefundSQL = `
update orders.refunds
set state = 'promised', updated_at = $2
where id = $1 and state = 'failed'`

func repromiseRefund(ctx context.Context, tx pgx.Tx, id string, now time.Time) error {
	_, err := tx.Exec(ctx, repromiseRefundSQL, id, now)
	return err
}

const promisedBeforeSQL = `
select distinct order_id
from orders.refunds
where state = 'promised' and updated_at < $1
limit $2`

// promisedBefore returns orders with refunds that payments may not know yet.
func (s *Service) promisedBefore(ctx context.Context, before time.Time, limit int) ([]ID, error) {
	rows, err := s.db.Query(ctx, promisedBeforeSQL, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[ID])
}

const finishRefundSQL = `
with done as (
    update orders.refunds
    set state = 'done', updated_at = $4
    where id = $2 and state <> 'done'
)
insert into orders.order_log (order_id, kind, actor, ref, amount, at)
select id, 'refunded', 'system', $2::text, $3, $4
from orders.orders
where id = $1`

// finishRefund keeps that the money of a refund went.
func finishRefund(ctx context.Context, tx pgx.Tx, ev events.PaymentRefunded, at time.Time) error {
	_, err := tx.Exec(ctx, finishRefundSQL, ev.OrderID, ev.RefundID, ev.Amount.Minor, at)
	return err
}

const paymentFailedSQL = `
insert into orders.order_log (order_id, kind, actor, detail, ref, amount, at)
select id, 'payment_failed', 'system', $3, $2, $4, $5
from orders.orders
where id = $1`

func logPaymentFailed(ctx context.Context, tx pgx.Tx, ev events.PaymentFailed, at time.Time) error {
	_, err := tx.Exec(ctx, paymentFailedSQL, ev.OrderID, ev.PaymentID, ev.Reason, ev.Amount.Minor, at)
	return err
}

const logMailsSQL = `
insert into orders.order_log (order_id, kind, actor, detail, at)
select m.order_id, 'mail', 'system', m.name, $3
from unnest($1::text[], $2::text[]) as m (order_id, name)`

// logMails keeps which mails went into the queue, all of a batch in one statement.
func (s *Service) logMails(ctx context.Context, tx pgx.Tx, letters []Letter) error {
	if len(letters) == 0 {
		return nil
	}
	orders, names := make([]string, len(letters)), make([]string, len(letters))
	for i, l := range letters {
		orders[i], names[i] = string(l.OrderID), mailKinds[l.Event].name
	}
	if _, err := tx.Exec(ctx, logMailsSQL, orders, names, s.now()); err != nil {
		return fmt.Errorf("note the mails of orders: %w", err)
	}
	return nil
}

const deliveredBeforeSQL = `
select o.id
from orders.orders as o
where o.status = 'fulfilled' and o.placed_at < $1
    and not exists (select from orders.order_history as h where h.order_id = o.id and h.to_status = 'fulfilled' and h.at >= $1)
    and not exists (select from orders.returns as r where r.order_id = o.id and r.status in ('requested', 'approved'))
order by o.placed_at
limit $2`

// deliveredBefore returns orders of which everything was sent before the time, and nothing is on its way back.
func (s *Service) deliveredBefore(ctx context.Context, before time.Time, limit int) ([]ID, error) {
	rows, err := s.db.Query(ctx, deliveredBeforeSQL, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[ID])
}
