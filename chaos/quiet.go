package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"shopd/internal/rig"
)

const (
	// quietPatience is the promise of I10 and a half: two minutes after everything is healed nothing is half done. What
	// is on top is for the pauses of mails that the server refused, which grow.
	quietPatience = 4 * time.Minute
	quietEvery    = 500 * time.Millisecond
	// quietRounds is how often in a row nothing may wait.
	quietRounds = 4
)

// waitingSQL names what is still to be done, and how much of it there is.
const waitingSQL = `
select format('%s %s', n, what)
from (
    select 'events to publish' as what, count(*) as n from platform.outbox where published_at is null
    union all select 'events to handle again', count(*) from platform.event_retries
    union all select 'orders that wait for money', count(*) from orders.orders where status = 'pending_payment'
    union all select 'payments without an outcome', count(*) from payments.payments where status in ('sending', 'unknown')
    union all select 'refunds without an answer', count(*) from payments.refunds where status <> 'succeeded'
    union all select 'webhooks to work on', count(*) from payments.webhooks where status = 'received'
    union all select 'refunds of orders', count(*) from orders.refunds where state in ('promised', 'accepted')
    union all select 'uses of coupons that are held', count(*) from pricing.redemptions where state = 'held'
    union all select 'reservations that are held', count(*) from inventory.reservations where state = 'held'
    union all select 'mails to send', count(*) from jobs.river_job where kind = 'mail.send' and state in ('available', 'running', 'retryable', 'scheduled', 'pending')
    union all select 'products to index', count(*) from catalog.products where indexed_version < card_version or card is null
) as waiting
where n > 0`

// awaitQuiet waits until everything that follows from what was done has been done, and every event has been heard. What
// it returns did not come to an end in time.
func (s *stand) awaitQuiet(ctx context.Context) (left []string, took time.Duration, err error) {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	quiet, heard := 0, -1
	for {
		left, err = s.texts(ctx, waitingSQL)
		if err != nil && ctx.Err() == nil {
			return nil, 0, fmt.Errorf("look at what waits: %w", err)
		}
		if n := s.bank.pending(); n > 0 {
			left = append(left, fmt.Sprintf("%d webhooks under way", n))
		}
		_, messages := s.audit.counts()
		if len(left) == 0 && messages == heard {
			quiet++
		} else {
			quiet = 0
		}
		if heard = messages; quiet == quietRounds {
			return nil, time.Since(begin) - quietRounds*quietEvery, nil
		}
		if rig.Pause(ctx, quietEvery) != nil {
			if len(left) == 0 {
				left = []string{"the events do not end"}
			}
			return left, time.Since(begin), nil
		}
	}
}

// dropManual cancels the orders that wait for a transfer, which may take a week.
func (c *crowd) dropManual(ctx context.Context, s *stand) error {
	ids, err := s.texts(ctx, `
select o.id
from orders.orders as o
join payments.payments as p on p.order_id = o.id
where o.status = 'pending_payment' and p.status = 'created'`)
	if err != nil {
		return err
	}
	for _, id := range ids {
		a := c.merchant.call(ctx, adminAPI+"/orders/"+id+"/cancel", map[string]string{"reason": "never paid"}, "cancel-"+id)
		if !a.ok() && !strings.Contains(a.code(), "state") {
			return fmt.Errorf("cancel order %s: %s", id, a)
		}
	}
	return nil
}
