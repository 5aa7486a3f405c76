package stripe_test

import (
	"bytes"
	"context"
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
	double "shopd/internal/payments/gatewaytest/stripe"
	"shopd/internal/payments/stripe"
	"shopd/internal/platform/id"
)

type bundle struct {
	*stripe.Gateway
	double *double.Double
	sent   *recorder
	now    time.Time
}

const returnURL = "https://shop.example/order/return"

func setup(t *testing.T, change ...func(*stripe.Config)) *bundle {
	t.Helper()
	b := &bundle{double: double.New(double.Options{SearchLag: time.Hour}), sent: &recorder{}, now: time.Now()}
	cfg := stripe.Config{
		SecretKey: "sk_test_double", WebhookSecrets: []string{"whsec_old", double.DefaultWebhookSecret}, APIURL: gatewaytest.Start(t, b.double), Shop: "shop.example",
		Timeout: time.Second, AbsentAfter: 5 * time.Second, Now: func() time.Time { return b.now }, Transport: b.sent,
	}
	for _, c := range change {
		c(&cfg)
	}
	b.Gateway = stripe.New(cfg)
	return b
}

func manual(c *stripe.Config) { c.Manual = true }

// recorder keeps every request, and passes it on.
type recorder struct {
	mu       sync.Mutex
	requests []request
}

type request struct {
	method, path, query, body string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	r.mu.Lock()
	r.requests = append(r.requests, request{req.Method, req.URL.Path, req.URL.RawQuery, string(body)})
	r.mu.Unlock()
	return http.DefaultTransport.RoundTrip(req)
}

func (b *bundle) payment(method string) payments.Payment {
	return payments.Payment{
		ID: id.New("pay"), OrderID: id.New("ord"), Provider: "stripe", Method: method, Status: payments.Sending, Amount: money.New(1999, "EUR"),
		Captured: money.New(0, "EUR"), Refunded: money.New(0, "EUR"), CreatedAt: b.now, Version: 1,
	}
}

// charge asks for the money of a new payment, and returns it as the shop would know it afterwards.
func (b *bundle) charge(t *testing.T, method string) (payments.Payment, payments.Outcome) {
	t.Helper()
	p := b.payment(method)
	o, err := b.Charge(t.Context(), payments.Charge{Payment: p, ReturnURL: returnURL})
	require.NoError(t, err)
	p.ProviderRef, p.Status, p.NextAction = o.Ref, o.Status, o.NextAction
	return p, o
}

func TestChargeEndsAsTheCardDoes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for method, want := range map[string]payments.Status{
		"pm_card_visa": payments.Captured, "pm_card_chargeDeclinedInsufficientFunds": payments.Declined,
		"pm_card_authenticationRequired": payments.RequiresAction, "": payments.RequiresAction, stripe.MethodCheckout: payments.RequiresAction,
	} {
		p, o := b.charge(t, method)
		require.Equal(t, want, o.Status, method)
		require.Equal(t, p.ID, o.Seen.PaymentID, method)
		require.Equal(t, p.OrderID, o.Seen.OrderID)
		require.Equal(t, p.Amount, o.Seen.Amount)
		switch method {
		case "pm_card_visa":
			require.Equal(t, p.Amount, o.Seen.Captured)
		case "pm_card_chargeDeclinedInsufficientFunds":
			require.Equal(t, "Your card has insufficient funds.", o.Reason)
		case "":
			require.Equal(t, "client_secret", o.NextAction.Type)
			require.NotEmpty(t, o.NextAction.ClientSecret)
		default:
			require.Equal(t, "redirect", o.NextAction.Type)
			require.NotEmpty(t, o.NextAction.URL)
		}
		looked, err := b.Lookup(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, o.Status, looked.Status, method)
	}
	require.False(t, b.Accepts("4242424242424242"))
	require.Empty(t, b.double.Book.Breaches())
}

func TestShopperPaysOnThePageOfStripe(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"automatic", "manual"} {
		b := setup(t, func(c *stripe.Config) { c.Manual = mode == "manual" })
		p, o := b.charge(t, stripe.MethodCheckout)
		answer(t, o.NextAction.URL, "decline")
		o, err := b.Lookup(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, payments.RequiresAction, o.Status, "another card may pay")
		require.Equal(t, returnURL, answer(t, o.NextAction.URL, "approve"))
		o, err = b.Lookup(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, p.ProviderRef, o.Seen.Renamed, "the page became a payment intent")
		require.Equal(t, p.ID, o.Seen.PaymentID)
		if mode == "manual" {
			require.Equal(t, payments.Authorised, o.Status)
		} else {
			require.Equal(t, payments.Captured, o.Status)
			again, err := b.Void(t.Context(), p)
			require.NoError(t, err)
			require.Equal(t, payments.Captured, again.Status, "too late to give it up")
		}
	}
}

func TestPageThatIsGivenUpTakesNoMoney(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p, o := b.charge(t, stripe.MethodCheckout)
	page := o.NextAction.URL
	o, err := b.Void(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, payments.Voided, o.Status)
	answer(t, page, "approve")
	require.Empty(t, b.double.Book.List(nil))
}

func TestAuthorisedMoneyIsTakenInPartOrLetGo(t *testing.T) {
	t.Parallel()
	b := setup(t, manual)
	p, o := b.charge(t, "pm_card_visa")
	require.Equal(t, payments.Authorised, o.Status)
	p.Asked, p.Version = 1200, 3
	o, err := b.Capture(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, payments.Captured, o.Status)
	require.Equal(t, money.New(1200, "EUR"), o.Seen.Captured)
	p.Version = 5
	o, err = b.Capture(t.Context(), p)
	require.NoError(t, err, "what was taken already is no error")
	require.Equal(t, payments.Captured, o.Status)

	p, _ = b.charge(t, "pm_card_visa")
	o, err = b.Void(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, payments.Voided, o.Status)
	require.Empty(t, b.double.Book.Breaches())
}

// TestLostAnswersAreFoundAndNothingIsChargedTwice takes a payment through every way its answer can be lost. What Lookup
// says must be true for ever: also when the call comes late.
func TestLostAnswersAreFoundAndNothingIsChargedTwice(t *testing.T) {
	t.Parallel()
	no := false
	for name, c := range map[string]struct {
		rule gatewaytest.Rule
		want payments.Status
		late bool // it is only sure when time has passed
	}{
		"charged, then silence":              {gatewaytest.Rule{Do: gatewaytest.Hang}, payments.Captured, false},
		"charged, then reset":                {gatewaytest.Rule{Do: gatewaytest.Reset}, payments.Captured, false},
		"charged, then a stored 500":         {gatewaytest.Rule{Do: gatewaytest.ErrorStored}, payments.Captured, false},
		"not charged, a stored 500":          {gatewaytest.Rule{Do: gatewaytest.ErrorStored, Effect: &no}, payments.Voided, true},
		"not charged, reset before it came":  {gatewaytest.Rule{Do: gatewaytest.Reset, Effect: &no}, payments.Voided, false},
		"not charged, a 500":                 {gatewaytest.Rule{Do: gatewaytest.Error}, payments.Voided, false},
		"charged long after we stopped":      {gatewaytest.Rule{Do: gatewaytest.Slow, Delay: gatewaytest.Duration(3 * time.Second)}, payments.Captured, true},
		"declined, and the answer reset too": {gatewaytest.Rule{Do: gatewaytest.Reset}, payments.Declined, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			c.rule.Operation, c.rule.Times = gatewaytest.OpCharge, 1
			require.NoError(t, b.double.Desk.Script.Add(c.rule))
			p := b.payment("pm_card_visa")
			if c.want == payments.Declined {
				p.Method = "pm_card_chargeDeclined"
			}
			_, err := b.Charge(t.Context(), payments.Charge{Payment: p, ReturnURL: returnURL})
			require.Error(t, err)
			require.NotErrorIs(t, err, payments.ErrNotSent)
			o, err := b.Lookup(t.Context(), p)
			if c.late {
				require.ErrorIs(t, err, payments.ErrNotSure)
				time.Sleep(3 * time.Second) // the late call arrives
				b.now = b.now.Add(time.Minute)
				o, err = b.Lookup(t.Context(), p)
			}
			require.NoError(t, err)
			require.Equal(t, c.want, o.Status)

			// The lost call arrives once more, as from a proxy that had kept it. It must change nothing.
			before := b.taken(p)
			_, _ = b.Charge(context.WithoutCancel(t.Context()), payments.Charge{Payment: p, ReturnURL: returnURL})
			require.Equal(t, before, b.taken(p), "what was said to be over stays over")
			require.Empty(t, b.double.Book.Breaches())
		})
	}
}

func (b *bundle) taken(p payments.Payment) (sum int64) {
	for _, entry := range b.double.Book.List(func(e *gatewaytest.Payment) bool { return e.PaymentID == p.ID }) {
		sum += entry.Captured
	}
	return sum
}

func TestRefundIsGivenOnceThroughEveryFailure(t *testing.T) {
	t.Parallel()
	no := false
	for name, rule := range map[string]gatewaytest.Rule{
		"hang": {Do: gatewaytest.Hang}, "reset": {Do: gatewaytest.Reset}, "reset before": {Do: gatewaytest.Reset, Effect: &no},
		"stored 500": {Do: gatewaytest.ErrorStored}, "stored 500 without effect": {Do: gatewaytest.ErrorStored, Effect: &no},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			p, _ := b.charge(t, "pm_card_visa")
			rule.Operation, rule.Times = gatewaytest.OpRefund, 1
			require.NoError(t, b.double.Desk.Script.Add(rule))
			r := payments.RefundCall{ID: id.New("ref"), Amount: money.New(500, "EUR")}
			if _, err := b.Refund(t.Context(), p, r); err == nil {
				require.Equal(t, gatewaytest.Reset, rule.Do, "net/http sends a call with a key again by itself when the connection was reset")
			}
			r.Again = true
			for range 3 {
				given, err := b.Refund(t.Context(), p, r)
				if err != nil {
					require.ErrorIs(t, err, payments.ErrFailed, "the stored answer")
					r.Try++
					continue
				}
				require.NotEmpty(t, given.Ref)
			}
			entry, _ := b.double.Book.Get(p.ProviderRef)
			require.EqualValues(t, 500, entry.Refunded)
			require.Len(t, entry.Refunds, 1)
			require.Equal(t, r.ID, entry.Refunds[0].ID)
			o, err := b.Lookup(t.Context(), p)
			require.NoError(t, err)
			require.Equal(t, []payments.SeenRefund{{Ref: entry.Refunds[0].Ref, ID: r.ID, Amount: r.Amount}}, o.Seen.Refunds)
		})
	}
}

func TestErrorsSayWhatHappened(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p, _ := b.charge(t, "pm_card_visa")
	_, err := b.Refund(t.Context(), p, payments.RefundCall{ID: "ref_x", Amount: money.New(2000, "EUR")})
	require.True(t, payments.IsRefused(err), err)
	require.NoError(t, b.double.Desk.Script.Add(gatewaytest.Rule{Do: gatewaytest.RateLimit, Times: 1}))
	require.ErrorIs(t, b.Ping(t.Context()), payments.ErrNotSent)
	require.NoError(t, b.Ping(t.Context()))
	bad := setup(t, func(c *stripe.Config) { c.SecretKey = "pk_not_a_secret" })
	_, err = bad.Charge(t.Context(), payments.Charge{Payment: bad.payment("pm_card_visa"), ReturnURL: returnURL})
	require.ErrorIs(t, err, payments.ErrNotSent, "a wrong key charges nothing")
	_, err = b.Charge(t.Context(), payments.Charge{Payment: b.payment("pm_unknown"), ReturnURL: returnURL})
	require.True(t, payments.IsRefused(err), err)
}

func TestCustomerKeepsACardAndDropsIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer, err := b.Customer(t.Context(), "cus_1")
	require.NoError(t, err)
	same, err := b.Customer(t.Context(), "cus_1")
	require.NoError(t, err)
	require.Equal(t, customer, same)
	p := b.payment("pm_card_visa")
	_, err = b.Charge(t.Context(), payments.Charge{Payment: p, ReturnURL: returnURL, Customer: customer, Save: true})
	require.NoError(t, err)
	kept, err := b.Methods(t.Context(), customer)
	require.NoError(t, err)
	require.Len(t, kept, 1)
	again := b.payment(kept[0].ID)
	o, err := b.Charge(t.Context(), payments.Charge{Payment: again, ReturnURL: returnURL, Customer: customer})
	require.NoError(t, err)
	require.Equal(t, payments.Captured, o.Status)
	require.True(t, payments.IsRefused(b.Forget(t.Context(), "cus_other", kept[0].ID)))
	require.NoError(t, b.Forget(t.Context(), customer, kept[0].ID))
	kept, err = b.Methods(t.Context(), customer)
	require.NoError(t, err)
	require.Empty(t, kept)
}

func TestBooksAreReadPageByPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var last payments.Payment
	for range 105 {
		last, _ = b.charge(t, "pm_card_visa")
	}
	_, err := b.Refund(t.Context(), last, payments.RefundCall{ID: "ref_1", Amount: money.New(100, "EUR")})
	require.NoError(t, err)
	var taken, given []payments.Movement
	require.NoError(t, b.Movements(t.Context(), b.now.Add(-time.Hour), b.now.Add(time.Hour), func(m payments.Movement) error {
		if m.Refund {
			given = append(given, m)
		} else {
			taken = append(taken, m)
		}
		return nil
	}))
	require.Len(t, taken, 105)
	require.Positive(t, taken[0].Fee.Minor)
	require.Equal(t, "shop.example", taken[0].Shop)
	require.Equal(t, []payments.Movement{{
		Refund: true, Ref: given[0].Ref, RefundID: "ref_1", PaymentID: last.ID, OrderID: last.OrderID, Shop: "shop.example", Amount: money.New(100, "EUR"),
	}}, given)
}

func TestAmountsAreCountedAsStripeCountsThem(t *testing.T) {
	t.Parallel()
	for currency, want := range map[money.Currency]int64{"EUR": 1990, "JPY": 1990, "KWD": 1990, "ISK": 199000, "UGX": 199000} {
		b := setup(t)
		p := b.payment("pm_card_visa")
		p.Amount = money.New(1990, currency)
		o, err := b.Charge(t.Context(), payments.Charge{Payment: p, ReturnURL: returnURL})
		require.NoError(t, err)
		require.Equal(t, p.Amount, o.Seen.Captured)
		entry, _ := b.double.Book.Get(o.Ref)
		require.Equal(t, want, entry.Captured, currency)
	}
	b := setup(t)
	p := b.payment("pm_card_visa")
	p.Amount = money.New(1999, "KWD")
	_, err := b.Charge(t.Context(), payments.Charge{Payment: p, ReturnURL: returnURL})
	require.True(t, payments.IsRefused(err), "Stripe takes two decimals of three")
}

// answer is a shopper on a page; it returns where the page leads.
func answer(t *testing.T, page, choice string) string {
	t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.PostForm(page, url.Values{"answer": {choice}})
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.Header.Get("Location")
}
