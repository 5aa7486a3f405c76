package orders_test

import (
	"context"
	"encoding/base64"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"shopd/internal/money"
	"shopd/internal/orders"
	"shopd/internal/platform/crypto"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/testenv"
)

// pastShelf is a catalogue of one lamp.
type pastShelf struct{}

func (pastShelf) Articles(_ context.Context, refs []string) (list []orders.Article, err error) {
	for _, ref := range refs {
		if ref == "LAMP" {
			list = append(list, orders.Article{VariantID: "var_lamp", SKU: "LAMP", ProductID: "prod_lamp", Slug: "lamp", Title: "Lamp", Options: map[string]string{"Colour": "Red"}})
		}
	}
	return list, nil
}

// pastTax adds a tenth to each line.
type pastTax struct{ orders.Pricing }

func (pastTax) Tax(_ context.Context, r orders.TaxRequest) (orders.Tax, error) {
	t := orders.Tax{Included: money.New(0, r.Currency)}
	for _, l := range r.Lines {
		t.Lines = append(t.Lines, l.Share(1, 10))
	}
	return t, nil
}

func (pastShelf) CategoryPath(context.Context, string) ([]string, error) { return nil, nil }

// pastUnpaid knows no payments.
type pastUnpaid struct{ orders.PaymentTaker }

func (pastUnpaid) ByOrders(context.Context, ...string) (map[string][]orders.Payment, error) {
	return nil, nil
}

func TestPastOrders(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: testenv.Database(t), Role: "shopd_orders", MaxConns: 2})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	vault, err := crypto.NewVault(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	require.NoError(t, err)
	s := orders.New(orders.Deps{
		DB: pool, Carts: pool, Catalog: pastShelf{}, Pricing: pastTax{}, Payments: pastUnpaid{}, Personal: newPeople(), Sealer: vault, TTL: time.Minute,
		Log: slog.New(slog.DiscardHandler), Now: time.Now, Registerer: prometheus.NewRegistry(),
	})
	placed := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	past := func(change func(*orders.PastOrder)) orders.PastOrder {
		o := orders.PastOrder{
			ID: orders.ID(id.New("ord")), CustomerID: "cus_1", Currency: "USD", ShippingMethod: "Standard", PlacedAt: placed, PaidAt: placed.Add(time.Second),
			Contact: orders.Contact{
				Email: "ada@example.com", Shipping: orders.Address{Name: "Ada", Line1: "1 Square", City: "New York", Region: "NY", PostalCode: "10001", Country: "US"},
			},
			Lines: []orders.PastLine{{SKU: "LAMP", Quantity: 2, UnitPrice: money.New(1000, "USD")}},
		}
		change(&o)
		return o
	}

	t.Run("are orders like any other", func(t *testing.T) {
		fulfilled := past(func(o *orders.PastOrder) { o.FulfilledAt = placed.Add(time.Hour) })
		waiting := past(func(o *orders.PastOrder) { o.CustomerID, o.ShippingMethod = "", "" })
		cancelled := past(func(o *orders.PastOrder) { o.CancelledAt = placed.Add(time.Hour) })
		list := []orders.PastOrder{fulfilled, waiting, cancelled}
		totals, err := s.ImportPast(t.Context(), list)
		require.NoError(t, err)
		require.Equal(t, []orders.PastTotal{
			{fulfilled.ID, money.New(2000+200+590, "USD")}, {waiting.ID, money.New(2000+200, "USD")}, {cancelled.ID, money.New(2000+200+590, "USD")},
		}, totals)
		var numbers []int64
		for i, want := range []orders.Status{orders.Fulfilled, orders.Paid, orders.Cancelled} {
			o, err := s.Order(t.Context(), list[i].ID, orders.Access{Staff: true})
			require.NoError(t, err)
			require.Equal(t, want, o.Status)
			require.Equal(t, list[i].Contact, o.Contact)
			require.Equal(t, "Red", o.Lines[0].Options["Colour"])
			require.Len(t, o.History, int(o.Version))
			require.True(t, o.PlacedAt.Equal(placed))
			numbers = append(numbers, o.Number)
		}
		require.IsIncreasing(t, numbers)
		o, err := s.Order(t.Context(), fulfilled.ID, orders.Access{CustomerID: "cus_1"})
		require.NoError(t, err)
		require.Len(t, o.Fulfilments, 1)
		require.Equal(t, 2, o.Lines[0].Fulfilled)
		o, err = s.Order(t.Context(), waiting.ID, orders.Access{OrderSecret: s.Secret(waiting.ID)})
		require.NoError(t, err)
		require.Equal(t, "Download", o.Method.Name)

		// An order that is there stays as it is, whatever it would come to now.
		dearer := fulfilled
		dearer.Lines = []orders.PastLine{{SKU: "LAMP", Quantity: 9, UnitPrice: money.New(1000, "USD")}}
		again, err := s.ImportPast(t.Context(), []orders.PastOrder{dearer, waiting, cancelled})
		require.NoError(t, err)
		require.Equal(t, totals, again)
	})

	for name, c := range map[string]struct {
		spoil func(*orders.PastOrder)
		code  string
	}{
		"no lines":                     {func(o *orders.PastOrder) { o.Lines = nil }, "invalid_state"},
		"an article that is not there": {func(o *orders.PastOrder) { o.Lines[0].SKU = "CHAIR" }, "not_purchasable"},
		"no pieces":                    {func(o *orders.PastOrder) { o.Lines[0].Quantity = 0 }, "invalid_quantity"},
		"a price in another currency":  {func(o *orders.PastOrder) { o.Lines[0].UnitPrice.Currency = "EUR" }, "invalid_quantity"},
		"an unknown way to send it":    {func(o *orders.PastOrder) { o.ShippingMethod = "Pigeon" }, "unknown_shipping_method"},
		"no country":                   {func(o *orders.PastOrder) { o.Contact.Shipping.Country = "" }, "invalid_country"},
		"it was never paid":            {func(o *orders.PastOrder) { o.PaidAt = time.Time{} }, "invalid_state"},
		"paid before it was placed":    {func(o *orders.PastOrder) { o.PaidAt = placed.Add(-time.Second) }, "invalid_state"},
		"sent before it was paid":      {func(o *orders.PastOrder) { o.FulfilledAt = placed }, "invalid_state"},
		"cancelled after it was sent": {func(o *orders.PastOrder) {
			o.FulfilledAt, o.CancelledAt = placed.Add(time.Hour), placed.Add(2*time.Hour)
		}, "invalid_state"},
		"a card number for an address": {func(o *orders.PastOrder) { o.Contact.Shipping.Line1 = "4242 4242 4242 4242" }, "card_data_not_accepted"},
	} {
		t.Run("refuse "+name, func(t *testing.T) {
			good := past(func(*orders.PastOrder) {})
			_, err := s.ImportPast(t.Context(), []orders.PastOrder{good, past(c.spoil)})
			require.NotNil(t, errs.As(err), "%v", err)
			require.Equal(t, c.code, errs.As(err).Code)
			_, err = s.Order(t.Context(), good.ID, orders.Access{Staff: true})
			require.ErrorIs(t, err, errs.ErrNotFound, "all of them or none")
		})
	}
}
