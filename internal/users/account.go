package users

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// maxAddresses is how many addresses a customer may keep.
const maxAddresses = 50

// Customer returns a customer, errs.ErrNotFound when there is none and ErrErased when there was one.
func (s *Service) Customer(ctx context.Context, id CustomerID) (Customer, error) {
	row, err := customerByID(ctx, s.pool, id)
	if err != nil {
		return Customer{}, err
	}
	return s.openCustomer(ctx, s.pool, row)
}

// CustomerByEmail returns the customer with an address, errs.ErrNotFound when there is none. It is for staff: no
// answer to a stranger may depend on it.
func (s *Service) CustomerByEmail(ctx context.Context, email string) (Customer, error) {
	parsed, err := ParseEmail(email)
	if err != nil {
		return Customer{}, errs.ErrNotFound
	}
	row, err := customerByEmail(ctx, s.pool, s.indexes(parsed))
	if err != nil {
		return Customer{}, err
	}
	return s.openCustomer(ctx, s.pool, row)
}

func (s *Service) openCustomer(ctx context.Context, q postgres.Querier, row customerRow) (Customer, error) {
	if row.Status == Erased {
		return Customer{}, ErrErased
	}
	key, err := s.keys.key(ctx, q, string(row.ID))
	if err != nil {
		return Customer{}, err
	}
	return row.open(key)
}

// UpdateProfile changes name and phone. When ifVersion is not nil it must be the newest version, or the change is
// refused with errs.ErrStaleVersion.
func (s *Service) UpdateProfile(ctx context.Context, customer CustomerID, change CustomerChange, ifVersion *int64) (Customer, error) {
	if err := change.clean(); err != nil {
		return Customer{}, err
	}
	var changed Customer
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		row, err := lockCustomer(ctx, tx, customer)
		if err != nil {
			return err
		}
		if ifVersion != nil && *ifVersion != row.Version {
			return errs.ErrStaleVersion
		}
		if changed, err = s.openCustomer(ctx, tx, row); err != nil {
			return err
		}
		if change.Name != nil {
			changed.Name = *change.Name
		}
		if change.Phone != nil {
			changed.Phone = *change.Phone
		}
		key, err := s.keys.key(ctx, tx, string(customer))
		if err != nil {
			return err
		}
		name, err := sealText(key, "customers|name", string(customer), changed.Name)
		if err != nil {
			return err
		}
		phone, err := sealText(key, "customers|phone", string(customer), changed.Phone)
		if err != nil {
			return err
		}
		changed.Version++
		return updateProfile(ctx, tx, customer, row.Version, name, phone, s.now())
	})
	return changed, err
}

// Addresses returns the addresses of a customer, the default first and then in the order they were added.
func (s *Service) Addresses(ctx context.Context, customer CustomerID) ([]Address, error) {
	rows, err := selectAddresses(ctx, s.pool, customer)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	addresses := make([]Address, 0, len(rows))
	if len(rows) == 0 {
		return addresses, nil
	}
	key, err := s.keys.key(ctx, s.pool, string(customer))
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		address, err := row.open(key)
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, address)
	}
	return addresses, nil
}

// Address returns one of the customer's addresses, errs.ErrNotFound when it is not theirs.
func (s *Service) Address(ctx context.Context, customer CustomerID, address AddressID) (Address, error) {
	row, err := selectAddress(ctx, s.pool, customer, address)
	if err != nil {
		return Address{}, err
	}
	key, err := s.keys.key(ctx, s.pool, string(customer))
	if err != nil {
		return Address{}, err
	}
	return row.open(key)
}

// AddAddress keeps an address. The first one is the default whatever asDefault says.
func (s *Service) AddAddress(ctx context.Context, customer CustomerID, a PostalAddress, asDefault bool) (Address, error) {
	if err := a.clean(); err != nil {
		return Address{}, err
	}
	var added Address
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		// The customer's row makes additions wait for each other: the limit and the one default hold.
		if _, err := lockCustomer(ctx, tx, customer); err != nil {
			return err
		}
		count, err := countAddresses(ctx, tx, customer)
		if err != nil {
			return err
		}
		if count >= maxAddresses {
			return ErrAddressLimit
		}
		now := s.now()
		added = Address{ID: AddressID(id.New("addr")), IsDefault: asDefault || count == 0, PostalAddress: a, CreatedAt: now, UpdatedAt: now}
		row, err := s.sealed(ctx, tx, customer, added)
		if err != nil {
			return err
		}
		return insertAddress(ctx, tx, customer, row)
	})
	return added, err
}

// UpdateAddress changes one of the customer's addresses; asDefault true makes it the default, false leaves
// things as they are.
func (s *Service) UpdateAddress(ctx context.Context, customer CustomerID, address AddressID, a PostalAddress, asDefault bool) (Address, error) {
	if err := a.clean(); err != nil {
		return Address{}, err
	}
	var changed Address
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := lockCustomer(ctx, tx, customer); err != nil {
			return err
		}
		before, err := selectAddress(ctx, tx, customer, address)
		if err != nil {
			return err
		}
		changed = Address{
			ID: address, IsDefault: before.IsDefault || asDefault, PostalAddress: a, CreatedAt: before.CreatedAt.UTC(), UpdatedAt: s.now(),
		}
		row, err := s.sealed(ctx, tx, customer, changed)
		if err != nil {
			return err
		}
		return updateAddress(ctx, tx, customer, row)
	})
	return changed, err
}

// sealed is a as it is stored, and makes room when it is to be the default.
func (s *Service) sealed(ctx context.Context, tx pgx.Tx, customer CustomerID, a Address) (addressRow, error) {
	if a.IsDefault {
		if err := clearDefaultAddress(ctx, tx, customer); err != nil {
			return addressRow{}, err
		}
	}
	key, err := s.keys.key(ctx, tx, string(customer))
	if err != nil {
		return addressRow{}, err
	}
	sealed, err := sealAddress(key, a.ID, a.PostalAddress)
	return addressRow{ID: a.ID, Sealed: sealed, IsDefault: a.IsDefault, CreatedAt: a.CreatedAt, UpdatedAt: a.UpdatedAt}, err
}

// DeleteAddress forgets one of the customer's addresses.
func (s *Service) DeleteAddress(ctx context.Context, customer CustomerID, address AddressID) error {
	return deleteAddress(ctx, s.pool, customer, address)
}

// Export is everything the shop knows of a customer.
type Export struct {
	ExportedAt time.Time
	Customer   Customer
	Addresses  []Address
	Sessions   []SessionInfo
	Orders     json.RawMessage
}

// Export collects what the shop knows of a customer.
func (s *Service) Export(ctx context.Context, customer CustomerID) (Export, error) {
	e := Export{ExportedAt: s.now()}
	var err error
	if e.Customer, err = s.Customer(ctx, customer); err != nil {
		return e, err
	}
	if e.Addresses, err = s.Addresses(ctx, customer); err != nil {
		return e, err
	}
	if e.Sessions, err = selectCustomerSessions(ctx, s.pool, customer); err != nil {
		return e, fmt.Errorf("list sessions: %w", err)
	}
	if e.Orders, err = s.orders.ExportOrders(ctx, string(customer)); err != nil {
		return e, fmt.Errorf("export orders: %w", err)
	}
	return e, nil
}

// EraseMe is Erase for a customer who gives their password again. It returns ErrWrongPassword when it is not.
func (s *Service) EraseMe(ctx context.Context, customer CustomerID, password string) error {
	if _, err := s.confirmPassword(ctx, customer, password); err != nil {
		return err
	}
	return s.Erase(ctx, customer, actorOf(customer))
}

// Erase deletes everything personal of a customer, with the key that would read copies of it, and tells the other
// domains by an event. What remains is an id with dates, for the orders whose money must stay in the books. An
// erased customer is erased again without effect.
func (s *Service) Erase(ctx context.Context, customer CustomerID, actor string) error {
	var ended []string
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		now := s.now()
		row, err := lockCustomer(ctx, tx, customer)
		if err != nil || row.Status == Erased {
			return err
		}
		c, err := s.openCustomer(ctx, tx, row)
		if err != nil {
			return err
		}
		version, err := s.blank(ctx, tx, customer, now)
		if err != nil {
			return err
		}
		if ended, err = revokeCustomerSessions(ctx, tx, customer, becauseErased, now); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, actor, "customer.erased", string(customer), nil); err != nil {
			return err
		}
		if err := s.send(ctx, tx, c.Email, letterErased, letterData{}); err != nil {
			return err
		}
		return s.publish(ctx, tx, now, events.CustomerErased{CustomerID: string(customer), Version: version, At: now})
	})
	if err != nil {
		return fmt.Errorf("erase customer %s: %w", customer, err)
	}
	s.keys.cache.Remove(string(customer))
	s.sessions.markEnded(ctx, ended...)
	outbox.Wake()
	return nil
}

// blank deletes what is personal of a customer and returns the row's new version.
func (s *Service) blank(ctx context.Context, tx pgx.Tx, customer CustomerID, now time.Time) (int64, error) {
	if err := deleteAddresses(ctx, tx, customer); err != nil {
		return 0, err
	}
	if err := deleteCustomerTokens(ctx, tx, customer); err != nil {
		return 0, err
	}
	if err := s.keys.forget(ctx, tx, string(customer)); err != nil {
		return 0, err
	}
	return blankCustomer(ctx, tx, customer, now)
}

// SetCustomerActive opens or closes an account on behalf of staff. Closing ends all sessions at once.
func (s *Service) SetCustomerActive(ctx context.Context, customer CustomerID, active bool, actor string) error {
	status, action := Disabled, "customer.disabled"
	if active {
		status, action = Active, "customer.enabled"
	}
	var ended []string
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		err := updateStatus(ctx, tx, customer, status, s.now())
		if err != nil {
			return err
		}
		if ended, err = revokeCustomerSessions(ctx, tx, customer, becauseDisabled, s.now()); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, action, string(customer), nil)
	})
	if err != nil {
		return fmt.Errorf("set customer %s %s: %w", customer, status, err)
	}
	s.sessions.markEnded(ctx, ended...)
	return nil
}

const (
	purgeBatch = 1_000
	// keepEnded is how long sessions and tokens are kept after they expired, for questions from their owners.
	keepEnded = 7 * 24 * time.Hour
)

// Purge deletes sessions, refresh tokens and one-time tokens that expired a week ago, in batches, and returns how
// many rows went.
func (s *Service) Purge(ctx context.Context) (int64, error) {
	var total int64
	var failed []error
	before := s.now().Add(-keepEnded)
	for _, batch := range []func(context.Context, postgres.Querier, time.Time, int) (int64, error){purgeSessions, purgeTokens} {
		for {
			n, err := batch(ctx, s.pool, before, purgeBatch)
			total += n
			if err != nil {
				failed = append(failed, err)
			}
			if err != nil || n < purgeBatch {
				break
			}
		}
	}
	return total, errors.Join(failed...)
}
