package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/contrib/propagators/aws/xray"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// TracingConfig says where spans go.
type TracingConfig struct {
	Endpoint    string   // OTLP over HTTP, "http://collector:4318"; empty switches tracing off
	Propagators []string // tracecontext, xray
	Ratio       float64  // share of the traces begun here that are recorded
	Version     string   // of the program
	Log         *slog.Logger
}

// Tracing is the tracing of a process.
type Tracing struct {
	Provider   trace.TracerProvider
	Propagator propagation.TextMapPropagator

	sdk *sdktrace.TracerProvider // nil when tracing is off
}

// NewTracing returns the tracing of a process. When it is off, spans cost nothing, and the trace of an incoming request
// still travels on. Trace ids begin with the time, as AWS X-Ray wants them. A collector that is away costs spans, and
// nothing else.
func NewTracing(ctx context.Context, c TracingConfig) (*Tracing, error) {
	propagator, err := newPropagator(c.Propagators)
	if err != nil {
		return nil, err
	}
	if c.Endpoint == "" {
		return &Tracing{Provider: noop.NewTracerProvider(), Propagator: propagator}, nil
	}
	endpoint, err := url.Parse(c.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("read SHOPD_OTLP_ENDPOINT: %w", err)
	}
	if strings.Trim(endpoint.Path, "/") == "" {
		endpoint.Path = "/v1/traces"
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint.String()))
	if err != nil {
		return nil, fmt.Errorf("prepare the export of traces: %w", err)
	}
	otel.SetErrorHandler(quietly(c.Log))
	sdk := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithIDGenerator(xray.NewIDGenerator()),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(c.Ratio))),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "shopd"), attribute.String("service.version", c.Version))),
	)
	return &Tracing{Provider: sdk, Propagator: propagator, sdk: sdk}, nil
}

func newPropagator(names []string) (propagation.TextMapPropagator, error) {
	var all []propagation.TextMapPropagator
	for _, name := range names {
		switch name {
		case "tracecontext":
			all = append(all, propagation.TraceContext{})
		case "xray":
			all = append(all, xray.Propagator{})
		default:
			return nil, fmt.Errorf("read SHOPD_TRACE_PROPAGATORS: %q is neither tracecontext nor xray", name)
		}
	}
	return preferFirst(all), nil
}

// preferFirst is a composite in which an earlier propagator wins when a request carries the headers of several: behind
// an AWS load balancer every request has an X-Ray header, and only some have a traceparent.
type preferFirst []propagation.TextMapPropagator

// Inject writes the headers of all.
func (p preferFirst) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	for _, one := range p {
		one.Inject(ctx, carrier)
	}
}

// Extract reads the headers of the first that finds its own.
func (p preferFirst) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	for _, one := range p {
		if found := one.Extract(ctx, carrier); trace.SpanContextFromContext(found).IsValid() {
			return found
		}
	}
	return ctx
}

// Fields are the headers of all.
func (p preferFirst) Fields() []string {
	var all []string
	for _, one := range p {
		all = append(all, one.Fields()...)
	}
	return all
}

// quietly logs what goes wrong with tracing once a minute: a collector that is away would fill the log.
func quietly(log *slog.Logger) otel.ErrorHandler {
	var last atomic.Int64
	return otel.ErrorHandlerFunc(func(err error) {
		now := time.Now().Unix()
		if before := last.Load(); now-before >= 60 && last.CompareAndSwap(before, now) {
			log.Warn("traces cannot be exported", "error", err)
		}
	})
}

// On reports whether spans are recorded.
func (t *Tracing) On() bool { return t.sdk != nil }

// PgxTracer traces SQL; nil when tracing is off.
func (t *Tracing) PgxTracer() pgx.QueryTracer {
	if !t.On() {
		return nil
	}
	return otelpgx.NewTracer(otelpgx.WithTracerProvider(t.Provider), otelpgx.WithDisableConnectionDetailsInAttributes())
}

// Stop sends what is left.
func (t *Tracing) Stop(ctx context.Context) error {
	if !t.On() {
		return nil
	}
	if err := t.sdk.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last traces: %w", err)
	}
	return nil
}
