package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"shopd/internal/events"
	"shopd/internal/platform/broker/brokertest"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/testenv"
)

// counted is an event that says which one it is.
type counted struct {
	N int `json:"n"`
}

func (counted) Type() string                 { return "orders.order_placed.v1" }
func (c counted) Aggregate() (string, int64) { return fmt.Sprintf("ord_%d", c.N), int64(c.N) }

// paper is a broker that writes down what it was given.
type paper struct {
	mu     sync.Mutex
	seen   []events.Envelope
	answer func(batch []events.Envelope) ([]error, error) // nil: all arrive
}

func (p *paper) Publish(_ context.Context, batch []events.Envelope) ([]error, error) {
	var refused []error
	var err error
	if p.answer != nil {
		refused, err = p.answer(batch)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, env := range batch {
		if (err == nil || refused != nil) && (i >= len(refused) || refused[i] == nil) {
			p.seen = append(p.seen, env)
		}
	}
	return refused, err
}

func (p *paper) numbers(t require.TestingT) []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ns []int
	for _, env := range p.seen {
		ev, err := events.Open[counted](env)
		require.NoError(t, err)
		ns = append(ns, ev.N)
	}
	return ns
}

type bundle struct{ orders, relay, owner *pgxpool.Pool }

func setup(t *testing.T) *bundle {
	t.Helper()
	url := testenv.Database(t)
	return &bundle{
		orders: brokertest.OpenPool(t, url, "shopd_orders"),
		relay:  brokertest.OpenPool(t, url, "shopd_relay"),
		owner:  brokertest.OpenPool(t, url, ""),
	}
}

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func (b *bundle) append(t *testing.T, ns ...int) {
	t.Helper()
	require.NoError(t, postgres.InTx(t.Context(), b.orders, func(tx pgx.Tx) error {
		return appendCounted(t.Context(), tx, ns...)
	}))
}

func appendCounted(ctx context.Context, tx pgx.Tx, ns ...int) error {
	evs := make([]events.Event, len(ns))
	for i, n := range ns {
		evs[i] = counted{n}
	}
	return outbox.Append(ctx, tx, now, evs...)
}

func (b *bundle) newRelay(t *testing.T, p outbox.Publisher, change ...func(*outbox.Config)) *outbox.Relay {
	t.Helper()
	c := outbox.Config{Pool: b.relay, Publisher: p, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, f := range change {
		f(&c)
	}
	r, err := outbox.NewRelay(c)
	require.NoError(t, err)
	return r
}

// start runs r until the test ends or the returned function is called.
func start(t *testing.T, r *outbox.Relay) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return stop
}

func (b *bundle) unpublished(t require.TestingT) int {
	var n int
	err := b.owner.QueryRow(context.Background(), `select count(*) from platform.outbox where published_at is null`).Scan(&n)
	require.NoError(t, err)
	return n
}

func (b *bundle) eventuallyEmpty(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return b.unpublished(t) == 0 }, brokertest.Patience, 20*time.Millisecond)
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func TestAppendIsPartOfTheTransaction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	failed := errors.New("the change failed")
	require.ErrorIs(t, postgres.InTx(t.Context(), b.orders, func(tx pgx.Tx) error {
		require.NoError(t, appendCounted(t.Context(), tx, 1))
		return failed
	}), failed)
	b.append(t) // nothing is nothing
	require.Zero(t, b.unpublished(t))

	b.append(t, 3, 1, 2)
	p := &paper{}
	n, _, err := b.newRelay(t, p).Round(t.Context(), 100)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Equal(t, []int{3, 1, 2}, p.numbers(t), "in the order they were appended")
	require.Zero(t, b.unpublished(t))
	first := p.seen[0]
	require.Equal(t, "ord_3", first.AggregateID)
	require.EqualValues(t, 3, first.AggregateVersion)
	require.Equal(t, 1, first.Version)
	require.Equal(t, now, first.OccurredAt)
	require.Empty(t, first.Trace)
}

func TestAppendKeepsTheTrace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	traceID, err := trace.TraceIDFromHex("4bf92f3577b34da6a3ce929d0e0e4736")
	require.NoError(t, err)
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled,
	}))
	require.NoError(t, postgres.InTx(ctx, b.orders, func(tx pgx.Tx) error { return appendCounted(ctx, tx, 1) }))
	p := &paper{}
	_, _, err = b.newRelay(t, p).Round(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "00-4bf92f3577b34da6a3ce929d0e0e4736-0100000000000000-01", p.seen[0].Trace)
}

func TestInsertInAStatementOfTheCaller(t *testing.T) {
	t.Parallel()
	b := setup(t)
	args, err := outbox.Rows(t.Context(), now, counted{1}, counted{2})
	require.NoError(t, err)
	require.Len(t, args, outbox.Args)
	_, err = b.orders.Exec(t.Context(), `with appended as (`+outbox.InsertSQL(2)+`) select $1::text`, append([]any{"mine"}, args...)...)
	require.NoError(t, err)
	require.Equal(t, 2, b.unpublished(t))
}

func TestADomainMayOnlyAppend(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, sql := range []string{
		`select event_id from platform.outbox`,
		`update platform.outbox set published_at = now()`,
		`delete from platform.outbox`,
		`select * from platform.dead_letters`,
		`delete from platform.inbox`,
	} {
		_, err := b.orders.Exec(t.Context(), sql)
		require.Equal(t, "42501", postgres.Code(err), sql)
	}
}

func TestASlowTransactionIsNotSkipped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := &paper{}
	start(t, b.newRelay(t, p))
	slow, err := b.orders.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, appendCounted(t.Context(), slow, 1))
	b.append(t, 2)
	require.Eventually(t, func() bool { return slices.Equal(p.numbers(t), []int{2}) }, brokertest.Patience, 10*time.Millisecond)
	require.NoError(t, slow.Commit(t.Context()))
	require.Eventually(t, func() bool { return slices.Equal(p.numbers(t), []int{2, 1}) }, brokertest.Patience, 10*time.Millisecond)
}

func TestWakeIsFasterThanPolling(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := &paper{}
	start(t, b.newRelay(t, p, func(c *outbox.Config) { c.Poll, c.PollMax = time.Hour, time.Hour }))
	for i := range 3 {
		b.append(t, i)
		require.Eventually(t, func() bool {
			outbox.Wake() // also while the relay is still starting
			return len(p.numbers(t)) == i+1
		}, brokertest.Patience, 10*time.Millisecond)
	}
}

func TestTwoRelaysPublishEachEventOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := &paper{}
	for range 2 {
		start(t, b.newRelay(t, p, func(c *outbox.Config) { c.Batch = 7 }))
	}
	const writers, each = 4, 50
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				err := postgres.InTx(context.Background(), b.orders, func(tx pgx.Tx) error {
					return appendCounted(context.Background(), tx, w*each+i)
				})
				if err != nil {
					t.Error(err)
				}
				outbox.Wake()
			}
		})
	}
	writing.Wait()
	b.eventuallyEmpty(t)
	require.ElementsMatch(t, upTo(writers*each), p.numbers(t))
}

func TestARelayThatDiesBeforeTheMarkLeadsToAnotherDelivery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.append(t, 1)
	url := b.relay.Config().ConnString()
	dying, err := postgres.Open(context.Background(), postgres.Config{URL: url, Role: "shopd_relay"})
	require.NoError(t, err)
	p := &paper{}
	p.answer = func([]events.Envelope) ([]error, error) {
		dying.Close() // the mark fails as if the process had been killed
		return nil, nil
	}
	_, _, err = b.newRelay(t, p, func(c *outbox.Config) { c.Pool = dying }).Round(t.Context(), 10)
	require.Error(t, err)
	require.Equal(t, 1, b.unpublished(t))

	p.answer = nil
	n, leads, err := b.newRelay(t, p).Round(t.Context(), 10)
	require.NoError(t, err)
	require.Zero(t, n, "the lease still holds")
	require.False(t, leads)
	_, err = b.owner.Exec(t.Context(), `update platform.relay_lease set expires_at = now() - interval '1 millisecond'`)
	require.NoError(t, err)
	start(t, b.newRelay(t, p))
	b.eventuallyEmpty(t)
	require.Equal(t, []int{1, 1}, p.numbers(t))
	require.Equal(t, p.seen[0].ID, p.seen[1].ID)
}

func TestEventsWaitForABrokerThatIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.append(t, upTo(20)...)
	var away atomic.Bool
	away.Store(true)
	var tries atomic.Int64
	p := &paper{answer: func(_ []events.Envelope) ([]error, error) {
		if away.Load() {
			tries.Add(1)
			return nil, errors.New("away")
		}
		return nil, nil
	}}
	// The event that served as the probe comes last: it was put off.
	start(t, b.newRelay(t, p, func(c *outbox.Config) { c.Lease = time.Second }))
	require.Eventually(t, func() bool { return tries.Load() >= 3 }, brokertest.Patience, 10*time.Millisecond)
	require.Empty(t, p.numbers(t))
	away.Store(false)
	b.eventuallyEmpty(t)
	require.ElementsMatch(t, upTo(20), p.numbers(t))
}

func TestARefusedEventDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.append(t, upTo(10)...)
	refusing := true
	p := &paper{answer: func(batch []events.Envelope) ([]error, error) {
		refused := make([]error, len(batch))
		for i, env := range batch {
			if refusing && env.AggregateID == "ord_4" {
				refused[i] = errors.New("no queue takes it")
			}
		}
		return refused, nil
	}}
	r := b.newRelay(t, p, func(c *outbox.Config) { c.Lease = time.Second })
	n, _, err := r.Round(t.Context(), 100)
	require.NoError(t, err)
	require.Equal(t, 10, n)
	require.Equal(t, 1, b.unpublished(t))
	refusing = false
	require.Eventually(t, func() bool {
		_, _, err := r.Round(context.Background(), 100)
		require.NoError(t, err)
		return b.unpublished(t) == 0
	}, brokertest.Patience, 50*time.Millisecond)
	require.Equal(t, []int{0, 1, 2, 3, 5, 6, 7, 8, 9, 4}, p.numbers(t))
}

func TestABatchThatBreaksHalfwayMarksWhatArrived(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.append(t, upTo(4)...)
	broken := true
	lost := errors.New("connection lost")
	p := &paper{answer: func(_ []events.Envelope) ([]error, error) {
		if !broken {
			return nil, nil
		}
		broken = false
		return []error{nil, nil, lost, lost}, lost
	}}
	r := b.newRelay(t, p)
	_, _, err := r.Round(t.Context(), 100)
	require.ErrorIs(t, err, lost)
	require.Equal(t, 2, b.unpublished(t))
	_, _, err = r.Round(t.Context(), 100)
	require.NoError(t, err)
	require.Equal(t, upTo(4), p.numbers(t), "the rest was released at once")
}

func TestOldRowsArePurged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.append(t, 1, 2)
	_, _, err := b.newRelay(t, &paper{}).Round(t.Context(), 1)
	require.NoError(t, err)
	_, err = b.owner.Exec(t.Context(), `insert into platform.inbox (consumer, event_id) values ('inventory.orders', 'evt_1')`)
	require.NoError(t, err)
	count := func() (outboxRows, inboxRows int) {
		require.NoError(t, b.owner.QueryRow(t.Context(),
			`select (select count(*) from platform.outbox), (select count(*) from platform.inbox)`).Scan(&outboxRows, &inboxRows))
		return outboxRows, inboxRows
	}
	at := func(age time.Duration) *outbox.Relay {
		return b.newRelay(t, &paper{}, func(c *outbox.Config) { c.Now = func() time.Time { return time.Now().Add(age) } })
	}
	require.NoError(t, at(6*24*time.Hour).Purge(t.Context()))
	o, i := count()
	require.Equal(t, []int{2, 1}, []int{o, i})
	require.NoError(t, at(8*24*time.Hour).Purge(t.Context()))
	o, i = count()
	require.Equal(t, []int{1, 0}, []int{o, i}, "what is not published is kept")
}

func TestPendingEventsAreMeasured(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.append(t, 1, 2, 3)
	registry := prometheus.NewRegistry()
	p := &paper{answer: func([]events.Envelope) ([]error, error) { return nil, errors.New("away") }}
	start(t, b.newRelay(t, p, func(c *outbox.Config) { c.Registerer = registry }))
	require.Eventually(t, func() bool {
		families, err := registry.Gather()
		require.NoError(t, err)
		values := map[string]float64{}
		for _, f := range families {
			m := f.GetMetric()[0]
			values[f.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
		return values["shopd_outbox_pending"] == 3 && values["shopd_outbox_errors_total"] > 0
	}, brokertest.Patience, 20*time.Millisecond)
}

func TestARelayThatIsToldToStopEndsItsRound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.append(t, 1)
	publishing, proceed := make(chan struct{}), make(chan struct{})
	p := &paper{answer: func([]events.Envelope) ([]error, error) {
		close(publishing)
		<-proceed
		return nil, nil
	}}
	stop := start(t, b.newRelay(t, p))
	<-publishing
	time.AfterFunc(100*time.Millisecond, func() { close(proceed) })
	stop()
	require.Zero(t, b.unpublished(t))
}

func TestEventsAreSeenInThePublicView(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.append(t, 1)
	var aggregate string
	require.NoError(t, b.owner.QueryRow(t.Context(), `
		select v.aggregate_id
		from public_views.v_events v
		join (select event_id::text collate "default" as event_id from platform.outbox) o on o.event_id = v.event_id
		where v.type = 'orders.order_placed.v1' and v.published_at is null and v.created_at <= now()`).Scan(&aggregate))
	require.Equal(t, "ord_1", aggregate)
}

// forever is a lease that no test lives to see run out.
func forever(c *outbox.Config) { c.Lease = time.Hour }

func TestARelayThatStopsLetsAnotherPublish(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.append(t, 1)
	first, second := &paper{}, &paper{}
	stop := start(t, b.newRelay(t, first, forever))
	b.eventuallyEmpty(t)
	n, leads, err := b.newRelay(t, second, forever).Round(t.Context(), 10)
	require.NoError(t, err)
	require.Zero(t, n)
	require.False(t, leads)

	stop()
	b.append(t, 2)
	start(t, b.newRelay(t, second, forever))
	b.eventuallyEmpty(t)
	require.Equal(t, []int{1}, first.numbers(t))
	require.Equal(t, []int{2}, second.numbers(t))
}

func TestARelayWithoutABrokerLetsAnotherPublish(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.append(t, upTo(20)...)
	cutOff := &paper{answer: func([]events.Envelope) ([]error, error) { return nil, errors.New("away") }}
	whole := &paper{}
	_, _, err := b.newRelay(t, cutOff, forever).Round(t.Context(), 100)
	require.Error(t, err)
	_, _, err = b.newRelay(t, whole, forever).Round(t.Context(), 100)
	require.NoError(t, err)
	require.Equal(t, upTo(20), whole.numbers(t), "in the order they were appended")
}
