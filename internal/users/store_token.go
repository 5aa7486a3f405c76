package users

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/postgres"
)

// purpose is what a one-time token is good for.
type purpose string

const (
	verifyEmail   purpose = "verify_email"
	changeEmail   purpose = "change_email"
	resetPassword purpose = "reset_password"
	staffLogin    purpose = "staff_login"
)

// oneTimeToken belongs to a customer or to staff, and to the address they had when it was made.
type oneTimeToken struct {
	Hash           []byte
	Purpose        purpose
	CustomerID     *CustomerID
	StaffID        *StaffID
	EmailIndex     []byte
	NewEmailSealed []byte
	NewEmailIndex  []byte
	ExpiresAt      time.Time
}

func insertOneTimeToken(ctx context.Context, q postgres.Querier, t oneTimeToken, now time.Time) error {
	const sql = `
insert into users.one_time_tokens
    (token_hash, purpose, customer_id, staff_id, email_index, new_email_sealed, new_email_index, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	_, err := q.Exec(ctx, sql, t.Hash, t.Purpose, t.CustomerID, t.StaffID, t.EmailIndex, t.NewEmailSealed, t.NewEmailIndex, now, t.ExpiresAt)
	return err
}

// customerOfToken returns whose a token is without using it up, ErrExpiredToken when it is not valid.
func customerOfToken(ctx context.Context, q postgres.Querier, hash []byte, p purpose, now time.Time) (CustomerID, error) {
	const sql = `
select c.id
from users.one_time_tokens t
join users.customers c on c.id = t.customer_id and c.email_index = t.email_index
where t.token_hash = $1 and t.purpose = $2 and t.expires_at > $3 and c.status = 'active'`
	var id CustomerID
	err := q.QueryRow(ctx, sql, hash, p, now).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", ErrExpiredToken
	}
	return id, err
}

// redeemCustomerToken uses a token up and returns it. It returns ErrExpiredToken for one that is used, expired,
// for another purpose, or older than the address of its account.
func redeemCustomerToken(ctx context.Context, tx pgx.Tx, hash []byte, p purpose, now time.Time) (oneTimeToken, error) {
	const sql = `
delete from users.one_time_tokens t
using users.customers c
where t.token_hash = $1 and t.purpose = $2 and t.expires_at > $3
    and c.id = t.customer_id and c.email_index = t.email_index and c.status = 'active'
returning t.token_hash, t.purpose, t.customer_id, t.staff_id, t.email_index, t.new_email_sealed, t.new_email_index, t.expires_at`
	return oneToken(tx.Query(ctx, sql, hash, p, now))
}

// redeemStaffToken is redeemCustomerToken for staff.
func redeemStaffToken(ctx context.Context, tx pgx.Tx, hash []byte, p purpose, now time.Time) (oneTimeToken, error) {
	const sql = `
delete from users.one_time_tokens t
using users.staff s
where t.token_hash = $1 and t.purpose = $2 and t.expires_at > $3
    and s.id = t.staff_id and s.email_index = t.email_index and s.disabled_at is null
returning t.token_hash, t.purpose, t.customer_id, t.staff_id, t.email_index, t.new_email_sealed, t.new_email_index, t.expires_at`
	return oneToken(tx.Query(ctx, sql, hash, p, now))
}

func oneToken(rows pgx.Rows, err error) (oneTimeToken, error) {
	if err != nil {
		return oneTimeToken{}, err
	}
	t, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[oneTimeToken])
	if errors.Is(err, pgx.ErrNoRows) {
		return t, ErrExpiredToken
	}
	return t, err
}

// deleteCustomerTokens withdraws all one-time tokens of a customer.
func deleteCustomerTokens(ctx context.Context, tx pgx.Tx, id CustomerID) error {
	const sql = `delete from users.one_time_tokens where customer_id = $1`
	_, err := tx.Exec(ctx, sql, id)
	return err
}

// deleteTokensFor withdraws the tokens of a customer for one purpose: the newest link is the one that counts.
func deleteTokensFor(ctx context.Context, tx pgx.Tx, id CustomerID, p purpose) error {
	const sql = `delete from users.one_time_tokens where customer_id = $1 and purpose = $2`
	_, err := tx.Exec(ctx, sql, id, p)
	return err
}

func deleteStaffTokens(ctx context.Context, tx pgx.Tx, id StaffID) error {
	const sql = `delete from users.one_time_tokens where staff_id = $1`
	_, err := tx.Exec(ctx, sql, id)
	return err
}

func purgeTokens(ctx context.Context, q postgres.Querier, before time.Time, limit int) (int64, error) {
	const sql = `
delete from users.one_time_tokens
where token_hash in (select token_hash from users.one_time_tokens where expires_at < $1 order by expires_at limit $2)`
	tag, err := q.Exec(ctx, sql, before, limit)
	return tag.RowsAffected(), err
}
