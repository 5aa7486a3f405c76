package users

import (
	"context"
	"encoding/base64"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"shopd/internal/platform/crypto"
)

func testHasher(t *testing.T, cost int, keys ...string) *hasher {
	t.Helper()
	var encoded []string
	for _, k := range keys {
		encoded = append(encoded, base64.StdEncoding.EncodeToString([]byte(strings.Repeat(k, 32))))
	}
	vault, err := crypto.NewVault(strings.Join(encoded, ","))
	require.NoError(t, err)
	return newHasher(vault, cost)
}

func TestCommonPasswords(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, len(commonPasswords()), 3_000)
	for password := range commonPasswords() {
		require.Equal(t, strings.ToLower(password), password)
		require.GreaterOrEqual(t, len(password), minPassword)
	}
}

func TestCheckPassword(t *testing.T) {
	t.Parallel()
	for password, want := range map[string]error{
		"":                               ErrPasswordTooShort,
		"1234567":                        ErrPasswordTooShort,
		"äöüäöüä":                        ErrPasswordTooShort, // seven characters in fourteen bytes
		"äöüäöüäö":                       nil,
		"password":                       ErrPasswordCompromised,
		"PassWord123":                    ErrPasswordCompromised,
		"12345678":                       ErrPasswordCompromised,
		"qwertyuiop":                     ErrPasswordCompromised,
		"iloveyou":                       ErrPasswordCompromised,
		"sunshine1":                      ErrPasswordCompromised,
		"p@ssw0rd":                       ErrPasswordCompromised,
		"summer2026!":                    ErrPasswordCompromised,
		"liverpool123":                   ErrPasswordCompromised,
		"my ada.lovelace account":        ErrPasswordCompromised,
		"xADA.lovelace@example.comx":     ErrPasswordCompromised,
		"a quiet walk at dusk":           nil,
		"Tr0ub4dor&3x":                   nil,
		strings.Repeat("a", 73) + "b":    nil,
		strings.Repeat("🦊", 64):          nil,
		strings.Repeat("long ", 1_000):   ErrPasswordTooLong,
		"with a \x00 in it":              nil,
		"trailing space is significant ": nil,
	} {
		err := CheckPassword(password, "ada.lovelace@example.com")
		if want == nil {
			require.NoError(t, err, password)
		} else {
			require.ErrorIs(t, err, want, password)
		}
	}
	require.NoError(t, CheckPassword("about ada and others", "ada@example.com"), "a short local part is part of many words")
}

func TestHasherIsExactAtAnyLength(t *testing.T) {
	t.Parallel()
	h := testHasher(t, 4, "a")
	for _, password := range []string{
		strings.Repeat("a", 72), strings.Repeat("a", 73), strings.Repeat("🦊", 64), "with a \x00 in it", strings.Repeat("x", maxPassword),
	} {
		stored, err := h.hash(t.Context(), password)
		require.NoError(t, err)
		for candidate, want := range map[string]bool{
			password: true, password + "b": false, password[:len(password)-1]: false, "": false, strings.ToUpper(password) + "!": false,
		} {
			got, err := h.matches(t.Context(), stored, candidate)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
}

// TestHasherSpendsTheSameOnUnknownAccounts looks at the reason instead of a clock, which a busy machine makes lie: what
// an unknown account is compared with has the same cost and is compared to the end.
func TestHasherSpendsTheSameOnUnknownAccounts(t *testing.T) {
	t.Parallel()
	h := testHasher(t, 6, "a")
	stored, err := h.hash(t.Context(), "right")
	require.NoError(t, err)
	for name, hash := range map[string]string{"known": stored, "unknown": h.dummy} {
		pepper, hashed, _ := strings.Cut(hash, "$")
		require.Equal(t, h.vault.Pepper(), pepper, name)
		cost, err := bcrypt.Cost([]byte(hashed))
		require.NoError(t, err, name)
		require.Equal(t, 6, cost, name)
		require.ErrorIs(t, bcrypt.CompareHashAndPassword([]byte(hashed), []byte("wrong")), bcrypt.ErrMismatchedHashAndPassword, name)
	}

	ok, err := h.matches(t.Context(), "", "")
	require.NoError(t, err)
	require.False(t, ok, "no password matches an account without one")
}

func TestHasherMovesToANewPepperAndCost(t *testing.T) {
	t.Parallel()
	before, during, after := testHasher(t, 4, "a"), testHasher(t, 5, "b", "a"), testHasher(t, 5, "b")
	stored, err := before.hash(t.Context(), "secret words")
	require.NoError(t, err)
	require.False(t, before.outdated(stored))
	require.True(t, during.outdated(stored))
	ok, err := during.matches(t.Context(), stored, "secret words")
	require.NoError(t, err)
	require.True(t, ok)
	_, err = after.matches(t.Context(), stored, "secret words")
	require.Error(t, err, "a missing master key is a fault to be seen, not a wrong password")
}

func TestHashingLeavesAProcessorFree(t *testing.T) {
	t.Parallel()
	h := testHasher(t, 4, "a")
	turns := max(runtime.GOMAXPROCS(0)-1, 1)
	var releases []func()
	for range turns {
		release, err := h.turn(t.Context())
		require.NoError(t, err)
		releases = append(releases, release)
	}
	hurried, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := h.turn(hurried)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	var group sync.WaitGroup
	group.Go(func() {
		_, err := h.turn(t.Context())
		require.ErrorIs(t, err, ErrBusy, "who waits too long is told to come again")
	})
	group.Wait()
	for _, release := range releases {
		release()
	}
	_, err = h.turn(t.Context())
	require.NoError(t, err)
}
