package orders

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/mail"
	"slices"
	"strings"
	"time"

	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
)

// NewCart is what a cart begins with.
type NewCart struct {
	Currency   money.Currency
	Country    string
	CustomerID string
}

// AddLine puts pieces of a variant, named by id or SKU, into a cart.
type AddLine struct {
	VariantID string
	SKU       string
	Quantity  int
}

// CreateCart begins a cart and returns it with the token that opens it.
func (s *Service) CreateCart(ctx context.Context, n NewCart) (*Cart, string, error) {
	if !n.Currency.Known() {
		return nil, "", ErrCurrency.WithDetail("%q is not a currency.", string(n.Currency))
	}
	if n.Country != "" && !isCountry(n.Country) {
		return nil, "", ErrCountry
	}
	now := s.now()
	zero := money.New(0, n.Currency)
	c := &Cart{
		ID: CartID(id.New("cart")), CustomerID: n.CustomerID, Currency: n.Currency, Country: n.Country, Lines: []CartLine{}, Version: 1,
		Coupons: []Coupon{}, Promotions: []AppliedPromotion{},
		Totals:    Totals{Subtotal: zero, Discount: zero, Shipping: zero, Tax: zero, TaxIncluded: zero, Total: zero},
		CreatedAt: now, UpdatedAt: now,
	}
	secret := make([]byte, 24)
	rand.Read(secret) // never returns an error
	token := "ct_" + base64.RawURLEncoding.EncodeToString(secret)
	if err := insertCart(ctx, s.carts, c, tokenHash(token)); err != nil {
		return nil, "", err
	}
	s.recent.keep(&storedCart{Cart: *c, tokenHash: tokenHash(token)})
	return c, token, nil
}

// Cart returns a cart, errs.ErrNotFound when access does not open it.
func (s *Service) Cart(ctx context.Context, id CartID, a Access) (*Cart, error) {
	c, err := s.openCart(ctx, id, a)
	if err != nil {
		return nil, err
	}
	return &c.Cart, nil
}

func (s *Service) openCart(ctx context.Context, id CartID, a Access) (*storedCart, error) {
	c, err := s.loadCart(ctx, s.carts, id)
	if err != nil {
		return nil, err
	}
	if !a.opensCart(c) {
		return nil, errs.ErrNotFound
	}
	return c, nil
}

// cartAttempts is how often a change is done again on what somebody else wrote in between.
const cartAttempts = 4

// change reads the cart, lets edit change it, prices it anew and writes it back.
func (s *Service) change(ctx context.Context, id CartID, a Access, edit func(*storedCart) error) (*Cart, error) {
	if c, known := s.recent.take(id); known && s.revise(ctx, c, a, edit) == nil {
		return &c.Cart, nil
	}
	for attempt := 1; ; attempt++ {
		c, err := s.loadCart(ctx, s.carts, id)
		if err != nil {
			return nil, err
		}
		err = s.revise(ctx, c, a, edit)
		if err == nil {
			return &c.Cart, nil
		}
		if !errors.Is(err, errStaleCart) || attempt == cartAttempts {
			return nil, err
		}
	}
}

// revise makes one attempt to change c.
func (s *Service) revise(ctx context.Context, c *storedCart, a Access, edit func(*storedCart) error) error {
	if !a.opensCart(c) {
		return errs.ErrNotFound
	}
	if err := s.mayChange(ctx, c); err != nil {
		return err
	}
	if a.CustomerID != "" && c.CustomerID == "" {
		if err := s.takeAlong(ctx, c, a.CustomerID); err != nil {
			return err
		}
	}
	if err := edit(c); err != nil {
		return err
	}
	if err := s.total(ctx, &c.Cart); err != nil {
		return err
	}
	if err := s.saveCart(ctx, s.carts, c, s.now()); err != nil {
		return err
	}
	s.recent.keep(c)
	return nil
}

// takeAlong gives the cart of a guest to the customer who signed in, with what is personal in it.
func (s *Service) takeAlong(ctx context.Context, c *storedCart, customerID string) (err error) {
	c.CustomerID = customerID
	if c.Contact != nil {
		c.sealed, err = s.sealContact(ctx, c.subject(), c.ID, *c.Contact)
	}
	return err
}

// mayChange refuses a cart that has become an order, unless that order was cancelled or still waits to be paid.
func (s *Service) mayChange(ctx context.Context, c *storedCart) error {
	if c.OrderID == "" {
		return nil
	}
	status, err := s.liveStatus(ctx, c.ID)
	if err == nil && status != "" && status != PendingPayment {
		return ErrCartClosed
	}
	return err
}

// AddLine puts an article into the cart. What is in it already grows. The quantity may not exceed what is
// available; that is checked again, and granted, when the cart is completed.
func (s *Service) AddLine(ctx context.Context, id CartID, a Access, add AddLine) (*Cart, error) {
	if add.Quantity < 1 || add.Quantity > MaxQuantity {
		return nil, ErrQuantity
	}
	ref := add.VariantID
	if ref == "" {
		ref = add.SKU
	}
	articles, err := s.catalog.Articles(ctx, []string{ref})
	if err != nil {
		return nil, err
	}
	if len(articles) == 0 || !articles[0].Purchasable {
		return nil, ErrNotPurchasable
	}
	article := articles[0]
	categories, err := s.catalog.CategoryPath(ctx, article.CategoryID)
	if err != nil {
		return nil, err
	}
	return s.change(ctx, id, a, func(c *storedCart) error {
		price, err := s.priceOf(ctx, c.Currency, article.VariantID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(c.Lines, func(l CartLine) bool { return l.VariantID == article.VariantID })
		if i < 0 {
			if len(c.Lines) >= MaxLines {
				return ErrCartLimit
			}
			c.Lines = append(c.Lines, newCartLine(article, price))
			i = len(c.Lines) - 1
		}
		line := &c.Lines[i]
		line.UnitPrice, line.PriceVersion, line.Categories = price.Amount, price.Version, categories
		return s.setQuantity(ctx, line, line.Quantity+add.Quantity)
	})
}

func newCartLine(a Article, p Price) CartLine {
	return CartLine{
		ID: id.New("line"), VariantID: a.VariantID, SKU: a.SKU, ProductID: a.ProductID, Slug: a.Slug, Title: a.Title, Options: a.Options,
		Image: a.Image, UnitPrice: p.Amount, PriceVersion: p.Version, Discount: money.New(0, p.Amount.Currency),
	}
}

func (s *Service) priceOf(ctx context.Context, currency money.Currency, variantID string) (Price, error) {
	prices, err := s.pricing.Show(ctx, currency, []string{variantID})
	if err != nil {
		return Price{}, err
	}
	price, ok := prices[variantID]
	if !ok {
		return Price{}, ErrCurrency.WithDetail("This article has no price in %s.", currency)
	}
	return price, nil
}

// setQuantity changes a line if so much is available as far as the cache knows.
func (s *Service) setQuantity(ctx context.Context, line *CartLine, quantity int) error {
	if quantity > MaxQuantity {
		return ErrQuantity
	}
	available, err := s.stock.Available(ctx, []string{line.SKU})
	if err != nil {
		return err
	}
	if have := available[line.SKU]; have < int64(quantity) {
		if have <= 0 {
			return ErrOutOfStock.WithDetail("%s is sold out.", line.Title)
		}
		return ErrOutOfStock.WithDetail("Only %d of %s are left.", have, line.Title)
	}
	line.Quantity = quantity
	return nil
}

// SetQuantity changes how many pieces of a line there are.
func (s *Service) SetQuantity(ctx context.Context, id CartID, a Access, lineID string, quantity int) (*Cart, error) {
	if quantity < 1 || quantity > MaxQuantity {
		return nil, ErrQuantity
	}
	return s.change(ctx, id, a, func(c *storedCart) error {
		i := slices.IndexFunc(c.Lines, func(l CartLine) bool { return l.ID == lineID })
		if i < 0 {
			return errs.ErrNotFound
		}
		return s.setQuantity(ctx, &c.Lines[i], quantity)
	})
}

// RemoveLine takes a line out of the cart.
func (s *Service) RemoveLine(ctx context.Context, id CartID, a Access, lineID string) (*Cart, error) {
	return s.change(ctx, id, a, func(c *storedCart) error {
		before := len(c.Lines)
		c.Lines = slices.DeleteFunc(c.Lines, func(l CartLine) bool { return l.ID == lineID })
		if len(c.Lines) == before {
			return errs.ErrNotFound
		}
		return nil
	})
}

// SetContact says who orders and where it goes.
func (s *Service) SetContact(ctx context.Context, id CartID, a Access, contact Contact) (*Cart, error) {
	if err := contact.check(); err != nil {
		return nil, err
	}
	return s.change(ctx, id, a, func(c *storedCart) (err error) {
		if c.sealed, err = s.sealContact(ctx, c.subject(), c.ID, contact); err != nil {
			return err
		}
		c.Contact, c.Country = &contact, contact.Shipping.Country
		if c.Method == nil {
			return nil
		}
		methods, err := s.offered(ctx, &c.Cart)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(methods, func(m ShippingMethod) bool { return m.ID == c.Method.ID }) {
			c.Method = nil // it does not go to the new country
		}
		return nil
	})
}

// ShippingMethods returns the ways the cart can be sent.
func (s *Service) ShippingMethods(ctx context.Context, id CartID, a Access) ([]ShippingMethod, error) {
	c, err := s.openCart(ctx, id, a)
	if err != nil {
		return nil, err
	}
	return s.offered(ctx, &c.Cart)
}

// SetShippingMethod chooses how the cart is sent.
func (s *Service) SetShippingMethod(ctx context.Context, id CartID, a Access, methodID string) (*Cart, error) {
	return s.change(ctx, id, a, func(c *storedCart) error {
		methods, err := s.offered(ctx, &c.Cart)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(methods, func(m ShippingMethod) bool { return m.ID == methodID })
		if i < 0 {
			return ErrShippingMethod
		}
		c.Method = &methods[i]
		return nil
	})
}

// AcceptPrices takes the prices that hold now into the cart.
func (s *Service) AcceptPrices(ctx context.Context, id CartID, a Access) (*Cart, error) {
	return s.change(ctx, id, a, func(c *storedCart) error {
		prices, err := s.pricing.Charge(ctx, c.Currency, variantsOf(c.Lines))
		if err != nil {
			return err
		}
		c.Lines = slices.DeleteFunc(c.Lines, func(l CartLine) bool { _, ok := prices[l.VariantID]; return !ok })
		for i := range c.Lines {
			p := prices[c.Lines[i].VariantID]
			c.Lines[i].UnitPrice, c.Lines[i].PriceVersion = p.Amount, p.Version
		}
		return nil
	})
}

// methodsTTL is how long a change of the shipping methods may take to be seen by every replica.
const methodsTTL = 10 * time.Second

type timedMethods struct {
	rows []methodRow
	read time.Time
}

// methodRows returns all methods as they were a moment ago.
func (s *Service) methodRows(ctx context.Context) ([]methodRow, error) {
	have := s.methods.Load()
	if have == nil || s.now().Sub(have.read) >= methodsTTL {
		rows, err := shippingMethods(ctx, s.carts)
		if err != nil {
			return nil, err
		}
		have = &timedMethods{rows: rows, read: s.now()}
		s.methods.Store(have)
	}
	return have.rows, nil
}

// offered returns the methods that have a price in the cart's currency and go to its country.
func (s *Service) offered(ctx context.Context, c *Cart) ([]ShippingMethod, error) {
	rows, err := s.methodRows(ctx)
	if err != nil {
		return nil, err
	}
	country, _ := c.ShipTo()
	methods := []ShippingMethod{}
	for _, m := range rows {
		price, ok := m.Prices[string(c.Currency)]
		if !ok || country != "" && len(m.Countries) > 0 && !slices.Contains(m.Countries, country) {
			continue
		}
		methods = append(methods, ShippingMethod{ID: m.ID, Name: m.Name, Estimate: m.Estimate, Price: money.New(price, c.Currency)})
	}
	return methods, nil
}

// total computes the sums of the cart with what promotions take off it now.
func (s *Service) total(ctx context.Context, c *Cart) error {
	d, err := s.discounts(ctx, c)
	if err != nil {
		return err
	}
	c.take(d)
	return s.sum(ctx, c)
}

// sum computes the sums of the cart with the discounts it has. Tax is known once the country is.
func (s *Service) sum(ctx context.Context, c *Cart) error {
	zero := money.New(0, c.Currency)
	t := Totals{Subtotal: zero, Discount: zero, Shipping: zero, Tax: zero, TaxIncluded: zero, Total: zero}
	net := make([]money.Amount, len(c.Lines))
	for i := range c.Lines {
		l := &c.Lines[i]
		full := l.UnitPrice.Times(int64(l.Quantity))
		l.Total = full.Sub(l.Discount)
		net[i] = l.Total
		t.Subtotal, t.Discount = t.Subtotal.Add(full), t.Discount.Add(l.Discount)
	}
	if t.Subtotal.Minor > money.MaxMinor {
		return ErrCartLimit
	}
	t.Shipping = c.shippingCost()
	tax, err := s.taxOf(ctx, c, net)
	if err != nil {
		return err
	}
	for _, l := range tax.Lines {
		t.Tax = t.Tax.Add(l)
	}
	t.TaxIncluded = tax.Included
	t.Total = t.Subtotal.Sub(t.Discount).Add(t.Shipping).Add(t.Tax)
	c.Totals = t
	return nil
}

func (s *Service) taxOf(ctx context.Context, c *Cart, net []money.Amount) (Tax, error) {
	country, region := c.ShipTo()
	return s.pricing.Tax(ctx, TaxRequest{Currency: c.Currency, Country: country, Region: region, Lines: net, Shipping: c.shippingCost()})
}

func variantsOf(lines []CartLine) []string {
	variants := make([]string, len(lines))
	for i, l := range lines {
		variants[i] = l.VariantID
	}
	return variants
}

func isCountry(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

// check refuses what cannot be delivered to, and what looks like a card number.
func (c *Contact) check() error {
	c.Email = strings.TrimSpace(c.Email)
	parsed, err := mail.ParseAddress(c.Email)
	if err != nil || parsed.Address != c.Email || len(c.Email) > 254 || strings.ContainsAny(c.Email, "\r\n") {
		return ErrEmail.WithFields(errs.Field{Pointer: "/email", Code: "invalid_email", Detail: ErrEmail.Detail})
	}
	if err := c.Shipping.check("/shipping"); err != nil {
		return err
	}
	if c.Billing != nil {
		return c.Billing.check("/billing")
	}
	return nil
}

func (a *Address) check(pointer string) error {
	a.Country = strings.ToUpper(strings.TrimSpace(a.Country))
	if !isCountry(a.Country) {
		return ErrCountry.WithFields(errs.Field{Pointer: pointer + "/country", Code: "invalid_country", Detail: ErrCountry.Detail})
	}
	a.Region = strings.ToUpper(strings.TrimSpace(a.Region))
	for _, f := range []struct {
		name     string
		value    *string
		required bool
	}{
		{"name", &a.Name, true}, {"line1", &a.Line1, true}, {"line2", &a.Line2, false}, {"city", &a.City, true},
		{"region", &a.Region, false}, {"postal_code", &a.PostalCode, true}, {"phone", &a.Phone, false},
	} {
		*f.value = strings.TrimSpace(*f.value)
		if f.required && *f.value == "" {
			return errs.Validation(errs.Field{Pointer: pointer + "/" + f.name, Code: "required", Detail: "This is needed."})
		}
		if strings.ContainsFunc(*f.value, func(r rune) bool { return r < ' ' }) {
			return errs.Validation(errs.Field{Pointer: pointer + "/" + f.name, Code: "invalid", Detail: "Control characters are not allowed."})
		}
		if f.name != "phone" && holdsCardNumber(*f.value) {
			return ErrCardData.WithFields(errs.Field{Pointer: pointer + "/" + f.name, Code: "card_data_not_accepted", Detail: ErrCardData.Detail})
		}
	}
	return nil
}

// holdsCardNumber finds 13 to 19 digits, with spaces or dashes between them or not, that pass the Luhn check of
// ISO/IEC 7812.
func holdsCardNumber(s string) bool {
	var digits []byte
	flush := func() bool {
		found := len(digits) >= 13 && len(digits) <= 19 && luhn(digits)
		digits = digits[:0]
		return found
	}
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits = append(digits, byte(r-'0'))
		case r == ' ' || r == '-':
		default:
			if flush() {
				return true
			}
		}
	}
	return flush()
}

func luhn(digits []byte) bool {
	sum := 0
	for i, d := range digits {
		v := int(d)
		if (len(digits)-i)%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}
