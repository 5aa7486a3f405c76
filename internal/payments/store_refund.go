package payments

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// Refund is money that goes back, or went.
type Refund struct {
	ID        string
	PaymentID string
	Amount    money.Amount
	Status    RefundStatus
	Reason    string
	Ref       string // the gateway's name of it
	Tries     int
	CreatedAt time.Time
	UpdatedAt time.Time
}

// RefundStatus is where a refund stands.
type RefundStatus string

// The states of a refund.
const (
	RefundSending   RefundStatus = "sending"   // promised; the gateway has not said yet that it did it
	RefundSucceeded RefundStatus = "succeeded" //
	RefundFailed    RefundStatus = "failed"    // the gateway would not; the promise is taken back
)

// beginRefundSQL promises money back under the payment's row lock, so that refunds beside each other never exceed
// what was captured. The same refund begun twice at once breaks its primary key, and with it the second promise.
const beginRefundSQL = `
with payment as (
    update payments.payments
    set refunded = refunded + $3, updated_at = $2, version = version + 1,
        status = case when refunded + $3 = captured then 'refunded' else 'partially_refunded' end
    where id = $1 and status in ('captured', 'partially_refunded') and refunded + $3 <= captured
        and not exists (select from payments.refunds where id = $4)
    returning id
)
insert into payments.refunds (id, payment_id, amount, status, reason, created_at, updated_at)
select $4, id, $3, 'sending', $5, $2, $2
from payment`

const reviveRefundSQL = `
with refund as (
    update payments.refunds
    set status = 'sending', tries = tries + 1, updated_at = $2
    where id = $1 and status = 'failed'
    returning payment_id, amount
)
update payments.payments as p
set refunded = p.refunded + r.amount, updated_at = $2, version = p.version + 1,
    status = case when p.refunded + r.amount = p.captured then 'refunded' else 'partially_refunded' end
from refund as r
where p.id = r.payment_id`

// beginRefund promises minor units back, also once more under the id of a refund that failed. It returns false when more
// would go back than was taken.
func beginRefund(ctx context.Context, q postgres.Querier, paymentID, refundID string, minor int64, reason string, now time.Time) (bool, error) {
	tag, err := q.Exec(ctx, beginRefundSQL, paymentID, now, minor, refundID, reason)
	if err != nil && !postgres.Violates(err, "refunds_pkey") {
		return false, err
	}
	if err == nil && tag.RowsAffected() == 1 {
		return true, nil
	}
	r, err := getRefund(ctx, q, refundID)
	if errs.KindOf(err) == errs.NotFound {
		return false, nil
	}
	if err != nil || r.PaymentID != paymentID || r.Amount.Minor != minor {
		return false, err
	}
	if r.Status != RefundFailed {
		return true, nil // begun before: the call is a repetition
	}
	_, err = q.Exec(ctx, reviveRefundSQL, refundID, now)
	if postgres.Violates(err, "payments_check") { // more than was captured, with what went back meanwhile
		return false, nil
	}
	return err == nil, err
}

const refundColumns = `r.id, r.payment_id, r.amount, p.currency, r.status, r.reason, coalesce(r.provider_ref, ''), r.tries, r.created_at, r.updated_at`

func scanRefund(row pgx.Row) (Refund, error) {
	var r Refund
	err := row.Scan(&r.ID, &r.PaymentID, &r.Amount.Minor, &r.Amount.Currency, &r.Status, &r.Reason, &r.Ref, &r.Tries, &r.CreatedAt, &r.UpdatedAt)
	return r, err
}

const getRefundSQL = `
select ` + refundColumns + `
from payments.refunds as r
join payments.payments as p on p.id = r.payment_id
where r.id = $1`

// getRefund returns errs.ErrNotFound when there is none.
func getRefund(ctx context.Context, q postgres.Querier, refundID string) (Refund, error) {
	r, err := scanRefund(q.QueryRow(ctx, getRefundSQL, refundID))
	if errors.Is(err, pgx.ErrNoRows) {
		return Refund{}, errs.ErrNotFound
	}
	return r, err
}

const refundsOfSQL = `
select ` + refundColumns + `
from payments.refunds as r
join payments.payments as p on p.id = r.payment_id
where r.payment_id = any($1::text[])
order by r.created_at, r.id`

func refundsOf(ctx context.Context, q postgres.Querier, paymentIDs ...string) ([]Refund, error) {
	rows, err := q.Query(ctx, refundsOfSQL, paymentIDs)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Refund, error) { return scanRefund(row) })
}

const openRefundsSQL = `
select ` + refundColumns + `
from payments.refunds as r
join payments.payments as p on p.id = r.payment_id
where r.status <> 'succeeded' and r.status <> 'failed' and r.updated_at < $1
order by r.updated_at
limit $2`

func openRefunds(ctx context.Context, q postgres.Querier, before time.Time, limit int) ([]Refund, error) {
	rows, err := q.Query(ctx, openRefundsSQL, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Refund, error) { return scanRefund(row) })
}

const finishRefundSQL = `
with refund as (
    update payments.refunds
    set status = 'succeeded', provider_ref = nullif($6, ''), updated_at = $2
    where id = $3 and status in ('sending', 'unknown')
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

// finishRefund writes down that a refund was made, once.
func finishRefund(ctx context.Context, q postgres.Querier, refundID, ref string, now time.Time) error {
	_, err := q.Exec(ctx, finishRefundSQL, outbox.Trace(ctx), now, refundID, id.New("ltx"), id.New("evt"), ref)
	return err
}

const failRefundSQL = `
with refund as (
    update payments.refunds
    set status = 'failed', reason = $3, updated_at = $2
    where id = $1 and status in ('sending', 'unknown')
    returning payment_id, amount
)
update payments.payments as p
set refunded = p.refunded - r.amount, updated_at = $2, version = p.version + 1,
    status = case when p.refunded = r.amount then 'captured' else 'partially_refunded' end
from refund as r
where p.id = r.payment_id`

// failRefund takes back the promise of a refund that the gateway would not make. It returns false when the order has been
// paid another way: then the money must go back, and the promise stays.
func failRefund(ctx context.Context, q postgres.Querier, refundID, reason string, now time.Time) (bool, error) {
	_, err := q.Exec(ctx, failRefundSQL, refundID, now, reason)
	if postgres.Violates(err, "one_live_payment_per_order") {
		return false, nil
	}
	return err == nil, err
}

const triedRefundSQL = `
update payments.refunds
set tries = tries + 1, updated_at = $3
where id = $1 and tries = $2 and status in ('sending', 'unknown')`

// triedRefund notes that the gateway answered this try with a failure that it would repeat for ever.
func triedRefund(ctx context.Context, q postgres.Querier, r Refund, now time.Time) error {
	_, err := q.Exec(ctx, triedRefundSQL, r.ID, r.Tries, now)
	return err
}

const touchRefundSQL = `
update payments.refunds
set updated_at = $2
where id = $1 and status in ('sending', 'unknown')`

// touchRefund puts a refund behind the others that wait to be sent again.
func touchRefund(ctx context.Context, q postgres.Querier, refundID string, now time.Time) error {
	_, err := q.Exec(ctx, touchRefundSQL, refundID, now)
	return err
}

// lateSQL writes down money that came for a payment which we had given up, and promises all of it back. It is never the
// order's: that may have been paid another way meanwhile.
const lateSQL = `
with late as (
    update payments.payments
    set status = 'refunded', captured = $4, refunded = $4, provider_ref = coalesce(nullif($5, ''), provider_ref),
        reason = 'came too late', version = version + 1, updated_at = $2
    where id = $1 and status in ('voided', 'declined') and $4::bigint between 1 and amount
    returning id, provider, currency
), entries as (
    insert into payments.ledger (transaction_id, account, currency, amount, payment_id, at)
    select $6, side.account, l.currency, side.sign * $4::bigint, l.id, $2
    from late as l
    cross join lateral (values ('gateway:' || l.provider, 1), ('orders', -1)) as side (account, sign)
)
insert into payments.refunds (id, payment_id, amount, status, reason, created_at, updated_at)
select $3, id, $4, 'sending', 'came too late', $2, $2
from late`

// takeLate reports whether it was this call that wrote the money down.
func takeLate(ctx context.Context, q postgres.Querier, paymentID, refundID string, minor int64, ref string, now time.Time) (bool, error) {
	tag, err := q.Exec(ctx, lateSQL, paymentID, now, refundID, minor, ref, id.New("ltx"))
	return tag.RowsAffected() == 1, err
}

// foreignRefundSQL writes down a refund that was made at the gateway and not by us.
const foreignRefundSQL = `
with payment as (
    update payments.payments
    set refunded = refunded + $4, updated_at = $2, version = version + 1,
        status = case when refunded + $4 = captured then 'refunded' else 'partially_refunded' end
    where id = $1 and status in ('captured', 'partially_refunded') and refunded + $4 <= captured
        and not exists (select from payments.refunds where id = $3)
    returning id
)
insert into payments.refunds (id, payment_id, amount, status, reason, created_at, updated_at)
select $3, id, $4, 'sending', 'made at the gateway', $2, $2
from payment`

// takeForeignRefund reports whether the refund is in our books now.
func takeForeignRefund(ctx context.Context, q postgres.Querier, paymentID, refundID string, minor int64, now time.Time) (bool, error) {
	tag, err := q.Exec(ctx, foreignRefundSQL, paymentID, now, refundID, minor)
	if postgres.Violates(err, "refunds_pkey") {
		return true, nil // another replica saw it too
	}
	return tag.RowsAffected() == 1, err
}
