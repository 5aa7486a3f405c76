package storefront

import (
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/catalog"
	"shopd/internal/money"
)

func TestPriceReadsAsPeopleWriteIt(t *testing.T) {
	t.Parallel()
	for amount, want := range map[money.Amount]string{
		money.New(129900, "USD"):      "$1,299.00",
		money.New(5, "EUR"):           "€0.05",
		money.New(-123456789, "GBP"):  "−£1,234,567.89",
		money.New(1200, "JPY"):        "¥1,200",
		money.New(1234567, "KWD"):     "KWD\u00a01,234.567",
		money.New(0, "CHF"):           "CHF\u00a00.00",
		money.New(100_000_000, "USD"): "$1,000,000.00",
		money.New(99_999, "USD"):      "$999.99",
	} {
		require.Equal(t, want, price(amount))
	}
}

func TestReductionIsNeverExaggerated(t *testing.T) {
	t.Parallel()
	usd := func(minor int64) *money.Amount { a := money.New(minor, "USD"); return &a }
	require.Equal(t, int64(33), percentOff(*usd(6667), usd(10000)))
	require.Zero(t, percentOff(*usd(100), nil))
	require.Zero(t, percentOff(*usd(100), usd(100)))
	require.Zero(t, percentOff(*usd(100), usd(90)))
	eur := money.New(200, "EUR")
	require.Zero(t, percentOff(*usd(100), &eur))
}

func TestDecimalKeepsOnlyPrices(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"12": "12", "12,50": "12.50", "0.5": "0.5", "": "", "-1": "", "1e3": "", "12.": "12.", "1.2345": "", "1.2.3": "", "NaN": "", "9999999999999": "",
	} {
		require.Equal(t, want, decimal(in), in)
	}
}

func TestSizesFromSmallToLarge(t *testing.T) {
	t.Parallel()
	sizes := []string{"34", "L", "One size", "28", "xs", "M", "9 inch", "XL"}
	slices.SortStableFunc(sizes, compareSizes)
	require.Equal(t, []string{"xs", "M", "L", "XL", "9 inch", "28", "34", "One size"}, sizes)
}

func TestDescriptionsHaveParagraphsAndLists(t *testing.T) {
	t.Parallel()
	require.Equal(t, []block{{Text: "First."}, {Items: []string{"one", "two"}}, {Text: "Last."}}, blocks("First.\n\n- one\n- two\n\nLast.\n"))
	require.Nil(t, blocks(" \n"))
	require.Equal(t, "First. one two", summary("First.\n\n- one\n- two", 50))
	require.Equal(t, "A long…", summary("A long, sentence", 9))
}

func TestGzipIsSentToThoseWhoTakeIt(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		"gzip": true, "br, gzip;q=0.8": true, "GZIP": true, "": false, "br": false, "gzip;q=0": false, "gzip; q=0.000": false, "identity": false,
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Header.Set("Accept-Encoding", header)
		require.Equal(t, want, acceptsGzip(r), header)
	}
}

func TestSrcsetEndsWithTheOriginal(t *testing.T) {
	t.Parallel()
	p := newPicture(&catalog.Image{URL: "/media/a.jpg", Width: 645, Height: 800, Colour: "#fefefe"}, "A", sizesCard)
	require.True(t, p.Cutout)
	require.Equal(t, "/media/a.jpg?w=160&f=webp 160w, /media/a.jpg?w=320&f=webp 320w, /media/a.jpg?w=480&f=webp 480w, "+
		"/media/a.jpg?w=640&f=webp 640w, /media/a.jpg?w=800&f=webp 800w", p.Srcset("webp"))
	require.Nil(t, newPicture(nil, "A", sizesCard))
	require.Empty(t, newPicture(&catalog.Image{URL: "/a", Colour: "red"}, "A", sizesCard).Colour)
}

func TestCountriesAreComplete(t *testing.T) {
	t.Parallel()
	require.Len(t, countryRows, 249)
	require.Equal(t, "Germany", countryName("DE"))
	require.Empty(t, countryName("XX"))
	require.Len(t, regionsOf("CA"), 13)
	require.Nil(t, regionsOf("DE"))
}

func TestCreditsOfOneSourceStandTogether(t *testing.T) {
	t.Parallel()
	require.Equal(t, []Credit{
		{Title: "Photographs", License: "L", Works: []string{"a.jpg by Ann", "b.jpg by Bob"}},
		{Title: "Texts", Author: "Cy", License: "M"},
	}, gather([]Credit{
		{Title: "Photographs", Author: "Ann", License: "L", Works: []string{"a.jpg"}},
		{Title: "Texts", Author: "Cy", License: "M"},
		{Title: "Photographs", Author: "Bob", License: "L", Works: []string{"b.jpg"}},
	}))
}
