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
)

// The operations of a gateway, as the bulkheads, spans and metrics know them.
const (
	opCharge  = "charge"
	opLookup  = "lookup"
	opConfirm = "confirm"
	opCapture = "capture"
	opVoid    = "void"
	opRefund  = "refund"
	opPing    = "ping"
	opVerify  = "verify"
	opList    = "list"
	opKeep    = "customer"
)

// callsAtOnce are the bulkheads: how many calls of each kind may be under way in one process, so that a gateway that is
// slow at one thing leaves room for the others.
var callsAtOnce = map[string]int64{
	opCharge: 64, opLookup: 32, opConfirm: 32, opCapture: 16, opVoid: 16, opRefund: 16, opPing: 2, opVerify: 32, opList: 2, opKeep: 16,
}

const (
	breakerTrips   = 5
	breakerRest    = 10 * time.Second
	breakerWindow  = 30 * time.Second
	breakerProbes  = 1
	bulkheadWait   = 500 * time.Millisecond
	listTimeout    = 5 * time.Minute
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

// Guarded puts a deadline, a bulkhead for each operation, a circuit breaker, a span and a metric around every call of a
// gateway.
type Guarded struct {
	provider string
	inner    Gateway
	timeout  time.Duration
	breaker  *gobreaker.CircuitBreaker[struct{}]
	slots    map[string]*semaphore.Weighted
	in       *Instruments
}

// Guard returns inner with deadline, bulkheads, breaker, span and metric around every call. A decline or a refusal is an
// answer, not a failure. An open breaker is tried with a Ping before it lets anything else through.
func Guard(provider string, inner Gateway, timeout time.Duration, in *Instruments) *Guarded {
	in.state.WithLabelValues(provider).Set(0)
	g := &Guarded{
		provider: provider, inner: inner, timeout: timeout, in: in, slots: map[string]*semaphore.Weighted{},
		breaker: gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
			Name: provider, MaxRequests: breakerProbes, Interval: breakerWindow, Timeout: breakerRest,
			ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerTrips },
			IsExcluded:   func(err error) bool { return errors.Is(err, context.Canceled) || errors.Is(err, ErrNotSent) },
			IsSuccessful: func(err error) bool { return err == nil || errors.Is(err, ErrNotSure) || refusal(err) != nil },
			OnStateChange: func(_ string, _, to gobreaker.State) {
				in.state.WithLabelValues(provider).Set(float64(to))
			},
		}),
	}
	for operation, n := range callsAtOnce {
		g.slots[operation] = semaphore.NewWeighted(n)
	}
	return g
}

// refusal is the gateway's no in err, nil when it is something else.
func refusal(err error) *Refused {
	var r *Refused
	if errors.As(err, &r) {
		return r
	}
	return nil
}

// do makes one call. fn returns the outcome's name for the metric; empty is "ok".
func (g *Guarded) do(ctx context.Context, operation, paymentID string, timeout time.Duration, fn func(context.Context) (string, error)) error {
	ctx, span := g.in.tracer.Start(ctx, "gateway "+g.provider+" "+operation, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("peer.service", g.provider), attribute.String("rpc.service", g.provider), attribute.String("rpc.method", operation),
		attribute.String("shopd.payment_id", paymentID),
	))
	defer span.End()
	start := time.Now()
	label := ""
	call := func() (struct{}, error) {
		wait, cancel := context.WithTimeout(ctx, bulkheadWait)
		defer cancel()
		if err := g.slots[operation].Acquire(wait, 1); err != nil {
			return struct{}{}, fmt.Errorf("%w: too many calls to %s under way", ErrNotSent, g.provider)
		}
		defer g.slots[operation].Release(1)
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		name, err := fn(ctx)
		label = name
		return struct{}{}, err
	}
	err := g.probe(ctx, operation)
	if err == nil {
		_, err = g.breaker.Execute(call)
	}
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		err = fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	took := time.Since(start)
	label = outcomeOf(label, err)
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	// The exporter to X-Ray makes annotations, by which traces are found, of the attributes named here.
	span.SetAttributes(attribute.String("shopd.outcome", label), attribute.Float64("shopd.latency_ms", float64(took.Microseconds())/1000),
		attribute.StringSlice("aws.xray.annotations", []string{"shopd.outcome", "shopd.latency_ms", "shopd.payment_id"}))
	g.in.seconds.WithLabelValues(g.provider, operation, label).Observe(took.Seconds())
	return err
}

func outcomeOf(label string, err error) string {
	switch {
	case errors.Is(err, ErrNotSent):
		return "not_sent"
	case refusal(err) != nil:
		return "refused"
	case err != nil:
		return outcomeUnknown
	case label == "":
		return "ok"
	}
	return label
}

// probe finds out with a ping whether a gateway that was given up is back: money is no way to try it.
func (g *Guarded) probe(ctx context.Context, operation string) error {
	if operation == opPing || operation == opLookup || g.breaker.State() != gobreaker.StateHalfOpen {
		return nil
	}
	return g.Ping(ctx)
}

func (g *Guarded) call(ctx context.Context, operation string, p Payment, fn func(context.Context) (Outcome, error)) (outcome Outcome, err error) {
	err = g.do(ctx, operation, p.ID, g.timeout, func(ctx context.Context) (string, error) {
		outcome, err = fn(ctx)
		return string(outcome.Status), err
	})
	return outcome, err
}

// Charge implements Gateway.
func (g *Guarded) Charge(ctx context.Context, c Charge) (Outcome, error) {
	return g.call(ctx, opCharge, c.Payment, func(ctx context.Context) (Outcome, error) { return g.inner.Charge(ctx, c) })
}

// Lookup implements Gateway.
func (g *Guarded) Lookup(ctx context.Context, p Payment) (Outcome, error) {
	return g.call(ctx, opLookup, p, func(ctx context.Context) (Outcome, error) { return g.inner.Lookup(ctx, p) })
}

// Confirm implements Gateway.
func (g *Guarded) Confirm(ctx context.Context, p Payment) (Outcome, error) {
	return g.call(ctx, opConfirm, p, func(ctx context.Context) (Outcome, error) { return g.inner.Confirm(ctx, p) })
}

// Capture implements Gateway.
func (g *Guarded) Capture(ctx context.Context, p Payment) (Outcome, error) {
	return g.call(ctx, opCapture, p, func(ctx context.Context) (Outcome, error) { return g.inner.Capture(ctx, p) })
}

// Void implements Gateway.
func (g *Guarded) Void(ctx context.Context, p Payment) (Outcome, error) {
	return g.call(ctx, opVoid, p, func(ctx context.Context) (Outcome, error) { return g.inner.Void(ctx, p) })
}

// Refund implements Gateway.
func (g *Guarded) Refund(ctx context.Context, p Payment, r RefundCall) (given GivenBack, err error) {
	err = g.do(ctx, opRefund, p.ID, g.timeout, func(ctx context.Context) (string, error) {
		given, err = g.inner.Refund(ctx, p, r)
		if given.Pending {
			return "pending", err
		}
		return "", err
	})
	return given, err
}

// Ping implements Gateway.
func (g *Guarded) Ping(ctx context.Context) error {
	return g.do(ctx, opPing, "", g.timeout, func(ctx context.Context) (string, error) { return "", g.inner.Ping(ctx) })
}
