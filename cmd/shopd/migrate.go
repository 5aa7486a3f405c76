package main

import "github.com/spf13/cobra"

func (c *commands) migrate() *cobra.Command {
	var data string
	step := func(direction, short string) *cobra.Command {
		return dataFlag(&cobra.Command{
			Use: direction, Short: short, Example: "  shopd migrate " + direction, Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return c.Migrate(cmd.Context(), direction, data) },
		}, &data)
	}
	return group("migrate", "Change the database schema",
		step("up", "Bring the schema up to date, under a lock"),
		step("down", "Take the newest step back"),
		step("status", "Show which steps are applied"),
	)
}
