package users_test

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/platform/errs"
	"shopd/internal/users"
)

// fastest is the shortest time that do took for one of the addresses: what a busy machine adds to the others says nothing.
func fastest(t *testing.T, emails []string, do func(email string) error) time.Duration {
	t.Helper()
	best := time.Hour
	for _, email := range emails {
		began := time.Now()
		require.NoError(t, do(email))
		best = min(best, time.Since(began))
	}
	return best
}

func TestRegisterAnExistingAddressLooksTheSame(t *testing.T) {
	t.Parallel()
	b := setup(t)
	register := func(emails ...string) time.Duration {
		return fastest(t, emails, func(email string) error {
			return b.Register(t.Context(), users.Registration{Email: email, Password: password, Name: "Eve"})
		})
	}
	register(address)
	again := register(" Ada@EXAMPLE.com", "ADA@example.com", address)
	fresh := register("bob@example.com", "carol@example.com", "dan@example.com")
	require.InDelta(t, fresh.Seconds(), again.Seconds(), 0.03)

	require.Equal(t, []string{"welcome", "already_registered", "already_registered", "already_registered"}, b.mails.to(address))
	require.EqualValues(t, 4, scalar[int64](t, b, "select count(*) from users.customers"))
	require.EqualValues(t, 4, scalar[int64](t, b, "select count(*) from platform.outbox"))
	c, err := b.CustomerByEmail(t.Context(), address)
	require.NoError(t, err)
	require.Equal(t, "Eve", c.Name, "of the first registration; the second changed nothing")
}

func TestRegisterRacedMakesOneAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var group sync.WaitGroup
	failures := make([]error, 10)
	for i := range failures {
		group.Go(func() {
			failures[i] = b.Register(t.Context(), users.Registration{Email: address, Password: password})
		})
	}
	group.Wait()
	for _, err := range failures {
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, scalar[int64](t, b, "select count(*) from users.customers"))
	require.EqualValues(t, 1, scalar[int64](t, b, "select count(*) from users.data_keys"))
	require.EqualValues(t, 1, scalar[int64](t, b, "select count(*) from platform.outbox"))
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range map[string]struct {
		r    users.Registration
		code string
	}{
		"header injection":  {users.Registration{Email: "ada@example.com\r\nBcc: x@y.example", Password: password}, "invalid_email"},
		"short password":    {users.Registration{Email: address, Password: "seven77"}, "password_too_short"},
		"common password":   {users.Registration{Email: address, Password: "Password123"}, "password_compromised"},
		"mail in password":  {users.Registration{Email: "lovelace@example.com", Password: "lovelace-1815"}, "password_compromised"},
		"control character": {users.Registration{Email: address, Password: password, Name: "Ada\nBcc: x"}, "validation_failed"},
	} {
		err := b.Register(t.Context(), c.r)
		require.Error(t, err, name)
		require.Equal(t, c.code, errs.As(err).Code, name)
		require.Equal(t, errs.Invalid, errs.KindOf(err), name)
		require.NotEmpty(t, errs.As(err).Fields, name)
	}
	require.EqualValues(t, 0, scalar[int64](t, b, "select count(*) from users.customers"))
}

func TestVerifyEmail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := b.register(t)
	token := b.mails.token(t, "welcome")
	require.NoError(t, b.VerifyEmail(t.Context(), token))
	c, err := b.Customer(t.Context(), customer)
	require.NoError(t, err)
	require.True(t, c.EmailVerified)
	require.ErrorIs(t, b.VerifyEmail(t.Context(), token), users.ErrExpiredToken)
}

func TestResetTokenWorksOnceForItsOwner(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	const fresh = "another walk at dawn"
	reset := func(token string) error { return b.ResetPassword(t.Context(), token, fresh) }

	require.ErrorIs(t, reset("guessed"), users.ErrExpiredToken)
	require.ErrorIs(t, reset(b.mails.token(t, "welcome")), users.ErrExpiredToken, "a token for another purpose")

	require.NoError(t, b.RequestPasswordReset(t.Context(), address))
	stale := b.mails.token(t, "password_reset")
	require.NoError(t, b.RequestPasswordReset(t.Context(), address))
	require.ErrorIs(t, reset(stale), users.ErrExpiredToken, "only the newest link counts")

	token := b.mails.token(t, "password_reset")
	require.ErrorIs(t, b.ResetPassword(t.Context(), token, "password"), users.ErrPasswordCompromised)
	require.NoError(t, reset(token), "a refused password leaves the link good")
	require.ErrorIs(t, reset(token), users.ErrExpiredToken)
	_, _, err := b.Login(t.Context(), address, password)
	require.ErrorIs(t, err, users.ErrInvalidCredentials)
	_, c, err := b.Login(t.Context(), address, fresh)
	require.NoError(t, err)
	require.True(t, c.EmailVerified, "whoever follows a mailed link reads mail to the address")

	require.NoError(t, b.RequestPasswordReset(t.Context(), address))
	b.clock.advance(61 * time.Minute)
	require.ErrorIs(t, reset(b.mails.token(t, "password_reset")), users.ErrExpiredToken)
}

func TestResetRacedChangesThePasswordOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	require.NoError(t, b.RequestPasswordReset(t.Context(), address))
	token := b.mails.token(t, "password_reset")
	var group sync.WaitGroup
	failures := make([]error, 8)
	for i := range failures {
		group.Go(func() { failures[i] = b.ResetPassword(t.Context(), token, fmt.Sprintf("walk number %d at dawn", i)) })
	}
	group.Wait()
	won := 0
	for _, err := range failures {
		if err == nil {
			won++
		} else {
			require.ErrorIs(t, err, users.ErrExpiredToken)
		}
	}
	require.Equal(t, 1, won)
}

func TestResetOfAnUnknownAddressLooksTheSame(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	took := func(email string) time.Duration {
		return fastest(t, []string{email, email, email}, func(email string) error { return b.RequestPasswordReset(t.Context(), email) })
	}
	require.InDelta(t, took(address).Seconds(), took("nobody@example.com").Seconds(), 0.03)
	require.Empty(t, b.mails.to("nobody@example.com"))
}

func TestChangeEmail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := b.register(t)
	require.NoError(t, b.Register(t.Context(), users.Registration{Email: "taken@example.com", Password: password}))
	require.NoError(t, b.RequestPasswordReset(t.Context(), address))
	resetToken := b.mails.token(t, "password_reset")

	require.ErrorIs(t, b.RequestEmailChange(t.Context(), customer, "wrong", "new@example.com"), users.ErrWrongPassword)
	require.NoError(t, b.RequestEmailChange(t.Context(), customer, password, "taken@example.com"))
	require.Equal(t, []string{"welcome", "already_registered"}, b.mails.to("taken@example.com"))

	require.NoError(t, b.RequestEmailChange(t.Context(), customer, password, "New@example.com"))
	token := b.mails.token(t, "change_email")
	refused(t, b.Service, token, "invalid_token")
	require.NoError(t, b.ConfirmEmailChange(t.Context(), token))
	c, err := b.Customer(t.Context(), customer)
	require.NoError(t, err)
	require.EqualValues(t, "new@example.com", c.Email)
	require.Contains(t, b.mails.to(address), "email_changed", "the old address is told")

	require.ErrorIs(t, b.ResetPassword(t.Context(), resetToken, "another walk at dawn"), users.ErrExpiredToken, "mailed to the address before")
	require.ErrorIs(t, b.ConfirmEmailChange(t.Context(), token), users.ErrExpiredToken)
	_, _, err = b.Login(t.Context(), address, password)
	require.ErrorIs(t, err, users.ErrInvalidCredentials)
	_, _, err = b.Login(t.Context(), "new@example.com", password)
	require.NoError(t, err)
}

func TestChangeToAnAddressTakenMeanwhile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := b.register(t)
	require.NoError(t, b.RequestEmailChange(t.Context(), customer, password, "new@example.com"))
	require.NoError(t, b.Register(t.Context(), users.Registration{Email: "new@example.com", Password: password}))
	require.ErrorIs(t, b.ConfirmEmailChange(t.Context(), b.mails.token(t, "change_email")), users.ErrExpiredToken)
}

func TestProfile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := b.register(t)
	name, phone, empty := "Ada King", "+44 20 7946 0000", ""
	c, err := b.UpdateProfile(t.Context(), customer, users.CustomerChange{Name: &name, Phone: &phone}, nil)
	require.NoError(t, err)
	require.Equal(t, "Ada King", c.Name)

	_, err = b.UpdateProfile(t.Context(), customer, users.CustomerChange{Phone: &empty}, new(int64))
	require.ErrorIs(t, err, errs.ErrStaleVersion)
	c, err = b.UpdateProfile(t.Context(), customer, users.CustomerChange{Phone: &empty}, &c.Version)
	require.NoError(t, err)
	stored, err := b.Customer(t.Context(), customer)
	require.NoError(t, err)
	require.Equal(t, c, stored)
	require.Equal(t, "Ada King", stored.Name)
	require.Empty(t, stored.Phone)
}

func home() users.PostalAddress {
	return users.PostalAddress{Name: "Ada Lovelace", Line1: "12 St James's Square", City: "London", PostalCode: "SW1Y 4JH", Country: "gb"}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := b.register(t)
	require.NoError(t, b.Register(t.Context(), users.Registration{Email: "eve@example.com", Password: password}))
	eve, err := b.CustomerByEmail(t.Context(), "eve@example.com")
	require.NoError(t, err)

	first, err := b.AddAddress(t.Context(), customer, home(), false)
	require.NoError(t, err)
	require.True(t, first.IsDefault, "the first one is the default")
	require.Equal(t, "GB", first.Country)
	second, err := b.AddAddress(t.Context(), customer, home(), true)
	require.NoError(t, err)
	list, err := b.Addresses(t.Context(), customer)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, second.ID, list[0].ID, "the default comes first")
	require.True(t, list[0].IsDefault)
	require.False(t, list[1].IsDefault)

	moved := home()
	moved.City = "Bath"
	changed, err := b.UpdateAddress(t.Context(), customer, first.ID, moved, true)
	require.NoError(t, err)
	require.Equal(t, "Bath", changed.City)
	got, err := b.Address(t.Context(), customer, first.ID)
	require.NoError(t, err)
	require.Equal(t, changed, got)

	_, err = b.Address(t.Context(), eve.ID, first.ID)
	require.ErrorIs(t, err, errs.ErrNotFound)
	_, err = b.UpdateAddress(t.Context(), eve.ID, first.ID, home(), false)
	require.ErrorIs(t, err, errs.ErrNotFound)
	require.ErrorIs(t, b.DeleteAddress(t.Context(), eve.ID, first.ID), errs.ErrNotFound)
	require.NoError(t, b.DeleteAddress(t.Context(), customer, second.ID))

	bad := home()
	bad.Country, bad.Line1 = "G1", "  "
	_, err = b.AddAddress(t.Context(), customer, bad, false)
	require.Equal(t, errs.Invalid, errs.KindOf(err))
}

func TestAddressesRacedKeepOneDefaultAndTheLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := b.register(t)
	var group sync.WaitGroup
	const racers = 60
	failures := make([]error, racers)
	for i := range racers {
		group.Go(func() { _, failures[i] = b.AddAddress(t.Context(), customer, home(), true) })
	}
	group.Wait()
	refused := 0
	for _, err := range failures {
		if err != nil {
			require.ErrorIs(t, err, users.ErrAddressLimit)
			refused++
		}
	}
	require.Equal(t, 10, refused)
	require.EqualValues(t, 1, scalar[int64](t, b, "select count(*) from users.addresses where is_default"))
}

// TestPersonalDataIsSealedAtRest plants words and looks for them in everything that is stored.
func TestPersonalDataIsSealedAtRest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	canaries := []string{"canarymail", "canaryname", "canarystreet", "canaryphone", "canarynew", "canarypassword"}
	require.NoError(t, b.Register(t.Context(), users.Registration{
		Email: "canarymail@example.com", Password: "long canarypassword words", Name: "canaryname",
	}))
	tokens, c, err := b.Login(t.Context(), "canarymail@example.com", "long canarypassword words")
	require.NoError(t, err)
	accepted(t, b.Service, tokens.AccessToken)
	next, err := b.Refresh(t.Context(), tokens.RefreshToken)
	require.NoError(t, err)
	phone := "canaryphone"
	_, err = b.UpdateProfile(t.Context(), c.ID, users.CustomerChange{Phone: &phone}, nil)
	require.NoError(t, err)
	_, err = b.AddAddress(t.Context(), c.ID, users.PostalAddress{Name: "canaryname", Line1: "canarystreet", City: "X", Country: "GB"}, false)
	require.NoError(t, err)
	require.NoError(t, b.RequestEmailChange(t.Context(), c.ID, "long canarypassword words", "canarynew@example.com"))
	_, err = b.CreateAdmin(t.Context(), "canarymail@example.com", "")
	require.NoError(t, err)

	canaries = append(canaries, tokens.RefreshToken, next.RefreshToken, b.mails.token(t, "change_email"))
	dump, err := exec.CommandContext(t.Context(), "pg_dump", "--data-only", "--inserts", "--dbname", b.databaseURL).Output()
	require.NoError(t, err)
	require.Contains(t, string(dump), string(c.ID), "the dump has the data")
	keys, err := b.redis.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	require.NotEmpty(t, keys)
	stored := string(dump)
	for _, key := range keys {
		value, err := b.redis.Get(t.Context(), key).Result()
		require.NoError(t, err)
		stored += key + value
	}
	lower := strings.ToLower(stored)
	for _, canary := range canaries {
		require.NotContains(t, stored, canary)
		require.NotContains(t, lower, fmt.Sprintf("%x", canary), "in the hexadecimal form of a bytea")
	}
}

func TestEraseLeavesNothingPersonal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := b.register(t)
	_, err := b.AddAddress(t.Context(), customer, home(), true)
	require.NoError(t, err)
	require.NoError(t, b.RequestPasswordReset(t.Context(), address))
	require.ErrorIs(t, b.EraseMe(t.Context(), customer, "wrong"), users.ErrWrongPassword)
	require.NoError(t, b.EraseMe(t.Context(), customer, password))

	for _, table := range []string{"data_keys", "addresses", "one_time_tokens"} {
		require.EqualValues(t, 0, scalar[int64](t, b, "select count(*) from users."+table), table)
	}
	_, err = b.Customer(t.Context(), customer)
	require.ErrorIs(t, err, users.ErrErased)
	_, _, err = b.Login(t.Context(), address, password)
	require.ErrorIs(t, err, users.ErrInvalidCredentials)
	require.EqualValues(t, 1, scalar[int64](t, b, "select count(*) from platform.outbox where type = 'users.customer_erased.v1' and aggregate_id = $1", customer))
	require.NoError(t, b.Erase(t.Context(), customer, "staff:stf_1"), "again, without effect")
	require.EqualValues(t, 1, scalar[int64](t, b, "select count(*) from platform.outbox where type = 'users.customer_erased.v1'"))

	require.NoError(t, b.Register(t.Context(), users.Registration{Email: address, Password: password}))
	again, err := b.CustomerByEmail(t.Context(), address)
	require.NoError(t, err)
	require.NotEqual(t, customer, again.ID, "the address is free for a new account")
}

func TestExport(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := b.register(t)
	b.login(t)
	_, err := b.AddAddress(t.Context(), customer, home(), true)
	require.NoError(t, err)
	e, err := b.Export(t.Context(), customer)
	require.NoError(t, err)
	require.EqualValues(t, address, e.Customer.Email)
	require.Len(t, e.Addresses, 1)
	require.Len(t, e.Sessions, 1)
	require.JSONEq(t, fmt.Sprintf(`[{"order_of":%q}]`, customer), string(e.Orders))
}

func TestDisabledAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := b.register(t)
	require.NoError(t, b.SetCustomerActive(t.Context(), customer, false, "staff:stf_1"))
	_, _, err := b.Login(t.Context(), address, password)
	require.ErrorIs(t, err, users.ErrAccountDisabled)
	_, _, err = b.Login(t.Context(), address, "wrong")
	require.ErrorIs(t, err, users.ErrInvalidCredentials, "only who knows the password learns more")
	require.NoError(t, b.RequestPasswordReset(t.Context(), address))
	require.NotContains(t, b.mails.to(address), "password_reset")
	require.NoError(t, b.SetCustomerActive(t.Context(), customer, true, "staff:stf_1"))
	b.login(t)
}

func TestPurge(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	b.login(t)
	n, err := b.Purge(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	b.clock.advance(40 * 24 * time.Hour)
	n, err = b.Purge(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, n, "the session and the link of the welcome mail")
	require.EqualValues(t, 0, scalar[int64](t, b, "select count(*) from users.refresh_tokens"))
}

func TestRotateKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := b.register(t)
	_, err := b.CreateAdmin(t.Context(), "owner@example.com", staffPassword)
	require.NoError(t, err)

	rotating := b.replica(t, options{masterKeys: masterKey("n") + "," + masterKey("k")})
	done, err := rotating.RotateKeys(t.Context())
	require.NoError(t, err)
	require.Equal(t, users.Rotation{Keys: 2, Indexes: 2}, done)
	done, err = rotating.RotateKeys(t.Context())
	require.NoError(t, err)
	require.Zero(t, done, "nothing is left to do")

	_, c, err := rotating.Login(t.Context(), address, password)
	require.NoError(t, err)
	require.Equal(t, customer, c.ID)
	_, err = rotating.LoginStaff(t.Context(), "owner@example.com", staffPassword)
	require.NoError(t, err)
	under, err := rotating.PasswordsUnder(t.Context())
	require.NoError(t, err)
	require.Len(t, under, 1, "signing in moved both passwords")

	after := b.replica(t, options{masterKeys: masterKey("n")})
	_, _, err = after.Login(t.Context(), address, password)
	require.NoError(t, err, "the old master key is not needed any more")
}
