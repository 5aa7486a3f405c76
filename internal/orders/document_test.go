package orders

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/money"
)

// printedOrder is an order of n lines with everything that a document shows.
func printedOrder(n int, currency money.Currency) *Order {
	amount := func(minor int64) money.Amount { return money.New(minor, currency) }
	paid := time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)
	o := &Order{
		ID: "ord_06h0ktzg7hsmkb4awe0s2kxys8", Number: 4711, CartID: "cart_1", Status: Paid, Currency: currency, PlacedAt: paid.Add(-time.Minute), PaidAt: &paid,
		Method:  ShippingMethod{Name: "Standard", Price: amount(490)},
		Contact: Contact{Email: "ada@example.com", Shipping: Address{Name: "Ada Łukasiewicz-Ωραία", Line1: "Torstraße 1", City: "Berlin", PostalCode: "10119", Country: "DE"}},
	}
	t := Totals{Subtotal: amount(0), Discount: amount(0), Shipping: amount(490), Tax: amount(0), TaxIncluded: amount(0), Total: amount(0)}
	for i := range n {
		l := Line{
			ID: fmt.Sprintf("line_%d", i), SKU: fmt.Sprintf("24-MB%02d", i), Title: "Wayfarer Messenger Bag", Options: map[string]string{"Colour": "Blue", "Size": "M"},
			Quantity: i%3 + 1, UnitPrice: amount(4599), Discount: amount(0), Tax: amount(0),
		}
		if i%4 == 1 {
			l.Title, l.Discount = "A title that is so long that it goes over more than one line of the table, whatever else is there", amount(500)
		}
		l.Total = l.UnitPrice.Times(int64(l.Quantity)).Sub(l.Discount)
		t.Subtotal, t.Discount = t.Subtotal.Add(l.UnitPrice.Times(int64(l.Quantity))), t.Discount.Add(l.Discount)
		o.Lines = append(o.Lines, l)
	}
	t.Total = t.Subtotal.Sub(t.Discount).Add(t.Shipping)
	t.TaxIncluded = t.Total.Share(190_000, 1_190_000)
	o.Totals, o.Refunded, o.Credited, o.ShippingRefunded = t, amount(0), amount(0), amount(0)
	return o
}

func printedDocument(o *Order, kind DocumentKind) *storedDocument {
	return &storedDocument{
		Document: Document{ID: "doc_1", Kind: kind, Number: documentNumber(prefixes[kind]+"-2026", 42), IssuedAt: o.PlacedAt.Add(time.Hour)},
		documentContent: documentContent{
			Seller: Seller{
				Name: "Luma & Söhne GmbH", Address: []string{"Beispielstraße 12", "10115 Berlin", "Germany"}, TaxID: "DE123456789", Contact: "shop@luma.example",
				Footer: "Luma & Söhne GmbH · Amtsgericht Berlin HRB 12345 · IBAN DE00 1234 5678 9012 3456 00",
			},
			Rate: 190_000,
		},
		buyer: &o.Contact,
	}
}

func TestADocumentIsTheSameToTheLastByte(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string]int{"one page": 3, "many pages": 60} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := printedOrder(lines, "EUR")
			first, err := drawDocument(o, printedDocument(o, Invoice))
			require.NoError(t, err)
			second, err := drawDocument(o, printedDocument(o, Invoice))
			require.NoError(t, err)
			require.Equal(t, first, second)
			keep(t, name+".pdf", first)
		})
	}
}

// keep leaves a document where somebody can look at it: SHOPD_TEST_DOCUMENTS=dir go test -run Document ./internal/orders
func keep(t *testing.T, name string, body []byte) {
	t.Helper()
	require.True(t, strings.HasPrefix(string(body), "%PDF-"))
	if dir := os.Getenv("SHOPD_TEST_DOCUMENTS"); dir != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, strings.ReplaceAll(name, " ", "-")), body, 0o600))
	}
}

func TestSheetsAddUp(t *testing.T) {
	t.Parallel()
	o := printedOrder(3, "EUR")
	s := o.invoiceSheet(printedDocument(o, Invoice))
	require.Equal(t, "Invoice INV-2026-000042", s.title)
	require.Len(t, s.rows, 3)
	require.Equal(t, [2]string{"Total", "275.84 EUR"}, s.total)
	require.Equal(t, [][2]string{
		{"Subtotal", "275.94 EUR"}, {"Discount", "-5.00 EUR"}, {"Shipping (Standard)", "4.90 EUR"},
	}, s.sums)
	require.Equal(t, [][2]string{{"With VAT of 19 % in it", "44.04 EUR"}, {"Net", "231.80 EUR"}}, s.within)
	require.Equal(t, []string{"Ada Łukasiewicz-Ωραία", "Torstraße 1", "10119 Berlin", "DE"}, s.buyer)

	o.Documents = []Document{{Kind: Invoice, Number: "INV-2026-000042"}}
	note := func(r Refund) *sheet {
		r.ID = "ref_1"
		o.Refunds = []Refund{r}
		d := printedDocument(o, CreditNote)
		d.RefundID = r.ID
		s := o.creditNoteSheet(d)
		body, err := draw(s)
		require.NoError(t, err)
		keep(t, "credit-note-"+r.Reason+".pdf", body)
		return s
	}
	goods := o.refundLines([]LinePieces{{LineID: "line_1", Quantity: 1}})
	require.Equal(t, int64(4599-250), goods[0].Amount.Minor, "with its half of the discount")
	s = note(Refund{Amount: goods[0].Amount.Add(money.New(490, "EUR")), Shipping: money.New(490, "EUR"), Lines: goods, Reason: becauseReturn})
	require.Len(t, s.rows, 2)
	require.Equal(t, [2]string{"Goes back to you", "48.39 EUR"}, s.total)
	require.Contains(t, s.facts, [2]string{"Of invoice", "INV-2026-000042"})
	s = note(Refund{Amount: goods[0].Amount.Sub(money.New(349, "EUR")), Shipping: money.New(0, "EUR"), Lines: goods, Reason: becauseLinesCancelled})
	require.Equal(t, int64(-349), s.rows[1].amount.Minor, "what was kept is said")
	s = note(Refund{Amount: money.New(1190, "EUR"), Shipping: money.New(0, "EUR"), Reason: becauseGoodwill})
	require.Equal(t, "Gesture of goodwill", s.rows[0].title)
	require.Equal(t, [][2]string{{"With VAT of 19 % in it", "1.90 EUR"}, {"Net", "10.00 EUR"}}, s.within)

	d := printedDocument(o, Invoice)
	d.buyer = nil
	require.Equal(t, []string{"(personal data erased)"}, o.invoiceSheet(d).buyer)
}

func TestRatesAreWrittenAsPeopleDo(t *testing.T) {
	t.Parallel()
	for rate, want := range map[int64]string{190_000: "19 %", 88_750: "8.875 %", 70_000: "7 %", 55_000: "5.5 %", 0: "0 %", 200: "0.02 %"} {
		require.Equal(t, want, percent(rate))
	}
}
