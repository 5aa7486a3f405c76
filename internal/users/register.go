package users

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/platform/crypto"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/ratelimit"
)

const (
	tokenBytes       = 32
	verifyEmailLife  = 7 * 24 * time.Hour
	changeEmailLife  = 24 * time.Hour
	resetLife        = time.Hour
	idPrefixCustomer = "cus"
)

// Registration is what somebody gives to open an account. Name may be empty.
type Registration struct {
	Email    string
	Password string
	Name     string
}

// Register opens an account, which can be used at once, and mails a link that confirms the address. When the
// address has an account, its owner is told by mail and the caller gets the same answer in the same time. Errors
// say only what is wrong with the input.
func (s *Service) Register(ctx context.Context, r Registration) error {
	began := time.Now()
	email, err := ParseEmail(r.Email)
	if err != nil {
		return at(ErrInvalidEmail, "/email")
	}
	if wrong := appendWrong(nil, "/name", &r.Name, 0, maxName); wrong != nil {
		return errs.Validation(wrong...)
	}
	if err := CheckPassword(r.Password, email); err != nil {
		return at(errs.As(err), "/password")
	}
	// Also for an address that is taken: the time must not tell.
	hash, err := s.hasher.hash(ctx, r.Password)
	if err != nil {
		return err
	}
	defer evenOut(ctx, began)
	_, err = customerByEmail(ctx, s.pool, s.indexes(email))
	if errors.Is(err, errs.ErrNotFound) {
		err = s.open(ctx, email, r.Name, hash)
		if !errors.Is(err, errEmailTaken) { // by somebody who registered at the same moment
			return err
		}
	} else if err != nil {
		return fmt.Errorf("look up an address: %w", err)
	}
	return s.tellOwner(ctx, email)
}

// open makes the account.
func (s *Service) open(ctx context.Context, email Email, name, hash string) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		now, customer := s.now(), CustomerID(id.New(idPrefixCustomer))
		key, err := s.keys.create(ctx, tx, string(customer))
		if err != nil {
			return err
		}
		row := customerRow{ID: customer, Status: Active, EmailIndex: s.index(email), PasswordHash: hash, CreatedAt: now}
		if row.EmailSealed, err = sealText(key, "customers|email", string(customer), string(email)); err != nil {
			return err
		}
		if row.NameSealed, err = sealText(key, "customers|name", string(customer), name); err != nil {
			return err
		}
		if err := insertCustomer(ctx, tx, row); err != nil {
			return err
		}
		link, err := s.oneTimeLink(ctx, tx, oneTimeToken{
			Purpose: verifyEmail, CustomerID: &customer, EmailIndex: row.EmailIndex, ExpiresAt: now.Add(verifyEmailLife),
		})
		if err != nil {
			return err
		}
		// Without the name: the address is not confirmed, and a stranger must not write to its owner through us.
		if err := s.send(ctx, tx, email, letterWelcome, letterData{Link: link}); err != nil {
			return err
		}
		return s.publish(ctx, tx, now, events.CustomerRegistered{CustomerID: string(customer), Version: 1, At: now})
	})
	if err != nil {
		return fmt.Errorf("open an account: %w", err)
	}
	outbox.Wake()
	return nil
}

// tellOwner mails the owner of an account that somebody tried to register with their address. Asking often sends
// no more mails, and looks the same.
func (s *Service) tellOwner(ctx context.Context, email Email) error {
	if err := s.limiter.Check(ctx, ratelimit.Reset, s.accountKey(email)); err != nil {
		s.log.InfoContext(ctx, "mail to the owner of an address held back", "error", err)
		return nil
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		return s.send(ctx, tx, email, letterAlreadyRegistered, letterData{Link: s.config.BaseURL + pathForgot})
	})
}

// oneTimeLink stores t with a new token and returns the link that carries it.
func (s *Service) oneTimeLink(ctx context.Context, tx pgx.Tx, t oneTimeToken) (string, error) {
	token := crypto.RandomToken(tokenBytes)
	t.Hash = crypto.HashToken(token)
	if err := insertOneTimeToken(ctx, tx, t, s.now()); err != nil {
		return "", fmt.Errorf("store a %s token: %w", t.Purpose, err)
	}
	return s.config.BaseURL + pathOf[t.Purpose] + "?token=" + token, nil
}
