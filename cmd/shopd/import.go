package main

import (
	"github.com/spf13/cobra"

	"shopd/internal/app"
)

func (c *commands) importCommand() *cobra.Command {
	var o app.ImportCommand
	products := dataFlag(&cobra.Command{
		Use:   "products FILE",
		Short: "Import products with prices and stock from a JSONL file",
		Long: `Import products from a file with one JSON object a line. Rows that cannot be imported are written to FILE.errors.jsonl
with their line and the reason; all others are imported. An import that was interrupted goes on where it was.`,
		Example: `  shopd import products catalogue.jsonl
  shopd import products catalogue.jsonl --dry-run`,
		Args: oneArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.File = args[0]
			return c.ImportProducts(cmd.Context(), o)
		},
	}, &o.Data)
	products.Flags().BoolVar(&o.DryRun, "dry-run", false, "check the file and change nothing")
	products.Flags().BoolVar(&o.Restart, "restart", false, "begin anew instead of going on where an interrupted import was")
	return group("import", "Bring things into the shop", products)
}

// oneArgument is cobra.ExactArgs(1) whose error is one of usage.
func oneArgument(cmd *cobra.Command, args []string) error {
	if err := cobra.ExactArgs(1)(cmd, args); err != nil {
		return usageError{err}
	}
	return nil
}
