package storefront

import (
	"net/http"
	"strings"

	"shopd/internal/orders"
	"shopd/internal/platform/errs"
)

// couponBody is the field for coupon codes, on the cart and beside the checkout.
type couponBody struct {
	Back    string // "checkout" on that page, so that its forms lead back to it
	Coupons []orders.Coupon
	Typed   string // the code that was refused
	Problem string // why
}

// Open reports whether there is anything to see besides an empty field.
func (b couponBody) Open() bool { return len(b.Coupons) > 0 || b.Problem != "" }

func couponsOf(cart *orders.Cart, back string, refused *refusedCoupon) couponBody {
	b := couponBody{Back: back}
	if cart != nil {
		b.Coupons = cart.Coupons
	}
	if refused != nil {
		b.Typed, b.Problem = refused.Code, refused.Detail
	}
	return b
}

// refusedCoupon is a code that the shopper typed and why it was refused.
type refusedCoupon struct{ Code, Detail string }

const backToCheckout = "checkout"

func (s *Storefront) applyCoupon(w http.ResponseWriter, r *http.Request) error {
	code := strings.TrimSpace(r.PostForm.Get("code"))
	return s.changeCoupons(w, r, "coupon-applied", code, func(ref cartRef, access orders.Access) error {
		_, err := s.Orders.ApplyCoupon(r.Context(), ref.ID, access, code)
		return err
	})
}

func (s *Storefront) removeCoupon(w http.ResponseWriter, r *http.Request) error {
	code := r.PostForm.Get("code")
	return s.changeCoupons(w, r, "coupon-removed", code, func(ref cartRef, access orders.Access) error {
		_, err := s.Orders.RemoveCoupon(r.Context(), ref.ID, access, code)
		if errs.KindOf(err) == errs.NotFound {
			return nil // it is gone already, or the cart is
		}
		return err
	})
}

// changeCoupons does one thing to the codes of the cart and shows the page again that it came from.
func (s *Storefront) changeCoupons(w http.ResponseWriter, r *http.Request, notice, code string, change func(cartRef, orders.Access) error) error {
	ref, ok := cartOf(r)
	if !ok {
		return redirect(w, r, "/cart")
	}
	access, err := s.access(w, r, "")
	if err != nil {
		return err
	}
	checkout := r.PostForm.Get("back") == backToCheckout
	err = change(ref, access)
	switch kind := errs.KindOf(err); {
	case err == nil:
		s.leaveNotice(w, notice)
		if checkout {
			return redirect(w, r, "/checkout")
		}
		return redirect(w, r, "/cart")
	case kind == errs.NotFound:
		return redirect(w, r, "/cart")
	case kind != errs.Conflict && kind != errs.Invalid:
		return err
	}
	refused := &refusedCoupon{Code: truncate(code, 60), Detail: errs.As(err).Detail}
	if checkout {
		return s.showCheckout(w, r, statusOf(err), checkoutView{refused: refused})
	}
	return s.showCart(w, r, statusOf(err), cartView{refused: refused})
}
