package storefronttest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"shopd/internal/platform/crypto"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
	"shopd/internal/platform/id"
	"shopd/internal/users"
)

// accessTTL is how long an access token says it lives. It lives until Expire is called.
const accessTTL = 10 * time.Minute

var errToken = errs.New(errs.Unauthenticated, "invalid_token", "The access token is not valid.")

// Users keeps accounts and sessions in memory.
type Users struct {
	failure
	mu        sync.Mutex
	accounts  map[string]*account // by e-mail address
	access    map[string]*account
	refresh   map[string]*account
	resets    map[string]*account
	lastReset string
}

type account struct {
	users.Customer
	password  string
	addresses []users.Address
}

func newUsers() *Users {
	return &Users{accounts: map[string]*account{}, access: map[string]*account{}, refresh: map[string]*account{}, resets: map[string]*account{}}
}

// Expire ends all access tokens, so that the next page has to refresh.
func (u *Users) Expire() {
	u.mu.Lock()
	defer u.mu.Unlock()
	clear(u.access)
}

// ResetToken is the token of the last mail about a forgotten password.
func (u *Users) ResetToken() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.lastReset
}

// Register implements storefront.Users.
func (u *Users) Register(_ context.Context, r users.Registration) error {
	if err := u.failing(); err != nil {
		return err
	}
	if len(r.Password) < 8 {
		return errs.New(errs.Invalid, "password_too_short", "The password needs at least 8 characters.")
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	email := strings.ToLower(r.Email)
	if u.accounts[email] == nil {
		u.accounts[email] = &account{password: r.Password, Customer: users.Customer{ID: users.CustomerID(id.New("cus")), Email: users.Email(email), Name: r.Name}}
	}
	return nil
}

// Login implements storefront.Users.
func (u *Users) Login(_ context.Context, email, password string) (users.Tokens, users.Customer, error) {
	if err := u.failing(); err != nil {
		return users.Tokens{}, users.Customer{}, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.accounts[strings.ToLower(email)]
	if a == nil || a.password != password {
		return users.Tokens{}, users.Customer{}, users.ErrInvalidCredentials
	}
	return u.tokens(a), a.Customer, nil
}

func (u *Users) tokens(a *account) users.Tokens {
	t := users.Tokens{AccessToken: crypto.RandomToken(24), RefreshToken: crypto.RandomToken(24), ExpiresIn: accessTTL, SessionID: "ses_" + string(a.ID)}
	u.access[t.AccessToken], u.refresh[t.RefreshToken] = a, a
	return t
}

// Refresh implements storefront.Users.
func (u *Users) Refresh(_ context.Context, token string) (users.Tokens, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.refresh[token]
	if a == nil {
		return users.Tokens{}, errToken
	}
	delete(u.refresh, token)
	return u.tokens(a), nil
}

// Logout implements storefront.Users.
func (u *Users) Logout(_ context.Context, session string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	mine := func(_ string, a *account) bool { return "ses_"+string(a.ID) == session }
	deleteFunc(u.access, mine)
	deleteFunc(u.refresh, mine)
	return nil
}

func deleteFunc(m map[string]*account, del func(string, *account) bool) {
	for k, v := range m {
		if del(k, v) {
			delete(m, k)
		}
	}
}

// Authenticate implements storefront.Users.
func (u *Users) Authenticate(_ context.Context, bearer string) (httpx.Principal, error) {
	if err := u.failing(); err != nil {
		return httpx.Principal{}, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.access[bearer]
	if a == nil {
		return httpx.Principal{}, errToken
	}
	return httpx.Principal{Kind: httpx.Customer, ID: string(a.ID), SessionID: "ses_" + string(a.ID)}, nil
}

func (u *Users) byID(customer users.CustomerID) *account {
	for _, a := range u.accounts {
		if a.ID == customer {
			return a
		}
	}
	return &account{}
}

// Customer implements storefront.Users.
func (u *Users) Customer(_ context.Context, customer users.CustomerID) (users.Customer, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.byID(customer).Customer, nil
}

// Addresses implements storefront.Users.
func (u *Users) Addresses(_ context.Context, customer users.CustomerID) ([]users.Address, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.byID(customer).addresses), nil
}

// AddAddress implements storefront.Users.
func (u *Users) AddAddress(_ context.Context, customer users.CustomerID, p users.PostalAddress, makeDefault bool) (users.Address, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.byID(customer)
	out := users.Address{ID: users.AddressID(id.New("addr")), PostalAddress: p, IsDefault: makeDefault || len(a.addresses) == 0}
	a.addresses = append(a.addresses, out)
	return out, nil
}

// UpdateAddress implements storefront.Users.
func (u *Users) UpdateAddress(_ context.Context, customer users.CustomerID, addressID users.AddressID, p users.PostalAddress, makeDefault bool) (users.Address, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, a := range u.byID(customer).addresses {
		if a.ID == addressID {
			a.PostalAddress, a.IsDefault = p, a.IsDefault || makeDefault
			u.byID(customer).addresses[i] = a
			return a, nil
		}
	}
	return users.Address{}, errs.ErrNotFound
}

// DeleteAddress implements storefront.Users.
func (u *Users) DeleteAddress(_ context.Context, customer users.CustomerID, addressID users.AddressID) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.byID(customer)
	a.addresses = slices.DeleteFunc(a.addresses, func(x users.Address) bool { return x.ID == addressID })
	return nil
}

// RequestPasswordReset implements storefront.Users.
func (u *Users) RequestPasswordReset(_ context.Context, email string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if a := u.accounts[strings.ToLower(email)]; a != nil {
		u.lastReset = crypto.RandomToken(24)
		u.resets[u.lastReset] = a
	}
	return nil
}

// ResetPassword implements storefront.Users.
func (u *Users) ResetPassword(_ context.Context, token, password string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.resets[token]
	if a == nil {
		return users.ErrExpiredToken
	}
	delete(u.resets, token)
	a.password = password
	return nil
}

// VerifyEmail implements storefront.Users. The only link that holds has the token "good".
func (u *Users) VerifyEmail(_ context.Context, token string) error {
	if token != "good" {
		return users.ErrExpiredToken
	}
	return nil
}

// ConfirmEmailChange implements storefront.Users, as VerifyEmail does.
func (u *Users) ConfirmEmailChange(ctx context.Context, token string) error {
	return u.VerifyEmail(ctx, token)
}
