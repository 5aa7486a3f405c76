package users

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/crypto"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/postgres"
)

// errEmailTaken says that another account has the address. It never leaves the domain.
var errEmailTaken = errs.New(errs.Conflict, "email_taken", "The address belongs to another account.")

// customerRow is a customer as stored. The sealed columns are null once erased.
type customerRow struct {
	ID              CustomerID
	Status          Status
	EmailIndex      []byte
	EmailSealed     []byte
	NameSealed      []byte
	PhoneSealed     []byte
	PasswordHash    string
	EmailVerifiedAt *time.Time
	SessionVersion  int64
	Version         int64
	CreatedAt       time.Time
}

const selectCustomer = `
select id, status, email_index, email_sealed, name_sealed, phone_sealed, coalesce(password_hash, ''),
    email_verified_at, session_version, version, created_at
from users.customers`

func oneCustomer(rows pgx.Rows, err error) (customerRow, error) {
	if err != nil {
		return customerRow{}, err
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[customerRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return row, errs.ErrNotFound
	}
	return row, err
}

// customerByEmail finds a customer by the indexes their address has under each master key.
func customerByEmail(ctx context.Context, q postgres.Querier, indexes [][]byte) (customerRow, error) {
	return oneCustomer(q.Query(ctx, selectCustomer+` where email_index = any($1)`, indexes))
}

func customerByID(ctx context.Context, q postgres.Querier, id CustomerID) (customerRow, error) {
	return oneCustomer(q.Query(ctx, selectCustomer+` where id = $1`, id))
}

// lockCustomer is customerByID that keeps others from changing the row until the transaction ends.
func lockCustomer(ctx context.Context, tx pgx.Tx, id CustomerID) (customerRow, error) {
	return oneCustomer(tx.Query(ctx, selectCustomer+` where id = $1 for update`, id))
}

// open is the row in clear.
func (r customerRow) open(key *crypto.DataKey) (Customer, error) {
	c := Customer{ID: r.ID, Status: r.Status, EmailVerified: r.EmailVerifiedAt != nil, Version: r.Version, CreatedAt: r.CreatedAt.UTC()}
	id := string(r.ID)
	email, err := openText(key, "customers|email", id, r.EmailSealed)
	if err != nil {
		return Customer{}, err
	}
	c.Email = Email(email)
	if c.Name, err = openText(key, "customers|name", id, r.NameSealed); err != nil {
		return Customer{}, err
	}
	c.Phone, err = openText(key, "customers|phone", id, r.PhoneSealed)
	return c, err
}

// insertCustomer returns errEmailTaken when the address has an account.
func insertCustomer(ctx context.Context, tx pgx.Tx, r customerRow) error {
	const sql = `
insert into users.customers
    (id, status, email_index, email_sealed, name_sealed, password_hash, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $7)`
	_, err := tx.Exec(ctx, sql, r.ID, r.Status, r.EmailIndex, r.EmailSealed, r.NameSealed, r.PasswordHash, r.CreatedAt)
	if postgres.Violates(err, "customers_email_index_key") {
		return errEmailTaken
	}
	return err
}

// updateProfile replaces name and phone, returning errs.ErrStaleVersion when version is not the newest.
func updateProfile(ctx context.Context, tx pgx.Tx, id CustomerID, version int64, name, phone []byte, now time.Time) error {
	const sql = `
update users.customers
set name_sealed = $3, phone_sealed = $4, version = version + 1, updated_at = $5
where id = $1 and version = $2 and status = 'active'`
	tag, err := tx.Exec(ctx, sql, id, version, name, phone, now)
	if err == nil && tag.RowsAffected() == 0 {
		return errs.ErrStaleVersion
	}
	return err
}

// updatePassword sets a password the owner of the address chose, and outdates every session.
func updatePassword(ctx context.Context, tx pgx.Tx, id CustomerID, hash string, now time.Time) error {
	const sql = `
update users.customers
set password_hash = $2, email_verified_at = coalesce(email_verified_at, $3),
    session_version = session_version + 1, version = version + 1, updated_at = $3
where id = $1 and status = 'active'`
	_, err := tx.Exec(ctx, sql, id, hash, now)
	return err
}

// refreshHash stores the same password hashed anew, unless it was changed meanwhile.
func refreshHash(ctx context.Context, q postgres.Querier, id CustomerID, old, hash string) error {
	const sql = `update users.customers set password_hash = $3 where id = $1 and password_hash = $2`
	_, err := q.Exec(ctx, sql, id, old, hash)
	return err
}

// updateEmail returns errEmailTaken when another account has the address.
func updateEmail(ctx context.Context, tx pgx.Tx, id CustomerID, index, sealed []byte, now time.Time) error {
	const sql = `
update users.customers
set email_index = $2, email_sealed = $3, email_verified_at = $4, version = version + 1, updated_at = $4
where id = $1 and status = 'active'`
	_, err := tx.Exec(ctx, sql, id, index, sealed, now)
	if postgres.Violates(err, "customers_email_index_key") {
		return errEmailTaken
	}
	return err
}

func markEmailVerified(ctx context.Context, tx pgx.Tx, id CustomerID, now time.Time) error {
	const sql = `
update users.customers
set email_verified_at = $2, version = version + 1, updated_at = $2
where id = $1 and email_verified_at is null`
	_, err := tx.Exec(ctx, sql, id, now)
	return err
}

// updateStatus turns an account on or off, outdating every session. It returns errs.ErrNotFound for one that is
// not there or erased.
func updateStatus(ctx context.Context, tx pgx.Tx, id CustomerID, status Status, now time.Time) error {
	const sql = `
update users.customers
set status = $2, session_version = session_version + 1, version = version + 1, updated_at = $3
where id = $1 and status <> 'erased'`
	tag, err := tx.Exec(ctx, sql, id, status, now)
	if err == nil && tag.RowsAffected() == 0 {
		return errs.ErrNotFound
	}
	return err
}

// blankCustomer takes everything personal out of the row and returns its new version.
func blankCustomer(ctx context.Context, tx pgx.Tx, id CustomerID, now time.Time) (version int64, err error) {
	const sql = `
update users.customers
set status = 'erased', email_index = null, email_sealed = null, name_sealed = null, phone_sealed = null,
    password_hash = null, email_verified_at = null,
    session_version = session_version + 1, version = version + 1, updated_at = $2
where id = $1
returning version`
	err = tx.QueryRow(ctx, sql, id, now).Scan(&version)
	return version, err
}

// replaceIndex stores the index of the same address under a new master key.
func replaceIndex(ctx context.Context, q postgres.Querier, id CustomerID, old, index []byte) error {
	const sql = `update users.customers set email_index = $3 where id = $1 and email_index = $2`
	_, err := q.Exec(ctx, sql, id, old, index)
	return err
}
