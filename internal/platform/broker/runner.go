package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"shopd/internal/events"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// Action is what a broker does with a delivery after it was processed.
type Action int

const (
	// Done settles it: the effect is there, or the event lies in the table of dead letters.
	Done Action = iota
	// Later brings it again after Verdict.Delay, as the next attempt.
	Later
	// Wait brings it again soon, as the same attempt: something that everybody needs is away.
	Wait
)

// Verdict is the outcome of one delivery; Err is nil when it is Done.
type Verdict struct {
	Action Action
	Delay  time.Duration
	Err    error
}

// Runner processes the deliveries of one subscription, the same way for every broker.
type Runner struct {
	Subscription
	config  Config
	letters *DeadLetters
	metrics *metrics
	tracer  trace.Tracer
}

// Process lets the subscription handle batch and returns a verdict for each delivery. It is not cut short by the
// end of ctx: what began is committed, within HandleTimeout. A batch that fails is tried event by event, so that
// a poisonous one does not hold up its neighbours.
//
// A failure counts as an attempt, unless the database is away or the error is of kind errs.Unavailable.
func (r *Runner) Process(ctx context.Context, batch []Delivery) []Verdict {
	ctx = context.WithoutCancel(ctx)
	verdicts := make([]Verdict, len(batch))
	var wanted []int
	for i, d := range batch {
		if r.Hears(d.Type) { // a queue may still be bound to types that were given up
			wanted = append(wanted, i)
		}
	}
	r.process(ctx, batch, wanted, verdicts)
	return verdicts
}

func (r *Runner) process(ctx context.Context, batch []Delivery, wanted []int, verdicts []Verdict) {
	if len(wanted) == 0 {
		return
	}
	err := r.apply(ctx, batch, wanted)
	switch {
	case err == nil:
	case r.Broadcast:
		r.metrics.outcome(r.Consumer, "failed", len(wanted))
		r.config.Log.ErrorContext(ctx, "broadcast event not handled", "consumer", r.Consumer, "error", err)
	case r.waits(err):
		r.config.Log.WarnContext(ctx, "consumer waits", "consumer", r.Consumer, "error", err)
		for _, i := range wanted {
			verdicts[i] = Verdict{Action: Wait, Err: err}
		}
	case len(wanted) == 1:
		verdicts[wanted[0]] = r.failed(ctx, batch[wanted[0]], err)
	default:
		for n := range wanted {
			r.process(ctx, batch, wanted[n:n+1], verdicts)
		}
	}
}

// failed decides about one delivery whose handling has failed.
func (r *Runner) failed(ctx context.Context, d Delivery, err error) Verdict {
	now := r.config.Now().UTC()
	if d.FirstFailed.IsZero() {
		d.FirstFailed = now
	}
	log := r.config.Log.With("consumer", r.Consumer, "event_id", d.ID, "type", d.Type, "attempt", d.Attempt+1, "error", err)
	var hopeless unreadableError
	if d.Attempt < len(r.config.RetryDelays) && !errors.As(err, &hopeless) {
		r.metrics.outcome(r.Consumer, "retried", 1)
		log.WarnContext(ctx, "event not handled, it will be tried again")
		return Verdict{Action: Later, Delay: r.config.RetryDelays[d.Attempt], Err: err}
	}
	letter := DeadLetter{
		Consumer: r.Consumer, Event: &d.Envelope, Error: err.Error(), Attempts: d.Attempt + 1,
		FirstFailed: d.FirstFailed, LastFailed: now,
	}
	if putErr := r.bury(ctx, letter); putErr != nil {
		return Verdict{Action: Wait, Err: putErr}
	}
	log.ErrorContext(ctx, "event given up, it is a dead letter")
	return Verdict{Err: err}
}

// Bury keeps a message that is no event, so that it can be looked at.
func (r *Runner) Bury(ctx context.Context, raw []byte, err error) error {
	now := r.config.Now().UTC()
	r.config.Log.ErrorContext(ctx, "message is not an event, it is a dead letter", "consumer", r.Consumer, "error", err)
	return r.bury(context.WithoutCancel(ctx), DeadLetter{
		Consumer: r.Consumer, Raw: raw, Error: err.Error(), Attempts: 1, FirstFailed: now, LastFailed: now,
	})
}

func (r *Runner) bury(ctx context.Context, d DeadLetter) error {
	ctx, cancel := context.WithTimeout(ctx, r.config.HandleTimeout)
	defer cancel()
	if err := r.letters.Put(ctx, d); err != nil {
		return err
	}
	r.metrics.outcome(r.Consumer, "dead", 1)
	return nil
}

// apply has the effect of the wanted deliveries, all or none where there is a transaction.
func (r *Runner) apply(ctx context.Context, batch []Delivery, wanted []int) (err error) {
	ctx, cancel := context.WithTimeout(ctx, r.config.HandleTimeout)
	defer cancel()
	envelopes := make([]events.Envelope, len(wanted))
	for n, i := range wanted {
		envelopes[n] = batch[i].Envelope
	}
	ctx, end := r.spans(ctx, envelopes)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("consumer %s panicked: %v\n%s", r.Consumer, p, debug.Stack())
		}
		if err != nil && ctx.Err() != nil {
			err = slowError{err}
		}
		end(err)
	}()
	if r.Project != nil {
		if err := r.Project(ctx, envelopes); err != nil {
			return err
		}
		r.observe(envelopes)
		return nil
	}
	var fresh []events.Envelope
	err = postgres.InTx(ctx, r.Pool, func(tx pgx.Tx) error {
		fresh, err = markHandled(ctx, tx, r.Consumer, envelopes)
		if err != nil || len(fresh) == 0 {
			return err
		}
		return r.Handle(ctx, tx, fresh)
	})
	if err != nil {
		return err
	}
	outbox.Wake() // the handler may have published
	r.observe(fresh)
	r.metrics.outcome(r.Consumer, "duplicate", len(envelopes)-len(fresh))
	return nil
}

func (r *Runner) observe(effective []events.Envelope) {
	now := r.config.Now()
	for _, env := range effective {
		r.metrics.lag.WithLabelValues(r.Consumer).Observe(max(0, now.Sub(env.OccurredAt).Seconds()))
	}
	r.metrics.outcome(r.Consumer, "handled", len(effective))
}

// The ids are sorted so that two replicas that were given the same events cannot wait for each other in a circle.
const insertInbox = `
insert into platform.inbox (consumer, event_id)
select $1, e.event_id
from unnest($2::text[]) as e(event_id)
order by e.event_id
on conflict (consumer, event_id) do nothing
returning event_id`

// markHandled writes batch into the inbox and returns the events that were not there, each once, in their order.
func markHandled(ctx context.Context, tx pgx.Tx, consumer string, batch []events.Envelope) ([]events.Envelope, error) {
	ids := make([]string, len(batch))
	for i, env := range batch {
		ids[i] = env.ID
	}
	rows, err := tx.Query(ctx, insertInbox, consumer, ids)
	if err != nil {
		return nil, fmt.Errorf("mark events handled: %w", err)
	}
	inserted, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("mark events handled: %w", err)
	}
	isNew := make(map[string]bool, len(inserted))
	for _, id := range inserted {
		isNew[id] = true
	}
	return slices.DeleteFunc(slices.Clone(batch), func(env events.Envelope) bool {
		first := isNew[env.ID]
		delete(isNew, env.ID)
		return !first
	}), nil
}

// slowError says that a handler took longer than HandleTimeout. That counts as a failure, although it looks like
// a network that does not answer.
type slowError struct{ error }

func (s slowError) Unwrap() error { return s.error }

// waits reports whether err is no fault of the event: the same delivery will do when what is missing is back.
func (r *Runner) waits(err error) bool {
	var slow slowError
	var hopeless unreadableError
	if errors.As(err, &slow) || errors.As(err, &hopeless) {
		return false
	}
	// A projection reads the database too, whether or not it has a pool of its own.
	if errs.KindOf(err) == errs.Unavailable || postgres.Unavailable(err) {
		return true
	}
	// 08: connection; 53: resources; 57P: the server goes down or starts; 40, 55P03: in each other's way.
	code := postgres.Code(err)
	return slices.ContainsFunc([]string{"08", "53", "57P", "40", "55P03"}, func(class string) bool {
		return strings.HasPrefix(code, class)
	})
}

// spans begins a span for each event, a child of the trace that published it; the context carries the first one.
func (r *Runner) spans(ctx context.Context, batch []events.Envelope) (context.Context, func(error)) {
	spans := make([]trace.Span, len(batch))
	first := ctx
	for i, env := range batch {
		parent := propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": env.Trace})
		c, span := r.tracer.Start(parent, "handle "+env.Type,
			trace.WithSpanKind(trace.SpanKindConsumer),
			trace.WithAttributes(
				attribute.String("messaging.consumer.group.name", r.Consumer),
				attribute.String("messaging.message.id", env.ID),
				attribute.Int("messaging.batch.message_count", len(batch)),
			))
		if i == 0 {
			first = c
		}
		spans[i] = span
	}
	return first, func(err error) {
		for _, s := range spans {
			if err != nil {
				s.SetStatus(codes.Error, "not handled")
				s.RecordError(err)
			}
			s.End()
		}
	}
}

// Decode reads a message body as an event.
func Decode(body []byte) (events.Envelope, error) {
	var env events.Envelope
	if err := json.Unmarshal(body, &env); err != nil {
		return env, Unreadable(err)
	}
	if env.ID == "" || env.Type == "" {
		return env, Unreadable(errors.New("the event has no id or no type"))
	}
	return env, nil
}
