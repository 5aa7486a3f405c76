package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"shopd/internal/events"
)

// Publisher is the broker as the relay sees it.
type Publisher interface {
	// Publish hands a batch over and returns once the broker has answered for it, with an error for each event
	// that must be published again (nil for the others, and no slice when all arrived). The second error means
	// that the broker is best left alone for a while; without a slice beside it, nothing has arrived.
	Publish(ctx context.Context, batch []events.Envelope) ([]error, error)
}

// Config is what a Relay needs. Pool, Publisher and Log are required.
type Config struct {
	// Pool acts as shopd_relay. Its commits may be relaxed: a lost mark means one more delivery.
	Pool      *pgxpool.Pool
	Publisher Publisher
	Log       *slog.Logger
	// Registerer takes the metrics; nil keeps them to the relay.
	Registerer prometheus.Registerer
	// Batch bounds what one round publishes. Default 500.
	Batch int
	// Poll is the pause after a round that found nothing; it grows to PollMax while nothing comes.
	// Defaults 100 ms and 500 ms.
	Poll, PollMax time.Duration
	// Claim is how long a replica keeps events to itself before others take them as abandoned. It must be longer
	// than a round. Default 15 s.
	Claim time.Duration
	// Retention is how long published events and inbox rows are kept. Default 7 days.
	Retention time.Duration
	// Now is the clock that Retention is counted by. Default time.Now.
	Now func() time.Time
}

const (
	// gather is the pause between being woken and looking: commits of the same moment go in one batch.
	gather = 3 * time.Millisecond
	// pace is the least time from one round to the next while there are few events: a round costs the database about the
	// same for one event and for fifty.
	pace = 30 * time.Millisecond
	// publishTimeout bounds publishing one batch; a relay that is told to stop ends its round first.
	publishTimeout = 10 * time.Second
	// longestRest is the longest pause while the broker or the database does not work.
	longestRest = 5 * time.Second
)

// Relay publishes what lies in the outbox. Any number of them may run beside each other: a round claims rows for
// a short while in one statement, publishes them while no lock is held, and marks them. What happens to a relay in
// between only leads to a second delivery of the same event, once its claim has run out.
//
// The rows are found by not being published, never by being newer than the last one: numbers commit out of order.
// Events leave in the order they were appended, which one relay keeps and several together do not promise;
// consumers go by the version of the aggregate.
type Relay struct {
	Config
	metrics *metrics
}

// NewRelay returns a relay that Run starts.
func NewRelay(c Config) (*Relay, error) {
	if c.Pool == nil || c.Publisher == nil || c.Log == nil {
		return nil, errors.New("outbox: a relay needs Pool, Publisher and Log")
	}
	c.Batch = cmp.Or(c.Batch, 500)
	c.Poll = cmp.Or(c.Poll, 100*time.Millisecond)
	c.PollMax = max(c.Poll, cmp.Or(c.PollMax, 500*time.Millisecond))
	c.Claim = cmp.Or(c.Claim, 15*time.Second)
	c.Retention = cmp.Or(c.Retention, 7*24*time.Hour)
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Relay{Config: c, metrics: newMetrics(c.Registerer)}, nil
}

// Run relays until ctx ends, and finishes the round it is in. It returns nil: a broker or a database that is away
// is logged, counted and waited for.
func (r *Relay) Run(ctx context.Context) error {
	var keeping sync.WaitGroup
	keeping.Go(func() { r.keepHouse(ctx) })
	defer keeping.Wait()
	woken, stop := wakeups()
	defer stop()

	limit, pause, failures := r.Batch, r.Poll, 0
	for ctx.Err() == nil {
		began := time.Now()
		n, err := r.Round(ctx, limit)
		switch {
		case err != nil && ctx.Err() == nil:
			failures++
			r.metrics.failures.Inc()
			r.Log.WarnContext(ctx, "events could not be relayed", "error", err, "failures", failures)
			// One event is enough to see whether the broker is back, and tells whether the event is the trouble.
			limit = 1
			sleep(ctx, nil, rest(failures))
		case n > 0:
			full := n == limit
			limit, pause, failures = r.Batch, r.Poll, 0
			if !full {
				sleep(ctx, nil, pace-time.Since(began))
			}
		default:
			failures = 0
			if sleep(ctx, woken, pause) {
				pause = r.Poll
				sleep(ctx, nil, max(gather, pace-time.Since(began)))
			} else {
				pause = min(pause*3/2, r.PollMax)
			}
		}
	}
	return nil
}

// Round claims up to limit events, publishes and marks them, and returns how many were claimed. The error says
// that the broker or the database failed as a whole. Run calls it; a test may, too.
func (r *Relay) Round(ctx context.Context, limit int) (int, error) {
	batch, err := r.claim(ctx, limit)
	if err != nil || len(batch) == 0 {
		return 0, err
	}
	// What is claimed is seen through, also when the process is told to stop.
	ctx = context.WithoutCancel(ctx)
	refused, failure := r.publish(ctx, batch)
	if failure != nil && refused == nil {
		refused = slices.Repeat([]error{failure}, len(batch))
	}
	var arrived, left []string
	for i, env := range batch {
		switch {
		case i >= len(refused) || refused[i] == nil:
			arrived = append(arrived, env.ID)
		case failure != nil:
			left = append(left, env.ID)
		default: // its claim is the pause until the next try
			r.metrics.failures.Inc()
			r.Log.WarnContext(ctx, "event not published", "event_id", env.ID, "type", env.Type, "error", refused[i])
		}
	}
	if len(batch) == 1 {
		left = nil // its claim stays: an event that breaks the broker's connection must let others try
	}
	r.metrics.published.Add(float64(len(arrived)))
	if failure != nil {
		failure = fmt.Errorf("publish: %w", failure)
	}
	return len(batch), errors.Join(failure, r.update(ctx, markPublished, arrived), r.update(ctx, releaseEvents, left))
}

func (r *Relay) publish(ctx context.Context, batch []events.Envelope) ([]error, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	return r.Publisher.Publish(ctx, batch)
}

// The claim is durable although the pool's commits may be relaxed: so is then everything committed before it, and no
// event leaves whose change a crash could still undo.
const claimEvents = `
with durable as (
    select set_config('synchronous_commit', 'on', true)
), due as (
    select event_id
    from platform.outbox
    where published_at is null and (claimed_until is null or claimed_until < now())
    order by seq
    limit $1
    for update skip locked
)
update platform.outbox o
set claimed_until = now() + $2::interval
from durable
where o.event_id = any(array(select event_id from due))
returning o.seq, o.event_id, o.type, o.version, o.aggregate_id, o.aggregate_version, o.occurred_at, o.trace, o.data::text`

func (r *Relay) claim(ctx context.Context, limit int) ([]events.Envelope, error) {
	type numbered struct {
		seq int64
		env events.Envelope
	}
	rows, err := r.Pool.Query(ctx, claimEvents, limit, r.Claim)
	if err != nil {
		return nil, fmt.Errorf("claim events: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (numbered, error) {
		var n numbered
		var data string
		err := row.Scan(&n.seq, &n.env.ID, &n.env.Type, &n.env.Version, &n.env.AggregateID, &n.env.AggregateVersion,
			&n.env.OccurredAt, &n.env.Trace, &data)
		n.env.Data, n.env.OccurredAt = []byte(data), n.env.OccurredAt.UTC()
		return n, err
	})
	if err != nil {
		return nil, fmt.Errorf("claim events: %w", err)
	}
	slices.SortFunc(found, func(a, b numbered) int { return cmp.Compare(a.seq, b.seq) })
	batch := make([]events.Envelope, len(found))
	for i, n := range found {
		batch[i] = n.env
	}
	return batch, nil
}

// A mark needs no proof that the claim still holds: the broker has the events, whoever sent them.
const markPublished = `
update platform.outbox
set published_at = now()
where event_id = any($1) and published_at is null`

const releaseEvents = `
update platform.outbox
set claimed_until = null
where event_id = any($1) and published_at is null`

func (r *Relay) update(ctx context.Context, sql string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	if _, err := r.Pool.Exec(ctx, sql, ids); err != nil {
		return fmt.Errorf("settle events: %w", err)
	}
	return nil
}

// rest is the pause after a number of failures in a row, with jitter so that replicas do not come together.
func rest(failures int) time.Duration {
	d := min(100*time.Millisecond<<min(failures-1, 6), longestRest)
	return d/2 + rand.N(d/2)
}

// sleep waits for d, a token in woken or the end of ctx, and reports whether it was woken.
func sleep(ctx context.Context, woken <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-woken:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}
