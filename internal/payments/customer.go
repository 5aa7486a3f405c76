package payments

import (
	"context"
	"fmt"

	"shopd/internal/platform/errs"
)

// Keeper is a gateway that keeps ways to pay for customers. We keep nothing but the gateway's name of the customer.
type Keeper interface {
	// Customer returns the gateway's name of a customer of ours, making one if need be; the same one however often.
	Customer(ctx context.Context, customerID string) (ref string, err error)
	// Methods lists the ways to pay that are kept for a customer.
	Methods(ctx context.Context, customer string) ([]SavedMethod, error)
	// Forget drops one. It is a *Refused when it is not the customer's.
	Forget(ctx context.Context, customer, method string) error
}

// SavedMethod is a way to pay that a gateway keeps for a customer.
type SavedMethod struct {
	ID          string // what Request.Method takes
	Provider    string
	Brand       string
	Last4       string
	ExpiryMonth int
	ExpiryYear  int
}

// customerAt is the gateway's name of who pays; empty for guests, and where the gateway keeps nothing.
func (s *Service) customerAt(ctx context.Context, gateway Gateway, r Request) (string, error) {
	keeper := keeperOf(gateway)
	if r.CustomerID == "" || keeper == nil {
		return "", nil
	}
	ref, err := customerRef(ctx, s.db, r.Provider, r.CustomerID)
	if err != nil || ref != "" || !r.Save {
		return ref, err
	}
	if ref, err = keeper.Customer(ctx, r.CustomerID); err != nil {
		// Being paid matters more than keeping the card.
		s.log.WarnContext(ctx, "customer not made at the gateway", "provider", r.Provider, "error", err)
		return "", nil
	}
	return keepCustomer(ctx, s.db, r.Provider, r.CustomerID, ref, s.now())
}

// SavedMethods lists what gateways keep for a customer. One that does not answer is left out.
func (s *Service) SavedMethods(ctx context.Context, customerID string) ([]SavedMethod, error) {
	var all []SavedMethod
	for provider, gateway := range s.gateways {
		keeper := keeperOf(gateway)
		if keeper == nil {
			continue
		}
		ref, err := customerRef(ctx, s.db, provider, customerID)
		if err != nil {
			return nil, fmt.Errorf("read the customer at %s: %w", provider, err)
		}
		if ref == "" {
			continue
		}
		list, err := keeper.Methods(ctx, ref)
		if err != nil {
			s.log.WarnContext(ctx, "saved ways to pay not read", "provider", provider, "error", err)
			continue
		}
		for _, m := range list {
			m.Provider = provider
			all = append(all, m)
		}
	}
	return all, nil
}

// ForgetMethod drops a way to pay that a gateway keeps for the customer; errs.ErrNotFound when it is not theirs.
func (s *Service) ForgetMethod(ctx context.Context, customerID, provider, method string) error {
	keeper := keeperOf(s.gateways[provider])
	if keeper == nil {
		return errs.ErrNotFound
	}
	ref, err := customerRef(ctx, s.db, provider, customerID)
	if err != nil {
		return fmt.Errorf("read the customer at %s: %w", provider, err)
	}
	if ref == "" {
		return errs.ErrNotFound
	}
	err = keeper.Forget(ctx, ref, method)
	switch {
	case refusal(err) != nil:
		return errs.ErrNotFound
	case err != nil:
		return ErrUnavailable.Wrap(err)
	}
	return nil
}
