package broker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"shopd/internal/events"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
)

// DeadLetter is an event that a consumer gave up on.
type DeadLetter struct {
	ID       string
	Consumer string
	// Event is nil when the message could not be read as one; Raw is what came then.
	Event *events.Envelope
	Raw   []byte
	// Error is the last one; Attempts counts all, those before a redrive too.
	Error       string
	Attempts    int
	FirstFailed time.Time
	LastFailed  time.Time
	// RedrivenAt is zero while the letter waits for somebody; a redriven one that fails again waits again.
	RedrivenAt time.Time
	Redrives   int
}

// ErrNotRedrivable says that a dead letter holds no readable event to send again.
var ErrNotRedrivable = errs.New(errs.Conflict, "not_redrivable", "The message could not be read, so it cannot be sent again.")

// DeadLetters is the table of dead letters. The pool acts as shopd_relay, or as the owner.
type DeadLetters struct{ pool *pgxpool.Pool }

// NewDeadLetters returns the table kept in pool's database.
func NewDeadLetters(pool *pgxpool.Pool) *DeadLetters { return &DeadLetters{pool} }

// longestError bounds the text that is kept of an error, in bytes.
const longestError = 4000

const putDeadLetter = `
insert into platform.dead_letters as d
    (id, consumer, event_id, type, envelope, raw, error, attempts, first_failed_at, last_failed_at)
values ($1, $2, $3, $4, $5::text::json, $6, $7, $8, $9, $10)
on conflict (consumer, event_id) do update
set error = excluded.error,
    attempts = case when d.redriven_at is null then d.attempts else d.attempts + excluded.attempts end,
    last_failed_at = excluded.last_failed_at,
    redriven_at = null`

// Put keeps d; the same event of the same consumer stays one letter.
func (l *DeadLetters) Put(ctx context.Context, d DeadLetter) error {
	var eventID, eventType, envelope *string
	if d.Event != nil {
		body, err := json.Marshal(d.Event)
		if err != nil {
			return fmt.Errorf("encode event %s: %w", d.Event.ID, err)
		}
		text := string(body)
		eventID, eventType, envelope = &d.Event.ID, &d.Event.Type, &text
	}
	_, err := l.pool.Exec(ctx, putDeadLetter, id.New("dl"), d.Consumer, eventID, eventType, envelope, d.Raw,
		clean(d.Error), d.Attempts, d.FirstFailed, d.LastFailed)
	if err != nil {
		return fmt.Errorf("keep a dead letter of %s: %w", d.Consumer, err)
	}
	return nil
}

// clean makes an error text fit for a text column: shortened, valid UTF-8, no zero byte.
func clean(s string) string {
	if len(s) > longestError {
		s = s[:longestError]
	}
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// DeadLetterFilter narrows List. The zero value is the newest 50 that wait.
type DeadLetterFilter struct {
	Consumer string
	// Redriven lists those that were sent again instead of those that wait.
	Redriven bool
	// After is the id of the last letter of the page before.
	After string
	// Limit is 50 by default.
	Limit int
}

const deadLetterColumns = `
select d.id, d.consumer, d.envelope::text, d.raw, d.error, d.attempts, d.first_failed_at, d.last_failed_at,
    d.redriven_at, d.redrives
from platform.dead_letters d`

const listDeadLetters = deadLetterColumns + `
where ($1 = '' or d.consumer = $1)
    and (d.redriven_at is not null) = $2
    and ($3 = '' or (d.last_failed_at, d.id) < (
        select a.last_failed_at, a.id
        from platform.dead_letters a
        where a.id = $3
    ))
order by d.last_failed_at desc, d.id desc
limit $4`

// List returns the letters that failed last first.
func (l *DeadLetters) List(ctx context.Context, f DeadLetterFilter) ([]DeadLetter, error) {
	rows, err := l.pool.Query(ctx, listDeadLetters, f.Consumer, f.Redriven, f.After, cmp.Or(f.Limit, 50))
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	letters, err := pgx.CollectRows(rows, scanDeadLetter)
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	return letters, nil
}

const showDeadLetter = deadLetterColumns + `
where d.id = $1`

// Show returns one letter, or errs.ErrNotFound.
func (l *DeadLetters) Show(ctx context.Context, id string) (DeadLetter, error) {
	rows, err := l.pool.Query(ctx, showDeadLetter, id)
	if err != nil {
		return DeadLetter{}, fmt.Errorf("read dead letter %s: %w", id, err)
	}
	d, err := pgx.CollectExactlyOneRow(rows, scanDeadLetter)
	if errors.Is(err, pgx.ErrNoRows) {
		return DeadLetter{}, errs.ErrNotFound
	}
	if err != nil {
		return DeadLetter{}, fmt.Errorf("read dead letter %s: %w", id, err)
	}
	return d, nil
}

func scanDeadLetter(row pgx.CollectableRow) (DeadLetter, error) {
	var d DeadLetter
	var envelope *string
	var redriven *time.Time
	err := row.Scan(&d.ID, &d.Consumer, &envelope, &d.Raw, &d.Error, &d.Attempts, &d.FirstFailed, &d.LastFailed,
		&redriven, &d.Redrives)
	if err != nil {
		return d, err
	}
	d.FirstFailed, d.LastFailed = d.FirstFailed.UTC(), d.LastFailed.UTC()
	if redriven != nil {
		d.RedrivenAt = redriven.UTC()
	}
	if envelope != nil {
		d.Event = &events.Envelope{}
		return d, json.Unmarshal([]byte(*envelope), d.Event)
	}
	return d, nil
}

// One statement, so that a letter is marked exactly when its event is due again.
const redriveDeadLetter = `
with letter as (
    update platform.dead_letters
    set redriven_at = now(), redrives = redrives + 1
    where id = $1 and envelope is not null
    returning consumer, event_id, envelope
)
insert into platform.event_retries as r (consumer, event_id, envelope, attempt, due_at)
select consumer, event_id, envelope, 0, now()
from letter
on conflict (consumer, event_id) do update
set attempt = 0, due_at = excluded.due_at`

// Redrive sends the letter's event, with its id, to its consumer again, and to no other one. The running broker
// finds it within seconds, in whatever process it runs. It returns errs.ErrNotFound or ErrNotRedrivable.
func (l *DeadLetters) Redrive(ctx context.Context, id string) error {
	tag, err := l.pool.Exec(ctx, redriveDeadLetter, id)
	if err != nil {
		return fmt.Errorf("redrive dead letter %s: %w", id, err)
	}
	if tag.RowsAffected() > 0 {
		return nil
	}
	if _, err := l.Show(ctx, id); err != nil {
		return err
	}
	return ErrNotRedrivable
}

const countDeadLetters = `
select consumer, count(*)
from platform.dead_letters
where redriven_at is null
group by consumer`

// Count returns how many letters wait, by consumer.
func (l *DeadLetters) Count(ctx context.Context) (map[string]int64, error) {
	rows, err := l.pool.Query(ctx, countDeadLetters)
	if err != nil {
		return nil, fmt.Errorf("count dead letters: %w", err)
	}
	counts := map[string]int64{}
	var consumer string
	var n int64
	if _, err := pgx.ForEachRow(rows, []any{&consumer, &n}, func() error { counts[consumer] = n; return nil }); err != nil {
		return nil, fmt.Errorf("count dead letters: %w", err)
	}
	return counts, nil
}
