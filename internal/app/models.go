package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"shopd/internal/recs"
	"shopd/internal/recs/model"
)

// ListModels prints the models in the directories below dir, and what is wrong with those that cannot be read.
func (p Program) ListModels(dir string) error {
	manifests, err := filepath.Glob(filepath.Join(dir, "*", model.ManifestFile))
	if err != nil {
		return err
	}
	if len(manifests) == 0 {
		return fmt.Errorf("there is no model in %s: a model is a directory with a %s", dir, model.ManifestFile)
	}
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DIRECTORY\tVERSION\tKIND\tITEMS\tDATA UNTIL\tSTATE")
	broken := 0
	for _, file := range manifests {
		m, err := model.Open(filepath.Dir(file), recs.LoadGraph)
		if err != nil {
			broken++
			fmt.Fprintf(w, "%s\t\t\t\t\t%v\n", filepath.Dir(file), err)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\twhole\n", filepath.Dir(file), m.Version, m.Kind, m.Data.Items, m.Data.Until)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if broken > 0 {
		return ErrReported
	}
	return nil
}

// VerifyModel checks a model's files, what it computes and how long it takes.
func (p Program) VerifyModel(ctx context.Context, dir string, limit time.Duration) error {
	m, err := model.Open(dir, recs.LoadGraph)
	if err != nil {
		return err
	}
	report, err := m.Verify(ctx, limit)
	if err != nil {
		return fmt.Errorf("the model in %s: %w", dir, err)
	}
	_, err = fmt.Fprintf(p.Stdout, "%s is good: %d golden histories, scores within %.1g of the trainer's, median %v, 99 of 100 within %v.\n",
		m.Version, report.Histories, report.Worst, report.Median.Round(time.Microsecond), report.P99.Round(time.Microsecond))
	return err
}

// ActivateModel makes the shop serve with the model in a directory.
func (p Program) ActivateModel(ctx context.Context, data, dir string, limit time.Duration) error {
	return p.withShop(ctx, data, func(s *Shop) error {
		m, err := s.Recs.Activate(ctx, dir, limit)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.Stdout, "%s %s is active: every process serves with it within seconds.\n", m.Name, m.Version)
		return err
	})
}

// DeactivateModels makes the shop serve without a model.
func (p Program) DeactivateModels(ctx context.Context, data string) error {
	return p.withShop(ctx, data, func(s *Shop) error {
		if err := s.Recs.Deactivate(ctx); err != nil {
			return err
		}
		_, err := fmt.Fprintln(p.Stdout, "No model is active any more: every process counts what is bought together again within seconds.")
		return err
	})
}

// scoreQuestion and scoreAnswer are the lines of ScoreModel.
type scoreQuestion struct {
	ID      *string  `json:"id"`
	History []string `json:"history"`
}

type scoreAnswer struct {
	ID    string   `json:"id"`
	Items []string `json:"items"`
}

// ScoreModel answers each line {"id","history"} of a file with a line {"id","items"} of k items; "-" is standard input.
func (p Program) ScoreModel(ctx context.Context, dir, histories string, k int) error {
	m, err := model.Open(dir, recs.LoadGraph)
	if err != nil {
		return err
	}
	in := io.Reader(os.Stdin)
	if histories != "-" {
		f, err := os.Open(histories)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // only read
		in = f
	}
	out := bufio.NewWriter(p.Stdout)
	if err := score(ctx, m, bufio.NewReaderSize(in, 1<<16), json.NewEncoder(out), k); err != nil {
		return fmt.Errorf("%s: %w", histories, errors.Join(err, out.Flush()))
	}
	return out.Flush()
}

func score(ctx context.Context, m *model.Model, in *bufio.Reader, out *json.Encoder, k int) error {
	for number := 1; ; number++ {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		last := errors.Is(err, io.EOF)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if len(bytes.TrimSpace(line)) > 0 {
			if err := scoreLine(m, line, out, k); err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
		}
		if last {
			return nil
		}
	}
}

func scoreLine(m *model.Model, line []byte, out *json.Encoder, k int) error {
	var q scoreQuestion
	if err := json.Unmarshal(line, &q); err != nil {
		return err
	}
	if q.ID == nil {
		return errors.New("there is no id")
	}
	list, err := m.Recommend(q.History, k)
	if err != nil {
		return err
	}
	a := scoreAnswer{ID: *q.ID, Items: make([]string, len(list))}
	for i, s := range list {
		a.Items[i] = s.Item
	}
	return out.Encode(a)
}
