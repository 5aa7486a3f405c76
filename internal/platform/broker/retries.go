package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"shopd/internal/events"
)

// Delivery is an event on its way to one consumer.
type Delivery struct {
	events.Envelope
	// Attempt counts the failures before this delivery.
	Attempt int
	// FirstFailed is when it failed first; zero when it has not.
	FirstFailed time.Time
	// due is when a delivery from Retries comes again unless it is settled.
	due time.Time
}

// Retries is the durable list of events to be handed to one consumer later. The pool acts as shopd_relay.
type Retries struct{ pool *pgxpool.Pool }

// NewRetries returns the list kept in pool's database.
func NewRetries(pool *pgxpool.Pool) *Retries { return &Retries{pool} }

const putRetries = `
insert into platform.event_retries as r (consumer, event_id, envelope, attempt, first_failed_at, due_at)
select $1, e.event_id, e.envelope::json, e.attempt, e.first_failed_at, now() + e.delay
from unnest($2::text[], $3::text[], $4::int[], $5::timestamptz[], $6::interval[])
    as e(event_id, envelope, attempt, first_failed_at, delay)
on conflict (consumer, event_id) do update
set attempt = greatest(r.attempt, excluded.attempt),
    first_failed_at = coalesce(r.first_failed_at, excluded.first_failed_at),
    due_at = excluded.due_at`

// Put makes each delivery due for consumer after the delay of the same position.
func (r *Retries) Put(ctx context.Context, consumer string, batch []Delivery, delays []time.Duration) error {
	n := len(batch)
	ids, envelopes, attempts, failed := make([]string, n), make([]string, n), make([]int32, n), make([]*time.Time, n)
	for i, d := range batch {
		body, err := json.Marshal(d.Envelope)
		if err != nil {
			return fmt.Errorf("encode event %s: %w", d.ID, err)
		}
		ids[i], envelopes[i], attempts[i] = d.ID, string(body), int32(d.Attempt)
		if !d.FirstFailed.IsZero() {
			failed[i] = &batch[i].FirstFailed
		}
	}
	if _, err := r.pool.Exec(ctx, putRetries, consumer, ids, envelopes, attempts, failed, delays); err != nil {
		return fmt.Errorf("keep events for later: %w", err)
	}
	return nil
}

// dueAgain is when a delivery that was taken and not settled is due again: its process has died.
const dueAgain = time.Minute

const takeRetries = `
with due as (
    select consumer, event_id
    from platform.event_retries
    where due_at <= now() and consumer = any($1)
    order by due_at
    limit $2
    for update skip locked
)
update platform.event_retries r
set due_at = now() + $3::interval
from due
where r.consumer = due.consumer and r.event_id = due.event_id
returning r.consumer, r.envelope::text, r.attempt, r.first_failed_at, r.due_at`

// Take returns up to limit deliveries that are due for the consumers, by consumer. Each comes again after a
// minute unless Drop or Put settles it.
func (r *Retries) Take(ctx context.Context, consumers []string, limit int) (map[string][]Delivery, error) {
	rows, err := r.pool.Query(ctx, takeRetries, consumers, limit, dueAgain)
	if err != nil {
		return nil, fmt.Errorf("take due events: %w", err)
	}
	due := map[string][]Delivery{}
	var consumer, body string
	var attempt int
	var failed *time.Time
	var again time.Time
	_, err = pgx.ForEachRow(rows, []any{&consumer, &body, &attempt, &failed, &again}, func() error {
		d := Delivery{Attempt: attempt, due: again}
		if failed != nil {
			d.FirstFailed = failed.UTC()
		}
		if err := json.Unmarshal([]byte(body), &d.Envelope); err != nil {
			return err
		}
		due[consumer] = append(due[consumer], d)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("take due events: %w", err)
	}
	return due, nil
}

// A redrive in between has made the event due anew, and stays.
const dropRetries = `
delete from platform.event_retries as r
using unnest($2::text[], $3::timestamptz[]) as d (event_id, due_at)
where r.consumer = $1 and r.event_id = d.event_id and r.due_at = d.due_at`

// Drop forgets what Take returned and has been handed over.
func (r *Retries) Drop(ctx context.Context, consumer string, batch []Delivery) error {
	ids, dues := make([]string, len(batch)), make([]time.Time, len(batch))
	for i, d := range batch {
		ids[i], dues[i] = d.ID, d.due
	}
	if _, err := r.pool.Exec(ctx, dropRetries, consumer, ids, dues); err != nil {
		return fmt.Errorf("forget handed-over events: %w", err)
	}
	return nil
}
