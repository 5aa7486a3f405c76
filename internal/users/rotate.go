package users

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"shopd/internal/platform/errs"
)

// Rotation is how far the move to a new master key is.
type Rotation struct {
	Keys    int // data keys wrapped anew
	Indexes int // addresses indexed anew
	Skipped int // people erased or changed meanwhile: run it again
}

const rotationBatch = 500

// RotateKeys wraps every data key and indexes every address under the first master key. It can be stopped and run
// again, beside a running shop. Passwords move when their owners sign in, so an old master key is needed until
// PasswordsUnder says that none uses it any more.
func (s *Service) RotateKeys(ctx context.Context) (Rotation, error) {
	var done Rotation
	after := ""
	for {
		batch, err := selectDataKeys(ctx, s.pool, after, rotationBatch)
		if err != nil {
			return done, fmt.Errorf("list data keys: %w", err)
		}
		for _, k := range batch {
			if err := s.rotate(ctx, k, &done); err != nil {
				return done, fmt.Errorf("rotate the key of %s: %w", k.Subject, err)
			}
			after = k.Subject
		}
		if len(batch) < rotationBatch {
			return done, nil
		}
	}
}

func (s *Service) rotate(ctx context.Context, k wrappedKey, done *Rotation) error {
	if !s.vault.SealedByPrimary(k.Wrapped) {
		wrapped, err := s.vault.RewrapDataKey(k.Subject, k.Wrapped)
		if err != nil {
			return err
		}
		if err := replaceDataKey(ctx, s.pool, k.Subject, k.Wrapped, wrapped); err != nil {
			return err
		}
		done.Keys++
	}
	moved, err := s.reindex(ctx, k.Subject)
	switch {
	case errors.Is(err, errs.ErrNotFound), errors.Is(err, ErrErased):
		done.Skipped++
		return nil
	case err != nil:
		return err
	case moved:
		done.Indexes++
	}
	return nil
}

// reindex reports whether the address of subject was under an older master key.
func (s *Service) reindex(ctx context.Context, subject string) (bool, error) {
	switch {
	case strings.HasPrefix(subject, "cus_"):
		row, err := customerByID(ctx, s.pool, CustomerID(subject))
		if err != nil {
			return false, err
		}
		c, err := s.openCustomer(ctx, s.pool, row)
		if err != nil || bytes.Equal(row.EmailIndex, s.index(c.Email)) {
			return false, err
		}
		return true, replaceIndex(ctx, s.pool, c.ID, row.EmailIndex, s.index(c.Email))
	case strings.HasPrefix(subject, "stf_"):
		row, err := staffByID(ctx, s.pool, StaffID(subject))
		if err != nil {
			return false, err
		}
		m, err := s.openStaff(ctx, s.pool, row)
		if err != nil || bytes.Equal(row.EmailIndex, s.index(m.Email)) {
			return false, err
		}
		return true, replaceStaffIndex(ctx, s.pool, m.ID, row.EmailIndex, s.index(m.Email))
	}
	return false, nil // guests of orders have no account to find
}

// PasswordsUnder counts the passwords by the pepper they were hashed with; crypto.Vault.Pepper names today's.
func (s *Service) PasswordsUnder(ctx context.Context) (map[string]int, error) {
	return countPeppers(ctx, s.pool)
}
