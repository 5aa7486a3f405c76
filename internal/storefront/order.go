package storefront

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"shopd/internal/orders"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
)

// testPaymentPath is the page that stands for the bank's of the test gateway.
const testPaymentPath = "/checkout/test-payment/"

// Payment states that decide what an order page says.
const (
	payUnknown        = "unknown"
	payRequiresAction = "requires_action"
	payDeclined       = "declined"
	paySending        = "sending"
	payRefunded       = "refunded"
)

type orderBody struct {
	*orders.Order
	State    string // paid, waiting, checking, declined, cancelled, refunded
	Timeline []milestone
	PayURL   string // where to go on with a payment that wants something
	Retry    bool   // the cart can be paid again
	CanUndo  bool
	Guest    bool
	Account  bool // shown within the account
	Problem  string
	orderAfter
}

// milestone is a step of an order's way to the shopper.
type milestone struct {
	Label   string
	At      *time.Time
	Done    bool
	Current bool
}

// afterOrder is where a shopper goes once the order is placed: to their bank when it wants to see them, else to the
// order.
func afterOrder(placed *orders.Placed) string {
	if u := payURL(placed.Order.ID, placed.Payment); u != "" {
		return u
	}
	return orderPath(placed.Order.ID)
}

func orderPath(orderID orders.ID) string { return "/order/" + url.PathEscape(string(orderID)) }

// payURL is where a payment goes on that wants something from the shopper, empty for one that does not.
func payURL(orderID orders.ID, p orders.Payment) string {
	switch {
	case p.Status != payRequiresAction:
		return ""
	case p.Provider == "test":
		return testPaymentPath + url.PathEscape(p.ID) + "?order=" + url.QueryEscape(string(orderID))
	case p.NextAction != nil:
		return p.NextAction.URL
	}
	return ""
}

func (s *Storefront) order(w http.ResponseWriter, r *http.Request) error {
	orderID := orders.ID(chi.URLParam(r, "id"))
	if secret := r.Form.Get("secret"); secret != "" {
		return s.takeSecret(w, r, orderID, secret)
	}
	return s.showOrder(w, r, http.StatusOK, orderID, false, "")
}

// takeSecret moves the secret of a link in a mail into a cookie, so that it stays out of histories and logs of others.
func (s *Storefront) takeSecret(w http.ResponseWriter, r *http.Request, orderID orders.ID, secret string) error {
	if !secretForm.MatchString(secret) || !id.Valid("ord", string(orderID)) {
		return errs.ErrNotFound
	}
	if _, err := s.Orders.Order(r.Context(), orderID, orders.Access{OrderSecret: secret}); err != nil {
		return err
	}
	s.rememberOrder(w, r, orderID, secret)
	return redirect(w, r, orderPath(orderID))
}

// showOrder shows an order to whom access opens it; account says that it is shown within the customer's account, and
// problem what was wrong with what they wanted to do with it.
func (s *Storefront) showOrder(w http.ResponseWriter, r *http.Request, status int, orderID orders.ID, account bool, problem string) error {
	access, err := s.access(w, r, orderID)
	if err != nil {
		return err
	}
	order, err := s.Orders.Order(r.Context(), orderID, access)
	if err != nil {
		return err
	}
	body := newOrderBody(order)
	body.Account, body.Guest, body.Problem = account, access.CustomerID == "", problem
	if body.orderAfter, err = s.after(r, order, access); err != nil {
		return err
	}
	if ref, ok := cartOf(r); ok && ref.ID == order.CartID {
		if body.Guest && access.OrderSecret == "" {
			s.rememberOrder(w, r, orderID, s.Orders.Secret(orderID)) // the cart opened it, and will not stay
		}
		if order.Status == orders.PendingPayment {
			body.Retry = body.State == "declined"
		} else {
			s.forgetCart(w)
		}
	}
	return s.show(w, r, status, "order", forOne, head{Title: "Order " + strconv.FormatInt(order.Number, 10)}, body)
}

func newOrderBody(o *orders.Order) *orderBody {
	body := &orderBody{Order: o, State: orderState(o), Timeline: timeline(o), CanUndo: o.Status.May(orders.Cancelled) && o.Credited.IsZero()}
	if p := lastPayment(o); p != nil && o.Status == orders.PendingPayment {
		body.PayURL = payURL(o.ID, *p)
	}
	if body.State == "checking" {
		body.CanUndo = false // money may be on its way: first find out
	}
	return body
}

func lastPayment(o *orders.Order) *orders.Payment {
	if len(o.Payments) == 0 {
		return nil
	}
	return &o.Payments[len(o.Payments)-1]
}

func orderState(o *orders.Order) string {
	p := lastPayment(o)
	switch {
	case o.Status == orders.Cancelled && p != nil && p.Status == payRefunded:
		return "refunded"
	case o.Status == orders.Cancelled:
		return "cancelled"
	case o.Status != orders.PendingPayment:
		return "paid"
	case p == nil:
		return "waiting"
	case p.Status == payUnknown, p.Status == paySending:
		return "checking"
	case p.Status == payDeclined:
		return "declined"
	}
	return "waiting"
}

// timeline is the way of an order with the time of each step it has taken.
func timeline(o *orders.Order) []milestone {
	reached := map[orders.Status]int{
		orders.PendingPayment: 1, orders.Paid: 2, orders.PartiallyFulfilled: 2, orders.Fulfilled: 3, orders.Completed: 4,
	}[o.Status]
	if o.Status == orders.Cancelled {
		return []milestone{{Label: "Placed", At: &o.PlacedAt, Done: true}, {Label: "Cancelled", At: happened(o, "cancelled"), Done: true, Current: true}}
	}
	steps := []milestone{
		{Label: "Placed", At: &o.PlacedAt}, {Label: "Paid", At: o.PaidAt}, {Label: "Sent", At: happened(o, "fulfilled")}, {Label: "Delivered", At: happened(o, "completed")},
	}
	for i := range steps {
		steps[i].Done, steps[i].Current = i < reached, i == reached-1
	}
	return steps
}

// happened is when something of that kind last happened to an order.
func happened(o *orders.Order, kind string) *time.Time {
	for _, entry := range slices.Backward(o.History) {
		if entry.Kind == kind {
			return &entry.At
		}
	}
	return nil
}

func (s *Storefront) cancelOrder(w http.ResponseWriter, r *http.Request) error {
	orderID := orders.ID(chi.URLParam(r, "id"))
	access, err := s.access(w, r, orderID)
	if err != nil {
		return err
	}
	account := r.PostForm.Get("from") == "account"
	if _, err := s.Orders.Cancel(r.Context(), orderID, access, "Cancelled by the customer."); err != nil {
		if errs.KindOf(err) == errs.Conflict {
			return s.showOrder(w, r, statusOf(err), orderID, account, errs.As(err).Detail)
		}
		return err
	}
	s.leaveNotice(w, "order-cancelled")
	if account {
		return redirect(w, r, "/account/orders/"+url.PathEscape(string(orderID)))
	}
	return redirect(w, r, orderPath(orderID))
}

// testPaymentBody is the pretended page of a bank.
type testPaymentBody struct {
	Order   *orders.Order
	Payment orders.Payment
}

// paymentOrder finds the order of a payment among those that the shopper may see.
func (s *Storefront) paymentOrder(w http.ResponseWriter, r *http.Request) (*testPaymentBody, orders.Access, error) {
	paymentID := chi.URLParam(r, "payment")
	candidates := []orders.ID{orders.ID(r.Form.Get("order"))}
	for _, o := range guestOrders(r) {
		candidates = append(candidates, o.ID)
	}
	for _, orderID := range candidates {
		if !id.Valid("ord", string(orderID)) {
			continue
		}
		access, err := s.access(w, r, orderID)
		if err != nil {
			return nil, access, err
		}
		order, err := s.Orders.Order(r.Context(), orderID, access)
		if errs.KindOf(err) == errs.NotFound {
			continue
		}
		if err != nil {
			return nil, access, err
		}
		for _, p := range order.Payments {
			if p.ID == paymentID {
				return &testPaymentBody{Order: order, Payment: p}, access, nil
			}
		}
	}
	return nil, orders.Access{}, errs.ErrNotFound
}

func (s *Storefront) testPayment(w http.ResponseWriter, r *http.Request) error {
	body, _, err := s.paymentOrder(w, r)
	if err != nil {
		return err
	}
	if body.Payment.Status != payRequiresAction {
		return redirect(w, r, orderPath(body.Order.ID))
	}
	return s.show(w, r, http.StatusOK, "test-payment", forOne, head{Title: "Confirm your payment"}, body)
}

func (s *Storefront) confirmTestPayment(w http.ResponseWriter, r *http.Request) error {
	body, access, err := s.paymentOrder(w, r)
	if err != nil {
		return err
	}
	order, err := s.Orders.ConfirmTestPayment(r.Context(), body.Payment.ID, access, r.PostForm.Get("answer") == "approve")
	if err != nil {
		return err
	}
	if order.Status == orders.Paid {
		s.forgetCart(w)
	}
	return redirect(w, r, orderPath(order.ID))
}

// paymentReturn is where a foreign payment page sends the shopper back to. It asks the gateway at once, so that the page
// says what became of the payment.
func (s *Storefront) paymentReturn(w http.ResponseWriter, r *http.Request) error {
	orderID := orders.ID(r.Form.Get("order"))
	if !id.Valid("ord", string(orderID)) {
		list := guestOrders(r)
		if len(list) == 0 {
			return redirect(w, r, "/account")
		}
		orderID = list[0].ID
	}
	access, err := s.access(w, r, orderID)
	if err != nil {
		return err
	}
	order, err := s.Orders.RefreshPayment(r.Context(), orderID, access)
	if err != nil {
		return err
	}
	if order.Status == orders.Paid {
		s.forgetCart(w)
	}
	return redirect(w, r, orderPath(orderID))
}
