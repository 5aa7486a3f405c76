package storefronttest

import (
	"cmp"
	"context"
	"slices"

	"shopd/internal/money"
	"shopd/internal/orders"
	"shopd/internal/platform/crypto"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
)

// Payment states of the test gateway.
const (
	captured       = "captured"
	requiresAction = "requires_action"
	declined       = "declined"
	unknown        = "unknown"
	refunded       = "refunded"
)

// Complete implements storefront.Orders.
func (o *Orders) Complete(_ context.Context, req orders.CompleteRequest) (*orders.Placed, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c, err := o.open(req.CartID, req.Access)
	if err != nil {
		return nil, err
	}
	if req.IdempotencyKey == "" {
		return nil, errs.New(errs.Malformed, "idempotency_key_required", "Send an Idempotency-Key.")
	}
	if done := o.keys[req.IdempotencyKey]; done != nil {
		return done, nil
	}
	if err := o.complete; err != nil {
		o.complete = nil
		return nil, err
	}
	if c.Contact == nil || c.Method == nil || len(c.Lines) == 0 {
		return nil, errs.New(errs.Conflict, "invalid_state", "The cart lacks an address or a shipping method.")
	}
	if req.Method == PayDecline {
		return nil, orders.ErrPaymentDeclined
	}
	if made := o.orders[c.OrderID]; made != nil && made.Payments[len(made.Payments)-1].Status == unknown {
		return nil, orders.ErrPaymentInProgress
	}
	placed := o.place(c, req)
	o.keys[req.IdempotencyKey] = placed
	return placed, nil
}

// place pays the order of a cart, and makes it when there is none or the cart has changed since.
func (o *Orders) place(c *cart, req orders.CompleteRequest) *orders.Placed {
	found := o.orders[c.OrderID]
	if found == nil || found.CartVersion != c.Version {
		found = o.newOrder(c)
	}
	payment := orders.Payment{
		ID: id.New("pay"), Provider: req.Provider, Method: req.Method, Status: captured, Amount: found.Totals.Total,
		Captured: found.Totals.Total, Refunded: zero(found.Currency), CreatedAt: o.now(),
	}
	switch req.Method {
	case PayAction:
		payment.Status, payment.Captured = requiresAction, zero(found.Currency)
	case PayTimeout:
		payment.Status, payment.Captured = unknown, zero(found.Currency)
	}
	found.Payments = append(found.Payments, payment)
	if payment.Status == captured {
		o.paid(found)
	}
	return &orders.Placed{Order: copyOrder(found), Secret: found.secret, Payment: payment}
}

func (o *Orders) newOrder(c *cart) *order {
	o.number++
	out := &order{secret: "os_" + crypto.RandomToken(24), Order: orders.Order{
		ID: orders.ID(id.New("ord")), Number: o.number, CartID: c.ID, CartVersion: c.Version, CustomerID: c.CustomerID, Status: orders.PendingPayment, Currency: c.Currency,
		Totals: c.Totals, Contact: *c.Contact, Method: *c.Method, Promotions: c.Promotions, PlacedAt: o.now(), Version: 1,
		Refunded: zero(c.Currency), Credited: zero(c.Currency), ShippingRefunded: zero(c.Currency),
	}}
	for i, l := range c.Lines {
		tax := zero(c.Currency)
		if i == 0 {
			tax = c.Totals.Tax // on top of the price, and part of the line's total
		}
		out.Lines = append(out.Lines, orders.Line{
			ID: l.ID, VariantID: l.VariantID, SKU: l.SKU, ProductID: l.ProductID, Slug: l.Slug, Title: l.Title, Options: l.Options, Image: l.Image,
			Quantity: l.Quantity, UnitPrice: l.UnitPrice, Discount: l.Discount, Tax: tax, Total: l.Total.Add(tax),
		})
	}
	c.OrderID = out.ID
	o.orders[out.ID] = out
	return out
}

func (o *Orders) paid(found *order) {
	now := o.now()
	found.Status, found.PaidAt = orders.Paid, &now
	found.History = append(found.History, orders.HistoryEntry{At: now, Kind: "paid", Actor: "system"})
}

func copyOrder(o *order) *orders.Order {
	out := o.Order
	out.Payments, out.History = slices.Clone(o.Payments), slices.Clone(o.History)
	return &out
}

// openOrder finds an order that access opens.
func (o *Orders) openOrder(orderID orders.ID, a orders.Access) (*order, error) {
	if err := o.failing(); err != nil {
		return nil, err
	}
	found := o.orders[orderID]
	if found == nil {
		return nil, errs.ErrNotFound
	}
	mine := found.CustomerID != "" && a.CustomerID == found.CustomerID
	if !mine && a.OrderSecret != found.secret && (a.CartToken == "" || o.carts[found.CartID].token != a.CartToken) {
		return nil, errs.ErrNotFound
	}
	return found, nil
}

// Order implements storefront.Orders.
func (o *Orders) Order(_ context.Context, orderID orders.ID, a orders.Access) (*orders.Order, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found, err := o.openOrder(orderID, a)
	if err != nil {
		return nil, err
	}
	return copyOrder(found), nil
}

// Secret implements storefront.Orders.
func (o *Orders) Secret(orderID orders.ID) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.orders[orderID].secret
}

// CustomerOrders implements storefront.Orders.
func (o *Orders) CustomerOrders(_ context.Context, customerID, after string, limit int) ([]orders.Summary, string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.failing(); err != nil {
		return nil, "", err
	}
	var list []orders.Summary
	for _, found := range o.orders {
		if found.CustomerID == customerID {
			list = append(list, orders.Summary{
				ID: found.ID, Number: found.Number, Status: found.Status, Total: found.Totals.Total, Pieces: found.Pieces(),
				PlacedAt: found.PlacedAt, Image: found.Lines[0].Image,
			})
		}
	}
	slices.SortFunc(list, func(a, b orders.Summary) int { return cmp.Compare(b.Number, a.Number) })
	page, next := cut(list, after, limit)
	return page, next, nil
}

// Cancel implements storefront.Orders.
func (o *Orders) Cancel(_ context.Context, orderID orders.ID, a orders.Access, reason string) (*orders.Order, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found, err := o.openOrder(orderID, a)
	if err != nil {
		return nil, err
	}
	if !found.Status.May(orders.Cancelled) {
		return nil, errs.New(errs.Conflict, "invalid_state", "The order is not in a state that allows this.")
	}
	found.Status = orders.Cancelled
	found.History = append(found.History, orders.HistoryEntry{At: o.now(), Kind: "cancelled", Actor: "customer", Detail: reason})
	for i := range found.Payments {
		if p := &found.Payments[i]; p.Status == captured {
			p.Status, p.Refunded = refunded, p.Captured
		}
	}
	return copyOrder(found), nil
}

// RefreshPayment implements storefront.Orders: nothing is new.
func (o *Orders) RefreshPayment(ctx context.Context, id orders.ID, a orders.Access) (*orders.Order, error) {
	return o.Order(ctx, id, a)
}

// ConfirmTestPayment implements storefront.Orders.
func (o *Orders) ConfirmTestPayment(_ context.Context, paymentID string, a orders.Access, approve bool) (*orders.Order, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, candidate := range o.orders {
		i := slices.IndexFunc(candidate.Payments, func(p orders.Payment) bool { return p.ID == paymentID && p.Status == requiresAction })
		if i < 0 {
			continue
		}
		found, err := o.openOrder(candidate.ID, a)
		if err != nil {
			return nil, err
		}
		p := &found.Payments[i]
		p.Status = declined
		if approve {
			p.Status, p.Captured = captured, money.New(p.Amount.Minor, p.Amount.Currency)
			o.paid(found)
		}
		return copyOrder(found), nil
	}
	return nil, errs.ErrNotFound
}
