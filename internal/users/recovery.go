package users

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/crypto"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/ratelimit"
)

// RequestPasswordReset mails a link that sets a new password to the owner of email. An address without an
// account gets the same answer in the same time.
func (s *Service) RequestPasswordReset(ctx context.Context, email string) error {
	began := time.Now()
	parsed, err := ParseEmail(email)
	if err != nil {
		return at(ErrInvalidEmail, "/email")
	}
	if err := s.limiter.Check(ctx, ratelimit.Reset, s.accountKey(parsed)); err != nil {
		return err
	}
	defer evenOut(ctx, began)
	row, err := customerByEmail(ctx, s.pool, s.indexes(parsed))
	if errors.Is(err, errs.ErrNotFound) || err == nil && row.Status != Active {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up an address: %w", err)
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := deleteTokensFor(ctx, tx, row.ID, resetPassword); err != nil {
			return err
		}
		link, err := s.oneTimeLink(ctx, tx, oneTimeToken{
			Purpose: resetPassword, CustomerID: &row.ID, EmailIndex: row.EmailIndex, ExpiresAt: s.now().Add(resetLife),
		})
		if err != nil {
			return err
		}
		return s.send(ctx, tx, parsed, letterReset, letterData{Link: link})
	})
}

// ResetPassword sets a new password by the token of a mailed link, and ends all sessions. It returns
// ErrExpiredToken for a token that is used, expired or older than the account's address, and the errors of
// CheckPassword, which leave the token good for another try.
func (s *Service) ResetPassword(ctx context.Context, token, password string) error {
	tokenHash := crypto.HashToken(token)
	owner, err := customerOfToken(ctx, s.pool, tokenHash, resetPassword, s.now())
	if err != nil {
		return err
	}
	customer, err := s.Customer(ctx, owner)
	if err != nil {
		return err
	}
	if err := CheckPassword(password, customer.Email); err != nil {
		return at(errs.As(err), "/password")
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	var ended []string
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		now := s.now()
		if _, err := redeemCustomerToken(ctx, tx, tokenHash, resetPassword, now); err != nil {
			return err
		}
		if err := updatePassword(ctx, tx, owner, hash, now); err != nil {
			return err
		}
		if err := deleteCustomerTokens(ctx, tx, owner); err != nil {
			return err
		}
		if ended, err = revokeCustomerSessions(ctx, tx, owner, becausePassword, now); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, actorOf(owner), "customer.password_reset", string(owner), nil); err != nil {
			return err
		}
		return s.send(ctx, tx, customer.Email, letterPasswordChanged, letterData{Name: customer.Name, Link: s.config.BaseURL + pathForgot})
	})
	if err != nil {
		return fmt.Errorf("reset a password: %w", err)
	}
	s.sessions.markEnded(ctx, ended...)
	return nil
}

// VerifyEmail notes that the owner of the account reads mail to its address. It returns ErrExpiredToken for a
// token that is used, expired or older than the account's address.
func (s *Service) VerifyEmail(ctx context.Context, token string) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		t, err := redeemCustomerToken(ctx, tx, crypto.HashToken(token), verifyEmail, s.now())
		if err != nil {
			return err
		}
		return markEmailVerified(ctx, tx, *t.CustomerID, s.now())
	})
}

// RequestEmailChange mails a link to a new address, which becomes that of the account when the link is followed.
// A new address that has an account gets the same answer in the same time; its owner is told. It returns
// ErrWrongPassword when password is not the customer's.
func (s *Service) RequestEmailChange(ctx context.Context, id CustomerID, password, newEmail string) error {
	began := time.Now()
	email, err := ParseEmail(newEmail)
	if err != nil {
		return at(ErrInvalidEmail, "/email")
	}
	if err := s.limiter.Check(ctx, ratelimit.Reset, s.accountKey(email)); err != nil {
		return err
	}
	row, err := s.confirmPassword(ctx, id, password)
	if err != nil {
		return err
	}
	defer evenOut(ctx, began)
	_, err = customerByEmail(ctx, s.pool, s.indexes(email))
	if err == nil {
		return s.inTx(ctx, func(tx pgx.Tx) error {
			return s.send(ctx, tx, email, letterAlreadyRegistered, letterData{Link: s.config.BaseURL + pathForgot})
		})
	}
	if !errors.Is(err, errs.ErrNotFound) {
		return fmt.Errorf("look up an address: %w", err)
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		key, err := s.keys.key(ctx, tx, string(id))
		if err != nil {
			return err
		}
		sealed, err := sealText(key, "customers|email", string(id), string(email))
		if err != nil {
			return err
		}
		if err := deleteTokensFor(ctx, tx, id, changeEmail); err != nil {
			return err
		}
		link, err := s.oneTimeLink(ctx, tx, oneTimeToken{
			Purpose: changeEmail, CustomerID: &id, EmailIndex: row.EmailIndex, ExpiresAt: s.now().Add(changeEmailLife),
			NewEmailSealed: sealed, NewEmailIndex: s.index(email),
		})
		if err != nil {
			return err
		}
		return s.send(ctx, tx, email, letterChangeEmail, letterData{Link: link})
	})
}

// ConfirmEmailChange gives the account its new address and tells the old one. Links mailed to the old address
// stop working. It returns ErrExpiredToken for a token that does not hold, or when somebody else has taken the
// address meanwhile.
func (s *Service) ConfirmEmailChange(ctx context.Context, token string) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		now := s.now()
		t, err := redeemCustomerToken(ctx, tx, crypto.HashToken(token), changeEmail, now)
		if err != nil {
			return err
		}
		row, err := lockCustomer(ctx, tx, *t.CustomerID)
		if err != nil {
			return err
		}
		before, err := s.openCustomer(ctx, tx, row)
		if err != nil {
			return err
		}
		if err := updateEmail(ctx, tx, row.ID, t.NewEmailIndex, t.NewEmailSealed, now); err != nil {
			return err
		}
		if err := deleteCustomerTokens(ctx, tx, row.ID); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, actorOf(row.ID), "customer.email_changed", string(row.ID), nil); err != nil {
			return err
		}
		return s.send(ctx, tx, before.Email, letterEmailChanged, letterData{Name: before.Name})
	})
	if errors.Is(err, errEmailTaken) {
		return ErrExpiredToken
	}
	return err
}

// confirmPassword returns the row of a signed-in customer who gives their password again.
func (s *Service) confirmPassword(ctx context.Context, id CustomerID, password string) (customerRow, error) {
	if err := s.limiter.Check(ctx, ratelimit.Login, "account:"+string(id)); err != nil {
		return customerRow{}, err
	}
	row, err := customerByID(ctx, s.pool, id)
	if err != nil {
		return row, err
	}
	ok, err := s.hasher.matches(ctx, row.PasswordHash, password)
	if err == nil && !ok {
		err = at(ErrWrongPassword, "/password")
	}
	return row, err
}

func actorOf(id CustomerID) string { return "customer:" + string(id) }
