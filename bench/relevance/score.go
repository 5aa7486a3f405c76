package relevance

import (
	"math"
	"slices"
)

const (
	ranks     = 10  // that count for the gain
	depth     = 100 // answers that are looked at
	bestGrade = 3.0
	relevant  = 2 // the lowest grade of an answer that helps
)

// Score is how good the answers to one query are. What cannot be told is NaN.
type Score struct {
	NDCG   float64 // of the first ten, judged or not
	Judged float64 // of the first ten among the judged ones; of open queries only
	Recall float64 // relevant products among the first hundred
	MRR    float64 // 1/rank of the first relevant one
	Empty  bool    // there is no answer, but a relevant product
}

// score rates the ids that answer a query, the best first.
func (q *Query) score(ids []string) Score {
	s := Score{NDCG: math.NaN(), Judged: math.NaN(), Recall: math.NaN(), MRR: math.NaN()}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return slices.Contains(q.Ignore, id) })
	ids = ids[:min(depth, len(ids))]
	best := make([]int, 0, len(q.Judgments))
	for _, grade := range q.Judgments {
		best = append(best, grade)
	}
	slices.SortFunc(best, func(a, b int) int { return b - a })
	if len(best) == 0 || best[0] == 0 {
		return s
	}
	grades, judged := make([]int, len(ids)), make([]int, 0, len(ids))
	for i, id := range ids {
		grade, known := q.Judgments[id]
		grades[i] = grade
		if known {
			judged = append(judged, grade)
		}
	}
	s.NDCG = gain(grades) / gain(best)
	if !q.Closed {
		s.Judged = gain(judged) / gain(best)
	}
	if wanted := helping(best); wanted > 0 {
		s.Recall = float64(helping(grades)) / float64(wanted)
		s.MRR = 0
		if first := slices.IndexFunc(grades, func(g int) bool { return g >= relevant }); first >= 0 {
			s.MRR = 1 / float64(first+1)
		}
		s.Empty = len(ids) == 0
	}
	return s
}

// gain is the discounted cumulative gain of the first ranks.
func gain(grades []int) float64 {
	sum := 0.0
	for i, g := range grades[:min(ranks, len(grades))] {
		sum += float64(g) / bestGrade / math.Log2(float64(i+2))
	}
	return sum
}

func helping(grades []int) int {
	n := 0
	for _, g := range grades {
		if g >= relevant {
			n++
		}
	}
	return n
}

// Main is the figure that a query set is told by: among the judged where judgments are open, else plain.
func (s Score) Main() float64 {
	if math.IsNaN(s.Judged) {
		return s.NDCG
	}
	return s.Judged
}
