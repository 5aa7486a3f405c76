package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"shopd/internal/payments/gatewaytest"
	paypaldouble "shopd/internal/payments/gatewaytest/paypal"
	stripedouble "shopd/internal/payments/gatewaytest/stripe"
	"shopd/internal/platform/config"
)

// DoublesOptions are the flags of shopd gateway-doubles.
type DoublesOptions struct {
	StripeAddr, PayPalAddr string // where they listen
	Shop                   string // origin of the shop that webhooks go to; empty brings none
	Data                   string // directory for their books; empty forgets them
	Seed                   uint64 // of chance in their scripts
	JSON                   bool
}

// GatewayDoubles runs a Stripe and a PayPal that move no money, until it is told to stop.
func (p Program) GatewayDoubles(ctx context.Context, o DoublesOptions) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	d, err := openDoubles(o)
	if err != nil {
		return err
	}
	err = p.tellDoubles(d, o.JSON)
	if err == nil {
		<-ctx.Done()
	}
	return errors.Join(err, d.close())
}

func (p Program) tellDoubles(d *doubles, asJSON bool) error {
	settings := d.settings()
	if asJSON {
		return json.NewEncoder(p.Stdout).Encode(map[string]any{"stripe": d.stripe.URL, "paypal": d.paypal.URL, "settings": settings})
	}
	if _, err := fmt.Fprintf(p.Stdout, "Stripe is at %s, PayPal at %s. Look at them and script them under %s.\nGive the shop these settings:\n\n",
		d.stripe.URL, d.paypal.URL, gatewaytest.Prefix); err != nil {
		return err
	}
	for _, s := range settings {
		if _, err := fmt.Fprintln(p.Stdout, "export "+s); err != nil {
			return err
		}
	}
	return nil
}

// The keys that the doubles let in. They protect nothing.
const (
	doubleStripeKey    = "sk_test_double"
	doublePayPalID     = "double"
	doublePayPalSecret = "double-secret"
)

// doubles are a Stripe and a PayPal that move no money, in this process.
type doubles struct {
	stripe, paypal *gatewaytest.Server
	files          []*os.File
}

func openDoubles(o DoublesOptions) (_ *doubles, err error) {
	d := &doubles{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	stripe := stripedouble.New(stripedouble.Options{SecretKey: doubleStripeKey, Seed: o.Seed})
	paypal := paypaldouble.New(paypaldouble.Options{ClientID: doublePayPalID, ClientSecret: doublePayPalSecret, Seed: o.Seed})
	if o.Data != "" {
		for _, c := range []*gatewaytest.Control{stripe.Control, paypal.Control} {
			f, err := c.KeepIn(o.Data)
			if err != nil {
				return nil, err
			}
			d.files = append(d.files, f)
		}
	}
	if o.Shop != "" {
		stripe.Courier.Deliver(gatewaytest.Delivering{URL: o.Shop + "/webhooks/stripe"})
		paypal.Courier.Deliver(gatewaytest.Delivering{URL: o.Shop + "/webhooks/paypal"})
	}
	if d.stripe, err = gatewaytest.Listen(stripe, o.StripeAddr); err != nil {
		return nil, err
	}
	d.paypal, err = gatewaytest.Listen(paypal, o.PayPalAddr)
	return d, err
}

// configure makes a shop pay through the doubles.
func (d *doubles) configure(cfg *config.Config) {
	cfg.Stripe = config.Stripe{SecretKey: doubleStripeKey, WebhookSecrets: []config.Secret{stripedouble.DefaultWebhookSecret}, APIURL: d.stripe.URL}
	cfg.PayPal = config.PayPal{ClientID: doublePayPalID, ClientSecret: doublePayPalSecret, WebhookID: paypaldouble.DefaultWebhookID, APIURL: d.paypal.URL}
}

// openDoubles starts the doubles of a demo on free ports. Their books are kept with the shop's data.
func (p *process) openDoubles() (*doubles, error) {
	data := p.dir.Join("gateways")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("make a directory for the gateways' books: %w", err)
	}
	const free = "127.0.0.1:0"
	return openDoubles(DoublesOptions{StripeAddr: free, PayPalAddr: free, Shop: "http://" + reachable(p.public.Addr()), Data: data, Seed: 1})
}

// settings are what a shop needs to pay through the doubles.
func (d *doubles) settings() []string {
	return []string{
		"SHOPD_STRIPE_API_URL=" + d.stripe.URL, "SHOPD_STRIPE_SECRET_KEY=" + doubleStripeKey,
		"SHOPD_STRIPE_WEBHOOK_SECRET=" + stripedouble.DefaultWebhookSecret,
		"SHOPD_PAYPAL_API_URL=" + d.paypal.URL, "SHOPD_PAYPAL_CLIENT_ID=" + doublePayPalID, "SHOPD_PAYPAL_CLIENT_SECRET=" + doublePayPalSecret,
		"SHOPD_PAYPAL_WEBHOOK_ID=" + paypaldouble.DefaultWebhookID,
	}
}

func (d *doubles) close() error {
	var failures []error
	for _, s := range []*gatewaytest.Server{d.stripe, d.paypal} {
		if s != nil {
			failures = append(failures, s.Close())
		}
	}
	for _, f := range d.files {
		failures = append(failures, f.Close())
	}
	return errors.Join(failures...)
}
