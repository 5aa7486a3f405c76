package alert_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"

	"shopd/internal/platform/alert"
	"shopd/internal/platform/jobs"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/testenv"
)

// receiver is Slack or PagerDuty.
type receiver struct {
	mu     sync.Mutex
	bodies []map[string]any
	fail   int // how many calls it answers with 503 first
	calls  int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if err != nil || r.calls <= r.fail {
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.bodies = append(r.bodies, got)
}

func (r *receiver) received() []map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]map[string]any(nil), r.bodies...)
}

type bundle struct {
	alerts *alert.Alerts
	domain *pgxpool.Pool
	owner  *pgxpool.Pool
}

func setup(t *testing.T, c alert.Config) *bundle {
	t.Helper()
	address := testenv.Database(t)
	open := func(role string) *pgxpool.Pool {
		p, err := postgres.Open(context.Background(), postgres.Config{URL: address, Role: role, MaxConns: 4})
		require.NoError(t, err)
		t.Cleanup(p.Close)
		return p
	}
	queue, err := jobs.NewQueue()
	require.NoError(t, err)
	c.Metrics = prometheus.NewRegistry()
	b := &bundle{domain: open("shopd_inventory"), owner: open("")}
	b.alerts, err = alert.New(queue, c)
	require.NoError(t, err)
	registry := jobs.NewRegistry()
	b.alerts.Deliver(registry)
	client, err := jobs.New(jobs.Config{
		Pool: open(jobs.Role), Registry: registry, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
		Tracer: noop.NewTracerProvider().Tracer(""), PollInterval: 50 * time.Millisecond, Workers: 2,
	})
	require.NoError(t, err)
	require.NoError(t, client.Start(context.Background()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		require.NoError(t, client.Stop(ctx))
	})
	return b
}

func (b *bundle) raise(t *testing.T, a alert.Alert) {
	t.Helper()
	require.NoError(t, postgres.InTx(t.Context(), b.domain, func(tx pgx.Tx) error { return b.alerts.Enqueue(t.Context(), tx, a) }))
}

func soldOut() alert.Alert {
	return alert.Alert{
		Key: "stockout/24-MB01@main/7", Severity: alert.Critical, Summary: "24-MB01 <!channel> is sold out.", Source: "inventory",
		Details: map[string]string{"sku": "24-MB01"}, At: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC),
	}
}

const patience = 40 * time.Second

func TestBothChannelsHearOnceAndAreTriedAgain(t *testing.T) {
	t.Parallel()
	slack, pager := &receiver{fail: 1}, &receiver{}
	slackServer, pagerServer := httptest.NewServer(slack), httptest.NewServer(pager)
	t.Cleanup(slackServer.Close)
	t.Cleanup(pagerServer.Close)
	b := setup(t, alert.Config{
		SlackURL: slackServer.URL + "/services/T0/B0/secret", PagerDutyURL: strings.Replace(pagerServer.URL, "://", "://routing-key@", 1) + "/v2/enqueue",
		AllowPrivate: true,
	})
	b.raise(t, soldOut())
	b.raise(t, soldOut()) // the event came twice
	require.Eventually(t, func() bool { return len(slack.received()) == 1 && len(pager.received()) == 1 }, patience, 50*time.Millisecond)
	require.Equal(t, map[string]any{"text": ":rotating_light: *inventory*: 24-MB01 &lt;!channel&gt; is sold out."}, slack.received()[0])
	require.Equal(t, 2, slack.calls, "the first call failed")
	require.Equal(t, map[string]any{
		"routing_key": "routing-key", "event_action": "trigger", "dedup_key": "stockout/24-MB01@main/7",
		"payload": map[string]any{
			"summary": "24-MB01 <!channel> is sold out.", "source": "shopd", "component": "inventory", "severity": "critical",
			"timestamp": "2026-05-01T12:00:00Z", "custom_details": map[string]any{"sku": "24-MB01"},
		},
	}, pager.received()[0])
}

func TestAnAlertOfATransactionThatFailsIsNotTold(t *testing.T) {
	t.Parallel()
	slack := &receiver{}
	server := httptest.NewServer(slack)
	t.Cleanup(server.Close)
	b := setup(t, alert.Config{SlackURL: server.URL, AllowPrivate: true})
	failure := errors.New("no")
	require.ErrorIs(t, pgx.BeginFunc(t.Context(), b.domain, func(tx pgx.Tx) error {
		require.NoError(t, b.alerts.Enqueue(t.Context(), tx, soldOut()))
		return failure
	}), failure)
	after := soldOut()
	after.Key = "another"
	b.raise(t, after)
	require.Eventually(t, func() bool { return len(slack.received()) > 0 }, patience, 50*time.Millisecond)
	require.Len(t, slack.received(), 1)
}

// What is kept of a failed try is shown to staff, and the URL of a channel is its secret.
func TestTheSecretOfAChannelIsNotKeptWithItsErrors(t *testing.T) {
	t.Parallel()
	b := setup(t, alert.Config{SlackURL: "http://127.0.0.1:1/services/topsecret"}) // a private address besides
	b.raise(t, soldOut())
	var failures string
	require.Eventually(t, func() bool {
		err := b.owner.QueryRow(t.Context(), `select coalesce(array_to_string(errors, ' '), '') from jobs.river_job where kind = 'alert.send'`).Scan(&failures)
		return err == nil && failures != ""
	}, patience, 50*time.Millisecond)
	require.Contains(t, failures, "url_not_allowed")
	require.NotContains(t, failures, "topsecret")
}

func TestSettingsThatAreNoChannel(t *testing.T) {
	t.Parallel()
	for _, c := range []alert.Config{
		{SlackURL: "hooks.slack.com/services/x"}, {SlackURL: "ftp://hooks.slack.com"}, {PagerDutyURL: "https://events.pagerduty.com/v2/enqueue"},
	} {
		c.Metrics = prometheus.NewRegistry()
		_, err := alert.New(nil, c)
		require.ErrorContains(t, err, "SHOPD_ALERT_")
	}
}
