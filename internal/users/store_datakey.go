package users

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/postgres"
)

// insertDataKey reports whether it was inserted: false when subject has a key already.
func insertDataKey(ctx context.Context, q postgres.Querier, subject string, wrapped []byte) (bool, error) {
	const sql = `
insert into users.data_keys (subject, wrapped)
values ($1, $2)
on conflict (subject) do nothing`
	tag, err := q.Exec(ctx, sql, subject, wrapped)
	return tag.RowsAffected() == 1, err
}

func selectDataKey(ctx context.Context, q postgres.Querier, subject string) (wrapped []byte, err error) {
	const sql = `select wrapped from users.data_keys where subject = $1`
	err = q.QueryRow(ctx, sql, subject).Scan(&wrapped)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrErased
	}
	return wrapped, err
}

// ensureDataKey returns the wrapped key that subject has, or wrapped as their new one with made. It returns ErrErased when
// a key was committed while the statement ran: the next call sees it.
func ensureDataKey(ctx context.Context, q postgres.Querier, subject string, wrapped []byte) (stored []byte, made bool, err error) {
	const sql = `
with made as (
    insert into users.data_keys (subject, wrapped)
    select $1::text, $2::bytea
    where not exists (select from users.data_keys where subject = $1)
    on conflict (subject) do nothing
    returning wrapped
)
select wrapped, true from made
union all
select wrapped, false from users.data_keys where subject = $1`
	err = q.QueryRow(ctx, sql, subject, wrapped).Scan(&stored, &made)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, ErrErased
	}
	return stored, made, err
}

// selectWrapped returns the keys that there are of subjects.
func selectWrapped(ctx context.Context, q postgres.Querier, subjects []string) ([]wrappedKey, error) {
	const sql = `
select subject, wrapped
from users.data_keys
where subject = any($1::text[])`
	rows, err := q.Query(ctx, sql, subjects)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[wrappedKey])
}

func deleteDataKeys(ctx context.Context, q postgres.Querier, subjects []string) error {
	const sql = `delete from users.data_keys where subject = any($1::text[])`
	_, err := q.Exec(ctx, sql, subjects)
	return err
}

func deleteDataKey(ctx context.Context, q postgres.Querier, subject string) error {
	const sql = `delete from users.data_keys where subject = $1`
	_, err := q.Exec(ctx, sql, subject)
	return err
}

type wrappedKey struct {
	Subject string
	Wrapped []byte
}

// selectDataKeys pages through all keys in the order of their subjects.
func selectDataKeys(ctx context.Context, q postgres.Querier, after string, limit int) ([]wrappedKey, error) {
	const sql = `
select subject, wrapped
from users.data_keys
where subject > $1
order by subject
limit $2`
	rows, err := q.Query(ctx, sql, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[wrappedKey])
}

// replaceDataKey puts a new wrapping in the place of old; nothing happens when the key changed or went meanwhile.
func replaceDataKey(ctx context.Context, q postgres.Querier, subject string, old, wrapped []byte) error {
	const sql = `update users.data_keys set wrapped = $3 where subject = $1 and wrapped = $2`
	_, err := q.Exec(ctx, sql, subject, old, wrapped)
	return err
}

// countPeppers counts passwords by the pepper that stands before their first "$".
func countPeppers(ctx context.Context, q postgres.Querier) (map[string]int, error) {
	const sql = `
select split_part(password_hash, '$', 1), count(*)
from (
    select password_hash from users.customers where password_hash is not null
    union all
    select password_hash from users.staff where password_hash is not null
) p
group by 1`
	rows, err := q.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	var pepper string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&pepper, &n}, func() error {
		counts[pepper] = n
		return nil
	})
	return counts, err
}
