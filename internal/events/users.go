package events

import "time"

// CustomerRegistered says that somebody opened an account.
type CustomerRegistered struct {
	CustomerID string    `json:"customer_id"`
	Version    int64     `json:"version"`
	At         time.Time `json:"at"`
}

// Type is users.customer_registered.v1.
func (CustomerRegistered) Type() string { return "users.customer_registered.v1" }

// Aggregate is the customer.
func (e CustomerRegistered) Aggregate() (string, int64) { return e.CustomerID, e.Version }

// CustomerErased says that a customer's personal data is gone for good. Whoever keeps a copy of it must forget it.
type CustomerErased struct {
	CustomerID string    `json:"customer_id"`
	Version    int64     `json:"version"`
	At         time.Time `json:"at"`
}

// Type is users.customer_erased.v1.
func (CustomerErased) Type() string { return "users.customer_erased.v1" }

// Aggregate is the customer.
func (e CustomerErased) Aggregate() (string, int64) { return e.CustomerID, e.Version }
