package main

import "github.com/spf13/cobra"

func (c *commands) pricing() *cobra.Command {
	addr := "127.0.0.1:8070"
	sim := &cobra.Command{
		Use:   "sim",
		Short: "Run the pricing engine alone, for simulations and back-tests",
		Long: `sim runs the pricing engine alone, without a database. Over HTTP it takes

  POST /reset     {"run"}         forget everything
  POST /history   {"rows":[…]}    what was sold in the past, a row for each article and day
  POST /prices    {"day","items"} answers {"prices":{sku: price}} for one day
  POST /outcomes  {"day","items"} what was sold at these prices

Prices stay between 1.02 times the cost (of stock that is cleared: of what is left over brings) and twice the list
price, and move by at most 25 % a day. How it decides is in internal/pricing/demand.`,
		Example: "  shopd pricing sim --addr 127.0.0.1:8070",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.PricingSim(cmd.Context(), addr) },
	}
	sim.Flags().StringVar(&addr, "addr", addr, "address to listen on; port 0 picks a free one and prints it")
	return group("pricing", "Try the pricing engine", sim)
}
