package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/errs"
)

const lockSeriesSQL = `
insert into orders.document_series (series, last)
values ($1, 0)
on conflict (series) do update
set last = document_series.last
returning last`

// lockSeries returns the number that was given last, and keeps others from giving one until tx ends.
func lockSeries(ctx context.Context, tx pgx.Tx, series string) (last int64, err error) {
	return last, tx.QueryRow(ctx, lockSeriesSQL, series).Scan(&last)
}

// newDocument is a document that is to be written.
type newDocument struct {
	order    ID
	refund   string
	cart     CartID
	customer string
	contact  []byte

	id      string
	number  int64
	content []byte
}

const ordersWithoutInvoiceSQL = `
select o.id, '', o.cart_id, coalesce(o.customer_id, ''), o.contact
from orders.orders as o
where o.id = any($1::text[]) and o.paid_at is not null
    and not exists (select from orders.documents as d where d.order_id = o.id and d.kind = 'invoice')
order by o.number`

//nolint:gosec // "credit" in the name, no credentials
const refundsWithoutCreditNoteSQL = `
select o.id, r.id, o.cart_id, coalesce(o.customer_id, ''), o.contact
from orders.refunds as r
join orders.orders as o on o.id = r.order_id
where r.order_id = any($1::text[]) and r.state <> 'failed'
    and not exists (select from orders.documents as d where d.refund_id = r.id)
order by r.created_at, r.id`

func missingDocuments(ctx context.Context, tx pgx.Tx, kind DocumentKind, orders []string) ([]newDocument, error) {
	sql := ordersWithoutInvoiceSQL
	if kind == CreditNote {
		sql = refundsWithoutCreditNoteSQL
	}
	rows, err := tx.Query(ctx, sql, orders)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (newDocument, error) {
		var d newDocument
		return d, row.Scan(&d.order, &d.refund, &d.cart, &d.customer, &d.contact)
	})
}

const insertDocumentsSQL = `
with counted as (
    update orders.document_series
    set last = $2
    where series = $1
)
insert into orders.documents (id, order_id, kind, series, number, refund_id, content, buyer, issued_at)
select w.id, w.order_id, $3, $1, w.number, nullif(w.refund_id, ''), w.content::jsonb, o.contact, $9
from unnest($4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[]) as w (id, order_id, number, refund_id, content)
join orders.orders as o on o.id = w.order_id`

// insertDocuments writes documents with the address their orders have now. The series is locked by the caller.
func insertDocuments(ctx context.Context, tx pgx.Tx, kind DocumentKind, series string, list []newDocument, now time.Time) error {
	n := len(list)
	ids, orders, numbers, refunds, contents := make([]string, n), make([]string, n), make([]int64, n), make([]string, n), make([]string, n)
	for i, d := range list {
		ids[i], orders[i], numbers[i], refunds[i], contents[i] = d.id, string(d.order), d.number, d.refund, string(d.content)
	}
	tag, err := tx.Exec(ctx, insertDocumentsSQL, series, numbers[n-1], string(kind), ids, orders, numbers, refunds, contents, now)
	if err == nil && tag.RowsAffected() != int64(n) {
		return fmt.Errorf("%d of %d documents were written", tag.RowsAffected(), n)
	}
	return err
}

// storedDocument is a document with what it was issued with.
type storedDocument struct {
	Document
	documentContent
	buyer *Contact // nil when the person was erased
}

const documentSQL = `
select id, kind, series, number, coalesce(refund_id, ''), content, buyer, issued_at
from orders.documents
where id = $1 and order_id = $2`

func (s *Service) storedDocument(ctx context.Context, o *Order, id string) (*storedDocument, error) {
	var d storedDocument
	var series string
	var number int64
	var content, buyer []byte
	err := s.db.QueryRow(ctx, documentSQL, id, o.ID).Scan(&d.ID, &d.Kind, &series, &number, &d.RefundID, &content, &buyer, &d.IssuedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errs.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read document %s: %w", id, err)
	}
	d.Number = documentNumber(series, number)
	if err := json.Unmarshal(content, &d.documentContent); err != nil {
		return nil, err
	}
	d.buyer, err = s.openContact(ctx, o.subject(), o.CartID, buyer)
	return &d, err
}
