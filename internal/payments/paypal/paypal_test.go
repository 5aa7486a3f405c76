package paypal_test

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

	"shopd/internal/money"
	"shopd/internal/payments"
	"shopd/internal/payments/gatewaytest"
	double "shopd/internal/payments/gatewaytest/paypal"
	"shopd/internal/payments/paypal"
	"shopd/internal/platform/id"
)

type bundle struct {
	*paypal.Gateway
	double *double.Double
	url    string
	hooks  *hooks
}

const returnURL = "https://shop.example/order/return"

func setup(t *testing.T, change ...func(*paypal.Config)) *bundle {
	t.Helper()
	b := &bundle{hooks: &hooks{}}
	b.double = double.New(double.Options{WebhookURL: gatewaytest.Start(t, b.hooks)})
	b.url = gatewaytest.Start(t, b.double)
	cfg := paypal.Config{
		ClientID: "id", ClientSecret: "secret", WebhookID: double.DefaultWebhookID, APIURL: b.url, Brand: "Test Shop", Timeout: time.Second, Now: time.Now,
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	b.Gateway, err = paypal.New(cfg)
	require.NoError(t, err)
	return b
}

func manual(c *paypal.Config) { c.Manual = true }

// hooks is a shop that remembers webhooks with their headers.
type hooks struct {
	mu      sync.Mutex
	headers []http.Header
	bodies  [][]byte
}

func (h *hooks) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.headers, h.bodies = append(h.headers, r.Header), append(h.bodies, body)
}

func (h *hooks) Handler() http.Handler { return h }
func (*hooks) SetBaseURL(string)       {}
func (*hooks) Close()                  {}

// first waits for a webhook.
func (h *hooks) first(t *testing.T) (http.Header, []byte) {
	t.Helper()
	require.Eventually(t, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.bodies) > 0
	}, 20*time.Second, 10*time.Millisecond)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.headers[0], h.bodies[0]
}

func payment() payments.Payment {
	return payments.Payment{
		ID: id.New("pay"), OrderID: id.New("ord"), Provider: "paypal", Status: payments.Sending, Amount: money.New(1999, "EUR"),
		Captured: money.New(0, "EUR"), Refunded: money.New(0, "EUR"), CreatedAt: time.Now(), Version: 1,
	}
}

// opened is a payment whose shopper stands before PayPal's page.
func (b *bundle) opened(t *testing.T) payments.Payment {
	t.Helper()
	p := payment()
	o, err := b.Charge(t.Context(), payments.Charge{Payment: p, ReturnURL: returnURL})
	require.NoError(t, err)
	require.Equal(t, payments.RequiresAction, o.Status)
	require.Equal(t, "redirect", o.NextAction.Type)
	require.Equal(t, &payments.Seen{PaymentID: p.ID, OrderID: p.OrderID, Amount: p.Amount}, o.Seen)
	p.ProviderRef, p.Status, p.NextAction = o.Ref, o.Status, o.NextAction
	return p
}

// agreed is a payment whose shopper agreed to it.
func (b *bundle) agreed(t *testing.T) payments.Payment {
	t.Helper()
	p := b.opened(t)
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.PostForm(p.NextAction.URL, url.Values{"answer": {"approve"}})
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return p
}

// taken is a payment whose money was taken.
func (b *bundle) taken(t *testing.T) payments.Payment {
	t.Helper()
	p := b.agreed(t)
	o, err := b.Confirm(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, payments.Captured, o.Status)
	require.Equal(t, p.Amount, o.Seen.Captured)
	return p
}

func TestMoneyIsTakenWhenTheShopperAgreed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.opened(t)
	o, err := b.Lookup(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, payments.RequiresAction, o.Status)
	require.False(t, o.Approved)
	o, err = b.Confirm(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, payments.RequiresAction, o.Status, "nothing is taken before")

	p = b.agreed(t)
	o, err = b.Lookup(t.Context(), p)
	require.NoError(t, err)
	require.True(t, o.Approved)
	for range 3 {
		o, err = b.Confirm(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, payments.Captured, o.Status)
	}
	entry, _ := b.double.Book.Get(p.ProviderRef)
	require.Len(t, entry.Captures, 1)
}

func TestLostCaptureIsFoundAndTakenOnce(t *testing.T) {
	t.Parallel()
	no := false
	for name, rule := range map[string]gatewaytest.Rule{
		"hang": {Do: gatewaytest.Hang}, "reset": {Do: gatewaytest.Reset}, "reset before": {Do: gatewaytest.Reset, Effect: &no}, "500": {Do: gatewaytest.Error},
		"stored 500": {Do: gatewaytest.ErrorStored, Effect: nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			p := b.agreed(t)
			rule.Operation, rule.Times = gatewaytest.OpCapture, 1
			require.NoError(t, b.double.Desk.Script.Add(rule))
			_, err := b.Confirm(t.Context(), p)
			require.Error(t, err)
			require.NotErrorIs(t, err, payments.ErrNotSent)
			o, err := b.Lookup(t.Context(), p)
			require.NoError(t, err)
			if o.Approved {
				o, err = b.Confirm(t.Context(), p)
				require.NoError(t, err)
			}
			require.Equal(t, payments.Captured, o.Status)
			entry, _ := b.double.Book.Get(p.ProviderRef)
			require.Len(t, entry.Captures, 1)
		})
	}
}

func TestDeclinedInstrumentLeavesTheShopperAnotherTry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.agreed(t)
	require.NoError(t, b.double.Desk.Script.Add(gatewaytest.Rule{Operation: gatewaytest.OpCapture, Do: gatewaytest.Decline, Times: 1}))
	o, err := b.Confirm(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, payments.RequiresAction, o.Status)
	require.NotEmpty(t, o.NextAction.URL)
	require.NotEmpty(t, o.Reason)
}

func TestOrderWithoutAnAnswerIsOfNoUse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.double.Desk.Script.Add(gatewaytest.Rule{Operation: gatewaytest.OpCreate, Do: gatewaytest.Hang, Times: 1}))
	p := payment()
	_, err := b.Charge(t.Context(), payments.Charge{Payment: p, ReturnURL: returnURL})
	require.Error(t, err)
	o, err := b.Lookup(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, payments.Voided, o.Status)
}

func TestAuthorisedMoneyIsTakenInPartOrLetGo(t *testing.T) {
	t.Parallel()
	b := setup(t, manual)
	p := b.agreed(t)
	o, err := b.Confirm(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, payments.Authorised, o.Status)
	p.Asked = 1200
	for range 2 {
		o, err = b.Capture(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, payments.Captured, o.Status)
		require.Equal(t, money.New(1200, "EUR"), o.Seen.Captured)
	}

	p = b.agreed(t)
	_, err = b.Confirm(t.Context(), p)
	require.NoError(t, err)
	for range 2 {
		o, err = b.Void(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, payments.Voided, o.Status)
	}
	entry, _ := b.double.Book.Get(p.ProviderRef)
	require.Equal(t, gatewaytest.Cancelled, entry.Status)
}

func TestRefundIsGivenOnceThroughEveryFailure(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]gatewaytest.Rule{"hang": {Do: gatewaytest.Hang}, "reset": {Do: gatewaytest.Reset}, "stored 500": {Do: gatewaytest.ErrorStored}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			p := b.taken(t)
			rule.Operation, rule.Times = gatewaytest.OpRefund, 1
			require.NoError(t, b.double.Desk.Script.Add(rule))
			r := payments.RefundCall{ID: id.New("ref"), Amount: money.New(500, "EUR")}
			_, err := b.Refund(t.Context(), p, r)
			require.Error(t, err)
			r.Again = true
			for range 2 {
				given, err := b.Refund(t.Context(), p, r)
				require.NoError(t, err)
				require.NotEmpty(t, given.Ref)
			}
			entry, _ := b.double.Book.Get(p.ProviderRef)
			require.Len(t, entry.Refunds, 1)
			o, err := b.Lookup(t.Context(), p)
			require.NoError(t, err)
			require.Equal(t, []payments.SeenRefund{{Ref: entry.Refunds[0].Ref, ID: r.ID, Amount: r.Amount}}, o.Seen.Refunds)
			_, err = b.Refund(t.Context(), p, payments.RefundCall{ID: id.New("ref"), Amount: money.New(1500, "EUR")})
			require.True(t, payments.IsRefused(err), err)
		})
	}
}

func TestTokenIsSharedAndGotAgainWhenItIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := b.Ping(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	tokens := 0
	for _, c := range b.double.Desk.Calls() {
		if c.Operation == gatewaytest.OpToken {
			tokens++
		}
	}
	require.Less(t, tokens, 5)
	require.NoError(t, b.double.Desk.Script.Add(gatewaytest.Rule{Operation: gatewaytest.OpLookup, Do: gatewaytest.Error, Status: http.StatusUnauthorized, Times: 1}))
	require.ErrorIs(t, b.Ping(t.Context()), payments.ErrNotSent)
	require.NoError(t, b.Ping(t.Context()))
}

func TestWebhookIsVerifiedToTheByte(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.agreed(t)
	header, body := b.hooks.first(t)
	h, err := b.Hint(header, body)
	require.NoError(t, err)
	require.Equal(t, []string{"CHECKOUT.ORDER.APPROVED", p.ID, p.OrderID, p.ProviderRef}, []string{h.Type, h.PaymentID, h.OrderID, h.ObjectRef})
	require.Equal(t, p.Amount, *h.Amount)
	require.True(t, h.Known)
	require.NoError(t, b.Verify(t.Context(), header, body))

	require.ErrorIs(t, b.Verify(t.Context(), header, bytes.ReplaceAll(body, []byte("19.99"), []byte("19.98"))), payments.ErrSignature)
	var event any
	require.NoError(t, json.Unmarshal(body, &event))
	anew, err := json.MarshalIndent(event, "", " ")
	require.NoError(t, err)
	require.ErrorIs(t, b.Verify(t.Context(), header, anew), payments.ErrSignature, "written anew, it is not what was signed")
}

func TestCertificateOfOthersIsNeverCalled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.agreed(t)
	header, body := b.hooks.first(t)
	trap := &hooks{}
	address := gatewaytest.Start(t, trap)
	for _, foreign := range []string{
		address + "/v1/notifications/certs/CERT", "https://paypal.com.evil.example/certs/x", "https://evil.example/api.paypal.com", "http://api.paypal.com/certs/x",
		"https://api.paypal.com@evil.example/certs/x", "https://api.paypal.com:8443/x", "file:///etc/passwd", "::",
	} {
		h := header.Clone()
		h.Set("PayPal-Cert-Url", foreign)
		_, err := b.Hint(h, body)
		require.ErrorIs(t, err, payments.ErrSignature, foreign)
	}
	require.Empty(t, trap.bodies)
	for _, missing := range []string{"PayPal-Transmission-Id", "PayPal-Transmission-Sig", "PayPal-Cert-Url"} {
		h := header.Clone()
		h.Del(missing)
		_, err := b.Hint(h, body)
		require.ErrorIs(t, err, payments.ErrSignature, missing)
	}
}

func TestBooksNamePaymentsRefundsAndFees(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.taken(t)
	_, err := b.Refund(t.Context(), p, payments.RefundCall{ID: "ref_1", Amount: money.New(500, "EUR")})
	require.NoError(t, err)
	var list []payments.Movement
	require.NoError(t, b.Movements(t.Context(), time.Now().Add(-time.Hour), time.Now().Add(time.Hour), func(m payments.Movement) error {
		list = append(list, m)
		return nil
	}))
	require.Len(t, list, 2)
	require.Equal(t, []any{p.ID, money.New(1999, "EUR"), money.New(85, "EUR")}, []any{list[0].PaymentID, list[0].Amount, list[0].Fee})
	require.Equal(t, []any{true, "ref_1", money.New(500, "EUR")}, []any{list[1].Refund, list[1].RefundID, list[1].Amount})
}

func TestAmountsAreWrittenAsPayPalTakesThem(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for amount, takes := range map[money.Amount]bool{
		money.New(1999, "EUR"): true, money.New(1999, "JPY"): true, money.New(199900, "HUF"): true, money.New(199950, "HUF"): false, money.New(1999, "KWD"): false,
	} {
		p := payment()
		p.Amount = amount
		o, err := b.Charge(t.Context(), payments.Charge{Payment: p, ReturnURL: returnURL})
		require.Equal(t, takes, err == nil, "%s: %v", amount, err)
		if takes {
			require.Equal(t, amount, o.Seen.Amount)
		}
	}
}
