package orders

import (
	"context"
	"net/http"
	"time"

	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
)

// RegisterStore adds carts, checkout and a shopper's orders to api.
func RegisterStore(api *httpx.API, s *Service, currency money.Currency) {
	h := storeHandlers{s, currency}
	route := func(id, method, path, summary string, more ...func(*httpx.Route)) httpx.Route {
		r := httpx.Route{ID: id, Method: method, Path: "/api/v1/store" + path, Summary: summary, Tag: "Cart and checkout", Access: httpx.Public(), Errors: []int{404, 409, 422}}
		for _, m := range more {
			m(&r)
		}
		return r
	}
	created := func(r *httpx.Route) { r.Status = http.StatusCreated }
	keyed := func(r *httpx.Route) { r.Key = httpx.KeyRequired }
	answers := func(r *httpx.Route) { r.Errors = []int{400, 402, 404, 409, 412, 422, 503} }
	httpx.Register(api, route("create-cart", http.MethodPost, "/carts", "Begin a cart", created), h.create)
	httpx.Register(api, route("get-cart", http.MethodGet, "/carts/{id}", "Get a cart"), h.cart)
	httpx.Register(api, route("add-line", http.MethodPost, "/carts/{id}/lines", "Put an article into a cart"), h.addLine)
	httpx.Register(api, route("set-line", http.MethodPatch, "/carts/{id}/lines/{line_id}", "Change how many pieces of a line there are"), h.setLine)
	httpx.Register(api, route("remove-line", http.MethodDelete, "/carts/{id}/lines/{line_id}", "Take a line out of a cart"), h.removeLine)
	httpx.Register(api, route("set-address", http.MethodPut, "/carts/{id}/address", "Say who orders and where it goes"), h.address)
	httpx.Register(api, route("list-shipping-methods", http.MethodGet, "/carts/{id}/shipping-method", "List the ways a cart can be sent"), h.shippingMethods)
	httpx.Register(api, route("set-shipping-method", http.MethodPut, "/carts/{id}/shipping-method", "Choose how a cart is sent"), h.setShippingMethod)
	httpx.Register(api, route("apply-coupon", http.MethodPost, "/carts/{id}/promotions", "Put a coupon into a cart"), h.applyCoupon)
	httpx.Register(api, route("remove-coupon", http.MethodDelete, "/carts/{id}/promotions", "Take a coupon out of a cart"), h.removeCoupon)
	httpx.Register(api, route("accept-prices", http.MethodPost, "/carts/{id}/accept-prices", "Take the prices that hold now into a cart"), h.acceptPrices)
	httpx.Register(api, route("complete-cart", http.MethodPost, "/carts/{id}/complete", "Make an order of a cart and pay it", created, keyed, answers), h.complete)
	httpx.Register(api, route("get-order", http.MethodGet, "/orders/{id}", "Get an order"), h.order)
	registerStoreAfterwards(api, h, route)
	httpx.Register(api, route("refresh-payment", http.MethodPost, "/orders/{id}/payment/refresh", "Ask the gateway what became of an order's payment"), h.refresh)
	httpx.Register(api, route("cancel-order", http.MethodPost, "/orders/{id}/cancel", "Cancel an order that was not sent yet"), h.cancel)
	httpx.Register(api, httpx.Route{
		ID: "list-my-orders", Method: http.MethodGet, Path: "/api/v1/store/me/orders", Summary: "List one's orders", Tag: "Account",
		Access: httpx.CustomersOnly(), Errors: []int{422},
	}, h.myOrders)
	httpx.Register(api, route("list-payment-methods", http.MethodGet, "/payment-methods", "List the ways to pay"), h.paymentMethods)
}

type storeHandlers struct {
	*Service
	currency money.Currency
}

// Credentials are what a shopper shows to see a cart or an order. They are exported for huma, which fills them.
type Credentials struct {
	CartToken   string `header:"X-Cart-Token" maxLength:"100" doc:"The token that creating the cart answered."`
	OrderSecret string `header:"X-Order-Secret" maxLength:"100" doc:"The secret that completing the cart answered."`
}

func (c Credentials) access(ctx context.Context) Access {
	return Access{CartToken: c.CartToken, OrderSecret: c.OrderSecret, CustomerID: httpx.PrincipalFrom(ctx).CustomerID()}
}

// GuestKey is what tells guests apart whose requests carry an Idempotency-Key.
func GuestKey(r *http.Request) string {
	return r.Header.Get("X-Cart-Token") + r.Header.Get("X-Order-Secret")
}

// CartPath is the part of an input that names a cart and who asks. It is exported for huma, which fills it.
type CartPath struct {
	Credentials
	ID string `path:"id" maxLength:"60"`
}

// cartBody is a cart on the wire.
type cartBody struct {
	ID              CartID             `json:"id"`
	Token           string             `json:"token,omitempty" doc:"Opens the cart: send it as X-Cart-Token. Told once, when the cart is created."`
	Currency        money.Currency     `json:"currency"`
	Country         string             `json:"country,omitempty"`
	Lines           []CartLine         `json:"lines"`
	Email           string             `json:"email,omitempty"`
	ShippingAddress *Address           `json:"shipping_address,omitempty"`
	BillingAddress  *Address           `json:"billing_address,omitempty"`
	ShippingMethod  *ShippingMethod    `json:"shipping_method,omitempty"`
	Coupons         []Coupon           `json:"coupons" nullable:"false"`
	Promotions      []AppliedPromotion `json:"promotions" nullable:"false" doc:"What takes something off it."`
	Totals          Totals             `json:"totals"`
	OrderID         ID                 `json:"order_id,omitempty" doc:"Of the order that was made from it."`
	Version         int64              `json:"version"`
	CreatedAt       time.Time          `json:"created_at"`
	UpdatedAt       time.Time          `json:"updated_at"`
}

type cartOutput struct {
	ETag string `header:"ETag"`
	Body cartBody
}

func cartAnswer(c *Cart, token string, err error) (*cartOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &cartOutput{ETag: httpx.ETag(c.Version), Body: cartBody{
		ID: c.ID, Token: token, Currency: c.Currency, Country: c.Country, Lines: c.Lines, ShippingMethod: c.Method, Coupons: c.Coupons, Promotions: c.Promotions, Totals: c.Totals, OrderID: c.OrderID,
		Version: c.Version, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}}
	if c.Contact != nil {
		out.Body.Email, out.Body.ShippingAddress, out.Body.BillingAddress = c.Contact.Email, &c.Contact.Shipping, c.Contact.Billing
	}
	return out, nil
}

type createInput struct {
	Body struct {
		Currency money.Currency `json:"currency,omitempty" pattern:"^[A-Z]{3}$" doc:"ISO 4217 code; the shop's own when left out."`
		Country  string         `json:"country,omitempty" pattern:"^[A-Z]{2}$" doc:"ISO 3166-1 alpha-2; where the shopper is."`
	}
}

func (h storeHandlers) create(ctx context.Context, in *createInput) (*cartOutput, error) {
	n := NewCart{Currency: in.Body.Currency, Country: in.Body.Country, CustomerID: httpx.PrincipalFrom(ctx).CustomerID()}
	if n.Currency == "" {
		n.Currency = h.currency
	}
	c, token, err := h.CreateCart(ctx, n)
	return cartAnswer(c, token, err)
}

func (h storeHandlers) cart(ctx context.Context, in *CartPath) (*cartOutput, error) {
	c, err := h.Cart(ctx, CartID(in.ID), in.access(ctx))
	return cartAnswer(c, "", err)
}

type addLineInput struct {
	CartPath
	Body struct {
		VariantID string `json:"variant_id,omitempty" maxLength:"60"`
		SKU       string `json:"sku,omitempty" maxLength:"100"`
		Quantity  int    `json:"quantity" minimum:"1" maximum:"9999"`
	}
}

func (h storeHandlers) addLine(ctx context.Context, in *addLineInput) (*cartOutput, error) {
	if (in.Body.VariantID == "") == (in.Body.SKU == "") {
		return nil, errs.Validation(errs.Field{Pointer: "/variant_id", Code: "required", Detail: "Name the article by either variant_id or sku."})
	}
	c, err := h.AddLine(ctx, CartID(in.ID), in.access(ctx), AddLine(in.Body))
	return cartAnswer(c, "", err)
}

// LinePath names a line of a cart. It is exported for huma, which fills it.
type LinePath struct {
	CartPath
	LineID string `path:"line_id" maxLength:"60"`
}

type setLineInput struct {
	LinePath
	Body struct {
		Quantity int `json:"quantity" minimum:"1" maximum:"9999"`
	}
}

func (h storeHandlers) setLine(ctx context.Context, in *setLineInput) (*cartOutput, error) {
	c, err := h.SetQuantity(ctx, CartID(in.ID), in.access(ctx), in.LineID, in.Body.Quantity)
	return cartAnswer(c, "", err)
}

func (h storeHandlers) removeLine(ctx context.Context, in *LinePath) (*cartOutput, error) {
	c, err := h.RemoveLine(ctx, CartID(in.ID), in.access(ctx), in.LineID)
	return cartAnswer(c, "", err)
}

type addressInput struct {
	CartPath
	Body struct {
		Email    string   `json:"email" minLength:"3" maxLength:"254"`
		Shipping Address  `json:"shipping"`
		Billing  *Address `json:"billing,omitempty"`
	}
}

func (h storeHandlers) address(ctx context.Context, in *addressInput) (*cartOutput, error) {
	c, err := h.SetContact(ctx, CartID(in.ID), in.access(ctx), Contact(in.Body))
	return cartAnswer(c, "", err)
}

type methodsOutput struct{ Body httpx.List[ShippingMethod] }

func (h storeHandlers) shippingMethods(ctx context.Context, in *CartPath) (*methodsOutput, error) {
	list, err := h.ShippingMethods(ctx, CartID(in.ID), in.access(ctx))
	return &methodsOutput{httpx.NewList(list, "")}, err
}

type setMethodInput struct {
	CartPath
	Body struct {
		ShippingMethodID string `json:"shipping_method_id" minLength:"1" maxLength:"60"`
	}
}

func (h storeHandlers) setShippingMethod(ctx context.Context, in *setMethodInput) (*cartOutput, error) {
	c, err := h.SetShippingMethod(ctx, CartID(in.ID), in.access(ctx), in.Body.ShippingMethodID)
	return cartAnswer(c, "", err)
}

func (h storeHandlers) acceptPrices(ctx context.Context, in *CartPath) (*cartOutput, error) {
	c, err := h.AcceptPrices(ctx, CartID(in.ID), in.access(ctx))
	return cartAnswer(c, "", err)
}

type couponInput struct {
	CartPath
	Body struct {
		Code string `json:"code" minLength:"1" maxLength:"200" doc:"White space and case do not count."`
	}
}

func (h storeHandlers) applyCoupon(ctx context.Context, in *couponInput) (*cartOutput, error) {
	c, err := h.ApplyCoupon(ctx, CartID(in.ID), in.access(ctx), in.Body.Code)
	return cartAnswer(c, "", err)
}

func (h storeHandlers) removeCoupon(ctx context.Context, in *couponInput) (*cartOutput, error) {
	c, err := h.RemoveCoupon(ctx, CartID(in.ID), in.access(ctx), in.Body.Code)
	return cartAnswer(c, "", err)
}
