package app

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"shopd/internal/money"
	"shopd/internal/orders"
	"shopd/internal/payments"
	"shopd/internal/users"
)

// What the sample shop consists of, beside its catalogue.
const (
	sampleSeed      = 2026
	sampleCustomers = 300
	sampleOrders    = 2000
	samplePast      = 365 * 24 * time.Hour
	// sampleBatch is how many orders are written at once.
	sampleBatch = 500
)

// The sample shop in the audit log: begun once, at the time that its past leads up to, and finished once.
const (
	seedObject   = "sample_shop"
	seedStarted  = "sample_shop.started"
	seedFinished = "sample_shop.finished"
)

// Seed fills the shop with the sample: catalogue, prices, stock, reviews, customers and a year of orders. It does so
// once; what a crash left is finished by the next call, and a call after that does nothing. progress hears what is
// being done.
func (s *Shop) Seed(ctx context.Context, progress func(text string)) error {
	currency := money.Currency(s.Config.Shop.Currency)
	if currency != usd && currency != eur {
		return fmt.Errorf("the sample shop has prices in %s and %s, and SHOPD_CURRENCY is %s", usd, eur, currency)
	}
	at, finished, err := s.seedTime(ctx)
	if err != nil || finished {
		return err
	}
	plan, err := newSeedPlan(at, currency)
	if err != nil {
		return err
	}
	var customers []users.CustomerID
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.seedCatalogue(gctx, plan, progress) })
	group.Go(func() (err error) {
		customers, err = s.Users.ImportCustomers(gctx, plan.accounts())
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if err := s.seedOrders(ctx, plan, customers, progress); err != nil {
		return err
	}
	return s.Users.RecordAudit(ctx, "system", seedFinished, seedObject, nil)
}

// seedTime is when the shop was first filled: everything of the sample is dated by it, so that filling it again
// makes the same rows.
func (s *Shop) seedTime(ctx context.Context) (at time.Time, finished bool, err error) {
	for range 2 {
		entries, err := s.Users.AuditOf(ctx, seedObject, 10)
		if err != nil {
			return time.Time{}, false, err
		}
		for _, e := range entries {
			finished = finished || e.Action == seedFinished
			if e.Action == seedStarted {
				at = e.At.UTC() // the oldest, if two processes began at once
			}
		}
		if !at.IsZero() {
			return at, finished, nil
		}
		if err := s.Users.RecordAudit(ctx, "system", seedStarted, seedObject, nil); err != nil {
			return time.Time{}, false, err
		}
	}
	return time.Time{}, false, fmt.Errorf("the audit log does not keep %s", seedStarted)
}

// seedCatalogue writes products with prices and stock, then their reviews and how much they are wanted.
func (s *Shop) seedCatalogue(ctx context.Context, plan *seedPlan, progress func(string)) error {
	progress(fmt.Sprintf("Putting %d products on the shelves", len(plan.products)))
	refused := func(bad RowError) error { return &bad }
	if _, err := s.Import(ctx, plan.rows(), ImportOptions{Reason: "sample shop", Refused: refused}); err != nil {
		return err
	}
	reviews, err := plan.reviews()
	if err != nil {
		return err
	}
	progress(fmt.Sprintf("Reading %d reviews", len(reviews)))
	if err := s.Catalog.AddReviews(ctx, reviews); err != nil {
		return fmt.Errorf("add reviews: %w", err)
	}
	if err := s.Catalog.SetPopularity(ctx, plan.popularity()); err != nil {
		return fmt.Errorf("set popularity: %w", err)
	}
	return nil
}

// seedOrders writes the past orders and what was paid for them.
func (s *Shop) seedOrders(ctx context.Context, plan *seedPlan, customers []users.CustomerID, progress func(string)) error {
	progress(fmt.Sprintf("Looking back on %d orders of %d customers", len(plan.orders), len(customers)))
	past := plan.pastOrders(customers)
	for len(past) > 0 {
		batch := past[:min(sampleBatch, len(past))]
		past = past[len(batch):]
		totals, err := s.Orders.ImportPast(ctx, batch)
		if err != nil {
			return err
		}
		paid := make([]payments.PastPayment, len(batch))
		for i, o := range batch {
			paid[i] = pastPayment(o, totals[i])
		}
		if err := s.Payments.ImportPast(ctx, paid); err != nil {
			return err
		}
	}
	return nil
}

func pastPayment(o orders.PastOrder, t orders.PastTotal) payments.PastPayment {
	payment := idAt("pay", o.PaidAt, string(o.ID))
	p := payments.PastPayment{
		ID: payment, OrderID: string(o.ID), Provider: payments.ProviderTest, Method: payments.TestOK, Ref: "test_" + payment, Amount: t.Total,
		CapturedAt: o.PaidAt,
	}
	if !o.CancelledAt.IsZero() {
		p.RefundedAt = o.CancelledAt
	}
	return p
}

const (
	awaitPause = 20 * time.Millisecond

	eventsWaitingSQL = `
select exists (select from platform.outbox where published_at is null)
    or exists (select from platform.event_retries where starts_with(consumer, 'catalog.'))`

	productsWaitingSQL = `
select exists (select from catalog.products where indexed_version < card_version or card is null)`
)

// AwaitProjections waits until every event has reached the catalogue and every product stands in lists and in the
// search index as it is. It is for a shop that nobody changes meanwhile; the roles must be running.
func (s *Shop) AwaitProjections(ctx context.Context) error {
	for {
		var events, products bool
		if err := s.pools.relay.QueryRow(ctx, eventsWaitingSQL).Scan(&events); err != nil {
			return fmt.Errorf("look for waiting events: %w", err)
		}
		if err := s.pools.catalog.QueryRow(ctx, productsWaitingSQL).Scan(&products); err != nil {
			return fmt.Errorf("look for products that are not indexed: %w", err)
		}
		if !events && !products {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(awaitPause):
		}
	}
}
