package stripe

import (
	"context"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76"

	"shopd/internal/payments"
)

// pageLife is how long a shopper may pay on Stripe's page: the least that Stripe allows, and a little. The order does not
// wait so long; whoever gives it up closes the page.
const pageLife = 31 * time.Minute

// isPage reports whether a name is that of a page of Stripe's, which has no payment intent yet.
func isPage(ref string) bool { return strings.HasPrefix(ref, "cs_") }

// openPage makes a page of Stripe's where the shopper pays.
func (g *Gateway) openPage(ctx context.Context, c payments.Charge) (payments.Outcome, error) {
	minor, currency, err := toStripe(c.Amount)
	if err != nil {
		return payments.Outcome{}, &payments.Refused{Code: "currency", Reason: err.Error()}
	}
	p := &stripe.CheckoutSessionParams{
		Params: params(ctx), Mode: stripe.String(string(stripe.CheckoutSessionModePayment)), ClientReferenceID: &c.ID,
		SuccessURL: &c.ReturnURL, CancelURL: &c.ReturnURL, ExpiresAt: stripe.Int64(g.cfg.Now().Add(pageLife).Unix()),
		LineItems: []*stripe.CheckoutSessionLineItemParams{{
			Quantity: stripe.Int64(1), PriceData: &stripe.CheckoutSessionLineItemPriceDataParams{
				Currency: &currency, UnitAmount: &minor, ProductData: &stripe.CheckoutSessionLineItemPriceDataProductDataParams{Name: stripe.String("Your order")},
			},
		}},
		PaymentIntentData: &stripe.CheckoutSessionPaymentIntentDataParams{},
	}
	p.SetIdempotencyKey(c.ID)
	g.name(p, c.Payment)
	g.name(p.PaymentIntentData, c.Payment)
	if g.cfg.Manual {
		p.PaymentIntentData.CaptureMethod = stripe.String(string(stripe.PaymentIntentCaptureMethodManual))
	}
	if c.Customer != "" {
		p.Customer = &c.Customer
	}
	if c.Save {
		p.PaymentIntentData.SetupFutureUsage = stripe.String(string(stripe.PaymentIntentSetupFutureUsageOffSession))
	}
	s, err := g.api.CheckoutSessions.New(p)
	if err != nil {
		return payments.Outcome{}, explain(err)
	}
	return pageOutcome(s), nil
}

// pageOutcome reads a page that has no payment intent.
func pageOutcome(s *stripe.CheckoutSession) payments.Outcome {
	o := payments.Outcome{
		Status: payments.RequiresAction, Ref: s.ID, NextAction: &payments.NextAction{Type: "redirect", URL: s.URL},
		Seen: &payments.Seen{
			PaymentID: s.Metadata[metaPayment], OrderID: s.Metadata[metaOrder], Amount: fromStripe(s.AmountTotal, string(s.Currency)),
			Captured: fromStripe(0, string(s.Currency)),
		},
	}
	if s.Status == stripe.CheckoutSessionStatusExpired {
		o.Status, o.NextAction = payments.Voided, nil
	}
	return o
}

// lookUpPage reads a page, and the payment intent that it became.
func (g *Gateway) lookUpPage(ctx context.Context, p payments.Payment) (payments.Outcome, error) {
	s, err := g.api.CheckoutSessions.Get(p.ProviderRef, &stripe.CheckoutSessionParams{Params: params(ctx)})
	if err != nil {
		return payments.Outcome{}, explain(err)
	}
	if s.PaymentIntent == nil || s.PaymentIntent.ID == "" {
		return pageOutcome(s), nil
	}
	o, err := g.lookUpIntent(ctx, p, s.PaymentIntent.ID)
	if err != nil {
		return payments.Outcome{}, err
	}
	if s.Status == stripe.CheckoutSessionStatusOpen && o.Status == payments.Declined {
		// The first card was declined; the shopper may try another one on the page.
		return pageOutcome(s), nil
	}
	o.Seen.Renamed = s.ID
	return o, nil
}

// closePage ends a page so that nobody pays on it any more.
func (g *Gateway) closePage(ctx context.Context, p payments.Payment) (payments.Outcome, error) {
	s, err := g.api.CheckoutSessions.Expire(p.ProviderRef, &stripe.CheckoutSessionExpireParams{Params: params(ctx)})
	if err == nil {
		return pageOutcome(s), nil
	}
	if why := explain(err); payments.IsRefused(why) { // paid, or expired already
		return g.Lookup(ctx, p)
	}
	return payments.Outcome{}, explain(err)
}
