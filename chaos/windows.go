package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// limits of what buyers may notice. The published run judges latency too; a short one, on a machine that does other
// things, only prints it.
const (
	// servedShare of requests must be served while a service that the shop can do without is away.
	servedShare = 0.99
	// hangLimit is when an answer while PostgreSQL is away counts as hanging. The promise is sooner; see soonLimit.
	hangLimit = 10 * time.Second
	soonLimit = 2 * time.Second
	// takeOverLimit is how long the work of a replica that is gone may lie.
	takeOverLimit = 30 * time.Second
)

// dispensable are the kinds of faults that buyers must hardly notice, by what their search may do meanwhile.
var dispensable = map[string]string{
	"redis FLUSHALL": "", "redis killed and empty again": "", "redis hangs": "", "redis full": "",
	"rabbitmq killed": "", "rabbitmq hangs": "", "elasticsearch away": elasticsearch, "elasticsearch hangs": elasticsearch, "mail server refuses": "",
}

// share is how requests fared in the windows of one kind of fault.
type share struct {
	Kind          string        `json:"kind"`
	Windows       int           `json:"windows"`
	Requests      int           `json:"requests"`
	Served        int           `json:"served"`
	P50           time.Duration `json:"p50_ns"`
	P99           time.Duration `json:"p99_ns"`
	CheckoutP99   time.Duration `json:"checkout_p99_ns"`
	requests      []exchangeRecord
	firstFailures []string
}

// shares sorts requests by the fault that held when they began.
func (s *storm) shares(t *traffic) []share {
	byKind := map[string]*share{}
	var order []string
	for _, w := range s.windows {
		if !w.Alone {
			continue
		}
		sh := byKind[w.Kind]
		if sh == nil {
			sh = &share{Kind: w.Kind}
			byKind[w.Kind] = sh
			order = append(order, w.Kind)
		}
		sh.Windows++
		to := w.To
		if w.To.Sub(w.From) < time.Second {
			to = w.From.Add(2 * time.Second) // it was over at once; what follows from it is not
		}
		sh.requests = append(sh.requests, slices.DeleteFunc(t.between(w.From, to), s.keptOut)...)
	}
	slices.Sort(order)
	list := make([]share, 0, len(order))
	for _, name := range order {
		sh := byKind[name]
		sh.count()
		list = append(list, *sh)
	}
	return list
}

func (s *share) count() {
	var all, checkouts []time.Duration
	for _, e := range s.requests {
		if e.class == searching && dispensable[s.Kind] == elasticsearch {
			continue
		}
		s.Requests++
		all = append(all, e.took)
		if e.class == paying {
			checkouts = append(checkouts, e.took)
		}
		if e.served() {
			s.Served++
		} else if len(s.firstFailures) < 5 {
			s.firstFailures = append(s.firstFailures, fmt.Sprintf("%s: %s answered %d after %s", s.Kind, e.class, e.status, e.took.Round(time.Millisecond)))
		}
	}
	slices.Sort(all)
	slices.Sort(checkouts)
	s.P50, s.P99, s.CheckoutP99 = percentile(all, 0.50), percentile(all, 0.99), percentile(checkouts, 0.99)
}

// percentile of durations that are sorted; zero when there are none.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}

// checkWindows judges what buyers noticed of the faults.
func (s *storm) checkWindows(b *book, t *traffic, strict bool) []share {
	list := s.shares(t)
	for _, sh := range list {
		if _, without := dispensable[sh.Kind]; !without {
			continue
		}
		var wrong []string
		// One in a hundred, or one where there are fewer.
		if lost := sh.Requests - sh.Served; lost > max(1, int(float64(sh.Requests)*(1-servedShare))) {
			wrong = append([]string{fmt.Sprintf("%s: %d of %d requests were not served", sh.Kind, lost, sh.Requests)}, sh.firstFailures...)
		}
		b.say("I15", fmt.Sprintf("%s: %d of %d served", sh.Kind, sh.Served, sh.Requests), wrong...)
	}
	s.checkDatabaseAway(b, t, strict)
	s.checkRestarts(b, t)
	return list
}

// checkDatabaseAway looks at the answers while PostgreSQL was down, and at the form of all answers of the run.
func (s *storm) checkDatabaseAway(b *book, t *traffic, strict bool) {
	var wrong []string
	var took []time.Duration
	limit := hangLimit
	if strict {
		limit = soonLimit
	}
	slow, unavailable := 0, 0
	for _, w := range s.windows {
		if w.Kind != "postgresql immediate stop" || !w.Alone {
			continue
		}
		// The last second belongs to the healing: a request that began in it may be served after.
		for _, e := range t.between(w.From.Add(200*time.Millisecond), w.To.Add(-time.Second)) {
			took = append(took, e.took)
			if e.took > limit {
				slow++
			}
			if e.status == 503 && !e.failed {
				unavailable++
			}
			if e.failed {
				wrong = append(wrong, fmt.Sprintf("%s got no answer for %s while PostgreSQL was away", e.class, e.took.Round(time.Millisecond)))
			}
		}
	}
	slices.Sort(took)
	// One in a hundred may wait for the machine.
	if slow > len(took)/100 {
		wrong = append(wrong, fmt.Sprintf("%d of %d answers took longer than %s while PostgreSQL was away", slow, len(took), limit))
	}
	all := t.between(time.Time{}, time.Now().Add(time.Hour))
	for _, e := range all {
		if e.broken != "" {
			wrong = append(wrong, fmt.Sprintf("%s at %s: %s", e.class, e.begin.Format(time.TimeOnly), e.broken))
		}
	}
	b.say("I16", fmt.Sprintf("%d requests while PostgreSQL was away, %d told so, P99 %s; the form of %d answers", len(took), unavailable,
		percentile(took, 0.99).Round(time.Millisecond), len(all)), few(wrong)...)
}

// checkRestarts looks at the writes while a replica ended in good order.
func (s *storm) checkRestarts(b *book, t *traffic) {
	n := 0
	var wrong []string
	for _, w := range s.windows {
		if w.Kind != gracefulEnd || s.disturbed(w) {
			continue
		}
		for _, e := range t.between(w.From, w.To) {
			n++
			if (e.failed || e.status >= 500) && !s.keptOut(e) {
				wrong = append(wrong, fmt.Sprintf("%s answered %d at %s, %s after SIGTERM of %s", e.class, e.status, e.begin.Format(time.TimeOnly),
					e.begin.Sub(w.From).Round(time.Millisecond), w.Target))
			}
		}
	}
	if n > 0 {
		b.say("I23", fmt.Sprintf("%d requests while a replica ended and began again", n), few(wrong)...)
	}
	seen := 0
	for _, w := range s.windows {
		if strings.HasPrefix(w.Kind, "rabbitmq memory alarm") {
			seen++
		}
	}
	if seen > 0 || len(s.broken) > 0 {
		b.say("I17", fmt.Sprintf("%d alarms, each with a SIGTERM; no process ended by itself or would not end", seen), s.broken...)
	}
}

// disturbed reports whether another fault held during the window.
func (s *storm) disturbed(w window) bool {
	return slices.ContainsFunc(s.windows, func(o window) bool {
		return o.Kind != gracefulEnd && o.Kind != "rolling restart (SIGTERM)" && o.From.Before(w.To) && o.To.After(w.From)
	})
}

// lagSQL is the longest time from an event's commit to its publishing, for those of a window.
const lagSQL = `
select count(*), coalesce(extract(epoch from max(published_at - created_at)), 0)::float8
from public_views.v_events
where created_at between $1 and $2`

// checkTakeOver measures how long work lay while a replica was dead or paused.
func (s *storm) checkTakeOver(ctx context.Context, b *book, w *watch) error {
	n := 0
	var longest, latest time.Duration
	var wrong []string
	for i := range s.windows {
		win := &s.windows[i]
		if !win.Alone || win.Kind != "kill -9" && !strings.HasPrefix(win.Kind, "pause") {
			continue
		}
		var events int
		var lag float64
		if err := s.db.QueryRow(ctx, lagSQL, win.From.Add(-time.Second), win.To).Scan(&events, &lag); err != nil {
			return fmt.Errorf("measure the relay: %w", err)
		}
		lay := time.Duration(lag * float64(time.Second))
		overdue := w.overdueIn(win.From, win.To.Add(5*time.Second))
		win.Note = fmt.Sprintf("%d events, published within %s; unpaid orders ended within %s of their time", events, lay.Round(time.Millisecond), overdue.Round(time.Millisecond))
		if s.followed(win, lay) {
			win.Note += "; another fault came before that, so it is not judged"
			continue
		}
		n++
		longest, latest = max(longest, lay), max(latest, overdue)
		if lay > takeOverLimit {
			wrong = append(wrong, fmt.Sprintf("an event lay for %s while %s: %s", lay, win.Target, win.Kind))
		}
		if overdue > takeOverLimit {
			wrong = append(wrong, fmt.Sprintf("an unpaid order was ended %s late while %s: %s", overdue, win.Target, win.Kind))
		}
	}
	s.relayLay, s.completerLay, s.takeOvers = longest, latest, n
	if n > 0 {
		b.say("I18", fmt.Sprintf("%d times; events lay %s at most, unpaid orders %s", n, longest.Round(time.Millisecond), latest.Round(time.Millisecond)), wrong...)
	}
	return nil
}

// followed reports whether another fault began before the last event of the window was published.
func (s *storm) followed(w *window, lay time.Duration) bool {
	return slices.ContainsFunc(s.windows, func(o window) bool { return o.From.After(w.To) && o.From.Before(w.To.Add(lay)) })
}

// overdueIn is the longest that an unpaid order waited for its end in a window.
func (w *watch) overdueIn(from, to time.Time) (longest time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.overdue {
		if o.at.After(from) && o.at.Before(to) {
			longest = max(longest, o.by)
		}
	}
	return longest
}

// checkCarts judges carts that lost what was put in. A cart is no promise: its commits do not wait for the disk, and a
// crash of PostgreSQL may take back the last moments of it; the buyer sees the cart as it is before paying. Nothing else may.
func (s *storm) checkCarts(b *book, j *journal) {
	var wrong []string
	for _, f := range j.forgotten {
		crashed := slices.ContainsFunc(s.windows, func(w window) bool {
			return w.Kind == "postgresql immediate stop" && w.From.Before(f.to) && w.To.After(f.from)
		})
		if !crashed {
			wrong = append(wrong, f.text)
		}
	}
	b.say("I9", fmt.Sprintf("%d changes of carts went with their keys in a crash of PostgreSQL", len(j.forgotten)-len(wrong)), wrong...)
}
