package paypal

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"shopd/internal/payments/gatewaytest"
)

func (d *Double) byAuthorization(id string) (gatewaytest.Payment, bool) {
	return d.Book.Find(func(p *gatewaytest.Payment) bool { return p.Detail[detailAuthorization] == id })
}

func (d *Double) byCapture(id string) (gatewaytest.Payment, bool) {
	return d.Book.Find(func(p *gatewaytest.Payment) bool { return has(p.Captures, id) })
}

func (d *Double) byRefund(id string) (gatewaytest.Payment, bool) {
	return d.Book.Find(func(p *gatewaytest.Payment) bool { return has(p.Refunds, id) })
}

func has(list []gatewaytest.Movement, ref string) bool {
	return slices.ContainsFunc(list, func(m gatewaytest.Movement) bool { return m.Ref == ref })
}

func (d *Double) getAuthorization(w http.ResponseWriter, r *http.Request) {
	d.onPayment(w, r, gatewaytest.OpLookup, "", d.byAuthorization, func(p gatewaytest.Payment, _ *gatewaytest.Rule, _ string) gatewaytest.Reply {
		return answer(http.StatusOK, d.authorization(p))
	})
}

func (d *Double) captureAuthorization(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Amount         *cash  `json:"amount"`
		InvoiceID      string `json:"invoice_id"`
		NoteToPayer    string `json:"note_to_payer"`
		SoftDescriptor string `json:"soft_descriptor"`
		FinalCapture   bool   `json:"final_capture"`
	}
	if !read(w, r, &body) {
		return
	}
	fingerprint := "all"
	if body.Amount != nil {
		fingerprint = body.Amount.Value
	}
	d.onPayment(w, r, gatewaytest.OpCapture, fingerprint, d.byAuthorization, func(p gatewaytest.Payment, _ *gatewaytest.Rule, key string) gatewaytest.Reply {
		amount := p.Amount
		if body.Amount != nil {
			var err error
			if amount, err = body.Amount.minor(); err != nil || amount < 1 || body.Amount.Currency != p.Currency {
				return unprocessable("INVALID_CURRENCY_CODE", "The amount is not one of this payment.")
			}
		}
		p, err := d.Book.Update(p.Ref, func(p *gatewaytest.Payment) error {
			if p.Status != gatewaytest.Authorised {
				return errors.New("AUTHORIZATION_ALREADY_CAPTURED")
			}
			if amount > p.Amount {
				return errors.New("MAX_CAPTURE_AMOUNT_EXCEEDED")
			}
			p.Status = gatewaytest.Captured
			p.Captures = append(p.Captures, d.movement(key, amount))
			return nil
		})
		if err != nil {
			return unprocessable(err.Error(), "The authorization is not in a state that allows this.")
		}
		d.tell("PAYMENT.CAPTURE.COMPLETED", "capture", p, d.capture(p, p.Captures[0]))
		return d.keep(http.StatusCreated, p.Ref, func(p gatewaytest.Payment) object { return d.capture(p, p.Captures[0]) })
	})
}

func (d *Double) voidAuthorization(w http.ResponseWriter, r *http.Request) {
	d.onPayment(w, r, gatewaytest.OpVoid, "", d.byAuthorization, func(p gatewaytest.Payment, _ *gatewaytest.Rule, _ string) gatewaytest.Reply {
		p, err := d.Book.Update(p.Ref, func(p *gatewaytest.Payment) error {
			switch p.Status {
			case gatewaytest.Authorised:
				p.Status, p.Detail[detailVoided] = gatewaytest.Cancelled, "true"
				return nil
			case gatewaytest.Cancelled:
				return errors.New("PREVIOUSLY_VOIDED")
			}
			return errors.New("PREVIOUSLY_CAPTURED")
		})
		if err != nil {
			return unprocessable(err.Error(), "The authorization is not in a state that allows this.")
		}
		d.tell("PAYMENT.AUTHORIZATION.VOIDED", "authorization", p, d.authorization(p))
		if r.Header.Get("Prefer") == "return=representation" {
			return d.keep(http.StatusOK, p.Ref, d.authorization)
		}
		return gatewaytest.Reply{Status: http.StatusNoContent, Keep: true}
	})
}

func (d *Double) getCapture(w http.ResponseWriter, r *http.Request) {
	d.onPayment(w, r, gatewaytest.OpLookup, "", d.byCapture, func(p gatewaytest.Payment, _ *gatewaytest.Rule, _ string) gatewaytest.Reply {
		return answer(http.StatusOK, d.capture(p, p.Captures[0]))
	})
}

func (d *Double) refundCapture(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Amount      *cash  `json:"amount"`
		CustomID    string `json:"custom_id"`
		InvoiceID   string `json:"invoice_id"`
		NoteToPayer string `json:"note_to_payer"`
	}
	if !read(w, r, &body) {
		return
	}
	text, err := json.Marshal(body)
	if err != nil {
		send(w, trouble{}.ServerError(0))
		return
	}
	d.onPayment(w, r, gatewaytest.OpRefund, string(text), d.byCapture, func(p gatewaytest.Payment, _ *gatewaytest.Rule, key string) gatewaytest.Reply {
		m := gatewaytest.Movement{Ref: newID(), ID: body.CustomID, Key: key, Amount: p.Captured - p.Refunded, At: d.opts.Now()}
		if body.Amount != nil {
			if m.Amount, err = body.Amount.minor(); err != nil || body.Amount.Currency != p.Currency {
				return unprocessable("REFUND_CAPTURE_CURRENCY_MISMATCH", "The amount is not one of this payment.")
			}
		}
		p, err := d.Book.Update(p.Ref, func(p *gatewaytest.Payment) error {
			switch left := p.Captured - p.Refunded; {
			case left == 0:
				return errors.New("CAPTURE_FULLY_REFUNDED")
			case m.Amount < 1 || m.Amount > left:
				return errors.New("REFUND_AMOUNT_EXCEEDED")
			}
			p.Refunds = append(p.Refunds, m)
			return nil
		})
		if err != nil {
			return unprocessable(err.Error(), "The capture cannot be refunded so.")
		}
		d.tell("PAYMENT.CAPTURE.REFUNDED", "refund", p, d.refund(p, m))
		return d.keep(http.StatusCreated, p.Ref, func(p gatewaytest.Payment) object { return d.refund(p, m) })
	})
}

func (d *Double) getRefund(w http.ResponseWriter, r *http.Request) {
	d.onPayment(w, r, gatewaytest.OpLookup, "", d.byRefund, func(p gatewaytest.Payment, _ *gatewaytest.Rule, _ string) gatewaytest.Reply {
		id := chi.URLParam(r, "id")
		i := slices.IndexFunc(p.Refunds, func(m gatewaytest.Movement) bool { return m.Ref == id })
		return answer(http.StatusOK, d.refund(p, p.Refunds[max(i, 0)]))
	})
}

// related names the order that something belongs to, as PayPal does in webhooks.
func related(p gatewaytest.Payment) object {
	return object{"related_ids": object{"order_id": p.Ref}}
}

func (d *Double) authorization(p gatewaytest.Payment) object {
	status := "CREATED"
	switch {
	case p.Detail[detailVoided] != "":
		status = "VOIDED"
	case p.Captured == p.Amount:
		status = "CAPTURED"
	case p.Captured > 0:
		status = "PARTIALLY_CAPTURED"
	}
	return object{
		"id": p.Detail[detailAuthorization], "status": status, "custom_id": p.PaymentID, "amount": cashOf(p.Amount, p.Currency),
		"create_time": stamp(p.CreatedAt), "update_time": stamp(p.CreatedAt), "supplementary_data": related(p), "links": []object{},
	}
}

func (d *Double) capture(p gatewaytest.Payment, m gatewaytest.Movement) object {
	status := "COMPLETED"
	switch {
	case p.Refunded > 0 && p.Refunded == p.Captured:
		status = "REFUNDED"
	case p.Refunded > 0:
		status = "PARTIALLY_REFUNDED"
	}
	return object{
		"id": m.Ref, "status": status, "custom_id": p.PaymentID, "amount": cashOf(m.Amount, p.Currency), "final_capture": true,
		"create_time": stamp(m.At), "update_time": stamp(m.At), "supplementary_data": related(p), "links": []object{},
		"seller_receivable_breakdown": object{
			"gross_amount": cashOf(m.Amount, p.Currency), "paypal_fee": cashOf(m.Fee, p.Currency), "net_amount": cashOf(m.Amount-m.Fee, p.Currency),
		},
	}
}

func (d *Double) refund(p gatewaytest.Payment, m gatewaytest.Movement) object {
	captured := ""
	if len(p.Captures) > 0 {
		captured = p.Captures[0].Ref
	}
	return object{
		"id": m.Ref, "status": "COMPLETED", "custom_id": m.ID, "amount": cashOf(m.Amount, p.Currency), "create_time": stamp(m.At), "update_time": stamp(m.At),
		"supplementary_data": related(p), "links": []object{{"href": d.opts.BaseURL + "/v2/payments/captures/" + captured, "rel": "up", "method": "GET"}},
	}
}

// The event codes of the report of transactions.
const (
	codePayment = "T0006"
	codeRefund  = "T1107"
)

const reportForm = "2006-01-02T15:04:05-0700" // PayPal leaves out the colon of the zone

func (d *Double) transactions(w http.ResponseWriter, r *http.Request) {
	d.Desk.Serve(w, r, gatewaytest.Call{Operation: gatewaytest.OpList}, func(*gatewaytest.Rule) gatewaytest.Reply {
		q := r.URL.Query()
		from, err := time.Parse(time.RFC3339, q.Get("start_date"))
		until, err2 := time.Parse(time.RFC3339, q.Get("end_date"))
		if err != nil || err2 != nil || until.Sub(from) > 31*24*time.Hour {
			return failure(http.StatusBadRequest, "INVALID_REQUEST", "INVALID_DATE_RANGE", "start_date and end_date are RFC 3339 and at most 31 days apart.")
		}
		found := []object{}
		for _, p := range d.Book.List(nil) {
			for _, m := range p.Captures {
				found = append(found, d.line(p, m, codePayment, "", from, until)...)
			}
			for _, m := range p.Refunds {
				found = append(found, d.line(p, m, codeRefund, "-", from, until)...)
			}
		}
		size, page := number(q.Get("page_size"), 100), number(q.Get("page"), 1)
		first, last := min((page-1)*size, len(found)), min(page*size, len(found))
		return answer(http.StatusOK, object{
			"transaction_details": found[first:last], "account_number": MerchantID, "start_date": from.Format(reportForm), "end_date": until.Format(reportForm),
			"last_refreshed_datetime": d.opts.Now().UTC().Format(reportForm), "page": page, "total_items": len(found), "total_pages": max(1, (len(found)+size-1)/size),
		})
	})
}

// line is a movement in the report, if it lies within it.
func (d *Double) line(p gatewaytest.Payment, m gatewaytest.Movement, code, sign string, from, until time.Time) []object {
	at := m.At.UTC().Truncate(time.Second)
	if at.Before(from) || at.After(until) {
		return nil
	}
	amount, fee := cashOf(m.Amount, p.Currency), cashOf(m.Fee, p.Currency)
	amount.Value = sign + amount.Value
	info := object{
		"transaction_id": m.Ref, "transaction_event_code": code, "transaction_status": "S", "transaction_amount": amount, "custom_field": p.PaymentID,
		"transaction_initiation_date": at.Format(reportForm), "transaction_updated_date": at.Format(reportForm),
	}
	if m.Fee > 0 {
		fee.Value = "-" + fee.Value
		info["fee_amount"] = fee
	}
	if code == codeRefund {
		info["paypal_reference_id"], info["paypal_reference_id_type"] = p.Captures[0].Ref, "TXN"
		info["custom_field"] = m.ID
	}
	return []object{{"transaction_info": info}}
}

func number(text string, otherwise int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 500 {
		return otherwise
	}
	return n
}
