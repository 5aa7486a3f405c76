package payments_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/money"
	"shopd/internal/payments"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/testenv"
)

func TestPastPayments(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: testenv.Database(t), Role: "shopd_payments", MaxConns: 2})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	s := payments.New(payments.Deps{
		DB: pool, Gateways: map[string]payments.Gateway{payments.ProviderTest: payments.TestGateway{}}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	taken := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	past := func(name string, minor int64, refunded time.Time) payments.PastPayment {
		return payments.PastPayment{
			ID: "pay_" + name, OrderID: "ord_" + name, Provider: payments.ProviderTest, Method: payments.TestOK, Ref: "test_" + name,
			Amount: money.New(minor, "USD"), CapturedAt: taken, RefundedAt: refunded,
		}
	}
	list := []payments.PastPayment{past("a", 1200, time.Time{}), past("b", 3400, taken.Add(time.Hour)), past("free", 0, time.Time{}), past("gift", 0, taken)}
	for range 2 { // repeating it changes nothing
		require.NoError(t, s.ImportPast(t.Context(), list))
		sum := func(sql string) (n int64) {
			require.NoError(t, pool.QueryRow(t.Context(), sql).Scan(&n))
			return n
		}
		require.EqualValues(t, 4, sum("select count(*) from payments.payments"))
		require.EqualValues(t, 6, sum("select count(*) from payments.ledger"))
		require.EqualValues(t, 1200, sum("select sum(amount) from payments.ledger where account = 'gateway:test'"))
		require.EqualValues(t, 3400, sum("select sum(amount) from payments.refunds where status = 'succeeded'"))
	}
	kept, err := s.Get(t.Context(), "pay_b")
	require.NoError(t, err)
	require.Equal(t, payments.Refunded, kept.Status)
	require.Equal(t, money.New(3400, "USD"), kept.Refunded)
	require.True(t, kept.UpdatedAt.Equal(taken.Add(time.Hour)))

	_, err = s.Pay(t.Context(), payments.Request{OrderID: "ord_a", Amount: money.New(1200, "USD"), Provider: payments.ProviderTest, Method: payments.TestOK})
	require.ErrorIs(t, err, payments.ErrAlreadyPaid)
	require.ErrorContains(t, s.ImportPast(t.Context(), []payments.PastPayment{past("c", 1, time.Time{}), past("d", -1, time.Time{})}), "outside")
	_, err = s.Get(t.Context(), "pay_c")
	require.Error(t, err, "one bad payment keeps all out")
}
