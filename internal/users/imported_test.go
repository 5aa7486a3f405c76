package users_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/users"
)

func importedAda() users.ImportedCustomer {
	return users.ImportedCustomer{
		Email: " Ada@Example.com", Name: "Ada Lovelace", Phone: "+15550100", Verified: true, CreatedAt: time.Date(2025, 4, 3, 2, 1, 0, 0, time.UTC),
		Address: &users.PostalAddress{Name: "Ada Lovelace", Line1: "12 St James's Square", City: "London", Country: "gb"},
	}
}

func TestImportedCustomersFindTheirAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	withPassword := importedAda()
	withPassword.Email, withPassword.Password, withPassword.Address = "grace@example.com", "grace", nil
	ids, err := b.ImportCustomers(t.Context(), []users.ImportedCustomer{importedAda(), withPassword})
	require.NoError(t, err)

	c, err := b.CustomerByEmail(t.Context(), address)
	require.NoError(t, err)
	require.Equal(t, users.Customer{
		ID: ids[0], Status: users.Active, Email: address, EmailVerified: true, Name: "Ada Lovelace", Phone: "+15550100", Version: 1,
		CreatedAt: importedAda().CreatedAt,
	}, c)
	list, err := b.Addresses(t.Context(), ids[0])
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.True(t, list[0].IsDefault)
	require.Equal(t, "GB", list[0].Country)

	_, signedIn, err := b.Login(t.Context(), "grace@example.com", "grace")
	require.NoError(t, err, "a password is taken as it is")
	require.Equal(t, ids[1], signedIn.ID)
	_, _, err = b.Login(t.Context(), address, "")
	require.ErrorIs(t, err, users.ErrInvalidCredentials)
	_, _, err = b.Login(t.Context(), address, password)
	require.ErrorIs(t, err, users.ErrInvalidCredentials)

	require.NoError(t, b.RequestPasswordReset(t.Context(), address))
	require.NoError(t, b.ResetPassword(t.Context(), b.mails.token(t, "password_reset"), password))
	b.login(t)

	require.Zero(t, scalar[int](t, b, "select count(*) from platform.outbox"), "nobody is told")
	require.Zero(t, scalar[int](t, b, "select count(*) from users.customers where name_sealed::text like '%' || encode('Lovelace', 'hex') || '%'"))
}

func TestAnAddressThatHasAnAccountKeepsIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	have := b.register(t)
	twice := importedAda()
	twice.Email = "grace@example.com"
	ids, err := b.ImportCustomers(t.Context(), []users.ImportedCustomer{importedAda(), twice, twice})
	require.NoError(t, err)
	require.Equal(t, have, ids[0])
	require.Equal(t, ids[1], ids[2], "an address has one account, also within a list")
	again, err := b.ImportCustomers(t.Context(), []users.ImportedCustomer{importedAda(), twice, twice})
	require.NoError(t, err)
	require.Equal(t, ids, again)
	b.login(t)
	list, err := b.Addresses(t.Context(), have)
	require.NoError(t, err)
	require.Empty(t, list)

	// Also when the index of the address was made under a master key that is not the first any more.
	rotated := b.replica(t, options{masterKeys: masterKey("n") + "," + masterKey("k")})
	again, err = rotated.ImportCustomers(t.Context(), []users.ImportedCustomer{importedAda(), twice, twice})
	require.NoError(t, err)
	require.Equal(t, ids, again)
}

func TestOneBadCustomerKeepsAllOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, spoil := range map[string]func(*users.ImportedCustomer){
		"an address that is none": func(c *users.ImportedCustomer) { c.Email = "grace" },
		"a name of two lines":     func(c *users.ImportedCustomer) { c.Name = "Grace\nHopper" },
		"an address without town": func(c *users.ImportedCustomer) {
			c.Address = &users.PostalAddress{Name: "Grace", Line1: "1", Country: "US"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bad := importedAda()
			spoil(&bad)
			_, err := b.ImportCustomers(t.Context(), []users.ImportedCustomer{importedAda(), bad})
			require.Error(t, err)
			require.Zero(t, scalar[int](t, b, "select (select count(*) from users.customers) + (select count(*) from users.data_keys)"))
		})
	}
}

func TestAuditOfOneObject(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.RecordAudit(t.Context(), "system", "one", "lamp", nil))
	require.NoError(t, b.RecordAudit(t.Context(), "system", "other", "shirt", nil))
	require.NoError(t, b.RecordAudit(t.Context(), "system", "two", "lamp", nil))
	list, err := b.AuditOf(t.Context(), "lamp", 5)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, "two", list[0].Action, "the newest is first")
	list, err = b.AuditOf(t.Context(), "lamp", 1)
	require.NoError(t, err)
	require.Len(t, list, 1)
}
