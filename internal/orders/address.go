package orders

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"shopd/internal/money"
	"shopd/internal/platform/errs"
)

// ChangeAddress sends an order elsewhere before any of it goes out. A nil billing leaves the address of the invoice. It
// returns ErrInvalidState for an order that was sent, and ErrAddressTotal where tax or shipping would be others: what was
// charged does not change.
func (s *Service) ChangeAddress(ctx context.Context, orderID ID, a Access, shipping Address, billing *Address) (*Order, error) {
	if err := shipping.check("/shipping"); err != nil {
		return nil, err
	}
	if billing != nil {
		if err := billing.check("/billing"); err != nil {
			return nil, err
		}
	}
	for attempt := 1; ; attempt++ {
		seen, err := s.Order(ctx, orderID, a)
		if err != nil {
			return nil, err
		}
		if err := s.maySendTo(ctx, seen, shipping); err != nil {
			return nil, err
		}
		contact := seen.Contact
		contact.Shipping = shipping
		if billing != nil {
			contact.Billing = billing
		}
		sealed, err := s.sealContact(ctx, seen.subject(), seen.CartID, contact)
		if err != nil {
			return nil, err
		}
		o, err := s.amend(ctx, orderID, a, func(tx pgx.Tx, o *Order) error {
			if o.Version != seen.Version {
				return errs.ErrStaleVersion
			}
			if err := setContact(ctx, tx, o.ID, sealed); err != nil {
				return fmt.Errorf("write the address of order %s: %w", o.ID, err)
			}
			return s.note(ctx, tx, o, entry{kind: kindAddress, actor: a.actor()})
		})
		if errors.Is(err, errs.ErrStaleVersion) && attempt < cartAttempts {
			continue
		}
		return o, err
	}
}

// maySendTo refuses an address that the order, as it was charged, cannot go to.
func (s *Service) maySendTo(ctx context.Context, o *Order, to Address) error {
	if o.Status != PendingPayment && o.Status != Paid || len(o.Fulfilments) > 0 {
		return ErrInvalidState.WithDetail("The order is %s: its address cannot change any more.", o.Status)
	}
	if o.Contact.Email == "" {
		return ErrInvalidState.WithDetail("The customer was erased.")
	}
	net := make([]money.Amount, len(o.Lines))
	for i, l := range o.Lines {
		net[i] = l.Net()
	}
	tax, err := s.pricing.Tax(ctx, TaxRequest{Currency: o.Currency, Country: to.Country, Region: to.Region, Lines: net, Shipping: o.Totals.Shipping})
	if err != nil {
		return err
	}
	sum := money.New(0, o.Currency)
	for _, t := range tax.Lines {
		sum = sum.Add(t)
	}
	if sum != o.Totals.Tax || tax.Included != o.Totals.TaxIncluded {
		return ErrAddressTotal.WithDetail("The tax is another one there. Cancel the order and order again.")
	}
	rows, err := s.methodRows(ctx)
	if err != nil {
		return err
	}
	for _, m := range rows {
		if m.ID == o.Method.ID && len(m.Countries) > 0 && !slices.Contains(m.Countries, to.Country) {
			return ErrAddressTotal.WithDetail("%s does not go there. Cancel the order and order again.", m.Name)
		}
	}
	return nil
}
