package stripe

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"shopd/internal/payments/gatewaytest"
)

// behaviour is what a card does when it is to pay.
type behaviour struct {
	decline string // the reason, empty when it pays
	secure  bool   // it wants to see the shopper first
}

// cards are Stripe's own names of cards for tests.
var cards = map[string]behaviour{
	"pm_card_visa":                            {},
	"pm_card_mastercard":                      {},
	"pm_card_chargeDeclined":                  {decline: "generic_decline"},
	"pm_card_visa_chargeDeclined":             {decline: "generic_decline"},
	"pm_card_chargeDeclinedInsufficientFunds": {decline: "insufficient_funds"},
	"pm_card_chargeDeclinedExpiredCard":       {decline: "expired_card"},
	"pm_card_authenticationRequired":          {secure: true},
	"pm_card_threeDSecure2Required":           {secure: true},
}

// method is a payment method that a customer keeps.
type method struct {
	id, card, customer string
	created            int64
}

type customer struct {
	id       string
	metadata map[string]string
	created  int64
}

// card finds out how a payment method behaves; ok is false when there is none of that name.
func (d *Double) card(name string) (behaviour, bool) {
	if b, ok := cards[name]; ok {
		return b, true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if m := d.methods[name]; m != nil {
		return cards[m.card], true
	}
	return behaviour{}, false
}

func (d *Double) customerByID(id string) *customer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.customers[id]
}

// save keeps a payment method for a customer.
func (d *Double) save(customerID, name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m := d.methods[name]; m != nil {
		m.customer = customerID
		return
	}
	id := newID("pm")
	d.methods[id] = &method{id: id, card: name, customer: customerID, created: d.opts.Now().Unix()}
}

func (d *Double) customerRoutes(r chi.Router) {
	r.Post("/customers", d.createCustomer)
	r.Get("/customers/{id}", func(w http.ResponseWriter, r *http.Request) {
		d.readOne(w, r, "customer", nil, func(id string, _ form) (gatewaytest.Payment, object) {
			if c := d.customerByID(id); c != nil {
				return gatewaytest.Payment{}, c.object()
			}
			return gatewaytest.Payment{}, nil
		})
	})
	r.Get("/customers/{id}/payment_methods", func(w http.ResponseWriter, r *http.Request) {
		id := chi.URLParam(r, "id")
		d.readMany(w, r, []string{"type"}, func(form) []object {
			d.mu.Lock()
			defer d.mu.Unlock()
			var found []object
			for _, m := range d.methods {
				if m.customer == id {
					found = append(found, m.object())
				}
			}
			return found
		})
	})
	r.Get("/payment_methods/{id}", func(w http.ResponseWriter, r *http.Request) {
		d.readOne(w, r, "payment_method", nil, func(id string, _ form) (gatewaytest.Payment, object) {
			d.mu.Lock()
			defer d.mu.Unlock()
			if m := d.methods[id]; m != nil {
				return gatewaytest.Payment{}, m.object()
			}
			return gatewaytest.Payment{}, nil
		})
	})
	r.Post("/payment_methods/{id}/detach", d.detach)
}

func (d *Double) createCustomer(w http.ResponseWriter, r *http.Request) {
	f, err := read(w, r)
	if err != nil {
		send(w, failure(http.StatusBadRequest, "invalid_request_error", "", err.Error(), ""))
		return
	}
	call := gatewaytest.Call{Operation: gatewaytest.OpCustomer, Key: r.Header.Get("Idempotency-Key"), Fingerprint: f.fingerprint(r)}
	d.Desk.Serve(w, r, call, func(*gatewaytest.Rule) gatewaytest.Reply {
		if refused := f.refuse("email", "name", "description", "metadata[]"); refused != nil {
			return *refused
		}
		c := &customer{id: newID("cus"), metadata: f.sub("metadata"), created: d.opts.Now().Unix()}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.customers[c.id] = c
		return ok(c.object())
	})
}

func (d *Double) detach(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	call := gatewaytest.Call{Operation: gatewaytest.OpCustomer, Key: r.Header.Get("Idempotency-Key"), Fingerprint: r.URL.Path}
	d.Desk.Serve(w, r, call, func(*gatewaytest.Rule) gatewaytest.Reply {
		d.mu.Lock()
		defer d.mu.Unlock()
		m := d.methods[id]
		if m == nil {
			return missing("payment_method", id)
		}
		m.customer = ""
		return ok(m.object())
	})
}

func (c *customer) object() object {
	metadata := object{}
	for k, v := range c.metadata {
		metadata[k] = v
	}
	return object{"id": c.id, "object": "customer", "metadata": metadata, "created": c.created, "livemode": false}
}

func (m *method) object() object {
	brand := "visa"
	if strings.Contains(m.card, "mastercard") {
		brand = "mastercard"
	}
	return object{
		"id": m.id, "object": "payment_method", "type": "card", "customer": nullable(m.customer), "created": m.created, "livemode": false, "metadata": object{},
		"card": object{"brand": brand, "last4": "4242", "exp_month": 12, "exp_year": 2034, "funding": "credit"},
	}
}

func (d *Double) accountRoutes(r chi.Router) {
	r.Get("/account", func(w http.ResponseWriter, r *http.Request) {
		d.Desk.Serve(w, r, gatewaytest.Call{Operation: gatewaytest.OpLookup}, func(*gatewaytest.Rule) gatewaytest.Reply {
			return ok(object{"id": Account, "object": "account", "charges_enabled": true, "payouts_enabled": true, "country": "DE", "default_currency": "eur"})
		})
	})
	r.Get("/balance", func(w http.ResponseWriter, r *http.Request) {
		d.Desk.Serve(w, r, gatewaytest.Call{Operation: gatewaytest.OpLookup}, func(*gatewaytest.Rule) gatewaytest.Reply {
			return ok(object{"object": "balance", "available": []object{}, "pending": []object{}, "livemode": false})
		})
	})
}
