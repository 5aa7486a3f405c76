package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"
)

func (c *commands) models() *cobra.Command {
	list := &cobra.Command{
		Use: "list DIR", Short: "List the models in the directories below DIR", Example: "  shopd models list models/benchmarks", Args: oneArgument,
		RunE: func(_ *cobra.Command, args []string) error { return c.ListModels(args[0]) },
	}
	var limit time.Duration
	verify := &cobra.Command{
		Use: "verify DIR", Short: "Check a model's files, what it computes, and how fast",
		Long: `Check that the files of a model are those that were written and fit together, that it computes what its trainer
computed, and that it is fast enough.`,
		Example: "  shopd models verify models/benchmarks/online-retail-v2", Args: oneArgument,
		RunE: func(cmd *cobra.Command, args []string) error { return c.VerifyModel(cmd.Context(), args[0], limit) },
	}
	var data string
	activate := &cobra.Command{
		Use: "activate DIR", Short: "Let the shop recommend with a model",
		Long: `Verify a model and let every process of the shop recommend with it, without a restart. The shop must sell some of the
model's items. The one before goes on answering until the new one is ready.`,
		Example: "  shopd models activate models/trained/shop-v2", Args: oneArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.ActivateModel(cmd.Context(), data, args[0], limit)
		},
	}
	deactivate := &cobra.Command{
		Use: "deactivate", Short: "Let the shop recommend without a model", Example: "  shopd models deactivate", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.DeactivateModels(cmd.Context(), data) },
	}
	for _, command := range []*cobra.Command{verify, activate} {
		command.Flags().DurationVar(&limit, "limit", 50*time.Millisecond, "how long 99 of 100 histories may take, one at a time; 0 is for ever")
	}
	return group("models", "Look after recommendation models",
		list, verify, c.scoreModel(), dataFlag(activate, &data), dataFlag(deactivate, &data))
}

func (c *commands) scoreModel() *cobra.Command {
	var dir, histories string
	var k int
	score := &cobra.Command{
		Use: "score", Short: "Answer histories with items",
		Long: `Read a line {"id","history":[item,…]} for each history, oldest item first, and write a line {"id","items":[…]}, best
first, with no item of the history.`,
		Example: "  shopd models score --model models/benchmarks/online-retail-v2 --histories histories.jsonl --k 20", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" || histories == "" || k < 1 {
				return usageError{errors.New("say which --model and which --histories, and how many items with --k")}
			}
			return c.ScoreModel(cmd.Context(), dir, histories, k)
		},
	}
	score.Flags().StringVar(&dir, "model", "", "directory of the model")
	score.Flags().StringVar(&histories, "histories", "", "file with a history a line; - is standard input")
	score.Flags().IntVar(&k, "k", 20, "how many items")
	return score
}
