// Package brokertest is the suite that every broker passes: what a consumer may rely on, shown on the real
// services.
package brokertest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"shopd/internal/events"
	"shopd/internal/platform/broker"
	"shopd/internal/platform/id"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/testenv"
)

// Patience is how long a test waits for what has to happen.
const Patience = 20 * time.Second

// Lab is one deployment under test: a database, and the brokers that share it.
type Lab struct {
	// Relay and Inventory are pools of these roles; Owner may do everything.
	Relay, Inventory, Owner *pgxpool.Pool
	// Registry holds the metrics of the first broker.
	Registry *prometheus.Registry
}

// NewLab returns a lab on a fresh database with a table for effects.
func NewLab(t testing.TB) *Lab {
	t.Helper()
	url := testenv.Database(t)
	l := &Lab{
		Owner: OpenPool(t, url, ""), Relay: OpenPool(t, url, "shopd_relay"),
		Inventory: OpenPool(t, url, "shopd_inventory"), Registry: prometheus.NewRegistry(),
	}
	_, err := l.Owner.Exec(t.Context(), `
		create table inventory.effects (consumer text, event_id text, at timestamptz default clock_timestamp());
		grant all on inventory.effects to shopd_inventory`)
	require.NoError(t, err)
	return l
}

// OpenPool opens a small pool that the end of the test closes.
func OpenPool(t testing.TB, url, role string) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(context.Background(), postgres.Config{URL: url, Role: role, MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// Config is a broker's configuration with short delays.
func (l *Lab) Config(t testing.TB) broker.Config {
	t.Helper()
	return broker.Config{
		Pool: l.Relay, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		RetryDelays: []time.Duration{50 * time.Millisecond, 100 * time.Millisecond},
	}
}

// Effect is a Handle that writes one row for each event, and fails as fail says (nil: never).
func (l *Lab) Effect(consumer string, fail func(events.Envelope) error) broker.Subscription {
	return broker.Subscription{
		Consumer: consumer, Types: []string{"orders.#"}, Pool: l.Inventory,
		Handle: func(ctx context.Context, tx pgx.Tx, batch []events.Envelope) error {
			for _, env := range batch {
				if _, err := tx.Exec(ctx, `insert into inventory.effects (consumer, event_id) values ($1, $2)`, consumer, env.ID); err != nil {
					return err
				}
				if fail == nil {
					continue
				}
				if err := fail(env); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// Effects returns the ids of the events that had an effect in consumer, in order, as often as they had it.
func (l *Lab) Effects(t testing.TB, consumer string) []string {
	t.Helper()
	rows, err := l.Owner.Query(context.Background(), `select event_id from inventory.effects where consumer = $1 order by at`, consumer)
	require.NoError(t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return ids
}

// Eventually waits until consumer has had exactly these effects.
func (l *Lab) Eventually(t testing.TB, consumer string, batch []events.Envelope) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assertions) {
		require.ElementsMatch(c, IDs(batch), l.Effects(t, consumer))
	}, Patience, 20*time.Millisecond)
}

// Letters waits until n dead letters of consumer wait, and returns them.
func (l *Lab) Letters(t testing.TB, consumer string, n int) []broker.DeadLetter {
	t.Helper()
	var letters []broker.DeadLetter
	require.EventuallyWithT(t, func(c *assertions) {
		var err error
		letters, err = broker.NewDeadLetters(l.Relay).List(context.Background(), broker.DeadLetterFilter{Consumer: consumer})
		require.NoError(c, err)
		require.Len(c, letters, n)
	}, Patience, 20*time.Millisecond)
	return letters
}

// Start runs b until the test ends, or until the function it returns is called.
func Start(t testing.TB, b broker.Broker) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			assert.NoError(t, err)
		case <-time.After(Patience):
			t.Error("the broker did not stop")
		}
		assert.NoError(t, b.Close())
	})
	t.Cleanup(stop)
	return stop
}

// Publish publishes batch until the broker has taken all of it, as the relay does.
func Publish(t testing.TB, b broker.Broker, batch ...events.Envelope) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for len(batch) > 0 {
		require.Less(t, time.Now(), deadline, "the broker takes no events")
		refused, err := b.Publish(context.Background(), batch)
		var left []events.Envelope
		for i, env := range batch {
			if (err != nil && refused == nil) || (i < len(refused) && refused[i] != nil) {
				left = append(left, env)
			}
		}
		if batch = left; len(batch) > 0 {
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// Events returns n events of the type, each of an aggregate of its own.
func Events(n int, eventType string) []events.Envelope {
	batch := make([]events.Envelope, n)
	for i := range batch {
		batch[i] = events.Envelope{
			ID: id.New("evt"), Type: eventType, Version: 1, AggregateID: id.New("ord"), AggregateVersion: 1,
			OccurredAt: time.Now().UTC(), Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i)),
		}
	}
	return batch
}

// IDs returns the ids of batch.
func IDs(batch []events.Envelope) []string {
	ids := make([]string, len(batch))
	for i, env := range batch {
		ids[i] = env.ID
	}
	return ids
}
