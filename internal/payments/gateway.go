package payments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"

	"shopd/internal/money"
)

// Gateway is a company that moves money. Every call carries an id of ours, under which a repeated call does
// nothing new.
type Gateway interface {
	// Charge asks for the payment's amount. An error means that the outcome is not known, except for
	// ErrNotSent, which says that nothing reached the gateway.
	Charge(ctx context.Context, p Payment, returnURL string) (Outcome, error)
	// Lookup says where the payment stands. Outcome.Status is Voided when the gateway never heard of it.
	Lookup(ctx context.Context, p Payment) (Outcome, error)
	// Capture takes the money of an authorised payment.
	Capture(ctx context.Context, p Payment) (Outcome, error)
	// Void ends a payment that was not captured.
	Void(ctx context.Context, p Payment) (Outcome, error)
	// Refund gives amount of a captured payment back, once for each refund id.
	Refund(ctx context.Context, p Payment, refundID string, amount money.Amount) error
}

// Outcome is what a gateway says of a payment.
type Outcome struct {
	Status     Status
	Ref        string // the gateway's own name of the payment
	NextAction *NextAction
	Reason     string
}

// ErrNotSent says that a call never left: the breaker is open or too many calls are under way.
var ErrNotSent = errors.New("payments: the gateway was not asked")

const (
	callTimeout    = 10 * time.Second
	callsAtOnce    = 64
	breakerTrips   = 5
	breakerRest    = 10 * time.Second
	breakerWindow  = 30 * time.Second
	breakerProbes  = 1
	bulkheadWait   = 500 * time.Millisecond
	outcomeUnknown = "unknown"
)

// Instruments is what calls to gateways report to. All fields are required.
type Instruments struct {
	seconds *prometheus.HistogramVec
	state   *prometheus.GaugeVec
	tracer  trace.Tracer
}

// NewInstruments registers the metrics of gateway calls.
func NewInstruments(reg prometheus.Registerer, tracer trace.Tracer) *Instruments {
	in := &Instruments{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "shopd_payment_gateway_seconds", Help: "Time a payment gateway took to answer.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2, 5, 10},
		}, []string{"provider", "operation", "outcome"}),
		state: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "shopd_breaker_state", Help: "Circuit breaker of a gateway: 0 closed, 1 half open, 2 open.",
		}, []string{"provider"}),
		tracer: tracer,
	}
	reg.MustRegister(in.seconds, in.state)
	return in
}

// guarded puts a deadline, a bulkhead, a circuit breaker, a span and a metric around every call of a gateway.
type guarded struct {
	provider string
	inner    Gateway
	breaker  *gobreaker.CircuitBreaker[Outcome]
	slots    *semaphore.Weighted
	in       *Instruments
}

// Guard returns inner with deadline, bulkhead, breaker, span and metric around every call. A decline is an answer,
// not a failure.
func Guard(provider string, inner Gateway, in *Instruments) Gateway {
	in.state.WithLabelValues(provider).Set(0)
	return &guarded{
		provider: provider, inner: inner, in: in, slots: semaphore.NewWeighted(callsAtOnce),
		breaker: gobreaker.NewCircuitBreaker[Outcome](gobreaker.Settings{
			Name: provider, MaxRequests: breakerProbes, Interval: breakerWindow, Timeout: breakerRest,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerTrips },
			IsExcluded:  func(err error) bool { return errors.Is(err, context.Canceled) || errors.Is(err, ErrNotSent) },
			OnStateChange: func(_ string, _, to gobreaker.State) {
				in.state.WithLabelValues(provider).Set(float64(to))
			},
		}),
	}
}

func (g *guarded) call(ctx context.Context, operation string, p Payment, fn func(context.Context) (Outcome, error)) (Outcome, error) {
	ctx, span := g.in.tracer.Start(ctx, "gateway "+g.provider+" "+operation, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("peer.service", g.provider), attribute.String("shopd.payment_id", p.ID)))
	defer span.End()
	start := time.Now()
	outcome, err := g.breaker.Execute(func() (Outcome, error) {
		wait, cancel := context.WithTimeout(ctx, bulkheadWait)
		defer cancel()
		if err := g.slots.Acquire(wait, 1); err != nil {
			return Outcome{}, fmt.Errorf("%w: too many calls to %s under way", ErrNotSent, g.provider)
		}
		defer g.slots.Release(1)
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		return fn(ctx)
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		err = fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	label := string(outcome.Status)
	switch {
	case errors.Is(err, ErrNotSent):
		label = "not_sent"
	case err != nil:
		label = outcomeUnknown
	case label == "":
		label = "ok"
	}
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.SetAttributes(attribute.String("shopd.outcome", label))
	g.in.seconds.WithLabelValues(g.provider, operation, label).Observe(time.Since(start).Seconds())
	return outcome, err
}

func (g *guarded) Charge(ctx context.Context, p Payment, returnURL string) (Outcome, error) {
	return g.call(ctx, "charge", p, func(ctx context.Context) (Outcome, error) { return g.inner.Charge(ctx, p, returnURL) })
}

func (g *guarded) Lookup(ctx context.Context, p Payment) (Outcome, error) {
	return g.call(ctx, "lookup", p, func(ctx context.Context) (Outcome, error) { return g.inner.Lookup(ctx, p) })
}

func (g *guarded) Capture(ctx context.Context, p Payment) (Outcome, error) {
	return g.call(ctx, "capture", p, func(ctx context.Context) (Outcome, error) { return g.inner.Capture(ctx, p) })
}

func (g *guarded) Void(ctx context.Context, p Payment) (Outcome, error) {
	return g.call(ctx, "void", p, func(ctx context.Context) (Outcome, error) { return g.inner.Void(ctx, p) })
}

func (g *guarded) Refund(ctx context.Context, p Payment, refundID string, amount money.Amount) error {
	_, err := g.call(ctx, "refund", p, func(ctx context.Context) (Outcome, error) {
		return Outcome{}, g.inner.Refund(ctx, p, refundID, amount)
	})
	return err
}
