package payments

import (
	"context"
	"errors"
	"net/url"
	"time"

	"shopd/internal/money"
)

// The methods of the test gateway, and the names of the gateways that need no company.
const (
	ProviderTest   = "test"
	ProviderManual = "manual"

	TestOK             = "test_ok"
	TestDeclined       = "test_declined"
	TestRequiresAction = "test_requires_action"
	TestTimeout        = "test_timeout"
)

// TestGateway moves no money: the payment's method says how it ends. It exists in the demo and test profiles only.
// It remembers nothing, so any replica can answer for a payment that another one began.
type TestGateway struct {
	// BaseURL is the shop's, for the page where a shopper plays the bank.
	BaseURL string
	// Silence is how long test_timeout waits before it gives no answer.
	Silence time.Duration
}

var errNoAnswer = errors.New("the gateway took the money and did not answer")

// Charge implements Gateway.
func (g TestGateway) Charge(ctx context.Context, p Payment, _ string) (Outcome, error) {
	switch p.Method {
	case TestDeclined:
		return Outcome{Status: Declined, Ref: testRef(p), Reason: "The test card was declined."}, nil
	case TestRequiresAction:
		return Outcome{Status: RequiresAction, Ref: testRef(p), NextAction: &NextAction{
			Type: "redirect", URL: g.BaseURL + "/checkout/test-payment/" + url.PathEscape(p.ID),
		}}, nil
	case TestTimeout:
		select {
		case <-ctx.Done():
		case <-time.After(g.Silence):
		}
		return Outcome{}, errNoAnswer
	}
	return Outcome{Status: Captured, Ref: testRef(p)}, nil
}

// Lookup implements Gateway.
func (g TestGateway) Lookup(_ context.Context, p Payment) (Outcome, error) {
	switch p.Method {
	case TestDeclined:
		return Outcome{Status: Declined, Ref: testRef(p), Reason: "The test card was declined."}, nil
	case TestRequiresAction:
		return Outcome{Status: RequiresAction, Ref: testRef(p), NextAction: p.NextAction}, nil
	}
	return Outcome{Status: Captured, Ref: testRef(p)}, nil
}

// Capture implements Gateway.
func (TestGateway) Capture(_ context.Context, p Payment) (Outcome, error) {
	return Outcome{Status: Captured, Ref: testRef(p)}, nil
}

// Void implements Gateway.
func (TestGateway) Void(_ context.Context, p Payment) (Outcome, error) {
	return Outcome{Status: Voided, Ref: testRef(p)}, nil
}

// Refund implements Gateway.
func (TestGateway) Refund(context.Context, Payment, string, money.Amount) error { return nil }

func testRef(p Payment) string { return "test_" + p.ID }

// ManualGateway is money that comes another way, by bank transfer or in cash: staff capture it when it is there.
type ManualGateway struct{}

// Charge implements Gateway.
func (ManualGateway) Charge(context.Context, Payment, string) (Outcome, error) {
	return Outcome{Status: Created}, nil
}

// Lookup implements Gateway.
func (ManualGateway) Lookup(_ context.Context, p Payment) (Outcome, error) {
	return Outcome{Status: Created, Ref: p.ProviderRef}, nil
}

// Capture implements Gateway.
func (ManualGateway) Capture(_ context.Context, p Payment) (Outcome, error) {
	return Outcome{Status: Captured, Ref: "manual_" + p.ID}, nil
}

// Void implements Gateway.
func (ManualGateway) Void(context.Context, Payment) (Outcome, error) {
	return Outcome{Status: Voided}, nil
}

// Refund implements Gateway.
func (ManualGateway) Refund(context.Context, Payment, string, money.Amount) error { return nil }
