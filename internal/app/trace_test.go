package app

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector is an OTLP collector that keeps the spans it is sent.
type collector struct {
	url   string
	mu    sync.Mutex
	spans []*tracepb.Span
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request coltracepb.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(body, &request) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				c.spans = append(c.spans, scope.GetSpans()...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

const completeSpan = "POST /api/v1/store/carts/{id}/complete"

// seesOneTrace waits until the trace of the complete call is whole, and returns it as a tree.
func seesOneTrace(t *testing.T, c *collector) string {
	t.Helper()
	var tree string
	within(t, 15*time.Second, func() error {
		trace := c.traceOf(completeSpan)
		tree = draw(trace)
		writes := func(parent *tracepb.Span, table string) bool {
			return slices.ContainsFunc(trace, func(s *tracepb.Span) bool {
				return string(s.GetParentSpanId()) == string(parent.GetSpanId()) && s.GetKind() == tracepb.Span_SPAN_KIND_CLIENT &&
					strings.Contains(attributeOf(s, "db.query.text"), table)
			})
		}
		find := func(name string) *tracepb.Span {
			i := slices.IndexFunc(trace, func(s *tracepb.Span) bool { return s.GetName() == name })
			if i < 0 {
				return nil
			}
			return trace[i]
		}
		request := find(completeSpan)
		if request == nil {
			return fmt.Errorf("no trace of %s", completeSpan)
		}
		if request.GetKind() != tracepb.Span_SPAN_KIND_SERVER || !writes(request, "insert into orders.orders") {
			return fmt.Errorf("the request's SQL is missing:\n%s", tree)
		}
		published := find("publish orders.order_paid.v1")
		if published == nil || published.GetKind() != tracepb.Span_SPAN_KIND_PRODUCER {
			return fmt.Errorf("the publishing is missing:\n%s", tree)
		}
		handled := slices.IndexFunc(trace, func(s *tracepb.Span) bool {
			return s.GetName() == "handle orders.order_paid.v1" && writes(s, "update inventory.reservations")
		})
		if handled < 0 || trace[handled].GetKind() != tracepb.Span_SPAN_KIND_CONSUMER {
			return fmt.Errorf("the consumer with its SQL is missing:\n%s", tree)
		}
		if string(trace[handled].GetParentSpanId()) != string(published.GetSpanId()) {
			return fmt.Errorf("the consumer does not follow the publishing:\n%s", tree)
		}
		return nil
	})
	return tree
}

// traceOf returns the spans of the trace that has a span of that name.
func (c *collector) traceOf(name string) []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var id string
	for _, s := range c.spans {
		if s.GetName() == name {
			id = string(s.GetTraceId())
		}
	}
	var trace []*tracepb.Span
	for _, s := range c.spans {
		if id != "" && string(s.GetTraceId()) == id {
			trace = append(trace, s)
		}
	}
	slices.SortStableFunc(trace, func(a, b *tracepb.Span) int {
		return int(int64(a.GetStartTimeUnixNano()) - int64(b.GetStartTimeUnixNano()))
	})
	return trace
}

// draw prints a trace as a tree, with the time since its beginning and what each span took.
func draw(trace []*tracepb.Span) string {
	if len(trace) == 0 {
		return ""
	}
	known := map[string]bool{}
	for _, s := range trace {
		known[string(s.GetSpanId())] = true
	}
	var b strings.Builder
	fmt.Fprintf(&b, "trace %s\n", hex.EncodeToString(trace[0].GetTraceId()))
	begin := trace[0].GetStartTimeUnixNano()
	var show func(parent string, depth int)
	show = func(parent string, depth int) {
		for _, s := range trace {
			of := string(s.GetParentSpanId())
			if plumbing(s) || of != parent && (parent != "" || known[of]) {
				continue
			}
			at, took := time.Duration(s.GetStartTimeUnixNano()-begin), time.Duration(s.GetEndTimeUnixNano()-s.GetStartTimeUnixNano())
			kind := strings.ToLower(strings.TrimPrefix(s.GetKind().String(), "SPAN_KIND_"))
			fmt.Fprintf(&b, "%7.1f ms %7.1f ms  %s[%s] %s\n", at.Seconds()*1e3, took.Seconds()*1e3, strings.Repeat("  ", depth), kind, title(s))
			show(string(s.GetSpanId()), depth+1)
		}
	}
	show("", 0)
	return b.String()
}

var tables = regexp.MustCompile(`\b(catalog|orders|pricing|payments|inventory|users|platform|jobs)"?\.([a-z_]+)(\.v\d)?`)

// title is a span's name with its consumer, and for SQL with the tables that it names, in their order.
func title(s *tracepb.Span) string {
	sql := attributeOf(s, "db.query.text")
	if sql == "" {
		return strings.TrimSpace(s.GetName() + " " + attributeOf(s, "messaging.consumer.group.name"))
	}
	found := []string{s.GetName()}
	for _, m := range tables.FindAllStringSubmatch(sql, -1) {
		if table := m[1] + "." + m[2]; m[3] == "" && !slices.Contains(found, table) { // with a version it is an event
			found = append(found, table)
		}
	}
	return strings.Join(found, " ")
}

// plumbing are the spans that a reader of the tree can do without: waiting for connections, and preparing statements.
func plumbing(s *tracepb.Span) bool {
	return s.GetName() == "pool.acquire" || s.GetName() == "connect" || attributeOf(s, "pgx.prepare_stmt.name") != ""
}

func attributeOf(s *tracepb.Span, key string) string {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}
