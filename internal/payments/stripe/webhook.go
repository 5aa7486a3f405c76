package stripe

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76/webhook"

	"shopd/internal/money"
	"shopd/internal/payments"
	"shopd/internal/platform/errs"
)

// tolerance is how old a signature may be.
const tolerance = 5 * time.Minute

var errUnreadable = errs.New(errs.Malformed, "malformed_body", "The body is no event of Stripe.")

// event is what is read of a webhook. Its version does not matter: what counts is fetched in the version of the SDK.
type event struct {
	ID         string `json:"id"`
	Type       string `json:"type"`
	APIVersion string `json:"api_version"`
	Account    string `json:"account"`
	Created    int64  `json:"created"`
	Live       bool   `json:"livemode"`
	Data       struct {
		Object struct {
			ID          string            `json:"id"`
			Object      string            `json:"object"`
			Amount      *int64            `json:"amount"`
			AmountTotal *int64            `json:"amount_total"`
			Currency    string            `json:"currency"`
			Metadata    map[string]string `json:"metadata"`
			Intent      json.RawMessage   `json:"payment_intent"` // an id, or the object itself
		} `json:"object"`
	} `json:"data"`
}

// knownTypes begin like these.
var knownTypes = []string{"payment_intent.", "charge.succeeded", "charge.captured", "charge.failed", "charge.refund", "refund.", "checkout.session."}

// Hint implements payments.Teller: the signature is over the raw body, by one of our secrets, in scheme v1, and new.
func (g *Gateway) Hint(header http.Header, body []byte) (payments.Hint, error) {
	signed := false
	for _, secret := range g.cfg.WebhookSecrets {
		if secret != "" && webhook.ValidatePayloadWithTolerance(body, header.Get("Stripe-Signature"), secret, tolerance) == nil {
			signed = true
			break
		}
	}
	if !signed {
		return payments.Hint{}, payments.ErrSignature
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil || e.ID == "" || e.Type == "" {
		return payments.Hint{}, errUnreadable
	}
	h := payments.Hint{
		EventID: e.ID, Type: e.Type, APIVersion: e.APIVersion, Account: e.Account, Live: e.Live, OccurredAt: time.Unix(e.Created, 0).UTC(), Known: known(e.Type),
	}
	switch {
	case e.Account != "":
		h.Wrong = "it is of another account: " + e.Account
	case e.Live != g.live():
		h.Wrong = "it is of the other mode than our key, live or test"
	}
	o := e.Data.Object
	h.PaymentID, h.OrderID = o.Metadata[metaPayment], o.Metadata[metaOrder]
	switch o.Object {
	case "payment_intent":
		h.ObjectRef, h.Amount = o.ID, amountOf(o.Amount, o.Currency)
	case "charge":
		h.ObjectRef, h.Amount = idIn(o.Intent), amountOf(o.Amount, o.Currency)
	case "refund":
		h.ObjectRef = idIn(o.Intent)
	case "checkout.session":
		h.Amount = amountOf(o.AmountTotal, o.Currency)
		if h.ObjectRef = idIn(o.Intent); h.ObjectRef == "" {
			h.ObjectRef = o.ID
		}
	}
	return h, nil
}

func known(kind string) bool {
	for _, k := range knownTypes {
		if strings.HasPrefix(kind, k) {
			return true
		}
	}
	return false
}

func amountOf(minor *int64, currency string) *money.Amount {
	if minor == nil || currency == "" {
		return nil
	}
	a := fromStripe(*minor, currency)
	return &a
}

// idIn reads an id, or the id of an object.
func idIn(raw json.RawMessage) string {
	var id string
	if json.Unmarshal(raw, &id) == nil {
		return id
	}
	var object struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(raw, &object) != nil {
		return ""
	}
	return object.ID
}
