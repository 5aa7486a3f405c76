// Package demand learns from what an article sold how many would be sold at a price, and finds the price that earns
// the most. It fits a family of demand curves by their posterior mode, weighs what structure an article has by its
// evidence, and averages over both, so that what is not known is not acted on as if it were.
package demand

import (
	"cmp"
	"math"
	"slices"
)

// Article is what is known of the demand for one article. It is not safe for concurrent use.
type Article struct {
	list   float64
	points []point
	units  []float64
	rivals []float64 // ln(rival/list) of each day, also of those whose units were cut short
	fits   []*fit
	first  int
	last   int
	seen   bool
	events float64
	days   float64
}

// NewArticle returns an article that nothing is known of. list is a price of the usual height, not zero.
func NewArticle(list float64) *Article { return &Article{list: list} }

// Add takes a day in; Learn makes use of it.
func (a *Article) Add(o Observation) {
	a.note(o)
	if o.Price <= 0 || o.Units < 0 {
		return
	}
	a.points = append(a.points, a.point(o))
	a.units = append(a.units, o.Units)
}

// AddCut takes a day in on which stock ended before demand did: it tells of the rival and the calendar alone.
func (a *Article) AddCut(o Observation) { a.note(o) }

func (a *Article) note(o Observation) {
	if !a.seen || o.Day < a.first {
		a.first = o.Day
	}
	if !a.seen || o.Day > a.last {
		a.last = o.Day
	}
	a.seen = true
	if o.Rival > 0 {
		a.rivals = append(a.rivals, math.Log(o.Rival/a.list))
	}
	a.days++
	if o.Event {
		a.events++
	}
}

func (a *Article) point(o Observation) point {
	p := point{day: o.Day, weekday: ((o.DayOfWeek % 7) + 7) % 7, price: math.Log(o.Price / a.list)}
	if o.Event {
		p.event = 1
	}
	rival := o.Rival
	if rival <= 0 {
		rival = a.list * math.Exp(a.usualRival())
	}
	p.rival = math.Log(o.Price / rival)
	return p
}

// usualRival is the mean of ln(rival/list) over the last weeks, 0 when no rival was seen.
func (a *Article) usualRival() float64 {
	recent := a.rivals[max(0, len(a.rivals)-28):]
	if len(recent) == 0 {
		return 0
	}
	sum := 0.0
	for _, r := range recent {
		sum += r
	}
	return sum / float64(len(recent))
}

const (
	breakEvery    = 3     // days between the days on which a break is looked for
	breakHazard   = 0.003 // a break on any one day
	seasonChance  = 0.25
	wavesAtOutset = 6
	negligible    = 1e-3 // weight of a hypothesis that is not averaged over
	firstSteps    = 30
	nextSteps     = 3
	hopeless      = 7 // a break whose evidence is this far behind is fitted again every lookAgain days only
	lookAgain     = 6
)

// Learn fits all hypotheses to what was added; those that were fitted before begin where they were. Of an article
// without a past it makes what articles are like in general.
func (a *Article) Learn() {
	level := 0.0 // of an article that never was on sale: what does not matter to its best price
	if n := len(a.points); n > 0 {
		sum := 0.0
		for j, u := range a.units {
			sum += u * math.Exp(a.points[j].price) // roughly, at the list price
		}
		level = math.Log(sum/float64(n) + 0.1)
	}
	stretches := max(1, (a.last-a.first)/driftDays+1)
	calm := a.find(structure{})
	if calm == nil {
		calm = a.begin(structure{}, nil, level, stretches)
		a.fits = append(a.fits, calm)
	}
	known := len(a.fits)
	if !slices.ContainsFunc(a.fits, func(f *fit) bool { return f.season }) || len(a.points)%30 == 0 {
		for w := range wavesAtOutset {
			f := a.begin(structure{season: true}, calm, level, stretches)
			f.theta[f.at.season+1] = 2 * math.Pi * float64(w) / wavesAtOutset
			a.fits = append(a.fits, f)
		}
	}
	// A break is looked for on the days that are on the grid, after the first week and before yesterday.
	for on := max(a.first+7, 0) / breakEvery * breakEvery; on < a.last; on += breakEvery {
		s := structure{broken: true, breakOn: on}
		if a.find(s) == nil && on > a.last-3*breakEvery {
			a.fits = append(a.fits, a.begin(s, calm, level, stretches))
		}
	}
	best := calm.evidence
	for _, f := range a.fits[:known] {
		if !f.behind {
			best = max(best, f.evidence)
		}
	}
	for i, f := range a.fits {
		if f.broken && i < known && f.evidence < best-hopeless && (a.last+f.breakOn)%lookAgain != 0 {
			f.behind = true
			continue
		}
		f.behind = false
		a.stretch(f, stretches)
		steps := nextSteps
		if i >= known {
			steps = firstSteps
		}
		if !f.climb(a.points, a.units, level, steps) {
			f.evidence = math.Inf(-1)
		}
	}
	a.forget()
}

// forget drops hypotheses that can be taken up no more: waves that another fit has found better, and breaks far behind
// the best one.
func (a *Article) forget() {
	best := math.Inf(-1)
	for _, f := range a.fits {
		if !f.behind {
			best = max(best, f.evidence)
		}
	}
	waves := 0
	slices.SortStableFunc(a.fits, func(x, y *fit) int { return cmp.Compare(y.evidence, x.evidence) })
	a.fits = slices.DeleteFunc(a.fits, func(f *fit) bool {
		switch {
		case f.season:
			waves++
			return waves > 2
		case f.broken:
			return !f.behind && f.evidence < best-15 && f.breakOn < a.last-30
		}
		return false
	})
}

func (a *Article) find(s structure) *fit {
	for _, f := range a.fits {
		if f.structure == s {
			return f
		}
	}
	return nil
}

// begin returns a fit that starts at the priors, or where from is.
func (a *Article) begin(s structure, from *fit, level float64, stretches int) *fit {
	f := &fit{structure: s, at: s.layout(stretches), first: a.first}
	f.theta = make([]float64, f.at.size)
	for i := range f.theta {
		f.theta[i] = f.priorOf(i, level).mean
	}
	if from != nil {
		copy(f.theta[:parDrift], from.theta[:parDrift])
		if s.broken {
			f.theta[f.at.broken], f.theta[f.at.broken+1] = from.theta[parElasticity], from.theta[parRivalry]
		}
	}
	return f
}

// stretch makes room for the drift of days that have come.
func (a *Article) stretch(f *fit, stretches int) {
	have := f.at.season - f.at.drift
	if have >= stretches {
		return
	}
	f.theta = slices.Insert(f.theta, f.at.season, make([]float64, stretches-have)...)
	f.at = f.structure.layout(stretches)
}

// opinion is a fit with the probability that it is how things are.
type opinion struct {
	*fit
	weight float64
}

// opinions are the hypotheses that count, the most probable first. Weights sum to one.
func (a *Article) opinions(negligible float64) []opinion {
	if len(a.fits) == 0 {
		return nil
	}
	logs := make([]float64, len(a.fits))
	best := math.Inf(-1)
	for i, f := range a.fits {
		logs[i] = f.evidence
		switch {
		case f.behind:
			logs[i] = math.Inf(-1)
		case f.season:
			logs[i] += math.Log(seasonChance)
		case f.broken:
			logs[i] += math.Log(breakHazard * breakEvery)
		}
		best = max(best, logs[i])
	}
	total := 0.0
	list := make([]opinion, 0, len(a.fits))
	for i, f := range a.fits {
		if w := math.Exp(logs[i] - best); w > negligible {
			list = append(list, opinion{f, w})
			total += w
		}
	}
	for i := range list {
		list[i].weight /= total
	}
	slices.SortStableFunc(list, func(x, y opinion) int { return cmp.Compare(y.weight, x.weight) })
	return list
}
