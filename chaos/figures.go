package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"shopd/internal/rig"
)

// figures are what was measured beside the promises.
type figures struct {
	// Calm is the calls that complete a cart while no fault held and none had just ended; All is the whole storm's.
	CalmOrders, AllOrders int
	CalmOrderP50          time.Duration `json:"calm_order_p50_ns"`
	CalmOrderP99          time.Duration `json:"calm_order_p99_ns"`
	AllOrderP99           time.Duration `json:"all_order_p99_ns"`
	// Lag is from an event's commit to the broker's confirmation.
	CalmEvents, AllEvents int
	CalmLagP99            time.Duration `json:"calm_lag_p99_ns"`
	AllLagP99             time.Duration `json:"all_lag_p99_ns"`
	AllLagMost            time.Duration `json:"all_lag_most_ns"`
	// Relay and Completer are how long work lay at most while the replica that did it was dead or paused.
	Relay, Completer time.Duration
	TakeOvers        int
	// Backlog events were published and handled in Drained after RabbitMQ had come back.
	Backlog int
	Drained time.Duration
}

// How long after a fault nothing counts as calm: after those that end connections to RabbitMQ, or whoever publishes, longer.
const (
	aftermath     = 2 * time.Second
	longAftermath = 12 * time.Second
)

func aftermathOf(w window) time.Duration {
	for _, part := range []string{rabbitMQ, postgres, "kill -9", "pause", "SIGTERM", gracefulEnd} {
		if strings.Contains(w.Kind+" "+w.Target, part) {
			return longAftermath
		}
	}
	return aftermath
}

// calm reports whether nothing was wrong at a moment.
func (s *storm) calm(at time.Time) bool {
	return !slices.ContainsFunc(s.windows, func(w window) bool {
		return at.After(w.From.Add(-100*time.Millisecond)) && at.Before(w.To.Add(aftermathOf(w)))
	})
}

const lagsSQL = `
select created_at, extract(epoch from published_at - created_at)::float8
from public_views.v_events
where published_at is not null and created_at >= $1`

// measure takes the figures of a storm that began at a time. The backlog is measured by itself.
func (s *storm) measure(ctx context.Context, t *traffic, began, ended time.Time) (f figures, err error) {
	var calm, all []time.Duration
	for _, e := range t.between(began, ended) {
		// What was refused or paid is done; what has no answer, or came too early, is not.
		if e.class != paying || e.failed || e.status >= 500 {
			continue
		}
		all = append(all, e.took)
		if s.calm(e.begin) {
			calm = append(calm, e.took)
		}
	}
	slices.Sort(calm)
	slices.Sort(all)
	f.CalmOrders, f.AllOrders = len(calm), len(all)
	f.CalmOrderP50, f.CalmOrderP99, f.AllOrderP99 = percentile(calm, 0.5), percentile(calm, 0.99), percentile(all, 0.99)
	rows, err := s.db.Query(ctx, lagsSQL, began)
	if err != nil {
		return f, fmt.Errorf("measure the events: %w", err)
	}
	defer rows.Close()
	calm, all = nil, nil
	for rows.Next() {
		var at time.Time
		var lag float64
		if err := rows.Scan(&at, &lag); err != nil {
			return f, fmt.Errorf("measure the events: %w", err)
		}
		all = append(all, time.Duration(lag*float64(time.Second)))
		if at.Before(ended) && s.calm(at) {
			calm = append(calm, all[len(all)-1])
		}
	}
	slices.Sort(calm)
	slices.Sort(all)
	f.CalmEvents, f.AllEvents = len(calm), len(all)
	f.CalmLagP99, f.AllLagP99, f.AllLagMost = percentile(calm, 0.99), percentile(all, 0.99), percentile(all, 1)
	f.Relay, f.Completer, f.TakeOvers = s.relayLay, s.completerLay, s.takeOvers
	return f, rows.Err()
}

const (
	// backlog is how many events wait while RabbitMQ is away, and drainLimit how long they may take after.
	backlog    = 10_000
	drainLimit = time.Minute
)

// backlogSQL puts copies of changes of stock, which all consumers know already, into the outbox under new ids.
const backlogSQL = `
insert into platform.outbox (event_id, type, version, aggregate_id, aggregate_version, data, trace, occurred_at)
select platform.new_event_id(), type, version, aggregate_id, aggregate_version, data, trace, occurred_at
from (select * from platform.outbox where type = 'inventory.stock_changed.v1' limit 1000) as o
cross join generate_series(1, $1::int)`

// backlogQueues are those that hear of stock.
var backlogQueues = []string{"shopd.inventory.cache", "shopd.catalog.projector", auditQueue}

// drain stops RabbitMQ, lets events pile up, starts it again, and measures how long they take.
func (s *storm) drain(ctx context.Context, b *book, f *figures) error {
	if err := s.rabbit.Kill(); err != nil {
		return err
	}
	var known int
	if err := s.db.QueryRow(ctx, `select least(count(*), 1000)::int from platform.outbox where type = 'inventory.stock_changed.v1'`).Scan(&known); err != nil {
		return fmt.Errorf("count changes of stock: %w", err)
	}
	if known == 0 {
		return errors.New("no stock changed: there is nothing to pile up")
	}
	tag, err := s.db.Exec(ctx, backlogSQL, (backlog+known-1)/known)
	if err != nil {
		return errors.Join(fmt.Errorf("pile up events: %w", err), s.rabbit.Start(ctx))
	}
	f.Backlog = int(tag.RowsAffected())
	_, before := s.audit.counts()
	if err := s.rabbit.Start(ctx); err != nil {
		return err
	}
	healed := time.Now()
	for {
		left, err := s.undrained(ctx, before+f.Backlog)
		if f.Drained = time.Since(healed); err == nil && left == "" {
			b.say("I26", fmt.Sprintf("%d events drained in %s", f.Backlog, f.Drained.Round(100*time.Millisecond)))
			return nil
		}
		if f.Drained > 2*drainLimit {
			b.say("I26", "", fmt.Sprintf("%d events are not drained after %s: %s %v", f.Backlog, f.Drained.Round(time.Second), left, err))
			return nil
		}
		if err := rig.Pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// undrained says what of the backlog is left; empty when nothing is.
func (s *storm) undrained(ctx context.Context, messages int) (string, error) {
	var waiting int
	if err := s.db.QueryRow(ctx, `select count(*)::int from platform.outbox where published_at is null`).Scan(&waiting); err != nil {
		return "", err
	}
	if waiting > 0 {
		return fmt.Sprintf("%d to publish", waiting), nil
	}
	if _, heard := s.audit.counts(); heard < messages {
		return fmt.Sprintf("%d to hear", messages-heard), nil
	}
	conn, err := amqp.Dial(s.audit.url)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }() // it only asked
	ch, err := conn.Channel()
	if err != nil {
		return "", err
	}
	for _, name := range backlogQueues {
		queue, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
		if err != nil {
			return "", err
		}
		if queue.Messages > 0 {
			return fmt.Sprintf("%d in %s", queue.Messages, name), nil
		}
	}
	return "", nil
}

func (f figures) print(w io.Writer) {
	ms := func(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
	fmt.Fprintf(w, "\nfigures\n  order processing (complete call to its answer): %d calm, P50 %s, P99 %s; %d in all, P99 %s\n", f.CalmOrders, ms(f.CalmOrderP50), ms(f.CalmOrderP99),
		f.AllOrders, ms(f.AllOrderP99))
	fmt.Fprintf(w, "  event lag (commit to the broker's confirmation): %d calm, P99 %s; %d in all, P99 %s, longest %s\n", f.CalmEvents, ms(f.CalmLagP99), f.AllEvents,
		ms(f.AllLagP99), f.AllLagMost.Round(100*time.Millisecond))
	if f.TakeOvers > 0 {
		fmt.Fprintf(w, "  failover, %d times: relay %s at most, completer %s\n", f.TakeOvers, f.Relay.Round(time.Millisecond), f.Completer.Round(time.Millisecond))
	}
	fmt.Fprintf(w, "  backlog: %d events drained in %s after RabbitMQ was back\n", f.Backlog, f.Drained.Round(100*time.Millisecond))
}
