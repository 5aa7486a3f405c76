package paypal

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"shopd/internal/money"
	"shopd/internal/payments/gatewaytest"
)

// Names in the detail of a payment in the book.
const (
	detailIntent        = "intent" // CAPTURE or AUTHORIZE
	detailReturn        = "return_url"
	detailCancel        = "cancel_url"
	detailAuthorization = "authorization"
	detailVoided        = "voided"
)

// orderRequest is what the body of an order may say.
type orderRequest struct {
	Intent        string          `json:"intent"`
	Payer         json.RawMessage `json:"payer"`
	PurchaseUnits []struct {
		ReferenceID    string          `json:"reference_id"`
		CustomID       string          `json:"custom_id"`
		InvoiceID      string          `json:"invoice_id"`
		Description    string          `json:"description"`
		SoftDescriptor string          `json:"soft_descriptor"`
		Amount         *cash           `json:"amount"`
		Payee          json.RawMessage `json:"payee"`
		Items          json.RawMessage `json:"items"`
		Shipping       json.RawMessage `json:"shipping"`
	} `json:"purchase_units"`
	ApplicationContext struct {
		BrandName          string          `json:"brand_name"`
		Locale             string          `json:"locale"`
		LandingPage        string          `json:"landing_page"`
		ShippingPreference string          `json:"shipping_preference"`
		UserAction         string          `json:"user_action"`
		ReturnURL          string          `json:"return_url"`
		CancelURL          string          `json:"cancel_url"`
		PaymentMethod      json.RawMessage `json:"payment_method"`
	} `json:"application_context"`
}

func (d *Double) createOrder(w http.ResponseWriter, r *http.Request) {
	var body orderRequest
	if !read(w, r, &body) {
		return
	}
	call := gatewaytest.Call{Operation: gatewaytest.OpCreate, Key: r.Header.Get("PayPal-Request-Id"), Scope: "create"}
	if len(body.PurchaseUnits) > 0 {
		call.OrderID, call.PaymentID = body.PurchaseUnits[0].ReferenceID, body.PurchaseUnits[0].CustomID
	}
	text, err := json.Marshal(body)
	if err != nil {
		send(w, trouble{}.ServerError(0))
		return
	}
	call.Fingerprint = string(text)
	d.Desk.Serve(w, r, call, func(*gatewaytest.Rule) gatewaytest.Reply { return d.create(body) })
}

func (d *Double) create(body orderRequest) gatewaytest.Reply {
	if body.Intent != "CAPTURE" && body.Intent != "AUTHORIZE" {
		return failure(http.StatusBadRequest, "INVALID_REQUEST", "INVALID_PARAMETER_VALUE", "intent is CAPTURE or AUTHORIZE.")
	}
	if len(body.PurchaseUnits) != 1 || body.PurchaseUnits[0].Amount == nil {
		return failure(http.StatusBadRequest, "INVALID_REQUEST", "MISSING_REQUIRED_PARAMETER", "This double takes one purchase unit with an amount.")
	}
	unit := body.PurchaseUnits[0]
	amount, err := unit.Amount.minor()
	if err != nil || amount < 1 {
		return unprocessable("DECIMAL_PRECISION", "The amount is not one of this currency.")
	}
	p, err := d.Book.Add(gatewaytest.Payment{
		Ref: newID(), PaymentID: unit.CustomID, OrderID: unit.ReferenceID, Status: gatewaytest.Open, Amount: amount, Currency: unit.Amount.Currency,
		Detail: map[string]string{
			detailIntent: body.Intent, detailReturn: body.ApplicationContext.ReturnURL, detailCancel: body.ApplicationContext.CancelURL,
		},
	})
	if err != nil {
		return trouble{}.ServerError(0)
	}
	return d.keep(http.StatusCreated, p.Ref, func(p gatewaytest.Payment) object { return d.order(p) })
}

// keep is an answer that repeats with the state the payment has by then, as PayPal does for a known request id.
func (d *Double) keep(status int, ref string, show func(p gatewaytest.Payment) object) gatewaytest.Reply {
	shown := func(status int) gatewaytest.Reply {
		p, _ := d.Book.Get(ref)
		return answer(status, show(p))
	}
	reply := shown(status)
	reply.Keep, reply.Again = true, func() gatewaytest.Reply { return shown(http.StatusOK) }
	return reply
}

// onPayment serves a call about a payment that find finds.
func (d *Double) onPayment(w http.ResponseWriter, r *http.Request, op, fingerprint string, find func(id string) (gatewaytest.Payment, bool),
	effect func(p gatewaytest.Payment, rule *gatewaytest.Rule, key string) gatewaytest.Reply,
) {
	id := chi.URLParam(r, "id")
	p, found := find(id)
	call := gatewaytest.Call{Operation: op, OrderID: p.OrderID, PaymentID: p.PaymentID, Scope: op, Fingerprint: r.URL.Path + fingerprint}
	if r.Method == http.MethodPost {
		call.Key = r.Header.Get("PayPal-Request-Id")
	}
	d.Desk.Serve(w, r, call, func(rule *gatewaytest.Rule) gatewaytest.Reply {
		p, found = find(id)
		if !found {
			return missing()
		}
		return effect(p, rule, call.Key)
	})
}

func (d *Double) getOrder(w http.ResponseWriter, r *http.Request) {
	d.onPayment(w, r, gatewaytest.OpLookup, "", d.Book.Get, func(p gatewaytest.Payment, _ *gatewaytest.Rule, _ string) gatewaytest.Reply {
		return answer(http.StatusOK, d.order(p))
	})
}

var (
	errNotApproved = errors.New("ORDER_NOT_APPROVED")
	errCaptured    = errors.New("ORDER_ALREADY_CAPTURED")
	errAuthorized  = errors.New("ORDER_ALREADY_AUTHORIZED")
	errIntent      = errors.New("ACTION_DOES_NOT_MATCH_INTENT")
	errDeclined    = errors.New("INSTRUMENT_DECLINED")
)

func (d *Double) captureOrder(w http.ResponseWriter, r *http.Request) {
	var body struct {
		PaymentSource json.RawMessage `json:"payment_source"`
	}
	if !read(w, r, &body) {
		return
	}
	d.onPayment(w, r, gatewaytest.OpCapture, "", d.Book.Get, func(p gatewaytest.Payment, rule *gatewaytest.Rule, key string) gatewaytest.Reply {
		return d.take(p, rule, "CAPTURE", func(p *gatewaytest.Payment) {
			p.Status = gatewaytest.Captured
			p.Captures = append(p.Captures, d.movement(key, p.Amount))
		}, r)
	})
}

func (d *Double) authorizeOrder(w http.ResponseWriter, r *http.Request) {
	var body struct {
		PaymentSource      json.RawMessage `json:"payment_source"`
		ApplicationContext json.RawMessage `json:"application_context"`
	}
	if !read(w, r, &body) {
		return
	}
	d.onPayment(w, r, gatewaytest.OpAuthorise, "", d.Book.Get, func(p gatewaytest.Payment, rule *gatewaytest.Rule, _ string) gatewaytest.Reply {
		return d.take(p, rule, "AUTHORIZE", func(p *gatewaytest.Payment) {
			p.Status, p.Detail[detailAuthorization] = gatewaytest.Authorised, newID()
		}, r)
	})
}

// take captures or authorises an order that the shopper approved.
func (d *Double) take(p gatewaytest.Payment, rule *gatewaytest.Rule, intent string, effect func(p *gatewaytest.Payment), r *http.Request) gatewaytest.Reply {
	declined := ""
	if rule != nil && rule.Do == gatewaytest.Decline {
		if declined = rule.Code; declined == "" {
			declined = errDeclined.Error()
		}
	}
	p, err := d.Book.Update(p.Ref, func(p *gatewaytest.Payment) error {
		switch {
		case p.Detail[detailIntent] != intent:
			return errIntent
		case p.Status == gatewaytest.Captured:
			return errCaptured
		case p.Status == gatewaytest.Authorised:
			return errAuthorized
		case p.Status != gatewaytest.Approved:
			return errNotApproved
		case declined != "":
			p.Status, p.Reason = gatewaytest.Open, declined
			return nil
		}
		effect(p)
		return nil
	})
	switch {
	case err != nil:
		return unprocessable(err.Error(), "The order is not in a state that allows this.")
	case declined != "":
		return unprocessable(declined, "The instrument presented was either declined by the processor or bank, or it can't be used for this payment.")
	case p.Status == gatewaytest.Captured:
		d.tell("PAYMENT.CAPTURE.COMPLETED", "capture", p, d.capture(p, p.Captures[0]))
	default:
		d.tell("PAYMENT.AUTHORIZATION.CREATED", "authorization", p, d.authorization(p))
	}
	whole := r.Header.Get("Prefer") == "return=representation"
	return d.keep(http.StatusCreated, p.Ref, func(p gatewaytest.Payment) object {
		if whole {
			return d.order(p)
		}
		return object{"id": p.Ref, "status": statusOf(p), "links": []object{}}
	})
}

// movement is money that comes in; the fee is PayPal's usual 2.49 % and 35 minor units.
func (d *Double) movement(key string, amount int64) gatewaytest.Movement {
	return gatewaytest.Movement{Ref: newID(), Key: key, Amount: amount, Fee: min(amount, 35+(amount*249+5000)/10000), At: d.opts.Now()}
}

func statusOf(p gatewaytest.Payment) string {
	switch p.Status {
	case gatewaytest.Approved:
		return "APPROVED"
	case gatewaytest.Authorised, gatewaytest.Captured:
		return "COMPLETED"
	case gatewaytest.Cancelled:
		if p.Detail[detailAuthorization] != "" {
			return "COMPLETED" // the order is; its authorisation is void
		}
		return "VOIDED"
	}
	if p.Reason != "" {
		return "PAYER_ACTION_REQUIRED"
	}
	return "CREATED"
}

// order is the payment as an order of PayPal's.
func (d *Double) order(p gatewaytest.Payment) object {
	payments := object{}
	if p.Detail[detailAuthorization] != "" {
		payments["authorizations"] = []object{d.authorization(p)}
	}
	var captures, refunds []object
	for _, m := range p.Captures {
		captures = append(captures, d.capture(p, m))
	}
	for _, m := range p.Refunds {
		refunds = append(refunds, d.refund(p, m))
	}
	if captures != nil {
		payments["captures"] = captures
	}
	if refunds != nil {
		payments["refunds"] = refunds
	}
	unit := object{
		"reference_id": p.OrderID, "custom_id": p.PaymentID, "amount": cashOf(p.Amount, p.Currency), "payee": object{"merchant_id": MerchantID},
	}
	if len(payments) > 0 {
		unit["payments"] = payments
	}
	links := []object{{"href": d.opts.BaseURL + "/v2/checkout/orders/" + p.Ref, "rel": "self", "method": "GET"}}
	if p.Status == gatewaytest.Open {
		links = append(links, object{"href": d.opts.BaseURL + "/checkoutnow?token=" + p.Ref, "rel": "approve", "method": "GET"})
	}
	return object{
		"id": p.Ref, "status": statusOf(p), "intent": p.Detail[detailIntent], "purchase_units": []object{unit}, "links": links,
		"create_time": stamp(p.CreatedAt), "update_time": stamp(p.CreatedAt),
	}
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

var approveChoices = []gatewaytest.Choice{{Value: "approve", Label: "Agree and pay"}, {Value: "cancel", Label: "Go back to the shop"}}

// page is where a shopper agrees to a payment.
func (d *Double) page(w http.ResponseWriter, r *http.Request) {
	p, found := d.Book.Get(r.FormValue("token"))
	if !found {
		http.NotFound(w, r)
		return
	}
	gatewaytest.Page{
		Gateway: "PayPal", Title: "Pay with PayPal", Amount: money.New(p.Amount, money.Currency(p.Currency)).String(), Choices: approveChoices,
	}.Show(w)
}

func (d *Double) answerPage(w http.ResponseWriter, r *http.Request) {
	p, found := d.Book.Get(r.FormValue("token"))
	if !found {
		http.NotFound(w, r)
		return
	}
	if r.FormValue("answer") != "approve" {
		d.sendBack(w, r, gatewaytest.WithQuery(p.Detail[detailCancel], "token", p.Ref))
		return
	}
	approved, err := d.Book.Update(p.Ref, func(p *gatewaytest.Payment) error {
		if p.Status != gatewaytest.Open {
			return errCaptured
		}
		p.Status, p.Reason = gatewaytest.Approved, ""
		return nil
	})
	if err == nil {
		d.tell("CHECKOUT.ORDER.APPROVED", "checkout-order", approved, d.order(approved))
	}
	d.sendBack(w, r, gatewaytest.WithQuery(p.Detail[detailReturn], "token", p.Ref, "PayerID", "PAYERDOUBLE"))
}

// sendBack leads the shopper to where the shop said; those are its own addresses.
func (d *Double) sendBack(w http.ResponseWriter, r *http.Request, address string) {
	if address == "" {
		http.Error(w, "The shop did not say where to go back to.", http.StatusOK)
		return
	}
	http.Redirect(w, r, address, http.StatusSeeOther)
}
