package recs_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/testenv"
	"shopd/internal/recs"
)

// shelf is a catalogue in which some products cannot be bought now.
type shelf struct{ missing string }

func (s shelf) Items(_ context.Context, ids []string) ([]recs.Item, error) {
	var items []recs.Item
	for _, id := range ids {
		if id != s.missing {
			items = append(items, recs.Item{ID: id})
		}
	}
	return items, nil
}

// Products of these tests have ids that are article numbers.
func (s shelf) BySKU(ctx context.Context, skus []string) ([]recs.Item, error) {
	return s.Items(ctx, skus)
}

func (s shelf) SKUs(_ context.Context, ids []string) ([]string, error) { return ids, nil }

func (s shelf) Popular(context.Context, int) ([]recs.Item, error) {
	return []recs.Item{{ID: "first"}, {ID: "second"}}, nil
}

func setup(t *testing.T, catalog recs.Catalog) (*recs.Service, func(orders ...[]string)) {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: testenv.Database(t), Role: "shopd_recs"})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	svc := recs.New(recs.Deps{DB: db, Catalog: catalog, Log: slog.New(slog.DiscardHandler), Now: time.Now, Registerer: prometheus.NewRegistry()})
	return svc, func(orders ...[]string) {
		t.Helper()
		var batch []events.Envelope
		for _, products := range orders {
			f := events.OrderFacts{OrderID: "ord", Total: money.New(1, "EUR"), Version: 2, At: time.Now()}
			for _, p := range products {
				f.Lines = append(f.Lines, events.OrderLine{ProductID: p, Quantity: 1})
			}
			env, err := events.Wrap(events.OrderPaid{OrderFacts: f}, time.Now(), "")
			require.NoError(t, err)
			batch = append(batch, env)
		}
		handle := svc.Subscriptions()[0].Handle
		require.NoError(t, pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error { return handle(t.Context(), tx, batch) }))
	}
}

func shown(t *testing.T, answer recs.Recommended, err error) (ids, reasons []string) {
	t.Helper()
	require.NoError(t, err)
	for _, r := range answer.Items {
		ids, reasons = append(ids, r.ID), append(reasons, r.Reason)
	}
	return ids, reasons
}

func TestProductIsShownWithWhatIsBoughtTogetherWithIt(t *testing.T) {
	t.Parallel()
	svc, buy := setup(t, shelf{missing: "sold-out"})
	buy([]string{"shirt", "trousers", "sold-out"}, []string{"shirt", "trousers"}, []string{"shirt", "belt"}, []string{"lamp"}, []string{"lamp"}, []string{"lamp"}, []string{"lamp"})
	list, err := svc.Recommend(t.Context(), recs.Request{Placement: recs.Product, ProductIDs: []string{"shirt"}, Limit: 3})
	ids, reasons := shown(t, list, err)
	require.Equal(t, []string{"trousers", "belt", "lamp"}, ids, "never itself, nor what cannot be bought")
	require.Equal(t, []string{recs.BoughtTogether, recs.BoughtTogether, recs.MostWanted}, reasons)
}

func TestCartIsShownWithWhatGoesWithAnyOfIt(t *testing.T) {
	t.Parallel()
	svc, buy := setup(t, shelf{})
	buy([]string{"shirt", "trousers"}, []string{"shirt", "belt"}, []string{"trousers", "belt"}, []string{"trousers", "socks"})
	answer, err := svc.Recommend(t.Context(), recs.Request{Placement: recs.Cart, ProductIDs: []string{"shirt", "trousers"}, Limit: 2})
	ids, reasons := shown(t, answer, err)
	require.Equal(t, []string{"belt", "socks"}, ids, "nothing that is in the cart")
	require.Equal(t, []string{recs.BoughtTogether, recs.BoughtTogether}, reasons)
	require.Equal(t, recs.ModelVersion, answer.ModelVersion)
}

func TestShopWithoutSalesShowsWhatTheCatalogueRanksFirst(t *testing.T) {
	t.Parallel()
	svc, _ := setup(t, shelf{})
	for _, placement := range []recs.Placement{recs.Home, recs.Product, recs.Cart} {
		list, err := svc.Recommend(t.Context(), recs.Request{Placement: placement, ProductIDs: []string{"unknown"}, Limit: 5})
		ids, _ := shown(t, list, err)
		require.Equal(t, []string{"first", "second"}, ids)
	}
}
