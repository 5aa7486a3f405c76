// Package inventory knows how much of every article is there, what of it is promised to orders, and every movement.
//
// PostgreSQL grants stock and nothing else does; Redis keeps a copy to read from.
package inventory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"shopd/internal/platform/errs"
)

// DefaultLocation is where stock is when nobody says otherwise.
const DefaultLocation = "main"

// Level is the stock of an article in one location.
type Level struct {
	SKU          string
	Location     string
	OnHand       int64 // pieces in the house; negative by what is sold and still to come
	Reserved     int64 // of them promised to orders
	Available    int64 // OnHand − Reserved: what is there for others; negative by what is owed
	Version      int64
	ReorderPoint int64 // from how many on they are few; 0 for never
	// BackorderLimit is how many may be owed; nil for any number.
	BackorderLimit *int64
}

// fields are where a row of levelColumns goes.
func (l *Level) fields() []any {
	return []any{&l.SKU, &l.Location, &l.OnHand, &l.Reserved, &l.Available, &l.Version, &l.ReorderPoint, &l.BackorderLimit}
}

// Backorder is what the location owes of the article at most.
func (l *Level) Backorder() Backorder { return backorderOf(l.BackorderLimit) }

// Orderable is how many pieces can be ordered now, those that are not there included.
func (l *Level) Orderable() int64 {
	if l.BackorderLimit == nil {
		return unlimited
	}
	return max(l.Available+*l.BackorderLimit, 0)
}

// Item is a number of pieces of an article.
type Item struct {
	SKU      string
	Quantity int64
}

// Shortage says that less is available of an article than was asked for.
type Shortage struct {
	SKU       string
	Wanted    int64
	Available int64
}

// Kind says why stock moved.
type Kind string

// The kinds of movement.
const (
	Received    Kind = "received"
	Sold        Kind = "sold"
	Returned    Kind = "returned"
	Adjusted    Kind = "adjusted"
	Transferred Kind = "transferred"
	Reserved    Kind = "reserved"
	Released    Kind = "released"
)

// Adjustment changes what is on hand of an article by hand: after counting, breakage, a delivery.
type Adjustment struct {
	SKU      string
	Location string // empty is DefaultLocation
	Quantity int64  // signed, not zero
	Kind     Kind   // Received or Adjusted; empty is Adjusted
	Reason   string
	Actor    string
}

// Movement is one entry of the append-only record.
type Movement struct {
	ID       int64
	SKU      string
	Location string
	Kind     Kind
	Quantity int64
	OrderID  string
	Reason   string
	Actor    string
	At       time.Time
}

// What callers decide by.
var (
	ErrOutOfStock  = errs.New(errs.Conflict, "out_of_stock", "Not enough of it is left.")
	ErrUnknownSKU  = errs.New(errs.NotFound, "not_found", "There is no stock of this article.")
	ErrTooMuch     = errs.New(errs.Conflict, "insufficient_stock", "That would leave less than is promised to orders.")
	ErrNotReserved = errs.New(errs.Conflict, "reservation_expired", "The reservation of this order has ended.")
)

var (
	errUnknownLocation = errs.New(errs.Invalid, "unknown_location", "There is no such location.")
	errAlreadyReserved = errs.New(errs.Conflict, "already_reserved", "The order has its reservation.")
)

// OutOfStock returns ErrOutOfStock naming each shortage.
func OutOfStock(shortages []Shortage) error {
	e := ErrOutOfStock
	for _, s := range shortages {
		e = e.WithFields(errs.Field{Pointer: "/lines/" + s.SKU, Code: "out_of_stock", Detail: s.describe()})
	}
	if len(shortages) == 1 {
		return e.WithDetail("%s", shortages[0].describe())
	}
	return e
}

// merge sums the quantities of equal articles and sorts by SKU: the order in which rows are locked.
func merge(items []Item) []Item {
	sum := make(map[string]int64, len(items))
	for _, it := range items {
		sum[it.SKU] += it.Quantity
	}
	merged := make([]Item, 0, len(sum))
	for sku, q := range sum {
		merged = append(merged, Item{SKU: sku, Quantity: q})
	}
	slices.SortFunc(merged, func(a, b Item) int { return strings.Compare(a.SKU, b.SKU) })
	return merged
}

func (s Shortage) describe() string {
	if s.Available <= 0 {
		return fmt.Sprintf("%s is sold out.", s.SKU)
	}
	return fmt.Sprintf("Only %d of %s are left, not %d.", s.Available, s.SKU, s.Wanted)
}
