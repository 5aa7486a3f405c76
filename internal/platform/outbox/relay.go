package outbox

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"shopd/internal/events"
	"shopd/internal/platform/crash"
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
	// Poll is the pause after a round that found nothing; a relay that may not publish looks every PollMax whether it may.
	// Defaults 100 ms and 500 ms.
	Poll, PollMax time.Duration
	// Lease is how long a relay publishes alone before another one takes it for dead, and how long an event that the
	// broker refused waits. It must be longer than a round. Default 15 s.
	Lease time.Duration
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
	// resignTimeout bounds giving the lease back; else it runs out.
	resignTimeout = 2 * time.Second
	// longestRest is the longest pause while the broker or the database does not work.
	longestRest = 5 * time.Second
)

// Relay publishes what lies in the outbox. Any number of them may run beside each other: one holds a lease, renews it
// with every round and publishes, and the others wait for it to run out or to be given back. A relay that was paused for
// longer than its lease only leads to a second delivery of the same events.
//
// The rows are found by not being published, never by being newer than the last one: numbers commit out of order.
// Events leave in the order they were appended, as far as they had committed by then and nothing failed; consumers go by
// the version of the aggregate.
type Relay struct {
	Config
	owner   string
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
	c.Lease = cmp.Or(c.Lease, 15*time.Second)
	c.Retention = cmp.Or(c.Retention, 7*24*time.Hour)
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Relay{Config: c, owner: rand.Text(), metrics: newMetrics(c.Registerer)}, nil
}

// Run relays until ctx ends, and finishes the round it is in. It returns nil: a broker or a database that is away
// is logged, counted and waited for.
func (r *Relay) Run(ctx context.Context) error {
	var keeping sync.WaitGroup
	keeping.Go(func() { r.keepHouse(ctx) })
	defer keeping.Wait()
	woken, stop := wakeups()
	defer stop()

	limit, failures := r.Batch, 0
	for ctx.Err() == nil {
		began := time.Now()
		n, leads, err := r.Round(ctx, limit)
		switch {
		case err != nil && ctx.Err() == nil:
			failures++
			r.metrics.failures.Inc()
			r.Log.WarnContext(ctx, "events could not be relayed", "error", err, "failures", failures)
			// One event is enough to see whether the broker is back, and tells whether the event is the trouble.
			limit = 1
			sleep(ctx, nil, rest(failures))
			continue
		case n == limit:
		case n > 0:
			sleep(ctx, nil, pace-time.Since(began))
		case leads:
			if sleep(ctx, woken, r.Poll) {
				sleep(ctx, nil, max(gather, pace-time.Since(began)))
			}
		default:
			sleep(ctx, nil, r.PollMax)
		}
		limit, failures = r.Batch, 0
	}
	if err := r.resign(context.WithoutCancel(ctx)); err != nil {
		r.Log.WarnContext(ctx, "other relays wait until the lease runs out", "error", err)
	}
	return nil
}

// Round publishes up to limit events and marks them, if this relay holds the lease or can have it: leads says whether that
// is so. It returns how many events it tried. The error says that the broker or the database failed as a whole; another
// relay may have more luck then. Run calls it; a test may, too.
func (r *Relay) Round(ctx context.Context, limit int) (n int, leads bool, err error) {
	batch, leads, err := r.read(ctx, limit)
	if err != nil || len(batch) == 0 {
		return 0, leads, err
	}
	// What was begun is seen through, also when the process is told to stop.
	ctx = context.WithoutCancel(ctx)
	crash.At("outbox.taken")
	refused, failure := r.publish(ctx, batch)
	crash.At("outbox.sent")
	if failure != nil && refused == nil {
		refused = slices.Repeat([]error{failure}, len(batch))
	}
	var arrived, deferred []string
	for i, env := range batch {
		switch {
		case i >= len(refused) || refused[i] == nil:
			arrived = append(arrived, env.ID)
		case failure == nil:
			deferred = append(deferred, env.ID)
			r.metrics.failures.Inc()
			r.Log.WarnContext(ctx, "event not published", "event_id", env.ID, "type", env.Type, "error", refused[i])
		case len(batch) == 1:
			deferred = append(deferred, env.ID) // an event that breaks the broker's connection must let others try
		}
	}
	r.metrics.published.Add(float64(len(arrived)))
	err = errors.Join(r.settle(ctx, markPublished, arrived), r.settle(ctx, deferEvents, deferred, r.Lease))
	if failure != nil {
		err = errors.Join(fmt.Errorf("publish: %w", failure), err, r.resign(ctx))
	}
	return len(batch), true, err
}

func (r *Relay) publish(ctx context.Context, batch []events.Envelope) ([]error, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	return r.Publisher.Publish(ctx, batch)
}

// Taking or renewing the lease is durable although the pool's commits may be relaxed: so is then everything committed
// before it, and no event leaves whose change a crash could still undo. Nothing is written while nothing waits.
const readEvents = `
with durable as (
    select set_config('synchronous_commit', 'on', true)
), waiting as (
    select true as found
    from platform.outbox
    where published_at is null and (not_before is null or not_before < now())
    limit 1
), lease as (
    update platform.relay_lease as l
    set owner = $1, expires_at = now() + $2::interval
    from durable, waiting
    where l.owner = $1 or l.expires_at < now()
    returning true as taken
)
select o.seq, o.event_id, o.type, o.version, o.aggregate_id, o.aggregate_version, o.occurred_at, o.trace, o.data::text
from lease
join platform.outbox as o on o.published_at is null and (o.not_before is null or o.not_before < now())
order by o.seq
limit $3`

const mayLead = `
select owner = $1 or expires_at < now()
from platform.relay_lease`

// read returns the first events that wait when this relay has the lease.
func (r *Relay) read(ctx context.Context, limit int) (batch []events.Envelope, leads bool, err error) {
	rows, err := r.Pool.Query(ctx, readEvents, r.owner, r.Lease, limit)
	if err != nil {
		return nil, false, fmt.Errorf("read the outbox: %w", err)
	}
	batch, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (env events.Envelope, err error) {
		var seq int64
		var data string
		err = row.Scan(&seq, &env.ID, &env.Type, &env.Version, &env.AggregateID, &env.AggregateVersion, &env.OccurredAt, &env.Trace, &data)
		env.Data, env.OccurredAt = []byte(data), env.OccurredAt.UTC()
		return env, err
	})
	if err != nil {
		return nil, false, fmt.Errorf("read the outbox: %w", err)
	}
	if len(batch) > 0 {
		return batch, true, nil
	}
	if err := r.Pool.QueryRow(ctx, mayLead, r.owner).Scan(&leads); err != nil {
		return nil, false, fmt.Errorf("read who relays events: %w", err)
	}
	return nil, leads, nil
}

// A mark needs no proof that the lease still holds: the broker has the events, whoever sent them.
const markPublished = `
update platform.outbox
set published_at = now()
where event_id = any($1) and published_at is null`

const deferEvents = `
update platform.outbox
set not_before = now() + $2::interval
where event_id = any($1) and published_at is null`

func (r *Relay) settle(ctx context.Context, sql string, ids []string, more ...any) error {
	if len(ids) == 0 {
		return nil
	}
	if _, err := r.Pool.Exec(ctx, sql, append([]any{ids}, more...)...); err != nil {
		return fmt.Errorf("settle events: %w", err)
	}
	return nil
}

const giveLeaseBack = `
update platform.relay_lease
set expires_at = '-infinity', owner = ''
where owner = $1`

// resign lets another relay publish at once.
func (r *Relay) resign(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, resignTimeout)
	defer cancel()
	if _, err := r.Pool.Exec(ctx, giveLeaseBack, r.owner); err != nil {
		return fmt.Errorf("let another relay publish: %w", err)
	}
	return nil
}

// rest is the pause after a number of failures in a row, with jitter so that replicas do not come together.
func rest(failures int) time.Duration {
	d := min(100*time.Millisecond<<min(failures-1, 6), longestRest)
	return d/2 + mrand.N(d/2)
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
