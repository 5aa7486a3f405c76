package outbox

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"shopd/internal/platform/id"
)

const (
	countEvery = 5 * time.Second
	purgeEvery = 10 * time.Minute
	// purgeBatch keeps each delete short: it holds locks and writes WAL.
	purgeBatch = 5000
	// countLimit ends counting: beyond it, "more" is all anybody needs to know.
	countLimit = 100_000
)

type metrics struct {
	pending   prometheus.Gauge
	published prometheus.Counter
	failures  prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	auto := promauto.With(r)
	return &metrics{
		pending: auto.NewGauge(prometheus.GaugeOpts{
			Name: "shopd_outbox_pending",
			Help: "Events committed and not yet published, counted to 100000.",
		}),
		published: auto.NewCounter(prometheus.CounterOpts{
			Name: "shopd_outbox_published_total",
			Help: "Events that the broker took over.",
		}),
		failures: auto.NewCounter(prometheus.CounterOpts{
			Name: "shopd_outbox_errors_total",
			Help: "Rounds and single events that could not be published.",
		}),
	}
}

// keepHouse counts what waits and purges what is old, until ctx ends. Every relay does so: a purge that finds
// nothing left is cheap.
func (r *Relay) keepHouse(ctx context.Context) {
	purgeAt := time.Now().Add(rand.N(purgeEvery))
	for ctx.Err() == nil {
		if err := r.count(ctx); err != nil && ctx.Err() == nil {
			r.Log.WarnContext(ctx, "outbox could not be counted", "error", err)
		}
		if time.Now().After(purgeAt) {
			purgeAt = time.Now().Add(purgeEvery/2 + rand.N(purgeEvery))
			if err := r.Purge(ctx); err != nil && ctx.Err() == nil {
				r.Log.WarnContext(ctx, "old events could not be purged", "error", err)
			}
		}
		sleep(ctx, nil, countEvery)
	}
}

const countPending = `
select count(*)
from (select from platform.outbox where published_at is null limit $1) waiting`

func (r *Relay) count(ctx context.Context) error {
	var n int64
	if err := r.Pool.QueryRow(ctx, countPending, countLimit).Scan(&n); err != nil {
		return err
	}
	r.metrics.pending.Set(float64(n))
	return nil
}

// Event ids sort by time, so the old end of the primary key is where the old events are.
const purgeOutbox = `
delete from platform.outbox
where event_id in (
    select event_id
    from platform.outbox
    where event_id < $1 and published_at < $2
    order by event_id
    limit $3
)`

const purgeInbox = `
delete from platform.inbox
where ctid = any(array(
    select ctid
    from platform.inbox
    where handled_at < $1
    limit $2
))`

// Purge deletes published events and inbox rows older than Retention, in short statements.
func (r *Relay) Purge(ctx context.Context) error {
	before := r.Now().Add(-r.Retention)
	if err := r.purge(ctx, purgeOutbox, firstID(before), before, purgeBatch); err != nil {
		return fmt.Errorf("purge the outbox: %w", err)
	}
	if err := r.purge(ctx, purgeInbox, before, purgeBatch); err != nil {
		return fmt.Errorf("purge the inbox: %w", err)
	}
	return nil
}

func (r *Relay) purge(ctx context.Context, sql string, args ...any) error {
	for {
		tag, err := r.Pool.Exec(ctx, sql, args...)
		if err != nil || tag.RowsAffected() < purgeBatch {
			return err
		}
	}
}

// firstID sorts before every event id made at t or later.
func firstID(t time.Time) string {
	var u uuid.UUID
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(t.UnixMilli()))
	copy(u[:6], ms[2:])
	return id.From("evt", u)
}
