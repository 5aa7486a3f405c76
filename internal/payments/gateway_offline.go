package payments

import (
	"context"
	"errors"
	"net/url"
	"time"
)

// The methods of the test gateway, and the names of the gateways.
const (
	ProviderTest   = "test"
	ProviderManual = "manual"
	ProviderStripe = "stripe"
	ProviderPayPal = "paypal"

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

// Accepts knows the gateway's methods.
func (TestGateway) Accepts(method string) bool {
	return method == TestOK || method == TestDeclined || method == TestRequiresAction || method == TestTimeout
}

// Charge implements Gateway.
func (g TestGateway) Charge(ctx context.Context, c Charge) (Outcome, error) {
	switch c.Method {
	case TestDeclined:
		return Outcome{Status: Declined, Ref: testRef(c.Payment), Reason: "The test card was declined."}, nil
	case TestRequiresAction:
		return Outcome{Status: RequiresAction, Ref: testRef(c.Payment), NextAction: &NextAction{
			Type: "redirect", URL: g.BaseURL + "/checkout/test-payment/" + url.PathEscape(c.ID),
		}}, nil
	case TestTimeout:
		select {
		case <-ctx.Done():
		case <-time.After(g.Silence):
		}
		return Outcome{}, errNoAnswer
	}
	return Outcome{Status: Captured, Ref: testRef(c.Payment)}, nil
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

// Confirm implements Gateway.
func (TestGateway) Confirm(_ context.Context, p Payment) (Outcome, error) {
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
func (TestGateway) Refund(_ context.Context, _ Payment, r RefundCall) (GivenBack, error) {
	return GivenBack{Ref: "test_" + r.ID}, nil
}

// Ping implements Gateway.
func (TestGateway) Ping(context.Context) error { return nil }

func testRef(p Payment) string { return "test_" + p.ID }

// ManualGateway is money that comes another way, by bank transfer or in cash: staff capture it when it is there.
type ManualGateway struct{}

// Charge implements Gateway.
func (ManualGateway) Charge(context.Context, Charge) (Outcome, error) {
	return Outcome{Status: Created}, nil
}

// Lookup implements Gateway. A capture that was cut off did not happen: staff say again that the money is there.
func (ManualGateway) Lookup(_ context.Context, p Payment) (Outcome, error) {
	return Outcome{Status: Created, Ref: p.ProviderRef}, nil
}

// Confirm implements Gateway. Nothing is ever approved here.
func (ManualGateway) Confirm(_ context.Context, p Payment) (Outcome, error) {
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
func (ManualGateway) Refund(_ context.Context, _ Payment, r RefundCall) (GivenBack, error) {
	return GivenBack{Ref: "manual_" + r.ID}, nil
}

// Ping implements Gateway.
func (ManualGateway) Ping(context.Context) error { return nil }
