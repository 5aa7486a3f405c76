package relevance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"text/tabwriter"

	"shopd/internal/catalog/search"
	"shopd/internal/catalog/search/elastic"
	"shopd/internal/catalog/search/embedded"
)

// Config says what to measure.
type Config struct {
	Dir  string // of the data
	Half int    // of its queries; 0 for all
	Run  string // file for the answers; empty for none

	Engine string // its name in the report
	// ElasticsearchURL and Prefix are where to make an index, which the caller removes; without a URL the embedded
	// engine is measured.
	ElasticsearchURL string
	Prefix           string
}

// Report is how well an engine finds.
type Report struct {
	Engine  string `json:"engine"`
	Half    int    `json:"half,omitempty"` // of the queries; 0 for all
	Queries []Line `json:"queries"`
}

// Measure fills an engine with the products of a data folder and asks the queries of it.
func Measure(ctx context.Context, c Config, say func(string)) (_ *Report, err error) {
	say("Reading " + c.Dir)
	docs, err := Products(c.Dir)
	if err != nil {
		return nil, err
	}
	queries, err := Queries(c.Dir)
	if err != nil {
		return nil, err
	}
	if c.Half > 0 {
		queries = Half(queries, c.Half == 2)
	}
	engine, end, err := c.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, end()) }()
	say(fmt.Sprintf("Writing %d products to the %s engine", len(docs), c.Engine))
	if err := Fill(ctx, engine, docs); err != nil {
		return nil, err
	}
	say(fmt.Sprintf("Asking %d queries", len(queries)))
	answers, err := Ask(ctx, engine, queries)
	if err != nil {
		return nil, err
	}
	if c.Run != "" {
		if err := writeRun(c.Run, answers); err != nil {
			return nil, err
		}
	}
	return &Report{Engine: c.Engine, Half: c.Half, Queries: Table(answers)}, nil
}

// open opens an empty search engine, with a function that closes it.
func (c *Config) open() (_ search.Engine, end func() error, err error) {
	log := slog.New(slog.DiscardHandler)
	if c.ElasticsearchURL != "" {
		e, err := elastic.Open(elastic.Config{URLs: []string{c.ElasticsearchURL}, Prefix: c.Prefix, Log: log})
		if err != nil {
			return nil, nil, err
		}
		return e, e.Close, nil
	}
	dir, err := os.MkdirTemp("", "shopd-bench-")
	if err != nil {
		return nil, nil, err
	}
	e, err := embedded.Open(dir, log)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return e, func() error { return errors.Join(e.Close(), os.RemoveAll(dir)) }, nil
}

// writeRun writes the ids that answer each query, one query a line, for other programs to score.
func writeRun(path string, answers []Answered) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := json.NewEncoder(file)
	for _, a := range answers {
		if err := lines.Encode(map[string]any{"qid": a.ID, "ids": a.IDs}); err != nil {
			return err
		}
	}
	return nil
}

// Print writes the report as a table, or as JSON.
func (r *Report) Print(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	fmt.Fprintf(w, "Search by %s; NDCG@10 of open sets is among the judged products\n\n", r.Engine)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "queries\tnumber\tNDCG@10\tgoal\tunjudged = 0\tMRR\trecall@100\tno answer")
	for _, l := range r.Queries {
		goal := ""
		if l.Goal > 0 {
			goal = fmt.Sprintf("%.2f", l.Goal)
			if l.Main() >= l.Goal {
				goal += ", reached"
			}
		}
		fmt.Fprintf(t, "%s\t%d\t%.3f\t%s\t%.3f\t%.3f\t%.3f\t%d\n", l.Name, l.Queries, l.Main(), goal, l.NDCG, l.MRR, l.Recall, l.Empty)
	}
	return t.Flush()
}
