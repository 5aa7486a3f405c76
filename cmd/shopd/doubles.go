package main

import (
	"github.com/spf13/cobra"

	"shopd/internal/app"
)

func (c *commands) gatewayDoubles() *cobra.Command {
	var o app.DoublesOptions
	cmd := &cobra.Command{
		Use:   "gateway-doubles",
		Short: "Run a Stripe and a PayPal that move no money, for integration tests",
		Long: `gateway-doubles runs a Stripe and a PayPal that move no money. The shop speaks to them through the companies' own SDKs;
they keep a book of what they took, and do what a script tells them: hang after a charge, answer 500 for ever, decline,
bring webhooks twice and in another order. How to look at them and script them over HTTP is in
internal/payments/gatewaytest/README.md.`,
		Example: `  shopd gateway-doubles --shop http://127.0.0.1:8080
  shopd gateway-doubles --stripe-addr 127.0.0.1:0 --paypal-addr 127.0.0.1:0 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.GatewayDoubles(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.StripeAddr, "stripe-addr", "127.0.0.1:12111", "address of Stripe; port 0 picks a free one")
	f.StringVar(&o.PayPalAddr, "paypal-addr", "127.0.0.1:12112", "address of PayPal; port 0 picks a free one")
	f.StringVar(&o.Shop, "shop", "", "origin of the shop that webhooks go to, such as http://127.0.0.1:8080")
	f.StringVar(&o.Data, "data", "", "directory to keep their books in; they are forgotten without one")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of chance in their scripts")
	f.BoolVar(&o.JSON, "json", false, "print one line of JSON once they answer")
	return cmd
}
