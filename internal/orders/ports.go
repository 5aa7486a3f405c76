package orders

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/money"
)

// Catalog says what can be bought.
type Catalog interface {
	// Articles returns the variants with the given ids or SKUs; those that do not exist are left out.
	Articles(ctx context.Context, refs []string) ([]Article, error)
	// CategoryPath returns the ids of a category and of all above it.
	CategoryPath(ctx context.Context, categoryID string) ([]string, error)
}

// Article is a variant as the cart needs it.
type Article struct {
	VariantID   string
	SKU         string
	ProductID   string
	Slug        string
	Title       string
	Options     map[string]string
	Image       string
	Purchasable bool
	CategoryID  string // empty without one
}

// Pricing says what things cost.
type Pricing interface {
	// Show returns prices that may be a moment old.
	Show(ctx context.Context, currency money.Currency, variantIDs []string) (map[string]Price, error)
	// Charge returns the prices that hold now.
	Charge(ctx context.Context, currency money.Currency, variantIDs []string) (map[string]Price, error)
	Tax(ctx context.Context, r TaxRequest) (Tax, error)
	// Rate is the rate of the tax on goods that go there, in millionths.
	Rate(ctx context.Context, country, region string) (int64, error)
}

// Price is what a variant costs.
type Price struct {
	Amount  money.Amount
	Version int64
}

// TaxRequest asks for the tax of a purchase; amounts are after discounts.
type TaxRequest struct {
	Currency money.Currency
	Country  string
	Region   string
	Lines    []money.Amount
	Shipping money.Amount
}

// Tax is what comes on top of each line, and what is contained in all prices together.
type Tax struct {
	Lines    []money.Amount
	Included money.Amount
}

// PromotionRedeemer says what promotions take off, and counts how often they are used.
type PromotionRedeemer interface {
	// CouponCode brings what a shopper typed to the form that codes have; ok is false for what cannot be one.
	CouponCode(text string) (code string, ok bool)
	// Discounts says what promotions take off. It grants nothing.
	Discounts(ctx context.Context, r DiscountRequest) (Discounts, error)
	// Redeem counts a use of each for the order, of all or of none: then it returns ErrCouponExhausted. Repeating it is
	// harmless.
	Redeem(ctx context.Context, orderID string, claims []Claim, customerID string, mail [][]byte, ttl time.Duration) error
	// Release gives the uses of orders back, each once however often it is called.
	Release(ctx context.Context, orderIDs ...string) error
	// Confirm keeps the uses of paid orders, Prolong those of orders that wait.
	Confirm(ctx context.Context, orderIDs ...string) error
	Prolong(ctx context.Context, ttl time.Duration, orderIDs ...string) error
	// ExpiredClaims returns orders whose claims have ended and were neither confirmed nor given back yet.
	ExpiredClaims(ctx context.Context, limit int) ([]string, error)
}

// DiscountRequest asks what promotions take off a purchase.
type DiscountRequest struct {
	Currency       money.Currency
	Lines          []DiscountLine
	Shipping       money.Amount
	ShippingMethod string
	Codes          []string
	CustomerID     string   // empty for a guest
	Mail           [][]byte // blind indexes of the mail address; none while it is not known
	OrderID        string   // of the order that the cart became and that a new one replaces; empty without one
	FirstOrder     *bool    // nil when nobody asked yet
}

// DiscountLine is a line of the purchase.
type DiscountLine struct {
	VariantID  string
	ProductID  string
	Categories []string
	Quantity   int
	UnitPrice  money.Amount
}

// Discounts are what promotions take off.
type Discounts struct {
	Lines           []money.Amount // of each line
	Applied         []Discount
	Refused         []RefusedCoupon // codes that do nothing
	NeedsFirstOrder bool            // ask again with FirstOrder
}

// Discount is a promotion that counts; each use of a limited one has to be claimed.
type Discount struct {
	AppliedPromotion
	Limited bool
}

// RefusedCoupon is a code that does nothing.
type RefusedCoupon struct {
	Code   string
	Title  string
	Reason string
}

// Claim is one use of a promotion with a limit.
type Claim struct {
	PromotionID string
	Code        string
}

// StockReserver grants stock to orders.
type StockReserver interface {
	// Available may be a moment old.
	Available(ctx context.Context, skus []string) (map[string]int64, error)
	// Reserve promises all articles to the order or returns ErrOutOfStock. Repeating it is harmless.
	Reserve(ctx context.Context, orderID string, pieces map[string]int64, ttl time.Duration) error
	// Extend keeps a reservation; held is false when there is none any more.
	Extend(ctx context.Context, orderID string, ttl time.Duration) (held bool, err error)
	Release(ctx context.Context, orderID, reason string) error
	// ExpiredHolds returns orders whose reservation has ended and was not given back yet.
	ExpiredHolds(ctx context.Context, limit int) ([]string, error)
}

// PaymentTaker takes the money of orders and gives it back.
type PaymentTaker interface {
	// Offers says whether the shop can be paid this way.
	Offers(provider, method string) bool
	// Pay answers with the payment, also a declined one or one whose outcome is not known.
	Pay(ctx context.Context, orderID string, amount money.Amount, provider, method, returnURL string) (Payment, error)
	// ByOrders returns payments with the oldest first.
	ByOrders(ctx context.Context, orderIDs ...string) (map[string][]Payment, error)
	// OrderOf returns the order a payment belongs to.
	OrderOf(ctx context.Context, paymentID string) (orderID string, err error)
	ConfirmTest(ctx context.Context, paymentID string, approve bool) (Payment, error)
	// Capture takes amount of what was authorised and lets go of the rest; all of it when amount is nothing.
	Capture(ctx context.Context, paymentID string, amount money.Amount) (Payment, error)
	// Refresh asks the gateway about a payment that is not ended, and returns where it stands.
	Refresh(ctx context.Context, paymentID string) (Payment, error)
	// Void ends a payment that took nothing.
	Void(ctx context.Context, paymentID string) error
	// Refund gives all that a payment took back; repeating it under one refund id is harmless.
	Refund(ctx context.Context, paymentID, refundID string, amount money.Amount, reason string) error
}

// PersonalData seals what is personal under a key of the person it belongs to: forgetting the key erases all of it,
// wherever copies are.
type PersonalData interface {
	// Seal makes a key for a person who has none.
	Seal(ctx context.Context, subject string, plain, associated []byte) ([]byte, error)
	// OpenAll returns nil for what belonged to somebody who has been forgotten.
	OpenAll(ctx context.Context, list []Sealed) ([][]byte, error)
	Forget(ctx context.Context, subjects ...string) error
}

// Sealed is what Seal gave for a person and a place.
type Sealed struct {
	Subject        string
	Bytes          []byte
	AssociatedData []byte
}

// Sealer finds what is personal without reading it, and opens what was sealed before people had keys of their own.
type Sealer interface {
	Open(sealed, associated []byte) ([]byte, error)
	// BlindIndex is the same for the same value and tells nothing about it.
	BlindIndex(value string) []byte
	// BlindIndexes are those of all keys in use, the newest first.
	BlindIndexes(value string) [][]byte
}

// Mailer queues mails to shoppers, inside the transaction of what they tell about.
type Mailer interface {
	// Enqueue has each letter written by WriteMail and sent once tx has committed, one mail for each key.
	Enqueue(ctx context.Context, tx pgx.Tx, letters []Letter) error
}

// Mail is a message to a shopper.
type Mail struct {
	To      string
	Subject string
	Text    string
	HTML    string
}
