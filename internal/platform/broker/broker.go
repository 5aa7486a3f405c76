// Package broker brings published events to their consumers at least once, and lets each effect happen once: what
// has been handled is written in the transaction of the effect. Failures are tried again after growing delays and
// end in a table of dead letters, from where they can be sent again.
//
// Two brokers share everything that matters (see Runner): rabbitmq for production, inprocess for one process
// without any server. Package brokertest holds the suite both pass.
package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"shopd/internal/events"
	"shopd/internal/platform/errs"
)

// Broker carries events from the outbox relay to the subscriptions.
type Broker interface {
	// Publish is outbox.Publisher: it hands a batch over and answers for each event.
	Publish(ctx context.Context, batch []events.Envelope) ([]error, error)
	// Subscribe registers consumers. All processes of a deployment register the same ones, also those that only
	// publish: an event that somebody waits for must not be published into nothing. It comes before Run.
	Subscribe(subs ...Subscription) error
	// Run consumes until ctx ends, reconnecting for ever, and returns when the last handler has.
	Run(ctx context.Context) error
	// Ping says whether events can be published now.
	Ping(ctx context.Context) error
	// Close ends the connections that publishing opened.
	Close() error
}

// Subscription is one consumer: what it hears of and what it does then. Exactly one of Handle and Project is set.
type Subscription struct {
	// Consumer names it for ever, such as "inventory.orders": the queue and the inbox go by that name.
	Consumer string
	// Types are routing keys; the word "*" stands for one word and a last "#" for any number of them.
	Types []string

	// Handle does the effect inside tx, which also marks the batch as handled: it sees each event once, except
	// for what it does outside of tx. It needs Pool. The order is that of publishing, as far as nothing failed.
	Handle func(ctx context.Context, tx pgx.Tx, batch []events.Envelope) error
	// Pool acts as the domain's role.
	Pool *pgxpool.Pool

	// Project does an effect outside PostgreSQL that may happen twice without harm: a cache, a search index.
	Project func(ctx context.Context, batch []events.Envelope) error

	// MaxBatch bounds a batch. Default 200.
	MaxBatch int
	// Workers is how many batches one replica handles at once. Default 1, which keeps the order.
	Workers int

	// Broadcast gives every replica its own copy, from now on and without retries: for what a process keeps in
	// its memory. It needs Project.
	Broadcast bool
	// Connected is called, when set, each time a Broadcast subscription begins anew: what was published before
	// may have been missed, so what is kept in memory is dropped.
	Connected func()
}

// Config is what both brokers need. Pool and Log are required.
type Config struct {
	// Pool acts as shopd_relay: it keeps retries and dead letters.
	Pool *pgxpool.Pool
	Log  *slog.Logger
	// Registerer takes the metrics; nil keeps them to the broker.
	Registerer prometheus.Registerer
	// Tracer makes the consumers' spans; nil takes the global one.
	Tracer trace.TracerProvider
	// RetryDelays are the pauses after the first, second, … failure of an event; after as many failures and one
	// more it becomes a dead letter. Default 5s, 30s, 2m, 10m, 1h.
	RetryDelays []time.Duration
	// HandleTimeout bounds one call of Handle or Project. Default 30 s.
	HandleTimeout time.Duration
	// Broadcasts, when set, consumes only the Broadcast subscriptions: for replicas without the worker role.
	Broadcasts bool
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// WithDefaults returns c with what was left out, or an error that names what must not be.
func (c Config) WithDefaults() (Config, error) {
	if c.Pool == nil || c.Log == nil {
		return c, errors.New("broker: Pool and Log are required")
	}
	if c.RetryDelays == nil {
		c.RetryDelays = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}
	}
	c.HandleTimeout = cmp.Or(c.HandleTimeout, 30*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Tracer == nil {
		c.Tracer = otel.GetTracerProvider()
	}
	return c, nil
}

// ErrUnavailable says that the broker does not take events now.
var ErrUnavailable = errs.New(errs.Unavailable, "broker_unavailable", "The message broker cannot be reached.")

// Unreadable marks an error that trying again cannot mend, such as a payload that does not decode: the event
// becomes a dead letter at once.
func Unreadable(err error) error { return unreadableError{err} }

type unreadableError struct{ error }

func (u unreadableError) Unwrap() error { return u.error }

var consumerName = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$`)

// check returns s with its defaults, or what is wrong with it.
func (s Subscription) check() (Subscription, error) {
	switch {
	case !consumerName.MatchString(s.Consumer):
		return s, fmt.Errorf("consumer %q is not a name like inventory.orders", s.Consumer)
	case len(s.Types) == 0:
		return s, fmt.Errorf("consumer %s names no event type", s.Consumer)
	case (s.Handle == nil) == (s.Project == nil):
		return s, fmt.Errorf("consumer %s needs either Handle or Project", s.Consumer)
	case (s.Handle == nil) != (s.Pool == nil):
		return s, fmt.Errorf("consumer %s: Handle and Pool go together", s.Consumer)
	case s.Broadcast && s.Project == nil:
		return s, fmt.Errorf("consumer %s: Broadcast needs Project", s.Consumer)
	case s.Connected != nil && !s.Broadcast:
		return s, fmt.Errorf("consumer %s: Connected is for Broadcast", s.Consumer)
	}
	s.MaxBatch = cmp.Or(s.MaxBatch, 200)
	s.Workers = cmp.Or(s.Workers, 1)
	return s, nil
}
