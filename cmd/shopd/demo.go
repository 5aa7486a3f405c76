package main

import (
	"github.com/spf13/cobra"

	"shopd/internal/app"
)

func (c *commands) demo() *cobra.Command {
	var o app.DemoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Open a sample shop: everything in one process, nothing to set up",
		Example: `  shopd demo
  shopd demo --addr :0 --ops-addr :0 --data ./second-shop
  shopd demo --reset`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.Demo(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.Data, "data", "", "directory for everything the shop keeps")
	f.StringVar(&o.Addr, "addr", "", "address of the shop; :0 picks a free port (default 127.0.0.1:8080)")
	f.StringVar(&o.OpsAddr, "ops-addr", "", "address of metrics and health; :0 picks a free port (default 127.0.0.1:9090)")
	f.BoolVar(&o.Reset, "reset", false, "throw the data away and start over")
	f.BoolVar(&o.Empty, "empty", false, "start without the sample shop")
	f.BoolVar(&o.JSON, "json", false, "print one line of JSON once the shop is open")
	return cmd
}
