package app

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"shopd/internal/events"
	"shopd/internal/platform/outbox"
)

// tracedPublisher gives each event of a trace a span for its publishing, which the consumers' spans follow. Events
// leave long after the request that made them, and from another process: the span tells how long they waited.
type tracedPublisher struct {
	outbox.Publisher
	tracer trace.Tracer
}

// Publish implements outbox.Publisher.
func (p tracedPublisher) Publish(ctx context.Context, batch []events.Envelope) ([]error, error) {
	spans := make([]trace.Span, len(batch))
	traced := make([]events.Envelope, len(batch))
	for i, env := range batch {
		traced[i] = env
		if env.Trace == "" {
			continue
		}
		parent := propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": env.Trace})
		inSpan, span := p.tracer.Start(parent, "publish "+env.Type, trace.WithSpanKind(trace.SpanKindProducer),
			trace.WithAttributes(attribute.String("messaging.message.id", env.ID), attribute.Int("messaging.batch.message_count", len(batch))))
		spans[i] = span
		if follow := outbox.Trace(inSpan); follow != "" {
			traced[i].Trace = follow
		}
	}
	refused, err := p.Publisher.Publish(ctx, traced)
	for i, span := range spans {
		if span == nil {
			continue
		}
		if err != nil || i < len(refused) && refused[i] != nil {
			span.SetStatus(codes.Error, "not published")
		}
		span.End()
	}
	return refused, err
}
