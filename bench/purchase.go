package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// What the purchase is to reach: of pgbench's orders, and in processor time of shopd and PostgreSQL together.
const (
	goalPurchase     = 0.10
	ambitionPurchase = 0.20
	goalCPU          = 8 * time.Millisecond
)

// purchases measures the whole purchase beside the least SQL of an order, and checks afterwards that all of it is true.
func (b *bench) purchases(ctx context.Context) error {
	if !b.wants("purchase") {
		return nil
	}
	limit, err := b.place.openLimit(ctx)
	if err != nil {
		return err
	}
	method, err := b.shop.shippingMethod(ctx)
	if err != nil {
		return err
	}
	before, err := b.place.books(ctx)
	if err != nil {
		return err
	}
	lagBefore, err := b.shop.metrics(ctx)
	if err != nil {
		return err
	}
	bought := 0
	for _, connections := range b.connections {
		b.say(fmt.Sprintf("purchase, %d connections", connections))
		row := newRow("purchase, 7 requests", connections, "pgbench order", goalPurchase)
		row.GoalCPU = goalCPU
		for range b.rounds {
			s, n, err := b.measurePurchases(ctx, connections, b.shop.purchase(method))
			if err != nil {
				return err
			}
			bought += n
			least, err := limit.run(ctx, connections, b.duration)
			if err != nil {
				return err
			}
			row.add(s, least)
		}
		b.report.add(row)
	}
	if b.report.Lags, err = b.shop.lagsSince(ctx, lagBefore); err != nil {
		return err
	}
	b.report.Checks, err = b.place.check(ctx, before, bought)
	return err
}

// measurePurchases lets connections buy, then waits until every event has had its effect: what an order costs includes
// what follows from it. It returns how many orders were made, warm-up included.
func (b *bench) measurePurchases(ctx context.Context, connections int, work func(*worker) error) (figures, int, error) {
	warm, err := generate(ctx, b.shop.addr, connections, warmUp, work)
	if err != nil {
		return figures{}, 0, err
	}
	if err := errors.Join(b.shop.awaitQuiet(ctx, b.place), b.place.checkpoint(ctx)); err != nil {
		return figures{}, 0, err
	}
	commits, err := b.place.activity(ctx)
	if err != nil {
		return figures{}, 0, err
	}
	m, err := b.place.measureCPU(ctx, b.shop.pid())
	if err != nil {
		return figures{}, 0, err
	}
	l, err := generate(ctx, b.shop.addr, connections, b.duration, work)
	if err != nil {
		return figures{}, 0, err
	}
	pending, err := b.place.pending(ctx)
	if err != nil {
		return figures{}, 0, err
	}
	drained := time.Now()
	if err := b.shop.awaitQuiet(ctx, b.place); err != nil {
		return figures{}, 0, err
	}
	u, err := m.end()
	if err != nil {
		return figures{}, 0, err
	}
	done, err := b.place.activity(ctx)
	if err != nil {
		return figures{}, 0, err
	}
	if failures := warm.failures + l.failures; failures > 0 {
		return figures{}, 0, fmt.Errorf("%d purchases failed: %w", failures, errors.Join(warm.firstFail, l.firstFail))
	}
	s := newFigures(l, u)
	s.Commits = float64(done.commits-commits.commits) / float64(len(l.done))
	s.WAL = float64(done.wal-commits.wal) / float64(len(l.done))
	s.Pending, s.Drain = pending, max(0, time.Since(drained)-quietFor*quietPause)
	return s, len(warm.done) + len(l.done), nil
}

// object is a JSON object.
type object map[string]any

var address = object{
	"email": "bench@example.com",
	"shipping": object{
		"name": "Bench Mark", "line1": "1 Measuring Lane", "city": "Springfield", "region": "IL", "postal_code": "62701", "country": "US",
	},
}

// shippingMethod is the first one offered for the address that all purchases go to.
func (s *shop) shippingMethod(ctx context.Context) (string, error) {
	c, err := dial(ctx, s.addr)
	if err != nil {
		return "", err
	}
	cart, token, err := s.fillCart(&worker{client: c}, []string{s.skus[0]})
	if err != nil {
		return "", errors.Join(err, c.close())
	}
	var methods struct{ Items []struct{ ID string } }
	if err := c.send("GET", cart+"/shipping-method", nil, &methods, token...); err != nil {
		return "", errors.Join(err, c.close())
	}
	if len(methods.Items) == 0 {
		return "", errors.Join(errors.New("no shipping method is offered"), c.close())
	}
	return methods.Items[0].ID, c.close()
}

// fillCart makes a cart with a line for each SKU and an address. It returns the cart's path and the header that opens it.
func (s *shop) fillCart(w *worker, skus []string) (path string, token []string, err error) {
	var cart struct{ ID, Token string }
	if err := w.send("POST", storeAPI+"/carts", object{"currency": "USD", "country": "US"}, &cart); err != nil {
		return "", nil, err
	}
	path, token = storeAPI+"/carts/"+cart.ID, []string{"X-Cart-Token", cart.Token}
	for i, sku := range skus {
		if err := w.send("POST", path+"/lines", object{"sku": sku, "quantity": i + 1}, nil, token...); err != nil {
			return "", nil, err
		}
	}
	return path, token, w.send("PUT", path+"/address", address, nil, token...)
}

// purchase is the work of a shopper: a cart with two articles, an address, a way to send it, paying, and a look at the
// order. It fails unless the order is paid. What it adds to extra is the time of paying.
func (s *shop) purchase(method string) func(*worker) error {
	return func(w *worker) error {
		first := w.rng.IntN(len(s.skus))
		second := (first + 1 + w.rng.IntN(len(s.skus)-1)) % len(s.skus)
		return s.buy(w, method, s.skus[first], s.skus[second])
	}
}

// purchaseOf is the same with one article, which pick chooses.
func (s *shop) purchaseOf(method string, pick func(*worker) string) func(*worker) error {
	return func(w *worker) error { return s.buy(w, method, pick(w)) }
}

// buy is the way of a shopper through the shop with a piece of the first article, two of the second, and so on.
func (s *shop) buy(w *worker, method string, skus ...string) error {
	cart, token, err := s.fillCart(w, skus)
	if err != nil {
		return err
	}
	if err := w.send("PUT", cart+"/shipping-method", object{"shipping_method_id": method}, nil, token...); err != nil {
		return err
	}
	var order struct{ ID, Secret, Status string }
	begin := time.Now()
	err = w.send("POST", cart+"/complete", object{"payment": object{"provider": "test", "method": "test_ok"}}, &order,
		append(token, "Idempotency-Key", rand.Text())...)
	if err != nil {
		return err
	}
	paying := time.Since(begin)
	if order.Status != "paid" {
		return fmt.Errorf("order %s is %s", order.ID, order.Status)
	}
	var seen struct{ Status string }
	if err := w.send("GET", storeAPI+"/orders/"+order.ID, nil, &seen, "X-Order-Secret", order.Secret); err != nil {
		return err
	}
	if seen.Status != "paid" {
		return fmt.Errorf("order %s was paid and is seen as %s", order.ID, seen.Status)
	}
	w.extra = append(w.extra, paying)
	return nil
}
