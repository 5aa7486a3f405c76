package pricing

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/money"
	"shopd/internal/platform/id"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// setPricesSQL closes the prices that change and opens the new ones, each with its event. A price that is what
// it was before stays untouched.
const setPricesSQL = `
with wanted as (
    select w.*
    from unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[], $9::text[], $10::text[])
        as w (variant_id, sku, currency, amount, compare_at, source, reason, event_id)
    order by w.variant_id, w.currency
), before as (
    select p.variant_id, p.currency, p.version, p.amount, p.compare_at
    from pricing.prices as p
    join wanted as w using (variant_id, currency)
    where p.valid_to is null
    order by p.variant_id, p.currency
    for update of p
), fresh as (
    select w.*, coalesce(b.version, 0) + 1 as version, (
        select min(h.amount)
        from pricing.prices as h
        where w.compare_at is not null and h.variant_id = w.variant_id and h.currency = w.currency
            and (h.valid_to is null or h.valid_to > $2::timestamptz - interval '30 days')
    ) as lowest_before
    from wanted as w
    left join before as b using (variant_id, currency)
    where b.version is null or b.amount <> w.amount or b.compare_at is distinct from w.compare_at
), closed as (
    update pricing.prices as p
    set valid_to = $2
    from fresh as f
    where p.variant_id = f.variant_id and p.currency = f.currency and p.valid_to is null and p.version = f.version - 1
    returning p.variant_id
), announced as (
    insert into platform.outbox (event_id, type, version, aggregate_id, aggregate_version, data, trace, occurred_at)
    select
        event_id, 'pricing.price_changed.v1', 1, variant_id || '/' || currency, version,
        json_build_object(
            'variant_id', variant_id, 'sku', sku, 'price', json_build_object('amount', amount, 'currency', currency),
            'compare_at_price', case when compare_at is not null then json_build_object('amount', compare_at, 'currency', currency) end,
            'lowest_price_30_days', case when lowest_before is not null then json_build_object('amount', lowest_before, 'currency', currency) end,
            'source', source, 'valid_from', $2::timestamptz, 'version', version
        ),
        $1, $2
    from fresh
)
select variant_id, sku, currency, amount, compare_at, lowest_before, source, reason, version
from fresh`

const openPricesSQL = `
insert into pricing.prices (variant_id, sku, currency, amount, compare_at, lowest_before, source, reason, version, valid_from)
select w.variant_id, w.sku, w.currency, w.amount, w.compare_at, w.lowest_before, w.source, w.reason, w.version, $1
from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::text[], $10::bigint[])
    as w (variant_id, sku, currency, amount, compare_at, lowest_before, source, reason, version)`

// oneWriterSQL lets price writers pass one after the other, over all replicas, until their transaction ends. A writer
// that waited for another one's row would find it closed and not see the new one beside it. Readers never wait.
const oneWriterSQL = `select pg_advisory_xact_lock(hashtext('pricing.prices'))`

// setPrices changes prices inside tx and returns those that changed.
func setPrices(ctx context.Context, tx pgx.Tx, changes []Change, now time.Time) ([]Price, error) {
	if _, err := tx.Exec(ctx, oneWriterSQL); err != nil {
		return nil, err
	}
	n := len(changes)
	variants, skus, currencies := make([]string, n), make([]string, n), make([]string, n)
	amounts, compareAts := make([]int64, n), make([]*int64, n)
	sources, reasons, eventIDs := make([]string, n), make([]string, n), make([]string, n)
	for i, c := range changes {
		variants[i], skus[i], currencies[i] = c.VariantID, c.SKU, string(c.Amount.Currency)
		amounts[i], sources[i], reasons[i], eventIDs[i] = c.Amount.Minor, string(c.Source), c.Reason, id.New("evt")
		if c.CompareAt != nil {
			compareAts[i] = &c.CompareAt.Minor
		}
	}
	rows, err := tx.Query(ctx, setPricesSQL, outbox.Trace(ctx), now, variants, skus, currencies, amounts, compareAts, sources, reasons, eventIDs)
	if err != nil {
		return nil, err
	}
	var fresh []Price
	variants, skus, currencies, amounts, compareAts, sources, reasons = nil, nil, nil, nil, nil, nil, nil
	var versions []int64
	var lowest []*int64
	var variant, sku, currency, source, reason string
	var amount, version int64
	var compareAt, lowestBefore *int64
	_, err = pgx.ForEachRow(rows, []any{&variant, &sku, &currency, &amount, &compareAt, &lowestBefore, &source, &reason, &version}, func() error {
		variants, skus, currencies, amounts = append(variants, variant), append(skus, sku), append(currencies, currency), append(amounts, amount)
		compareAts, sources, reasons, versions = append(compareAts, compareAt), append(sources, source), append(reasons, reason), append(versions, version)
		lowest = append(lowest, lowestBefore)
		fresh = append(fresh, price(variant, sku, currency, amount, compareAt, lowestBefore, version))
		return nil
	})
	if err != nil || len(fresh) == 0 {
		return nil, err
	}
	_, err = tx.Exec(ctx, openPricesSQL, now, variants, skus, currencies, amounts, compareAts, lowest, sources, reasons, versions)
	return fresh, err
}

func price(variant, sku, currency string, amount int64, compareAt, lowestBefore *int64, version int64) Price {
	optional := func(minor *int64) *money.Amount {
		if minor == nil {
			return nil
		}
		a := money.New(*minor, money.Currency(currency))
		return &a
	}
	return Price{
		VariantID: variant, SKU: sku, Amount: money.New(amount, money.Currency(currency)), CompareAt: optional(compareAt), LowestBefore: optional(lowestBefore),
		Version: version,
	}
}

const currentSQL = `
select variant_id, sku, currency, amount, compare_at, lowest_before, version
from pricing.prices
where variant_id = any($1::text[]) and currency = $2 and valid_to is null`

func current(ctx context.Context, q postgres.Querier, currency money.Currency, variantIDs []string) (map[string]Price, error) {
	rows, err := q.Query(ctx, currentSQL, variantIDs, string(currency))
	if err != nil {
		return nil, err
	}
	prices := make(map[string]Price, len(variantIDs))
	var variant, sku, code string
	var amount, version int64
	var compareAt, lowestBefore *int64
	_, err = pgx.ForEachRow(rows, []any{&variant, &sku, &code, &amount, &compareAt, &lowestBefore, &version}, func() error {
		prices[variant] = price(variant, sku, code, amount, compareAt, lowestBefore, version)
		return nil
	})
	return prices, err
}

const historySQL = `
select variant_id, sku, currency, amount, compare_at, lowest_before, version, source, reason, valid_from, valid_to
from pricing.prices
where variant_id = $1 and currency = $2
order by version desc
limit $3`

func history(ctx context.Context, q postgres.Querier, variantID string, currency money.Currency, limit int) ([]Record, error) {
	rows, err := q.Query(ctx, historySQL, variantID, string(currency), limit)
	if err != nil {
		return nil, err
	}
	var records []Record
	var r Record
	var variant, sku, code string
	var amount, version int64
	var compareAt, lowestBefore *int64
	_, err = pgx.ForEachRow(rows, []any{
		&variant, &sku, &code, &amount, &compareAt, &lowestBefore, &version, &r.Source, &r.Reason, &r.ValidFrom, &r.ValidTo,
	}, func() error {
		r.Price = price(variant, sku, code, amount, compareAt, lowestBefore, version)
		records = append(records, r)
		return nil
	})
	return records, err
}

const ratesSQL = `
select country, region, class, rate
from pricing.tax_rates`

const currenciesSQL = `
select code, prices_include_tax
from pricing.currencies`

func taxTable(ctx context.Context, q postgres.Querier) (*rates, error) {
	t := &rates{rate: map[place]int64{}, inclusive: map[money.Currency]bool{}}
	rows, err := q.Query(ctx, ratesSQL)
	if err != nil {
		return nil, err
	}
	var p place
	var rate int64
	if _, err = pgx.ForEachRow(rows, []any{&p.country, &p.region, &p.class, &rate}, func() error {
		t.rate[p] = rate
		return nil
	}); err != nil {
		return nil, err
	}
	rows, err = q.Query(ctx, currenciesSQL)
	if err != nil {
		return nil, err
	}
	var code string
	var inclusive bool
	_, err = pgx.ForEachRow(rows, []any{&code, &inclusive}, func() error {
		t.inclusive[money.Currency(code)] = inclusive
		return nil
	})
	return t, err
}
