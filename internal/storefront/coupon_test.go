package storefront_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"shopd/internal/orders"
	"shopd/internal/storefront/storefronttest"
)

func TestACouponOnTheCartAndAtTheCheckout(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.submit(b.get(sweatshirt), "/cart/lines", map[string]string{"option.Size": "M", "quantity": "2"})
	field := func(p *page) *html.Node {
		return find(p.root, func(n *html.Node) bool { return attr(n, "id") == "code" })
	}

	p := b.submit(b.get("/cart"), "/cart/promotions", map[string]string{"code": `nobody"><script>`})
	require.Equal(t, http.StatusUnprocessableEntity, p.status)
	require.Contains(t, p.body, "This coupon is not valid.")
	require.Equal(t, "true", attr(field(p), "aria-invalid"))
	require.Equal(t, `nobody"><script>`, attr(field(p), "value"), "what was typed is still there")
	sound(t, p)

	p = b.submit(p, "/cart/promotions", map[string]string{"code": storefronttest.Coupon})
	require.Equal(t, "/cart", p.url.Path)
	require.Contains(t, p.body, "Your coupon counts.")
	require.Contains(t, p.body, "A tenth less")
	require.Contains(t, p.body, "−$13.80")
	require.Contains(t, p.body, "$124.20")
	sound(t, p)

	p = b.submit(b.get("/checkout"), "/cart/promotions", map[string]string{"code": storefronttest.Coupon})
	require.Equal(t, http.StatusUnprocessableEntity, p.status, "once is enough")
	require.Equal(t, "Checkout", p.heading())
	sound(t, p)
	p = b.submit(b.get("/checkout"), "/cart/promotions/remove", map[string]string{"code": storefronttest.Coupon})
	require.Equal(t, "/checkout", p.url.Path)
	require.NotContains(t, p.body, "A tenth less")
	p = b.submit(p, "/cart/promotions", map[string]string{"code": storefronttest.Coupon})
	require.Equal(t, "/checkout", p.url.Path)
	p = b.submit(p, "/checkout/contact", ada)
	p = b.submit(p, "/checkout/shipping", nil)
	p = b.pay(p, storefronttest.PayOK)
	require.Equal(t, "Thank you, it is yours.", p.heading())
	require.Contains(t, p.body, "−$13.80")
}

func TestACouponThatOthersUsedUpIsToldBeforeThePayment(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.toPayment()
	b.shop.Orders.FailNextOrder(orders.ErrCouponExhausted)
	p = b.pay(p, storefronttest.PayOK)
	require.Equal(t, http.StatusConflict, p.status)
	require.Contains(t, p.body, "A coupon is used up")
	p = b.submit(p, "/checkout/accept-prices", nil)
	require.Equal(t, "Thank you, it is yours.", b.pay(p, storefronttest.PayOK).heading())
}

func TestTheLowestPriceStandsBesideEveryReduction(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	home := b.get("/")
	require.Contains(t, home.body, "Lowest in 30 days before:")
	reduced := find(home.root, func(n *html.Node) bool { return attr(n, "class") == "price__lowest" })
	link := find(reduced.Parent, func(n *html.Node) bool { return attr(n, "class") == "card__link" })
	p := b.get(attr(link, "href"))
	lowest := find(p.root, func(n *html.Node) bool { return has(n, "data-lowest") })
	require.False(t, has(lowest, "hidden"))
	require.Contains(t, p.text(func(n *html.Node) bool { return has(n, "data-lowest") }), "$")
	plain := b.get(sweatshirt)
	require.True(t, has(find(plain.root, func(n *html.Node) bool { return has(n, "data-lowest") }), "hidden"), "where nothing is reduced")
	sound(t, p)
}
