package storefront

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"shopd/internal/orders"
	"shopd/internal/platform/errs"
	"shopd/internal/recs"
)

type cartBody struct {
	Cart    *orders.Cart // nil for a shopper who has none
	Unpaid  orders.ID    // the order made from the cart, while it waits for its payment
	Problem string
	Added   string // title of what was just put in, for the summary beside the page
	Coupon  couponBody
	Popular []card
	Related []card // what goes with what is in it
}

// Empty reports whether there is nothing to buy.
func (b cartBody) Empty() bool { return b.Cart == nil || b.Cart.Empty() }

var errQuantity = errs.New(errs.Invalid, "invalid_quantity", "Give a whole number from 1 to "+strconv.Itoa(orders.MaxQuantity)+".")

// loadCart reads the shopper's cart, and the order made from it while that one waits for its payment. The cart is nil
// when they have none, or when theirs is bought.
func (s *Storefront) loadCart(w http.ResponseWriter, r *http.Request) (cart *orders.Cart, unpaid *orders.Order, err error) {
	ref, ok := cartOf(r)
	if !ok {
		return nil, nil, nil
	}
	access, err := s.access(w, r, "")
	if err != nil {
		return nil, nil, err
	}
	cart, err = s.Orders.Cart(r.Context(), ref.ID, access)
	if err == nil && cart.OrderID != "" {
		unpaid, err = s.Orders.Order(r.Context(), cart.OrderID, access)
	}
	switch {
	case errs.KindOf(err) == errs.NotFound:
		s.forgetCart(w)
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	case unpaid == nil:
		return cart, nil, nil
	case unpaid.Status == orders.PendingPayment:
		return cart, unpaid, nil
	case unpaid.PaidAt == nil:
		return cart, nil, nil // its time to be paid ran out; what was in it may still be wanted
	}
	s.forgetCart(w)
	return nil, nil, nil
}

func (s *Storefront) cart(w http.ResponseWriter, r *http.Request) error {
	return s.showCart(w, r, http.StatusOK, cartView{})
}

// cartView is what there is to say on the cart besides what is in it.
type cartView struct {
	problem string
	refused *refusedCoupon
}

func (s *Storefront) showCart(w http.ResponseWriter, r *http.Request, status int, view cartView) error {
	cart, unpaid, err := s.loadCart(w, r)
	if err != nil {
		return err
	}
	body := cartBody{Cart: cart, Problem: view.problem, Coupon: couponsOf(cart, "", view.refused)}
	if unpaid != nil {
		body.Unpaid = unpaid.ID
	}
	if body.Empty() {
		if front, err := s.front.get(r.Context()); err == nil {
			body.Popular = firstCards(front.Popular, 4)
		}
	} else {
		body.Related = cards(s.recommended(r.Context(), recs.Cart, productsIn(cart), recommendedRow))
	}
	return s.show(w, r, status, "cart", forOne, head{Title: "Your cart"}, body)
}

// productsIn are the products of a cart, the first put in first.
func productsIn(cart *orders.Cart) []string {
	var ids []string
	for _, l := range cart.Lines {
		if !slices.Contains(ids, l.ProductID) {
			ids = append(ids, l.ProductID)
		}
	}
	return ids
}

// cartSummary is the piece beside the page that shows what is in the cart.
func (s *Storefront) cartSummary(w http.ResponseWriter, r *http.Request) error {
	cart, _, err := s.loadCart(w, r)
	if err != nil {
		return err
	}
	return s.piece(w, r, http.StatusOK, "cart", "cart-summary", cartBody{Cart: cart})
}

// addLine puts a variant into the cart, named by its SKU or by the options that the shopper chose of a product.
func (s *Storefront) addLine(w http.ResponseWriter, r *http.Request) error {
	quantity, err := formQuantity(r)
	if err != nil {
		return err
	}
	product, err := s.Catalog.Product(r.Context(), r.PostForm.Get("product"))
	if err != nil {
		return err
	}
	variant := variantBySKU(product, r.PostForm.Get("sku"))
	if variant == nil {
		variant = variantWith(product, chosenOptions(r))
	}
	if variant == nil {
		return s.refuseLine(w, r, product.Slug, errChoose)
	}
	cart, err := s.addToCart(w, r, orders.AddLine{VariantID: string(variant.ID), Quantity: quantity})
	if err != nil {
		if kind := errs.KindOf(err); kind == errs.Conflict || kind == errs.Invalid {
			return s.refuseLine(w, r, product.Slug, err)
		}
		return err
	}
	if isScript(r) {
		return s.piece(w, r, http.StatusOK, "cart", "cart-summary", cartBody{Cart: cart, Added: product.Title})
	}
	s.leaveNotice(w, "line-added")
	return redirect(w, r, "/cart")
}

// refuseLine says on the product's page, or to the script there, why something did not get into the cart.
func (s *Storefront) refuseLine(w http.ResponseWriter, r *http.Request, slug string, err error) error {
	if isScript(r) {
		return err
	}
	product, loadErr := s.Catalog.Product(r.Context(), slug)
	if loadErr != nil {
		return loadErr
	}
	return s.showProduct(w, r, product, statusOf(err), errs.As(err).Detail)
}

// addToCart adds a line to the shopper's cart, and to a new one when they have none or theirs is used up.
func (s *Storefront) addToCart(w http.ResponseWriter, r *http.Request, line orders.AddLine) (*orders.Cart, error) {
	access, err := s.access(w, r, "")
	if err != nil {
		return nil, err
	}
	current, _, err := s.loadCart(w, r)
	if err != nil {
		return nil, err
	}
	ref, _ := cartOf(r)
	if current == nil {
		created, token, err := s.Orders.CreateCart(r.Context(), orders.NewCart{Currency: s.Currency, Country: s.Country, CustomerID: access.CustomerID})
		if err != nil {
			return nil, err
		}
		ref = cartRef{ID: created.ID, Token: token}
		access.CartToken = token
	}
	cart, err := s.Orders.AddLine(r.Context(), ref.ID, access, line)
	if err != nil {
		return nil, err
	}
	ref.Pieces = cart.Pieces()
	s.rememberCart(w, ref)
	return cart, nil
}

func (s *Storefront) setQuantity(w http.ResponseWriter, r *http.Request) error {
	quantity, err := formQuantity(r)
	if err != nil {
		return s.cartProblem(w, r, err)
	}
	return s.changeCart(w, r, "cart-updated", func(ref cartRef, access orders.Access) (*orders.Cart, error) {
		return s.Orders.SetQuantity(r.Context(), ref.ID, access, chi.URLParam(r, "line"), quantity)
	})
}

func (s *Storefront) removeLine(w http.ResponseWriter, r *http.Request) error {
	return s.changeCart(w, r, "line-removed", func(ref cartRef, access orders.Access) (*orders.Cart, error) {
		return s.Orders.RemoveLine(r.Context(), ref.ID, access, chi.URLParam(r, "line"))
	})
}

// changeCart does one thing to the cart and shows it again.
func (s *Storefront) changeCart(w http.ResponseWriter, r *http.Request, notice string, change func(cartRef, orders.Access) (*orders.Cart, error)) error {
	ref, ok := cartOf(r)
	if !ok {
		return redirect(w, r, "/cart")
	}
	access, err := s.access(w, r, "")
	if err != nil {
		return err
	}
	cart, err := change(ref, access)
	if err != nil {
		return s.cartProblem(w, r, err)
	}
	ref.Pieces = cart.Pieces()
	s.rememberCart(w, ref)
	s.leaveNotice(w, notice)
	return redirect(w, r, "/cart")
}

// cartProblem shows the cart with what was wrong; a line that is gone already is no problem of the shopper's.
func (s *Storefront) cartProblem(w http.ResponseWriter, r *http.Request, err error) error {
	switch errs.KindOf(err) {
	case errs.NotFound:
		return redirect(w, r, "/cart")
	case errs.Conflict, errs.Invalid, errs.Malformed:
		return s.showCart(w, r, statusOf(err), cartView{problem: errs.As(err).Detail})
	}
	return err
}

func formQuantity(r *http.Request) (int, error) {
	text := strings.TrimSpace(r.PostForm.Get("quantity"))
	if text == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > orders.MaxQuantity {
		return 0, errQuantity.Wrap(errors.New("quantity " + strconv.Quote(truncate(text, 20))))
	}
	return n, nil
}
