package storefront_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"shopd/internal/orders"
	"shopd/internal/platform/errs"
	"shopd/internal/storefront/storefronttest"
)

var ada = map[string]string{
	"email": "ada@example.com", "name": "Ada Lovelace", "line1": "12 Analytical Street", "city": "Oakland",
	"postal_code": "94601", "country": "US", "region": "US-CA",
}

// toPayment brings a shopper with a laptop to the last section of the checkout.
func (b *bundle) toPayment() *page {
	b.Helper()
	p := b.submit(b.get(laptop), "/cart/lines", map[string]string{"option.Screen Size": "13 Inch", "option.Memory": "8GB"})
	require.Equal(b, "/cart", p.url.Path, p.body)
	p = b.submit(b.get("/checkout"), "/checkout/contact", ada)
	require.Equal(b, http.StatusOK, p.status, p.body)
	return b.submit(p, "/checkout/shipping", nil)
}

func (b *bundle) pay(p *page, method string) *page {
	b.Helper()
	return b.submit(p, "/checkout/complete", map[string]string{"payment": "test/" + method})
}

func TestPurchaseWithoutScripts(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.submit(b.get(sweatshirt), "/cart/lines", map[string]string{"option.Size": "M", "quantity": "2"})
	require.Equal(t, "/cart", p.url.Path)
	require.Contains(t, p.body, "Added to your cart.")
	require.Contains(t, p.body, "$138.00")
	require.NotContains(t, b.get("/cart").body, "Added to your cart.", "a notice is shown once")
	require.Equal(t, "2", b.get("/").text(func(n *html.Node) bool { return has(n, "data-cart-count") }))

	p = b.get("/checkout")
	require.Equal(t, "private, no-store", p.header.Get("Cache-Control"))
	sound(t, p)
	p = b.submit(p, "/checkout/contact", ada)
	require.Contains(t, p.body, "How should it come?")
	require.Contains(t, p.body, "$10.01", "tax of the place it goes to")
	p = b.submit(p, "/checkout/shipping", map[string]string{"shipping_method": "express"})
	require.Contains(t, p.body, "Pay $162.91")
	sound(t, p)

	p = b.pay(p, storefronttest.PayOK)
	require.Equal(t, "Thank you, it is yours.", p.heading())
	require.Regexp(t, `^/order/ord_[0-9a-z]{26}$`, p.url.RequestURI())
	require.Contains(t, p.body, "$162.91")
	require.Equal(t, "$138.00", p.text(func(n *html.Node) bool { return attr(n, "class") == "line__total" }), "lines add up to the subtotal; tax stands below")
	require.Contains(t, p.body, "12 Analytical Street")
	require.Contains(t, b.get("/cart").body, "Nothing in it yet")
	require.Equal(t, p.url.Path, b.get("/order/return").url.Path, "where payment pages of others send back to")
	sound(t, p)

	p = b.submit(p, p.url.Path+"/cancel", nil)
	require.Equal(t, "Cancelled and refunded", p.heading())
	require.NotContains(t, p.body, "Cancel this order")
}

func TestOnlyTheBrowserThatOrderedSeesTheOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.pay(b.toPayment(), storefronttest.PayOK)
	orderPath, cookies := p.url.Path, b.cookies()
	b.client.Jar = nil
	require.Equal(t, http.StatusNotFound, b.get(orderPath).status)
	require.Equal(t, http.StatusNotFound, b.get(orderPath+"?secret=os_0000000000000000000000000000000").status)

	stranger := setupJar(t, b)
	_, secret, _ := strings.Cut(cookies["shopd_orders"], ".")
	p = stranger.get(orderPath + "?secret=" + url.QueryEscape(secret))
	require.Equal(t, orderPath, p.url.RequestURI(), "the secret does not stay in the address")
	require.Equal(t, "Thank you, it is yours.", p.heading())
}

func TestPaymentThatTheBankAsksAbout(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ answer, heading string }{
		"approved": {"approve", "Thank you, it is yours."},
		"refused":  {"refuse", "The payment was declined"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			p := b.pay(b.toPayment(), storefronttest.PayAction)
			require.Equal(t, "Is this you?", p.heading())
			sound(t, p)
			bank := p.url.RequestURI()
			waiting := b.get("/order/" + p.url.Query().Get("order"))
			require.Equal(t, "Waiting for your payment", waiting.heading())
			require.Contains(t, waiting.body, "Go on to the bank")

			p = b.submit(p, p.url.Path, map[string]string{"answer": tt.answer})
			require.Equal(t, tt.heading, p.heading())
			require.Equal(t, p.url.Path, b.get(bank).url.Path, "the bank asks once")
			if tt.answer == "refuse" {
				require.Contains(t, p.body, "Pay another way")
				p = b.pay(b.get("/checkout"), storefronttest.PayOK)
				require.Equal(t, "Thank you, it is yours.", p.heading())
			}
		})
	}
}

func TestPaymentWithoutAnAnswerIsNotRepeated(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.pay(b.toPayment(), storefronttest.PayTimeout)
	require.Equal(t, "We are checking with the bank", p.heading())
	require.Contains(t, p.body, "You will not be charged twice")
	require.NotContains(t, p.body, "Cancel this order")
	p = b.pay(b.get("/checkout"), storefronttest.PayOK)
	require.Equal(t, http.StatusConflict, p.status)
	require.Contains(t, p.body, "A payment for this order is on its way.")
}

func TestDeclinedPaymentCanBeTriedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.pay(b.toPayment(), storefronttest.PayDecline)
	require.Equal(t, http.StatusPaymentRequired, p.status)
	require.Contains(t, p.body, "Your payment was declined")
	require.True(t, has(find(p.root, func(n *html.Node) bool { return attr(n, "role") == "alert" }), "autofocus"))
	require.Equal(t, "Thank you, it is yours.", b.pay(p, storefronttest.PayOK).heading())
}

func TestSecondPressOfTheButtonIsTheSameOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.toPayment()
	before := b.cookies()["shopd_cart"]
	first := b.pay(p, storefronttest.PayOK)
	require.NotEmpty(t, before)
	origin, err := url.Parse(b.server.URL)
	require.NoError(t, err)
	b.client.Jar.SetCookies(origin, []*http.Cookie{{Name: "shopd_cart", Value: before, Path: "/"}})
	require.Equal(t, first.url.Path, b.pay(p, storefronttest.PayOK).url.Path)
}

// A shopper may have an order that they were never told the secret of: its payment was declined at first, and went
// through in another window.
func TestOrderStaysOpenToItsBrowserWhenTheCartIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.pay(b.toPayment(), storefronttest.PayOK)
	origin, err := url.Parse(b.server.URL)
	require.NoError(t, err)
	other := setupJar(t, b)
	q := other.toPayment()
	cart := other.cookies()["shopd_cart"]
	q = other.pay(q, storefronttest.PayOK)
	require.NotEqual(t, p.url.Path, q.url.Path)

	third := setupJar(t, b)
	third.client.Jar.SetCookies(origin, []*http.Cookie{{Name: "shopd_cart", Value: cart, Path: "/"}})
	for range 2 {
		require.Equal(t, http.StatusOK, third.get(q.url.Path).status)
		require.NotContains(t, third.cookies(), "shopd_cart")
	}
}

func TestPayingAPaidCartLeadsToItsOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.toPayment()
	cart := b.cookies()["shopd_cart"]
	order := b.pay(p, storefronttest.PayOK).url.Path
	origin, err := url.Parse(b.server.URL)
	require.NoError(t, err)
	b.client.Jar.SetCookies(origin, []*http.Cookie{{Name: "shopd_cart", Value: cart, Path: "/"}})
	b.shop.Orders.FailNextOrder(orders.ErrAlreadyPaid)
	require.Equal(t, order, b.post("/checkout/complete", url.Values{"payment": {"test/test_ok"}, "key": {"another"}}).url.Path)
}

func TestRefusedOrderSaysWhatToDo(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err    error
		status int
		want   []string
	}{
		"price changed": {
			orders.ErrPriceChanged.WithFields(errs.Field{Detail: "Laptop: USD 1299.00, now USD 1399.00"}), http.StatusConflict,
			[]string{"A price has changed", "now USD 1399.00", "/checkout/accept-prices"},
		},
		"out of stock":        {orders.ErrOutOfStock, http.StatusConflict, []string{"Your cart", "Not enough of it is left."}},
		"cart changed":        {orders.ErrCartChanged, http.StatusConflict, []string{"The cart changed while it was being ordered."}},
		"payment unavailable": {orders.ErrPaymentUnavailable, http.StatusServiceUnavailable, []string{"This way to pay is not available right now"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			p := b.toPayment()
			b.shop.Orders.FailNextOrder(tt.err)
			p = b.pay(p, storefronttest.PayOK)
			require.Equal(t, tt.status, p.status)
			for _, want := range tt.want {
				require.Contains(t, p.body, want)
			}
			sound(t, p)
		})
	}
}

func TestAcceptingPricesGoesBackToPaying(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.toPayment()
	b.shop.Orders.FailNextOrder(orders.ErrPriceChanged)
	p = b.submit(b.pay(p, storefronttest.PayOK), "/checkout/accept-prices", nil)
	require.Equal(t, "/checkout", p.url.Path)
	require.Contains(t, p.body, "Your cart now has today’s prices.")
}

func TestAddressIsCheckedBesideItsFields(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fill map[string]string
		want map[string]string // id of the element that tells → what it tells
	}{
		"nothing filled in":       {map[string]string{"country": ""}, map[string]string{"name-error": "Enter the full name.", "email-error": "Enter an e-mail address such as name@example.com.", "country-error": "Choose a country."}},
		"state missing":           {merge(ada, "region", ""), map[string]string{"region-error": "Choose a state or province."}},
		"state of another":        {merge(ada, "country", "CA"), map[string]string{"region-error": "Choose a state or province of the country above."}},
		"not an e-mail address":   {merge(ada, "email", "ada@home"), map[string]string{"email-error": "Enter an e-mail address such as name@example.com."}},
		"the domain knows better": {merge(ada, "postal_code", "00000"), map[string]string{"postal_code-error": "There is no such postal code."}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			b.submit(b.get(bag), "/cart/lines", nil)
			p := b.submit(b.get("/checkout"), "/checkout/contact", tt.fill)
			require.Equal(t, http.StatusUnprocessableEntity, p.status)
			for id, want := range tt.want {
				require.Equal(t, want, p.text(func(n *html.Node) bool { return attr(n, "id") == id }))
			}
			require.Contains(t, p.text(func(n *html.Node) bool { return attr(n, "role") == "alert" }), "Please check the form")
			sound(t, p)
		})
	}
}

func TestPlaceThatNothingIsSentTo(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.submit(b.get(bag), "/cart/lines", nil)
	p := b.submit(b.get("/checkout"), "/checkout/contact", merge(ada, "country", "AQ"))
	require.Contains(t, p.body, "We do not deliver to this address yet.")
}

func TestCartLines(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.submit(b.get(bag), "/cart/lines", nil)
	action := attr(find(p.root, func(n *html.Node) bool { return has(n, "data-quantity") }), "action")
	p = b.submit(p, action, map[string]string{"quantity": "3"})
	require.Contains(t, p.body, "$102.00")
	for _, quantity := range []string{"0", "-1", "1.5", "1e2", "10000", "99999999999999999999"} {
		refused := b.submit(p, action, map[string]string{"quantity": quantity})
		require.Equal(t, http.StatusUnprocessableEntity, refused.status, quantity)
		require.Contains(t, refused.body, "Give a whole number")
	}
	p = b.submit(p, action+"/remove", nil)
	require.Contains(t, p.body, "Nothing in it yet")
	require.Contains(t, p.body, "Removed from your cart.")
	require.Equal(t, "/cart", b.post(action, url.Values{"quantity": {"1"}}).url.Path, "a line that is gone")
	require.Equal(t, "/cart", b.get("/checkout").url.Path, "there is nothing to check out")
}

func TestOptionsMustBeChosen(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.submit(b.get(sweatshirt), "/cart/lines", nil)
	require.Equal(t, http.StatusUnprocessableEntity, p.status)
	require.Contains(t, p.body, "Choose every option first.")
	require.Equal(t, "private, no-store", p.header.Get("Cache-Control"))
	sound(t, p)
}

func TestScriptsGetPiecesInsteadOfRedirects(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	product := find(b.get(bag).root, func(n *html.Node) bool { return attr(n, "name") == "product" })
	req := b.postRequest("/cart/lines", url.Values{"product": {attr(product, "value")}, "sku": {"24-MB01"}})
	req.Header.Set("X-Fragment", "1")
	p := b.do(req)
	require.Equal(t, http.StatusOK, p.status)
	require.Contains(t, p.body, `data-added="Joust Duffle Bag"`)
	require.NotContains(t, p.body, "<html")
	require.Contains(t, b.get("/cart/summary").body, `data-pieces="1"`)

	req = b.postRequest("/cart/lines", url.Values{"product": {"prod_none"}})
	req.Header.Set("X-Fragment", "1")
	p = b.do(req)
	require.Equal(t, http.StatusNotFound, p.status)
	require.Contains(t, p.body, `role="alert"`)
}

func merge(m map[string]string, key, value string) map[string]string {
	out := map[string]string{key: value}
	for k, v := range m {
		if k != key {
			out[k] = v
		}
	}
	return out
}
