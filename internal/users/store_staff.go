package users

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"shopd/internal/platform/crypto"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/postgres"
)

// expectRow returns errs.ErrNotFound when a statement changed nothing.
func expectRow(tag pgconn.CommandTag, err error) error {
	if err == nil && tag.RowsAffected() == 0 {
		return errs.ErrNotFound
	}
	return err
}

// staffRow is a member of staff as stored.
type staffRow struct {
	ID             StaffID
	Role           Role
	EmailIndex     []byte
	EmailSealed    []byte
	NameSealed     []byte
	PasswordHash   string
	SessionVersion int64
	Version        int64
	DisabledAt     *time.Time
	CreatedAt      time.Time
}

const selectStaff = `
select id, role, email_index, email_sealed, name_sealed, coalesce(password_hash, ''), session_version, version,
    disabled_at, created_at
from users.staff`

func oneStaff(rows pgx.Rows, err error) (staffRow, error) {
	if err != nil {
		return staffRow{}, err
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[staffRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return row, errs.ErrNotFound
	}
	return row, err
}

func staffByEmail(ctx context.Context, q postgres.Querier, indexes [][]byte) (staffRow, error) {
	return oneStaff(q.Query(ctx, selectStaff+` where email_index = any($1)`, indexes))
}

func staffByID(ctx context.Context, q postgres.Querier, id StaffID) (staffRow, error) {
	return oneStaff(q.Query(ctx, selectStaff+` where id = $1`, id))
}

// selectAllStaff is small: a shop has few people.
func selectAllStaff(ctx context.Context, q postgres.Querier) ([]staffRow, error) {
	rows, err := q.Query(ctx, selectStaff+` order by id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[staffRow])
}

// lockOwners makes changes of who owns the shop wait for each other, and returns the active owners.
func lockOwners(ctx context.Context, tx pgx.Tx) ([]StaffID, error) {
	const sql = `
select id
from users.staff
where role = 'owner' and disabled_at is null
order by id
for update`
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[StaffID])
}

func (r staffRow) open(key *crypto.DataKey) (Staff, error) {
	s := Staff{
		ID: r.ID, Role: r.Role, HasPassword: r.PasswordHash != "", Disabled: r.DisabledAt != nil,
		Version: r.Version, CreatedAt: r.CreatedAt.UTC(),
	}
	email, err := openText(key, "staff|email", string(r.ID), r.EmailSealed)
	if err != nil {
		return Staff{}, err
	}
	s.Email = Email(email)
	s.Name, err = openText(key, "staff|name", string(r.ID), r.NameSealed)
	return s, err
}

// insertStaff returns ErrStaffExists when the address has an account.
func insertStaff(ctx context.Context, tx pgx.Tx, r staffRow) error {
	const sql = `
insert into users.staff (id, role, email_index, email_sealed, name_sealed, password_hash, created_at, updated_at)
values ($1, $2, $3, $4, $5, nullif($6, ''), $7, $7)`
	_, err := tx.Exec(ctx, sql, r.ID, r.Role, r.EmailIndex, r.EmailSealed, r.NameSealed, r.PasswordHash, r.CreatedAt)
	if postgres.Violates(err, "staff_email_index_key") {
		return ErrStaffExists
	}
	return err
}

// updateStaff stores role, password and whether r is disabled, and outdates every session.
func updateStaff(ctx context.Context, tx pgx.Tx, r staffRow, now time.Time) error {
	const sql = `
update users.staff
set role = $2, password_hash = nullif($3, ''), disabled_at = $4,
    session_version = session_version + 1, version = version + 1, updated_at = $5
where id = $1`
	return expectRow(tx.Exec(ctx, sql, r.ID, r.Role, r.PasswordHash, r.DisabledAt, now))
}

func refreshStaffHash(ctx context.Context, q postgres.Querier, id StaffID, old, hash string) error {
	const sql = `update users.staff set password_hash = $3 where id = $1 and password_hash = $2`
	_, err := q.Exec(ctx, sql, id, old, hash)
	return err
}

func replaceStaffIndex(ctx context.Context, q postgres.Querier, id StaffID, old, index []byte) error {
	const sql = `update users.staff set email_index = $3 where id = $1 and email_index = $2`
	_, err := q.Exec(ctx, sql, id, old, index)
	return err
}

// insertStaffSession opens a session unless the account changed since its row was read: then it returns
// ErrInvalidCredentials.
func insertStaffSession(ctx context.Context, tx pgx.Tx, id string, hash []byte, s staffRow, now, expires time.Time) error {
	const sql = `
insert into users.sessions (id, staff_id, token_hash, session_version, created_at, last_seen_at, expires_at)
select $1, s.id, $2, s.session_version, $5, $5, $6
from users.staff s
where s.id = $3 and s.session_version = $4 and s.disabled_at is null
for share`
	tag, err := tx.Exec(ctx, sql, id, hash, s.ID, s.SessionVersion, now, expires)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrInvalidCredentials
	}
	return err
}

// staffSession is what decides about a request with a cookie.
type staffSession struct {
	ID         string
	StaffID    StaffID
	Role       Role
	Ended      bool
	LastSeenAt time.Time
}

// staffSessionByToken returns ErrInvalidToken for a cookie that never was or has been purged.
func staffSessionByToken(ctx context.Context, q postgres.Querier, hash []byte, now time.Time) (staffSession, error) {
	const sql = `
select s.id, f.id, f.role,
    s.revoked_at is not null or s.expires_at <= $2 or f.session_version <> s.session_version or f.disabled_at is not null,
    s.last_seen_at
from users.sessions s
join users.staff f on f.id = s.staff_id
where s.token_hash = $1`
	rows, err := q.Query(ctx, sql, hash, now)
	if err != nil {
		return staffSession{}, err
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[staffSession])
	if errors.Is(err, pgx.ErrNoRows) {
		return row, ErrInvalidToken
	}
	return row, err
}

func revokeStaffSessions(ctx context.Context, tx pgx.Tx, id StaffID, because string, now time.Time) error {
	const sql = `
update users.sessions
set revoked_at = $2, revoked_because = $3
where staff_id = $1 and revoked_at is null`
	_, err := tx.Exec(ctx, sql, id, now, because)
	return err
}
