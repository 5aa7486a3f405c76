package payments

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/money"
	"shopd/internal/platform/id"
	"shopd/internal/platform/jobs"
	"shopd/internal/platform/postgres"
)

const hasReconciliationSQL = `
select exists (select from payments.reconciliations where provider = $1 and day = $2)`

func hasReconciliation(ctx context.Context, q postgres.Querier, provider string, begin time.Time) (done bool, err error) {
	err = q.QueryRow(ctx, hasReconciliationSQL, provider, begin).Scan(&done)
	return done, err
}

func (s *Service) enqueueReconciliation(ctx context.Context, provider string, begin time.Time) error {
	return postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		return s.jobs.Enqueue(ctx, tx, reconcileArgs{Provider: provider, Day: begin}, jobs.Options{Once: true, MaxAttempts: 5})
	})
}

const storeReconciliationSQL = `
insert into payments.reconciliations (id, provider, day, finished_at, payments, refunds, sums, differences, open)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

func storeReconciliation(ctx context.Context, q postgres.Querier, r Reconciliation) error {
	sums, err := json.Marshal(r.Sums)
	if err != nil {
		return err
	}
	differences, err := json.Marshal(r.Differences)
	if err != nil {
		return err
	}
	_, err = q.Exec(ctx, storeReconciliationSQL, r.ID, r.Provider, r.Day, r.FinishedAt, r.Payments, r.Refunds, sums, differences, r.Open)
	return err
}

const listReconciliationsSQL = `
select id, provider, day, finished_at, payments, refunds, sums, differences, open
from payments.reconciliations
where ($1 = '' or provider = $1) and ($2 = '' or id < $2)
order by id desc
limit $3`

func listReconciliations(ctx context.Context, q postgres.Querier, provider, after string, limit int) ([]Reconciliation, error) {
	rows, err := q.Query(ctx, listReconciliationsSQL, provider, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Reconciliation, error) {
		var r Reconciliation
		var sums, differences []byte
		if err := row.Scan(&r.ID, &r.Provider, &r.Day, &r.FinishedAt, &r.Payments, &r.Refunds, &sums, &differences, &r.Open); err != nil {
			return r, err
		}
		if err := json.Unmarshal(sums, &r.Sums); err != nil {
			return r, err
		}
		return r, json.Unmarshal(differences, &r.Differences)
	})
}

// takenBetweenSQL finds payments by when they began, which their ids tell.
const takenBetweenSQL = `
select ` + columns + `
from payments.payments
where provider = $1 and id >= $2 and id < $3 and captured > 0
order by id`

func takenBetween(ctx context.Context, q postgres.Querier, provider string, from, until time.Time) ([]Payment, error) {
	rows, err := q.Query(ctx, takenBetweenSQL, provider, id.Floor("pay", from), id.Floor("pay", until))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Payment, error) { return scan(row) })
}

const givenBetweenSQL = `
select ` + refundColumns + `
from payments.refunds as r
join payments.payments as p on p.id = r.payment_id
where p.provider = $1 and r.created_at >= $2 and r.created_at < $3 and r.status = 'succeeded'
order by r.id`

func givenBetween(ctx context.Context, q postgres.Querier, provider string, from, until time.Time) ([]Refund, error) {
	rows, err := q.Query(ctx, givenBetweenSQL, provider, from, until)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Refund, error) { return scanRefund(row) })
}

// bookSQL writes a transaction of two sides into the ledger, once for its id.
const bookSQL = `
insert into payments.ledger (transaction_id, account, currency, amount, payment_id, at)
select $1, side.account, $4, side.sign * $5::bigint, $6, $7
from (values ($2, 1), ($3, -1)) as side (account, sign)
on conflict (transaction_id, account, currency) do nothing`

// book moves an amount from one account to another.
func book(ctx context.Context, q postgres.Querier, transactionID, to, from string, amount money.Amount, paymentID string, now time.Time) error {
	_, err := q.Exec(ctx, bookSQL, transactionID, to, from, string(amount.Currency), amount.Minor, paymentID, now)
	return err
}

// bookFee writes down what the gateway kept of a movement.
func bookFee(ctx context.Context, q postgres.Querier, p Payment, ref string, fee money.Amount, now time.Time) error {
	return book(ctx, q, id.Derive("ltx", "fee/"+p.Provider+"/"+ref), "fees:"+p.Provider, "gateway:"+p.Provider, fee, p.ID, now)
}

// bookOrphan writes down that money without a payment came, and went back.
func bookOrphan(ctx context.Context, q postgres.Querier, p Payment, now time.Time) error {
	gateway := "gateway:" + p.Provider
	if err := book(ctx, q, id.Derive("ltx", "orphan/"+p.ID), gateway, "orphans", p.Amount, p.ID, now); err != nil {
		return err
	}
	return book(ctx, q, id.Derive("ltx", "orphan-back/"+p.ID), "orphans", gateway, p.Amount, p.ID, now)
}
