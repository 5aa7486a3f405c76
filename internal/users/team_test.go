package users_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
	"shopd/internal/users"
)

const staffPassword = "wide rivers and old bridges"

// member adds somebody to the staff on behalf of an owner and returns them with a session.
func member(t *testing.T, b *bundle, owner httpx.Principal, email string, role users.Role) (users.Staff, users.StaffSession) {
	t.Helper()
	staff, err := b.AddStaff(t.Context(), owner, users.NewStaff{Email: email, Role: role, Password: staffPassword})
	require.NoError(t, err)
	session, err := b.LoginStaff(t.Context(), email, staffPassword)
	require.NoError(t, err)
	return staff, session
}

func owner(t *testing.T, b *bundle) httpx.Principal {
	t.Helper()
	staff, err := b.CreateAdmin(t.Context(), "owner@example.com", staffPassword)
	require.NoError(t, err)
	session, err := b.LoginStaff(t.Context(), "owner@example.com", staffPassword)
	require.NoError(t, err)
	p, err := b.AuthenticateStaff(t.Context(), session.Token)
	require.NoError(t, err)
	require.Equal(t, string(staff), p.ID)
	require.Equal(t, httpx.Staff, p.Kind)
	require.True(t, p.May("anything:write"))
	return p
}

func TestLoginLinkWorksOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	staff, err := b.CreateAdmin(t.Context(), "owner@example.com", "")
	require.NoError(t, err)
	token, err := b.IssueLoginLink(t.Context(), staff, 10*time.Minute)
	require.NoError(t, err)

	const racers = 10
	failures := make([]error, racers)
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() { _, failures[i] = b.LoginWithLink(t.Context(), token) })
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

	late, err := b.IssueLoginLink(t.Context(), staff, 10*time.Minute)
	require.NoError(t, err)
	b.clock.advance(11 * time.Minute)
	_, err = b.LoginWithLink(t.Context(), late)
	require.ErrorIs(t, err, users.ErrExpiredToken)
	_, err = b.LoginStaff(t.Context(), "owner@example.com", "")
	require.ErrorIs(t, err, users.ErrInvalidCredentials, "an account without a password has none to guess")
}

func TestCreateAdminAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, err := b.CreateAdmin(t.Context(), "owner@example.com", "")
	require.NoError(t, err)
	second, err := b.CreateAdmin(t.Context(), "Owner@example.com", staffPassword)
	require.NoError(t, err)
	require.Equal(t, first, second)
	_, err = b.LoginStaff(t.Context(), "owner@example.com", staffPassword)
	require.NoError(t, err)
	_, err = b.CreateAdmin(t.Context(), "owner@example.com", "password")
	require.ErrorIs(t, err, users.ErrPasswordCompromised)
}

func TestStaffSessionSlides(t *testing.T) {
	t.Parallel()
	b := setup(t)
	owner(t, b)
	session, err := b.LoginStaff(t.Context(), "owner@example.com", staffPassword)
	require.NoError(t, err)
	for range 3 {
		b.clock.advance(11 * time.Hour)
		_, err := b.AuthenticateStaff(t.Context(), session.Token)
		require.NoError(t, err)
	}
	b.clock.advance(12*time.Hour + time.Second)
	_, err = b.AuthenticateStaff(t.Context(), session.Token)
	require.ErrorIs(t, err, users.ErrSessionRevoked)
}

func TestStaffChangesCountAtOnceEverywhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.replica(t, options{})
	boss := owner(t, b)
	manager, session := member(t, b, boss, "manager@example.com", users.Manager)
	p, err := other.AuthenticateStaff(t.Context(), session.Token)
	require.NoError(t, err)
	require.True(t, p.May("orders:write"))
	require.False(t, p.May("settings:write"))

	require.NoError(t, b.SetStaffRole(t.Context(), boss, manager.ID, users.Viewer))
	_, err = other.AuthenticateStaff(t.Context(), session.Token)
	require.ErrorIs(t, err, users.ErrSessionRevoked)
	session, err = other.LoginStaff(t.Context(), "manager@example.com", staffPassword)
	require.NoError(t, err)
	p, err = b.AuthenticateStaff(t.Context(), session.Token)
	require.NoError(t, err)
	require.True(t, p.May("orders:read"))
	require.False(t, p.May("orders:write"))

	link, err := b.IssueLoginLink(t.Context(), manager.ID, time.Hour)
	require.NoError(t, err)
	require.NoError(t, b.SetStaffActive(t.Context(), boss, manager.ID, false))
	_, err = other.AuthenticateStaff(t.Context(), session.Token)
	require.ErrorIs(t, err, users.ErrSessionRevoked)
	_, err = other.LoginStaff(t.Context(), "manager@example.com", staffPassword)
	require.ErrorIs(t, err, users.ErrInvalidCredentials)
	_, err = other.LoginWithLink(t.Context(), link)
	require.ErrorIs(t, err, users.ErrExpiredToken)

	session, err = b.LoginStaff(t.Context(), "owner@example.com", staffPassword)
	require.NoError(t, err)
	p, err = b.AuthenticateStaff(t.Context(), session.Token)
	require.NoError(t, err)
	require.NoError(t, b.LogoutStaff(t.Context(), p.SessionID))
	_, err = other.AuthenticateStaff(t.Context(), session.Token)
	require.ErrorIs(t, err, users.ErrSessionRevoked)
}

func TestRolesAreHandedDownOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	boss := owner(t, b)
	_, session := member(t, b, boss, "manager@example.com", users.Manager)
	manager, err := b.AuthenticateStaff(t.Context(), session.Token)
	require.NoError(t, err)
	supporter, session := member(t, b, boss, "support@example.com", users.Support)
	support, err := b.AuthenticateStaff(t.Context(), session.Token)
	require.NoError(t, err)
	_, key, err := b.CreateAPIKey(t.Context(), boss.Actor(), "all", []string{"*"})
	require.NoError(t, err)
	program, err := b.Authenticate(t.Context(), key)
	require.NoError(t, err)

	for _, c := range []struct {
		actor httpx.Principal
		role  users.Role
		ok    bool
	}{
		{boss, users.Owner, true},
		{boss, users.Viewer, true},
		{manager, users.Owner, false},
		{manager, users.Manager, false},
		{manager, users.Support, true},
		{support, users.Viewer, false},
		{program, users.Viewer, false},
		{httpx.Principal{Kind: httpx.Customer, ID: "cus_1"}, users.Viewer, false},
	} {
		email := string(c.actor.Kind) + c.actor.ID + string(c.role) + "@example.com"
		_, err := b.AddStaff(t.Context(), c.actor, users.NewStaff{Email: email, Role: c.role})
		if c.ok {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, users.ErrForbidden)
		}
	}
	require.ErrorIs(t, b.SetStaffRole(t.Context(), manager, users.StaffID(boss.ID), users.Viewer), users.ErrForbidden)
	require.ErrorIs(t, b.SetStaffRole(t.Context(), manager, users.StaffID(manager.ID), users.Owner), users.ErrForbidden)
	require.ErrorIs(t, b.SetStaffRole(t.Context(), manager, supporter.ID, users.Manager), users.ErrForbidden)
	require.ErrorIs(t, b.SetStaffActive(t.Context(), support, users.StaffID(manager.ID), false), users.ErrForbidden)
	_, err = b.AddStaff(t.Context(), boss, users.NewStaff{Email: "manager@example.com", Role: users.Viewer})
	require.ErrorIs(t, err, users.ErrStaffExists)
	_, err = b.AddStaff(t.Context(), boss, users.NewStaff{Email: "x@example.com", Role: "emperor"})
	require.Equal(t, errs.Invalid, errs.KindOf(err))
}

func TestTheLastOwnerStays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	boss := owner(t, b)
	require.ErrorIs(t, b.SetStaffRole(t.Context(), boss, users.StaffID(boss.ID), users.Viewer), users.ErrLastAdmin)
	require.ErrorIs(t, b.SetStaffActive(t.Context(), boss, users.StaffID(boss.ID), false), users.ErrLastAdmin)

	partner, session := member(t, b, boss, "partner@example.com", users.Owner)
	second, err := b.AuthenticateStaff(t.Context(), session.Token)
	require.NoError(t, err)
	var group sync.WaitGroup
	var failures [2]error
	group.Go(func() { failures[0] = b.SetStaffActive(t.Context(), boss, partner.ID, false) })
	group.Go(func() { failures[1] = b.SetStaffActive(t.Context(), second, users.StaffID(boss.ID), false) })
	group.Wait()
	require.NotEqual(t, failures[0] == nil, failures[1] == nil, "two owners who throw each other out: one wins (%v)", failures)
	require.EqualValues(t, 1, scalar[int64](t, b, "select count(*) from users.staff where role = 'owner' and disabled_at is null"))
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.replica(t, options{})
	key, secret, err := b.CreateAPIKey(t.Context(), "system", "ERP", []string{"orders:read", "inventory:*", "orders:read"})
	require.NoError(t, err)
	require.Regexp(t, `^sk_[A-Za-z0-9_-]{43}$`, secret)
	require.Equal(t, []string{"inventory:*", "orders:read"}, key.Scopes)

	for range 3 {
		p, err := other.Authenticate(t.Context(), secret)
		require.NoError(t, err)
		require.Equal(t, httpx.APIKey, p.Kind)
		require.True(t, p.May("inventory:write"))
		require.False(t, p.May("orders:write"))
	}
	keys, err := b.APIKeys(t.Context())
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.NotNil(t, keys[0].LastUsedAt)
	require.EqualValues(t, 0, scalar[int64](t, b, "select count(*) from users.api_keys where api_keys::text like '%' || $1 || '%'", secret[3:]))

	require.NoError(t, b.RevokeAPIKey(t.Context(), "system", key.ID))
	refused(t, other, secret, "invalid_token")
	refused(t, b.Service, "sk_guessed", "invalid_token")
	require.ErrorIs(t, b.RevokeAPIKey(t.Context(), "system", key.ID), errs.ErrNotFound)

	for _, scopes := range [][]string{nil, {"everything"}, {"orders:delete"}, {""}} {
		_, _, err := b.CreateAPIKey(t.Context(), "system", "bad", scopes)
		require.Equal(t, errs.Invalid, errs.KindOf(err))
	}
}

func TestAuditLog(t *testing.T) {
	t.Parallel()
	b := setup(t)
	boss := owner(t, b)
	staff, _ := member(t, b, boss, "support@example.com", users.Support)
	require.NoError(t, b.RecordAudit(t.Context(), boss.Actor(), "price.changed", "var_1", map[string]any{"to": 1999}))
	log, err := b.AuditLog(t.Context(), "", 3)
	require.NoError(t, err)
	require.Len(t, log, 3)
	require.Equal(t, "price.changed", log[0].Action)
	require.EqualValues(t, 1999, log[0].Detail["to"])
	require.Equal(t, "staff.created", log[2].Action)
	require.Equal(t, string(staff.ID), log[2].Object)
	require.Equal(t, boss.Actor(), log[2].Actor)
	older, err := b.AuditLog(t.Context(), log[2].ID, 10)
	require.NoError(t, err)
	require.NotEmpty(t, older)
	require.NotContains(t, older, log[2])

	pool := connect(t, b.databaseURL, "shopd_users")
	_, err = pool.Exec(t.Context(), "delete from users.audit_log")
	require.ErrorContains(t, err, "permission denied", "the log cannot be rewritten by the shop")
}
