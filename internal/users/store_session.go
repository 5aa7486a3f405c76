package users

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/postgres"
)

// insertCustomerSession opens a session unless the account changed since its row was read: then it returns
// ErrInvalidCredentials. The share lock makes a change that is under way go first.
func insertCustomerSession(ctx context.Context, tx pgx.Tx, id string, c customerRow, now, expires time.Time) error {
	const sql = `
insert into users.sessions (id, customer_id, session_version, created_at, last_seen_at, expires_at)
select $1, c.id, c.session_version, $4, $4, $5
from users.customers c
where c.id = $2 and c.session_version = $3 and c.status = 'active'
for share`
	tag, err := tx.Exec(ctx, sql, id, c.ID, c.SessionVersion, now, expires)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrInvalidCredentials
	}
	return err
}

// customerSession reads what decides about a request of the session. A session that is not there has ended.
func customerSession(ctx context.Context, q postgres.Querier, id string, now time.Time) (sessionState, error) {
	const sql = `
select s.customer_id, s.session_version,
    s.revoked_at is not null or s.expires_at <= $2 or c.session_version <> s.session_version,
    c.status <> 'active'
from users.sessions s
join users.customers c on c.id = s.customer_id
where s.id = $1`
	var state sessionState
	err := q.QueryRow(ctx, sql, id, now).Scan(&state.Account, &state.Version, &state.Ended, &state.Closed)
	if errors.Is(err, pgx.ErrNoRows) {
		return sessionState{Ended: true}, nil
	}
	return state, err
}

// revokeSession ends one session; ending an ended one changes nothing.
func revokeSession(ctx context.Context, q postgres.Querier, id, because string, now time.Time) error {
	const sql = `
update users.sessions
set revoked_at = $2, revoked_because = $3
where id = $1 and revoked_at is null`
	_, err := q.Exec(ctx, sql, id, now, because)
	return err
}

// revokeCustomerSessions ends all sessions of a customer and returns their ids.
func revokeCustomerSessions(ctx context.Context, tx pgx.Tx, id CustomerID, because string, now time.Time) ([]string, error) {
	const sql = `
update users.sessions
set revoked_at = $2, revoked_because = $3
where customer_id = $1 and revoked_at is null
returning id`
	rows, err := tx.Query(ctx, sql, id, now, because)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// refreshRow is a refresh token with what decides whether it may be used.
type refreshRow struct {
	SessionID       string
	ExpiresAt       time.Time
	UsedAt          *time.Time
	SuccessorSealed []byte
	SessionEnded    bool
	CustomerID      CustomerID
	SessionVersion  int64
	AccountClosed   bool
}

// lockRefreshToken reads a token so that only one of several that present it goes on; the others wait. It returns
// ErrInvalidToken for one that never was or has been purged.
func lockRefreshToken(ctx context.Context, tx pgx.Tx, hash []byte, now time.Time) (refreshRow, error) {
	const sql = `
select r.session_id, r.expires_at, r.used_at, r.successor_sealed,
    s.revoked_at is not null or s.expires_at <= $2 or c.session_version <> s.session_version,
    c.id, s.session_version, c.status <> 'active'
from users.refresh_tokens r
join users.sessions s on s.id = r.session_id
join users.customers c on c.id = s.customer_id
where r.token_hash = $1
for update of r`
	rows, err := tx.Query(ctx, sql, hash, now)
	if err != nil {
		return refreshRow{}, err
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[refreshRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return row, ErrInvalidToken
	}
	return row, err
}

func insertRefreshToken(ctx context.Context, tx pgx.Tx, hash []byte, session string, now, expires time.Time) error {
	const sql = `
insert into users.refresh_tokens (token_hash, session_id, created_at, expires_at)
values ($1, $2, $3, $4)`
	_, err := tx.Exec(ctx, sql, hash, session, now, expires)
	return err
}

func markRefreshTokenUsed(ctx context.Context, tx pgx.Tx, hash, successorSealed []byte, now time.Time) error {
	const sql = `
update users.refresh_tokens
set used_at = $2, successor_sealed = $3
where token_hash = $1`
	_, err := tx.Exec(ctx, sql, hash, now, successorSealed)
	return err
}

// extendSession moves the end of a session that is used.
func extendSession(ctx context.Context, q postgres.Querier, id string, now, expires time.Time) error {
	const sql = `update users.sessions set last_seen_at = $2, expires_at = $3 where id = $1`
	_, err := q.Exec(ctx, sql, id, now, expires)
	return err
}

// sessionOfRefreshToken returns the session a refresh token belongs to, errs.ErrNotFound without one.
func sessionOfRefreshToken(ctx context.Context, q postgres.Querier, hash []byte) (id string, err error) {
	const sql = `select session_id from users.refresh_tokens where token_hash = $1`
	err = q.QueryRow(ctx, sql, hash).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", errs.ErrNotFound
	}
	return id, err
}

// SessionInfo is a session as its owner sees it.
type SessionInfo struct {
	ID         string     `json:"id"`
	CreatedAt  time.Time  `json:"created_at"`
	LastSeenAt time.Time  `json:"last_seen_at"`
	ExpiresAt  time.Time  `json:"expires_at"`
	RevokedAt  *time.Time `json:"revoked_at,omitempty"`
}

func selectCustomerSessions(ctx context.Context, q postgres.Querier, id CustomerID) ([]SessionInfo, error) {
	const sql = `
select id, created_at, last_seen_at, expires_at, revoked_at
from users.sessions
where customer_id = $1
order by id`
	rows, err := q.Query(ctx, sql, id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[SessionInfo])
}

// purgeSessions deletes a batch of what ended before the given time, refresh tokens with it.
func purgeSessions(ctx context.Context, q postgres.Querier, before time.Time, limit int) (int64, error) {
	const sql = `
delete from users.sessions
where id in (select id from users.sessions where expires_at < $1 order by expires_at limit $2)`
	tag, err := q.Exec(ctx, sql, before, limit)
	return tag.RowsAffected(), err
}
