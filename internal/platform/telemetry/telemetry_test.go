package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"shopd/internal/platform/postgres"
	"shopd/internal/platform/telemetry"
	"shopd/internal/platform/testenv"
)

func TestSecretsDoNotReachTheLog(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "text"} {
		var out bytes.Buffer
		log, err := telemetry.NewLog(&out, "info", format)
		require.NoError(t, err)
		log.With("refresh_token", "s3cret1").WithGroup("g").Info("connected",
			"password", "s3cret2", "authorization", "Bearer s3cret3s3cret3", "url", "postgres://shopd:s3cret4@db/x",
			"header", "bearer s3cret5.s3cret5", "key", "used sk_live_s3cret6s3cret6",
			"error", errors.New("dial amqp://u:s3cret7@rabbit: refused"), "api_key", []byte("s3cret8"), "order_id", "ord_1")
		require.NotContains(t, out.String(), "s3cret", format)
		require.Contains(t, out.String(), "ord_1")
		require.Contains(t, out.String(), "***@rabbit")
	}
}

func TestLogCarriesTheTrace(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := telemetry.NewLog(&out, "info", "json")
	require.NoError(t, err)
	id := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	log.With("request_id", "req_1").InfoContext(trace.ContextWithSpanContext(context.Background(), id), "order placed")
	log.DebugContext(context.Background(), "not shown")
	var record map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &record))
	require.Equal(t, id.TraceID().String(), record["trace_id"])
	require.Equal(t, id.SpanID().String(), record["span_id"])
	require.Equal(t, "req_1", record["request_id"])

	_, err = telemetry.NewLog(&out, "loud", "json")
	require.Error(t, err)
	_, err = telemetry.NewLog(&out, "info", "xml")
	require.Error(t, err)
}

func TestMetricsOfTheProcess(t *testing.T) {
	t.Parallel()
	registry, err := telemetry.NewMetrics("1.2.3")
	require.NoError(t, err)
	count, err := testutil.GatherAndCount(registry, "shopd_build_info", "go_goroutines")
	require.NoError(t, err)
	require.Equal(t, 2, count)
}

// collector is an OTLP collector that hands on the spans it gets.
func collector(t *testing.T) (endpoint string, spans <-chan string) {
	t.Helper()
	names := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request coltracepb.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					names <- span.GetName()
				}
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	return server.URL, names
}

func newTracing(t *testing.T, endpoint string, propagators ...string) *telemetry.Tracing {
	t.Helper()
	if len(propagators) == 0 {
		propagators = []string{"tracecontext", "xray"}
	}
	tracing, err := telemetry.NewTracing(context.Background(), telemetry.TracingConfig{
		Endpoint: endpoint, Propagators: propagators, Ratio: 1, Version: "test", Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return tracing
}

func TestSpansOfCodeAndSQLReachTheCollector(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	endpoint, spans := collector(t)
	tracing := newTracing(t, endpoint)
	require.True(t, tracing.On())
	pool, err := postgres.Open(ctx, postgres.Config{URL: testenv.Database(t), MaxConns: 1, Tracer: tracing.PgxTracer()})
	require.NoError(t, err)
	t.Cleanup(pool.Close)

	inSpan, span := tracing.Provider.Tracer("test").Start(ctx, "place order")
	var one int
	require.NoError(t, pool.QueryRow(inSpan, "select $1::int", 1).Scan(&one))
	span.End()
	require.NoError(t, tracing.Stop(ctx))

	got := map[string]bool{}
	for len(spans) > 0 {
		got[<-spans] = true
	}
	require.True(t, got["place order"], "%v", got)
	require.GreaterOrEqual(t, len(got), 2, "SQL has spans too: %v", got)
}

func TestTraceIDsBeginWithTheTime(t *testing.T) {
	t.Parallel()
	endpoint, _ := collector(t)
	tracing := newTracing(t, endpoint)
	_, span := tracing.Provider.Tracer("test").Start(context.Background(), "s")
	seconds, err := strconv.ParseInt(span.SpanContext().TraceID().String()[:8], 16, 64)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), time.Unix(seconds, 0), time.Minute)
	span.End()
	require.NoError(t, tracing.Stop(context.Background()))
}

func TestTracingThatIsOffPassesTracesOn(t *testing.T) {
	t.Parallel()
	tracing := newTracing(t, "")
	require.False(t, tracing.On())
	require.Nil(t, tracing.PgxTracer())
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ctx := tracing.Propagator.Extract(context.Background(), propagation.MapCarrier{"traceparent": parent})
	ctx, span := tracing.Provider.Tracer("test").Start(ctx, "s")
	span.End()
	out := propagation.MapCarrier{}
	tracing.Propagator.Inject(ctx, out)
	require.Equal(t, parent, out["traceparent"])
	require.NoError(t, tracing.Stop(context.Background()))
}

func TestHeadersOfBothKinds(t *testing.T) {
	t.Parallel()
	tracing := newTracing(t, "")
	xrayOnly := propagation.MapCarrier{"X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"}
	span := trace.SpanContextFromContext(tracing.Propagator.Extract(context.Background(), xrayOnly))
	require.Equal(t, "5759e988bd862e3fe1be46a994272793", span.TraceID().String())
	require.True(t, span.IsSampled())

	both := propagation.MapCarrier{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "X-Amzn-Trace-Id": xrayOnly["X-Amzn-Trace-Id"]}
	span = trace.SpanContextFromContext(tracing.Propagator.Extract(context.Background(), both))
	require.Equal(t, "0af7651916cd43dd8448eb211c80319c", span.TraceID().String(), "the first of SHOPD_TRACE_PROPAGATORS wins")

	out := propagation.MapCarrier{}
	tracing.Propagator.Inject(trace.ContextWithSpanContext(context.Background(), span), out)
	require.Contains(t, out, "traceparent")
	require.Contains(t, out, "X-Amzn-Trace-Id")
	require.ElementsMatch(t, []string{"traceparent", "tracestate", "X-Amzn-Trace-Id"}, tracing.Propagator.Fields())

	_, err := telemetry.NewTracing(context.Background(), telemetry.TracingConfig{Propagators: []string{"b3"}})
	require.ErrorContains(t, err, "SHOPD_TRACE_PROPAGATORS")
}

func TestStatementsAreCountedPerContext(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Open(context.Background(), postgres.Config{URL: testenv.Database(t), MaxConns: 2, Tracer: telemetry.StatementCounter{}})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	counted, statements := telemetry.CountStatements(context.Background())
	require.NoError(t, postgres.InTx(counted, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(counted, "select 1"); err != nil {
			return err
		}
		batch := &pgx.Batch{}
		batch.Queue("select 2")
		batch.Queue("select 3")
		return tx.SendBatch(counted, batch).Close()
	}))
	_, err = pool.Exec(context.Background(), "select 4")
	require.NoError(t, err)
	require.Equal(t, []string{"select 1", "select 2", "select 3"}, statements.All())
	require.Equal(t, 3, statements.Count())
}
