package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Outcomes of one try, the label of shopd_job_seconds.
const (
	outcomeDone   = "done"
	outcomeFailed = "failed" // will be tried again
	outcomeDead   = "dead"   // was the last try
)

// observer measures, traces and logs every try.
type observer struct {
	river.MiddlewareDefaults
	log     *slog.Logger
	tracer  trace.Tracer
	seconds *prometheus.HistogramVec
}

func newObserver(c Config) (*observer, error) {
	o := &observer{
		log: c.Log, tracer: c.Tracer,
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "shopd_job_seconds", Help: "Time of one try of a background job.",
			Buckets: []float64{.005, .02, .1, .5, 2, 10, 60},
		}, []string{"kind", "outcome"}),
	}
	if err := errors.Join(c.Metrics.Register(o.seconds), c.Metrics.Register(newStateCollector(c.Pool, c.Log))); err != nil {
		return nil, fmt.Errorf("register the metrics of jobs: %w", err)
	}
	return o, nil
}

// Work runs one try of a job within a span that continues the trace of whoever enqueued it.
func (o *observer) Work(ctx context.Context, job *rivertype.JobRow, try func(context.Context) error) error {
	carrier := propagation.MapCarrier{}
	if json.Unmarshal(job.Metadata, &carrier) == nil { // metadata of periodic work has other things in it
		ctx = propagation.TraceContext{}.Extract(ctx, carrier)
	}
	kind := kindOf(job)
	ctx, span := o.tracer.Start(ctx, "job "+kind, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.Int64("shopd.job.id", job.ID), attribute.Int("shopd.job.attempt", job.Attempt)))
	defer span.End()
	begun := time.Now()
	err := try(ctx)
	outcome := outcomeDone
	if err != nil {
		outcome = outcomeFailed
		if job.Attempt >= job.MaxAttempts {
			outcome = outcomeDead
		}
		span.SetStatus(codes.Error, err.Error())
		o.log.WarnContext(ctx, "job failed", "kind", kind, "job", job.ID, "attempt", job.Attempt, "outcome", outcome, "error", err)
	}
	o.seconds.WithLabelValues(kind, outcome).Observe(time.Since(begun).Seconds())
	return err
}

// kindOf is the job's kind, for periodic work its name.
func kindOf(job *rivertype.JobRow) string {
	var args tickArgs
	if job.Kind == args.Kind() && json.Unmarshal(job.EncodedArgs, &args) == nil {
		return args.Name
	}
	return job.Kind
}

// countStates reads the jobs that wait for a worker or for somebody to look at them.
const countStates = `
select
    (select count(*) from jobs.river_job where state = 'discarded'),
    (select count(*) from jobs.river_job where state in ('available', 'retryable') and scheduled_at <= now())`

// stateCollector asks the database when metrics are read: how many jobs are dead survives restarts.
type stateCollector struct {
	pool          *pgxpool.Pool
	log           *slog.Logger
	dead, waiting *prometheus.Desc
}

func newStateCollector(pool *pgxpool.Pool, log *slog.Logger) *stateCollector {
	return &stateCollector{
		pool: pool, log: log,
		dead:    prometheus.NewDesc("shopd_jobs_dead", "Background jobs that were given up in the last 30 days.", nil, nil),
		waiting: prometheus.NewDesc("shopd_jobs_waiting", "Background jobs that are due and not taken up yet.", nil, nil),
	}
}

// Describe names the metrics.
func (c *stateCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.dead
	ch <- c.waiting
}

// Collect leaves the metrics out while the database is away: an old number would look like a new one.
func (c *stateCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var dead, waiting float64
	if err := c.pool.QueryRow(ctx, countStates).Scan(&dead, &waiting); err != nil {
		c.log.DebugContext(ctx, "jobs cannot be counted", "error", err)
		return
	}
	ch <- prometheus.MustNewConstMetric(c.dead, prometheus.GaugeValue, dead)
	ch <- prometheus.MustNewConstMetric(c.waiting, prometheus.GaugeValue, waiting)
}
