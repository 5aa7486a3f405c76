package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"shopd/internal/platform/config"
	"shopd/internal/platform/telemetry"
)

// Instruments are what all parts of a process report to.
type Instruments struct {
	Log            *slog.Logger
	Registry       *prometheus.Registry
	TracerProvider trace.TracerProvider
	Propagator     propagation.TextMapPropagator
	// QueryTracer sees every SQL statement; nil for none.
	QueryTracer pgx.QueryTracer

	stop func(context.Context) error
}

// NewInstruments makes what the settings say; the log goes to w.
func NewInstruments(ctx context.Context, cfg config.Config, version string, w io.Writer) (*Instruments, error) {
	format := cfg.Log.Format
	if format == "" {
		format = "text"
		if cfg.Profile.Strict() {
			format = "json"
		}
	}
	log, err := telemetry.NewLog(w, cfg.Log.Level, format)
	if err != nil {
		return nil, err
	}
	registry, err := telemetry.NewMetrics(version)
	if err != nil {
		return nil, err
	}
	tracing, err := telemetry.NewTracing(ctx, telemetry.TracingConfig{
		Endpoint: cfg.Tracing.Endpoint, Propagators: cfg.Tracing.Propagators, Ratio: cfg.Tracing.Ratio, Version: version, Log: log,
	})
	if err != nil {
		return nil, err
	}
	return &Instruments{
		Log: log, Registry: registry, TracerProvider: tracing.Provider, Propagator: tracing.Propagator, QueryTracer: tracing.PgxTracer(), stop: tracing.Stop,
	}, nil
}

// Tracer makes the spans of a part.
func (i *Instruments) Tracer(part string) trace.Tracer {
	return i.TracerProvider.Tracer("shopd/" + part)
}

const traceFlush = 3 * time.Second

// Close sends what is left to be sent.
func (i *Instruments) Close() error {
	if i.stop == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), traceFlush)
	defer cancel()
	if err := i.stop(ctx); err != nil {
		return fmt.Errorf("close instruments: %w", err)
	}
	return nil
}
