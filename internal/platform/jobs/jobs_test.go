package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"shopd/internal/platform/jobs"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/testenv"
)

type greet struct {
	Name string `json:"name" river:"unique"`
	Note string `json:"note"`
}

func (greet) Kind() string { return "test.greet" }

type bundle struct {
	url     string
	domain  *pgxpool.Pool // as a domain, which puts jobs beside its own rows
	queue   *jobs.Queue
	metrics *prometheus.Registry
}

func setup(t *testing.T) *bundle {
	t.Helper()
	url := testenv.Database(t)
	queue, err := jobs.NewQueue()
	require.NoError(t, err)
	return &bundle{url: url, domain: pool(t, url, "shopd_orders"), queue: queue, metrics: prometheus.NewRegistry()}
}

func pool(t *testing.T, url, role string) *pgxpool.Pool {
	t.Helper()
	p, err := postgres.Open(context.Background(), postgres.Config{URL: url, Role: role, MaxConns: 4})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

// work starts a replica that works on jobs until the test ends.
func (b *bundle) work(t *testing.T, r *jobs.Registry, tracer trace.Tracer) *jobs.Client {
	t.Helper()
	client, err := jobs.New(jobs.Config{
		Pool: pool(t, b.url, jobs.Role), Registry: r, Log: slog.New(slog.DiscardHandler), Metrics: b.metrics,
		Tracer: tracer, PollInterval: 50 * time.Millisecond, Workers: 4,
	})
	require.NoError(t, err)
	require.NoError(t, client.Start(context.Background()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, client.Stop(ctx))
	})
	return client
}

func untraced() trace.Tracer { return noop.NewTracerProvider().Tracer("") }

func (b *bundle) enqueue(t *testing.T, args jobs.Args, o jobs.Options) {
	t.Helper()
	require.NoError(t, postgres.InTx(context.Background(), b.domain, func(tx pgx.Tx) error {
		return b.queue.Enqueue(context.Background(), tx, args, o)
	}))
}

func receive[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(20 * time.Second):
		require.Fail(t, "nothing came")
		panic("unreachable")
	}
}

func TestJobRunsWhenItsTransactionCommits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := jobs.NewRegistry()
	greeted := make(chan greet, 10)
	jobs.Handle(r, func(_ context.Context, g greet) error { greeted <- g; return nil })
	b.work(t, r, untraced())

	rolledBack := errors.New("no")
	require.ErrorIs(t, postgres.InTx(context.Background(), b.domain, func(tx pgx.Tx) error {
		require.NoError(t, b.queue.Enqueue(context.Background(), tx, greet{Name: "never"}, jobs.Options{}))
		return rolledBack
	}), rolledBack)
	b.enqueue(t, greet{Name: "Ada", Note: "n"}, jobs.Options{})
	require.Equal(t, greet{Name: "Ada", Note: "n"}, receive(t, greeted))
	require.Empty(t, greeted)
}

func TestJobMarkedOnceIsDoneOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := jobs.NewRegistry()
	greeted := make(chan greet, 10)
	jobs.Handle(r, func(_ context.Context, g greet) error { greeted <- g; return nil })
	b.enqueue(t, greet{Name: "Ada", Note: "first"}, jobs.Options{Once: true})
	b.enqueue(t, greet{Name: "Ada", Note: "again"}, jobs.Options{Once: true})
	b.work(t, r, untraced())
	require.Equal(t, "first", receive(t, greeted).Note)

	b.enqueue(t, greet{Name: "Ada", Note: "after it was done"}, jobs.Options{Once: true})
	b.enqueue(t, greet{Name: "Bob"}, jobs.Options{Once: true})
	require.Equal(t, "Bob", receive(t, greeted).Name)
}

func TestFailedJobIsTriedAgainAndDeadOnesAreCounted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := jobs.NewRegistry()
	var tries atomic.Int64
	done := make(chan struct{}, 1)
	jobs.Handle(r, func(_ context.Context, g greet) error {
		if g.Name == "hopeless" {
			panic("boom")
		}
		if tries.Add(1) == 1 {
			return errors.New("not yet")
		}
		done <- struct{}{}
		return nil
	})
	b.work(t, r, untraced())
	b.enqueue(t, greet{Name: "patient"}, jobs.Options{})
	b.enqueue(t, greet{Name: "hopeless"}, jobs.Options{MaxAttempts: 1})
	receive(t, done)
	require.EqualValues(t, 2, tries.Load())
	require.Eventually(t, func() bool { return gauge(t, b.metrics, "shopd_jobs_dead") == 1 }, 10*time.Second, 50*time.Millisecond)
	problems, err := testutil.GatherAndLint(b.metrics)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func gauge(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}

func TestPeriodicWorkRunsAgainAndAgainOnOneOfTwoReplicas(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var runs atomic.Int64
	for range 2 {
		r := jobs.NewRegistry()
		r.Every(200*time.Millisecond, "test.tick", func(context.Context) error {
			if runs.Add(1)%2 == 0 {
				return errors.New("the next run comes nevertheless")
			}
			return nil
		})
		b.metrics = prometheus.NewRegistry()
		b.work(t, r, untraced())
	}
	begun := time.Now()
	require.Eventually(t, func() bool { return runs.Load() >= 6 }, 30*time.Second, 20*time.Millisecond)
	most := int64(time.Since(begun)/(200*time.Millisecond)) + 2
	require.LessOrEqual(t, runs.Load(), most, "both replicas seem to run it")
}

func TestTraceGoesOnInTheJob(t *testing.T) {
	t.Parallel()
	b := setup(t)
	provider := sdktrace.NewTracerProvider()
	tracer := provider.Tracer("test")
	r := jobs.NewRegistry()
	seen := make(chan trace.SpanContext, 1)
	jobs.Handle(r, func(ctx context.Context, _ greet) error { seen <- trace.SpanContextFromContext(ctx); return nil })
	b.work(t, r, tracer)

	ctx, span := tracer.Start(context.Background(), "request")
	require.NoError(t, postgres.InTx(ctx, b.domain, func(tx pgx.Tx) error {
		return b.queue.Enqueue(ctx, tx, greet{Name: "Ada"}, jobs.Options{})
	}))
	span.End()
	inJob := receive(t, seen)
	require.Equal(t, span.SpanContext().TraceID(), inJob.TraceID())
	require.NotEqual(t, span.SpanContext().SpanID(), inJob.SpanID())
}

func TestStopWaitsForWorkUnderway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := jobs.NewRegistry()
	begun, finish := make(chan struct{}), make(chan struct{})
	var finished atomic.Bool
	jobs.Handle(r, func(context.Context, greet) error { close(begun); <-finish; finished.Store(true); return nil })
	client := b.work(t, r, untraced())
	b.enqueue(t, greet{Name: "slow"}, jobs.Options{})
	receive(t, begun)
	time.AfterFunc(200*time.Millisecond, func() { close(finish) })
	require.NoError(t, client.Stop(context.Background()))
	require.True(t, finished.Load())
}

func TestEnqueueIsOneStatementAndNeverNotifies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	counter := &statements{}
	traced, err := postgres.Open(context.Background(), postgres.Config{URL: b.url, Role: "shopd_orders", Tracer: counter})
	require.NoError(t, err)
	t.Cleanup(traced.Close)
	for _, name := range []string{"Ada", "Bob"} { // with its first job, a process asks for the server's version
		require.NoError(t, postgres.InTx(context.Background(), traced, func(tx pgx.Tx) error {
			counter.all = nil
			return b.queue.Enqueue(context.Background(), tx, greet{Name: name}, jobs.Options{Once: true})
		}))
	}
	require.Len(t, counter.all, 2, "the job and the commit: %q", counter.all)
	require.NotContains(t, counter.all[0], "pg_notify")
}

type statements struct{ all []string }

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.all = append(s.all, data.SQL)
	return ctx
}

func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
