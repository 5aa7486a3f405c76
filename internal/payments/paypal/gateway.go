// Package paypal takes money through PayPal's Orders v2, by an SDK. The shopper agrees on PayPal's page; only then is the
// money taken.
package paypal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/plutov/paypal/v4"
	"golang.org/x/sync/singleflight"

	"shopd/internal/payments"
)

// Config of the gateway. Fields are required unless they say otherwise.
type Config struct {
	ClientID     string
	ClientSecret string
	WebhookID    string
	APIURL       string
	// Brand is what PayPal's page calls the shop.
	Brand string
	// Manual authorises at the checkout and leaves the capture to staff.
	Manual bool
	// Timeout bounds one call.
	Timeout time.Duration
	Now     func() time.Time
	// Transport is what calls go through; nil takes http.DefaultTransport.
	Transport http.RoundTripper
}

// Gateway is PayPal.
type Gateway struct {
	cfg  Config
	host string // of the API
	http *http.Client

	tokens singleflight.Group
	mu     sync.Mutex
	token  string
	until  time.Time
}

const maxAnswer = 4 << 20

// New returns a gateway. It calls nobody.
func New(c Config) (*Gateway, error) {
	c.APIURL = strings.TrimSuffix(c.APIURL, "/")
	u, err := url.Parse(c.APIURL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the address of PayPal's API is no URL: %q", c.APIURL)
	}
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	return &Gateway{cfg: c, host: u.Host, http: &http.Client{Timeout: c.Timeout, Transport: bounded{c.Transport}}}, nil
}

// bounded cuts off answers that are longer than any of PayPal's.
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

// client returns an SDK client for one call. The SDK's own keeping of tokens locks all callers while one of them waits for
// a new token, and its clients change while they are in use; a client for each call knows neither.
func (g *Gateway) client(ctx context.Context) (*paypal.Client, error) {
	c, err := g.bare()
	if err != nil {
		return nil, err
	}
	token, err := g.accessToken(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: no access token: %w", payments.ErrNotSent, err)
	}
	c.SetAccessToken(token)
	c.SetReturnRepresentation()
	return c, nil
}

func (g *Gateway) bare() (*paypal.Client, error) {
	c, err := paypal.NewClient(g.cfg.ClientID, g.cfg.ClientSecret, g.cfg.APIURL)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", payments.ErrNotSent, err)
	}
	c.SetHTTPClient(g.http)
	return c, nil
}

// tokenMargin is how long before its end a token is not used any more.
const tokenMargin = time.Minute

func (g *Gateway) accessToken(ctx context.Context) (string, error) {
	g.mu.Lock()
	token, until := g.token, g.until
	g.mu.Unlock()
	if token != "" && g.cfg.Now().Before(until) {
		return token, nil
	}
	got := g.tokens.DoChan("", func() (any, error) {
		// Whoever asked first may hang up; the others wait for the token too.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.cfg.Timeout)
		defer cancel()
		c, err := g.bare()
		if err != nil {
			return "", err
		}
		t, err := c.GetAccessToken(ctx)
		if err != nil {
			return "", explain(err)
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.token, g.until = t.Token, g.cfg.Now().Add(time.Duration(t.ExpiresIn)*time.Second-tokenMargin)
		return t.Token, nil
	})
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-got:
		if r.Err != nil {
			return "", r.Err
		}
		token, _ := r.Val.(string) // nothing else is put there
		return token, nil
	}
}

// forget drops a token that PayPal would not take.
func (g *Gateway) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.token = ""
}

// send makes one call with a token. body may be nil; into may be nil for an answer that is not read.
func (g *Gateway) send(ctx context.Context, method, path, requestID string, body, into any) error {
	c, err := g.client(ctx)
	if err != nil {
		return err
	}
	req, err := c.NewRequest(ctx, method, g.cfg.APIURL+path, body)
	if err != nil {
		return fmt.Errorf("%w: %w", payments.ErrNotSent, err)
	}
	if requestID != "" {
		req.Header.Set("PayPal-Request-Id", requestID)
	}
	return g.answer(c.SendWithAuth(req, into))
}

// answer explains an error of a call, and forgets a token that was refused.
func (g *Gateway) answer(err error) error {
	var e *paypal.ErrorResponse
	if errors.As(err, &e) && e.Response != nil && e.Response.StatusCode == http.StatusUnauthorized {
		g.forget()
	}
	return explain(err)
}

// explain says what an error of the SDK tells about what happened.
func explain(err error) error {
	var e *paypal.ErrorResponse
	if !errors.As(err, &e) || e.Response == nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return fmt.Errorf("PayPal's answer is no JSON: %w", err)
		}
		return err
	}
	code := e.Name
	if len(e.Details) > 0 && e.Details[0].Issue != "" {
		code = e.Details[0].Issue
	}
	text := fmt.Sprintf("PayPal answered %d %s: %s (debug id %s)", e.Response.StatusCode, code, e.Message, e.DebugID)
	switch status := e.Response.StatusCode; {
	case status == http.StatusTooManyRequests, status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Errorf("%w: %s", payments.ErrNotSent, text)
	case status == http.StatusConflict:
		return errors.New(text) // the first call under this id is still under way
	case status >= http.StatusInternalServerError:
		return fmt.Errorf("%w: %s", payments.ErrFailed, text)
	}
	return &payments.Refused{Code: code, Reason: e.Message}
}

// issue is PayPal's word for why it refused, empty when it did not.
func issue(err error) string {
	var r *payments.Refused
	if errors.As(err, &r) {
		return r.Code
	}
	return ""
}

// Ping implements payments.Gateway. PayPal has nothing that is cheaper to ask for than the webhook we are set up with.
func (g *Gateway) Ping(ctx context.Context) error {
	c, err := g.client(ctx)
	if err != nil {
		return err
	}
	_, err = c.GetWebhook(ctx, url.PathEscape(g.cfg.WebhookID))
	if issue(g.answer(err)) != "" {
		return fmt.Errorf("PayPal does not know the webhook %s", g.cfg.WebhookID)
	}
	return g.answer(err)
}

// pageURL is where PayPal's pages for shoppers are.
func (g *Gateway) pageURL() string {
	switch g.host {
	case "api-m.paypal.com", "api.paypal.com":
		return "https://www.paypal.com"
	case "api-m.sandbox.paypal.com", "api.sandbox.paypal.com":
		return "https://www.sandbox.paypal.com"
	}
	return g.cfg.APIURL
}
