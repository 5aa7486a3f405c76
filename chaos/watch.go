package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/rig"
)

const (
	stockEvery = 100 * time.Millisecond
	booksEvery = time.Second
	// unknownLimit is how long a payment may be without a known outcome.
	unknownLimit = 5 * time.Minute
)

// watch looks at the books all the time, not only at the end, on a connection that no fault but the server's own end
// disturbs.
type watch struct {
	s    *stand
	stop context.CancelFunc
	done sync.WaitGroup

	mu       sync.Mutex
	looks    map[string]int      // how often each check was made
	breaches map[string][]string // by promise
	since    map[string]time.Time
	longest  time.Duration // that a payment was unknown
	overdue  []overdue
}

// overdue is how long an unpaid order had waited beyond its time for somebody to end it.
type overdue struct {
	at time.Time
	by time.Duration
}

func startWatch(ctx context.Context, s *stand) *watch {
	w := &watch{s: s, looks: map[string]int{}, breaches: map[string][]string{}, since: map[string]time.Time{}}
	ctx, w.stop = context.WithCancel(ctx)
	w.done.Go(func() { w.every(ctx, stockEvery, w.stock) })
	w.done.Go(func() { w.every(ctx, booksEvery, w.books) })
	return w
}

func (w *watch) close() {
	w.stop()
	w.done.Wait()
}

func (w *watch) every(ctx context.Context, d time.Duration, look func(context.Context) error) {
	for rig.Pause(ctx, d) == nil {
		looking, cancel := context.WithTimeout(ctx, 5*time.Second)
		_ = look(looking) // the server is away: there is nothing to see
		cancel()
	}
}

// note writes down what a look found.
func (w *watch) note(promise string, found []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks[promise]++
	const enough = 20
	if len(w.breaches[promise]) < enough {
		w.breaches[promise] = append(w.breaches[promise], found...)
	}
}

// texts runs a statement whose rows are one text each.
func (s *stand) texts(ctx context.Context, sql string) ([]string, error) {
	rows, err := s.db.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

const negativeStockSQL = `
select format('%s at %s: on hand %s, reserved %s, available %s', sku, location, on_hand, reserved, available)
from public_views.v_stock
where on_hand < 0 or reserved < 0 or available < 0`

func (w *watch) stock(ctx context.Context) error {
	found, err := w.s.texts(ctx, negativeStockSQL)
	if err == nil {
		w.note("I4", found)
	}
	return err
}

// oversoldSQL compares what paid orders took with what ever came in, or came back from them, for what is scarce.
const oversoldSQL = `
select format('%s: %s sold, %s ever there', sold.sku, sold.quantity, had.quantity)
from (
    select l.sku, sum(l.quantity) as quantity
    from public_views.v_order_lines as l
    join public_views.v_orders as o using (order_id)
    where o.status in ('paid', 'partially_fulfilled', 'fulfilled', 'completed') and (l.sku like 'SCARCE%' or l.sku like 'FLASH%')
    group by l.sku
) as sold
left join (
    select m.sku, sum(m.quantity) as quantity
    from public_views.v_stock_movements as m
    left join public_views.v_orders as o using (order_id)
    where m.kind in ('received', 'adjusted') or m.kind = 'returned' and o.status in ('paid', 'partially_fulfilled', 'fulfilled', 'completed')
    group by m.sku
) as had using (sku)
where sold.quantity > coalesce(had.quantity, 0)`

// doubleChargeSQL finds orders with more than one payment whose money was not given back.
const doubleChargeSQL = `
select format('order %s: %s', order_id, string_agg(format('%s %s captured %s refunded %s', payment_id, status, captured, refunded), ', '))
from public_views.v_payments
where captured > refunded
group by order_id
having count(*) > 1`

const unresolvedSQL = `
select payment_id
from public_views.v_payments
where status in ('sending', 'unknown')`

// overdueSQL says how long the oldest unpaid order waits beyond its time to be ended.
const overdueSQL = `
select coalesce(extract(epoch from max(now() - pay_by)), 0)::float8
from orders.orders
where status = 'pending_payment' and pay_by < now()`

func (w *watch) books(ctx context.Context) error {
	w.note("I1", w.s.bank.twice())
	for promise, sql := range map[string]string{"I1": doubleChargeSQL, "I4": oversoldSQL, "I12": overusedSQL} {
		found, err := w.s.texts(ctx, sql)
		if err != nil {
			return err
		}
		w.note(promise, found)
	}
	unresolved, err := w.s.texts(ctx, unresolvedSQL)
	if err != nil {
		return err
	}
	w.age(unresolved)
	var late float64
	if err := w.s.db.QueryRow(ctx, overdueSQL).Scan(&late); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.overdue = append(w.overdue, overdue{time.Now(), time.Duration(late * float64(time.Second))})
	return nil
}

// age follows how long payments have been without an outcome.
func (w *watch) age(unresolved []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	still := make(map[string]time.Time, len(unresolved))
	w.looks["I14"]++
	for _, id := range unresolved {
		since, known := w.since[id]
		if !known {
			since = now
		}
		still[id] = since
		age := now.Sub(since)
		w.longest = max(w.longest, age)
		if age > unknownLimit && age < unknownLimit+2*booksEvery {
			w.breaches["I14"] = append(w.breaches["I14"], fmt.Sprintf("payment %s is without an outcome for %s", id, age.Round(time.Second)))
		}
	}
	w.since = still
}
