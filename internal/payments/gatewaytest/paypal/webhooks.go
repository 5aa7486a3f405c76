package paypal

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"net/http"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"shopd/internal/payments/gatewaytest"
)

// signingKey is one for all doubles of a process: making one takes a while.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

const certificateName = "CERT-DOUBLE"

// Sign returns the headers that PayPal would send with a body for a webhook.
func (d *Double) sign(body []byte, webhookID string, at time.Time) http.Header {
	transmission, stamp := newID(), at.UTC().Format(time.RFC3339)
	h := http.Header{}
	h.Set("PayPal-Transmission-Id", transmission)
	h.Set("PayPal-Transmission-Time", stamp)
	h.Set("PayPal-Cert-Url", d.opts.BaseURL+"/v1/notifications/certs/"+certificateName)
	h.Set("PayPal-Auth-Algo", "SHA256withRSA")
	key, err := signingKey()
	if err != nil {
		return h
	}
	digest := signed(transmission, stamp, webhookID, body)
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		return h
	}
	h.Set("PayPal-Transmission-Sig", base64.StdEncoding.EncodeToString(signature))
	return h
}

// signed is the digest of what PayPal signs: the body counts by its checksum, to the byte.
func signed(transmission, stamp, webhookID string, body []byte) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%s|%s|%s|%d", transmission, stamp, webhookID, crc32.ChecksumIEEE(body)))
}

func (d *Double) verify(w http.ResponseWriter, r *http.Request) {
	var body struct {
		AuthAlgo         string          `json:"auth_algo"`
		CertURL          string          `json:"cert_url"`
		TransmissionID   string          `json:"transmission_id"`
		TransmissionSig  string          `json:"transmission_sig"`
		TransmissionTime string          `json:"transmission_time"`
		WebhookID        string          `json:"webhook_id"`
		Event            json.RawMessage `json:"webhook_event"`
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	if err != nil {
		send(w, failure(http.StatusBadRequest, "VALIDATION_ERROR", "MALFORMED_REQUEST_JSON", err.Error()))
		return
	}
	d.Desk.Serve(w, r, gatewaytest.Call{Operation: gatewaytest.OpVerify}, func(*gatewaytest.Rule) gatewaytest.Reply {
		verdict := "FAILURE"
		if body.WebhookID == d.opts.WebhookID && body.AuthAlgo == "SHA256withRSA" && d.signs(body.TransmissionID, body.TransmissionTime, body.TransmissionSig, body.Event) {
			verdict = "SUCCESS"
		}
		return answer(http.StatusOK, object{"verification_status": verdict})
	})
}

func (d *Double) signs(transmission, stamp, signature string, event []byte) bool {
	key, err := signingKey()
	if err != nil {
		return false
	}
	sig, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return false
	}
	digest := signed(transmission, stamp, d.opts.WebhookID, event)
	return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], sig) == nil
}

func (d *Double) getWebhook(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	d.Desk.Serve(w, r, gatewaytest.Call{Operation: gatewaytest.OpLookup}, func(*gatewaytest.Rule) gatewaytest.Reply {
		if id != d.opts.WebhookID {
			return missing()
		}
		return answer(http.StatusOK, object{"id": id, "url": d.Courier.How().URL, "event_types": []object{{"name": "*"}}})
	})
}

// certificate is what PayPal-Cert-Url names.
func (d *Double) certificate(w http.ResponseWriter, r *http.Request) {
	key, err := signingKey()
	if err != nil || chi.URLParam(r, "id") != certificateName {
		http.NotFound(w, r)
		return
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "messageverificationcerts.paypal.com"},
		NotBefore: d.opts.Now().Add(-time.Hour), NotAfter: d.opts.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	if err := pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
		return // the caller hung up
	}
}
