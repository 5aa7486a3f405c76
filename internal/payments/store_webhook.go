package payments

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/postgres"
)

const storeWebhookSQL = `
insert into payments.webhooks
    (id, provider, event_id, type, api_version, object_ref, payment_id, order_id, currency, amount, account, live, known, wrong, status, occurred_at, received_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'received', $15, $16)
on conflict (provider, event_id) do nothing`

// storeWebhook reports whether the event is new.
func storeWebhook(ctx context.Context, q postgres.Querier, w Webhook) (bool, error) {
	var currency *string
	var amount *int64
	if w.Amount != nil {
		code := string(w.Amount.Currency)
		currency, amount = &code, &w.Amount.Minor
	}
	tag, err := q.Exec(ctx, storeWebhookSQL, w.ID, w.Provider, w.EventID, w.Type, w.APIVersion, w.ObjectRef, w.PaymentID, w.OrderID, currency, amount,
		w.Account, w.Live, w.Known, w.Wrong, w.OccurredAt, w.ReceivedAt)
	return tag.RowsAffected() == 1, err
}

const knowsWebhookSQL = `
select exists (select from payments.webhooks where provider = $1 and event_id = $2)`

func knowsWebhook(ctx context.Context, q postgres.Querier, provider, eventID string) (known bool, err error) {
	err = q.QueryRow(ctx, knowsWebhookSQL, provider, eventID).Scan(&known)
	return known, err
}

const webhookColumns = `id, provider, event_id, type, api_version, object_ref, payment_id, order_id, currency, amount, account, live, known, wrong, status, reason, occurred_at, received_at, processed_at`

func scanWebhook(row pgx.Row) (Webhook, error) {
	var w Webhook
	var currency *money.Currency
	var amount *int64
	var processed *time.Time
	err := row.Scan(&w.ID, &w.Provider, &w.EventID, &w.Type, &w.APIVersion, &w.ObjectRef, &w.PaymentID, &w.OrderID, &currency, &amount, &w.Account, &w.Live,
		&w.Known, &w.Wrong, &w.Status, &w.Reason, &w.OccurredAt, &w.ReceivedAt, &processed)
	if currency != nil && amount != nil {
		a := money.New(*amount, *currency)
		w.Amount = &a
	}
	if processed != nil {
		w.ProcessedAt = *processed
	}
	return w, err
}

const getWebhookSQL = `
select ` + webhookColumns + `
from payments.webhooks
where id = $1`

func getWebhook(ctx context.Context, q postgres.Querier, webhookID string) (Webhook, error) {
	w, err := scanWebhook(q.QueryRow(ctx, getWebhookSQL, webhookID))
	if errors.Is(err, pgx.ErrNoRows) {
		return Webhook{}, errs.ErrNotFound
	}
	return w, err
}

const endWebhookSQL = `
update payments.webhooks
set status = $2, reason = $3, processed_at = $4
where id = $1 and status = 'received'`

// endWebhook reports whether it was this call that ended it.
func endWebhook(ctx context.Context, q postgres.Querier, webhookID string, status WebhookStatus, reason string, now time.Time) (bool, error) {
	tag, err := q.Exec(ctx, endWebhookSQL, webhookID, string(status), reason, now)
	return tag.RowsAffected() == 1, err
}

const reopenWebhookSQL = `
update payments.webhooks
set status = 'received', reason = '', processed_at = null
where id = $1`

func reopenWebhook(ctx context.Context, q postgres.Querier, webhookID string) error {
	tag, err := q.Exec(ctx, reopenWebhookSQL, webhookID)
	if err == nil && tag.RowsAffected() == 0 {
		return errs.ErrNotFound
	}
	return err
}

// WebhookFilter says which webhooks are listed. Empty fields say nothing.
type WebhookFilter struct {
	Provider  string
	Status    WebhookStatus
	PaymentID string
	After     string // the id of the last one seen
	Limit     int
}

const listWebhooksSQL = `
select ` + webhookColumns + `
from payments.webhooks
where ($1 = '' or provider = $1) and ($2 = '' or status = $2) and ($3 = '' or payment_id = $3) and ($4 = '' or id < $4)
order by id desc
limit $5`

func listWebhooks(ctx context.Context, q postgres.Querier, f WebhookFilter) ([]Webhook, error) {
	rows, err := q.Query(ctx, listWebhooksSQL, f.Provider, string(f.Status), f.PaymentID, f.After, f.Limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Webhook, error) { return scanWebhook(row) })
}
