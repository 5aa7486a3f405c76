package storefront

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"shopd/internal/orders"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
	"shopd/internal/platform/id"
	"shopd/internal/users"
)

// Cookies. All of them are HttpOnly: no script needs them.
const (
	cartCookie    = "shopd_cart"   // cart id "." its token "." pieces in it, for the header
	accessCookie  = "shopd_access" // JWT
	refreshCookie = "shopd_refresh"
	ordersCookie  = "shopd_orders" // "order id.secret" of guest orders, newest first, "/" between them
	noticeCookie  = "shopd_notice" // code of what to say on the next page
)

const (
	cartAge    = 60 * 24 * time.Hour
	refreshAge = 30 * 24 * time.Hour
	ordersAge  = 30 * 24 * time.Hour
	// maxGuestOrders keeps the cookie far below the 4 KB that browsers store.
	maxGuestOrders = 8
)

// secretForm is what tokens and secrets are made of. What does not look like one is not looked up.
var secretForm = regexp.MustCompile(`^[A-Za-z0-9_-]{16,128}$`)

func (s *Storefront) setCookie(w http.ResponseWriter, name, value string, age time.Duration) {
	c := &http.Cookie{ //nolint:gosec // Secure is set wherever the shop is on https
		Name: name, Value: value, Path: "/", MaxAge: int(age.Seconds()),
		HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// cartRef is the cart that a browser holds.
type cartRef struct {
	ID     orders.CartID
	Token  string
	Pieces int
}

func cartOf(r *http.Request) (cartRef, bool) {
	parts := strings.Split(cookie(r, cartCookie), ".")
	if len(parts) != 3 || !id.Valid("cart", parts[0]) || !secretForm.MatchString(parts[1]) {
		return cartRef{}, false
	}
	pieces, err := strconv.Atoi(parts[2])
	if err != nil || pieces < 0 {
		return cartRef{}, false
	}
	return cartRef{ID: orders.CartID(parts[0]), Token: parts[1], Pieces: pieces}, true
}

func cartCount(r *http.Request) int {
	ref, _ := cartOf(r)
	return ref.Pieces
}

func (s *Storefront) rememberCart(w http.ResponseWriter, ref cartRef) {
	s.setCookie(w, cartCookie, string(ref.ID)+"."+ref.Token+"."+strconv.Itoa(ref.Pieces), cartAge)
}

func (s *Storefront) forgetCart(w http.ResponseWriter) { s.setCookie(w, cartCookie, "", 0) }

// guestOrders are the orders a browser may see because it placed them, newest first.
func guestOrders(r *http.Request) []guestOrder {
	var list []guestOrder
	for part := range strings.SplitSeq(cookie(r, ordersCookie), "/") {
		orderID, secret, _ := strings.Cut(part, ".")
		if id.Valid("ord", orderID) && secretForm.MatchString(secret) && len(list) < maxGuestOrders {
			list = append(list, guestOrder{ID: orders.ID(orderID), Secret: secret})
		}
	}
	return list
}

type guestOrder struct {
	ID     orders.ID
	Secret string
}

func secretFor(r *http.Request, orderID orders.ID) string {
	for _, o := range guestOrders(r) {
		if o.ID == orderID {
			return o.Secret
		}
	}
	return ""
}

func (s *Storefront) rememberOrder(w http.ResponseWriter, r *http.Request, orderID orders.ID, secret string) {
	list := slices.DeleteFunc(guestOrders(r), func(o guestOrder) bool { return o.ID == orderID })
	list = slices.Insert(list, 0, guestOrder{ID: orderID, Secret: secret})
	if len(list) > maxGuestOrders {
		list = list[:maxGuestOrders]
	}
	parts := make([]string, len(list))
	for i, o := range list {
		parts[i] = string(o.ID) + "." + o.Secret
	}
	s.setCookie(w, ordersCookie, strings.Join(parts, "/"), ordersAge)
}

// access is what the shopper can show for a cart and an order; either may be empty.
func (s *Storefront) access(w http.ResponseWriter, r *http.Request, orderID orders.ID) (orders.Access, error) {
	customer, err := s.customer(w, r)
	if err != nil {
		return orders.Access{}, err
	}
	ref, _ := cartOf(r)
	return orders.Access{CartToken: ref.Token, OrderSecret: secretFor(r, orderID), CustomerID: customer.CustomerID()}, nil
}

// customer says who is signed in, anonymous when nobody is. An access token that has run out is renewed on the way.
func (s *Storefront) customer(w http.ResponseWriter, r *http.Request) (httpx.Principal, error) {
	anonymous := httpx.Principal{Kind: httpx.Anonymous}
	if bearer := cookie(r, accessCookie); bearer != "" {
		p, err := s.Users.Authenticate(r.Context(), bearer)
		if err == nil && p.Kind == httpx.Customer {
			return p, nil
		}
		if err != nil && errs.KindOf(err) != errs.Unauthenticated {
			return anonymous, err
		}
	}
	refresh := cookie(r, refreshCookie)
	if refresh == "" {
		return anonymous, nil
	}
	tokens, err := s.Users.Refresh(r.Context(), refresh)
	if errs.KindOf(err) == errs.Unauthenticated {
		s.signOut(w)
		return anonymous, nil
	}
	if err != nil {
		return anonymous, err
	}
	s.signIn(w, tokens)
	return s.Users.Authenticate(r.Context(), tokens.AccessToken)
}

func (s *Storefront) signIn(w http.ResponseWriter, tokens users.Tokens) {
	s.setCookie(w, accessCookie, tokens.AccessToken, tokens.ExpiresIn)
	s.setCookie(w, refreshCookie, tokens.RefreshToken, refreshAge)
}

func (s *Storefront) signOut(w http.ResponseWriter) {
	s.setCookie(w, accessCookie, "", 0)
	s.setCookie(w, refreshCookie, "", 0)
}

type customerKey struct{}

// signedIn lets customers in and sends everybody else to the sign-in page, from where they come back.
func (s *Storefront) signedIn(next pageHandler) pageHandler {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, err := s.customer(w, r)
		if err != nil {
			return err
		}
		if p.CustomerID() == "" {
			back := r.URL.Path
			if r.Method != http.MethodGet {
				back = "/account"
			}
			return redirect(w, r, "/account/login?next="+url.QueryEscape(back))
		}
		return next(w, r.WithContext(context.WithValue(r.Context(), customerKey{}, p)))
	}
}

// customerFrom is the customer that signedIn let in.
func customerFrom(r *http.Request) httpx.Principal {
	p, _ := r.Context().Value(customerKey{}).(httpx.Principal)
	return p
}

// localPath is where to go after signing in: a path of this shop, whatever the address says.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/account"
	}
	return next
}

// redirect sends the browser on after a form, so that reloading does not send the form again.
func redirect(w http.ResponseWriter, r *http.Request, to string) error {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // callers name a path of this shop, or what payments says
	return nil
}

// notices are what a page may say about the form that led to it. A cookie carries the code, so nobody can put words
// into the shop's mouth through a link.
var notices = map[string]string{
	"line-removed":     "Removed from your cart.",
	"cart-updated":     "Cart updated.",
	"line-added":       "Added to your cart.",
	"coupon-applied":   "Your coupon counts.",
	"coupon-removed":   "Coupon removed.",
	"prices-accepted":  "Your cart now has today’s prices.",
	"signed-out":       "You are signed out.",
	"registered":       "Welcome! Your account is ready.",
	"address-saved":    "Address saved.",
	"address-deleted":  "Address deleted.",
	"email-confirmed":  "Thank you. Your e-mail address is confirmed.",
	"email-changed":    "Your e-mail address is changed. Sign in with the new one.",
	"order-cancelled":  "Your order is cancelled.",
	"return-requested": "We have got it. You hear from us by mail.",
	"return-cancelled": "Good. You keep it.",
	"reset-sent":       "If there is an account with that address, a mail with a link is on its way.",
	"password-changed": "Your password is changed. Sign in with the new one.",
}

func (s *Storefront) leaveNotice(w http.ResponseWriter, code string) {
	s.setCookie(w, noticeCookie, code, time.Minute)
}

func (s *Storefront) takeNotice(w http.ResponseWriter, r *http.Request) string {
	text := notices[cookie(r, noticeCookie)]
	if text != "" {
		s.setCookie(w, noticeCookie, "", 0)
	}
	return text
}
