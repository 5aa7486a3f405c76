package broker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Runtime is what the brokers have in common: the registered subscriptions, the retries that come due, the table
// of dead letters and the metrics.
type Runtime struct {
	Config
	Retries *Retries
	Letters *DeadLetters

	mu      sync.RWMutex
	runners map[string]*Runner
	order   []*Runner
	metrics *metrics
}

// NewRuntime returns a runtime without subscriptions.
func NewRuntime(c Config) (*Runtime, error) {
	c, err := c.WithDefaults()
	if err != nil {
		return nil, err
	}
	return &Runtime{
		Config: c, Retries: NewRetries(c.Pool), Letters: NewDeadLetters(c.Pool),
		runners: map[string]*Runner{}, metrics: newMetrics(c.Registerer),
	}, nil
}

// Subscribe registers subs, or returns what is wrong with one of them.
func (r *Runtime) Subscribe(subs ...Subscription) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range subs {
		s, err := s.check()
		if err != nil {
			return err
		}
		if r.runners[s.Consumer] != nil {
			return fmt.Errorf("consumer %s is subscribed twice", s.Consumer)
		}
		runner := &Runner{
			Subscription: s, config: r.Config, letters: r.Letters, metrics: r.metrics,
			tracer: r.Tracer.Tracer("shopd/internal/platform/broker"),
		}
		r.runners[s.Consumer] = runner
		r.order = append(r.order, runner)
	}
	return nil
}

// Runners are the subscriptions in the order they were registered.
func (r *Runtime) Runners() []*Runner {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.order[:len(r.order):len(r.order)]
}

// Consumed are the runners this process runs: all of them, or the Broadcast ones only.
func (r *Runtime) Consumed() []*Runner {
	var consumed []*Runner
	for _, runner := range r.Runners() {
		if runner.Broadcast || !r.Broadcasts {
			consumed = append(consumed, runner)
		}
	}
	return consumed
}

// Awaited reports whether some consumer must get events of type t.
func (r *Runtime) Awaited(t string) bool {
	for _, runner := range r.Runners() {
		if !runner.Broadcast && runner.Hears(t) {
			return true
		}
	}
	return false
}

const (
	watchEvery = 10 * time.Second
	// takeLimit bounds how many due retries are held at once.
	takeLimit = 200
)

// Watch keeps the gauge of dead letters until ctx ends.
func (r *Runtime) Watch(ctx context.Context) {
	for ctx.Err() == nil {
		counts, err := r.Letters.Count(ctx)
		if err != nil && ctx.Err() == nil {
			r.Log.WarnContext(ctx, "dead letters could not be counted", "error", err)
		}
		if err == nil {
			for _, runner := range r.Runners() {
				r.metrics.letters.WithLabelValues(runner.Consumer).Set(float64(counts[runner.Consumer]))
			}
		}
		Sleep(ctx, watchEvery)
	}
}

// HandOver gives due retries to hand, by consumer, every pause until ctx ends; without a pause as long as there
// are many. hand settles them by Retries.Drop or Put.
func (r *Runtime) HandOver(ctx context.Context, pause time.Duration, hand func(context.Context, *Runner, []Delivery) error) {
	var consumers []string
	for _, runner := range r.Consumed() {
		consumers = append(consumers, runner.Consumer)
	}
	for ctx.Err() == nil {
		due, err := r.Retries.Take(ctx, consumers, takeLimit)
		taken := 0
		for consumer, batch := range due {
			taken += len(batch)
			if handErr := hand(ctx, r.runner(consumer), batch); handErr != nil {
				err = handErr
			}
		}
		if err != nil && ctx.Err() == nil {
			r.Log.WarnContext(ctx, "due events could not be handed over", "error", err)
		}
		if taken < takeLimit || err != nil {
			Sleep(ctx, pause)
		}
	}
}

func (r *Runtime) runner(consumer string) *Runner {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.runners[consumer]
}

// Sleep waits for d or the end of ctx.
func Sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

type metrics struct {
	lag      *prometheus.HistogramVec
	letters  *prometheus.GaugeVec
	outcomes *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	auto := promauto.With(r)
	return &metrics{
		lag: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "shopd_event_lag_seconds",
			Help:    "Time from the change to its effect in a consumer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60, 300, 1800, 7200},
		}, []string{"consumer"}),
		letters: auto.NewGaugeVec(prometheus.GaugeOpts{
			Name: "shopd_dead_letters",
			Help: "Events that a consumer gave up on and nobody has sent again.",
		}, []string{"consumer"}),
		outcomes: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "shopd_events_consumed_total",
			Help: "Deliveries by outcome: handled, duplicate, retried, dead, failed (a broadcast, not tried again).",
		}, []string{"consumer", "outcome"}),
	}
}

func (m *metrics) outcome(consumer, outcome string, n int) {
	if n > 0 {
		m.outcomes.WithLabelValues(consumer, outcome).Add(float64(n))
	}
}
