package brokertest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"shopd/internal/events"
	"shopd/internal/platform/broker"
	"shopd/internal/platform/errs"
)

type assertions = assert.CollectT

const (
	placed    = "orders.order_placed.v1"
	cancelled = "orders.order_cancelled.v1"
	changed   = "inventory.stock_changed.v1"
)

// Deployment makes the brokers of one lab.
type Deployment struct {
	// Broker returns one more replica.
	Broker func(t testing.TB, c broker.Config) broker.Broker
	// Replicas says that several brokers share the work, in several processes.
	Replicas bool
}

// Run shows that the brokers that deploy makes keep the promises. deploy is called once for each test.
func Run(t *testing.T, deploy func(t testing.TB) Deployment) {
	for name, test := range map[string]func(*testing.T, Deployment){
		"each consumer gets the types it asked for, in order":         delivers,
		"five shuffled copies of each event have one effect each":     deduplicates,
		"a large backlog is handled in batches":                       batches,
		"a poisonous event does not hold up the others":               isolatesPoison,
		"a handler that recovers has its effect once":                 retries,
		"a panic is a failure like any other":                         survivesPanic,
		"an unreadable payload is a dead letter at once":              buriesUnreadable,
		"what waits for a dependency is not counted as failing":       waits,
		"a redriven event goes to its consumer alone":                 redrives,
		"a redriven event that fails again waits again as one letter": redrivesAgain,
		"a broadcast reaches every replica":                           broadcasts,
		"lag and dead letters are measured":                           measures,
		"the consumer's span belongs to the trace of the change":      traces,
		"a subscription that cannot work is refused when it is made":  refusesNonsense,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, deploy(t))
		})
	}
}

func delivers(t *testing.T, d Deployment) {
	lab := NewLab(t)
	b := d.Broker(t, lab.Config(t))
	both, one := lab.Effect("inventory.orders", nil), lab.Effect("inventory.cancelled", nil)
	one.Types = []string{cancelled}
	var mu sync.Mutex
	var projected []events.Envelope
	require.NoError(t, b.Subscribe(both, one, broker.Subscription{
		Consumer: "catalog.search", Types: []string{"inventory.*.v1"},
		Project: func(_ context.Context, batch []events.Envelope) error {
			mu.Lock()
			defer mu.Unlock()
			projected = append(projected, batch...)
			return nil
		},
	}))
	Start(t, b)
	first, second, third := Events(5, placed), Events(5, cancelled), Events(5, changed)
	Publish(t, b, slices.Concat(first, second, third)...)

	lab.Eventually(t, "inventory.orders", slices.Concat(first, second))
	lab.Eventually(t, "inventory.cancelled", second)
	require.Equal(t, IDs(slices.Concat(first, second)), lab.Effects(t, "inventory.orders"))
	require.EventuallyWithT(t, func(c *assertions) {
		mu.Lock()
		defer mu.Unlock()
		require.Equal(c, third, projected, "the envelope arrives as it was sent")
	}, Patience, 20*time.Millisecond)
}

func deduplicates(t *testing.T, d Deployment) {
	lab := NewLab(t)
	replicas := []broker.Broker{d.Broker(t, lab.Config(t))}
	if d.Replicas {
		replicas = append(replicas, d.Broker(t, lab.Config(t)))
	}
	for _, b := range replicas {
		s := lab.Effect("inventory.orders", nil)
		s.Workers, s.MaxBatch = 3, 7
		require.NoError(t, b.Subscribe(s))
		Start(t, b)
	}
	batch := Events(40, placed)
	copies := slices.Repeat(batch, 5)
	rand.Shuffle(len(copies), func(i, j int) { copies[i], copies[j] = copies[j], copies[i] })
	for part := range slices.Chunk(copies, 50) {
		Publish(t, replicas[0], part...)
	}
	after := Events(1, placed)
	Publish(t, replicas[0], after...)
	lab.Eventually(t, "inventory.orders", append(batch, after...))
}

func batches(t *testing.T, d Deployment) {
	lab := NewLab(t)
	b := d.Broker(t, lab.Config(t))
	var calls, largest atomic.Int64
	s := lab.Effect("inventory.orders", nil)
	handle := s.Handle
	s.Handle = func(ctx context.Context, tx pgx.Tx, batch []events.Envelope) error {
		calls.Add(1)
		largest.Store(max(largest.Load(), int64(len(batch))))
		return handle(ctx, tx, batch)
	}
	s.MaxBatch = 20
	require.NoError(t, b.Subscribe(s))
	batch := Events(200, placed)
	Publish(t, b, batch...)
	Start(t, b)
	lab.Eventually(t, "inventory.orders", batch)
	require.LessOrEqual(t, largest.Load(), int64(20))
	require.Less(t, calls.Load(), int64(100), "events come in batches")
}

func isolatesPoison(t *testing.T, d Deployment) {
	lab := NewLab(t)
	b := d.Broker(t, lab.Config(t))
	batch := Events(30, placed)
	poison := batch[7].ID
	require.NoError(t, b.Subscribe(lab.Effect("inventory.orders", func(env events.Envelope) error {
		if env.ID == poison {
			return errors.New("cannot be \x00 handled")
		}
		return nil
	})))
	Start(t, b)
	Publish(t, b, batch...)
	lab.Eventually(t, "inventory.orders", slices.Delete(slices.Clone(batch), 7, 8))
	letter := lab.Letters(t, "inventory.orders", 1)[0]
	require.Equal(t, batch[7], *letter.Event)
	require.Equal(t, 3, letter.Attempts, "the first try and one after each delay")
	require.Contains(t, letter.Error, "cannot be")
	require.Less(t, letter.FirstFailed, letter.LastFailed)
	require.GreaterOrEqual(t, letter.LastFailed.Sub(letter.FirstFailed), 150*time.Millisecond, "both delays have passed")
}

func retries(t *testing.T, d Deployment) {
	lab := NewLab(t)
	b := d.Broker(t, lab.Config(t))
	var failures atomic.Int64
	require.NoError(t, b.Subscribe(lab.Effect("inventory.orders", func(events.Envelope) error {
		if failures.Add(1) <= 2 {
			return errors.New("not yet")
		}
		return nil
	})))
	Start(t, b)
	batch := Events(1, placed)
	Publish(t, b, batch...)
	lab.Eventually(t, "inventory.orders", batch)
	lab.Letters(t, "inventory.orders", 0)
}

func survivesPanic(t *testing.T, d Deployment) {
	lab := NewLab(t)
	b := d.Broker(t, lab.Config(t))
	batch := Events(2, placed)
	require.NoError(t, b.Subscribe(lab.Effect("inventory.orders", func(env events.Envelope) error {
		if env.ID == batch[0].ID {
			panic("a fault of the handler")
		}
		return nil
	})))
	Start(t, b)
	Publish(t, b, batch...)
	lab.Eventually(t, "inventory.orders", batch[1:])
	require.Contains(t, lab.Letters(t, "inventory.orders", 1)[0].Error, "a fault of the handler")
}

func buriesUnreadable(t *testing.T, d Deployment) {
	lab := NewLab(t)
	b := d.Broker(t, lab.Config(t))
	require.NoError(t, b.Subscribe(lab.Effect("inventory.orders", func(events.Envelope) error {
		return broker.Unreadable(errors.New("no such field"))
	})))
	Start(t, b)
	Publish(t, b, Events(1, placed)...)
	require.Equal(t, 1, lab.Letters(t, "inventory.orders", 1)[0].Attempts)
}

func waits(t *testing.T, d Deployment) {
	lab := NewLab(t)
	c := lab.Config(t)
	c.RetryDelays = []time.Duration{} // the first failure that counts is the last
	b := d.Broker(t, c)
	var calls atomic.Int64
	require.NoError(t, b.Subscribe(lab.Effect("inventory.orders", func(events.Envelope) error {
		if calls.Add(1) <= 3 {
			return errs.New(errs.Unavailable, "search_unavailable", "The search engine is away.")
		}
		return nil
	})))
	Start(t, b)
	batch := Events(2, placed)
	Publish(t, b, batch...)
	lab.Eventually(t, "inventory.orders", batch)
	lab.Letters(t, "inventory.orders", 0)
}

func redrives(t *testing.T, d Deployment) {
	lab := NewLab(t)
	b := d.Broker(t, lab.Config(t))
	var mended atomic.Bool
	var elsewhere atomic.Int64
	require.NoError(t, b.Subscribe(
		lab.Effect("inventory.orders", func(events.Envelope) error {
			if mended.Load() {
				return nil
			}
			return errors.New("broken")
		}),
		broker.Subscription{
			Consumer: "recs.orders", Types: []string{"orders.#"},
			Project: func(_ context.Context, batch []events.Envelope) error {
				elsewhere.Add(int64(len(batch)))
				return nil
			},
		},
	))
	Start(t, b)
	batch := Events(1, placed)
	Publish(t, b, batch...)
	letter := lab.Letters(t, "inventory.orders", 1)[0]
	mended.Store(true)
	letters := broker.NewDeadLetters(lab.Relay)
	require.NoError(t, letters.Redrive(t.Context(), letter.ID))
	lab.Eventually(t, "inventory.orders", batch)
	require.EqualValues(t, 1, elsewhere.Load(), "other consumers do not see the event again")

	lab.Letters(t, "inventory.orders", 0)
	redriven, err := letters.List(t.Context(), broker.DeadLetterFilter{Redriven: true})
	require.NoError(t, err)
	require.Len(t, redriven, 1, "the letter is kept")
	require.NotZero(t, redriven[0].RedrivenAt)
	require.Equal(t, 1, redriven[0].Redrives)
	require.ErrorIs(t, letters.Redrive(t.Context(), "dl_unknown"), errs.ErrNotFound)
}

func redrivesAgain(t *testing.T, d Deployment) {
	lab := NewLab(t)
	b := d.Broker(t, lab.Config(t))
	require.NoError(t, b.Subscribe(lab.Effect("inventory.orders", func(events.Envelope) error { return errors.New("broken") })))
	Start(t, b)
	Publish(t, b, Events(1, placed)...)
	before := lab.Letters(t, "inventory.orders", 1)[0]
	letters := broker.NewDeadLetters(lab.Relay)
	require.NoError(t, letters.Redrive(t.Context(), before.ID))
	require.EventuallyWithT(t, func(c *assertions) {
		after, err := letters.Show(context.Background(), before.ID)
		require.NoError(c, err)
		require.Equal(c, 6, after.Attempts)
		require.Equal(c, 1, after.Redrives)
		require.Zero(c, after.RedrivenAt)
		require.Equal(c, before.FirstFailed, after.FirstFailed)
	}, Patience, 20*time.Millisecond)
}

func broadcasts(t *testing.T, d Deployment) {
	lab := NewLab(t)
	n := 1
	if d.Replicas {
		n = 2
	}
	counts, connected := make([]atomic.Int64, n), make([]atomic.Int64, n)
	brokers := make([]broker.Broker, n)
	for i := range brokers {
		c := lab.Config(t)
		c.Broadcasts = true // a replica without the worker role
		brokers[i] = d.Broker(t, c)
		require.NoError(t, brokers[i].Subscribe(broker.Subscription{
			Consumer: "pricing.cache", Types: []string{changed}, Broadcast: true,
			Connected: func() { connected[i].Add(1) },
			Project: func(_ context.Context, batch []events.Envelope) error {
				counts[i].Add(int64(len(batch)))
				return errors.New("a broadcast is not tried again")
			},
		}))
		Start(t, brokers[i])
	}
	require.Eventually(t, func() bool { return connected[0].Load() == 1 && connected[n-1].Load() == 1 }, Patience, 10*time.Millisecond)
	Publish(t, brokers[0], Events(3, changed)...)
	for i := range brokers {
		require.Eventually(t, func() bool { return counts[i].Load() == 3 }, Patience, 10*time.Millisecond)
	}
	lab.Letters(t, "pricing.cache", 0)
}

func measures(t *testing.T, d Deployment) {
	lab := NewLab(t)
	c := lab.Config(t)
	c.Registerer, c.RetryDelays = lab.Registry, []time.Duration{}
	b := d.Broker(t, c)
	batch := Events(3, placed)
	require.NoError(t, b.Subscribe(lab.Effect("inventory.orders", func(env events.Envelope) error {
		if env.ID == batch[0].ID {
			return errors.New("broken")
		}
		return nil
	})))
	stop := Start(t, b)
	Publish(t, b, batch...)
	lab.Letters(t, "inventory.orders", 1)
	lab.Eventually(t, "inventory.orders", batch[1:])
	stop()
	Start(t, b) // begins by counting the letters
	require.Eventually(t, func() bool {
		families, err := lab.Registry.Gather()
		require.NoError(t, err)
		for _, f := range families {
			if f.GetName() == "shopd_dead_letters" {
				return f.GetMetric()[0].GetGauge().GetValue() == 1
			}
		}
		return false
	}, Patience, 20*time.Millisecond)
	require.Equal(t, 1, testutil.CollectAndCount(lab.Registry, "shopd_event_lag_seconds"))
}

func traces(t *testing.T, d Deployment) {
	lab := NewLab(t)
	recorder := tracetest.NewSpanRecorder()
	c := lab.Config(t)
	c.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	b := d.Broker(t, c)
	require.NoError(t, b.Subscribe(lab.Effect("inventory.orders", nil)))
	Start(t, b)
	batch := Events(1, placed)
	batch[0].Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	Publish(t, b, batch...)
	require.EventuallyWithT(t, func(c *assertions) {
		spans := recorder.Ended()
		require.Len(c, spans, 1)
		require.Equal(c, "4bf92f3577b34da6a3ce929d0e0e4736", spans[0].SpanContext().TraceID().String())
		require.Equal(c, "00f067aa0ba902b7", spans[0].Parent().SpanID().String())
	}, Patience, 20*time.Millisecond)
}

func refusesNonsense(t *testing.T, d Deployment) {
	lab := NewLab(t)
	b := d.Broker(t, lab.Config(t))
	project := func(context.Context, []events.Envelope) error { return nil }
	good := broker.Subscription{Consumer: "recs.orders", Types: []string{placed}, Project: project}
	require.NoError(t, b.Subscribe(good))
	require.ErrorContains(t, b.Subscribe(good), "twice")
	for _, s := range []broker.Subscription{
		{Consumer: "Not A Name", Types: []string{placed}, Project: project},
		{Consumer: "recs.none", Project: project},
		{Consumer: "recs.nothing", Types: []string{placed}},
		{Consumer: "recs.handle", Types: []string{placed}, Handle: lab.Effect("x", nil).Handle},
		{Consumer: "recs.broadcast", Types: []string{placed}, Handle: lab.Effect("x", nil).Handle, Pool: lab.Inventory, Broadcast: true},
		{Consumer: "recs.connected", Types: []string{placed}, Project: project, Connected: func() {}},
	} {
		require.Error(t, b.Subscribe(s), s.Consumer)
	}
}
