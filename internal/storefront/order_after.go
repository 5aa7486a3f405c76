package storefront

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"shopd/internal/orders"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
)

// orderAfter is what an order's page shows of the time after it was paid.
type orderAfter struct {
	Returnable []returnableLine // what can be given back; empty when nothing can
	ReturnBy   time.Time        // until when
	Reasons    []choice
	Key        string // of the next request for a return or to pay
	PayWays    []orders.PaymentMethod
	Paying     string // "provider/method" chosen
	Happened   []happening
	Others     []linkedOrder // those that were made for this one
	MadeFor    *linkedOrder  // the one that this was made for; nil for one that stands alone
}

// linkedOrder is an order that belongs to the one shown, with a link that opens it to whoever sees this one.
type linkedOrder struct {
	orders.Supplement
	Href string
}

// returnableLine is a line of which pieces can be given back.
type returnableLine struct {
	orders.Line
	Most   int
	Counts []int // zero to Most
}

// choice is an option of a form.
type choice struct{ Value, Label string }

// happening is a line of what happened to an order, in words.
type happening struct {
	At   time.Time
	Text string
	Note string
}

// returnReasons are why shoppers give things back.
var returnReasons = []choice{
	{"does_not_fit", "It does not fit"}, {"not_as_described", "It is not what I expected"}, {"damaged", "It is damaged"},
	{"wrong_article", "It is not what I ordered"}, {"changed_mind", "I have changed my mind"}, {"other", "Another reason"},
}

// mostCounted bounds the list of numbers to choose from.
const mostCounted = 99

// after collects what the page of an order shows of the time after it was paid.
func (s *Storefront) after(r *http.Request, o *orders.Order, access orders.Access) (orderAfter, error) {
	a := orderAfter{Reasons: returnReasons, Key: id.New("key"), ReturnBy: s.Orders.ReturnBy(o)}
	if s.Now().Before(a.ReturnBy) {
		for _, l := range o.Lines {
			most := min(o.Returnable(l.ID), mostCounted)
			if most <= 0 {
				continue
			}
			line := returnableLine{Line: l, Most: most}
			for n := range most + 1 {
				line.Counts = append(line.Counts, n)
			}
			a.Returnable = append(a.Returnable, line)
		}
	}
	if payable(o) {
		a.PayWays, a.Paying = s.Orders.PaymentMethods(), r.PostForm.Get("payment")
		if a.Paying == "" && len(a.PayWays) > 0 {
			a.Paying = a.PayWays[0].Provider + "/" + a.PayWays[0].Method
		}
	}
	link := func(other orders.ID) string {
		if o.CustomerID != "" {
			return orderPath(other)
		}
		return orderPath(other) + "?secret=" + url.QueryEscape(s.Orders.Secret(other))
	}
	for _, sup := range o.Supplements {
		a.Others = append(a.Others, linkedOrder{sup, link(sup.OrderID)})
	}
	if o.Parent != nil {
		a.MadeFor = &linkedOrder{*o.Parent, link(o.Parent.ParentID)}
	}
	timeline, err := s.Orders.Timeline(r.Context(), o.ID, access)
	if err != nil {
		return a, err
	}
	for _, e := range timeline {
		if text := inWords(e); text != "" {
			a.Happened = append(a.Happened, happening{At: e.At, Text: text, Note: e.Note})
		}
	}
	return a, nil
}

// payable reports whether an order can be paid from its page: one that was made for another. One that came out of a cart
// is paid in the checkout.
func payable(o *orders.Order) bool {
	if o.Status != orders.PendingPayment || o.Parent == nil {
		return false
	}
	p := lastPayment(o)
	return p == nil || p.Status != payUnknown && p.Status != paySending
}

// inWords says what happened; empty for what a shopper need not read.
func inWords(e orders.TimelineEntry) string {
	amount := ""
	if e.Amount != nil {
		amount = price(*e.Amount)
	}
	switch e.Kind {
	case "placed":
		return "Ordered"
	case "paid":
		return "Paid"
	case "fulfilled":
		return strings.TrimSpace("A parcel left our house " + brackets(e.Detail))
	case "tracking_changed":
		return "The parcel can be followed " + brackets(e.Detail)
	case "lines_cancelled":
		return "Something was taken off the order"
	case "addition":
		return "Added as order " + e.Detail
	case "exchange":
		return "Exchanged by order " + e.Detail
	case "refund_promised":
		return amount + " go back to you"
	case "refunded":
		return amount + " were sent back to you"
	case "payment_failed":
		return "A payment did not work"
	case "address_changed":
		return "The address was changed"
	case "document":
		return e.Detail + " was written"
	case "cancelled":
		return "Cancelled"
	case "completed":
		return "Completed"
	case "return_requested":
		return "You asked to give something back"
	case "return_approved":
		return "We are waiting for what you send back"
	case "return_received":
		return "What you sent back has arrived"
	case "return_rejected":
		return "We could not take something back"
	case "return_cancelled":
		return "A return was called off"
	}
	return ""
}

func brackets(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// returnWord is what a shopper is told about the state of a return.
func returnWord(status orders.ReturnStatus) string {
	switch status {
	case orders.ReturnRequested:
		return "We look at it"
	case orders.ReturnApproved:
		return "Please send it back"
	case orders.ReturnReceived:
		return "It has arrived"
	case orders.ReturnRejected:
		return "We cannot take it back"
	}
	return "Called off"
}

// requestReturn asks to give things back. The key in the form makes a second press of the button the same request.
func (s *Storefront) requestReturn(w http.ResponseWriter, r *http.Request) error {
	return s.changeOrder(w, r, "return-requested", func(orderID orders.ID, access orders.Access) error {
		req := orders.ReturnRequest{
			Reason: r.PostForm.Get("reason"), Note: strings.TrimSpace(r.PostForm.Get("note")), Actor: actorOf(access), Key: r.PostForm.Get("key"),
		}
		if !knownReason(req.Reason) || len(req.Note) > maxReturnNote {
			return errs.New(errs.Invalid, "validation_failed", "Say why, in a few words.")
		}
		for field, values := range r.PostForm {
			line, ok := strings.CutPrefix(field, "pieces.")
			if !ok {
				continue
			}
			n, err := strconv.Atoi(values[0])
			if err != nil {
				return orders.ErrQuantity
			}
			if n != 0 {
				req.Lines = append(req.Lines, orders.LinePieces{LineID: line, Quantity: n})
			}
		}
		if len(req.Lines) == 0 {
			return errs.New(errs.Invalid, "validation_failed", "Say how many pieces of what you want to give back.")
		}
		_, err := s.Orders.RequestReturn(r.Context(), orderID, access, req)
		return err
	})
}

const maxReturnNote = 1000

func knownReason(reason string) bool {
	for _, c := range returnReasons {
		if c.Value == reason {
			return true
		}
	}
	return false
}

func actorOf(a orders.Access) string {
	if a.CustomerID != "" {
		return "customer:" + a.CustomerID
	}
	return "guest"
}

func (s *Storefront) cancelReturn(w http.ResponseWriter, r *http.Request) error {
	return s.changeOrder(w, r, "return-cancelled", func(orderID orders.ID, access orders.Access) error {
		_, err := s.Orders.CancelReturn(r.Context(), orderID, chi.URLParam(r, "return"), access)
		return err
	})
}

// changeOrder does one thing to an order and shows it again, with what was wrong.
func (s *Storefront) changeOrder(w http.ResponseWriter, r *http.Request, notice string, change func(orders.ID, orders.Access) error) error {
	orderID := orders.ID(chi.URLParam(r, "id"))
	access, err := s.access(w, r, orderID)
	if err != nil {
		return err
	}
	account := r.PostForm.Get("from") == "account"
	if err := change(orderID, access); err != nil {
		if kind := errs.KindOf(err); kind == errs.Conflict || kind == errs.Invalid || kind == errs.PaymentRequired || kind == errs.Unavailable && errs.As(err) != nil {
			return s.showOrder(w, r, statusOf(err), orderID, account, errs.As(err).Detail)
		}
		return err
	}
	s.leaveNotice(w, notice)
	if account {
		return redirect(w, r, "/account/orders/"+url.PathEscape(string(orderID)))
	}
	return redirect(w, r, orderPath(orderID))
}

// payOrder pays an order that was made for another one.
func (s *Storefront) payOrder(w http.ResponseWriter, r *http.Request) error {
	orderID := orders.ID(chi.URLParam(r, "id"))
	access, err := s.access(w, r, orderID)
	if err != nil {
		return err
	}
	provider, method, ok := s.paymentMethod(r.PostForm.Get("payment"))
	if !ok {
		return s.showOrder(w, r, http.StatusUnprocessableEntity, orderID, false, "Choose a way to pay.")
	}
	placed, err := s.Orders.PayOrder(r.Context(), orders.PayRequest{
		OrderID: orderID, Access: access, Provider: provider, Method: method, ReturnURL: s.BaseURL + "/order/return",
	})
	if err != nil {
		if e := errs.As(err); e != nil && e.Kind != errs.NotFound {
			return s.showOrder(w, r, statusOf(err), orderID, false, e.Detail)
		}
		return err
	}
	return redirect(w, r, afterOrder(placed))
}

// document sends an invoice or a credit note. A link in a mail brings the secret along.
func (s *Storefront) document(w http.ResponseWriter, r *http.Request) error {
	orderID := orders.ID(chi.URLParam(r, "id"))
	access, err := s.access(w, r, orderID)
	if err != nil {
		return err
	}
	if secret := r.Form.Get("secret"); secretForm.MatchString(secret) {
		access.OrderSecret = secret
	}
	pdf, err := s.Orders.DocumentPDF(r.Context(), orderID, access, chi.URLParam(r, "document"))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", `inline; filename="`+pdf.Name+`"`)
	h.Set("Cache-Control", "private, no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address may carry a secret
	h.Set("Content-Length", strconv.Itoa(len(pdf.Body)))
	_, _ = w.Write(pdf.Body) // the shopper hung up: nobody is left to tell
	return nil
}
