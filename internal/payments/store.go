package payments

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

const columns = `id, order_id, provider, method, status, currency, amount, captured, refunded, coalesce(provider_ref, ''), next_action, reason, version, created_at, updated_at`

func scan(row pgx.Row) (Payment, error) {
	var p Payment
	var currency money.Currency
	var action []byte
	err := row.Scan(&p.ID, &p.OrderID, &p.Provider, &p.Method, &p.Status, &currency, &p.Amount.Minor, &p.Captured.Minor, &p.Refunded.Minor,
		&p.ProviderRef, &action, &p.Reason, &p.Version, &p.CreatedAt, &p.UpdatedAt)
	if err != nil {
		return p, err
	}
	p.Amount.Currency, p.Captured.Currency, p.Refunded.Currency = currency, currency, currency
	if len(action) > 0 {
		err = json.Unmarshal(action, &p.NextAction)
	}
	return p, err
}

const beginSQL = `
insert into payments.payments (id, order_id, provider, method, status, currency, amount, created_at, updated_at)
values ($1, $2, $3, $4, 'sending', $5, $6, $7, $7)`

var errLive = errs.New(errs.Conflict, "payment_in_progress", "A payment of this order is open.")

// begin writes a payment down as being sent. It returns errLive when another of the same order is open or succeeded.
func begin(ctx context.Context, q postgres.Querier, p Payment, now time.Time) error {
	_, err := q.Exec(ctx, beginSQL, p.ID, p.OrderID, p.Provider, p.Method, string(p.Amount.Currency), p.Amount.Minor, now)
	if postgres.Violates(err, "one_live_payment_per_order") {
		return errLive
	}
	return err
}

// finishSQL takes a payment along one edge, if it stands where the edge begins; writes the money into the ledger
// when it was captured, and the event of a payment that succeeded or failed.
const finishSQL = `
with changed as (
    update payments.payments
    set status = $4, captured = case when $4 = 'captured' then amount else captured end,
        provider_ref = coalesce(nullif($5, ''), provider_ref), next_action = $6, reason = $7,
        version = version + 1, updated_at = $2
    where id = $3 and status = any($8::text[])
    returning ` + columns + `
), entries as (
    insert into payments.ledger (transaction_id, account, currency, amount, payment_id, at)
    select $9, side.account, c.currency, side.sign * c.amount, c.id, $2
    from changed as c
    cross join lateral (values ('gateway:' || c.provider, 1), ('orders', -1)) as side (account, sign)
    where c.status = 'captured' and c.amount > 0
), announced as (
    insert into platform.outbox (event_id, type, version, aggregate_id, aggregate_version, data, trace, occurred_at)
    select
        $10, case when status = 'captured' then 'payments.payment_captured.v1' else 'payments.payment_failed.v1' end, 1, id, version,
        json_build_object(
            'payment_id', id, 'order_id', order_id, 'provider', provider, 'reason', reason, 'version', version,
            'amount', json_build_object('amount', amount, 'currency', currency)
        ),
        $1, $2
    from changed
    where status in ('captured', 'declined', 'voided')
)
select * from changed`

// finish is the one way a payment changes its state. It returns false when the payment did not stand where the
// outcome's edge begins: somebody else finished it first.
func finish(ctx context.Context, q postgres.Querier, paymentID string, o Outcome, now time.Time) (Payment, bool, error) {
	var action []byte
	if o.NextAction != nil {
		var err error
		if action, err = json.Marshal(o.NextAction); err != nil {
			return Payment{}, false, err
		}
	}
	p, err := scan(q.QueryRow(ctx, finishSQL, outbox.Trace(ctx), now, paymentID, string(o.Status), o.Ref, action, o.Reason,
		sourcesOf(o.Status), id.New("ltx"), id.New("evt")))
	if errors.Is(err, pgx.ErrNoRows) {
		return Payment{}, false, nil
	}
	return p, err == nil, err
}

func get(ctx context.Context, q postgres.Querier, paymentID string) (Payment, error) {
	p, err := scan(q.QueryRow(ctx, `select `+columns+` from payments.payments where id = $1`, paymentID))
	if errors.Is(err, pgx.ErrNoRows) {
		return Payment{}, errs.ErrNotFound
	}
	return p, err
}

func byOrders(ctx context.Context, q postgres.Querier, orderIDs []string) ([]Payment, error) {
	rows, err := q.Query(ctx, `select `+columns+` from payments.payments where order_id = any($1::text[]) order by created_at, id`, orderIDs)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Payment, error) { return scan(row) })
}

func unresolved(ctx context.Context, q postgres.Querier, before time.Time, limit int) ([]Payment, error) {
	rows, err := q.Query(ctx, `
select `+columns+`
from payments.payments
where status in ('sending', 'unknown') and updated_at < $1
order by updated_at
limit $2`, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Payment, error) { return scan(row) })
}

const touchSQL = `
update payments.payments
set updated_at = $2
where id = $1`

// touch puts a payment behind the others that wait to be looked up.
func touch(ctx context.Context, q postgres.Querier, paymentID string, now time.Time) error {
	_, err := q.Exec(ctx, touchSQL, paymentID, now)
	return err
}

// beginRefundSQL promises money back under the payment's row lock, so that refunds beside each other never exceed
// what was captured.
const beginRefundSQL = `
with payment as (
    update payments.payments
    set refunded = refunded + $3, updated_at = $2, version = version + 1,
        status = case when refunded + $3 = captured then 'refunded' else 'partially_refunded' end
    where id = $1 and status in ('captured', 'partially_refunded') and refunded + $3 <= captured
    returning id
)
insert into payments.refunds (id, payment_id, amount, status, reason, created_at, updated_at)
select $4, id, $3, 'sending', $5, $2, $2
from payment`

func beginRefund(ctx context.Context, q postgres.Querier, paymentID, refundID string, minor int64, reason string, now time.Time) (bool, error) {
	tag, err := q.Exec(ctx, beginRefundSQL, paymentID, now, minor, refundID, reason)
	if postgres.Violates(err, "refunds_pkey") {
		return true, nil // begun before: the call is a repetition
	}
	return tag.RowsAffected() == 1, err
}

const finishRefundSQL = `
with refund as (
    update payments.refunds
    set status = 'succeeded', updated_at = $2
    where id = $3 and status <> 'succeeded'
    returning id, payment_id, amount
), payment as (
    select p.id, p.order_id, p.provider, p.currency, p.version, r.id as refund_id, r.amount
    from refund as r
    join payments.payments as p on p.id = r.payment_id
), entries as (
    insert into payments.ledger (transaction_id, account, currency, amount, payment_id, at)
    select $4, side.account, p.currency, side.sign * p.amount, p.id, $2
    from payment as p
    cross join lateral (values ('gateway:' || p.provider, -1), ('orders', 1)) as side (account, sign)
)
insert into platform.outbox (event_id, type, version, aggregate_id, aggregate_version, data, trace, occurred_at)
select
    $5, 'payments.payment_refunded.v1', 1, id, version,
    json_build_object(
        'payment_id', id, 'order_id', order_id, 'provider', provider, 'refund_id', refund_id, 'version', version,
        'amount', json_build_object('amount', amount, 'currency', currency)
    ),
    $1, $2
from payment`

func finishRefund(ctx context.Context, q postgres.Querier, refundID string, now time.Time) error {
	_, err := q.Exec(ctx, finishRefundSQL, outbox.Trace(ctx), now, refundID, id.New("ltx"), id.New("evt"))
	return err
}

type openRefund struct {
	ID        string
	PaymentID string
	Amount    int64
}

const openRefundsSQL = `
select id, payment_id, amount
from payments.refunds
where status <> 'succeeded' and updated_at < $1
order by updated_at
limit $2`

func openRefunds(ctx context.Context, q postgres.Querier, before time.Time, limit int) ([]openRefund, error) {
	rows, err := q.Query(ctx, openRefundsSQL, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[openRefund])
}
