package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// fault is something that goes wrong, and for how long.
type fault struct {
	Kind string
	// Target is the replica or service it happens to; empty where there is but one.
	Target string `json:",omitempty"`
	// For is how long it lasts; 0 for what is over at once.
	For time.Duration
	// Costs is about how long healing takes.
	Costs time.Duration `json:"-"`
}

func (f fault) String() string {
	text := f.Kind
	if f.Target != "" {
		text += " " + f.Target
	}
	if f.For > 0 {
		text += " for " + f.For.String()
	}
	return text
}

// step is one or two faults at the same time, and the calm before them.
type step struct {
	After  time.Duration
	Faults []fault
}

func (s step) String() string {
	texts := make([]string, len(s.Faults))
	for i, f := range s.Faults {
		texts[i] = f.String()
	}
	return strings.Join(texts, " + ")
}

// lasts is about how long the step takes with healing.
func (s step) lasts() (d time.Duration) {
	for _, f := range s.Faults {
		d = max(d, f.For+f.Costs)
	}
	return d
}

// pace is how long faults last and how long it is calm between them.
type pace struct{ shortest, longest, calm time.Duration }

var (
	// quick fits every kind of fault into a minute or three.
	quick = pace{2 * time.Second, 4 * time.Second, 1500 * time.Millisecond}
	// slow gives every timer of the shop and its clients time to end.
	slow = pace{3 * time.Second, 22 * time.Second, 5 * time.Second}
)

// arrange draws the faults of a run of length d: all kinds in random order, then all again. Every sixth step has two.
func arrange(seed uint64, d time.Duration, kinds []kind) []step {
	rng := rand.New(rand.NewPCG(seed, 0xfa017))
	p := slow
	if d < 10*time.Minute {
		p = quick
	}
	var steps []step
	var left []kind
	next := func() kind {
		if len(left) == 0 {
			left = append(left, kinds...)
			rng.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
		}
		k := left[0]
		left = left[1:]
		return k
	}
	for spent := time.Duration(0); spent < d; {
		first := next()
		s := step{After: between(rng, p.calm/2, p.calm*3/2), Faults: []fault{first.draw(rng, p)}}
		if rng.IntN(6) == 0 {
			if second := next(); !first.collides(second) {
				s.Faults = append(s.Faults, second.draw(rng, p))
			} else {
				left = append(left, second)
			}
		}
		spent += s.After + s.lasts()
		steps = append(steps, s)
	}
	return steps
}

// collides reports whether two faults cannot happen at the same time.
func (k kind) collides(other kind) bool {
	return slices.ContainsFunc(k.touches, func(t string) bool { return slices.Contains(other.touches, t) })
}

func (k kind) draw(rng *rand.Rand, p pace) fault {
	f := fault{Kind: k.name, Costs: k.costs}
	if len(k.targets) > 0 {
		f.Target = k.targets[rng.IntN(len(k.targets))]
	}
	if k.lasts {
		f.For = between(rng, p.shortest, p.longest)
	}
	return f
}

func between(rng *rand.Rand, from, to time.Duration) time.Duration {
	return (from + time.Duration(rng.Int64N(int64(to-from)+1))).Round(100 * time.Millisecond)
}

// printSchedule writes the schedule as a list, with about when each fault comes.
func printSchedule(steps []step) string {
	var b strings.Builder
	at := time.Duration(0)
	for _, s := range steps {
		at += s.After
		fmt.Fprintf(&b, "  %8s  %s\n", at.Round(100*time.Millisecond), s)
		at += s.lasts()
	}
	return b.String()
}
