package model

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// golden is a history and what the trainer got for it.
type golden struct {
	History []string  `json:"history"`
	Items   []string  `json:"items"`
	Scores  []float64 `json:"scores"`
}

// Tolerance is how far a score may be from the trainer's: the same sums in another order.
const Tolerance = 1e-4

// readGolden reads the compressed JSON lines with golden outputs.
func readGolden(raw []byte) ([]golden, error) {
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	var list []golden
	for d := json.NewDecoder(z); d.More(); {
		var g golden
		if err := d.Decode(&g); err != nil {
			return nil, err
		}
		if len(g.Items) == 0 || len(g.Items) != len(g.Scores) {
			return nil, fmt.Errorf("history %d has %d items and %d scores", len(list)+1, len(g.Items), len(g.Scores))
		}
		list = append(list, g)
	}
	if len(list) == 0 {
		return nil, errors.New("there are no golden outputs")
	}
	return list, nil
}

// Report is what Verify found out.
type Report struct {
	Histories int
	// Worst is the greatest difference from a golden score.
	Worst float64
	// Median and P99 are latencies of one history at a time.
	Median, P99 time.Duration
}

// Verify computes the golden histories one after the other and says what is wrong with the model: an answer that is not
// the trainer's, or that comes too late (limit is for the 99th percentile; 0 is none).
func (m *Model) Verify(ctx context.Context, limit time.Duration) (Report, error) {
	report, took, err := m.compute(ctx, 1)
	if err != nil {
		return report, err
	}
	slices.Sort(took)
	report.Median, report.P99 = took[len(took)/2], took[len(took)*99/100]
	if limit > 0 && report.P99 > limit {
		return report, fmt.Errorf("too slow: 1 of 100 histories takes more than %v, the limit is %v", report.P99.Round(time.Microsecond), limit)
	}
	return report, nil
}

// Check computes a tenth of the golden histories: whether a model that was verified elsewhere computes the same here.
func (m *Model) Check(ctx context.Context) error {
	_, _, err := m.compute(ctx, 10)
	return err
}

// compute answers every step-th golden history and compares.
func (m *Model) compute(ctx context.Context, step int) (report Report, took []time.Duration, err error) {
	for i := 0; i < len(m.golden); i += step {
		g := m.golden[i]
		if err := ctx.Err(); err != nil {
			return report, nil, err
		}
		report.Histories++
		begin := time.Now()
		list, err := m.Recommend(g.History, len(g.Items))
		took = append(took, time.Since(begin))
		if err != nil {
			return report, nil, fmt.Errorf("golden history %d: %w", i+1, err)
		}
		worst, err := compare(g, list)
		if err != nil {
			return report, nil, fmt.Errorf("golden history %d: %w", i+1, err)
		}
		report.Worst = max(report.Worst, worst)
	}
	return report, took, nil
}

// compare returns how far the scores are from the golden ones. Items whose scores differ by less than the tolerance may
// have changed places.
func compare(g golden, list []Scored) (worst float64, err error) {
	if len(list) != len(g.Items) {
		return 0, fmt.Errorf("%d items instead of %d", len(list), len(g.Items))
	}
	scores := make(map[string]float64, len(g.Items))
	for i, item := range g.Items {
		scores[item] = g.Scores[i]
	}
	for i, got := range list {
		want, ok := scores[got.Item]
		if !ok {
			// The last place may go to one that the trainer had just after it.
			want = g.Scores[len(g.Scores)-1]
		}
		difference := max(math.Abs(got.Score-want), math.Abs(got.Score-g.Scores[i]))
		if math.IsNaN(difference) || difference > Tolerance*max(1, math.Abs(want)) {
			return 0, fmt.Errorf("place %d is %s with score %v; the trainer had %s with %v", i+1, got.Item, got.Score, g.Items[i], g.Scores[i])
		}
		worst = max(worst, difference)
	}
	return worst, nil
}
