// Package telemetry lets a process be seen: its log, its metrics and its traces.
package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strings"

	"github.com/lmittmann/tint"
	"go.opentelemetry.io/otel/trace"
)

// NewLog returns a logger that writes to w: as JSON for machines, or as text for people (in colour on a terminal).
// Records carry the trace of their context, and secrets in them are replaced. The level is debug, info, warn or error;
// the format json or text.
func NewLog(w io.Writer, level, format string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level %q: %w", level, err)
	}
	var handler slog.Handler
	switch format {
	case "json":
		handler = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: least, ReplaceAttr: redact})
	case "text":
		handler = tint.NewTextHandler(w, &tint.Options{Level: least, ReplaceAttr: redact, TimeFormat: "15:04:05.000", NoColor: !isTerminal(w)})
	default:
		return nil, fmt.Errorf("log format %q is neither json nor text", format)
	}
	return slog.New(traced{handler}), nil
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// traced adds the ids of the span in a record's context.
type traced struct{ slog.Handler }

// Handle adds the ids.
func (h traced) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps adding the ids.
func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{h.Handler.WithAttrs(attrs)} }

// WithGroup keeps adding the ids.
func (h traced) WithGroup(name string) slog.Handler { return traced{h.Handler.WithGroup(name)} }

var (
	// secretKey are names of attributes whose value nobody may read.
	secretKey = regexp.MustCompile(`(?i)(password|passwd|secret|token|authorization|cookie|api_?key|master_?key|private_?key|card_?number|^pan$|cvc|cvv)`)
	// credentials are the user and password of a URL.
	credentials = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s@]*@`)
	// bearer is a token as it stands in a header.
	bearer = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}|\bsk_[a-z0-9_]{8,}`)
)

// redact replaces secrets by ***: whole values under telling names, and passwords and tokens within texts.
func redact(_ []string, a slog.Attr) slog.Attr {
	if secretKey.MatchString(a.Key) {
		return slog.String(a.Key, "***")
	}
	switch a.Value.Kind() {
	case slog.KindString:
		if text := a.Value.String(); suspicious(text) {
			return slog.String(a.Key, clean(text))
		}
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok && suspicious(err.Error()) {
			return slog.String(a.Key, clean(err.Error()))
		}
	default: // numbers, times and durations hide nothing
	}
	return a
}

// suspicious spares most texts the regular expressions.
func suspicious(text string) bool {
	if strings.Contains(text, "://") || strings.Contains(text, "sk_") {
		return true
	}
	lower := strings.ToLower(text)
	return strings.Contains(lower, "bearer ") || strings.Contains(lower, "basic ")
}

func clean(text string) string {
	return bearer.ReplaceAllString(credentials.ReplaceAllString(text, "${1}***@"), "***")
}
