package paypal

import (
	"context"
	"strings"
	"time"

	"github.com/plutov/paypal/v4"

	"shopd/internal/payments"
)

// Movements implements payments.Statement, by PayPal's report of transactions. It is some hours behind, and knows captures
// by their own names, not by that of the order.
func (g *Gateway) Movements(ctx context.Context, from, until time.Time, yield func(payments.Movement) error) error {
	size := 500
	for page := 1; ; page++ {
		api, err := g.client(ctx)
		if err != nil {
			return err
		}
		fields := "transaction_info"
		report, err := api.ListTransactions(ctx, &paypal.TransactionSearchRequest{
			StartDate: from, EndDate: until.Add(-time.Second), Fields: &fields, PageSize: &size, Page: &page,
		})
		if err != nil {
			return g.answer(err)
		}
		for _, d := range report.TransactionDetails {
			if m, ok := movement(d.TransactionInfo); ok {
				if err := yield(m); err != nil {
					return err
				}
			}
		}
		if page >= report.TotalPages {
			return nil
		}
	}
}

// movement reads a line of the report. Lines that are no payment and no refund, or did not succeed, are none.
func movement(t paypal.SearchTransactionInfo) (payments.Movement, bool) {
	if t.TransactionStatus != "S" {
		return payments.Movement{}, false
	}
	m := payments.Movement{Ref: t.TransactionID, Amount: fromPayPal(&t.TransactionAmount)}
	if t.FeeAmount != nil {
		m.Fee = fromPayPal(t.FeeAmount)
	}
	switch {
	case strings.HasPrefix(t.TransactionEventCode, "T00"):
		m.PaymentID = t.CustomField
	case t.TransactionEventCode == "T1107":
		m.Refund, m.RefundID = true, t.CustomField
	default:
		return payments.Movement{}, false
	}
	return m, true
}
