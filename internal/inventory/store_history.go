package inventory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// monthsAhead is how far ahead partitions are there: a month without its partition could not be written.
	monthsAhead = 3
	// historyLimit bounds the days of one question, and of one run that makes up for runs that did not happen.
	historyLimit = 400
	// clockMargin is how far the clocks of two replicas may be apart when the day turns.
	clockMargin = time.Hour
	oneDay      = 24 * time.Hour
)

const lastFilledSQL = `
select max(day)
from inventory.daily_stock`

const firstMovementSQL = `
select at
from inventory.movements
order by id
limit 1`

const makePartitionsSQL = `
select inventory.make_daily_partitions($1::date, $2::integer)`

// fillDaySQL writes a day anew from the movements, for the stock rows that have changed since it began. What was there
// at its end is what is there now without what has moved since, so the order in which days are filled does not matter.
const fillDaySQL = `
with touched as (
    select s.sku, s.location, s.on_hand, s.reserved
    from inventory.stock as s
    where s.updated_at >= $4
), moved as (
    select
        t.sku, t.location, t.on_hand, t.reserved,
        count(*) filter (where m.at < $3) as movements,
        coalesce(sum(m.quantity) filter (where m.at < $3 and m.kind = 'received'), 0) as received,
        coalesce(sum(m.quantity) filter (where m.at < $3 and m.kind = 'sold'), 0) as sold,
        coalesce(sum(m.quantity) filter (where m.at < $3 and m.kind = 'returned'), 0) as returned,
        coalesce(sum(m.quantity) filter (where m.at < $3 and m.kind = 'adjusted'), 0) as adjusted,
        coalesce(sum(m.quantity) filter (where m.at < $3 and m.kind = 'transferred'), 0) as transferred,
        coalesce(sum(m.quantity) filter (where m.at < $3 and m.kind = 'reserved'), 0) as promised,
        coalesce(sum(m.quantity) filter (where m.at < $3 and m.kind = 'released'), 0) as released,
        coalesce(sum(m.quantity) filter (where m.at >= $3 and m.kind not in ('reserved', 'released')), 0) as on_hand_since,
        coalesce(sum(m.quantity) filter (where m.at >= $3 and m.kind in ('reserved', 'released', 'sold')), 0) as reserved_since
    from touched as t
    join inventory.movements as m on m.sku = t.sku and m.location = t.location
    where m.at >= $2
    group by t.sku, t.location, t.on_hand, t.reserved
)
insert into inventory.daily_stock as d (
    day, sku, location, received, sold, returned, adjusted, transferred, reserved, released, closing_on_hand, closing_reserved, filled_at
)
select $1, sku, location, received, sold, returned, adjusted, transferred, promised, released, on_hand - on_hand_since, reserved - reserved_since, $5
from moved
where movements > 0
order by sku, location
on conflict (day, sku, location) do update
set received = excluded.received, sold = excluded.sold, returned = excluded.returned, adjusted = excluded.adjusted,
    transferred = excluded.transferred, reserved = excluded.reserved, released = excluded.released,
    closing_on_hand = excluded.closing_on_hand, closing_reserved = excluded.closing_reserved, filled_at = excluded.filled_at
where (d.received, d.sold, d.returned, d.adjusted, d.transferred, d.reserved, d.released, d.closing_on_hand, d.closing_reserved)
    is distinct from (
        excluded.received, excluded.sold, excluded.returned, excluded.adjusted, excluded.transferred, excluded.reserved, excluded.released,
        excluded.closing_on_hand, excluded.closing_reserved
    )`

// FillHistory brings the history up to date: today, yesterday, and every day before that a run was missed for. It makes
// partitions for what comes. Running it again changes nothing that has not moved.
func (s *Service) FillHistory(ctx context.Context) error {
	today := s.now().Truncate(oneDay)
	from, err := s.historyGap(ctx, today)
	if err != nil {
		return fmt.Errorf("find where the stock's history ends: %w", err)
	}
	months := int(today.Sub(from)/(28*oneDay)) + 1 + monthsAhead
	if _, err := s.db.Exec(ctx, makePartitionsSQL, from, months); err != nil {
		return fmt.Errorf("make partitions of the stock's history: %w", err)
	}
	for day := from; !day.After(today); day = day.Add(oneDay) {
		if _, err := s.db.Exec(ctx, fillDaySQL, day, day, day.Add(oneDay), day.Add(-clockMargin), s.now()); err != nil {
			return fmt.Errorf("fill the stock's history of %s: %w", day.Format(time.DateOnly), err)
		}
	}
	return nil
}

// historyGap is the first day that is to be filled.
func (s *Service) historyGap(ctx context.Context, today time.Time) (time.Time, error) {
	var last *time.Time
	if err := s.db.QueryRow(ctx, lastFilledSQL).Scan(&last); err != nil {
		return today, err
	}
	from := today.Add(-oneDay)
	if last != nil {
		// The last day that is there may have been filled before it was over, and before movements that came late.
		from = earlier(from, last.Add(-oneDay))
	} else {
		var first time.Time
		err := s.db.QueryRow(ctx, firstMovementSQL).Scan(&first)
		if errors.Is(err, pgx.ErrNoRows) {
			return from, nil
		}
		if err != nil {
			return today, err
		}
		from = earlier(from, first.UTC().Truncate(oneDay))
	}
	if oldest := today.Add(-historyLimit * oneDay); from.Before(oldest) {
		from = oldest
	}
	return from, nil
}

const historySQL = `
select d.day, d.location, d.received, d.sold, d.returned, d.adjusted, d.transferred, d.reserved, d.released, d.closing_on_hand, d.closing_reserved
from inventory.daily_stock as d
where d.sku = $1 and d.day between $2 and $3
order by d.day, d.location`

// beforeSQL is the last day before the asked ones on which anything moved, for each location.
const beforeSQL = `
select distinct on (d.location)
    d.day, d.location, d.received, d.sold, d.returned, d.adjusted, d.transferred, d.reserved, d.released, d.closing_on_hand, d.closing_reserved
from inventory.daily_stock as d
where d.sku = $1 and d.day < $2
order by d.location, d.day desc`

// History returns the days from the first to the last one for each location that had the article by then: also days
// on which nothing moved.
func (s *Service) History(ctx context.Context, sku string, from, to time.Time) ([]Day, error) {
	if err := checkPeriod(from, to); err != nil {
		return nil, err
	}
	rows, err := s.db.Query(ctx, historySQL, sku, from, to)
	if err != nil {
		return nil, fmt.Errorf("read the history of %s: %w", sku, err)
	}
	moved, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Day])
	if err != nil {
		return nil, fmt.Errorf("read the history of %s: %w", sku, err)
	}
	if rows, err = s.db.Query(ctx, beforeSQL, sku, from); err != nil {
		return nil, fmt.Errorf("read the history of %s: %w", sku, err)
	}
	before, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Day])
	if err != nil {
		return nil, fmt.Errorf("read the history of %s: %w", sku, err)
	}
	return everyDay(before, moved, from, to), nil
}

const totalsSQL = `
select
    d.day, count(distinct d.sku), sum(d.received)::bigint, sum(d.sold)::bigint, sum(d.returned)::bigint, sum(d.adjusted)::bigint,
    sum(d.reserved)::bigint, sum(d.released)::bigint
from inventory.daily_stock as d
where d.day between $1 and $2
group by d.day
order by d.day`

// Totals returns what moved of all articles on the days from the first to the last one; days on which nothing did are
// left out.
func (s *Service) Totals(ctx context.Context, from, to time.Time) ([]DayTotal, error) {
	if err := checkPeriod(from, to); err != nil {
		return nil, err
	}
	rows, err := s.db.Query(ctx, totalsSQL, from, to)
	if err != nil {
		return nil, fmt.Errorf("sum up the stock's history: %w", err)
	}
	days, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DayTotal])
	if err != nil {
		return nil, fmt.Errorf("sum up the stock's history: %w", err)
	}
	return days, nil
}
