package storefront

import (
	"context"
	"time"

	"shopd/internal/catalog"
	"shopd/internal/orders"
	"shopd/internal/platform/httpx"
	"shopd/internal/recs"
	"shopd/internal/users"
)

// Catalog is what the pages read about products. Every method answers errs.ErrNotFound for what shoppers may not see.
type Catalog interface {
	// Product finds a product by id or slug.
	Product(ctx context.Context, ref string) (*catalog.Product, error)
	// List pages through products without the search engine, and so without facets.
	List(ctx context.Context, q catalog.ListQuery) (items []catalog.ListItem, next string, err error)
	// Search fails with errs.Unavailable while the search engine does not answer.
	Search(ctx context.Context, q catalog.SearchQuery) (*catalog.SearchResult, error)
	Suggest(ctx context.Context, q string) (*catalog.Suggestions, error)
	// Categories is the whole tree.
	Categories(ctx context.Context) ([]catalog.Category, error)
	// Category finds a category by id or slug.
	Category(ctx context.Context, ref string) (*catalog.Category, error)
	Reviews(ctx context.Context, product catalog.ProductID, after string, limit int) (reviews []catalog.Review, next string, err error)
	// SitemapSlugs pages through the slugs of all products that may be shown.
	SitemapSlugs(ctx context.Context, after string, limit int) (entries []catalog.SitemapEntry, next string, err error)
}

// Recs says what goes with some products. Pages do without it when it fails.
type Recs interface {
	Recommend(ctx context.Context, req recs.Request) (recs.Recommended, error)
}

// Orders is what the cart, checkout and order pages do. Access carries what the shopper can show for being allowed;
// what is not theirs is errs.ErrNotFound.
type Orders interface {
	CreateCart(ctx context.Context, cart orders.NewCart) (created *orders.Cart, token string, err error)
	Cart(ctx context.Context, id orders.CartID, access orders.Access) (*orders.Cart, error)
	AddLine(ctx context.Context, id orders.CartID, access orders.Access, line orders.AddLine) (*orders.Cart, error)
	SetQuantity(ctx context.Context, id orders.CartID, access orders.Access, lineID string, quantity int) (*orders.Cart, error)
	RemoveLine(ctx context.Context, id orders.CartID, access orders.Access, lineID string) (*orders.Cart, error)
	SetContact(ctx context.Context, id orders.CartID, access orders.Access, contact orders.Contact) (*orders.Cart, error)
	ShippingMethods(ctx context.Context, id orders.CartID, access orders.Access) ([]orders.ShippingMethod, error)
	SetShippingMethod(ctx context.Context, id orders.CartID, access orders.Access, methodID string) (*orders.Cart, error)
	// ApplyCoupon fails with orders.ErrCouponInvalid or ErrCouponExhausted for a code that takes nothing off.
	ApplyCoupon(ctx context.Context, id orders.CartID, access orders.Access, code string) (*orders.Cart, error)
	RemoveCoupon(ctx context.Context, id orders.CartID, access orders.Access, code string) (*orders.Cart, error)
	// AcceptPrices takes today's prices over into the cart, after Complete failed with orders.ErrPriceChanged.
	AcceptPrices(ctx context.Context, id orders.CartID, access orders.Access) (*orders.Cart, error)
	// Complete places the order. It fails with orders.ErrOutOfStock, ErrPriceChanged, ErrCartChanged,
	// ErrPaymentDeclined or ErrPaymentUnavailable; with the same key again it answers the same.
	Complete(ctx context.Context, req orders.CompleteRequest) (*orders.Placed, error)
	Order(ctx context.Context, id orders.ID, access orders.Access) (*orders.Order, error)
	// Secret opens an order to whoever placed it. The caller has made sure that it is them.
	Secret(id orders.ID) string
	CustomerOrders(ctx context.Context, customerID, after string, limit int) (list []orders.Summary, next string, err error)
	Cancel(ctx context.Context, id orders.ID, access orders.Access, reason string) (*orders.Order, error)
	// RefreshPayment asks the gateway what became of an order's payment.
	RefreshPayment(ctx context.Context, id orders.ID, access orders.Access) (*orders.Order, error)
	// Timeline is everything that happened to an order, oldest first.
	Timeline(ctx context.Context, id orders.ID, access orders.Access) ([]orders.TimelineEntry, error)
	// ReturnBy is until when goods of the order may be given back; zero for none.
	ReturnBy(order *orders.Order) time.Time
	// RequestReturn asks to give goods back; with the same key again it asks nothing more.
	RequestReturn(ctx context.Context, id orders.ID, access orders.Access, req orders.ReturnRequest) (*orders.Order, error)
	CancelReturn(ctx context.Context, id orders.ID, returnID string, access orders.Access) (*orders.Order, error)
	// PayOrder pays an order that waits for its money. It fails as Complete does.
	PayOrder(ctx context.Context, req orders.PayRequest) (*orders.Placed, error)
	// DocumentPDF is an invoice or a credit note; "invoice" is the order's invoice.
	DocumentPDF(ctx context.Context, id orders.ID, access orders.Access, documentID string) (*orders.PDF, error)
	// ConfirmTestPayment is what the bank's page of the test gateway does.
	ConfirmTestPayment(ctx context.Context, paymentID string, access orders.Access, approve bool) (*orders.Order, error)
	// PaymentMethods are the ways to pay that are set up, in the order to offer them.
	PaymentMethods() []orders.PaymentMethod
}

// Users is what the account pages do.
type Users interface {
	// Register answers nil for an address that has an account already, too: its owner gets a mail.
	Register(ctx context.Context, r users.Registration) error
	Login(ctx context.Context, email, password string) (users.Tokens, users.Customer, error)
	// Refresh trades a refresh token for new tokens; errs.Unauthenticated when it does not hold any more.
	Refresh(ctx context.Context, refreshToken string) (users.Tokens, error)
	Logout(ctx context.Context, sessionID string) error
	// Authenticate says whose access token it is; errs.Unauthenticated when it does not hold any more.
	Authenticate(ctx context.Context, bearer string) (httpx.Principal, error)
	Customer(ctx context.Context, id users.CustomerID) (users.Customer, error)
	// Addresses lists a customer's addresses, the one to use first.
	Addresses(ctx context.Context, customer users.CustomerID) ([]users.Address, error)
	AddAddress(ctx context.Context, customer users.CustomerID, address users.PostalAddress, makeDefault bool) (users.Address, error)
	UpdateAddress(ctx context.Context, customer users.CustomerID, id users.AddressID, address users.PostalAddress, makeDefault bool) (users.Address, error)
	DeleteAddress(ctx context.Context, customer users.CustomerID, id users.AddressID) error
	RequestPasswordReset(ctx context.Context, email string) error
	// ResetPassword sets the password that goes with the token of a mailed link.
	ResetPassword(ctx context.Context, token, password string) error
	// VerifyEmail and ConfirmEmailChange use up the token of a mailed link.
	VerifyEmail(ctx context.Context, token string) error
	ConfirmEmailChange(ctx context.Context, token string) error
}
