package orders

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/platform/broker"
)

// Whose key seals what is personal: the customer's, or for a guest one of their own that goes by the id of the cart. An
// order keeps its cart's, so that nothing is sealed anew when it is placed.
func subjectOf(customerID string, cart CartID) string {
	if customerID != "" {
		return customerID
	}
	return string(cart)
}

func (c *storedCart) subject() string { return subjectOf(c.CustomerID, c.ID) }

func (o *Order) subject() string { return subjectOf(o.CustomerID, o.CartID) }

// byPerson stands in front of what a person's key sealed. What begins otherwise was sealed by the vault, before people
// had keys of their own here; `shopd keys rotate` brings it under theirs.
const byPerson = 2

// sealContact seals a contact for the person the cart belongs to.
func (s *Service) sealContact(ctx context.Context, subject string, cart CartID, contact Contact) ([]byte, error) {
	plain, err := json.Marshal(contact)
	if err != nil {
		return nil, err
	}
	return s.sealFor(ctx, subject, plain, contactAD(cart))
}

// sealFor seals what belongs to the person and the place.
func (s *Service) sealFor(ctx context.Context, subject string, plain, place []byte) ([]byte, error) {
	sealed, err := s.personal.Seal(ctx, subject, plain, place)
	if err != nil {
		return nil, fmt.Errorf("seal for %s: %w", subject, err)
	}
	return append([]byte{byPerson}, sealed...), nil
}

// sealedFor is something to be opened.
type sealedFor struct {
	subject string
	bytes   []byte
	place   []byte
}

// openAll opens many with one look at the keys. What is empty or erased comes back as nil.
func (s *Service) openAll(ctx context.Context, list []sealedFor) ([][]byte, error) {
	opened := make([][]byte, len(list))
	var mine []Sealed
	var where []int
	for i, item := range list {
		switch {
		case len(item.bytes) == 0:
		case item.bytes[0] == byPerson:
			mine, where = append(mine, Sealed{Subject: item.subject, Bytes: item.bytes[1:], AssociatedData: item.place}), append(where, i)
		default:
			plain, err := s.sealer.Open(item.bytes, item.place)
			if err != nil {
				return nil, fmt.Errorf("open what the vault sealed for %s: %w", item.subject, err)
			}
			opened[i] = plain
		}
	}
	if len(mine) == 0 {
		return opened, nil
	}
	plain, err := s.personal.OpenAll(ctx, mine)
	if err != nil {
		return nil, err
	}
	for i, at := range where {
		opened[at] = plain[i]
	}
	return opened, nil
}

// openContact returns nil for the contact of somebody who has been erased.
func (s *Service) openContact(ctx context.Context, subject string, cart CartID, sealed []byte) (*Contact, error) {
	opened, err := s.openAll(ctx, []sealedFor{{subject, sealed, contactAD(cart)}})
	if err != nil || opened[0] == nil {
		return nil, err
	}
	var contact Contact
	return &contact, json.Unmarshal(opened[0], &contact)
}

// noteAD binds the words of people to the order they were said about.
func noteAD(id ID) []byte { return []byte("orders.note|" + string(id)) }

// sealNote seals what somebody wrote about an order; nothing stays nothing.
func (s *Service) sealNote(ctx context.Context, o *Order, note string) ([]byte, error) {
	if note == "" {
		return nil, nil
	}
	return s.sealFor(ctx, o.subject(), []byte(note), noteAD(o.ID))
}

// forgetCustomers empties what the orders and carts of erased customers still hold for them; their keys are gone already.
// What is paid and not sent stays so: it has no address any more, and staff see why.
func (s *Service) forgetCustomers(ctx context.Context, tx pgx.Tx, batch []events.Envelope) error {
	ids := make([]string, len(batch))
	for i, env := range batch {
		ev, err := events.Open[events.CustomerErased](env)
		if err != nil {
			return broker.Unreadable(err)
		}
		ids[i] = ev.CustomerID
	}
	if err := forgetCustomers(ctx, tx, ids, s.now()); err != nil {
		return fmt.Errorf("forget %d customers: %w", len(ids), err)
	}
	return nil
}

const (
	// forgetBatch is how many guests one run forgets at most.
	forgetBatch = 500
	// forgetRounds bounds one run; the next goes on.
	forgetRounds = 20
)

// ForgetGuests erases guests whose last order is older than the shop keeps them, and carts that nobody came back to.
func (s *Service) ForgetGuests(ctx context.Context) error {
	now := s.now()
	for _, step := range []struct {
		find   func(ctx context.Context, before time.Time, limit int) ([]string, error)
		remove func(ctx context.Context, carts []string) error
		before time.Time
	}{
		{s.guestsBefore, s.blankGuests, now.Add(-s.keepGuests)},
		{s.abandonedBefore, s.deleteCarts, now.Add(-s.keepCarts)},
	} {
		for range forgetRounds {
			carts, err := step.find(ctx, step.before, forgetBatch)
			if err != nil {
				return fmt.Errorf("read whom to forget: %w", err)
			}
			if len(carts) == 0 {
				break
			}
			// The keys first: a run that ends in between leaves what nobody can read, and the next one finds it.
			if err := s.personal.Forget(ctx, carts...); err != nil {
				return fmt.Errorf("forget %d guests: %w", len(carts), err)
			}
			if err := step.remove(ctx, carts); err != nil {
				return fmt.Errorf("empty the rows of %d guests: %w", len(carts), err)
			}
		}
	}
	return nil
}

// Reseal brings up to limit contacts, beginning behind the given order or cart, from the vault's key under their people's
// own. It returns how many it moved and where to go on; empty after the last one.
func (s *Service) Reseal(ctx context.Context, after string, limit int) (moved int, next string, err error) {
	rows, err := s.contactsAfter(ctx, after, limit)
	if err != nil {
		return 0, "", fmt.Errorf("read contacts: %w", err)
	}
	for _, row := range rows {
		next = row.key
		if len(row.contact) == 0 || row.contact[0] == byPerson {
			continue
		}
		plain, err := s.sealer.Open(row.contact, contactAD(row.cart))
		if err != nil {
			return moved, "", fmt.Errorf("open the contact of %s: %w", row.key, err)
		}
		sealed, err := s.sealFor(ctx, subjectOf(row.customer, row.cart), plain, contactAD(row.cart))
		if err != nil {
			return moved, "", err
		}
		if err := s.replaceContact(ctx, row, sealed); err != nil {
			return moved, "", fmt.Errorf("write the contact of %s: %w", row.key, err)
		}
		moved++
	}
	if len(rows) < limit {
		next = ""
	}
	return moved, next, nil
}
