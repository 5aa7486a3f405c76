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

const columns = `id, order_id, provider, method, status, currency, amount, captured, refunded, coalesce(asked, 0), coalesce(provider_ref, ''), next_action, reason, version, created_at, updated_at`

func scan(row pgx.Row) (Payment, error) {
	var p Payment
	var currency money.Currency
	var action []byte
	err := row.Scan(&p.ID, &p.OrderID, &p.Provider, &p.Method, &p.Status, &currency, &p.Amount.Minor, &p.Captured.Minor, &p.Refunded.Minor, &p.Asked,
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
    set status = $4, captured = case when $4 = 'captured' then coalesce(nullif($11::bigint, 0), asked, amount) else captured end,
        asked = case when $4 in ('authorised', 'created') then null else asked end,
        provider_ref = coalesce(nullif($5, ''), provider_ref), next_action = $6, reason = $7,
        version = version + 1, updated_at = $2
    where id = $3 and status = any($8::text[])
    returning ` + columns + `
), entries as (
    insert into payments.ledger (transaction_id, account, currency, amount, payment_id, at)
    select $9, side.account, c.currency, side.sign * c.captured, c.id, $2
    from changed as c
    cross join lateral (values ('gateway:' || c.provider, 1), ('orders', -1)) as side (account, sign)
    where c.status = 'captured' and c.captured > 0
), announced as (
    insert into platform.outbox (event_id, type, version, aggregate_id, aggregate_version, data, trace, occurred_at)
    select
        $10, case when status = 'captured' then 'payments.payment_captured.v1' else 'payments.payment_failed.v1' end, 1, id, version,
        json_build_object(
            'payment_id', id, 'order_id', order_id, 'provider', provider, 'reason', reason, 'version', version,
            'amount', json_build_object('amount', case when status = 'captured' then captured else amount end, 'currency', currency)
        ),
        $1, $2
    from changed
    where status in ('captured', 'declined', 'voided')
)
select * from changed`

// finish is the one way a payment changes its state: from one of the states in from. It returns false when the payment
// stood elsewhere: somebody else finished it first.
func finish(ctx context.Context, q postgres.Querier, paymentID string, from []string, o Outcome, now time.Time) (Payment, bool, error) {
	var action []byte
	if o.NextAction != nil {
		var err error
		if action, err = json.Marshal(o.NextAction); err != nil {
			return Payment{}, false, err
		}
	}
	p, err := scan(q.QueryRow(ctx, finishSQL, outbox.Trace(ctx), now, paymentID, string(o.Status), o.Ref, action, o.Reason,
		from, id.New("ltx"), id.New("evt"), o.captured()))
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

// unresolvedSQL finds what waits for an answer, and what waits for a shopper for so long that it may have been missed.
const unresolvedSQL = `
select ` + columns + `
from payments.payments
where status in ('sending', 'unknown') and updated_at < $1
    or status = 'requires_action' and updated_at < $2
order by updated_at
limit $3`

func unresolved(ctx context.Context, q postgres.Querier, before, waitingSince time.Time, limit int) ([]Payment, error) {
	rows, err := q.Query(ctx, unresolvedSQL, before, waitingSince, limit)
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

const askSQL = `
update payments.payments
set status = 'sending', asked = nullif($3::bigint, amount), version = version + 1, updated_at = $2
where id = $1 and status in ('authorised', 'created') and $3::bigint between 0 and amount
returning ` + columns

// ask writes down that minor units of an authorised payment are about to be taken. It returns false when the payment
// does not wait for that.
func ask(ctx context.Context, q postgres.Querier, paymentID string, minor int64, now time.Time) (Payment, bool, error) {
	p, err := scan(q.QueryRow(ctx, askSQL, paymentID, now, minor))
	if errors.Is(err, pgx.ErrNoRows) {
		return Payment{}, false, nil
	}
	return p, err == nil, err
}
