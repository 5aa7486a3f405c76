package users

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/postgres"
)

// ImportedCustomer is somebody who had an account elsewhere.
type ImportedCustomer struct {
	Email   string
	Name    string // may be empty
	Phone   string // may be empty
	Address *PostalAddress
	// Password is taken as it is: the rules are for what people choose here. Empty makes an account that nobody can
	// sign in to before the owner of the address has asked for a new password.
	Password  string
	Verified  bool      // the address is known to be theirs
	CreatedAt time.Time // of the account; zero is now
}

// ImportCustomers opens accounts, all of them or none, and returns their ids in the order of the list. An address
// that has an account keeps it as it is. Nobody is told: there are no mails and no events.
func (s *Service) ImportCustomers(ctx context.Context, list []ImportedCustomer) ([]CustomerID, error) {
	emails := make([]Email, len(list))
	for i := range list {
		var err error
		if emails[i], err = list[i].clean(); err != nil {
			return nil, fmt.Errorf("import customer %d: %w", i+1, err)
		}
	}
	hashes := make([]string, len(list))
	for i, c := range list {
		hashes[i] = s.hasher.dummy // well-formed, and no password makes it
		if c.Password == "" {
			continue
		}
		var err error
		if hashes[i], err = s.hasher.hash(ctx, c.Password); err != nil {
			return nil, err
		}
	}
	var ids []CustomerID
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		known, err := s.customersByEmail(ctx, tx, emails)
		if err != nil {
			return err
		}
		rows := importedRows{}
		ids = make([]CustomerID, len(list))
		for i, c := range list {
			if have, ok := known[emails[i]]; ok {
				ids[i] = have
				continue
			}
			if ids[i], err = s.sealImported(&rows, c, emails[i], hashes[i]); err != nil {
				return err
			}
			known[emails[i]] = ids[i]
		}
		return rows.insert(ctx, tx)
	})
	if err != nil {
		return nil, fmt.Errorf("import customers: %w", err)
	}
	return ids, nil
}

func (c *ImportedCustomer) clean() (Email, error) {
	email, err := ParseEmail(c.Email)
	if err != nil {
		return "", at(ErrInvalidEmail, "/email")
	}
	wrong := appendWrong(nil, "/name", &c.Name, 0, maxName)
	wrong = appendWrong(wrong, "/phone", &c.Phone, 0, maxPhone)
	if wrong != nil {
		return "", errs.Validation(wrong...)
	}
	if c.Address == nil {
		return email, nil
	}
	address := *c.Address
	c.Address = &address
	return email, c.Address.clean()
}

const customersByEmailSQL = `
select w.position, c.id
from unnest($1::int[], $2::bytea[]) as w (position, email_index)
join users.customers as c on c.email_index = w.email_index`

// customersByEmail returns the accounts that there are, also those indexed under an older master key.
func (s *Service) customersByEmail(ctx context.Context, q postgres.Querier, emails []Email) (map[Email]CustomerID, error) {
	var positions []int32
	var indexes [][]byte
	for i, email := range emails {
		for _, index := range s.indexes(email) {
			positions, indexes = append(positions, int32(i)), append(indexes, index)
		}
	}
	rows, err := q.Query(ctx, customersByEmailSQL, positions, indexes)
	if err != nil {
		return nil, err
	}
	known := make(map[Email]CustomerID, len(emails))
	var position int
	var customer CustomerID
	_, err = pgx.ForEachRow(rows, []any{&position, &customer}, func() error {
		known[emails[position]] = customer
		return nil
	})
	return known, err
}

// importedRows are rows of three tables, column by column, for one insert each.
type importedRows struct {
	ids                                  []string
	keys, indexes, emails, names, phones [][]byte
	hashes                               []string
	verified                             []*time.Time
	created                              []time.Time
	addressIDs, addressOwners            []string
	addresses                            [][]byte
	addressCreated                       []time.Time
}

// sealImported adds a customer under a key of their own.
func (s *Service) sealImported(rows *importedRows, c ImportedCustomer, email Email, hash string) (CustomerID, error) {
	customer := id.New(idPrefixCustomer)
	key, wrapped, err := s.vault.NewDataKey(customer)
	if err != nil {
		return "", err
	}
	created := c.CreatedAt.UTC()
	if c.CreatedAt.IsZero() {
		created = s.now()
	}
	var sealed [3][]byte
	for i, column := range []struct{ place, text string }{{"customers|email", string(email)}, {"customers|name", c.Name}, {"customers|phone", c.Phone}} {
		if sealed[i], err = sealText(key, column.place, customer, column.text); err != nil {
			return "", err
		}
	}
	var verified *time.Time
	if c.Verified {
		verified = &created
	}
	rows.ids, rows.keys, rows.indexes = append(rows.ids, customer), append(rows.keys, wrapped), append(rows.indexes, s.index(email))
	rows.emails, rows.names, rows.phones = append(rows.emails, sealed[0]), append(rows.names, sealed[1]), append(rows.phones, sealed[2])
	rows.hashes, rows.verified, rows.created = append(rows.hashes, hash), append(rows.verified, verified), append(rows.created, created)
	if c.Address == nil {
		return CustomerID(customer), nil
	}
	address := AddressID(id.New("addr"))
	body, err := sealAddress(key, address, *c.Address)
	if err != nil {
		return "", fmt.Errorf("seal the address of %s: %w", customer, err)
	}
	rows.addressIDs, rows.addressOwners = append(rows.addressIDs, string(address)), append(rows.addressOwners, customer)
	rows.addresses, rows.addressCreated = append(rows.addresses, body), append(rows.addressCreated, created)
	return CustomerID(customer), nil
}

const importKeysSQL = `
insert into users.data_keys (subject, wrapped)
select w.subject, w.wrapped
from unnest($1::text[], $2::bytea[]) as w (subject, wrapped)`

const importCustomersSQL = `
insert into users.customers (
    id, status, email_index, email_sealed, name_sealed, phone_sealed, password_hash, email_verified_at, created_at, updated_at
)
select w.id, 'active', w.email_index, w.email, w.name, w.phone, w.password_hash, w.verified_at, w.created_at, w.created_at
from unnest($1::text[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::text[], $7::timestamptz[], $8::timestamptz[])
    as w (id, email_index, email, name, phone, password_hash, verified_at, created_at)`

const importAddressesSQL = `
insert into users.addresses (id, customer_id, sealed, is_default, created_at, updated_at)
select w.id, w.customer_id, w.sealed, true, w.created_at, w.created_at
from unnest($1::text[], $2::text[], $3::bytea[], $4::timestamptz[]) as w (id, customer_id, sealed, created_at)`

func (r *importedRows) insert(ctx context.Context, tx pgx.Tx) error {
	if len(r.ids) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, importKeysSQL, r.ids, r.keys); err != nil {
		return fmt.Errorf("store data keys: %w", err)
	}
	if _, err := tx.Exec(ctx, importCustomersSQL, r.ids, r.indexes, r.emails, r.names, r.phones, r.hashes, r.verified, r.created); err != nil {
		return fmt.Errorf("store customers: %w", err)
	}
	if _, err := tx.Exec(ctx, importAddressesSQL, r.addressIDs, r.addressOwners, r.addresses, r.addressCreated); err != nil {
		return fmt.Errorf("store addresses: %w", err)
	}
	return nil
}

const auditOfSQL = `
select id, at, actor, action, object, detail
from users.audit_log
where object = $1
order by id desc
limit $2`

// AuditOf returns up to limit entries about one object, the newest first.
func (s *Service) AuditOf(ctx context.Context, object string, limit int) ([]AuditEntry, error) {
	rows, err := s.pool.Query(ctx, auditOfSQL, object, limit)
	if err != nil {
		return nil, fmt.Errorf("read the audit log of %s: %w", object, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[AuditEntry])
}
