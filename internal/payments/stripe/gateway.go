// Package stripe takes money through Stripe's Payment Intents, by its SDK. Card data never comes near it: shoppers give it
// to Stripe, in its element or on its own page.
package stripe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"

	"shopd/internal/payments"
)

// Config of the gateway. Fields are required unless they say otherwise.
type Config struct {
	SecretKey      string
	WebhookSecrets []string // any of them may sign
	APIURL         string
	// Shop is written beside each payment, so that shops that share an account know their own.
	Shop string
	// Manual authorises at the checkout and leaves the capture to staff.
	Manual bool
	// Timeout bounds one call.
	Timeout time.Duration
	// AbsentAfter is how long after its beginning a payment that Stripe has no trace of, although it has seen its key,
	// counts as never made. Zero takes six times Timeout.
	AbsentAfter time.Duration
	Now         func() time.Time
	// Transport is what calls go through; nil takes http.DefaultTransport.
	Transport http.RoundTripper
}

// Gateway is Stripe.
type Gateway struct {
	cfg Config
	api *client.API
}

// The metadata by which Stripe's objects name ours.
const (
	metaPayment = "shopd_payment"
	metaOrder   = "shopd_order"
	metaRefund  = "shopd_refund"
	metaShop    = "shopd_shop"
	metaFence   = "shopd_fence"
	metaBuyer   = "shopd_customer"
)

// MethodCheckout is the way to pay on Stripe's own page.
const MethodCheckout = "checkout"

const maxAnswer = 4 << 20

// New returns a gateway. It calls nobody.
func New(c Config) *Gateway {
	if c.AbsentAfter == 0 {
		c.AbsentAfter = 6 * c.Timeout
	}
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL:               stripe.String(strings.TrimSuffix(c.APIURL, "/")),
		HTTPClient:        &http.Client{Timeout: c.Timeout, Transport: bounded{c.Transport}},
		MaxNetworkRetries: stripe.Int64(0), // a call that failed is looked up, not made again
		EnableTelemetry:   stripe.Bool(false),
		LeveledLogger:     &stripe.LeveledLogger{Level: stripe.LevelNull},
	})
	return &Gateway{cfg: c, api: client.New(c.SecretKey, &stripe.Backends{API: backend})}
}

// bounded cuts off answers that are longer than any of Stripe's.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxAnswer), res.Body}
	}
	return res, err
}

var methodForm = regexp.MustCompile(`^(checkout|pm_[A-Za-z0-9_]{1,100})?$`)

// Accepts reports whether a method is one of Stripe's: nothing (the shopper chooses in Stripe's element), "checkout"
// (Stripe's own page), or the id of a payment method.
func (g *Gateway) Accepts(method string) bool { return methodForm.MatchString(method) }

// live reports whether the key moves real money.
func (g *Gateway) live() bool {
	return strings.HasPrefix(g.cfg.SecretKey, "sk_live_") || strings.HasPrefix(g.cfg.SecretKey, "rk_live_")
}

func params(ctx context.Context) stripe.Params { return stripe.Params{Context: ctx} }

// errKeyUsed says that the idempotency key has been used for something else.
var errKeyUsed = errors.New("stripe: the key was used before")

// errKeyBusy says that the first call under the idempotency key is still under way.
var errKeyBusy = errors.New("stripe: the key is in use")

// explain says what an error of the SDK tells about what happened. Its text carries nothing of the objects in the answer.
func explain(err error) error {
	var e *stripe.Error
	if !errors.As(err, &e) {
		return err
	}
	text := fmt.Sprintf("stripe answered %d %s %s: %s (request %s)", e.HTTPStatusCode, e.Type, e.Code, e.Msg, e.RequestID)
	switch status := e.HTTPStatusCode; {
	case status == http.StatusTooManyRequests, status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Errorf("%w: %s", payments.ErrNotSent, text)
	case e.Code == "idempotency_key_in_use", status == http.StatusConflict:
		return fmt.Errorf("%w: %s", errKeyBusy, text)
	case e.Type == stripe.ErrorTypeIdempotency:
		return fmt.Errorf("%w: %s", errKeyUsed, text)
	case status >= http.StatusInternalServerError:
		return fmt.Errorf("%w: %s", payments.ErrFailed, text)
	case status >= http.StatusBadRequest:
		return &payments.Refused{Code: string(e.Code), Reason: e.Msg}
	}
	return errors.New(text)
}

// Ping implements payments.Gateway.
func (g *Gateway) Ping(ctx context.Context) error {
	_, err := g.api.Balance.Get(&stripe.BalanceParams{Params: params(ctx)})
	return explain(err)
}
