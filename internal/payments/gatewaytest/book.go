// Package gatewaytest is what the doubles of payment gateways share: a book of the money that moved, a script that says
// how calls go wrong, and a courier that brings webhooks. The doubles themselves, in stripe and paypal below it, answer
// the companies' own protocols, so that the real SDKs speak to them through their base URL.
package gatewaytest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// Status is where a payment stands in the book, in words of no company.
type Status string

// The states of a payment in the book.
const (
	Open           Status = "open"            // nobody has paid yet
	RequiresAction Status = "requires_action" // the shopper has to confirm
	Approved       Status = "approved"        // the shopper agreed; the shop may take the money
	Authorised     Status = "authorised"
	Captured       Status = "captured"
	Cancelled      Status = "cancelled"
)

// Payment is one payment at the gateway.
type Payment struct {
	Ref       string     `json:"ref"`        // the gateway's name of it
	PaymentID string     `json:"payment_id"` // the shop's attempt, from the metadata
	OrderID   string     `json:"order_id"`   // the shop's order, from the metadata
	Status    Status     `json:"status"`
	Reason    string     `json:"reason,omitempty"` // why it was declined last
	Currency  string     `json:"currency"`
	Amount    int64      `json:"amount"` // minor units, as all sums here
	Captured  int64      `json:"captured"`
	Refunded  int64      `json:"refunded"`
	Captures  []Movement `json:"captures"`
	Refunds   []Movement `json:"refunds"`
	CreatedAt time.Time  `json:"created_at"`
	// Detail is what only the double concerned needs.
	Detail map[string]string `json:"detail,omitempty"`
}

// Live reports whether the gateway has money of the payment.
func (p *Payment) Live() bool { return p.Captured > p.Refunded }

func (p *Payment) clone() Payment {
	c := *p
	c.Captures, c.Refunds, c.Detail = slices.Clone(p.Captures), slices.Clone(p.Refunds), maps.Clone(p.Detail)
	if c.Detail == nil {
		c.Detail = map[string]string{}
	}
	return c
}

// Movement is money that went one way.
type Movement struct {
	Ref    string    `json:"ref"`
	ID     string    `json:"id,omitempty"`  // the shop's own id of a refund
	Key    string    `json:"key,omitempty"` // the idempotency key it came under
	Amount int64     `json:"amount"`
	Fee    int64     `json:"fee"`
	At     time.Time `json:"at"`
}

// Book is all money of one gateway. It survives the process when it has a journal.
type Book struct {
	now     func() time.Time
	mu      sync.Mutex
	byRef   map[string]*Payment
	order   []string // refs, the oldest first
	audit   map[string]*OrderSum
	breach  []Breach
	journal io.Writer
}

// OrderSum is what the gateway has of one order.
type OrderSum struct {
	OrderID  string `json:"order_id"`
	Payments int    `json:"payments"`
	Captured int64  `json:"captured"`
	Refunded int64  `json:"refunded"`
	Live     int    `json:"live"`     // payments whose money the gateway has
	MostLive int    `json:"max_live"` // the most that ever were at once: 2 is a double charge, even if it went back
	Currency string `json:"currency"`
}

// Breach is something that must never happen, noticed when it did.
type Breach struct {
	What    string    `json:"what"`
	OrderID string    `json:"order_id"`
	Ref     string    `json:"ref"`
	At      time.Time `json:"at"`
}

// NewBook returns an empty book.
func NewBook(now func() time.Time) *Book {
	return &Book{now: now, byRef: map[string]*Payment{}, audit: map[string]*OrderSum{}}
}

// Restore reads a journal that an earlier book wrote, and goes on writing to w.
func (b *Book) Restore(r io.Reader, w io.Writer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for in := json.NewDecoder(r); ; {
		var p Payment
		err := in.Decode(&p)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // a line that a crash cut off
			break
		}
		if err != nil {
			return fmt.Errorf("read the gateway's journal: %w", err)
		}
		b.put(p)
	}
	b.journal = w
	return nil
}

// Reset forgets everything.
func (b *Book) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.byRef, b.order, b.audit, b.breach = map[string]*Payment{}, nil, map[string]*OrderSum{}, nil
}

// Add writes a new payment into the book.
func (b *Book) Add(p Payment) (Payment, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.CreatedAt = b.now()
	return b.write(p.clone())
}

// Get finds a payment by its ref.
func (b *Book) Get(ref string) (Payment, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.byRef[ref]
	if !ok {
		return Payment{}, false
	}
	return p.clone(), true
}

// Find returns the first payment that match accepts.
func (b *Book) Find(match func(*Payment) bool) (Payment, bool) {
	list := b.List(match)
	if len(list) == 0 {
		return Payment{}, false
	}
	return list[0], true
}

// List returns the payments that match accepts, all when it is nil, the oldest first.
func (b *Book) List(match func(*Payment) bool) []Payment {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := []Payment{}
	for _, ref := range b.order {
		if p := b.byRef[ref]; match == nil || match(p) {
			list = append(list, p.clone())
		}
	}
	return list
}

// ErrNoPayment says that the book has no such payment.
var ErrNoPayment = errors.New("gatewaytest: no such payment")

// Update changes a payment, unless change returns an error. One change is made at a time.
func (b *Book) Update(ref string, change func(p *Payment) error) (Payment, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.byRef[ref]
	if !ok {
		return Payment{}, ErrNoPayment
	}
	next := p.clone()
	if err := change(&next); err != nil {
		return p.clone(), err
	}
	return b.write(next)
}

// write puts p into the book and its journal.
func (b *Book) write(p Payment) (Payment, error) {
	p.Captured, p.Refunded = total(p.Captures), total(p.Refunds)
	if b.journal != nil {
		line, err := json.Marshal(p)
		if err != nil {
			return p, err
		}
		if _, err := b.journal.Write(append(line, '\n')); err != nil {
			return p, fmt.Errorf("write the gateway's journal: %w", err)
		}
	}
	b.put(p)
	return p.clone(), nil
}

func (b *Book) put(p Payment) {
	before, known := b.byRef[p.Ref]
	if !known {
		b.order = append(b.order, p.Ref)
	}
	sum := b.audit[p.OrderID]
	if sum == nil {
		sum = &OrderSum{OrderID: p.OrderID, Currency: p.Currency}
		b.audit[p.OrderID] = sum
	}
	if known {
		sum.add(before, -1)
	}
	sum.add(&p, 1)
	if sum.Live > sum.MostLive {
		sum.MostLive = sum.Live
		if sum.Live > 1 && p.OrderID != "" {
			b.breach = append(b.breach, Breach{What: "an order was charged twice", OrderID: p.OrderID, Ref: p.Ref, At: b.now()})
		}
	}
	if p.Refunded > p.Captured {
		b.breach = append(b.breach, Breach{What: "more went back than was taken", OrderID: p.OrderID, Ref: p.Ref, At: b.now()})
	}
	b.byRef[p.Ref] = &p
}

func (s *OrderSum) add(p *Payment, sign int) {
	s.Payments += sign
	s.Captured += int64(sign) * p.Captured
	s.Refunded += int64(sign) * p.Refunded
	if p.Live() {
		s.Live += sign
	}
}

func total(list []Movement) int64 {
	var sum int64
	for _, m := range list {
		sum += m.Amount
	}
	return sum
}

// Orders sums up what the gateway has of each order, sorted by its id.
func (b *Book) Orders() []OrderSum {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]OrderSum, 0, len(b.audit))
	for _, s := range b.audit {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(x, y OrderSum) int { return cmp.Compare(x.OrderID, y.OrderID) })
	return list
}

// Breaches are what must never have happened.
func (b *Book) Breaches() []Breach {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.breach)
}
