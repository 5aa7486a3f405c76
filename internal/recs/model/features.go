package model

import (
	"math"
	"slices"
	"sync"
)

// How candidates and features are made; models/shopd_models/features.py computes the same and explains why.
const (
	tailLength  = 10
	fade        = 0.95
	smallest    = 1e-6
	choiceSales = 0.1
)

// choiceWeights say how much a relation counts when candidates are chosen.
var choiceWeights = []struct {
	relation int
	weight   float64
}{{together, 1}, {lately, 0.7}, {recentMonth, 0.4}, {following, 0.3}}

// fitted are the relations by which a history may explain itself.
var fitted = []int{together, lately, recentMonth, beside, similar}

var featureNames = []string{
	"choice",
	"together_share", "together_mean", "together_rank",
	"lately_share", "lately_mean", "lately_rank",
	"recent_month_share", "recent_month_mean", "recent_month_rank",
	"recent_two_months_share", "recent_two_months_mean", "recent_two_months_rank",
	"following_share", "following_mean", "following_rank",
	"beside_share", "beside_mean", "beside_rank",
	"similar_share", "similar_mean", "similar_rank",
	"together_tail", "lately_tail", "recent_month_tail", "beside_tail", "together_fading", "beside_best", "similar_best",
	"buyers", "sold_week", "sold_month", "sold_quarter", "trend_month", "trend_week", "age", "idle", "sold_all_month", "sold_all_trend",
	"price_difference", "price_distance",
	"season", "season_tail", "season_likely", "season_tail_likely",
	"history_length", "history_age", "history_tail_age", "history_now", "history_tail_now", "history_neighbours", "history_linked", "history_price_spread",
	"together_most", "recent_month_most", "following_most",
	"together_fit", "lately_fit", "recent_month_fit", "beside_fit", "similar_fit",
}

// scratch is what one computation needs; it is used again, since it is larger than all that is kept.
type scratch struct {
	whole  []int64
	broken []float64
	choice []float64
	sums   [relations][]float64
	order  []int
	column []float64
}

func newScratch(n int) *scratch {
	s := &scratch{whole: make([]int64, n), broken: make([]float64, n), choice: make([]float64, n), order: make([]int, n)}
	for i := range s.sums {
		s.sums[i] = make([]float64, n)
	}
	return s
}

// sheet is filled with features column by column.
type sheet struct {
	rows, columns, next int
	numbers             []float32
}

func (s *sheet) add(column func(row int) float64) {
	for row := range s.rows {
		s.numbers[row*s.columns+s.next] = float32(column(row))
	}
	s.next++
}

// features chooses candidates for a history of distinct items, oldest first and not empty, and computes their features:
// a table of limit rows, of which those after the last candidate are zero.
func (it *items) features(history []int, limit int, pool *sync.Pool) (candidates []int, numbers []float32) {
	s := pool.Get().(*scratch) //nolint:errcheck // nothing else is put there
	defer pool.Put(s)
	for r := range it.relations {
		rel := &it.relations[r]
		rel.sums(history, s.whole)
		scaled(s.whole, rel.scale, s.sums[r])
	}
	candidates = it.choose(history, limit, s)
	out := &sheet{rows: len(candidates), columns: len(featureNames), numbers: make([]float32, limit*len(featureNames))}
	s.column = slices.Grow(s.column[:0], limit)[:len(candidates)]
	it.addRelations(out, history, candidates, s)
	for k := range statCount {
		out.add(func(row int) float64 { return float64(it.stats[candidates[row]*statCount+k]) })
	}
	mean, spread := it.prices(history)
	out.add(func(row int) float64 { return it.logPrice[candidates[row]] - mean })
	out.add(func(row int) float64 { return math.Abs(it.logPrice[candidates[row]]-mean) / (spread + 0.3) })
	it.addContext(out, history, candidates, spread, s)
	return candidates, out.numbers
}

// choose returns the candidates, best first.
func (it *items) choose(history []int, limit int, s *scratch) []int {
	clear(s.choice)
	for _, c := range choiceWeights {
		top := most(s.sums[c.relation])
		for i, v := range s.sums[c.relation] {
			s.choice[i] += float64(c.weight * (v / top))
		}
	}
	top := smallest
	for i := range it.count {
		top = max(top, float64(it.stats[i*statCount+soldMonth]))
	}
	for i := range it.count {
		s.choice[i] += float64(choiceSales * (float64(it.stats[i*statCount+soldMonth]) / top))
	}
	for _, h := range history {
		s.choice[h] = math.Inf(-1)
	}
	return slices.Clone(best(s.choice, s.order, min(limit, it.count-len(history))))
}

func (it *items) addRelations(out *sheet, history, candidates []int, s *scratch) {
	out.add(func(row int) float64 { return s.choice[candidates[row]] })
	root := math.Sqrt(float64(len(history)))
	order := make([]int, len(candidates))
	for r := range it.relations {
		pick(s.sums[r], candidates, s.column)
		top := most(s.column)
		out.add(func(row int) float64 { return s.column[row] / top })
		out.add(func(row int) float64 { return s.column[row] / root })
		place := make([]float64, len(candidates))
		for rank, row := range best(s.column, order, len(order)) {
			place[row] = math.Log1p(float64(rank)) / 6
		}
		out.add(func(row int) float64 { return place[row] })
	}
	share := func() {
		top := most(s.column)
		out.add(func(row int) float64 { return s.column[row] / top })
	}
	tail := history[max(0, len(history)-tailLength):]
	for _, r := range []int{together, lately, recentMonth, beside} {
		it.relations[r].sums(tail, s.whole)
		scaled(s.whole, it.relations[r].scale, s.broken)
		pick(s.broken, candidates, s.column)
		share()
	}
	it.relations[together].fading(history, fade, s.broken)
	for i := range s.broken {
		s.broken[i] *= it.relations[together].scale
	}
	pick(s.broken, candidates, s.column)
	share()
	for _, r := range []int{beside, similar} {
		it.relations[r].best(history, s.whole)
		scaled(s.whole, it.relations[r].scale, s.broken)
		out.add(func(row int) float64 { return s.broken[candidates[row]] })
	}
}

// prices returns the mean and standard deviation of the logarithms of prices.
func (it *items) prices(history []int) (mean, spread float64) {
	n := float64(len(history))
	for _, h := range history {
		mean += it.logPrice[h] / n
	}
	for _, h := range history {
		d := it.logPrice[h] - mean
		spread += float64(d * d / n)
	}
	return mean, math.Sqrt(spread)
}

// addContext adds how candidates fit the time of the history, and what is the same for all candidates.
func (it *items) addContext(out *sheet, history, candidates []int, spread float64, s *scratch) {
	tail := history[max(0, len(history)-tailLength):]
	for _, some := range [][]int{history, tail} {
		var share [months]float64
		for _, h := range some {
			for m := range share {
				share[m] += it.seasonExp[h*months+m] / float64(len(some))
			}
		}
		out.add(func(row int) float64 {
			return dot(it.season[candidates[row]*months:][:months], share[:]) / months
		})
	}
	likely, likelyTail := it.likely(history), it.likely(tail)
	for _, p := range [][]float64{likely, likelyTail} {
		out.add(func(row int) float64 {
			return math.Log(dot(it.seasonExp[candidates[row]*months:][:months], p))
		})
	}
	beside, linked := it.neighbours(history)
	context := []float64{
		math.Log(float64(len(history))), age(likely), age(likelyTail), likely[0], likelyTail[0], beside, linked, spread,
	}
	for _, r := range []int{together, recentMonth, following} {
		pick(s.sums[r], candidates, s.column)
		context = append(context, math.Log(most(s.column)))
	}
	for _, r := range fitted {
		fit := 0.0
		for _, h := range history {
			fit += min(max(s.sums[r][h], 0), 1)
		}
		context = append(context, fit/float64(len(history)))
	}
	for _, v := range context {
		out.add(func(int) float64 { return v })
	}
}

// likely is how likely each month is the one in which the items were bought.
func (it *items) likely(some []int) []float64 {
	p := make([]float64, months)
	for _, h := range some {
		for m := range p {
			p[m] += it.season[h*months+m]
		}
	}
	root, top, sum := math.Sqrt(float64(len(some))), math.Inf(-1), 0.0
	for m := range p {
		p[m] /= root
		top = max(top, p[m])
	}
	for m := range p {
		p[m] = math.Exp(p[m] - top)
		sum += p[m]
	}
	for m := range p {
		p[m] /= sum
	}
	return p
}

// age is the mean of a distribution over months.
func age(p []float64) float64 {
	mean := 0.0
	for m, v := range p {
		mean += float64(float64(m) * v)
	}
	return mean
}

// neighbours is how much items that follow one another in a history stand beside each other in orders, and how many do
// at all.
func (it *items) neighbours(history []int) (mean, linked float64) {
	pairs := float64(len(history) - 1)
	if pairs < 1 {
		return 0, 0
	}
	rel, sum, found := &it.relations[beside], int64(0), 0
	for i, h := range history[:len(history)-1] {
		for k, j := range rel.neighbor[h*rel.keep : (h+1)*rel.keep] {
			if int(j) == history[i+1] {
				sum += int64(rel.strength[h*rel.keep+k])
				found++
			}
		}
	}
	return float64(sum) * rel.scale / pairs, float64(found) / pairs
}

func scaled(whole []int64, scale float64, into []float64) {
	for i, v := range whole {
		into[i] = float64(v) * scale
	}
}

func pick(values []float64, at []int, into []float64) {
	for i, j := range at {
		into[i] = values[j]
	}
}

// most is the greatest value, but never 0, since it is divided by.
func most(values []float64) float64 { return max(slices.Max(values), smallest) }

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v * b[i])
	}
	return sum
}

// best returns the k greatest of values, greatest first, equal ones in their order. order is room for all of them.
func best(values []float64, order []int, k int) []int {
	order = order[:len(values)]
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case values[a] > values[b]:
			return -1
		case values[a] < values[b]:
			return 1
		default:
			return a - b
		}
	})
	return order[:k]
}
