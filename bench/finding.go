package main

import (
	"context"
	"errors"
	"os"

	"shopd/bench/relevance"
	"shopd/internal/rig"
)

// printFinding measures how well the chosen engine finds, and prints it.
func printFinding(ctx context.Context, o options, say func(string)) (err error) {
	c := relevance.Config{Dir: o.relevance, Half: o.half, Run: o.run, Engine: o.engine}
	if o.engine == engineElasticsearch {
		c.ElasticsearchURL, c.Prefix = elasticsearchURL(), newName()
		defer func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			err = errors.Join(err, rig.DeleteIndices(ctx, c.ElasticsearchURL, c.Prefix))
		}()
	}
	report, err := relevance.Measure(ctx, c, say)
	if err != nil {
		return err
	}
	return report.Print(os.Stdout, o.json)
}
