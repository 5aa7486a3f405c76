package relevance

import (
	"context"
	"fmt"
	"math"
	"slices"

	"shopd/internal/catalog/search"
)

// batch is how many products are written at once.
const batch = 500

// Fill writes documents to an engine.
func Fill(ctx context.Context, e search.Engine, docs []search.Document) error {
	for part := range slices.Chunk(docs, batch) {
		if err := e.Upsert(ctx, part); err != nil {
			return err
		}
	}
	return e.Refresh(ctx)
}

// Answered is a query with what an engine answered.
type Answered struct {
	Query
	Score
	IDs    []string
	Result search.Result
}

// Ask asks an engine the queries.
func Ask(ctx context.Context, e search.Engine, queries []Query) ([]Answered, error) {
	all := make([]Answered, 0, len(queries))
	for _, q := range queries {
		r, err := e.Search(ctx, search.Query{Text: q.Text, Limit: search.MaxLimit})
		if err != nil {
			return nil, fmt.Errorf("search for %q: %w", q.Text, err)
		}
		a := Answered{Query: q, Result: r, IDs: make([]string, len(r.Items))}
		for i, hit := range r.Items {
			a.IDs[i] = hit.ProductID
		}
		a.Score = q.score(a.IDs)
		all = append(all, a)
	}
	return all, nil
}

// Line is the mean over the queries of one set, or of one kind within it.
type Line struct {
	Name    string  `json:"name"`
	Queries int     `json:"queries"`
	NDCG    float64 `json:"ndcg10"`
	Judged  float64 `json:"ndcg10_judged,omitempty"`
	MRR     float64 `json:"mrr"`
	Recall  float64 `json:"recall100"`
	Empty   int     `json:"empty"` // queries that answer nothing although there is a relevant product
	Goal    float64 `json:"goal,omitempty"`
}

// Main is the figure that the goal is about.
func (l *Line) Main() float64 {
	if l.Judged > 0 {
		return l.Judged
	}
	return l.NDCG
}

// goals of the query sets.
var goals = map[string]float64{"human": 0.88, "typo": 0.85, "structured": 0.88, "knownitem": 0.97}

// Table sums up the answers: each set, followed by the kinds in it.
func Table(answers []Answered) []Line {
	var lines []Line
	at := make(map[string]int)
	members := make(map[string][]Answered)
	for _, a := range answers {
		names := []string{a.Set}
		if a.Kind != "" {
			names = append(names, a.Set+" "+a.Kind)
		}
		for _, name := range names {
			if _, ok := at[name]; !ok {
				at[name] = len(lines)
				lines = append(lines, Line{Name: name, Goal: goals[name]})
			}
			members[name] = append(members[name], a)
		}
	}
	for i := range lines {
		lines[i].sum(members[lines[i].Name])
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return setOf(a.Name) - setOf(b.Name) })
	return lines
}

// setOf orders lines by the set they belong to, the set itself before its kinds.
func setOf(name string) int {
	for i, set := range []string{"human", "typo", "structured", "knownitem"} {
		if name == set {
			return 2 * i
		}
		if len(name) > len(set) && name[:len(set)] == set {
			return 2*i + 1
		}
	}
	return math.MaxInt32
}

func (l *Line) sum(answers []Answered) {
	l.Queries = len(answers)
	l.NDCG = mean(answers, func(a *Answered) float64 { return a.NDCG })
	l.Judged = mean(answers, func(a *Answered) float64 { return a.Score.Judged })
	l.MRR = mean(answers, func(a *Answered) float64 { return a.MRR })
	l.Recall = mean(answers, func(a *Answered) float64 { return a.Recall })
	for i := range answers {
		if answers[i].Empty {
			l.Empty++
		}
	}
}

// mean of what can be told; 0 when nothing can.
func mean(answers []Answered, of func(*Answered) float64) float64 {
	sum, n := 0.0, 0
	for i := range answers {
		if v := of(&answers[i]); !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}
