package storefront_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/money"
	"shopd/internal/orders"
	"shopd/internal/storefront/storefronttest"
)

// bought brings a shopper to the page of a paid order of one laptop.
func (b *bundle) bought() (*page, orders.ID) {
	b.Helper()
	p := b.pay(b.toPayment(), storefronttest.PayOK)
	require.Equal(b, http.StatusOK, p.status, p.body)
	return p, orders.ID(strings.TrimPrefix(p.url.Path, "/order/"))
}

func TestAParcelCanBeFollowed(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p, order := b.bought()
	require.NotContains(t, p.body, "Give something back", "nothing was sent yet")
	b.shop.Orders.Send(order, orders.Fulfilment{Carrier: "DHL", Tracking: "JD014600", URL: "https://dhl.example/JD014600"})
	p = b.get(p.url.Path)
	sound(t, p)
	require.Contains(t, p.body, `href="https://dhl.example/JD014600"`)
	require.Contains(t, p.body, "with DHL")
	require.Contains(t, p.body, "What happened so far")
}

func TestGoodsAreGivenBack(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p, order := b.bought()
	b.shop.Orders.Send(order, orders.Fulfilment{})
	p = b.get(p.url.Path)
	sound(t, p)
	line := b.shop.Orders.Line(order).ID
	empty := b.submit(p, p.url.Path+"/returns", map[string]string{"reason": "other"})
	require.Equal(t, http.StatusUnprocessableEntity, empty.status)
	require.Contains(t, empty.body, "how many pieces")
	wrong := b.submit(p, p.url.Path+"/returns", map[string]string{"pieces." + line: "1", "reason": "boredom"})
	require.Equal(t, http.StatusUnprocessableEntity, wrong.status)

	asked := b.submit(p, p.url.Path+"/returns", map[string]string{"pieces." + line: "1", "reason": "damaged", "note": "a dent"})
	require.Contains(t, asked.body, "We have got it.")
	require.Contains(t, asked.body, "We look at it")
	require.NotContains(t, asked.body, "Give something back", "nothing else can be given back")
	sound(t, asked)
	b.submit(p, p.url.Path+"/returns", map[string]string{"pieces." + line: "1", "reason": "damaged", "note": "a dent"})
	require.Len(t, b.shop.Orders.Returns(order), 1, "the second press of the button asks nothing more")
	kept := b.submit(asked, p.url.Path+"/returns/"+b.shop.Orders.Returns(order)[0].ID+"/cancel", nil)
	require.Contains(t, kept.body, "You keep it.")
	require.Contains(t, kept.body, "Give something back")
}

func TestAnOrderShowsItsPapersAndWhatWentBack(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p, order := b.bought()
	b.shop.Orders.Change(order, func(o *orders.Order) {
		o.Refunded = money.New(500, o.Currency)
		o.Lines[0].Returned = 1
		o.Documents = []orders.Document{{ID: "doc_1", Kind: orders.Invoice, Number: "INV-2026-000042"}, {ID: "doc_2", Kind: orders.CreditNote, Number: "CN-2026-000007"}}
	})
	p = b.get(p.url.Path)
	sound(t, p)
	require.Contains(t, p.body, "$5.00 of it go back to you")
	require.Contains(t, p.body, "1 given back")
	require.Contains(t, p.body, "Credit note CN-2026-000007")
	pdf := b.get(p.url.Path + "/documents/doc_1")
	require.Equal(t, "application/pdf", pdf.header.Get("Content-Type"))
	require.Contains(t, pdf.header.Get("Content-Disposition"), "INV-2026-000042.pdf")
	require.Equal(t, http.StatusNotFound, b.get(p.url.Path+"/documents/doc_3").status)

	secret := b.shop.Orders.Secret(order)
	b.client.Jar = nil
	require.Equal(t, http.StatusNotFound, b.get(p.url.Path+"/documents/doc_1").status, "not for others")
	require.Equal(t, http.StatusOK, b.get(p.url.Path+"/documents/invoice?secret="+secret).status, "the link of a mail")
}

func TestWhatWasAddedIsPaidOnItsOwnPage(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p, order := b.bought()
	b.shop.Orders.Change(order, func(o *orders.Order) {
		o.Status, o.PaidAt, o.Payments = orders.PendingPayment, nil, nil
		o.Parent = &orders.Supplement{OrderID: o.ID, ParentID: "ord_06h0ktzg7hsmkb4awe0s2kxys8", Kind: orders.KindExchange, Number: 4711, Credit: money.New(1000, o.Currency)}
	})
	b.shop.Orders.Remember("ord_06h0ktzg7hsmkb4awe0s2kxys8")
	p = b.get(p.url.Path)
	sound(t, p)
	require.Contains(t, p.body, "$10.00 of that one pay for it")
	none := b.submit(p, p.url.Path+"/pay", map[string]string{"payment": "bitcoin/now"})
	require.Equal(t, http.StatusUnprocessableEntity, none.status)
	declined := b.submit(p, p.url.Path+"/pay", map[string]string{"payment": "test/" + storefronttest.PayDecline})
	require.Equal(t, http.StatusPaymentRequired, declined.status)
	require.Contains(t, declined.body, "declined")
	paid := b.submit(p, p.url.Path+"/pay", map[string]string{"payment": "test/" + storefronttest.PayOK})
	require.Equal(t, "Thank you, it is yours.", paid.heading())
	require.NotContains(t, paid.body, p.url.Path+"/pay")
}
