package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/trace"
)

const (
	// Jobs of a worker that was killed run again after this; it is more than any try may take.
	rescueAfter = defaultTimeout + 30*time.Second
	// Done jobs are kept for a day, which is how far Options.Once sees; given-up ones until somebody has looked.
	keepDone = 24 * time.Hour
	keepDead = 30 * 24 * time.Hour
)

// Role is the PostgreSQL role that the pool of a Client must have.
const Role = "shopd_jobs"

// Config of a Client; every field is required.
type Config struct {
	Pool         *pgxpool.Pool // as Role
	Registry     *Registry
	Log          *slog.Logger
	Metrics      prometheus.Registerer
	Tracer       trace.Tracer
	PollInterval time.Duration
	Workers      int // jobs at a time in this process
}

// Client works on jobs.
type Client struct {
	river *river.Client[pgx.Tx]
}

// New returns a client that works on nothing before Start.
func New(c Config) (*Client, error) {
	observer, err := newObserver(c)
	if err != nil {
		return nil, err
	}
	client, err := river.NewClient(driver(c.Pool), &river.Config{
		Schema:                      schema,
		PollOnly:                    true,
		FetchPollInterval:           c.PollInterval,
		FetchCooldown:               min(c.PollInterval, 100*time.Millisecond),
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: c.Workers}},
		Workers:                     c.Registry.workers,
		PeriodicJobs:                c.Registry.periodic,
		JobTimeout:                  defaultTimeout,
		RetryPolicy:                 &retryPolicy{},
		RescueStuckJobsAfter:        rescueAfter,
		CompletedJobRetentionPeriod: keepDone,
		CancelledJobRetentionPeriod: keepDone,
		DiscardedJobRetentionPeriod: keepDead,
		Middleware:                  []rivertype.Middleware{observer},
		Logger:                      slog.New(quietHandler{c.Log.Handler()}),
	})
	if err != nil {
		return nil, fmt.Errorf("make the job client: %w", err)
	}
	return &Client{river: client}, nil
}

// Start begins to work on jobs and returns. The database may be away: it is asked again until it answers.
func (c *Client) Start(ctx context.Context) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := c.river.Start(context.WithoutCancel(ctx))
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), fmt.Errorf("start working on jobs: %w", err))
		case <-time.After(pause):
		}
	}
}

// Stop takes no more jobs and waits for those underway. When ctx ends first, they are cancelled and left to be tried
// again by another replica.
func (c *Client) Stop(ctx context.Context) error {
	err := c.river.Stop(ctx)
	if err == nil {
		return nil
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return errors.Join(fmt.Errorf("stop working on jobs: %w", err), c.river.StopAndCancel(limited))
}

// quietHandler passes on what somebody should look at: River tells of every start and stop of its parts.
type quietHandler struct{ slog.Handler }

// Enabled lets warnings and errors pass.
func (h quietHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// WithAttrs keeps the handler quiet.
func (h quietHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quietHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the handler quiet.
func (h quietHandler) WithGroup(name string) slog.Handler {
	return quietHandler{h.Handler.WithGroup(name)}
}
