package stripe_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdk "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"
	"github.com/stripe/stripe-go/v76/webhook"

	"shopd/internal/payments/gatewaytest"
	"shopd/internal/payments/gatewaytest/stripe"
)

type bundle struct {
	double *stripe.Double
	api    *client.API
	url    string
	hooks  *hooks
}

// hooks is a shop that takes every webhook whose signature holds.
type hooks struct {
	mu     sync.Mutex
	events []sdk.Event
	bad    int
}

func (h *hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	event, invalid := webhook.ConstructEvent(body, r.Header.Get("Stripe-Signature"), stripe.DefaultWebhookSecret)
	if err != nil || invalid != nil {
		h.bad++
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.events = append(h.events, event)
}

func (h *hooks) types() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []string
	for _, e := range h.events {
		list = append(list, string(e.Type))
	}
	return list
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{hooks: &hooks{}}
	shop := newServer(t, b.hooks)
	b.double = stripe.New(stripe.Options{WebhookURL: shop})
	b.url = gatewaytest.Start(t, b.double)
	backend := sdk.GetBackendWithConfig(sdk.APIBackend, &sdk.BackendConfig{
		URL: sdk.String(b.url), HTTPClient: &http.Client{Timeout: 2 * time.Second}, MaxNetworkRetries: sdk.Int64(0),
		LeveledLogger: &sdk.LeveledLogger{Level: sdk.LevelNull},
	})
	b.api = client.New("sk_test_double", &sdk.Backends{API: backend})
	return b
}

func newServer(t *testing.T, h http.Handler) string {
	t.Helper()
	l, err := gatewaytest.Listen(plain{h}, "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l.URL
}

type plain struct{ handler http.Handler }

func (p plain) Handler() http.Handler { return p.handler }
func (plain) SetBaseURL(string)       {}
func (plain) Close()                  {}

func charge(key string, more ...func(*sdk.PaymentIntentParams)) *sdk.PaymentIntentParams {
	p := &sdk.PaymentIntentParams{
		Amount: sdk.Int64(1999), Currency: sdk.String("eur"), Confirm: sdk.Bool(true), PaymentMethod: sdk.String("pm_card_visa"),
		PaymentMethodTypes: []*string{sdk.String("card")}, ReturnURL: sdk.String("https://shop.example/order/return"),
	}
	p.AddMetadata(stripe.MetadataOrder, "ord_1")
	p.AddMetadata(stripe.MetadataPayment, "pay_"+key)
	p.SetIdempotencyKey(key)
	for _, m := range more {
		m(p)
	}
	return p
}

func TestMoneyIsTakenAndGivenBackOnceForEachKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pi, err := b.api.PaymentIntents.New(charge("a"))
	require.NoError(t, err)
	require.Equal(t, sdk.PaymentIntentStatusSucceeded, pi.Status)
	again, err := b.api.PaymentIntents.New(charge("a"))
	require.NoError(t, err)
	require.Equal(t, pi.ID, again.ID)
	_, err = b.api.PaymentIntents.New(charge("a", func(p *sdk.PaymentIntentParams) { p.Amount = sdk.Int64(1) }))
	require.ErrorContains(t, err, "same parameters")

	refund := &sdk.RefundParams{PaymentIntent: sdk.String(pi.ID), Amount: sdk.Int64(500)}
	refund.SetIdempotencyKey("r")
	refund.AddMetadata(stripe.MetadataRefund, "ref_1")
	for range 3 {
		_, err = b.api.Refunds.New(refund)
		require.NoError(t, err)
	}
	_, err = b.api.Refunds.New(&sdk.RefundParams{PaymentIntent: sdk.String(pi.ID), Amount: sdk.Int64(1500)})
	require.Error(t, err)
	entry, found := b.double.Book.Get(pi.ID)
	require.True(t, found)
	require.Equal(t, []int64{1999, 500}, []int64{entry.Captured, entry.Refunded})
	require.Equal(t, "ref_1", entry.Refunds[0].ID)
	require.Equal(t, "ord_1", entry.OrderID)
	require.Eventually(t, func() bool { return len(b.hooks.types()) == 5 }, 20*time.Second, 10*time.Millisecond)
	require.ElementsMatch(t, []string{
		"payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "charge.refunded", "refund.created",
	}, b.hooks.types())
}

func TestScriptedFaultsLeaveTheTruthInTheBook(t *testing.T) {
	t.Parallel()
	no := false
	for name, c := range map[string]struct {
		rule     gatewaytest.Rule
		captured int64
		again    string // what the same key gets afterwards
	}{
		"hang":              {gatewaytest.Rule{Do: gatewaytest.Hang, Times: 1}, 1999, "succeeded"},
		"reset":             {gatewaytest.Rule{Do: gatewaytest.Reset, Times: 1}, 1999, "succeeded"},
		"reset, nothing":    {gatewaytest.Rule{Do: gatewaytest.Reset, Times: 1, Effect: &no}, 0, "succeeded"},
		"stored 500":        {gatewaytest.Rule{Do: gatewaytest.ErrorStored, Times: 1}, 1999, "error"},
		"stored 500, empty": {gatewaytest.Rule{Do: gatewaytest.ErrorStored, Times: 1, Effect: &no}, 0, "error"},
		"500":               {gatewaytest.Rule{Do: gatewaytest.Error, Times: 1}, 0, "succeeded"},
		"slow":              {gatewaytest.Rule{Do: gatewaytest.Slow, Times: 1, Delay: gatewaytest.Duration(3 * time.Second)}, 1999, "succeeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			c.rule.Operation = gatewaytest.OpCharge
			require.NoError(t, b.double.Desk.Script.Add(c.rule))
			_, err := b.api.PaymentIntents.New(charge("k"))
			require.Error(t, err)
			require.Eventually(t, func() bool {
				var sum int64
				for _, o := range b.double.Book.Orders() {
					sum += o.Captured
				}
				return sum == c.captured
			}, 20*time.Second, 10*time.Millisecond)
			again, err := b.api.PaymentIntents.New(charge("k"))
			if c.again == "error" {
				require.Error(t, err, "a stored 500 is answered for ever")
			} else {
				require.NoError(t, err)
				require.EqualValues(t, c.again, again.Status)
			}
			require.Empty(t, b.double.Book.Breaches())
		})
	}
}

func TestSecondChargeOfAnOrderIsABreach(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, key := range []string{"a", "b"} {
		_, err := b.api.PaymentIntents.New(charge(key))
		require.NoError(t, err)
	}
	require.Len(t, b.double.Book.Breaches(), 1)
	require.Equal(t, 2, b.double.Book.Orders()[0].MostLive)
}

func TestShopperConfirmsOnThePage(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]sdk.PaymentIntentStatus{
		"approve": sdk.PaymentIntentStatusSucceeded, "decline": sdk.PaymentIntentStatusRequiresPaymentMethod,
	} {
		b := setup(t)
		pi, err := b.api.PaymentIntents.New(charge("a", func(p *sdk.PaymentIntentParams) { p.PaymentMethod = sdk.String("pm_card_authenticationRequired") }))
		require.NoError(t, err)
		require.Equal(t, sdk.PaymentIntentStatusRequiresAction, pi.Status)
		require.Equal(t, http.StatusOK, get(t, pi.NextAction.RedirectToURL.URL))
		back := post(t, pi.NextAction.RedirectToURL.URL, url.Values{"answer": {answer}})
		require.Contains(t, back, "https://shop.example/order/return?payment_intent="+pi.ID)
		pi, err = b.api.PaymentIntents.Get(pi.ID, nil)
		require.NoError(t, err)
		require.Equal(t, want, pi.Status, answer)
	}
}

func TestScriptAndBookAreReachedOverHTTP(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.Equal(t, http.StatusOK, call(t, http.MethodPut, b.url+"/_double/script", `{"seed":7,"rules":[{"operation":"charge","do":"decline","code":"insufficient_funds","times":1}]}`, nil))
	require.Equal(t, http.StatusBadRequest, call(t, http.MethodPost, b.url+"/_double/script", `{"rules":[{"do":"explode"}]}`, nil))
	_, err := b.api.PaymentIntents.New(charge("a"))
	require.ErrorContains(t, err, "insufficient_funds")
	_, err = b.api.PaymentIntents.New(charge("b"))
	require.NoError(t, err)
	var orders struct {
		Items    []gatewaytest.OrderSum
		Breaches []gatewaytest.Breach
	}
	call(t, http.MethodGet, b.url+"/_double/orders", "", &orders)
	require.Equal(t, []gatewaytest.OrderSum{{OrderID: "ord_1", Payments: 2, Captured: 1999, Live: 1, MostLive: 1, Currency: "EUR"}}, orders.Items)
	require.Empty(t, orders.Breaches)
	var payments struct{ Items []gatewaytest.Payment }
	call(t, http.MethodGet, b.url+"/_double/payments?payment_id=pay_a", "", &payments)
	require.Len(t, payments.Items, 1)
	require.Equal(t, "insufficient_funds", payments.Items[0].Reason)
}

func TestWebhooksComeTwiceAndInTheOrderThatIsAskedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	how := b.double.Courier.How()
	how.Hold = true
	b.double.Courier.Deliver(how)
	_, err := b.api.PaymentIntents.New(charge("a"))
	require.NoError(t, err)
	require.Empty(t, b.hooks.types())
	events := b.double.Courier.Events()
	require.Len(t, events, 3)
	answers, err := b.double.Courier.Bring(events[2].ID, events[0].ID, events[2].ID)
	require.NoError(t, err)
	require.Equal(t, []int{200, 200, 200}, answers)
	require.Equal(t, []string{"payment_intent.succeeded", "payment_intent.created", "payment_intent.succeeded"}, b.hooks.types())
}

func TestBookSurvivesTheProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := setup(t)
	f, err := b.double.KeepIn(dir)
	require.NoError(t, err)
	pi, err := b.api.PaymentIntents.New(charge("a"))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	later := setup(t)
	f, err = later.double.KeepIn(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	again, err := later.api.PaymentIntents.Get(pi.ID, nil)
	require.NoError(t, err)
	require.Equal(t, pi.AmountReceived, again.AmountReceived)
	require.Equal(t, pi.ClientSecret, again.ClientSecret)
}

func get(t *testing.T, address string) int {
	t.Helper()
	res, err := http.Get(address)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode
}

// post fills in a form and returns where it leads.
func post(t *testing.T, address string, values url.Values) string {
	t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.PostForm(address, values)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.Header.Get("Location")
}

func call(t *testing.T, method, address, body string, into any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	if into != nil {
		require.NoError(t, json.NewDecoder(res.Body).Decode(into))
	}
	return res.StatusCode
}
