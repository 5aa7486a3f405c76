// Package outbox keeps events in the transaction of the change they speak of, and relays them to the broker once
// that transaction has committed: every committed change has its event, delivered at least once.
package outbox

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/propagation"

	"shopd/internal/events"
)

// Append writes evs into tx, in their order, with one statement. It comes after the rows the events speak of have
// been written, so that events of one object are numbered in the order of their commits. After the commit the
// caller calls Wake, or the relay finds them a little later.
func Append(ctx context.Context, tx pgx.Tx, now time.Time, evs ...events.Event) error {
	if len(evs) == 0 {
		return nil
	}
	args, err := Rows(ctx, now, evs...)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, appendEvents, args...); err != nil {
		return fmt.Errorf("append events to the outbox: %w", err)
	}
	return nil
}

// Args is how many parameters InsertSQL takes and Rows returns.
const Args = 8

var appendEvents = InsertSQL(1)

// InsertSQL is the insert of Append for a hot path that puts it into a statement of its own, as a CTE or in a
// batch. Its parameters are what Rows returns, numbered from first.
func InsertSQL(first int) string {
	return fmt.Sprintf(insertEvents, first, first+1, first+2, first+3, first+4, first+5, first+6, first+7)
}

const insertEvents = `
insert into platform.outbox
    (event_id, type, version, aggregate_id, aggregate_version, data, trace, occurred_at)
select e.event_id, e.type, e.version, e.aggregate_id, e.aggregate_version, e.data::json, $%[7]d, $%[8]d
from unnest($%[1]d::text[], $%[2]d::text[], $%[3]d::int[], $%[4]d::text[], $%[5]d::bigint[], $%[6]d::text[])
    with ordinality as e(event_id, type, version, aggregate_id, aggregate_version, data, position)
order by e.position`

// Rows returns evs as the arguments of InsertSQL, each event with a new id, the time now and the trace of the
// span in ctx.
func Rows(ctx context.Context, now time.Time, evs ...events.Event) ([]any, error) {
	n := len(evs)
	ids, types, versions := make([]string, n), make([]string, n), make([]int32, n)
	aggregates, aggregateVersions, data := make([]string, n), make([]int64, n), make([]string, n)
	trace := Trace(ctx)
	for i, ev := range evs {
		env, err := events.Wrap(ev, now, trace)
		if err != nil {
			return nil, fmt.Errorf("encode event %s: %w", ev.Type(), err)
		}
		ids[i], types[i], versions[i] = env.ID, env.Type, int32(env.Version)
		aggregates[i], aggregateVersions[i], data[i] = env.AggregateID, env.AggregateVersion, string(env.Data)
	}
	return []any{ids, types, versions, aggregates, aggregateVersions, data, trace, now.UTC()}, nil
}

// Trace is the W3C traceparent of the span in ctx; empty without one.
func Trace(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}

// sleepers are the relays of this process that wait for something to do.
var sleepers struct {
	sync.Mutex
	channels map[chan struct{}]struct{}
}

// Wake tells the relays of this process that events have been committed. It never blocks, and calling it for
// nothing costs one look into the outbox.
func Wake() {
	sleepers.Lock()
	defer sleepers.Unlock()
	for c := range sleepers.channels {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// wakeups returns a channel that holds a token after Wake, and the function that ends it.
func wakeups() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	sleepers.Lock()
	defer sleepers.Unlock()
	if sleepers.channels == nil {
		sleepers.channels = map[chan struct{}]struct{}{}
	}
	sleepers.channels[c] = struct{}{}
	return c, func() {
		sleepers.Lock()
		defer sleepers.Unlock()
		delete(sleepers.channels, c)
	}
}
