package app

import (
	"net/url"
	"strings"
	"time"

	"shopd/internal/orders"
	"shopd/internal/payments"
	"shopd/internal/payments/paypal"
	"shopd/internal/payments/stripe"
)

// testSilence is how long the test gateway's test_timeout keeps a shopper waiting.
const testSilence = 400 * time.Millisecond

// shopName is how gateways know this shop's payments from those of others that share an account.
func (s *Shop) shopName() string {
	if s.Config.HTTP.BaseURL == nil {
		return ""
	}
	return s.Config.HTTP.BaseURL.Host
}

// gateways are those that are set up, each behind its guards.
func (s *Shop) gateways() (map[string]payments.Gateway, error) {
	in := payments.NewInstruments(s.metrics(), s.telemetry.Tracer("payments"))
	timeout, manual := s.Config.Payments.Timeout, s.Config.Payments.Manual()
	gateways := map[string]payments.Gateway{payments.ProviderManual: payments.ManualGateway{}}
	guard := func(provider string, g payments.Gateway) {
		gateways[provider] = payments.Guard(provider, g, timeout, in)
	}
	if !s.Config.Profile.Strict() {
		guard(payments.ProviderTest, payments.TestGateway{BaseURL: s.baseURL(), Silence: testSilence})
	}
	if c := s.Config.Stripe; c.SecretKey != "" {
		secrets := make([]string, len(c.WebhookSecrets))
		for i, secret := range c.WebhookSecrets {
			secrets[i] = secret.Reveal()
		}
		guard(payments.ProviderStripe, stripe.New(stripe.Config{
			SecretKey: c.SecretKey.Reveal(), WebhookSecrets: secrets, APIURL: c.APIURL, Shop: s.shopName(), Manual: manual, Timeout: timeout, Now: s.now,
		}))
	}
	if c := s.Config.PayPal; c.ClientID != "" {
		g, err := paypal.New(paypal.Config{
			ClientID: c.ClientID, ClientSecret: c.ClientSecret.Reveal(), WebhookID: c.WebhookID, APIURL: c.APIURL, Brand: s.Config.Shop.Name, Manual: manual,
			Timeout: timeout, Now: s.now,
		})
		if err != nil {
			return nil, err
		}
		guard(payments.ProviderPayPal, g)
	}
	return gateways, nil
}

// paymentMethods are what the storefront offers, in this order.
func (s *Shop) paymentMethods() []orders.PaymentMethod {
	methods := []orders.PaymentMethod{}
	if s.Config.Stripe.SecretKey != "" {
		methods = append(methods, orders.PaymentMethod{Provider: payments.ProviderStripe, Method: stripe.MethodCheckout, Label: s.label("Card", "Stripe test double"), Hint: "You pay on Stripe's page."})
	}
	if s.Config.PayPal.ClientID != "" {
		methods = append(methods, orders.PaymentMethod{Provider: payments.ProviderPayPal, Label: s.label("PayPal", "test double"), Hint: "You pay on PayPal's page."})
	}
	if !s.Config.Profile.Strict() {
		methods = append(methods,
			orders.PaymentMethod{Provider: payments.ProviderTest, Method: payments.TestOK, Label: "Test card", Hint: "Succeeds. No money moves in this shop."},
			orders.PaymentMethod{Provider: payments.ProviderTest, Method: payments.TestRequiresAction, Label: "Test card with confirmation", Hint: "Asks you to play the bank."},
			orders.PaymentMethod{Provider: payments.ProviderTest, Method: payments.TestDeclined, Label: "Test card without money", Hint: "Is declined."},
			orders.PaymentMethod{Provider: payments.ProviderTest, Method: payments.TestTimeout, Label: "Test card with a silent bank", Hint: "Gives no answer at first."},
		)
	}
	return append(methods, orders.PaymentMethod{Provider: payments.ProviderManual, Label: "Bank transfer", Hint: "We send the goods when the money is there."})
}

// label names a way to pay, and says so where it leads to a double.
func (s *Shop) label(name, double string) string {
	if s.doubles {
		return name + " (" + double + ")"
	}
	return name
}

// formTargets are the origins of the pages that the checkout may lead to.
func (s *Shop) formTargets() []string {
	var targets []string
	if c := s.Config.Stripe; c.SecretKey != "" {
		targets = append(targets, pagesOf(c.APIURL, "stripe.com", "https://checkout.stripe.com", "https://hooks.stripe.com")...)
	}
	if c := s.Config.PayPal; c.ClientID != "" {
		targets = append(targets, pagesOf(c.APIURL, "paypal.com", "https://www.paypal.com", "https://www.sandbox.paypal.com")...)
	}
	return targets
}

// pagesOf are the company's pages when the API is the company's, else the API's own origin: a double has its pages there.
func pagesOf(api, company string, pages ...string) []string {
	u, err := url.Parse(api)
	if err != nil {
		return nil
	}
	if host := u.Hostname(); host == company || strings.HasSuffix(host, "."+company) {
		return pages
	}
	return []string{u.Scheme + "://" + u.Host}
}
