package recs

import (
	"context"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/postgres"
)

const countSalesSQL = `
insert into recs.sales as s (product_id, pieces)
select w.product_id, w.pieces
from unnest($1::text[], $2::bigint[]) as w (product_id, pieces)
order by w.product_id
on conflict (product_id) do update
set pieces = s.pieces + excluded.pieces`

func countSales(ctx context.Context, tx pgx.Tx, sold map[string]int64) error {
	ids, pieces := make([]string, 0, len(sold)), make([]int64, 0, len(sold))
	for id, n := range sold {
		ids, pieces = append(ids, id), append(pieces, n)
	}
	_, err := tx.Exec(ctx, countSalesSQL, ids, pieces)
	return err
}

const countPairsSQL = `
insert into recs.pairs as p (product_id, other_id, orders)
select w.product_id, w.other_id, w.orders
from unnest($1::text[], $2::text[], $3::bigint[]) as w (product_id, other_id, orders)
order by w.product_id, w.other_id
on conflict (product_id, other_id) do update
set orders = p.orders + excluded.orders`

func countPairs(ctx context.Context, tx pgx.Tx, pairs map[[2]string]int64) error {
	if len(pairs) == 0 {
		return nil
	}
	ids, others, orders := make([]string, 0, len(pairs)), make([]string, 0, len(pairs)), make([]int64, 0, len(pairs))
	for pair, n := range pairs {
		ids, others, orders = append(ids, pair[0]), append(others, pair[1]), append(orders, n)
	}
	_, err := tx.Exec(ctx, countPairsSQL, ids, others, orders)
	return err
}

const togetherSQL = `
select other_id
from recs.pairs
where product_id = any ($1)
group by other_id
order by sum(orders) desc, other_id
limit $2`

// together is what is bought with any of some products.
func together(ctx context.Context, q postgres.Querier, productIDs []string, limit int) ([]string, error) {
	rows, err := q.Query(ctx, togetherSQL, productIDs, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

const mostWantedSQL = `
select product_id
from recs.sales
order by pieces desc, product_id
limit $1`

func mostWanted(ctx context.Context, q postgres.Querier, limit int) ([]string, error) {
	rows, err := q.Query(ctx, mostWantedSQL, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
