package storefront_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"shopd/internal/orders"
	"shopd/internal/platform/errs"
	"shopd/internal/storefront/storefronttest"
)

const goodPassword = "correct horse battery"

func (b *bundle) register() *page {
	b.Helper()
	p := b.submit(b.get("/account/register"), "/account/register", map[string]string{"name": "Ada Lovelace", "email": "ada@example.com", "password": goodPassword})
	require.Equal(b, "/account", p.url.Path, p.body)
	return p
}

func TestAccountFromRegisteringToSigningOut(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	require.Equal(t, "/account/login?next=%2Faccount", b.get("/account").url.RequestURI())
	p := b.register()
	require.Contains(t, p.body, "Welcome! Your account is ready.")
	require.Equal(t, "Hello, Ada Lovelace", p.heading())
	require.Contains(t, p.body, "No orders yet")
	sound(t, p)

	b.shop.Users.Expire()
	require.Equal(t, "/account", b.get("/account").url.Path, "an expired access token is renewed on the way")

	kept := b.cookies()
	p = b.submit(b.get("/account"), "/account/logout", nil)
	require.Contains(t, p.body, "You are signed out.")
	require.NotContains(t, b.cookies(), "shopd_access")
	origin, err := url.Parse(b.server.URL)
	require.NoError(t, err)
	for _, name := range []string{"shopd_access", "shopd_refresh"} {
		b.client.Jar.SetCookies(origin, []*http.Cookie{{Name: name, Value: kept[name], Path: "/"}})
	}
	require.Equal(t, "/account/login", b.get("/account").url.Path, "whoever keeps the cookies is signed out, too")
}

func TestSignInComesBackToWhereItBegan(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"/account/addresses":         "/account/addresses",
		"/checkout?edit=contact":     "/cart", // nothing to check out
		"https://evil.example/":      "/account",
		"//evil.example/":            "/account",
		`/\evil.example`:             "/account",
		"/\t/evil.example":           "/account",
		"javascript:alert(1)":        "/account",
		"account":                    "/account",
		"/account/addresses\r\nX: y": "/account",
	}
	for next, want := range tests {
		t.Run(next, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			b.register()
			b.submit(b.get("/account"), "/account/logout", nil)
			p := b.submit(b.get("/account/login?next="+url.QueryEscape(next)), "/account/login", map[string]string{"email": "ada@example.com", "password": goodPassword})
			require.Equal(t, want, p.url.Path)
			p = b.post("/account/login", url.Values{"email": {"ada@example.com"}, "password": {goodPassword}, "next": {next}})
			require.Equal(t, want, p.url.Path, "a forged form")
		})
	}
}

func TestFormsAroundSigningInSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.register()
	b = setupJar(t, b)
	tests := map[string]struct {
		page, action string
		fill         map[string]string
		status       int
		want         string
	}{
		"wrong password":     {"/account/login", "/account/login", map[string]string{"email": "ada@example.com", "password": "wrong"}, 401, "The e-mail address or the password is wrong."},
		"unknown address":    {"/account/login", "/account/login", map[string]string{"email": "bob@example.com", "password": "wrong"}, 401, "The e-mail address or the password is wrong."},
		"no password":        {"/account/login", "/account/login", map[string]string{"email": "ada@example.com"}, 422, "Enter your password."},
		"no address":         {"/account/login", "/account/login", map[string]string{"email": "ada", "password": "x"}, 422, "Enter an e-mail address such as name@example.com."},
		"short password":     {"/account/register", "/account/register", map[string]string{"email": "eve@example.com", "password": "short"}, 422, "The password needs at least 8 characters."},
		"reset of nobody":    {"/account/reset", "/account/reset", map[string]string{"email": "eve"}, 422, "Enter an e-mail address such as name@example.com."},
		"used-up reset link": {"/account/reset/confirm?token=old", "/account/reset/confirm", map[string]string{"password": goodPassword}, 400, "This link is not valid any more. Ask for a new one."},
		"used-up mail link":  {"/account/verify?token=old", "/account/verify", nil, 400, "This link is not valid any more. Ask for a new one."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := setupJar(t, b)
			answer := p.submit(p.get(tt.page), tt.action, tt.fill)
			require.Equal(t, tt.status, answer.status)
			require.Contains(t, answer.text(func(n *html.Node) bool { return attr(n, "role") == "alert" }), tt.want)
			if password := tt.fill["password"]; password != "" {
				require.NotContains(t, answer.body, `value="`+password+`"`, "a password is never sent back")
			}
			sound(t, answer)
		})
	}
}

func TestRegisteringTwiceTellsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.register()
	stranger := setupJar(t, b)
	p := stranger.submit(stranger.get("/account/register"), "/account/register", map[string]string{"email": "ada@example.com", "password": "another password"})
	require.Equal(t, "/account/login", p.url.Path)
	require.NotContains(t, p.body, "exists")
}

func TestForgottenPassword(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.register()
	b = setupJar(t, b)
	p := b.submit(b.get("/account/reset"), "/account/reset", map[string]string{"email": "ada@example.com"})
	require.Contains(t, p.body, "a mail with a link is on its way")
	p = b.submit(b.get("/account/reset/confirm?token="+b.shop.Users.ResetToken()), "/account/reset/confirm", map[string]string{"password": "a new password"})
	require.Contains(t, p.body, "Your password is changed.")
	p = b.submit(p, "/account/login", map[string]string{"email": "ada@example.com", "password": "a new password"})
	require.Equal(t, "/account", p.url.Path)
}

func TestMailedLinksWaitForAButton(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for path, notice := range map[string]string{"/account/verify": "Your e-mail address is confirmed.", "/account/email/confirm": "Your e-mail address is changed."} {
		p := b.submit(b.get(path+"?token=good"), path, nil)
		require.Equal(t, "/account/login", p.url.Path)
		require.Contains(t, p.body, notice)
	}
}

func TestAddressBookFillsTheCheckout(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.register()
	p := b.submit(b.get("/account/addresses"), "/account/addresses", ada)
	require.Contains(t, p.body, "Address saved.")
	require.Contains(t, p.body, "Used first")
	edit := attr(find(p.root, func(n *html.Node) bool { return n.Data == "a" && attr(n, "class") == "link" }), "href")
	p = b.submit(b.get(edit), edit, map[string]string{"line1": "1 New Street"})
	require.Contains(t, p.body, "1 New Street")
	require.NotContains(t, p.body, "12 Analytical Street")
	p = b.submit(b.get(edit), edit, map[string]string{"line1": ""})
	require.Equal(t, http.StatusUnprocessableEntity, p.status)

	b.submit(b.get(bag), "/cart/lines", nil)
	p = b.get("/checkout")
	for id, want := range map[string]string{"email": "ada@example.com", "line1": "1 New Street"} {
		require.Equal(t, want, attr(find(p.root, func(n *html.Node) bool { return attr(n, "id") == id }), "value"))
	}
	p = b.pay(b.submit(b.submit(p, "/checkout/contact", nil), "/checkout/shipping", nil), storefronttest.PayOK)
	require.Equal(t, "Thank you, it is yours.", p.heading())

	p = b.get("/account")
	require.Contains(t, p.body, "Order 1001")
	order := attr(find(p.root, func(n *html.Node) bool { return attr(n, "class") == "orders__link" }), "href")
	p = b.get(order)
	require.Equal(t, "Thank you, it is yours.", p.heading())
	stranger := setupJar(t, b)
	require.Equal(t, "/account/login", stranger.get(order).url.Path)
	b.shop.Orders.Advance(orderID(order), orders.Fulfilled, "fulfilled")
	require.NotContains(t, b.get(order).body, "Cancel this order", "what is sent is not cancelled")
	require.Equal(t, http.StatusConflict, b.post("/order/"+string(orderID(order))+"/cancel", nil).status)

	p = b.submit(b.get("/account/addresses"), edit+"/delete", nil)
	require.Contains(t, p.body, "Address deleted.")
	require.Equal(t, http.StatusNotFound, b.get(edit).status)
}

func orderID(path string) orders.ID { return orders.ID(path[len("/account/orders/"):]) }

func TestAccountsThatDoNotAnswerStopNoPurchase(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.shop.Users.Fail(errs.New(errs.Unavailable, "unavailable", "Not now."))
	require.Equal(t, "Thank you, it is yours.", b.pay(b.toPayment(), storefronttest.PayOK).heading(), "guests need no account")
}
