// Command shopd is a shop in one program.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"shopd/internal/app"
)

// version is set when the program is built.
var version = "dev"

// Exit codes besides 0.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	app.MaybeRunChild()
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run executes one command and returns the exit code.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	c := &commands{Program: app.Program{Version: version, Environ: environ, Stdout: stdout, Stderr: stderr}}
	root := c.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var usage usageError
	if errors.As(err, &usage) || !c.started {
		fmt.Fprintf(stderr, "shopd: %v\nSee 'shopd --help'.\n", err)
		return exitUsage
	}
	if !errors.Is(err, app.ErrReported) {
		fmt.Fprintf(stderr, "shopd: %v\n", err)
	}
	return exitFailed
}

// usageError is what a command was called with wrongly.
type usageError struct{ error }

// commands are the subcommands, one file each.
type commands struct {
	app.Program
	// started says that the words of the command line were in order.
	started bool
}

func (c *commands) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "shopd",
		Short: "A shop in one program",
		Long: `shopd is a shop in one program: catalogue, search, cart, checkout, payments, stock and accounts, with a storefront,
an admin application and an HTTP API.

Try it:          shopd demo
Run it for real: shopd migrate up && shopd serve`,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRun: func(*cobra.Command, []string) { c.started = true },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		c.demo(), c.serve(), c.migrate(), c.importCommand(), c.reindex(), c.doctor(), c.deadLetters(), c.users(), c.apiKeys(), c.keys(), c.openapi(), c.models(), c.pricing(), c.gatewayDoubles(), c.versionCommand(),
	)
	return root
}

// group is a command that only has others below it.
func group(use, short string, below ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return usageError{fmt.Errorf("say what to do with %s", cmd.CommandPath())}
	}}
	g.AddCommand(below...)
	return g
}

// dataFlag adds --data to a command that works beside a running demo.
func dataFlag(cmd *cobra.Command, data *string) *cobra.Command {
	cmd.Flags().StringVar(data, "data", "", "data directory of the running demo (when SHOPD_DATABASE_URL is not set)")
	return cmd
}
