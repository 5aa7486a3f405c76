package main

import (
	"github.com/spf13/cobra"

	"shopd/internal/app"
)

func (c *commands) serve() *cobra.Command {
	var roles string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the shop on PostgreSQL, Redis, RabbitMQ and Elasticsearch",
		Long: `Run the shop. All settings come from the environment; shopd doctor checks them, docs/configuration.md lists them.
Any number of processes may run beside each other, each with all roles or some.`,
		Example: `  shopd serve
  shopd serve --roles web
  shopd serve --roles worker,relay,scheduler`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			parsed, err := app.ParseRoles(roles)
			if err != nil {
				return usageError{err}
			}
			return c.Serve(cmd.Context(), app.ServeOptions{Roles: parsed})
		},
	}
	cmd.Flags().StringVar(&roles, "roles", "web,worker,relay,scheduler", "what this process does")
	return cmd
}
