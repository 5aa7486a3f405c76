package httpx

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
)

type requestState struct {
	id  string
	log *slog.Logger // without the id: few requests log anything, and a logger with an attribute is dear
}

func (s *requestState) logger() *slog.Logger { return s.log.With("request_id", s.id) }

type stateKey struct{}

// RequestID names the request in logs and problem bodies; empty outside a request.
func RequestID(ctx context.Context) string {
	if s, ok := ctx.Value(stateKey{}).(*requestState); ok {
		return s.id
	}
	return ""
}

// LoggerFrom returns the request's logger, slog's default outside a request.
func LoggerFrom(ctx context.Context) *slog.Logger {
	if s, ok := ctx.Value(stateKey{}).(*requestState); ok {
		return s.logger()
	}
	return slog.Default()
}

// ErrorWriter answers a request with an error. WriteError is one; pages have theirs, which people can read.
type ErrorWriter func(w http.ResponseWriter, r *http.Request, err error)

// Observer is what Observe reports to. All fields are required.
type Observer struct {
	Log        *slog.Logger
	Registerer prometheus.Registerer
	Tracer     trace.Tracer
	Propagator propagation.TextMapPropagator
	Fail       ErrorWriter // answers for a handler that panicked
}

// Observe names every request, logs it, counts it in shopd_http_request_duration_seconds, traces it, and turns a
// panic into a 500.
func Observe(o Observer) func(http.Handler) http.Handler {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "shopd_http_request_duration_seconds",
		Help:    "Time from the first byte of a request to the last of its answer.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"route", "method", "status"})
	o.Registerer.MustRegister(seconds)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			state := &requestState{id: id.New("req"), log: o.Log}
			ctx := context.WithValue(r.Context(), stateKey{}, state)
			ctx = o.Propagator.Extract(ctx, propagation.HeaderCarrier(r.Header))
			ctx, span := o.Tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
			defer span.End()
			r = r.WithContext(ctx)
			rec := &recorder{ResponseWriter: w, status: http.StatusOK}
			rec.Header().Set("X-Request-Id", state.id)
			defer func() {
				if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
					state.logger().ErrorContext(ctx, "panic", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
					if !rec.wrote {
						o.Fail(rec, r, errInternal)
					}
				}
				route := routeOf(r)
				seconds.WithLabelValues(route, method(r.Method), strconv.Itoa(rec.status)).Observe(time.Since(start).Seconds())
				if span.IsRecording() {
					span.SetName(r.Method + " " + route)
					span.SetAttributes(attribute.String("http.route", route), attribute.Int("http.response.status_code", rec.status),
						attribute.String("http.request.method", r.Method), attribute.String("shopd.request_id", state.id))
					if rec.status >= http.StatusInternalServerError {
						span.SetStatus(codes.Error, http.StatusText(rec.status))
					}
				}
				if o.Log.Enabled(ctx, slog.LevelDebug) {
					state.logger().DebugContext(ctx, "request", "method", r.Method, "route", route, "status", rec.status, "took", time.Since(start))
				}
			}()
			next.ServeHTTP(rec, r)
		})
	}
}

// method keeps the label's values from a closed list.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

func routeOf(r *http.Request) string {
	if rc := chi.RouteContext(r.Context()); rc != nil {
		if p := rc.RoutePattern(); p != "" && p != "/*" {
			return p
		}
	}
	return "unmatched"
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (r *recorder) WriteHeader(status int) {
	if !r.wrote {
		r.status, r.wrote = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.wrote = true
	return r.ResponseWriter.Write(b)
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(r.ResponseWriter).Hijack()
}

var (
	errMediaType = errs.New(errs.Unsupported, "unsupported_media_type", "Send the body as application/json.")
	errEncoding  = errs.New(errs.Unsupported, "unsupported_media_type", "Send the body without a Content-Encoding.")
)

// RequireJSON refuses a body that does not say it is JSON, that is compressed, or that is larger than any call takes.
func RequireJSON(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 0 || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		if r.Header.Get("Content-Encoding") != "" {
			WriteError(w, r, errEncoding)
			return
		}
		media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
			WriteError(w, r, errMediaType)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// NotFound answers what no route matches.
func NotFound(w http.ResponseWriter, r *http.Request) { WriteError(w, r, errs.ErrNotFound) }

// MethodNotAllowed answers a known path under a method it does not have, naming those it has.
func MethodNotAllowed(routes chi.Routes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, m := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
			if routes.Match(chi.NewRouteContext(), m, r.URL.Path) {
				allowed = append(allowed, m)
			}
		}
		p := newProblem(http.StatusMethodNotAllowed, "method_not_allowed", "This address does not know the method "+method(r.Method)+".")
		p.RequestID, p.allow = RequestID(r.Context()), strings.Join(allowed, ", ")
		p.write(w)
	}
}

// SecurityHeaders sets what every answer carries. Pages set their own Content-Security-Policy.
func SecurityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
		h.Set("X-Frame-Options", "DENY")
		next.ServeHTTP(w, r)
	})
}
