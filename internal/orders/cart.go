package orders

import (
	"time"

	"shopd/internal/money"
	"shopd/internal/platform/id"
)

// CartID identifies a cart, "cart_…".
type CartID string

// valid spares the database questions about what cannot be a cart.
func (c CartID) valid() bool { return id.Valid("cart", string(c)) }

// Address is where goods or the invoice go. Country is ISO 3166-1 alpha-2.
type Address struct {
	Name       string `json:"name" minLength:"1" maxLength:"120"`
	Line1      string `json:"line1" minLength:"1" maxLength:"160"`
	Line2      string `json:"line2,omitempty" maxLength:"160"`
	City       string `json:"city" minLength:"1" maxLength:"120"`
	Region     string `json:"region,omitempty" maxLength:"80" doc:"State or province, as its postal code."`
	PostalCode string `json:"postal_code" minLength:"1" maxLength:"20"`
	Country    string `json:"country" pattern:"^[A-Z]{2}$" doc:"ISO 3166-1 alpha-2." example:"DE"`
	Phone      string `json:"phone,omitempty" maxLength:"40"`
}

// Contact is the personal part of a cart or an order. It is sealed at rest.
type Contact struct {
	Email    string   `json:"email"`
	Shipping Address  `json:"shipping"`
	Billing  *Address `json:"billing,omitempty"`
}

// Totals are the sums of a cart or an order: total = subtotal − discount + shipping + tax.
type Totals struct {
	Subtotal    money.Amount `json:"subtotal" doc:"Lines before discounts."`
	Discount    money.Amount `json:"discount" doc:"Of all lines."`
	Shipping    money.Amount `json:"shipping" doc:"After promotions."`
	Tax         money.Amount `json:"tax" doc:"Added on top of the prices; zero where prices include it."`
	TaxIncluded money.Amount `json:"tax_included" doc:"Contained in the prices; zero where tax is added."`
	Total       money.Amount `json:"total"`
}

// CartLine is one variant in a cart with the price it was put in at.
type CartLine struct {
	ID           string            `json:"id"`
	VariantID    string            `json:"variant_id"`
	SKU          string            `json:"sku"`
	ProductID    string            `json:"product_id"`
	Slug         string            `json:"slug"`
	Title        string            `json:"title"`
	Options      map[string]string `json:"options"`
	Image        string            `json:"image,omitempty"`
	Quantity     int               `json:"quantity"`
	UnitPrice    money.Amount      `json:"unit_price"`
	PriceVersion int64             `json:"price_version"`
	Discount     money.Amount      `json:"discount"`
	Total        money.Amount      `json:"total" doc:"unit_price × quantity − discount."`
	Categories   []string          `json:"category_ids,omitempty" doc:"Its category and all above it."`
}

// ShippingMethod is a way to send an order.
type ShippingMethod struct {
	ID       string       `json:"id"`
	Name     string       `json:"name"`
	Price    money.Amount `json:"price"`
	Estimate string       `json:"estimate,omitempty" example:"2–4 working days"`
}

// Cart is what a shopper is about to order.
type Cart struct {
	ID         CartID
	CustomerID string // empty for a guest
	Currency   money.Currency
	Country    string // where the shopper says they are, until an address tells
	Lines      []CartLine
	Contact    *Contact
	Method     *ShippingMethod
	Coupons    []Coupon
	Promotions []AppliedPromotion
	Totals     Totals
	OrderID    ID // of the order that was made from it, empty until then
	Version    int64
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Limits of one cart.
const (
	MaxLines    = 200
	MaxQuantity = 9999
)

// Empty reports whether there is nothing in the cart.
func (c *Cart) Empty() bool { return len(c.Lines) == 0 }

// Pieces counts what is in the cart.
func (c *Cart) Pieces() int {
	n := 0
	for _, l := range c.Lines {
		n += l.Quantity
	}
	return n
}

// ShipTo is the country the order goes to as far as it is known.
func (c *Cart) ShipTo() (country, region string) {
	if c.Contact != nil {
		return c.Contact.Shipping.Country, c.Contact.Shipping.Region
	}
	return c.Country, ""
}
