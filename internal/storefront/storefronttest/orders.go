package storefronttest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"shopd/internal/catalog"
	"shopd/internal/money"
	"shopd/internal/orders"
	"shopd/internal/platform/crypto"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
)

// Ways to pay of the test gateway.
const (
	PayOK      = "test_ok"
	PayDecline = "test_declined"
	PayAction  = "test_requires_action"
	PayTimeout = "test_timeout"
)

// Orders keeps carts and orders in memory.
type Orders struct {
	failure
	now     func() time.Time
	catalog *catalogData

	mu     sync.Mutex
	carts  map[orders.CartID]*cart
	orders map[orders.ID]*order
	keys   map[string]*orders.Placed
	number int64
	// complete is what Complete fails with next, once.
	complete error
}

type cart struct {
	orders.Cart
	token string
}

type order struct {
	orders.Order
	secret string
}

func newOrders(catalog *catalogData, now func() time.Time) *Orders {
	return &Orders{
		now: now, catalog: catalog, number: 1000, carts: map[orders.CartID]*cart{}, orders: map[orders.ID]*order{}, keys: map[string]*orders.Placed{},
	}
}

// FailNextOrder makes the next order be refused with err.
func (o *Orders) FailNextOrder(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.complete = err
}

// Advance moves an order on, as staff would.
func (o *Orders) Advance(orderID orders.ID, status orders.Status, kind string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found := o.orders[orderID]
	found.Status = status
	found.History = append(found.History, orders.HistoryEntry{At: o.now(), Kind: kind, Actor: "staff"})
}

// CreateCart implements storefront.Orders.
func (o *Orders) CreateCart(_ context.Context, n orders.NewCart) (*orders.Cart, string, error) {
	if err := o.failing(); err != nil {
		return nil, "", err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	c := &cart{token: "ct_" + crypto.RandomToken(24), Cart: orders.Cart{
		ID: orders.CartID(id.New("cart")), CustomerID: n.CustomerID, Currency: n.Currency, Country: n.Country, CreatedAt: o.now(),
	}}
	total(&c.Cart)
	o.carts[c.ID] = c
	return copyCart(c), c.token, nil
}

func copyCart(c *cart) *orders.Cart {
	out := c.Cart
	out.Lines = slices.Clone(c.Lines)
	return &out
}

func total(c *orders.Cart) {
	t := orders.Totals{
		Subtotal: zero(c.Currency), Discount: zero(c.Currency), Shipping: zero(c.Currency), Tax: zero(c.Currency), TaxIncluded: zero(c.Currency),
	}
	for i := range c.Lines {
		l := &c.Lines[i]
		full := l.UnitPrice.Times(int64(l.Quantity))
		l.Discount = zero(c.Currency)
		if len(c.Coupons) > 0 {
			l.Discount = full.Share(1, 10)
		}
		l.Total = full.Sub(l.Discount)
		t.Subtotal, t.Discount = t.Subtotal.Add(full), t.Discount.Add(l.Discount)
	}
	c.Promotions = nil
	if !t.Discount.IsZero() {
		c.Promotions = []orders.AppliedPromotion{{Title: "A tenth less", Code: Coupon, Discount: t.Discount, Shipping: zero(c.Currency)}}
	}
	if c.Method != nil {
		t.Shipping = c.Method.Price
	}
	if _, region := c.ShipTo(); region == "CA" {
		t.Tax = t.Subtotal.Share(725, 10_000)
	}
	t.Total = t.Subtotal.Sub(t.Discount).Add(t.Shipping).Add(t.Tax)
	c.Totals = t
	c.Version++
}

// open finds a cart that access opens.
func (o *Orders) open(cartID orders.CartID, a orders.Access) (*cart, error) {
	if err := o.failing(); err != nil {
		return nil, err
	}
	c := o.carts[cartID]
	if c == nil || a.CartToken != c.token && (c.CustomerID == "" || a.CustomerID != c.CustomerID) {
		return nil, errs.ErrNotFound
	}
	return c, nil
}

// change lets edit change a cart that has not been ordered.
func (o *Orders) change(cartID orders.CartID, a orders.Access, edit func(*orders.Cart) error) (*orders.Cart, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c, err := o.open(cartID, a)
	if err != nil {
		return nil, err
	}
	if made := o.orders[c.OrderID]; made != nil && made.PaidAt != nil {
		return nil, orders.ErrCartClosed
	}
	if err := edit(&c.Cart); err != nil {
		return nil, err
	}
	total(&c.Cart)
	return copyCart(c), nil
}

// Cart implements storefront.Orders.
func (o *Orders) Cart(_ context.Context, cartID orders.CartID, a orders.Access) (*orders.Cart, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c, err := o.open(cartID, a)
	if err != nil {
		return nil, err
	}
	return copyCart(c), nil
}

// AddLine implements storefront.Orders.
func (o *Orders) AddLine(_ context.Context, cartID orders.CartID, a orders.Access, add orders.AddLine) (*orders.Cart, error) {
	return o.change(cartID, a, func(c *orders.Cart) error {
		p := o.catalog.variants[catalog.VariantID(add.VariantID)]
		if p == nil {
			return errs.New(errs.Invalid, "not_purchasable", "This article cannot be bought.")
		}
		v := p.Variants[slices.IndexFunc(p.Variants, func(v catalog.Variant) bool { return string(v.ID) == add.VariantID })]
		if !v.Availability.InStock || v.Availability.Quantity != nil && *v.Availability.Quantity < add.Quantity {
			return orders.ErrOutOfStock
		}
		for i := range c.Lines {
			if c.Lines[i].VariantID == add.VariantID {
				c.Lines[i].Quantity += add.Quantity
				return nil
			}
		}
		line := orders.CartLine{
			ID: id.New("line"), VariantID: add.VariantID, SKU: v.SKU, ProductID: string(p.ID), Slug: p.Slug, Title: p.Title, Options: v.Options,
			Quantity: add.Quantity, UnitPrice: v.Price, Discount: zero(c.Currency),
		}
		if len(p.Images) > 0 {
			line.Image = p.Images[0].URL
		}
		if v.Image != nil {
			line.Image = v.Image.URL
		}
		c.Lines = append(c.Lines, line)
		return nil
	})
}

// SetQuantity implements storefront.Orders.
func (o *Orders) SetQuantity(_ context.Context, cartID orders.CartID, a orders.Access, lineID string, quantity int) (*orders.Cart, error) {
	return o.change(cartID, a, func(c *orders.Cart) error {
		for i := range c.Lines {
			if c.Lines[i].ID == lineID {
				c.Lines[i].Quantity = quantity
				return nil
			}
		}
		return errs.ErrNotFound
	})
}

// RemoveLine implements storefront.Orders.
func (o *Orders) RemoveLine(_ context.Context, cartID orders.CartID, a orders.Access, lineID string) (*orders.Cart, error) {
	return o.change(cartID, a, func(c *orders.Cart) error {
		c.Lines = slices.DeleteFunc(c.Lines, func(l orders.CartLine) bool { return l.ID == lineID })
		return nil
	})
}

// SetContact implements storefront.Orders. It refuses the postal code "00000", as an example of what only the domain
// finds wrong.
func (o *Orders) SetContact(_ context.Context, cartID orders.CartID, a orders.Access, contact orders.Contact) (*orders.Cart, error) {
	return o.change(cartID, a, func(c *orders.Cart) error {
		if contact.Shipping.PostalCode == "00000" {
			return errs.Validation(errs.Field{Pointer: "/shipping/postal_code", Code: "invalid_postal_code", Detail: "There is no such postal code."})
		}
		c.Contact = &contact
		return nil
	})
}

// ShippingMethods implements storefront.Orders. Nothing goes to Antarctica.
func (o *Orders) ShippingMethods(ctx context.Context, cartID orders.CartID, a orders.Access) ([]orders.ShippingMethod, error) {
	c, err := o.Cart(ctx, cartID, a)
	if err != nil {
		return nil, err
	}
	if country, _ := c.ShipTo(); country == "AQ" {
		return nil, nil
	}
	return []orders.ShippingMethod{
		{ID: "standard", Name: "Standard", Price: money.New(495, c.Currency), Estimate: "2–4 working days"},
		{ID: "express", Name: "Express", Price: money.New(1490, c.Currency), Estimate: "Next working day"},
		{ID: "pickup", Name: "Pick up in the shop", Price: zero(c.Currency), Estimate: "From tomorrow"},
	}, nil
}

// SetShippingMethod implements storefront.Orders.
func (o *Orders) SetShippingMethod(ctx context.Context, cartID orders.CartID, a orders.Access, methodID string) (*orders.Cart, error) {
	methods, err := o.ShippingMethods(ctx, cartID, a)
	if err != nil {
		return nil, err
	}
	return o.change(cartID, a, func(c *orders.Cart) error {
		i := slices.IndexFunc(methods, func(m orders.ShippingMethod) bool { return m.ID == methodID })
		if i < 0 {
			return errs.New(errs.Invalid, "unknown_shipping_method", "This shipping method is not offered for the cart.")
		}
		c.Method = &methods[i]
		return nil
	})
}

// Coupon is a code that takes a tenth off; any other is not valid.
const Coupon = "TENTH"

// ApplyCoupon implements storefront.Orders.
func (o *Orders) ApplyCoupon(_ context.Context, cartID orders.CartID, a orders.Access, code string) (*orders.Cart, error) {
	return o.change(cartID, a, func(c *orders.Cart) error {
		if !strings.EqualFold(code, Coupon) || len(c.Coupons) > 0 {
			return orders.ErrCouponInvalid
		}
		c.Coupons = []orders.Coupon{{Code: Coupon, Title: "A tenth less", Applied: true}}
		return nil
	})
}

// RemoveCoupon implements storefront.Orders.
func (o *Orders) RemoveCoupon(_ context.Context, cartID orders.CartID, a orders.Access, _ string) (*orders.Cart, error) {
	return o.change(cartID, a, func(c *orders.Cart) error {
		c.Coupons = nil
		return nil
	})
}

// AcceptPrices implements storefront.Orders.
func (o *Orders) AcceptPrices(_ context.Context, cartID orders.CartID, a orders.Access) (*orders.Cart, error) {
	return o.change(cartID, a, func(*orders.Cart) error { return nil })
}

// PaymentMethods implements storefront.Orders.
func (o *Orders) PaymentMethods() []orders.PaymentMethod {
	return []orders.PaymentMethod{
		{Provider: "test", Method: PayOK, Label: "Test card that works", Hint: "The payment succeeds at once"},
		{Provider: "test", Method: PayDecline, Label: "Test card that is declined", Hint: "The bank says no"},
		{Provider: "test", Method: PayAction, Label: "Test card that asks back", Hint: "The bank wants a confirmation"},
		{Provider: "test", Method: PayTimeout, Label: "Test card that times out", Hint: "Charged, but the answer is lost"},
	}
}
