package broker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"shopd/internal/events"
	"shopd/internal/platform/broker"
	"shopd/internal/platform/broker/brokertest"
	"shopd/internal/platform/errs"
)

func TestSubscriptionHears(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, key string
		want         bool
	}{
		{"orders.order_placed.v1", "orders.order_placed.v1", true},
		{"orders.order_placed.v1", "orders.order_placed.v2", false},
		{"orders.order_placed.v1", "orders.order_placed", false},
		{"orders.order_placed", "orders.order_placed.v1", false},
		{"orders.*.v1", "orders.order_paid.v1", true},
		{"orders.*.v1", "orders.order_paid.v2", false},
		{"orders.*", "orders.order_paid.v1", false},
		{"*.*.v1", "orders.order_paid.v1", true},
		{"orders.#", "orders.order_paid.v1", true},
		{"orders.#", "orders", true},
		{"orders.#", "orders_archive.order_paid.v1", false},
		{"#", "orders.order_paid.v1", true},
	} {
		s := broker.Subscription{Types: []string{"payments.payment_captured.v1", c.pattern}}
		require.Equal(t, c.want, s.Hears(c.key), "%s hears %s", c.pattern, c.key)
	}
}

func TestWhatCountsAsAFailure(t *testing.T) {
	t.Parallel()
	lab := brokertest.NewLab(t)
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for name, c := range map[string]struct {
		err  error
		want broker.Action
	}{
		"a fault of the event":           {errors.New("no such order"), broker.Later},
		"a conflict":                     {errs.New(errs.Conflict, "out_of_stock", "Not enough stock."), broker.Later},
		"a breach of a constraint":       {&pgconn.PgError{Code: "23505"}, broker.Later},
		"a payload that cannot be read":  {broker.Unreadable(errors.New("no id")), broker.Done},
		"a dependency that is away":      {fmt.Errorf("index: %w", errs.New(errs.Unavailable, "search_unavailable", "Away.")), broker.Wait},
		"a network that refuses":         {fmt.Errorf("connect: %w", refused), broker.Wait},
		"a connection that broke":        {io.ErrUnexpectedEOF, broker.Wait},
		"a database that shuts down":     {&pgconn.PgError{Code: "57P01"}, broker.Wait},
		"a database without connections": {&pgconn.PgError{Code: "53300"}, broker.Wait},
		"a deadlock, again and again":    {&pgconn.PgError{Code: "40P01"}, broker.Wait},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			verdicts := process(t, lab, func(context.Context) error { return c.err }, brokertest.Events(2, "orders.order_placed.v1")...)
			for _, v := range append(verdicts, project(t, lab, c.err)...) {
				require.Equal(t, c.want, v.Action)
				require.ErrorIs(t, v.Err, c.err)
			}
		})
	}
}

func TestAHandlerThatTakesTooLongHasFailed(t *testing.T) {
	t.Parallel()
	verdicts := process(t, brokertest.NewLab(t), func(ctx context.Context) error {
		<-ctx.Done()
		return &net.OpError{Op: "read", Net: "tcp", Err: ctx.Err()}
	}, brokertest.Events(1, "orders.order_placed.v1")...)
	require.Equal(t, broker.Later, verdicts[0].Action)
	require.Equal(t, time.Minute, verdicts[0].Delay)
}

func TestTypesThatWereGivenUpArePassedOver(t *testing.T) {
	t.Parallel()
	verdicts := process(t, brokertest.NewLab(t), func(context.Context) error { return errors.New("called") },
		brokertest.Events(1, "orders.order_archived.v1")...)
	require.Equal(t, []broker.Verdict{{}}, verdicts)
}

// project lets a subscription that fails outside of a transaction process one event.
func project(t *testing.T, lab *brokertest.Lab, err error) []broker.Verdict {
	t.Helper()
	runtime, failure := broker.NewRuntime(lab.Config(t))
	require.NoError(t, failure)
	require.NoError(t, runtime.Subscribe(broker.Subscription{
		Consumer: "orders.payments", Types: []string{"orders.order_placed.v1"}, Project: func(context.Context, []events.Envelope) error { return err },
	}))
	return runtime.Runners()[0].Process(t.Context(), []broker.Delivery{{Envelope: brokertest.Events(1, "orders.order_placed.v1")[0]}})
}

// process lets a subscription whose handler is handle process batch once.
func process(t *testing.T, lab *brokertest.Lab, handle func(context.Context) error, batch ...events.Envelope) []broker.Verdict {
	t.Helper()
	c := lab.Config(t)
	c.HandleTimeout, c.RetryDelays = time.Second, []time.Duration{time.Minute}
	runtime, err := broker.NewRuntime(c)
	require.NoError(t, err)
	require.NoError(t, runtime.Subscribe(broker.Subscription{
		Consumer: "inventory.orders", Types: []string{"orders.order_placed.v1"}, Pool: lab.Inventory,
		Handle: func(ctx context.Context, _ pgx.Tx, _ []events.Envelope) error { return handle(ctx) },
	}))
	deliveries := make([]broker.Delivery, len(batch))
	for i, env := range batch {
		deliveries[i].Envelope = env
	}
	return runtime.Runners()[0].Process(t.Context(), deliveries)
}

func TestARedriveIsNotForgottenWithTheTryBeforeIt(t *testing.T) {
	t.Parallel()
	lab := brokertest.NewLab(t)
	retries, letters := broker.NewRetries(lab.Relay), broker.NewDeadLetters(lab.Relay)
	env := brokertest.Events(1, events.OrderPlaced{}.Type())[0]
	const consumer = "inventory.orders"
	require.NoError(t, retries.Put(t.Context(), consumer, []broker.Delivery{{Envelope: env}}, []time.Duration{0}))
	taken, err := retries.Take(t.Context(), []string{consumer}, 10)
	require.NoError(t, err)
	require.Len(t, taken[consumer], 1)

	now := time.Now()
	require.NoError(t, letters.Put(t.Context(), broker.DeadLetter{Consumer: consumer, Event: &env, Error: "broken", Attempts: 3, FirstFailed: now, LastFailed: now}))
	list, err := letters.List(t.Context(), broker.DeadLetterFilter{})
	require.NoError(t, err)
	require.NoError(t, letters.Redrive(t.Context(), list[0].ID))
	require.NoError(t, retries.Drop(t.Context(), consumer, taken[consumer]))

	again, err := retries.Take(t.Context(), []string{consumer}, 10)
	require.NoError(t, err)
	require.Len(t, again[consumer], 1, "somebody has asked for it")
	require.NoError(t, retries.Drop(t.Context(), consumer, again[consumer]))
	_, err = lab.Relay.Exec(t.Context(), "update platform.event_retries set due_at = now()")
	require.NoError(t, err)
	none, err := retries.Take(t.Context(), []string{consumer}, 10)
	require.NoError(t, err)
	require.Empty(t, none)
}
