package app

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const testPassword = "correct horse battery 7"

type tokensJSON struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	Customer     struct{ ID, Email string }
}

// customer is somebody with an account who is signed in.
type customer struct {
	*client
	tokens tokensJSON
}

func newCustomer(t *testing.T, s *store, email string) *customer {
	t.Helper()
	guest := s.guest(t)
	guest.post(storeAPI+"/auth/register", map[string]string{"email": email, "password": testPassword, "name": "Grace Hopper"}).is(http.StatusAccepted)
	c := &customer{}
	guest.post(storeAPI+"/auth/login", map[string]string{"email": email, "password": testPassword}).is(http.StatusOK).decode(&c.tokens)
	c.client = guest.with("Authorization", "Bearer "+c.tokens.AccessToken)
	return c
}

// accounts is what a registered customer does.
func accounts(t *testing.T, s *store) {
	shelf := s.stock(t, 2500, 100)

	t.Run("from the sign-up to the last order", func(t *testing.T) {
		t.Parallel()
		c := newCustomer(t, s, "grace@example.com")
		require.Equal(t, "grace@example.com", c.tokens.Customer.Email)
		c.get(storeAPI + "/me").is(http.StatusOK)
		var none, mine struct{ Items []struct{ ID string } }
		c.get(storeAPI + "/me/orders").is(http.StatusOK).decode(&none)
		require.Empty(t, none.Items)

		b := newBuyer(c.client).add(shelf, 1).checkout()
		b.client = c.client // the account opens the cart, without its token
		b.get(b.path).is(http.StatusOK)
		var o orderJSON
		b.complete("test_ok").is(http.StatusCreated).decode(&o)
		c.get(storeAPI + "/me/orders").is(http.StatusOK).decode(&mine)
		require.Len(t, mine.Items, 1)
		require.Equal(t, o.ID, mine.Items[0].ID)
		c.get(storeAPI + "/orders/" + o.ID).is(http.StatusOK)
		require.Contains(t, string(c.get(storeAPI+"/me/export").is(http.StatusOK).body), o.ID)
		newCustomer(t, s, "other@example.com").get(storeAPI+"/orders/"+o.ID).refuses(http.StatusNotFound, "not_found")
	})

	t.Run("a guest's cart comes along", func(t *testing.T) {
		t.Parallel()
		b := newBuyer(s.guest(t)).add(shelf, 1)
		c := newCustomer(t, s, "along@example.com")
		c.get(b.path).refuses(http.StatusNotFound, "not_found")
		c.with("X-Cart-Token", b.cart.Token).post(b.path+"/lines", map[string]any{"sku": shelf.sku, "quantity": 1}).is(http.StatusOK)
		c.get(b.path).is(http.StatusOK)
	})

	t.Run("tokens are renewed and end", func(t *testing.T) {
		t.Parallel()
		c := newCustomer(t, s, "tokens@example.com")
		guest := s.guest(t)
		var next tokensJSON
		guest.post(storeAPI+"/auth/refresh", map[string]string{"refresh_token": c.tokens.RefreshToken}).is(http.StatusOK).decode(&next)
		require.NotEqual(t, c.tokens.RefreshToken, next.RefreshToken)
		fresh := guest.with("Authorization", "Bearer "+next.AccessToken)
		fresh.get(storeAPI + "/me").is(http.StatusOK)
		fresh.post(storeAPI+"/auth/logout", nil).is(http.StatusNoContent)
		fresh.get(storeAPI+"/me").refuses(http.StatusUnauthorized, "session_revoked")
		c.get(storeAPI+"/me").refuses(http.StatusUnauthorized, "session_revoked")
		guest.post(storeAPI+"/auth/refresh", map[string]string{"refresh_token": next.RefreshToken}).is(http.StatusUnauthorized)
	})

	t.Run("who asks learns nothing about others", func(t *testing.T) {
		t.Parallel()
		newCustomer(t, s, "known@example.com")
		guest := s.guest(t)
		again := guest.post(storeAPI+"/auth/register", map[string]string{"email": "known@example.com", "password": testPassword}).is(http.StatusAccepted)
		first := guest.post(storeAPI+"/auth/register", map[string]string{"email": "unknown@example.com", "password": testPassword}).is(http.StatusAccepted)
		require.Equal(t, string(first.body), string(again.body))
		var wrong, nobody problemJSON
		guest.post(storeAPI+"/auth/login", map[string]string{"email": "known@example.com", "password": "wrong horse battery 7"}).
			refuses(http.StatusUnauthorized, "invalid_credentials").decode(&wrong)
		guest.post(storeAPI+"/auth/login", map[string]string{"email": "nobody@example.com", "password": testPassword}).
			refuses(http.StatusUnauthorized, "invalid_credentials").decode(&nobody)
		require.Equal(t, wrong.Detail, nobody.Detail)
	})
}

// badCredentials are those that do not hold.
func badCredentials(t *testing.T, s *store) {
	c := newCustomer(t, s, "credentials@example.com")
	head, rest, _ := strings.Cut(c.tokens.AccessToken, ".")
	claims, _, _ := strings.Cut(rest, ".")
	for name, header := range map[string]string{
		"no scheme":               c.tokens.AccessToken,
		"another scheme":          "Basic YTpi",
		"a word":                  "Bearer nonsense",
		"an empty token":          "Bearer ",
		"unsigned":                "Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + claims + ".",
		"another signature":       "Bearer " + head + "." + claims + "." + strings.Repeat("A", 86),
		"a refresh token":         "Bearer " + c.tokens.RefreshToken,
		"an API key that is none": "Bearer sk_" + strings.Repeat("a", 43),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with := s.guest(t).with("Authorization", header)
			with.get(storeAPI+"/me").refuses(http.StatusUnauthorized, "invalid_token")
			with.get(storeAPI+"/products").refuses(http.StatusUnauthorized, "invalid_token")
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "Bearer", s.guest(t).get(storeAPI+"/me").refuses(http.StatusUnauthorized, "authentication_required").header.Get("WWW-Authenticate"))
	})
	t.Run("a customer is no merchant", func(t *testing.T) {
		t.Parallel()
		for _, route := range s.adminRoutes(t) {
			method, path, _ := strings.Cut(route, " ")
			if route == "POST "+adminAPI+"/session" {
				continue // where staff sign in
			}
			s.guest(t).do(method, path, nil).refuses(http.StatusUnauthorized, "authentication_required")
			s.guest(t).with("Authorization", "Bearer "+c.tokens.AccessToken).do(method, path, nil).refuses(http.StatusForbidden, "forbidden")
		}
	})
}
