package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// worker does one thing after another on a connection of its own.
type worker struct {
	*client
	rng *rand.Rand
	// extra collects durations of a part of what is measured; it may stay empty.
	extra []time.Duration
}

// load is what a number of connections did.
type load struct {
	done      []time.Duration // of each thing, sorted
	extra     []time.Duration // of a part of each, sorted
	failures  int
	firstFail error
	took      time.Duration
}

func (l load) rate() float64 { return float64(len(l.done)) / l.took.Seconds() }

// percentile of durations that are sorted; zero when there are none.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}

// generate lets connections do work for d, each without a pause, and measures it. A failure is counted and the
// connection made anew; failures are never among what was done.
func generate(ctx context.Context, addr string, connections int, d time.Duration, work func(*worker) error) (load, error) {
	workers := make([]*worker, connections)
	for i := range workers {
		c, err := dial(ctx, addr)
		if err != nil {
			return load{}, err
		}
		workers[i] = &worker{client: c, rng: rand.New(rand.NewPCG(uint64(i), uint64(connections)))}
	}
	results := make([]load, connections)
	begin := time.Now()
	end := begin.Add(d)
	var group sync.WaitGroup
	for i, w := range workers {
		group.Go(func() { results[i] = w.until(ctx, end, addr, work) })
	}
	group.Wait()
	total := load{took: time.Since(begin)}
	for i, r := range results {
		total.done = append(total.done, r.done...)
		total.extra = append(total.extra, workers[i].extra...)
		total.failures += r.failures
		if total.firstFail == nil {
			total.firstFail = r.firstFail
		}
	}
	slices.Sort(total.done)
	slices.Sort(total.extra)
	if len(total.done) == 0 && ctx.Err() == nil {
		return total, fmt.Errorf("nothing succeeded: %w", total.firstFail)
	}
	return total, ctx.Err()
}

func (w *worker) until(ctx context.Context, end time.Time, addr string, work func(*worker) error) (l load) {
	defer func() { _ = w.close() }() // all answers are there: nothing is lost with the connection
	for begin := time.Now(); begin.Before(end) && ctx.Err() == nil; {
		err := work(w)
		now := time.Now()
		if err == nil {
			l.done = append(l.done, now.Sub(begin))
		} else {
			l.failures++
			if l.firstFail == nil {
				l.firstFail = err
			}
			fresh, err := dial(ctx, addr)
			if err != nil {
				l.firstFail = errors.Join(l.firstFail, err)
				return l
			}
			_ = w.close() // it has failed before
			w.client = fresh
		}
		begin = now
	}
	return l
}
