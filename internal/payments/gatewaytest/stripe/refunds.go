package stripe

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"shopd/internal/payments/gatewaytest"
)

func (d *Double) refundRoutes(r chi.Router) {
	r.Post("/refunds", d.createRefund)
	r.Get("/refunds", d.listRefunds)
	r.Get("/refunds/{id}", func(w http.ResponseWriter, r *http.Request) {
		d.readOne(w, r, "refund", nil, func(id string, _ form) (gatewaytest.Payment, object) {
			p, found := d.Book.Find(func(p *gatewaytest.Payment) bool {
				return slices.ContainsFunc(p.Refunds, func(m gatewaytest.Movement) bool { return m.Ref == id })
			})
			if !found {
				return p, nil
			}
			i := slices.IndexFunc(p.Refunds, func(m gatewaytest.Movement) bool { return m.Ref == id })
			return p, refund(p, p.Refunds[i])
		})
	})
	r.Get("/charges", func(w http.ResponseWriter, r *http.Request) {
		d.readMany(w, r, []string{"payment_intent", "customer"}, func(f form) []object {
			var found []object
			for _, p := range slices.Backward(d.Book.List(func(p *gatewaytest.Payment) bool {
				return p.Detail[detailCharge] != "" && f.created(p.CreatedAt) && (!f.Has("payment_intent") || p.Ref == f.get("payment_intent"))
			})) {
				found = append(found, d.charge(p, f))
			}
			return found
		})
	})
	r.Get("/charges/{id}", func(w http.ResponseWriter, r *http.Request) {
		d.readOne(w, r, "charge", nil, func(id string, f form) (gatewaytest.Payment, object) {
			p, found := d.Book.Find(func(p *gatewaytest.Payment) bool { return p.Detail[detailCharge] == id })
			if !found {
				return p, nil
			}
			return p, d.charge(p, f)
		})
	})
	r.Get("/balance_transactions", d.listTransactions)
}

var errTooMuch = errors.New("more than is left")

func (d *Double) createRefund(w http.ResponseWriter, r *http.Request) {
	f, err := read(w, r)
	if err != nil {
		send(w, failure(http.StatusBadRequest, "invalid_request_error", "", err.Error(), ""))
		return
	}
	ref := f.get("payment_intent")
	p, found := d.Book.Get(ref)
	if !found && f.get("charge") != "" {
		p, found = d.Book.Find(func(p *gatewaytest.Payment) bool { return p.Detail[detailCharge] == f.get("charge") })
	}
	call := gatewaytest.Call{
		Operation: gatewaytest.OpRefund, OrderID: p.OrderID, PaymentID: p.PaymentID, Key: r.Header.Get("Idempotency-Key"), Fingerprint: f.fingerprint(r),
	}
	d.Desk.Serve(w, r, call, func(*gatewaytest.Rule) gatewaytest.Reply {
		if refused := f.refuse("payment_intent", "charge", "amount", "reason", "metadata[]"); refused != nil {
			return *refused
		}
		if !found {
			return failure(http.StatusBadRequest, "invalid_request_error", "resource_missing", "No such payment_intent: '"+ref+"'", "payment_intent")
		}
		return d.giveBack(p, f, call.Key)
	})
}

func (d *Double) giveBack(p gatewaytest.Payment, f form, key string) gatewaytest.Reply {
	m := gatewaytest.Movement{Ref: newID("re"), ID: f.sub("metadata")[MetadataRefund], Key: key, Amount: p.Captured - p.Refunded, At: d.opts.Now()}
	if n, given := f.number("amount"); given {
		m.Amount = n
	}
	p, err := d.Book.Update(p.Ref, func(p *gatewaytest.Payment) error {
		switch {
		case p.Captured == 0:
			return errState
		case m.Amount < 1 || m.Amount > p.Captured-p.Refunded:
			return errTooMuch
		}
		p.Refunds = append(p.Refunds, m)
		return nil
	})
	switch {
	case errors.Is(err, errState):
		return failure(http.StatusBadRequest, "invalid_request_error", "", "This PaymentIntent does not have a successful charge to refund.", "payment_intent")
	case errors.Is(err, errTooMuch) && p.Refunded == p.Captured:
		return failure(http.StatusBadRequest, "invalid_request_error", "charge_already_refunded", "Charge "+p.Detail[detailCharge]+" has already been refunded.", "")
	case err != nil:
		return failure(http.StatusBadRequest, "invalid_request_error", "", "Refund amount is greater than unrefunded amount on charge.", "amount")
	}
	d.tell("charge.refunded", p, d.charge(p, form{}), key)
	d.tell("refund.created", p, refund(p, m), key)
	return ok(refund(p, m))
}

func refund(p gatewaytest.Payment, m gatewaytest.Movement) object {
	metadata := object{}
	if m.ID != "" {
		metadata = metadataOf(p) // the shop names the payment the same way beside its refund
		metadata[MetadataRefund] = m.ID
	}
	return object{
		"id": m.Ref, "object": "refund", "amount": m.Amount, "currency": strings.ToLower(p.Currency), "payment_intent": p.Ref, "charge": p.Detail[detailCharge],
		"status": "succeeded", "created": m.At.Unix(), "metadata": metadata, "balance_transaction": "txn_" + m.Ref, "reason": nil,
	}
}

func (d *Double) listRefunds(w http.ResponseWriter, r *http.Request) {
	d.readMany(w, r, []string{"payment_intent", "charge"}, func(f form) []object {
		whole := f.expands("payment_intent")
		var found []object
		for _, p := range slices.Backward(d.Book.List(func(p *gatewaytest.Payment) bool {
			return (!f.Has("payment_intent") || p.Ref == f.get("payment_intent")) && (!f.Has("charge") || p.Detail[detailCharge] == f.get("charge"))
		})) {
			for _, m := range slices.Backward(p.Refunds) {
				if !f.created(m.At) {
					continue
				}
				o := refund(p, m)
				if whole {
					o["payment_intent"] = d.intent(p, form{})
				}
				found = append(found, o)
			}
		}
		return found
	})
}

func (d *Double) listTransactions(w http.ResponseWriter, r *http.Request) {
	d.readMany(w, r, []string{"type", "source", "currency"}, func(f form) []object {
		var found []object
		for _, p := range slices.Backward(d.Book.List(nil)) {
			for _, m := range slices.Backward(p.Refunds) {
				if f.created(m.At) {
					t := transaction(p, m, "refund", m.Ref, -1)
					t["id"] = "txn_" + m.Ref
					found = append(found, t)
				}
			}
			for _, m := range p.Captures {
				if f.created(m.At) {
					found = append(found, transaction(p, m, "charge", p.Detail[detailCharge], 1))
				}
			}
		}
		if kind := f.get("type"); kind != "" {
			found = slices.DeleteFunc(found, func(o object) bool { return o["type"] != kind })
		}
		return found
	})
}
