package stripe

import (
	"context"
	"errors"
	"fmt"

	"github.com/stripe/stripe-go/v76"

	"shopd/internal/payments"
)

// Charge implements payments.Gateway.
func (g *Gateway) Charge(ctx context.Context, c payments.Charge) (payments.Outcome, error) {
	if c.Method == MethodCheckout {
		return g.openPage(ctx, c)
	}
	minor, currency, err := toStripe(c.Amount)
	if err != nil {
		return payments.Outcome{}, &payments.Refused{Code: "currency", Reason: err.Error()}
	}
	p := &stripe.PaymentIntentParams{
		Params: params(ctx), Amount: &minor, Currency: &currency,
		AutomaticPaymentMethods: &stripe.PaymentIntentAutomaticPaymentMethodsParams{Enabled: stripe.Bool(true)},
	}
	p.SetIdempotencyKey(c.ID)
	g.name(p, c.Payment)
	if g.cfg.Manual {
		p.CaptureMethod = stripe.String(string(stripe.PaymentIntentCaptureMethodManual))
	}
	if c.Customer != "" {
		p.Customer = &c.Customer
	}
	if c.Save {
		p.SetupFutureUsage = stripe.String(string(stripe.PaymentIntentSetupFutureUsageOffSession))
	}
	if c.Method != "" {
		p.PaymentMethod, p.Confirm = &c.Method, stripe.Bool(true)
		if c.ReturnURL == "" {
			p.AutomaticPaymentMethods.AllowRedirects = stripe.String("never")
		} else {
			p.ReturnURL = &c.ReturnURL
		}
	}
	p.AddExpand("latest_charge")
	pi, err := g.api.PaymentIntents.New(p)
	if declined, ok := declineIn(err); ok {
		return declined, nil
	}
	if err != nil {
		return payments.Outcome{}, explain(err)
	}
	return g.outcome(ctx, c.Payment, pi)
}

// named is what metadata can be written to.
type named interface{ AddMetadata(key, value string) }

// name writes our names beside an object of Stripe's.
func (g *Gateway) name(o named, p payments.Payment) {
	o.AddMetadata(metaPayment, p.ID)
	o.AddMetadata(metaOrder, p.OrderID)
	o.AddMetadata(metaShop, g.cfg.Shop)
}

// declineIn reads the decline of a card out of an error.
func declineIn(err error) (payments.Outcome, bool) {
	var e *stripe.Error
	if !errors.As(err, &e) || e.Type != stripe.ErrorTypeCard || e.PaymentIntent == nil {
		return payments.Outcome{}, false
	}
	return payments.Outcome{Status: payments.Declined, Ref: e.PaymentIntent.ID, Reason: e.Msg, Seen: seen(e.PaymentIntent)}, true
}

// outcome reads a payment intent of p.
func (g *Gateway) outcome(ctx context.Context, p payments.Payment, pi *stripe.PaymentIntent) (payments.Outcome, error) {
	o := payments.Outcome{Ref: pi.ID, Seen: seen(pi)}
	switch pi.Status {
	case stripe.PaymentIntentStatusSucceeded:
		o.Status = payments.Captured
	case stripe.PaymentIntentStatusRequiresCapture:
		o.Status = payments.Authorised
	case stripe.PaymentIntentStatusCanceled:
		o.Status = payments.Voided
	case stripe.PaymentIntentStatusProcessing:
		o.Status = payments.Unknown // it goes on without us and will be told
	case stripe.PaymentIntentStatusRequiresAction:
		o.Status, o.NextAction = payments.RequiresAction, nextAction(pi)
	default:
		o.Status, o.NextAction = payments.RequiresAction, &payments.NextAction{Type: "client_secret", ClientSecret: pi.ClientSecret}
		if p.Method != "" { // a card that was named, and did not pay
			o.Status, o.NextAction, o.Reason = payments.Declined, nil, "The card was declined."
			if pi.LastPaymentError != nil && pi.LastPaymentError.Msg != "" {
				o.Reason = pi.LastPaymentError.Msg
			}
		}
	}
	if pi.LatestCharge != nil && pi.LatestCharge.AmountRefunded > 0 {
		refunds, err := g.refundsOf(ctx, pi.ID)
		if err != nil {
			return payments.Outcome{}, err
		}
		o.Seen.Refunds = refunds
	}
	return o, nil
}

func nextAction(pi *stripe.PaymentIntent) *payments.NextAction {
	if a := pi.NextAction; a != nil && a.RedirectToURL != nil && a.RedirectToURL.URL != "" {
		return &payments.NextAction{Type: "redirect", URL: a.RedirectToURL.URL, ClientSecret: pi.ClientSecret}
	}
	return &payments.NextAction{Type: "client_secret", ClientSecret: pi.ClientSecret}
}

func seen(pi *stripe.PaymentIntent) *payments.Seen {
	return &payments.Seen{
		PaymentID: pi.Metadata[metaPayment], OrderID: pi.Metadata[metaOrder],
		Amount: fromStripe(pi.Amount, string(pi.Currency)), Captured: fromStripe(pi.AmountReceived, string(pi.Currency)),
	}
}

// Capture implements payments.Gateway.
func (g *Gateway) Capture(ctx context.Context, p payments.Payment) (payments.Outcome, error) {
	due := p.Amount
	if p.Asked > 0 {
		due.Minor = p.Asked
	}
	minor, _, err := toStripe(due)
	if err != nil {
		return payments.Outcome{}, &payments.Refused{Code: "currency", Reason: err.Error()}
	}
	c := &stripe.PaymentIntentCaptureParams{Params: params(ctx), AmountToCapture: &minor}
	c.SetIdempotencyKey(fmt.Sprintf("%s/capture/%d", p.ID, p.Version))
	c.AddExpand("latest_charge")
	pi, err := g.api.PaymentIntents.Capture(p.ProviderRef, c)
	if isState(err) {
		return g.Lookup(ctx, p)
	}
	if err != nil {
		return payments.Outcome{}, explain(err)
	}
	return g.outcome(ctx, p, pi)
}

// isState reports whether a call came too late, or too early, for the state a payment is in.
func isState(err error) bool {
	var e *stripe.Error
	return errors.As(err, &e) && e.Code == stripe.ErrorCodePaymentIntentUnexpectedState
}

// Confirm implements payments.Gateway. At Stripe nothing waits for it: what the shopper agrees to is taken there.
func (g *Gateway) Confirm(ctx context.Context, p payments.Payment) (payments.Outcome, error) {
	return g.Lookup(ctx, p)
}

// Void implements payments.Gateway.
func (g *Gateway) Void(ctx context.Context, p payments.Payment) (payments.Outcome, error) {
	if isPage(p.ProviderRef) {
		return g.closePage(ctx, p)
	}
	if p.ProviderRef == "" {
		return g.Lookup(ctx, p)
	}
	c := &stripe.PaymentIntentCancelParams{Params: params(ctx)}
	c.AddExpand("latest_charge")
	pi, err := g.api.PaymentIntents.Cancel(p.ProviderRef, c)
	if isState(err) {
		return g.Lookup(ctx, p)
	}
	if err != nil {
		return payments.Outcome{}, explain(err)
	}
	return g.outcome(ctx, p, pi)
}
