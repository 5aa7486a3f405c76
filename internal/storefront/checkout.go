package storefront

import (
	"errors"
	"net/http"

	"shopd/internal/orders"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/users"
)

// The sections of the checkout, in the order a shopper goes through them.
const (
	stepContact  = "contact"
	stepShipping = "shipping"
	stepPayment  = "payment"
)

type checkoutBody struct {
	Cart     *orders.Cart
	Step     string // the section that is open
	Contact  *form
	SignedIn bool
	Methods  []orders.ShippingMethod
	Payments []orders.PaymentMethod
	Paying   string // "provider/method" chosen
	Key      string // idempotency key of the next try to pay
	Alert    *checkoutAlert
	Rows     []countryRow
	Regions  []regionGroup
	Coupon   couponBody
}

// checkoutAlert is what went wrong with placing the order.
type checkoutAlert struct {
	Title, Detail string
	Items         []string // what it is about, one by one
	AcceptPrices  bool     // offer to go on with today's prices
}

// Done reports whether a section before the open one is filled in.
func (b *checkoutBody) Done(step string) bool {
	switch step {
	case stepContact:
		return b.Cart.Contact != nil && b.Step != stepContact
	case stepShipping:
		return b.Cart.Method != nil && b.Step == stepPayment
	}
	return false
}

// MethodID is the shipping method that is marked: the chosen one, else the first.
func (b *checkoutBody) MethodID() string {
	if b.Cart.Method != nil {
		return b.Cart.Method.ID
	}
	if len(b.Methods) > 0 {
		return b.Methods[0].ID
	}
	return ""
}

func (s *Storefront) checkout(w http.ResponseWriter, r *http.Request) error {
	return s.showCheckout(w, r, http.StatusOK, checkoutView{edit: r.Form.Get("edit")})
}

// checkoutView is what the checkout shows besides the cart.
type checkoutView struct {
	edit    string // the section to open; empty for the one that is next
	typed   *form  // a contact form that was refused
	alert   *checkoutAlert
	refused *refusedCoupon
}

// showCheckout shows the checkout at the section that is next, or at the one to edit.
func (s *Storefront) showCheckout(w http.ResponseWriter, r *http.Request, status int, view checkoutView) error {
	cart, _, err := s.loadCart(w, r)
	if err != nil {
		return err
	}
	if cart == nil || cart.Empty() {
		return redirect(w, r, "/cart")
	}
	customer, err := s.customer(w, r)
	if err != nil {
		return err
	}
	body := &checkoutBody{
		Cart: cart, Step: nextStep(cart, view.edit), Contact: view.typed, Alert: view.alert, Coupon: couponsOf(cart, backToCheckout, view.refused), SignedIn: customer.CustomerID() != "",
		Payments: s.Orders.PaymentMethods(), Paying: r.PostForm.Get("payment"), Key: id.New("key"), Rows: countryRows, Regions: regionGroups,
	}
	if body.Contact == nil {
		if body.Contact, err = s.prefill(r, cart, customer.CustomerID()); err != nil {
			return err
		}
	}
	if body.Step != stepContact {
		access := orders.Access{CartToken: mustCart(r).Token, CustomerID: customer.CustomerID()}
		if body.Methods, err = s.Orders.ShippingMethods(r.Context(), cart.ID, access); err != nil {
			return err
		}
	}
	if body.Paying == "" && len(body.Payments) > 0 {
		body.Paying = body.Payments[0].Provider + "/" + body.Payments[0].Method
	}
	title := "Checkout"
	if view.alert != nil || view.typed != nil || view.refused != nil {
		title = "Error: " + title
	}
	return s.show(w, r, status, "checkout", forOne, head{Title: title}, body)
}

func nextStep(cart *orders.Cart, edit string) string {
	switch {
	case cart.Contact == nil || edit == stepContact:
		return stepContact
	case cart.Method == nil || edit == stepShipping:
		return stepShipping
	}
	return stepPayment
}

func mustCart(r *http.Request) cartRef {
	ref, _ := cartOf(r)
	return ref
}

// prefill fills the contact form with what is known: the cart's own contact, else the customer's account.
func (s *Storefront) prefill(r *http.Request, cart *orders.Cart, customerID string) (*form, error) {
	f := newForm()
	country, _ := cart.ShipTo()
	f.Values["country"] = country
	if cart.Contact != nil {
		f.fill(cart.Contact.Shipping)
		f.Values["email"] = cart.Contact.Email
		return f, nil
	}
	if customerID == "" {
		return f, nil
	}
	customer, err := s.Users.Customer(r.Context(), users.CustomerID(customerID))
	if err != nil {
		return nil, err
	}
	f.Values["email"], f.Values["name"] = string(customer.Email), customer.Name
	addresses, err := s.Users.Addresses(r.Context(), customer.ID)
	if err != nil {
		return nil, err
	}
	if len(addresses) > 0 {
		f.fill(fromAddressBook(addresses[0]))
	}
	return f, nil
}

func (s *Storefront) saveContact(w http.ResponseWriter, r *http.Request) error {
	f, shipping := readAddress(r, "email")
	f.checkEmail()
	if !f.ok() {
		return s.showCheckout(w, r, http.StatusUnprocessableEntity, checkoutView{edit: stepContact, typed: f})
	}
	return s.changeCheckout(w, r, f, stepShipping, func(ref cartRef, access orders.Access) error {
		_, err := s.Orders.SetContact(r.Context(), ref.ID, access, orders.Contact{Email: f.Value("email"), Shipping: shipping})
		return err
	})
}

func (s *Storefront) saveShipping(w http.ResponseWriter, r *http.Request) error {
	return s.changeCheckout(w, r, nil, stepPayment, func(ref cartRef, access orders.Access) error {
		_, err := s.Orders.SetShippingMethod(r.Context(), ref.ID, access, r.PostForm.Get("shipping_method"))
		return err
	})
}

func (s *Storefront) acceptPrices(w http.ResponseWriter, r *http.Request) error {
	return s.changeCheckout(w, r, nil, stepPayment, func(ref cartRef, access orders.Access) error {
		_, err := s.Orders.AcceptPrices(r.Context(), ref.ID, access)
		if err == nil {
			s.leaveNotice(w, "prices-accepted")
		}
		return err
	})
}

// changeCheckout does one thing to the cart and goes on to the next section. What is wrong with the input is shown
// beside it, with f as it was typed.
func (s *Storefront) changeCheckout(w http.ResponseWriter, r *http.Request, f *form, next string, change func(cartRef, orders.Access) error) error {
	ref, ok := cartOf(r)
	if !ok {
		return redirect(w, r, "/cart")
	}
	access, err := s.access(w, r, "")
	if err != nil {
		return err
	}
	err = change(ref, access)
	switch {
	case err == nil:
		return redirect(w, r, "/checkout#"+next)
	case f != nil && f.take(err, nil):
		return s.showCheckout(w, r, statusOf(err), checkoutView{edit: stepContact, typed: f})
	case errs.KindOf(err) == errs.NotFound && f != nil:
		return redirect(w, r, "/cart")
	}
	if e := errs.As(err); e != nil && (e.Kind == errs.Invalid || e.Kind == errs.Conflict || e.Kind == errs.NotFound) {
		return s.showCheckout(w, r, statusOf(err), checkoutView{alert: &checkoutAlert{Title: "That did not work", Detail: e.Detail}})
	}
	return err
}

// complete places the order. The key in the form makes a second press of the button the same order, not another.
func (s *Storefront) complete(w http.ResponseWriter, r *http.Request) error {
	ref, ok := cartOf(r)
	if !ok {
		return redirect(w, r, "/cart")
	}
	provider, method, ok := s.paymentMethod(r.PostForm.Get("payment"))
	if !ok {
		return s.showCheckout(w, r, http.StatusUnprocessableEntity, checkoutView{
			alert: &checkoutAlert{Title: "How would you like to pay?", Detail: "Choose a way to pay."},
		})
	}
	access, err := s.access(w, r, "")
	if err != nil {
		return err
	}
	placed, err := s.Orders.Complete(r.Context(), orders.CompleteRequest{
		CartID: ref.ID, Access: access, Provider: provider, Method: method,
		IdempotencyKey: r.PostForm.Get("key"), ReturnURL: s.BaseURL + "/order/return",
	})
	if err != nil {
		return s.notPlaced(w, r, err)
	}
	if placed.Secret != "" {
		s.rememberOrder(w, r, placed.Order.ID, placed.Secret)
	}
	if placed.Order.Status == orders.Paid {
		s.forgetCart(w)
	}
	return redirect(w, r, afterOrder(placed))
}

// notPlaced tells the shopper what to do about an order that was refused.
func (s *Storefront) notPlaced(w http.ResponseWriter, r *http.Request, err error) error {
	e := errs.As(err)
	if e == nil {
		return err
	}
	alert := &checkoutAlert{Detail: e.Detail}
	for _, f := range e.Fields {
		alert.Items = append(alert.Items, f.Detail)
	}
	switch {
	case errors.Is(err, orders.ErrPaymentDeclined):
		alert.Title = "Your payment was declined"
	case errors.Is(err, orders.ErrPaymentUnavailable):
		alert.Title = "This way to pay is not available right now"
	case errors.Is(err, orders.ErrPriceChanged):
		alert.Title, alert.AcceptPrices = "A price has changed", true
	case errors.Is(err, orders.ErrCouponExhausted):
		alert.Title, alert.AcceptPrices = "A coupon is used up", true
	case errors.Is(err, orders.ErrAlreadyPaid):
		return s.toOrderOfCart(w, r)
	case errors.Is(err, orders.ErrOutOfStock):
		return s.showCart(w, r, statusOf(err), cartView{problem: e.Detail})
	case e.Kind == errs.NotFound:
		return redirect(w, r, "/cart")
	case e.Kind == errs.Conflict, e.Kind == errs.Invalid, e.Kind == errs.RateLimited:
		alert.Title = "Please look at your order once more"
	default:
		return err
	}
	return s.showCheckout(w, r, statusOf(err), checkoutView{alert: alert})
}

// toOrderOfCart leads to the order that the shopper's cart has become, maybe in another window.
func (s *Storefront) toOrderOfCart(w http.ResponseWriter, r *http.Request) error {
	access, err := s.access(w, r, "")
	if err != nil {
		return err
	}
	cart, err := s.Orders.Cart(r.Context(), mustCart(r).ID, access)
	if err != nil {
		return err
	}
	return redirect(w, r, orderPath(cart.OrderID))
}

// paymentMethod finds the way to pay that the form names among those that are set up.
func (s *Storefront) paymentMethod(chosen string) (provider, method string, ok bool) {
	for _, m := range s.Orders.PaymentMethods() {
		if m.Provider+"/"+m.Method == chosen {
			return m.Provider, m.Method, true
		}
	}
	return "", "", false
}
