package users

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/postgres"
)

//nolint:gosec // a statement, no key
const selectAPIKey = `
select id, name, hint, scopes, created_at, created_by, last_used_at, revoked_at
from users.api_keys`

func insertAPIKey(ctx context.Context, tx pgx.Tx, k APIKey, hash []byte) error {
	const sql = `
insert into users.api_keys (id, name, token_hash, hint, scopes, created_at, created_by)
values ($1, $2, $3, $4, $5, $6, $7)`
	_, err := tx.Exec(ctx, sql, k.ID, k.Name, hash, k.Hint, k.Scopes, k.CreatedAt, k.CreatedBy)
	return err
}

// apiKeyByHash returns ErrInvalidToken for a key that never was.
func apiKeyByHash(ctx context.Context, q postgres.Querier, hash []byte) (APIKey, error) {
	rows, err := q.Query(ctx, selectAPIKey+` where token_hash = $1`, hash)
	if err != nil {
		return APIKey{}, err
	}
	k, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[APIKey])
	if errors.Is(err, pgx.ErrNoRows) {
		return k, ErrInvalidToken
	}
	return k, err
}

func selectAPIKeys(ctx context.Context, q postgres.Querier) ([]APIKey, error) {
	rows, err := q.Query(ctx, selectAPIKey+` order by id desc`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[APIKey])
}

// touchAPIKey notes a use, unless another replica noted one since.
func touchAPIKey(ctx context.Context, q postgres.Querier, id string, now, since time.Time) error {
	const sql = `
update users.api_keys
set last_used_at = $2
where id = $1 and (last_used_at is null or last_used_at <= $3)`
	_, err := q.Exec(ctx, sql, id, now, since)
	return err
}

// revokeAPIKey returns errs.ErrNotFound for a key that is not there or revoked already.
func revokeAPIKey(ctx context.Context, tx pgx.Tx, id string, now time.Time) error {
	const sql = `update users.api_keys set revoked_at = $2 where id = $1 and revoked_at is null`
	return expectRow(tx.Exec(ctx, sql, id, now))
}

func insertAuditEntry(ctx context.Context, q postgres.Querier, e AuditEntry) error {
	detail := e.Detail
	if detail == nil {
		detail = map[string]any{}
	}
	encoded, err := json.Marshal(detail)
	if err != nil {
		return err
	}
	const sql = `
insert into users.audit_log (id, at, actor, action, object, detail)
values ($1, $2, $3, $4, $5, $6)`
	_, err = q.Exec(ctx, sql, e.ID, e.At, e.Actor, e.Action, e.Object, encoded)
	return err
}

// selectAuditLog pages through the log, the newest first; before is the id of the last entry seen.
func selectAuditLog(ctx context.Context, q postgres.Querier, before string, limit int) ([]AuditEntry, error) {
	const sql = `
select id, at, actor, action, object, detail
from users.audit_log
where $1 = '' or id < $1
order by id desc
limit $2`
	rows, err := q.Query(ctx, sql, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[AuditEntry])
}
