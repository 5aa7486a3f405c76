package pricing_test

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"shopd/internal/money"
	"shopd/internal/platform/cache"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/testenv"
	"shopd/internal/pricing"
)

type bundle struct {
	svc   *pricing.Service
	admin *pgxpool.Pool
}

func setup(t *testing.T) *bundle {
	t.Helper()
	url := testenv.Database(t)
	db, err := postgres.Open(t.Context(), postgres.Config{URL: url, Role: "shopd_pricing"})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	admin, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(admin.Close)
	store, err := cache.NewStore(testenv.Redis(t), prometheus.NewRegistry())
	require.NoError(t, err)
	svc, err := pricing.New(pricing.Deps{DB: db, Cache: store, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }})
	require.NoError(t, err)
	return &bundle{svc, admin}
}

func change(variant string, minor int64) pricing.Change {
	return pricing.Change{VariantID: variant, SKU: "sku-" + variant, Amount: money.New(minor, "EUR"), Source: pricing.Admin, Reason: "test"}
}

func TestHistoryHasEveryPriceAndOneIsOpen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, minor := range []int64{1000, 900, 900, 1100} {
		_, err := b.svc.Set(t.Context(), []pricing.Change{change("var_1", minor)})
		require.NoError(t, err)
	}
	current, err := b.svc.Current(t.Context(), "EUR", []string{"var_1", "var_none"})
	require.NoError(t, err)
	require.Len(t, current, 1)
	require.Equal(t, money.New(1100, "EUR"), current["var_1"].Amount)
	require.EqualValues(t, 3, current["var_1"].Version, "the same price again is no change")
	records, err := b.svc.History(t.Context(), "var_1", "EUR", 10)
	require.NoError(t, err)
	require.Len(t, records, 3)
	require.Nil(t, records[0].ValidTo)
	require.Equal(t, records[0].ValidFrom, *records[1].ValidTo)
	var told int
	require.NoError(t, b.admin.QueryRow(t.Context(), `select count(*) from platform.outbox where type = 'pricing.price_changed.v1'`).Scan(&told))
	require.Equal(t, 3, told)
}

func TestWritersAtTheSameMomentLeaveOneOpenPrice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := b.svc.Set(t.Context(), []pricing.Change{change("var_1", int64(1000+i)), change("var_2", int64(2000+i))}); err != nil {
				t.Errorf("writer %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	var open, all int
	require.NoError(t, b.admin.QueryRow(t.Context(), `select count(*) filter (where valid_to is null), count(*) from public_views.v_prices where sku = 'sku-var_1'`).Scan(&open, &all))
	require.Equal(t, 1, open)
	require.Positive(t, all)
}

func TestUnacceptablePricesAreRefusedTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	higher, lower := money.New(2000, "EUR"), money.New(500, "EUR")
	for name, wrong := range map[string]pricing.Change{
		"negative":             change("var_1", -1),
		"absurd":               change("var_1", money.MaxMinor+1),
		"no currency":          {VariantID: "var_1", SKU: "s", Amount: money.New(1, "XXX"), Source: pricing.Admin},
		"compared with less":   {VariantID: "var_1", SKU: "s", Amount: money.New(1000, "EUR"), CompareAt: &lower, Source: pricing.Admin},
		"compared in currency": {VariantID: "var_1", SKU: "s", Amount: money.New(1000, "USD"), CompareAt: &higher, Source: pricing.Admin},
	} {
		_, err := b.svc.Set(t.Context(), []pricing.Change{change("var_good", 100), wrong})
		require.ErrorIs(t, err, pricing.ErrInvalidMoney, name)
	}
	current, err := b.svc.Current(t.Context(), "EUR", []string{"var_good"})
	require.NoError(t, err)
	require.Empty(t, current, "all or nothing")
}

func TestTax(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		currency        money.Currency
		country, region string
		line, shipping  int64
		added, included int64
	}{
		{"EUR", "DE", "", 11900, 0, 0, 1900},
		{"EUR", "DE", "", 11900, 1190, 0, 2090},
		{"EUR", "FR", "", 12000, 0, 0, 2000},
		{"USD", "US", "CA", 10000, 590, 725, 0},
		{"USD", "US", "OR", 10000, 590, 0, 0},
		{"USD", "", "", 10000, 590, 0, 0},
		{"CAD", "CA", "QC", 9999, 0, 1497, 0},
		{"JPY", "JP", "", 1100, 0, 0, 100},
	} {
		t.Run(fmt.Sprintf("%s %s%s", c.currency, c.country, c.region), func(t *testing.T) {
			t.Parallel()
			tax, err := b.svc.Tax(t.Context(), pricing.TaxRequest{
				Currency: c.currency, Country: c.country, Region: c.region, Lines: []money.Amount{money.New(c.line, c.currency)}, Shipping: money.New(c.shipping, c.currency),
			})
			require.NoError(t, err)
			require.Equal(t, money.New(c.added, c.currency), tax.Lines[0])
			require.Equal(t, money.New(c.included, c.currency), tax.Included)
		})
	}
}
