package payments

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/money"
	"shopd/internal/platform/id"
	"shopd/internal/platform/postgres"
)

// PastPayment is a payment that was taken, and perhaps given back, before its order came into the shop.
type PastPayment struct {
	ID         string // one that is there already stays as it is
	OrderID    string
	Provider   string
	Method     string
	Ref        string // the gateway's own name for it
	Amount     money.Amount
	CapturedAt time.Time
	RefundedAt time.Time // when all of it went back; zero when nothing did
}

func (p *PastPayment) refunded() bool { return !p.RefundedAt.IsZero() && p.Amount.Minor > 0 }

var (
	pastPaymentColumns = []string{
		"id", "order_id", "provider", "method", "status", "currency", "amount", "captured", "refunded", "provider_ref", "version", "created_at", "updated_at",
	}
	pastRefundColumns = []string{"id", "payment_id", "amount", "status", "reason", "created_at", "updated_at"}
	pastLedgerColumns = []string{"transaction_id", "account", "currency", "amount", "payment_id", "at"}
)

const knownPaymentsSQL = `
select id
from payments.payments
where id = any($1::text[])`

// ImportPast writes payments of the past with their refunds and their entries in the ledger, all of them or none.
// No gateway is asked and no event is told.
func (s *Service) ImportPast(ctx context.Context, list []PastPayment) error {
	ids := make([]string, len(list))
	for i, p := range list {
		if err := p.Amount.Check(); err != nil {
			return fmt.Errorf("import payment %s: %w", p.ID, err)
		}
		ids[i] = p.ID
	}
	err := postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, knownPaymentsSQL, ids)
		if err != nil {
			return err
		}
		known := map[string]bool{}
		var have string
		if _, err := pgx.ForEachRow(rows, []any{&have}, func() error {
			known[have] = true
			return nil
		}); err != nil {
			return err
		}
		fresh := make([]PastPayment, 0, len(list))
		for _, p := range list {
			if !known[p.ID] {
				fresh = append(fresh, p)
			}
		}
		return copyPast(ctx, tx, fresh)
	})
	if err != nil {
		return fmt.Errorf("import payments: %w", err)
	}
	return nil
}

func copyPast(ctx context.Context, tx pgx.Tx, list []PastPayment) error {
	var payments, refunds, ledger [][]any
	for _, p := range list {
		// A payment is sent and captured, and refunded: each is a version.
		status, version, refunded, updated := Captured, int64(2), int64(0), p.CapturedAt
		ledger = append(ledger, p.entries(p.Amount.Minor, p.CapturedAt)...)
		if p.refunded() {
			status, version, refunded, updated = Refunded, 3, p.Amount.Minor, p.RefundedAt
			// The id that cancelling the order gives it: whoever asks for this refund again finds it done.
			refund := id.Derive("ref", p.ID+"/cancelled")
			refunds = append(refunds, []any{refund, p.ID, p.Amount.Minor, "succeeded", "order cancelled", p.RefundedAt, p.RefundedAt})
			ledger = append(ledger, p.entries(-p.Amount.Minor, p.RefundedAt)...)
		}
		payments = append(payments, []any{
			p.ID, p.OrderID, p.Provider, p.Method, string(status), string(p.Amount.Currency), p.Amount.Minor, p.Amount.Minor, refunded, p.Ref, version,
			p.CapturedAt, updated,
		})
	}
	for _, t := range []struct {
		table   string
		columns []string
		rows    [][]any
	}{{"payments", pastPaymentColumns, payments}, {"refunds", pastRefundColumns, refunds}, {"ledger", pastLedgerColumns, ledger}} {
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{"payments", t.table}, t.columns, pgx.CopyFromRows(t.rows)); err != nil {
			return fmt.Errorf("write %s: %w", t.table, err)
		}
	}
	return nil
}

// entries are the two sides of minor coming in at the gateway, or going back when it is negative.
func (p *PastPayment) entries(minor int64, at time.Time) [][]any {
	if minor == 0 {
		return nil
	}
	transaction, currency := id.New("ltx"), string(p.Amount.Currency)
	return [][]any{
		{transaction, "gateway:" + p.Provider, currency, minor, p.ID, at},
		{transaction, "orders", currency, -minor, p.ID, at},
	}
}
