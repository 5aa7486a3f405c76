package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"shopd/internal/rig"
)

const (
	quietPause = 500 * time.Millisecond
	// quietFor is how often in a row nothing may have happened: a consumer's batch may take more than one pause.
	quietFor = 4
	// quietPatience bounds the wait for what follows from purchases.
	quietPatience = 2 * time.Minute
)

// waitingSQL counts what is still to be done: events to be published or tried again, goods to be taken off the stock,
// mails to be sent, products to be indexed.
const waitingSQL = `
select
    (select count(*) from platform.outbox where published_at is null) +
    (select count(*) from platform.event_retries) +
    (select count(*) from inventory.reservations where state = 'held') +
    (select count(*) from jobs.river_job where kind = 'mail.send' and state in ('available', 'running', 'retryable')) +
    (select count(*) from catalog.products where indexed_version < card_version or card is null)`

// awaitQuiet waits until everything that follows from what was done has been done.
func (s *shop) awaitQuiet(ctx context.Context, p *place) error {
	ctx, cancel := context.WithTimeout(ctx, quietPatience)
	defer cancel()
	handled, quiet := -1.0, 0
	for {
		var waiting int
		if err := p.conn.QueryRow(ctx, waitingSQL).Scan(&waiting); err != nil {
			return fmt.Errorf("look at what waits: %w", err)
		}
		metrics, err := s.metrics(ctx)
		if err != nil {
			return err
		}
		now := metrics.sum("shopd_events_consumed_total")
		if waiting > 0 || now != handled {
			handled, quiet = now, 0
		} else if quiet++; quiet == quietFor {
			return nil
		}
		if err := pause(ctx, quietPause); err != nil {
			return fmt.Errorf("%d things still wait to be done: %w", waiting, err)
		}
	}
}

const pendingSQL = `
select count(*)
from platform.outbox
where published_at is null`

// pending is how many events wait to be published.
func (p *place) pending(ctx context.Context) (n int, err error) {
	if err := p.conn.QueryRow(ctx, pendingSQL).Scan(&n); err != nil {
		return 0, fmt.Errorf("count pending events: %w", err)
	}
	return n, nil
}

// activity is what PostgreSQL has done so far.
type activity struct {
	commits int64 // in the run's database
	wal     int64 // bytes of the whole server
}

const activitySQL = `
select xact_commit, (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint
from pg_stat_database
where datname = current_database()`

func (p *place) activity(ctx context.Context) (a activity, err error) {
	if err := p.conn.QueryRow(ctx, activitySQL).Scan(&a.commits, &a.wal); err != nil {
		return a, fmt.Errorf("read the server's counters: %w", err)
	}
	return a, nil
}

// books are sums over orders and stock that must agree with each other.
type books struct {
	orders, unpaid int64 // all, and those that are not paid
	sold           int64 // pieces of paid orders
	onHand         int64
	reserved       int64
	payments       int64 // captured ones
	differences    int64 // orders whose captured money is not their total
}

// The sample shop has a past, so only what has changed since the beginning says something.
const booksSQL = `
select
    (select count(*) from public_views.v_orders),
    (select count(*) from public_views.v_orders where status <> 'paid'),
    (
        select coalesce(sum(l.quantity), 0)::bigint
        from public_views.v_order_lines as l
        join public_views.v_orders as o using (order_id)
        where o.status = 'paid'
    ),
    (select sum(on_hand)::bigint from public_views.v_stock),
    (select sum(reserved)::bigint from public_views.v_stock),
    (select count(*) from public_views.v_payments where status = 'captured'),
    (
        select count(*)
        from public_views.v_orders as o
        left join public_views.v_payments as p on p.order_id = o.order_id and p.captured = o.total and p.currency = o.currency
        where o.total > 0 and p.payment_id is null
    )`

func (p *place) books(ctx context.Context) (b books, err error) {
	err = p.conn.QueryRow(ctx, booksSQL).Scan(&b.orders, &b.unpaid, &b.sold, &b.onHand, &b.reserved, &b.payments, &b.differences)
	if err != nil {
		return b, fmt.Errorf("read orders and stock: %w", err)
	}
	return b, nil
}

// check is something that must be true after the run.
type check struct {
	What string `json:"what"`
	Want int64  `json:"want"`
	Got  int64  `json:"got"`
}

func (c check) ok() bool { return c.Want == c.Got }

// check compares the books with those before bought orders.
func (p *place) check(ctx context.Context, before books, bought int) ([]check, error) {
	after, err := p.books(ctx)
	if err != nil {
		return nil, err
	}
	pending, err := p.pending(ctx)
	if err != nil {
		return nil, err
	}
	return []check{
		{"orders in v_orders", before.orders + int64(bought), after.orders},
		{"orders that are not paid", before.unpaid, after.unpaid},
		{"captured payments", before.payments + int64(bought), after.payments},
		{"orders whose money is not their total", before.differences, after.differences},
		{"pieces gone from v_stock = pieces sold", after.sold - before.sold, before.onHand - after.onHand},
		{"pieces still reserved", before.reserved, after.reserved},
		{"events pending in the outbox", 0, int64(pending)},
	}, nil
}

// metrics are the samples of /metrics by name with labels, as they are written there.
type metrics map[string]float64

func (s *shop) metrics(ctx context.Context) (metrics, error) {
	body, err := rig.Fetch(ctx, s.ops+"/metrics")
	if err != nil {
		return nil, err
	}
	return parseMetrics(body)
}

func parseMetrics(text []byte) (metrics, error) {
	m := metrics{}
	scanner := bufio.NewScanner(bytes.NewReader(text))
	for scanner.Scan() {
		line := scanner.Text()
		space := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || space < 0 {
			continue
		}
		value, err := strconv.ParseFloat(line[space+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("read metrics: %w", err)
		}
		m[line[:space]] = value
	}
	return m, scanner.Err()
}

// sum adds up a metric over all labels.
func (m metrics) sum(name string) (total float64) {
	for series, value := range m {
		if series == name || strings.HasPrefix(series, name+"{") {
			total += value
		}
	}
	return total
}

// lag says how long events took from their commit to their effect in a consumer, as the buckets of the histogram tell:
// the percentiles are upper bounds.
type lag struct {
	Consumer string        `json:"consumer"`
	Events   int64         `json:"events"`
	P50      time.Duration `json:"p50_ns"`
	P99      time.Duration `json:"p99_ns"`
}

const lagMetric = "shopd_event_lag_seconds_bucket"

func (s *shop) lagsSince(ctx context.Context, before metrics) ([]lag, error) {
	after, err := s.metrics(ctx)
	if err != nil {
		return nil, err
	}
	return lags(before, after), nil
}

type bucket struct{ bound, count float64 }

// lags are the percentiles of what came between two scrapes.
func lags(before, after metrics) []lag {
	consumers := map[string][]bucket{}
	for series, count := range after {
		consumer, bound, ok := lagBucket(series)
		if ok {
			consumers[consumer] = append(consumers[consumer], bucket{bound, count - before[series]})
		}
	}
	var list []lag
	for consumer, buckets := range consumers {
		slices.SortFunc(buckets, func(a, b bucket) int { return cmp.Compare(a.bound, b.bound) })
		total := buckets[len(buckets)-1].count
		if total == 0 {
			continue
		}
		list = append(list, lag{consumer, int64(total), boundOf(buckets, total*0.50), boundOf(buckets, total*0.99)})
	}
	slices.SortFunc(list, func(a, b lag) int { return strings.Compare(a.Consumer, b.Consumer) })
	return list
}

// lagBucket reads the labels of a series of the lag; the last bound is infinite.
func lagBucket(series string) (consumer string, bound float64, ok bool) {
	labels, ok := strings.CutPrefix(series, lagMetric+"{")
	if !ok {
		return "", 0, false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(labels, "}"), ",") {
		name, value, _ := strings.Cut(label, "=")
		value = strings.Trim(value, `"`)
		switch name {
		case "consumer":
			consumer = value
		case "le":
			var err error
			if bound, err = strconv.ParseFloat(value, 64); err != nil {
				return "", 0, false
			}
		}
	}
	return consumer, bound, true
}

func boundOf(buckets []bucket, rank float64) time.Duration {
	for _, b := range buckets {
		if b.count >= rank && !math.IsInf(b.bound, 1) {
			return time.Duration(b.bound * float64(time.Second))
		}
	}
	return time.Duration(math.MaxInt64)
}
