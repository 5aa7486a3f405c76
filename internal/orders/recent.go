package orders

import (
	"slices"

	"github.com/maypok86/otter/v2"
)

// recentCarts are carts as this process wrote them last, so that the next change of one need not read it first. What is
// in here may be out of date: saveCart notices, and errors are checked against the database before anybody hears them.
type recentCarts struct {
	carts *otter.Cache[CartID, storedCart]
}

// recentLines bounds the memory of it, in lines of carts.
const recentLines = 50_000

func newRecentCarts() recentCarts {
	return recentCarts{otter.Must(&otter.Options[CartID, storedCart]{
		MaximumWeight: recentLines,
		Weigher:       func(_ CartID, c storedCart) uint32 { return uint32(1 + len(c.Lines)) },
	})}
}

// keep remembers c as it has been written.
func (r recentCarts) keep(c *storedCart) {
	kept := *c
	kept.Lines = slices.Clone(c.Lines)
	r.carts.Set(c.ID, kept)
}

// take returns a cart for its one next change, and forgets it.
func (r recentCarts) take(id CartID) (*storedCart, bool) {
	c, ok := r.carts.Invalidate(id)
	return &c, ok
}
