package paypal

import (
	"strings"

	"github.com/plutov/paypal/v4"

	"shopd/internal/money"
	"shopd/internal/payments"
)

// order is what is read of an order of PayPal's. The SDK's own leaves out authorisations and refunds.
type order struct {
	ID            string        `json:"id"`
	Status        string        `json:"status"`
	Intent        string        `json:"intent"`
	Links         []paypal.Link `json:"links"`
	PurchaseUnits []struct {
		ReferenceID string        `json:"reference_id"` // our order
		CustomID    string        `json:"custom_id"`    // our payment
		Amount      *paypal.Money `json:"amount"`
		Payments    struct {
			Authorizations []authorization `json:"authorizations"`
			Captures       []capture       `json:"captures"`
			Refunds        []refund        `json:"refunds"`
		} `json:"payments"`
	} `json:"purchase_units"`
}

type authorization struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

type capture struct {
	ID       string        `json:"id"`
	Status   string        `json:"status"`
	CustomID string        `json:"custom_id"`
	Amount   *paypal.Money `json:"amount"`
}

type refund struct {
	ID       string        `json:"id"`
	Status   string        `json:"status"`
	CustomID string        `json:"custom_id"` // our refund
	Amount   *paypal.Money `json:"amount"`
}

// whole are the currencies that PayPal takes without decimals although they have some.
var whole = map[money.Currency]bool{"HUF": true, "TWD": true}

// taken are the currencies that PayPal takes.
var taken = func() map[money.Currency]bool {
	all := map[money.Currency]bool{}
	for c := range strings.FieldsSeq("AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN SEK SGD THB TWD USD") {
		all[money.Currency(c)] = true
	}
	return all
}()

// toPayPal is the amount as PayPal writes it.
func toPayPal(a money.Amount) (*paypal.Money, error) {
	if !taken[a.Currency] || whole[a.Currency] && a.Minor%100 != 0 {
		return nil, &payments.Refused{Code: "currency", Reason: "PayPal does not take " + a.String()}
	}
	value := a.Decimal()
	if whole[a.Currency] {
		value = strings.TrimSuffix(value, ".00")
	}
	return &paypal.Money{Currency: string(a.Currency), Value: value}, nil
}

// fromPayPal is the inverse of toPayPal; the zero value for what is no amount.
func fromPayPal(m *paypal.Money) money.Amount {
	if m == nil {
		return money.Amount{}
	}
	a, err := money.ParseDecimal(strings.TrimPrefix(m.Value, "-"), money.Currency(m.Currency))
	if err != nil {
		return money.Amount{}
	}
	return a
}

// PayPal's words for states.
const (
	statusApproved  = "APPROVED"
	statusCompleted = "COMPLETED"
	statusVoided    = "VOIDED"
	statusDeclined  = "DECLINED"
	statusFailed    = "FAILED"
	statusPending   = "PENDING"
	statusRefunded  = "REFUNDED"
	statusInPart    = "PARTIALLY_REFUNDED"
	statusCreated   = "CREATED"
)

// outcome reads an order of PayPal's.
func (o *order) outcome() payments.Outcome {
	out := payments.Outcome{Status: payments.RequiresAction, Ref: o.ID, Seen: &payments.Seen{}}
	if link := o.link(); link != "" {
		out.NextAction = &payments.NextAction{Type: "redirect", URL: link}
	}
	if len(o.PurchaseUnits) == 0 {
		return out
	}
	unit := o.PurchaseUnits[0]
	out.Seen.PaymentID, out.Seen.OrderID, out.Seen.Amount = unit.CustomID, unit.ReferenceID, fromPayPal(unit.Amount)
	out.Seen.Captured = money.New(0, out.Seen.Amount.Currency)
	for _, r := range unit.Payments.Refunds {
		if r.Status == statusCompleted {
			out.Seen.Refunds = append(out.Seen.Refunds, payments.SeenRefund{Ref: r.ID, ID: r.CustomID, Amount: fromPayPal(r.Amount)})
		}
	}
	for _, c := range unit.Payments.Captures {
		switch c.Status {
		case statusCompleted, statusRefunded, statusInPart:
			if a := fromPayPal(c.Amount); a.Currency == out.Seen.Captured.Currency {
				out.Seen.Captured = out.Seen.Captured.Add(a)
			}
			out.Status, out.NextAction = payments.Captured, nil
		case statusPending:
			out.Status, out.NextAction = payments.Unknown, nil // PayPal looks at it; it will tell
		case statusDeclined, statusFailed:
			out.Status, out.NextAction, out.Reason = payments.Declined, nil, "PayPal declined the payment."
		}
	}
	if len(unit.Payments.Captures) > 0 {
		return out
	}
	for _, a := range unit.Payments.Authorizations {
		switch a.Status {
		case statusVoided, "EXPIRED":
			out.Status, out.NextAction = payments.Voided, nil
		case statusDeclined, "DENIED":
			out.Status, out.NextAction, out.Reason = payments.Declined, nil, "PayPal declined the payment."
		default:
			out.Status, out.NextAction = payments.Authorised, nil
		}
	}
	if len(unit.Payments.Authorizations) > 0 {
		return out
	}
	switch o.Status {
	case statusApproved:
		out.Approved = true
	case statusVoided:
		out.Status, out.NextAction = payments.Voided, nil
	}
	return out
}

// link is where the shopper agrees.
func (o *order) link() string {
	for _, l := range o.Links {
		if l.Rel == "approve" || l.Rel == "payer-action" {
			return l.Href
		}
	}
	return ""
}

// captured is the first capture that took money, nil when none did.
func (o *order) captured() *capture {
	if len(o.PurchaseUnits) == 0 {
		return nil
	}
	for i := range o.PurchaseUnits[0].Payments.Captures {
		if c := &o.PurchaseUnits[0].Payments.Captures[i]; c.Status == statusCompleted || c.Status == statusRefunded || c.Status == statusInPart {
			return c
		}
	}
	return nil
}

// authorised is the authorisation that money can be taken of, empty when there is none.
func (o *order) authorised() string {
	if len(o.PurchaseUnits) == 0 {
		return ""
	}
	for _, a := range o.PurchaseUnits[0].Payments.Authorizations {
		if a.Status == statusCreated || a.Status == statusPending {
			return a.ID
		}
	}
	return ""
}
