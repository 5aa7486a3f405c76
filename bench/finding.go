package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"text/tabwriter"

	"shopd/bench/relevance"
	"shopd/internal/catalog/search"
	"shopd/internal/catalog/search/elastic"
	"shopd/internal/catalog/search/embedded"
)

// finding is how well an engine finds.
type finding struct {
	Engine  string           `json:"engine"`
	Half    int              `json:"half,omitempty"` // of the queries; 0 for all
	Queries []relevance.Line `json:"queries"`
}

// openEngine opens an empty search engine of the kind that was asked for, with a function that removes it.
func openEngine(kind string) (_ search.Engine, remove func() error, err error) {
	log := slog.New(slog.DiscardHandler)
	if kind == engineElasticsearch {
		url, prefix := setting("SHOPD_TEST_ELASTICSEARCH_URL", "http://127.0.0.1:19200"), newName()
		e, err := elastic.Open(elastic.Config{URLs: []string{url}, Prefix: prefix, Log: log})
		if err != nil {
			return nil, nil, err
		}
		return e, func() error {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			return errors.Join(e.Close(), deleteIndices(ctx, url, prefix))
		}, nil
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

// measureFinding fills an engine with the products of a data folder and asks the queries of it.
func measureFinding(ctx context.Context, o options, say func(string)) (_ *finding, err error) {
	say("Reading " + o.relevance)
	docs, err := relevance.Products(o.relevance)
	if err != nil {
		return nil, err
	}
	queries, err := relevance.Queries(o.relevance)
	if err != nil {
		return nil, err
	}
	if o.half > 0 {
		queries = relevance.Half(queries, o.half == 2)
	}
	engine, remove, err := openEngine(o.engine)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	say(fmt.Sprintf("Writing %d products to the %s engine", len(docs), o.engine))
	if err := relevance.Fill(ctx, engine, docs); err != nil {
		return nil, err
	}
	say(fmt.Sprintf("Asking %d queries", len(queries)))
	answers, err := relevance.Ask(ctx, engine, queries)
	if err != nil {
		return nil, err
	}
	if o.run != "" {
		if err := writeRun(o.run, answers); err != nil {
			return nil, err
		}
	}
	return &finding{Engine: o.engine, Half: o.half, Queries: relevance.Table(answers)}, nil
}

// writeRun writes the ids that answer each query, one query a line, for other programs to score.
func writeRun(path string, answers []relevance.Answered) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := json.NewEncoder(file)
	for _, a := range answers {
		if err := lines.Encode(map[string]any{"qid": a.ID, "ids": slices.Clip(a.IDs)}); err != nil {
			return err
		}
	}
	return nil
}

func (f *finding) print(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(f)
	}
	fmt.Fprintf(w, "Search by %s; NDCG@10 of open sets is among the judged products\n\n", f.Engine)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "queries\tnumber\tNDCG@10\tgoal\tunjudged = 0\tMRR\trecall@100\tno answer")
	for _, l := range f.Queries {
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
