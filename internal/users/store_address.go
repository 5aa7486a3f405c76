package users

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/crypto"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/postgres"
)

type addressRow struct {
	ID        AddressID
	Sealed    []byte
	IsDefault bool
	CreatedAt time.Time
	UpdatedAt time.Time
}

func addressContext(id AddressID) []byte { return []byte("addresses|address|" + id) }

func sealAddress(key *crypto.DataKey, id AddressID, a PostalAddress) ([]byte, error) {
	plain, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	return key.Seal(plain, addressContext(id))
}

func (r addressRow) open(key *crypto.DataKey) (Address, error) {
	a := Address{ID: r.ID, IsDefault: r.IsDefault, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC()}
	plain, err := key.Open(r.Sealed, addressContext(r.ID))
	if err != nil {
		return a, fmt.Errorf("open address %s: %w", r.ID, err)
	}
	return a, json.Unmarshal(plain, &a.PostalAddress)
}

func selectAddresses(ctx context.Context, q postgres.Querier, customer CustomerID) ([]addressRow, error) {
	const sql = `
select id, sealed, is_default, created_at, updated_at
from users.addresses
where customer_id = $1
order by is_default desc, id`
	rows, err := q.Query(ctx, sql, customer)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[addressRow])
}

// selectAddress returns errs.ErrNotFound for an address that is not the customer's.
func selectAddress(ctx context.Context, q postgres.Querier, customer CustomerID, id AddressID) (addressRow, error) {
	const sql = `
select id, sealed, is_default, created_at, updated_at
from users.addresses
where id = $1 and customer_id = $2`
	rows, err := q.Query(ctx, sql, id, customer)
	if err != nil {
		return addressRow{}, err
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[addressRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return row, errs.ErrNotFound
	}
	return row, err
}

func countAddresses(ctx context.Context, q postgres.Querier, customer CustomerID) (n int, err error) {
	const sql = `select count(*) from users.addresses where customer_id = $1`
	err = q.QueryRow(ctx, sql, customer).Scan(&n)
	return n, err
}

func insertAddress(ctx context.Context, tx pgx.Tx, customer CustomerID, r addressRow) error {
	const sql = `
insert into users.addresses (id, customer_id, sealed, is_default, created_at, updated_at)
values ($1, $2, $3, $4, $5, $5)`
	_, err := tx.Exec(ctx, sql, r.ID, customer, r.Sealed, r.IsDefault, r.CreatedAt)
	return err
}

// updateAddress returns errs.ErrNotFound for an address that is not the customer's.
func updateAddress(ctx context.Context, tx pgx.Tx, customer CustomerID, r addressRow) error {
	const sql = `
update users.addresses
set sealed = $3, is_default = $4, updated_at = $5
where id = $1 and customer_id = $2`
	return expectRow(tx.Exec(ctx, sql, r.ID, customer, r.Sealed, r.IsDefault, r.UpdatedAt))
}

// clearDefaultAddress makes room for another default.
func clearDefaultAddress(ctx context.Context, tx pgx.Tx, customer CustomerID) error {
	const sql = `update users.addresses set is_default = false where customer_id = $1 and is_default`
	_, err := tx.Exec(ctx, sql, customer)
	return err
}

// deleteAddress returns errs.ErrNotFound for an address that is not the customer's.
func deleteAddress(ctx context.Context, q postgres.Querier, customer CustomerID, id AddressID) error {
	const sql = `delete from users.addresses where id = $1 and customer_id = $2`
	return expectRow(q.Exec(ctx, sql, id, customer))
}

func deleteAddresses(ctx context.Context, tx pgx.Tx, customer CustomerID) error {
	const sql = `delete from users.addresses where customer_id = $1`
	_, err := tx.Exec(ctx, sql, customer)
	return err
}
