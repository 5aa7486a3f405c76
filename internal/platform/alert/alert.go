// Package alert tells people that something in the shop needs them, on Slack and PagerDuty. An alert is a job in the
// transaction that finds the reason, one for each channel, and is tried again until the channel has taken it.
package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"shopd/internal/platform/jobs"
	"shopd/internal/platform/outbound"
)

// Severity says how soon somebody should look.
type Severity string

// The severities, in PagerDuty's words.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// Alert is one thing to tell. Nothing personal belongs in it: it leaves the shop.
type Alert struct {
	// Key names the occasion: the same one is told once a day, and PagerDuty keeps one incident for it.
	Key      string
	Severity Severity
	Summary  string // one line
	Source   string // the part of the shop it is about, such as "inventory"
	// Details are figures beside the summary; nil for none.
	Details map[string]string
	At      time.Time
}

// Config is where alerts go. A channel without a URL is off.
type Config struct {
	SlackURL string // an incoming webhook
	// PagerDutyURL is the Events API with the routing key as its user or as ?routing_key=.
	PagerDutyURL string
	// AllowPrivate lets the URLs lead to private addresses, for tests.
	AllowPrivate bool
	Metrics      prometheus.Registerer
}

const (
	channelSlack     = "slack"
	channelPagerDuty = "pagerduty"
	// tries of one alert stretch over about eight hours; after that nobody needs it any more.
	tries       = 10
	sendTimeout = 10 * time.Second
	maxAnswer   = 4 << 10
)

// Alerts queues and sends alerts.
type Alerts struct {
	queue    *jobs.Queue
	client   *http.Client
	channels map[string]channel
	sent     *prometheus.CounterVec
}

type channel struct {
	url  string
	body func(Alert) any
}

// New returns Alerts that go to the channels of c, or an error that names the setting which cannot be read.
func New(queue *jobs.Queue, c Config) (*Alerts, error) {
	a := &Alerts{
		queue: queue, channels: map[string]channel{},
		client: outbound.Client(outbound.Options{AllowPrivate: c.AllowPrivate, Timeout: sendTimeout}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shopd_alerts_sent_total", Help: "Alerts by channel and whether it took them; one that it did not take is tried again.",
		}, []string{"channel", "outcome"}),
	}
	if err := c.Metrics.Register(a.sent); err != nil {
		return nil, fmt.Errorf("register the metrics of alerts: %w", err)
	}
	if c.SlackURL != "" {
		if _, err := parse(c.SlackURL); err != nil {
			return nil, fmt.Errorf("read SHOPD_ALERT_SLACK_URL: %w", err)
		}
		a.channels[channelSlack] = channel{c.SlackURL, slackBody}
	}
	if c.PagerDutyURL != "" {
		address, key, err := splitPagerDuty(c.PagerDutyURL)
		if err != nil {
			return nil, fmt.Errorf("read SHOPD_ALERT_PAGERDUTY_URL: %w", err)
		}
		a.channels[channelPagerDuty] = channel{address, func(al Alert) any { return pagerDutyBody(key, al) }}
	}
	return a, nil
}

// Enqueue tells of alert when tx commits, on every channel, once for each key. Without channels it does nothing.
func (a *Alerts) Enqueue(ctx context.Context, tx pgx.Tx, alert Alert) error {
	for name := range a.channels {
		if err := a.queue.Enqueue(ctx, tx, sendArgs{Channel: name, Key: alert.Key, Alert: alert}, jobs.Options{Once: true, MaxAttempts: tries}); err != nil {
			return fmt.Errorf("alert %s: %w", alert.Key, err)
		}
	}
	return nil
}

// Deliver makes a process that works on jobs send the alerts.
func (a *Alerts) Deliver(r *jobs.Registry) {
	jobs.Handle(r, func(ctx context.Context, args sendArgs) error {
		c, ok := a.channels[args.Channel]
		if !ok {
			return nil // switched off since
		}
		err := a.send(ctx, c, args.Alert)
		outcome := "taken"
		if err != nil {
			outcome = "failed"
		}
		a.sent.WithLabelValues(args.Channel, outcome).Inc()
		return err
	})
}

// sendArgs is an alert in the database.
type sendArgs struct {
	Channel string `json:"channel" river:"unique"`
	Key     string `json:"key" river:"unique"`
	Alert   Alert  `json:"alert"`
}

// Kind names the work.
func (sendArgs) Kind() string { return "alert.send" }

func (a *Alerts) send(ctx context.Context, c channel, alert Alert) error {
	body, err := json.Marshal(c.body(alert))
	if err != nil {
		return fmt.Errorf("write alert %s: %w", alert.Key, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return secretless(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := a.client.Do(request)
	if err != nil {
		return secretless(err)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return secretless(err)
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the channel answers %d: %s", answer.StatusCode, strings.ToValidUTF8(string(text), "\uFFFD"))
	}
	return nil
}

// secretless takes the URL out of an error: it holds the channel's secret, and errors of jobs are kept and shown.
func secretless(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return fmt.Errorf("reach the channel: %w", u.Err)
	}
	return err
}

func slackBody(a Alert) any {
	marks := map[Severity]string{Info: ":information_source:", Warning: ":warning:", Critical: ":rotating_light:"}
	return map[string]string{"text": marks[a.Severity] + " *" + slackText(a.Source) + "*: " + slackText(a.Summary)}
}

// slackText keeps text from being read as markup: an article's name must not mention everybody in the channel.
func slackText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// pagerDutySummary is how long a summary may be there.
const pagerDutySummary = 1024

func pagerDutyBody(key string, a Alert) any {
	summary := a.Summary
	if len(summary) > pagerDutySummary {
		summary = strings.ToValidUTF8(summary[:pagerDutySummary], "")
	}
	return map[string]any{
		"routing_key": key, "event_action": "trigger", "dedup_key": a.Key,
		"payload": map[string]any{
			"summary": summary, "source": "shopd", "component": a.Source, "severity": a.Severity,
			"timestamp": a.At.UTC().Format(time.RFC3339), "custom_details": a.Details,
		},
	}
}

var errNoURL = errors.New("it is no http URL with a host")

func parse(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errNoURL // without the text, which holds a secret
	}
	return u, nil
}

func splitPagerDuty(address string) (endpoint, key string, err error) {
	u, err := parse(address)
	if err != nil {
		return "", "", err
	}
	query := u.Query()
	key = query.Get("routing_key")
	if key == "" {
		key = u.User.Username()
	}
	if key == "" {
		return "", "", errors.New("it has no routing key: https://KEY@events.pagerduty.com/v2/enqueue")
	}
	query.Del("routing_key")
	u.RawQuery, u.User = query.Encode(), nil
	return u.String(), key, nil
}
