package payments_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"

	"shopd/internal/money"
	"shopd/internal/payments"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/testenv"
)

// scriptedGateway answers as its fields say; a nil one answers as the test gateway does.
type scriptedGateway struct {
	payments.TestGateway
	charge func(payments.Payment) (payments.Outcome, error)
	lookup func(payments.Payment) (payments.Outcome, error)
	refund func() error
	ping   func() error
	calls  atomic.Int64
}

func (g *scriptedGateway) Charge(ctx context.Context, c payments.Charge) (payments.Outcome, error) {
	g.calls.Add(1)
	if g.charge != nil {
		return g.charge(c.Payment)
	}
	return g.TestGateway.Charge(ctx, c)
}

func (g *scriptedGateway) Ping(context.Context) error {
	if g.ping != nil {
		return g.ping()
	}
	return nil
}

func (g *scriptedGateway) Lookup(ctx context.Context, p payments.Payment) (payments.Outcome, error) {
	if g.lookup != nil {
		return g.lookup(p)
	}
	return g.TestGateway.Lookup(ctx, p)
}

func (g *scriptedGateway) Refund(_ context.Context, _ payments.Payment, r payments.RefundCall) (payments.GivenBack, error) {
	if g.refund != nil {
		return payments.GivenBack{}, g.refund()
	}
	return payments.GivenBack{Ref: "test_" + r.ID}, nil
}

type bundle struct {
	svc     *payments.Service
	gateway *scriptedGateway
	admin   *pgxpool.Pool
}

func setup(t *testing.T) *bundle {
	t.Helper()
	url := testenv.Database(t)
	db, err := postgres.Open(t.Context(), postgres.Config{URL: url, Role: "shopd_payments", MaxConns: 16})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	admin, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(admin.Close)
	gateway := &scriptedGateway{}
	in := payments.NewInstruments(prometheus.NewRegistry(), noop.NewTracerProvider().Tracer(""))
	svc := payments.New(payments.Deps{
		DB: db, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().UTC() },
		Gateways: map[string]payments.Gateway{
			payments.ProviderTest: payments.Guard(payments.ProviderTest, gateway, 10*time.Second, in), payments.ProviderManual: payments.ManualGateway{},
		},
	})
	return &bundle{svc, gateway, admin}
}

func request(order, method string) payments.Request {
	return payments.Request{OrderID: order, Amount: money.New(1999, "EUR"), Provider: payments.ProviderTest, Method: method}
}

func (b *bundle) ledger(t *testing.T) (sum, gateway int64) {
	t.Helper()
	require.NoError(t, b.admin.QueryRow(t.Context(),
		`select coalesce(sum(amount), 0), coalesce(sum(amount) filter (where account like 'gateway:%'), 0) from public_views.v_ledger`).Scan(&sum, &gateway))
	return sum, gateway
}

func TestEachMethodOfTheTestGatewayEndsAsItSays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for method, want := range map[string]payments.Status{
		payments.TestOK: payments.Captured, payments.TestDeclined: payments.Declined,
		payments.TestRequiresAction: payments.RequiresAction, payments.TestTimeout: payments.Unknown,
	} {
		p, err := b.svc.Pay(t.Context(), request("ord_"+method, method))
		require.NoError(t, err)
		require.Equal(t, want, p.Status, method)
	}
	sum, gateway := b.ledger(t)
	require.Zero(t, sum)
	require.EqualValues(t, 1999, gateway, "only what was captured is in the ledger")
	_, err := b.svc.Pay(t.Context(), request("ord_x", "free_money"))
	require.ErrorIs(t, err, payments.ErrUnknownMethod)
}

func TestOrderIsPaidOnceHoweverManyAsk(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var paid, refused atomic.Int64
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			p, err := b.svc.Pay(t.Context(), request("ord_1", payments.TestOK))
			switch {
			case err == nil && p.Status == payments.Captured:
				paid.Add(1)
			case errors.Is(err, payments.ErrAlreadyPaid), errors.Is(err, payments.ErrInProgress):
				refused.Add(1)
			default:
				t.Errorf("%v %v", p.Status, err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, paid.Load())
	require.EqualValues(t, 29, refused.Load())
	require.EqualValues(t, 1, b.gateway.calls.Load(), "the gateway was asked once")
}

func TestUnknownPaymentIsLookedUpAndNeverSentAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p, err := b.svc.Pay(t.Context(), request("ord_1", payments.TestTimeout))
	require.NoError(t, err)
	require.Equal(t, payments.Unknown, p.Status)
	_, err = b.svc.Pay(t.Context(), request("ord_1", payments.TestOK))
	require.ErrorIs(t, err, payments.ErrInProgress)
	ended, err := b.svc.Reconcile(t.Context(), -time.Second)
	require.NoError(t, err)
	require.Equal(t, 1, ended)
	p, err = b.svc.Get(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, payments.Captured, p.Status)
	require.EqualValues(t, 1, b.gateway.calls.Load())
}

func TestPaymentTheGatewayNeverHeardOfEndsAndMakesRoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.gateway.lookup = func(payments.Payment) (payments.Outcome, error) {
		return payments.Outcome{Status: payments.Voided}, nil
	}
	_, err := b.svc.Pay(t.Context(), request("ord_1", payments.TestTimeout))
	require.NoError(t, err)
	_, err = b.svc.Reconcile(t.Context(), -time.Second)
	require.NoError(t, err)
	p, err := b.svc.Pay(t.Context(), request("ord_1", payments.TestOK))
	require.NoError(t, err)
	require.Equal(t, payments.Captured, p.Status)
}

func TestBreakerOpensAndSaysThatNothingWasSent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.gateway.charge = func(payments.Payment) (payments.Outcome, error) {
		return payments.Outcome{}, errors.New("connection reset")
	}
	var err error
	for i := 0; err == nil && i < 50; i++ {
		_, err = b.svc.Pay(t.Context(), request("ord_"+time.Now().String(), payments.TestOK))
	}
	require.ErrorIs(t, err, payments.ErrUnavailable)
	calls := b.gateway.calls.Load()
	_, err = b.svc.Pay(t.Context(), request("ord_last", payments.TestOK))
	require.ErrorIs(t, err, payments.ErrUnavailable)
	require.Equal(t, calls, b.gateway.calls.Load())
	list, err := b.svc.ByOrders(t.Context(), "ord_last")
	require.NoError(t, err)
	require.Equal(t, payments.Voided, list[0].Status, "nothing of it stays open")
}

func TestRefundsNeverExceedTheCapture(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p, err := b.svc.Pay(t.Context(), request("ord_1", payments.TestOK))
	require.NoError(t, err)
	var given atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			err := b.svc.Refund(t.Context(), p.ID, "ref_"+string(rune('A'+i%26))+string(rune('a'+i/26)), money.New(300, "EUR"), "test")
			if err == nil {
				given.Add(300)
			} else if !errors.Is(err, payments.ErrRefundTooLarge) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1800, given.Load())
	sum, gateway := b.ledger(t)
	require.Zero(t, sum)
	require.EqualValues(t, 199, gateway)
	require.NoError(t, b.svc.Refund(t.Context(), p.ID, "ref_rest", money.New(199, "EUR"), "the rest"))
	p, err = b.svc.Get(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, payments.Refunded, p.Status)
}

func TestRefundWithoutAnAnswerIsSentAgainByTheReconciler(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p, err := b.svc.Pay(t.Context(), request("ord_1", payments.TestOK))
	require.NoError(t, err)
	b.gateway.refund = func() error { return errors.New("timeout") }
	require.NoError(t, b.svc.Refund(t.Context(), p.ID, "ref_1", p.Amount, "test"))
	_, gateway := b.ledger(t)
	require.EqualValues(t, 1999, gateway, "not given back yet")
	b.gateway.refund = nil
	_, err = b.svc.Reconcile(t.Context(), -time.Second)
	require.NoError(t, err)
	sum, gateway := b.ledger(t)
	require.Equal(t, []int64{0, 0}, []int64{sum, gateway})
}

func TestLedgerRefusesWhatDoesNotBalanceAndWhatChangesThePast(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.admin.Exec(t.Context(), `insert into payments.ledger (transaction_id, account, currency, amount, payment_id, at) values ('t', 'a', 'EUR', 1, 'p', now())`)
	require.True(t, postgres.Violates(err, "ledger_balances"), err)
	for _, sql := range []string{`update payments.ledger set amount = 2`, `delete from payments.ledger`, `truncate payments.ledger`} {
		_, err := b.admin.Exec(t.Context(), sql)
		require.True(t, postgres.Violates(err, "ledger_append_only"), "%s: %v", sql, err)
	}
}

func TestManualPaymentWaitsForStaff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p, err := b.svc.Pay(t.Context(), payments.Request{OrderID: "ord_1", Amount: money.New(500, "EUR"), Provider: payments.ProviderManual})
	require.NoError(t, err)
	require.Equal(t, payments.Created, p.Status)
	p, err = b.svc.Capture(t.Context(), p.ID, money.Amount{})
	require.NoError(t, err)
	require.Equal(t, payments.Captured, p.Status)
	require.ErrorIs(t, b.svc.Void(t.Context(), p.ID), payments.ErrInvalidState)
}
