package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// running is a command that works until it is told to stop, and the line of JSON that it printed.
type running struct {
	said map[string]any
	stop func()
}

// start runs a command until the end of the test, or until it is stopped.
func start(t *testing.T, command func(ctx context.Context, stdout io.Writer) error) running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := command(ctx, write)
		_ = write.CloseWithError(io.EOF) // a command that fails prints nothing more
		ended <- err
	}()
	stopped := false
	r := running{said: map[string]any{}, stop: func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-ended)
		}
	}}
	t.Cleanup(r.stop)
	line, err := bufio.NewReader(read).ReadBytes('\n')
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(line, &r.said))
	return r
}

// TestDemoIsPaidThroughTheDoubles: a demo offers card and PayPal, and a payment on the double's page becomes a paid order by
// the webhook alone.
func TestDemoIsPaidThroughTheDoubles(t *testing.T) {
	t.Parallel()
	p, data := onEmbedded(t), t.TempDir()
	require.NoError(t, os.Chmod(data, 0o755))
	// Tools that are given no settings find the demo by its directory.
	tool := func(stdout io.Writer) Program { return Program{Version: "test", Stdout: stdout, Stderr: t.Output()} }
	demo := start(t, func(ctx context.Context, stdout io.Writer) error {
		return Program{Version: "test", Environ: p.environ(), Stdout: stdout, Stderr: t.Output()}.Demo(ctx, DemoOptions{Data: data, Addr: "127.0.0.1:0", OpsAddr: "127.0.0.1:0", Empty: true, JSON: true})
	})
	shop, stripe, paypal := demo.said["storefront"].(string), demo.said["stripe"].(string), demo.said["paypal"].(string)

	guest := newClient(t, shop)
	methods := string(guest.get(storeAPI + "/payment-methods").is(http.StatusOK).body)
	require.Contains(t, methods, "Card (Stripe test double)")
	require.Contains(t, methods, "PayPal (test double)")
	csp := guest.get("/").is(http.StatusOK).header.Get("Content-Security-Policy")
	require.Contains(t, csp, "default-src 'self'")
	require.Contains(t, csp, "form-action 'self' "+stripe+" "+paypal, "the checkout may lead to the doubles, and to nobody else")

	file := filepath.Join(t.TempDir(), "products.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(`{"sku":"DEMO-1","title":"A thing","description":"One.","brand":"Nobody","category":"Things","price":{"amount":2500,"currency":"EUR"},"quantity":10,"status":"active"}`), 0o600))
	require.NoError(t, tool(io.Discard).ImportProducts(t.Context(), ImportCommand{File: file, Data: data}))
	for provider, method := range map[string]string{"stripe": "checkout", "paypal": ""} {
		b := newBuyer(newClient(t, shop)).add(article{sku: "DEMO-1"}, 1).checkout()
		var o orderJSON
		b.pay(provider, method).is(http.StatusCreated).decode(&o)
		require.Equal(t, "pending_payment", o.Status)
		page, err := url.Parse(o.Payment.NextAction.URL)
		require.NoError(t, err)
		require.Contains(t, []string{stripe, paypal}, page.Scheme+"://"+page.Host)
		require.True(t, strings.HasPrefix(answers(t, page.String(), "approve"), shop+"/order/return"), "back to the shop")
		b.becomes(o.ID, "paid")
	}

	var examined bytes.Buffer
	require.NoError(t, tool(&examined).Doctor(t.Context(), data), examined.String())
	require.Contains(t, examined.String(), "✓ stripe")
	require.Contains(t, examined.String(), "✓ paypal")
}

// TestDoctorTriesTheGateways: a key that is not let in, and an address where nobody is, are told with what to do.
func TestDoctorTriesTheGateways(t *testing.T) {
	t.Parallel()
	doubles := start(t, func(ctx context.Context, stdout io.Writer) error {
		return Program{Stdout: stdout}.GatewayDoubles(ctx, DoublesOptions{StripeAddr: "127.0.0.1:0", PayPalAddr: "127.0.0.1:0", JSON: true})
	})
	var settings []string
	for _, s := range doubles.said["settings"].([]any) {
		settings = append(settings, s.(string))
	}
	p := onEmbedded(t)
	said, err := examine(t, p, settings...)
	require.NoError(t, err, said)
	require.Contains(t, said, "✓ stripe")
	require.Contains(t, said, "✓ paypal")
	said, err = examine(t, p, append(settings, "SHOPD_STRIPE_SECRET_KEY=sk_test_other", "SHOPD_PAYPAL_WEBHOOK_ID=WH-OTHER")...)
	require.ErrorIs(t, err, ErrReported)
	require.Contains(t, said, "✗ stripe: ")
	require.Contains(t, said, "see that SHOPD_STRIPE_SECRET_KEY")
	require.Contains(t, said, "✗ paypal: PayPal does not know the webhook WH-OTHER")
	doubles.stop()
	said, err = examine(t, p, settings...)
	require.ErrorIs(t, err, ErrReported)
	require.Equal(t, 2, strings.Count(said, "✗"), said)
}

// TestGatewayDoublesCommand runs the doubles as a merchant's tests do: over HTTP alone.
func TestGatewayDoublesCommand(t *testing.T) {
	t.Parallel()
	hooks := make(chan string, 100)
	shop := newHookTaker(t, hooks)
	o := DoublesOptions{StripeAddr: "127.0.0.1:0", PayPalAddr: "127.0.0.1:0", Shop: shop, Data: t.TempDir(), Seed: 1, JSON: true}
	run := func() running {
		return start(t, func(ctx context.Context, stdout io.Writer) error {
			return Program{Stdout: stdout}.GatewayDoubles(ctx, o)
		})
	}
	doubles := run()
	stripe := newClient(t, doubles.said["stripe"].(string))
	require.Contains(t, string(stripe.get("/_double/health").is(http.StatusOK).body), `"stripe"`)
	require.Contains(t, string(newClient(t, doubles.said["paypal"].(string)).get("/_double/health").is(http.StatusOK).body), `"paypal"`)
	form := url.Values{
		"amount": {"1999"}, "currency": {"eur"}, "confirm": {"true"}, "payment_method": {"pm_card_visa"}, "payment_method_types[]": {"card"},
		"metadata[shopd_order]": {"ord_1"}, "metadata[shopd_payment]": {"pay_1"},
	}
	charge := func() *reply {
		return stripe.do(http.MethodPost, "/v1/payment_intents", form.Encode(), "Authorization", "Bearer "+doubleStripeKey, "Idempotency-Key", "one",
			"Content-Type", "application/x-www-form-urlencoded")
	}
	stripe.do(http.MethodPut, "/_double/script", map[string]any{"rules": []map[string]any{{"operation": "charge", "do": "error_stored", "times": 1}}}).is(http.StatusOK)
	charge().is(http.StatusInternalServerError)
	charge().is(http.StatusInternalServerError) // it was stored
	require.Equal(t, "/webhooks/stripe", <-hooks)
	doubles.stop()

	doubles = run()
	stripe = newClient(t, doubles.said["stripe"].(string))
	var book struct {
		Items []struct {
			OrderID  string `json:"order_id"`
			Captured int64
			MaxLive  int `json:"max_live"`
		}
		Breaches []any
	}
	stripe.get("/_double/orders").is(http.StatusOK).decode(&book)
	require.Len(t, book.Items, 1, "the book was kept")
	require.Equal(t, "ord_1", book.Items[0].OrderID)
	require.EqualValues(t, 1999, book.Items[0].Captured, "the money was taken although the answer was 500")
	require.Equal(t, 1, book.Items[0].MaxLive)
	require.Empty(t, book.Breaches)
}

// newHookTaker is a shop that takes every webhook and tells where it came to.
func newHookTaker(t *testing.T, hooks chan<- string) (origin string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /webhooks/", func(w http.ResponseWriter, r *http.Request) {
		hooks <- r.URL.Path
		w.WriteHeader(http.StatusNoContent)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}
