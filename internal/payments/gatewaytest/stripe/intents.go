package stripe

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"shopd/internal/payments/gatewaytest"
)

// The metadata by which a shop's payments are found in the book.
const (
	MetadataPayment = "shopd_payment"
	MetadataOrder   = "shopd_order"
	MetadataRefund  = "shopd_refund"
)

// Names in the detail of a payment in the book.
const (
	detailSecret    = "client_secret"
	detailCustomer  = "customer"
	detailMethod    = "payment_method"
	detailReturn    = "return_url"
	detailCharge    = "charge"
	detailManual    = "manual"
	detailCancelled = "cancellation_reason"
	detailSave      = "setup_future_usage"
	detailSession   = "session"
	detailMetadata  = "metadata:" // and the name
)

func (d *Double) intentRoutes(r chi.Router) {
	r.Post("/payment_intents", d.createIntent)
	r.Get("/payment_intents", d.listIntents)
	r.Get("/payment_intents/search", d.searchIntents)
	r.Get("/payment_intents/{id}", d.getIntent)
	r.Post("/payment_intents/{id}/confirm", d.onIntent(gatewaytest.OpCharge, d.confirmed, "payment_method", "return_url", "off_session", "setup_future_usage"))
	r.Post("/payment_intents/{id}/capture", d.onIntent(gatewaytest.OpCapture, d.capture, "amount_to_capture", "metadata[]"))
	r.Post("/payment_intents/{id}/cancel", d.onIntent(gatewaytest.OpVoid, d.cancel, "cancellation_reason"))
}

func (d *Double) createIntent(w http.ResponseWriter, r *http.Request) {
	f, err := read(w, r)
	if err != nil {
		send(w, failure(http.StatusBadRequest, "invalid_request_error", "", err.Error(), ""))
		return
	}
	metadata := f.sub("metadata")
	op := gatewaytest.OpCreate
	if f.get("confirm") == "true" {
		op = gatewaytest.OpCharge
	}
	call := gatewaytest.Call{
		Operation: op, OrderID: metadata[MetadataOrder], PaymentID: metadata[MetadataPayment],
		Key: r.Header.Get("Idempotency-Key"), Fingerprint: f.fingerprint(r),
	}
	d.Desk.Serve(w, r, call, func(rule *gatewaytest.Rule) gatewaytest.Reply {
		if refused := f.refuse("amount", "currency", "metadata[]", "description", "confirm", "payment_method", "payment_method_types[]",
			"automatic_payment_methods[]", "capture_method", "customer", "setup_future_usage", "return_url", "receipt_email", "statement_descriptor",
			"statement_descriptor_suffix", "off_session", "confirmation_method", "error_on_requires_action", "shipping[]"); refused != nil {
			return *refused
		}
		return d.create(f, metadata, rule, call.Key)
	})
}

var currencyForm = regexp.MustCompile(`^[a-z]{3}$`)

func (d *Double) create(f form, metadata map[string]string, rule *gatewaytest.Rule, key string) gatewaytest.Reply {
	amount, isNumber := f.number("amount")
	switch {
	case !isNumber:
		return failure(http.StatusBadRequest, "invalid_request_error", "parameter_missing", "Missing required param: amount.", "amount")
	case amount < 1:
		return failure(http.StatusBadRequest, "invalid_request_error", "amount_too_small", "Amount must be at least 1.", "amount")
	case amount > 99_999_999:
		return failure(http.StatusBadRequest, "invalid_request_error", "amount_too_large", "Amount must be no more than 999,999.99.", "amount")
	case !currencyForm.MatchString(strings.ToLower(f.get("currency"))):
		return failure(http.StatusBadRequest, "invalid_request_error", "", "Invalid currency: "+f.get("currency"), "currency")
	}
	if c := f.get("customer"); c != "" && d.customerByID(c) == nil {
		return failure(http.StatusBadRequest, "invalid_request_error", "resource_missing", "No such customer: '"+c+"'", "customer")
	}
	p, err := d.Book.Add(d.newPayment(amount, f, metadata))
	if err != nil {
		return trouble{}.ServerError(0)
	}
	d.tell("payment_intent.created", p, d.intent(p, f), key)
	if f.get("confirm") == "true" {
		return d.confirmed(p, f, rule, key)
	}
	return ok(d.intent(p, f))
}

func (d *Double) newPayment(amount int64, f form, metadata map[string]string) gatewaytest.Payment {
	ref := newID("pi")
	p := gatewaytest.Payment{
		Ref: ref, PaymentID: metadata[MetadataPayment], OrderID: metadata[MetadataOrder], Status: gatewaytest.Open, Amount: amount,
		Currency: strings.ToUpper(f.get("currency")), Detail: map[string]string{
			detailSecret: ref + "_secret_" + newID("s"), detailCustomer: f.get("customer"), detailMethod: f.get("payment_method"),
			detailReturn: f.get("return_url"), detailSave: f.get("setup_future_usage"),
		},
	}
	if f.get("capture_method") == "manual" {
		p.Detail[detailManual] = "true"
	}
	for name, value := range metadata {
		p.Detail[detailMetadata+name] = value
	}
	return p
}

// onIntent serves a call that changes an intent which is there.
func (d *Double) onIntent(op string, effect func(p gatewaytest.Payment, f form, rule *gatewaytest.Rule, key string) gatewaytest.Reply, known ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, err := read(w, r)
		if err != nil {
			send(w, failure(http.StatusBadRequest, "invalid_request_error", "", err.Error(), ""))
			return
		}
		ref := chi.URLParam(r, "id")
		p, found := d.Book.Get(ref)
		call := gatewaytest.Call{
			Operation: op, OrderID: p.OrderID, PaymentID: p.PaymentID, Key: r.Header.Get("Idempotency-Key"), Fingerprint: f.fingerprint(r),
		}
		d.Desk.Serve(w, r, call, func(rule *gatewaytest.Rule) gatewaytest.Reply {
			if refused := f.refuse(known...); refused != nil {
				return *refused
			}
			if !found {
				return missing("payment_intent", ref)
			}
			return effect(p, f, rule, call.Key)
		})
	}
}

// confirmed is an intent that its payment method pays, is declined for, or wants to see the shopper for.
func (d *Double) confirmed(p gatewaytest.Payment, f form, rule *gatewaytest.Rule, key string) gatewaytest.Reply {
	chosen := f.get("payment_method")
	if chosen == "" {
		chosen = p.Detail[detailMethod]
	}
	card, known := d.card(chosen)
	if !known {
		return failure(http.StatusBadRequest, "invalid_request_error", "resource_missing", "No such PaymentMethod: '"+chosen+"'", "payment_method")
	}
	switch {
	case rule == nil:
	case rule.Do == gatewaytest.Decline:
		if card = (behaviour{decline: rule.Code}); card.decline == "" {
			card.decline = "generic_decline"
		}
	case rule.Do == gatewaytest.NeedsAction:
		card = behaviour{secure: true}
	}
	returning := f.get("return_url")
	p, err := d.Book.Update(p.Ref, func(p *gatewaytest.Payment) error {
		if p.Status != gatewaytest.Open && p.Status != gatewaytest.RequiresAction {
			return errState
		}
		p.Detail[detailMethod] = chosen
		if returning != "" {
			p.Detail[detailReturn] = returning
		}
		d.pay(p, card, key)
		return nil
	})
	if err != nil {
		return wrongState(p, "confirm")
	}
	d.tellPaid(p, key)
	if card.decline != "" {
		reply := answer(http.StatusPaymentRequired, object{"error": merge(declineOf(card.decline), object{"payment_intent": d.intent(p, f)})})
		return reply
	}
	return ok(d.intent(p, f))
}

var errState = errors.New("the intent is not in a state that allows this")

// pay is what a card does to an intent.
func (d *Double) pay(p *gatewaytest.Payment, card behaviour, key string) {
	p.Reason = ""
	switch {
	case card.decline != "":
		p.Status, p.Reason = gatewaytest.Open, card.decline
	case card.secure:
		p.Status = gatewaytest.RequiresAction
	case p.Detail[detailManual] != "":
		p.Status = gatewaytest.Authorised
		p.Detail[detailCharge] = newID("ch")
	default:
		p.Status = gatewaytest.Captured
		p.Detail[detailCharge] = newID("ch")
		p.Captures = append(p.Captures, d.movement("txn", key, p.Amount))
	}
	if p.Detail[detailSave] != "" && p.Detail[detailCustomer] != "" && (p.Status == gatewaytest.Captured || p.Status == gatewaytest.Authorised) {
		d.save(p.Detail[detailCustomer], p.Detail[detailMethod])
	}
}

// movement is money that comes in; the fee is Stripe's usual 1.5 % and 25 minor units.
func (d *Double) movement(prefix, key string, amount int64) gatewaytest.Movement {
	return gatewaytest.Movement{Ref: newID(prefix), Key: key, Amount: amount, Fee: min(amount, 25+(amount*15+500)/1000), At: d.opts.Now()}
}

func (d *Double) tellPaid(p gatewaytest.Payment, key string) {
	intent := d.intent(p, form{})
	switch p.Status {
	case gatewaytest.Captured:
		d.tell("charge.succeeded", p, d.charge(p, form{}), key)
		d.tell("payment_intent.succeeded", p, intent, key)
	case gatewaytest.Authorised:
		d.tell("charge.succeeded", p, d.charge(p, form{}), key)
		d.tell("payment_intent.amount_capturable_updated", p, intent, key)
	case gatewaytest.RequiresAction:
		d.tell("payment_intent.requires_action", p, intent, key)
	case gatewaytest.Open:
		d.tell("payment_intent.payment_failed", p, intent, key)
	}
}

func (d *Double) capture(p gatewaytest.Payment, f form, _ *gatewaytest.Rule, key string) gatewaytest.Reply {
	amount := p.Amount
	if n, given := f.number("amount_to_capture"); given {
		amount = n
	}
	if amount < 1 || amount > p.Amount {
		return failure(http.StatusBadRequest, "invalid_request_error", "amount_too_large", "The amount is not between 1 and what was authorised.", "amount_to_capture")
	}
	p, err := d.Book.Update(p.Ref, func(p *gatewaytest.Payment) error {
		if p.Status != gatewaytest.Authorised {
			return errState
		}
		p.Status = gatewaytest.Captured
		p.Captures = append(p.Captures, d.movement("txn", key, amount))
		return nil
	})
	if err != nil {
		return wrongState(p, "capture")
	}
	d.tell("charge.captured", p, d.charge(p, form{}), key)
	d.tell("payment_intent.succeeded", p, d.intent(p, form{}), key)
	return ok(d.intent(p, f))
}

func (d *Double) cancel(p gatewaytest.Payment, f form, _ *gatewaytest.Rule, key string) gatewaytest.Reply {
	p, err := d.Book.Update(p.Ref, func(p *gatewaytest.Payment) error {
		switch p.Status {
		case gatewaytest.Open, gatewaytest.RequiresAction, gatewaytest.Authorised:
			p.Status, p.Detail[detailCancelled] = gatewaytest.Cancelled, f.get("cancellation_reason")
			return nil
		}
		return errState
	})
	if err != nil {
		return wrongState(p, "cancel")
	}
	d.tell("payment_intent.canceled", p, d.intent(p, form{}), key)
	return ok(d.intent(p, f))
}

func wrongState(p gatewaytest.Payment, verb string) gatewaytest.Reply {
	return answer(http.StatusBadRequest, object{"error": object{
		"type": "invalid_request_error", "code": "payment_intent_unexpected_state",
		"message": "You cannot " + verb + " this PaymentIntent because it has a status of " + statusOf(p) + ".",
	}})
}

func (d *Double) getIntent(w http.ResponseWriter, r *http.Request) {
	d.readOne(w, r, "payment_intent", []string{"client_secret"}, func(ref string, f form) (gatewaytest.Payment, object) {
		p, found := d.Book.Get(ref)
		if !found {
			return p, nil
		}
		return p, d.intent(p, f)
	})
}

// readOne serves the reading of one object; find returns nil when there is none.
func (d *Double) readOne(w http.ResponseWriter, r *http.Request, kind string, known []string, find func(id string, f form) (gatewaytest.Payment, object)) {
	f, err := read(w, r)
	if err != nil {
		send(w, failure(http.StatusBadRequest, "invalid_request_error", "", err.Error(), ""))
		return
	}
	id := chi.URLParam(r, "id")
	p, _ := find(id, f)
	d.Desk.Serve(w, r, gatewaytest.Call{Operation: gatewaytest.OpLookup, OrderID: p.OrderID, PaymentID: p.PaymentID}, func(*gatewaytest.Rule) gatewaytest.Reply {
		if refused := f.refuse(known...); refused != nil {
			return *refused
		}
		if _, o := find(id, f); o != nil {
			return ok(o)
		}
		return missing(kind, id)
	})
}

// readMany serves a list; all returns the objects with the newest first.
func (d *Double) readMany(w http.ResponseWriter, r *http.Request, known []string, all func(f form) []object) {
	f, err := read(w, r)
	if err != nil {
		send(w, failure(http.StatusBadRequest, "invalid_request_error", "", err.Error(), ""))
		return
	}
	d.Desk.Serve(w, r, gatewaytest.Call{Operation: gatewaytest.OpList}, func(*gatewaytest.Rule) gatewaytest.Reply {
		if refused := f.refuse(append(known, "limit", "starting_after", "ending_before", "created[]")...); refused != nil {
			return *refused
		}
		page, more := pageOf(f, all(f))
		return ok(list(r.URL.Path, page, more))
	})
}

func (d *Double) listIntents(w http.ResponseWriter, r *http.Request) {
	d.readMany(w, r, []string{"customer"}, func(f form) []object {
		var found []object
		for _, p := range slices.Backward(d.Book.List(func(p *gatewaytest.Payment) bool {
			return f.created(p.CreatedAt) && (!f.Has("customer") || p.Detail[detailCustomer] == f.get("customer"))
		})) {
			found = append(found, d.intent(p, f))
		}
		return found
	})
}

var searchForm = regexp.MustCompile(`^metadata\['([^']+)'\]:'([^']+)'$`)

func (d *Double) searchIntents(w http.ResponseWriter, r *http.Request) {
	f, err := read(w, r)
	if err != nil {
		send(w, failure(http.StatusBadRequest, "invalid_request_error", "", err.Error(), ""))
		return
	}
	d.Desk.Serve(w, r, gatewaytest.Call{Operation: gatewaytest.OpList}, func(*gatewaytest.Rule) gatewaytest.Reply {
		if refused := f.refuse("query", "limit", "page"); refused != nil {
			return *refused
		}
		m := searchForm.FindStringSubmatch(f.get("query"))
		if m == nil {
			return failure(http.StatusBadRequest, "invalid_request_error", "", "This double searches by metadata['name']:'value' only.", "query")
		}
		found := []object{}
		for _, p := range d.Book.List(func(p *gatewaytest.Payment) bool {
			return p.Detail[detailMetadata+m[1]] == m[2] && d.opts.Now().Sub(p.CreatedAt) >= d.opts.SearchLag
		}) {
			found = append(found, d.intent(p, f))
		}
		return ok(object{"object": "search_result", "url": r.URL.Path, "has_more": false, "next_page": nil, "data": found})
	})
}

func statusOf(p gatewaytest.Payment) string {
	switch p.Status {
	case gatewaytest.RequiresAction:
		return "requires_action"
	case gatewaytest.Authorised:
		return "requires_capture"
	case gatewaytest.Captured:
		return "succeeded"
	case gatewaytest.Cancelled:
		return "canceled"
	}
	return "requires_payment_method"
}

// intent is the payment as a PaymentIntent.
func (d *Double) intent(p gatewaytest.Payment, f form) object {
	o := object{
		"id": p.Ref, "object": "payment_intent", "amount": p.Amount, "amount_received": p.Captured, "amount_capturable": int64(0), "currency": strings.ToLower(p.Currency),
		"status": statusOf(p), "client_secret": p.Detail[detailSecret], "created": p.CreatedAt.Unix(), "livemode": false, "metadata": metadataOf(p),
		"capture_method": "automatic", "confirmation_method": "automatic", "customer": nullable(p.Detail[detailCustomer]),
		"payment_method": nullable(p.Detail[detailMethod]), "payment_method_types": []string{"card"}, "setup_future_usage": nullable(p.Detail[detailSave]),
		"latest_charge": nullable(p.Detail[detailCharge]), "next_action": nil, "last_payment_error": nil, "cancellation_reason": nullable(p.Detail[detailCancelled]),
	}
	if p.Detail[detailManual] != "" {
		o["capture_method"] = "manual"
	}
	switch p.Status {
	case gatewaytest.Authorised:
		o["amount_capturable"] = p.Amount
	case gatewaytest.RequiresAction:
		if p.Detail[detailReturn] != "" {
			o["next_action"] = object{"type": "redirect_to_url", "redirect_to_url": object{"url": d.opts.BaseURL + "/pay/" + p.Ref, "return_url": p.Detail[detailReturn]}}
		} else {
			o["next_action"] = object{"type": "use_stripe_sdk", "use_stripe_sdk": object{}}
		}
	case gatewaytest.Open:
		if p.Reason != "" {
			o["last_payment_error"] = declineOf(p.Reason)
			o["payment_method"] = nil
		}
	}
	if p.Detail[detailCharge] != "" && f.Values != nil && f.expands("latest_charge") {
		o["latest_charge"] = d.charge(p, f)
	}
	return o
}

func metadataOf(p gatewaytest.Payment) object {
	m := object{}
	for name, value := range p.Detail {
		if key, ok := strings.CutPrefix(name, detailMetadata); ok {
			m[key] = value
		}
	}
	return m
}

// charge is the payment as a Charge.
func (d *Double) charge(p gatewaytest.Payment, f form) object {
	o := object{
		"id": p.Detail[detailCharge], "object": "charge", "amount": p.Amount, "amount_captured": p.Captured, "amount_refunded": p.Refunded,
		"currency": strings.ToLower(p.Currency), "captured": p.Status == gatewaytest.Captured, "paid": true, "status": "succeeded", "created": p.CreatedAt.Unix(),
		"livemode": false, "metadata": metadataOf(p), "payment_intent": p.Ref, "refunded": p.Refunded > 0 && p.Refunded == p.Captured,
		"customer": nullable(p.Detail[detailCustomer]), "payment_method": nullable(p.Detail[detailMethod]), "balance_transaction": nil,
	}
	if len(p.Captures) > 0 {
		o["balance_transaction"] = p.Captures[0].Ref
		if f.Values != nil && (f.expands("latest_charge.balance_transaction") || f.expands("balance_transaction")) {
			o["balance_transaction"] = transaction(p, p.Captures[0], "charge", p.Detail[detailCharge], 1)
		}
	}
	return o
}

func declineOf(code string) object {
	e := object{"type": "card_error", "code": "card_declined", "decline_code": code, "message": "Your card was declined.", "param": ""}
	switch code {
	case "insufficient_funds":
		e["message"] = "Your card has insufficient funds."
	case "expired_card", "incorrect_cvc", "processing_error", "authentication_required":
		e["code"] = code
	}
	return e
}

func merge(a, b object) object {
	for k, v := range b {
		a[k] = v
	}
	return a
}

// transaction is a movement of the book as a BalanceTransaction; sign is −1 for money that went back.
func transaction(p gatewaytest.Payment, m gatewaytest.Movement, kind, source string, sign int64) object {
	return object{
		"id": m.Ref, "object": "balance_transaction", "amount": sign * m.Amount, "fee": m.Fee, "net": sign*m.Amount - m.Fee, "currency": strings.ToLower(p.Currency),
		"type": kind, "reporting_category": kind, "source": source, "status": "available", "created": m.At.Unix(), "available_on": m.At.Unix(),
		"description": p.PaymentID, "fee_details": []object{}, "exchange_rate": nil,
	}
}
