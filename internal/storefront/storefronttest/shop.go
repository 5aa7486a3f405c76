// Package storefronttest is a small shop in memory that storefront's tests, and whoever works on its pages, run
// against: the products of package sample, carts and orders with a test gateway, and accounts.
//
// It keeps the promises of the ports that pages depend on, and nothing else: prices never change, and stock is only
// looked at when something is put into a cart.
package storefronttest

import (
	"sync"
	"time"

	"shopd/internal/storefront"
)

// Shop is a shop in memory. It is safe for concurrent use.
type Shop struct {
	Catalog *Catalog
	Recs    *Recs
	Orders  *Orders
	Users   *Users
}

var (
	_ storefront.Catalog = (*Catalog)(nil)
	_ storefront.Recs    = (*Recs)(nil)
	_ storefront.Orders  = (*Orders)(nil)
	_ storefront.Users   = (*Users)(nil)
)

// New returns a shop with the whole sample catalogue and neither carts nor accounts. now is the time of orders.
func New(now func() time.Time) (*Shop, error) {
	catalog, err := sampleCatalog()
	if err != nil {
		return nil, err
	}
	return &Shop{
		Catalog: &Catalog{data: catalog},
		Recs:    &Recs{data: catalog},
		Orders:  newOrders(catalog, now),
		Users:   newUsers(),
	}, nil
}

// failure is an error that a test sets to be answered instead of doing what was asked.
type failure struct {
	mu  sync.Mutex
	err error
}

// Fail makes every following call answer err; nil ends that.
func (f *failure) Fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *failure) failing() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
