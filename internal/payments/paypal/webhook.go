package paypal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/plutov/paypal/v4"

	"shopd/internal/payments"
	"shopd/internal/platform/errs"
)

var errUnreadable = errs.New(errs.Malformed, "malformed_body", "The body is no event of PayPal.")

// event is what is read of a webhook.
type event struct {
	ID           string    `json:"id"`
	Version      string    `json:"event_version"`
	Type         string    `json:"event_type"`
	ResourceType string    `json:"resource_type"`
	CreatedAt    time.Time `json:"create_time"`
	Resource     struct {
		ID            string        `json:"id"`
		CustomID      string        `json:"custom_id"`
		Amount        *paypal.Money `json:"amount"`
		PurchaseUnits []struct {
			ReferenceID string        `json:"reference_id"`
			CustomID    string        `json:"custom_id"`
			Amount      *paypal.Money `json:"amount"`
		} `json:"purchase_units"`
		Supplementary struct {
			Related struct {
				OrderID string `json:"order_id"`
			} `json:"related_ids"`
		} `json:"supplementary_data"`
	} `json:"resource"`
}

// headers are what PayPal signs with.
var headers = []string{
	"PayPal-Transmission-Id", "PayPal-Transmission-Time", "PayPal-Transmission-Sig", "PayPal-Cert-Url", "PayPal-Auth-Algo",
}

// maxHeader is longer than any of them.
const maxHeader = 1 << 10

// Hint implements payments.Teller. The address of the certificate is looked at and never called: PayPal itself verifies.
func (g *Gateway) Hint(header http.Header, body []byte) (payments.Hint, error) {
	for _, name := range headers {
		if v := header.Get(name); v == "" || len(v) > maxHeader {
			return payments.Hint{}, payments.ErrSignature
		}
	}
	if !g.ours(header.Get("PayPal-Cert-Url")) {
		return payments.Hint{}, payments.ErrSignature
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil || e.ID == "" || e.Type == "" {
		return payments.Hint{}, errUnreadable
	}
	h := payments.Hint{
		EventID: e.ID, Type: e.Type, APIVersion: e.Version, OccurredAt: e.CreatedAt, Live: g.live(), Known: known(e.Type),
		PaymentID: e.Resource.CustomID, ObjectRef: e.Resource.Supplementary.Related.OrderID,
	}
	amount := e.Resource.Amount
	if len(e.Resource.PurchaseUnits) > 0 {
		u := e.Resource.PurchaseUnits[0]
		h.ObjectRef, h.PaymentID, h.OrderID, amount = e.Resource.ID, u.CustomID, u.ReferenceID, u.Amount
	}
	// Of a capture or an authorisation by hand the amount may be a part, and of a refund it is another thing.
	if a := fromPayPal(amount); a.Currency != "" && (len(e.Resource.PurchaseUnits) > 0 || e.ResourceType == "capture" && !g.cfg.Manual) {
		h.Amount = &a
	}
	return h, nil
}

func known(kind string) bool {
	return strings.HasPrefix(kind, "PAYMENT.CAPTURE.") || strings.HasPrefix(kind, "PAYMENT.AUTHORIZATION.") || strings.HasPrefix(kind, "CHECKOUT.")
}

// live reports whether the API moves real money.
func (g *Gateway) live() bool { return g.host == "api-m.paypal.com" || g.host == "api.paypal.com" }

// ours reports whether a certificate is at PayPal's, by the host of the API that we call or PayPal's own names.
func (g *Gateway) ours(certURL string) bool {
	u, err := url.Parse(certURL)
	if err != nil || u.User != nil {
		return false
	}
	if u.Host == g.host {
		return true
	}
	return u.Scheme == "https" && (u.Host == "paypal.com" || strings.HasSuffix(u.Host, ".paypal.com")) && u.Port() == ""
}

// verification is the question whether PayPal sent a webhook. The event is the body to the byte: the SDK writes it anew,
// and what was signed is lost.
func (g *Gateway) verification(header http.Header, body []byte) ([]byte, error) {
	question := map[string]string{
		"auth_algo": header.Get("PayPal-Auth-Algo"), "cert_url": header.Get("PayPal-Cert-Url"), "transmission_id": header.Get("PayPal-Transmission-Id"),
		"transmission_sig": header.Get("PayPal-Transmission-Sig"), "transmission_time": header.Get("PayPal-Transmission-Time"), "webhook_id": g.cfg.WebhookID,
	}
	text, err := json.Marshal(question)
	if err != nil {
		return nil, err
	}
	text = append(text[:len(text)-1], `,"webhook_event":`...)
	text = append(text, bytes.TrimSpace(body)...)
	return append(text, '}'), nil
}

// Verify implements payments.Verifier.
func (g *Gateway) Verify(ctx context.Context, header http.Header, body []byte) error {
	if !json.Valid(body) {
		return errUnreadable
	}
	question, err := g.verification(header, body)
	if err != nil {
		return fmt.Errorf("%w: %w", payments.ErrNotSent, err)
	}
	api, err := g.client(ctx)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.cfg.APIURL+"/v1/notifications/verify-webhook-signature", bytes.NewReader(question))
	if err != nil {
		return fmt.Errorf("%w: %w", payments.ErrNotSent, err)
	}
	var answer paypal.VerifyWebhookResponse
	if err := g.answer(api.SendWithAuth(req, &answer)); err != nil {
		if issue(err) != "" {
			return payments.ErrSignature // it does not even look like one of PayPal's
		}
		return err
	}
	if answer.VerificationStatus != "SUCCESS" {
		return payments.ErrSignature
	}
	return nil
}
