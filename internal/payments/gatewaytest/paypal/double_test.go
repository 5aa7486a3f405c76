package paypal_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	sdk "github.com/plutov/paypal/v4"
	"github.com/stretchr/testify/require"

	"shopd/internal/payments/gatewaytest"
	"shopd/internal/payments/gatewaytest/paypal"
)

type bundle struct {
	double *paypal.Double
	api    *sdk.Client
	hooks  *hooks
}

// hooks is a shop that takes every webhook and remembers it with its headers.
type hooks struct {
	mu       sync.Mutex
	requests []*http.Request
	bodies   [][]byte
}

func (h *hooks) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests, h.bodies = append(h.requests, r), append(h.bodies, body)
}

func (h *hooks) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.bodies)
}

func (h *hooks) Handler() http.Handler { return h }
func (*hooks) SetBaseURL(string)       {}
func (*hooks) Close()                  {}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{hooks: &hooks{}}
	b.double = paypal.New(paypal.Options{WebhookURL: gatewaytest.Start(t, b.hooks)})
	var err error
	b.api, err = sdk.NewClient("id", "secret", gatewaytest.Start(t, b.double))
	require.NoError(t, err)
	b.api.SetHTTPClient(&http.Client{Timeout: 5 * time.Second})
	b.api.SetReturnRepresentation()
	return b
}

func (b *bundle) create(t *testing.T, intent, key, value string) *sdk.Order {
	t.Helper()
	o, err := b.api.CreateOrderWithPaypalRequestID(t.Context(), intent, []sdk.PurchaseUnitRequest{{
		ReferenceID: "ord_1", CustomID: "pay_1", Amount: &sdk.PurchaseUnitAmount{Currency: "EUR", Value: value},
	}}, nil, &sdk.ApplicationContext{ReturnURL: "https://shop.example/order/return", CancelURL: "https://shop.example/checkout"}, key)
	require.NoError(t, err)
	return o
}

// approve is the shopper, who agrees on PayPal's page and is sent back.
func approve(t *testing.T, o *sdk.Order) {
	t.Helper()
	for _, l := range o.Links {
		if l.Rel != "approve" {
			continue
		}
		c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := c.PostForm(l.Href, url.Values{"answer": {"approve"}})
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Contains(t, res.Header.Get("Location"), "https://shop.example/order/return?PayerID=PAYERDOUBLE&token="+o.ID)
		return
	}
	t.Fatal("the order has no link for the shopper")
}

func issue(err error) string {
	var e *sdk.ErrorResponse
	if errors.As(err, &e) && len(e.Details) > 0 {
		return e.Details[0].Issue
	}
	return ""
}

func TestOrderIsApprovedCapturedAndRefundedOnceForEachRequestID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.create(t, "CAPTURE", "k", "19.99")
	require.Equal(t, o.ID, b.create(t, "CAPTURE", "k", "19.99").ID)
	_, err := b.api.CaptureOrderWithPaypalRequestId(t.Context(), o.ID, sdk.CaptureOrderRequest{}, "k/capture", nil)
	require.Equal(t, "ORDER_NOT_APPROVED", issue(err))
	approve(t, o)
	for range 3 {
		captured, err := b.api.CaptureOrderWithPaypalRequestId(t.Context(), o.ID, sdk.CaptureOrderRequest{}, "k/capture", nil)
		require.NoError(t, err)
		require.Equal(t, "COMPLETED", captured.Status)
		require.Equal(t, "19.99", captured.PurchaseUnits[0].Payments.Captures[0].Amount.Value)
	}
	_, err = b.api.CaptureOrderWithPaypalRequestId(t.Context(), o.ID, sdk.CaptureOrderRequest{}, "other", nil)
	require.Equal(t, "ORDER_ALREADY_CAPTURED", issue(err))

	entry, _ := b.double.Book.Get(o.ID)
	require.Len(t, entry.Captures, 1)
	capture := entry.Captures[0].Ref
	for range 3 {
		r, err := b.api.RefundCaptureWithPaypalRequestId(t.Context(), capture, sdk.RefundCaptureRequest{Amount: &sdk.Money{Currency: "EUR", Value: "5.00"}}, "r")
		require.NoError(t, err)
		require.Equal(t, "COMPLETED", r.Status)
	}
	_, err = b.api.RefundCaptureWithPaypalRequestId(t.Context(), capture, sdk.RefundCaptureRequest{Amount: &sdk.Money{Currency: "EUR", Value: "15.00"}}, "s")
	require.Equal(t, "REFUND_AMOUNT_EXCEEDED", issue(err))
	entry, _ = b.double.Book.Get(o.ID)
	require.Equal(t, []int64{1999, 500}, []int64{entry.Captured, entry.Refunded})

	report, err := b.api.ListTransactions(t.Context(), &sdk.TransactionSearchRequest{StartDate: time.Now().Add(-time.Hour), EndDate: time.Now().Add(time.Hour)})
	require.NoError(t, err)
	require.Len(t, report.TransactionDetails, 2)
	require.Equal(t, "19.99", report.TransactionDetails[0].TransactionInfo.TransactionAmount.Value)
	require.Equal(t, "-5.00", report.TransactionDetails[1].TransactionInfo.TransactionAmount.Value)
}

func TestAuthorisedMoneyIsTakenInPartOrLetGo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	authorised := func(key string) (order, authorization string) {
		o := b.create(t, "AUTHORIZE", key, "19.99")
		approve(t, o)
		done, err := b.api.AuthorizeOrder(t.Context(), o.ID, sdk.AuthorizeOrderRequest{})
		require.NoError(t, err)
		require.Equal(t, "COMPLETED", done.Status)
		entry, _ := b.double.Book.Get(o.ID)
		return o.ID, entry.Detail["authorization"]
	}
	order, auth := authorised("a")
	_, err := b.api.CaptureAuthorizationWithPaypalRequestId(t.Context(), auth, &sdk.PaymentCaptureRequest{Amount: &sdk.Money{Currency: "EUR", Value: "12.00"}, FinalCapture: true}, "c")
	require.NoError(t, err)
	entry, _ := b.double.Book.Get(order)
	require.EqualValues(t, 1200, entry.Captured)
	_, err = b.api.VoidAuthorization(t.Context(), auth)
	require.Equal(t, "PREVIOUSLY_CAPTURED", issue(err))

	order, auth = authorised("b")
	voided, err := b.api.VoidAuthorization(t.Context(), auth)
	require.NoError(t, err)
	require.Equal(t, "VOIDED", voided.Status)
	entry, _ = b.double.Book.Get(order)
	require.Zero(t, entry.Captured)
	require.Equal(t, gatewaytest.Cancelled, entry.Status)
}

func TestWebhookIsSignedToTheByte(t *testing.T) {
	t.Parallel()
	b := setup(t)
	approve(t, b.create(t, "CAPTURE", "k", "19.99"))
	require.Eventually(t, func() bool { return b.hooks.count() == 1 }, 20*time.Second, 10*time.Millisecond)
	for body, want := range map[string]string{
		string(b.hooks.bodies[0]):        "SUCCESS",
		string(b.hooks.bodies[0]) + "\n": "SUCCESS", // the SDK writes the body anew, and drops what is no JSON
		string(bytes.ReplaceAll(b.hooks.bodies[0], []byte("19.99"), []byte("19.98"))): "FAILURE",
	} {
		r := b.hooks.requests[0].Clone(t.Context())
		r.Body = io.NopCloser(bytes.NewReader([]byte(body)))
		v, err := b.api.VerifyWebhookSignature(t.Context(), r, paypal.DefaultWebhookID)
		require.NoError(t, err)
		require.Equal(t, want, v.VerificationStatus)
	}
	v, err := b.api.VerifyWebhookSignature(t.Context(), b.hooks.requests[0].Clone(t.Context()), "WH-OTHER")
	if err == nil {
		require.Equal(t, "FAILURE", v.VerificationStatus)
	}
}

func TestCaptureThatHangsHasHappened(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.create(t, "CAPTURE", "k", "19.99")
	approve(t, o)
	require.NoError(t, b.double.Desk.Script.Add(gatewaytest.Rule{Operation: gatewaytest.OpCapture, Do: gatewaytest.Hang, Times: 1}))
	b.api.SetHTTPClient(&http.Client{Timeout: time.Second})
	_, err := b.api.CaptureOrderWithPaypalRequestId(t.Context(), o.ID, sdk.CaptureOrderRequest{}, "k/capture", nil)
	require.Error(t, err)
	b.api.SetHTTPClient(&http.Client{Timeout: 10 * time.Second})
	found, err := b.api.GetOrder(t.Context(), o.ID)
	require.NoError(t, err)
	require.Equal(t, "COMPLETED", found.Status)
	captured, err := b.api.CaptureOrderWithPaypalRequestId(t.Context(), o.ID, sdk.CaptureOrderRequest{}, "k/capture", nil)
	require.NoError(t, err)
	require.Equal(t, "COMPLETED", captured.Status)
	require.Empty(t, b.double.Book.Breaches())
}
