package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func (c *commands) reindex() *cobra.Command {
	var data string
	return dataFlag(&cobra.Command{
		Use: "reindex", Short: "Build the search index anew; searches go on meanwhile", Example: "  shopd reindex", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.Reindex(cmd.Context(), data) },
	}, &data)
}

func (c *commands) doctor() *cobra.Command {
	var data string
	return dataFlag(&cobra.Command{
		Use: "doctor", Short: "Check every setting and service, and say what to do", Example: "  shopd doctor", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.Doctor(cmd.Context(), data) },
	}, &data)
}

func (c *commands) deadLetters() *cobra.Command {
	var data string
	list := &cobra.Command{
		Use: "list", Short: "List events that a consumer gave up on", Example: "  shopd dlq list", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.ListDeadLetters(cmd.Context(), data) },
	}
	show := &cobra.Command{
		Use: "show ID", Short: "Show one with its error", Example: "  shopd dlq show dl_…", Args: oneArgument,
		RunE: func(cmd *cobra.Command, args []string) error { return c.ShowDeadLetter(cmd.Context(), data, args[0]) },
	}
	redrive := &cobra.Command{
		Use: "redrive ID", Short: "Hand one to its consumer again", Example: "  shopd dlq redrive dl_…", Args: oneArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.RedriveDeadLetter(cmd.Context(), data, args[0])
		},
	}
	return group("dlq", "Look after dead letters", dataFlag(list, &data), dataFlag(show, &data), dataFlag(redrive, &data))
}

func (c *commands) users() *cobra.Command {
	var data, email, password string
	create := dataFlag(&cobra.Command{
		Use: "create-admin", Short: "Make an owner of the shop and print a link that signs in once",
		Example: "  shopd users create-admin --email owner@shop.example", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if email == "" {
				return usageError{fmt.Errorf("say whose account it is with --email")}
			}
			return c.CreateAdmin(cmd.Context(), data, email, password)
		},
	}, &data)
	create.Flags().StringVar(&email, "email", "", "mail address of the owner")
	create.Flags().StringVar(&password, "password", "", "password; without one the account signs in by link")
	return group("users", "Look after accounts", create)
}

func (c *commands) apiKeys() *cobra.Command {
	var data, name, scopes string
	create := dataFlag(&cobra.Command{
		Use: "create", Short: "Make an API key and print it, once",
		Example: "  shopd api-keys create --name warehouse --scopes inventory:write,orders:read", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if name == "" || scopes == "" {
				return usageError{fmt.Errorf("give the key a --name and its --scopes")}
			}
			return c.CreateAPIKey(cmd.Context(), data, name, strings.Split(scopes, ","))
		},
	}, &data)
	create.Flags().StringVar(&name, "name", "", "what the key is for")
	create.Flags().StringVar(&scopes, "scopes", "", "comma list of what it may do, such as orders:read,inventory:*")
	return group("api-keys", "Look after API keys", create)
}

func (c *commands) keys() *cobra.Command {
	var data string
	rotate := dataFlag(&cobra.Command{
		Use: "rotate", Short: "Bring what older master keys protect under the first of SHOPD_MASTER_KEY", Example: "  shopd keys rotate", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.RotateKeys(cmd.Context(), data) },
	}, &data)
	return group("keys", "Look after the keys that protect personal data", rotate)
}

func (c *commands) openapi() *cobra.Command {
	return &cobra.Command{
		Use: "openapi", Short: "Print the OpenAPI document of the HTTP API", Example: "  shopd openapi > openapi.yaml", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return c.OpenAPI() },
	}
}

func (c *commands) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Example: "  shopd version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(c.Stdout, "shopd %s\n", c.Version)
			return err
		},
	}
}
