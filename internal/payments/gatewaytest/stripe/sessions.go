package stripe

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"shopd/internal/money"
	"shopd/internal/payments/gatewaytest"
)

// session is a checkout page of Stripe's own. Its payment intent is made when the shopper pays.
type session struct {
	id, reference, success, cancel string
	status                         string // open, complete, expired
	intent                         string
	payment                        gatewaytest.Payment // what the intent will be
	created, expires               time.Time
}

func (d *Double) sessionRoutes(r chi.Router) {
	r.Post("/checkout/sessions", d.createSession)
	r.Get("/checkout/sessions", func(w http.ResponseWriter, r *http.Request) {
		d.readMany(w, r, []string{"payment_intent", "customer"}, func(f form) []object {
			d.mu.Lock()
			defer d.mu.Unlock()
			var found []object
			for _, s := range d.sessions {
				if !f.Has("payment_intent") || s.intent == f.get("payment_intent") {
					found = append(found, d.sessionObject(s))
				}
			}
			slices.SortFunc(found, func(a, b object) int { return cmp.Compare(createdOf(b), createdOf(a)) })
			return found
		})
	})
	r.Get("/checkout/sessions/{id}", func(w http.ResponseWriter, r *http.Request) {
		d.readOne(w, r, "checkout.session", nil, func(id string, _ form) (gatewaytest.Payment, object) {
			d.mu.Lock()
			defer d.mu.Unlock()
			if s := d.sessions[id]; s != nil {
				return s.payment, d.sessionObject(s)
			}
			return gatewaytest.Payment{}, nil
		})
	})
	r.Post("/checkout/sessions/{id}/expire", d.expireSession)
}

func createdOf(o object) int64 {
	at, _ := o["created"].(int64) // all objects have it
	return at
}

func (d *Double) createSession(w http.ResponseWriter, r *http.Request) {
	f, err := read(w, r)
	if err != nil {
		send(w, failure(http.StatusBadRequest, "invalid_request_error", "", err.Error(), ""))
		return
	}
	metadata := f.sub("payment_intent_data[metadata]")
	if len(metadata) == 0 {
		metadata = f.sub("metadata")
	}
	call := gatewaytest.Call{
		Operation: gatewaytest.OpCreate, OrderID: metadata[MetadataOrder], PaymentID: metadata[MetadataPayment],
		Key: r.Header.Get("Idempotency-Key"), Fingerprint: f.fingerprint(r),
	}
	d.Desk.Serve(w, r, call, func(*gatewaytest.Rule) gatewaytest.Reply {
		if refused := f.refuse("mode", "line_items[]", "success_url", "cancel_url", "client_reference_id", "customer", "metadata[]", "payment_intent_data[]",
			"expires_at", "payment_method_types[]", "submit_type", "customer_creation", "locale"); refused != nil {
			return *refused
		}
		return d.openSession(f, metadata)
	})
}

func (d *Double) openSession(f form, metadata map[string]string) gatewaytest.Reply {
	amount, currency := int64(0), ""
	for i := 0; f.Has(item(i, "quantity")); i++ {
		quantity, _ := f.number(item(i, "quantity"))
		unit, _ := f.number(item(i, "price_data][unit_amount"))
		amount += quantity * unit
		currency = f.get(item(i, "price_data][currency"))
	}
	if f.get("mode") != "payment" || amount < 1 || !currencyForm.MatchString(strings.ToLower(currency)) {
		return failure(http.StatusBadRequest, "invalid_request_error", "", "This double opens sessions with mode=payment and line_items with price_data only.", "line_items")
	}
	if f.get("success_url") == "" {
		return failure(http.StatusBadRequest, "invalid_request_error", "parameter_missing", "Missing required param: success_url.", "success_url")
	}
	of := form{map[string][]string{
		"currency": {currency}, "customer": {f.get("customer")}, "capture_method": {f.get("payment_intent_data[capture_method]")},
		"setup_future_usage": {f.get("payment_intent_data[setup_future_usage]")}, "return_url": {f.get("success_url")},
	}}
	s := &session{
		id: newID("cs_test"), reference: f.get("client_reference_id"), success: f.get("success_url"), cancel: f.get("cancel_url"), status: "open",
		payment: d.newPayment(amount, of, metadata), created: d.opts.Now(), expires: d.opts.Now().Add(24 * time.Hour),
	}
	if n, given := f.number("expires_at"); given {
		s.expires = time.Unix(n, 0)
	}
	s.payment.Detail[detailSession] = s.id
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sessions[s.id] = s
	return ok(d.sessionObject(s))
}

func item(i int, name string) string { return "line_items[" + string(rune('0'+i)) + "][" + name + "]" }

func (d *Double) expireSession(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	d.mu.Lock()
	s := d.sessions[id]
	var of gatewaytest.Payment
	if s != nil {
		of = s.payment
	}
	d.mu.Unlock()
	call := gatewaytest.Call{Operation: gatewaytest.OpVoid, OrderID: of.OrderID, PaymentID: of.PaymentID, Key: r.Header.Get("Idempotency-Key"), Fingerprint: r.URL.Path}
	d.Desk.Serve(w, r, call, func(*gatewaytest.Rule) gatewaytest.Reply {
		d.mu.Lock()
		defer d.mu.Unlock()
		switch {
		case s == nil:
			return missing("checkout.session", id)
		case s.status != "open":
			return failure(http.StatusBadRequest, "invalid_request_error", "", "Only Checkout Sessions with a status in [\"open\"] can be expired.", "")
		}
		s.status = "expired"
		d.tell("checkout.session.expired", s.payment, d.sessionObject(s), call.Key)
		return ok(d.sessionObject(s))
	})
}

// sessionObject is called with the lock held.
func (d *Double) sessionObject(s *session) object {
	if s.status == "open" && d.opts.Now().After(s.expires) {
		s.status = "expired"
	}
	paid := "unpaid"
	if s.status == "complete" {
		paid = "paid"
	}
	o := object{
		"id": s.id, "object": "checkout.session", "mode": "payment", "status": s.status, "payment_status": paid, "amount_total": s.payment.Amount,
		"currency": strings.ToLower(s.payment.Currency), "client_reference_id": nullable(s.reference), "payment_intent": nullable(s.intent),
		"created": s.created.Unix(), "expires_at": s.expires.Unix(), "livemode": false, "metadata": metadataOf(s.payment), "url": nil,
		"success_url": s.success, "cancel_url": nullable(s.cancel),
	}
	if s.status == "open" {
		o["url"] = d.opts.BaseURL + "/pay/" + s.id
	}
	return o
}

var sessionChoices = []gatewaytest.Choice{
	{Value: "approve", Label: "Pay"}, {Value: "decline", Label: "Pay with a card that is declined"}, {Value: "cancel", Label: "Go back to the shop"},
}

var secureChoices = []gatewaytest.Choice{{Value: "approve", Label: "Yes, it is me"}, {Value: "decline", Label: "No, refuse"}}

// page is Stripe's checkout page, or the page of a bank that wants to know that it is the shopper.
func (d *Double) page(w http.ResponseWriter, r *http.Request) {
	ref := chi.URLParam(r, "ref")
	d.mu.Lock()
	s := d.sessions[ref]
	d.mu.Unlock()
	if s != nil {
		d.showPage(w, "Pay by card", s.payment, sessionChoices)
		return
	}
	if p, found := d.Book.Get(ref); found && p.Status == gatewaytest.RequiresAction {
		d.showPage(w, "Is it you?", p, secureChoices)
		return
	}
	http.NotFound(w, r)
}

func (d *Double) showPage(w http.ResponseWriter, title string, p gatewaytest.Payment, choices []gatewaytest.Choice) {
	gatewaytest.Page{
		Gateway: "Stripe", Title: title, Amount: money.New(p.Amount, money.Currency(p.Currency)).String(), Choices: choices,
	}.Show(w)
}

func (d *Double) answerPage(w http.ResponseWriter, r *http.Request) {
	ref, choice := chi.URLParam(r, "ref"), r.FormValue("answer")
	d.mu.Lock()
	s := d.sessions[ref]
	d.mu.Unlock()
	if s != nil {
		d.answerSession(w, r, s, choice)
		return
	}
	if _, found := d.Book.Get(ref); !found {
		http.NotFound(w, r)
		return
	}
	p, err := d.Book.Update(ref, func(p *gatewaytest.Payment) error {
		if p.Status != gatewaytest.RequiresAction {
			return errState
		}
		card := behaviour{}
		if choice != "approve" {
			card.decline = "authentication_required"
		}
		d.pay(p, card, "")
		return nil
	})
	if err == nil {
		d.tellPaid(p, "")
	}
	d.sendBack(w, r, gatewaytest.WithQuery(p.Detail[detailReturn], "payment_intent", p.Ref, "payment_intent_client_secret", p.Detail[detailSecret]))
}

func (d *Double) answerSession(w http.ResponseWriter, r *http.Request, s *session, choice string) {
	if choice == "cancel" {
		d.sendBack(w, r, s.cancel)
		return
	}
	d.mu.Lock()
	if s.status != "open" || d.opts.Now().After(s.expires) {
		d.mu.Unlock()
		d.sendBack(w, r, s.success)
		return
	}
	if choice != "approve" {
		d.mu.Unlock()
		d.showPage(w, "The card was declined. Try another one", s.payment, sessionChoices)
		return
	}
	s.status, s.intent = "complete", s.payment.Ref
	p := s.payment
	d.mu.Unlock()
	p.Detail[detailMethod] = "pm_card_visa"
	d.pay(&p, behaviour{}, "")
	p, err := d.Book.Add(p)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	d.tellPaid(p, "")
	d.mu.Lock()
	done := d.sessionObject(s)
	d.mu.Unlock()
	d.tell("checkout.session.completed", p, done, "")
	d.sendBack(w, r, strings.ReplaceAll(s.success, "{CHECKOUT_SESSION_ID}", s.id))
}

// sendBack leads the shopper to where the shop said; those are its own addresses.
func (d *Double) sendBack(w http.ResponseWriter, r *http.Request, address string) {
	if address == "" {
		http.Error(w, "The shop did not say where to go back to.", http.StatusOK)
		return
	}
	http.Redirect(w, r, address, http.StatusSeeOther)
}
