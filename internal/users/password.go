package users

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/semaphore"

	"shopd/internal/platform/crypto"
)

const (
	minPassword = 8     // characters
	maxPassword = 1_000 // bytes
	// mailPartInPassword is the shortest local part of an address that a password must not contain.
	mailPartInPassword = 4
	// hashPatience is how long a password may wait for its turn.
	hashPatience = 3 * time.Second
)

// CheckPassword returns an error when password may not be used with the account of email: it is shorter than 8
// characters, commonly used, or contains the address.
func CheckPassword(password string, email Email) error {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return ErrPasswordTooShort
	case len(password) > maxPassword:
		return ErrPasswordTooLong
	}
	lower := strings.ToLower(password)
	if commonPasswords()[lower] || strings.Contains(lower, string(email)) {
		return ErrPasswordCompromised
	}
	if local := email.local(); len(local) >= mailPartInPassword && strings.Contains(lower, local) {
		return ErrPasswordCompromised
	}
	return nil
}

// hasher hashes passwords with bcrypt over a keyed hash, on all but one of the processors: hashing is slow on
// purpose, and a flood of it must leave the checkout room to work.
type hasher struct {
	vault *crypto.Vault
	cost  int
	turns *semaphore.Weighted
	dummy string
}

func newHasher(vault *crypto.Vault, cost int) *hasher {
	// bcrypt compares with any well-formed hash at full cost, so this one need not belong to a password.
	dummy := fmt.Sprintf("%s$$2a$%02d$%s", vault.Pepper(), cost, strings.Repeat("u", 53))
	return &hasher{vault: vault, cost: cost, turns: semaphore.NewWeighted(int64(max(runtime.GOMAXPROCS(0)-1, 1))), dummy: dummy}
}

// hash returns what to store for password: the name of the pepper, "$", and the bcrypt hash.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	pepper := h.vault.Pepper()
	peppered, _ := h.vault.Peppered(pepper, password)
	release, err := h.turn(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	hashed, err := bcrypt.GenerateFromPassword(peppered, h.cost)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return pepper + "$" + string(hashed), nil
}

// matches reports whether stored was made from password. An empty stored, for an account that does not exist or
// has no password, costs as much time as a wrong password and never matches.
func (h *hasher) matches(ctx context.Context, stored, password string) (bool, error) {
	known := stored != ""
	if !known {
		stored = h.dummy
	}
	pepper, hashed, _ := strings.Cut(stored, "$")
	peppered, ok := h.vault.Peppered(pepper, password)
	if !ok {
		return false, fmt.Errorf("check password: pepper %s is not among the master keys", pepper)
	}
	release, err := h.turn(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	err = bcrypt.CompareHashAndPassword([]byte(hashed), peppered)
	if err != nil && !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, fmt.Errorf("check password: %w", err)
	}
	return known && err == nil, nil
}

// outdated reports whether stored should be made again: another cost or pepper is wanted now.
func (h *hasher) outdated(stored string) bool {
	pepper, hashed, _ := strings.Cut(stored, "$")
	cost, err := bcrypt.Cost([]byte(hashed))
	return err != nil || cost != h.cost || pepper != h.vault.Pepper()
}

// turn waits until a processor is free for hashing.
func (h *hasher) turn(ctx context.Context) (release func(), err error) {
	waiting, cancel := context.WithTimeout(ctx, hashPatience)
	defer cancel()
	if err := h.turns.Acquire(waiting, 1); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, ErrBusy.WithRetryAfter(hashPatience)
	}
	return func() { h.turns.Release(1) }, nil
}
