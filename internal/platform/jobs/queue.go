// Package jobs runs work that must happen after a transaction, and only if it commits: a job is a row written in that
// transaction, taken up by a worker of any replica, and tried again until it succeeds or is given up.
package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/propagation"
)

// schema is the PostgreSQL schema of River's tables.
const schema = "jobs"

// Args is what a job needs to know, kept as JSON. Kind names the work and must never change its meaning. Nothing
// personal belongs in it in clear.
type Args = river.JobArgs

// Options of one job; the zero value runs it once, soon.
type Options struct {
	// Once drops the job when one with the same fields tagged `river:"unique"` (all fields when none is) waits, runs or
	// was done in the last day.
	Once bool
	// At is the earliest time to run; zero for now.
	At time.Time
	// MaxAttempts is how often the job is tried before it is given up; 0 takes 25, which is three weeks.
	MaxAttempts int
	// Trace is the W3C traceparent that goes on in the job; empty takes the one in the context.
	Trace string
}

// Queue puts jobs into transactions of any domain. It has no connection of its own.
type Queue struct {
	client *river.Client[pgx.Tx]
}

// NewQueue returns a queue.
func NewQueue() (*Queue, error) {
	client, err := river.NewClient(driver(nil), &river.Config{Schema: schema, PollOnly: true})
	if err != nil {
		return nil, fmt.Errorf("make the queue of jobs: %w", err)
	}
	return &Queue{client: client}, nil
}

// Job is one job to be written, with its options.
type Job struct {
	Args
	Options
}

// Enqueue writes the job within the transaction, which must commit for the job to exist. It takes one statement. The
// trace in ctx goes on in the job.
func (q *Queue) Enqueue(ctx context.Context, tx pgx.Tx, args Args, o Options) error {
	return q.EnqueueAll(ctx, tx, []Job{{args, o}})
}

// EnqueueAll is Enqueue for many jobs, with one statement for all of them.
func (q *Queue) EnqueueAll(ctx context.Context, tx pgx.Tx, list []Job) error {
	if len(list) == 0 {
		return nil
	}
	params := make([]river.InsertManyParams, len(list))
	for i, j := range list {
		trace := traceOf(ctx)
		if j.Trace != "" {
			trace = propagation.MapCarrier{"traceparent": j.Trace}
		}
		metadata, err := json.Marshal(trace)
		if err != nil {
			return fmt.Errorf("enqueue %s: %w", j.Kind(), err)
		}
		insert := &river.InsertOpts{ScheduledAt: j.At, MaxAttempts: j.MaxAttempts, Metadata: metadata}
		if j.Once {
			insert.UniqueOpts = river.UniqueOpts{ByArgs: true, ByState: rivertype.UniqueOptsByStateDefault()}
		}
		params[i] = river.InsertManyParams{Args: j.Args, InsertOpts: insert}
	}
	if _, err := q.client.InsertManyTx(ctx, tx, params); err != nil {
		return fmt.Errorf("enqueue %s: %w", list[0].Kind(), err)
	}
	return nil
}

// traceOf is the W3C trace context of the span in ctx.
func traceOf(ctx context.Context) propagation.MapCarrier {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier
}

// quietDriver never notifies. NOTIFY takes a lock of the whole server at every commit, and workers poll anyway; River
// notifies on inserts even in poll-only mode.
type quietDriver struct {
	*riverpgxv5.Driver
}

func (quietDriver) SupportsListener() bool     { return false }
func (quietDriver) SupportsListenNotify() bool { return false }

func driver(pool *pgxpool.Pool) quietDriver { return quietDriver{riverpgxv5.New(pool)} }
