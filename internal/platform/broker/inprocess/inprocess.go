// Package inprocess is the broker of a single process: publishing an event is handing it to its consumers, and
// what fails is kept in PostgreSQL for later.
package inprocess

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"shopd/internal/events"
	"shopd/internal/platform/broker"
)

const (
	// pollRetries is how often due retries are looked for.
	pollRetries = 250 * time.Millisecond
	// waitDelay is the pause of an event whose consumer lacks something that everybody needs.
	waitDelay = time.Second
)

// Broker is a broker.Broker without a server.
type Broker struct{ *broker.Runtime }

var _ broker.Broker = (*Broker)(nil)

// New returns a broker without subscriptions.
func New(c broker.Config) (*Broker, error) {
	runtime, err := broker.NewRuntime(c)
	if err != nil {
		return nil, err
	}
	return &Broker{runtime}, nil
}

// Publish hands batch to all its consumers, side by side, and returns when each has handled it or it lies among
// the retries. An event's error says that it could not be kept for one of them: it has to be published again, and
// those that have handled it will know.
func (b *Broker) Publish(ctx context.Context, batch []events.Envelope) ([]error, error) {
	deliveries := make([]broker.Delivery, len(batch))
	for i, env := range batch {
		deliveries[i].Envelope = env
	}
	failures := make([]error, len(batch))
	var mu sync.Mutex
	var consumers sync.WaitGroup
	for _, runner := range b.Consumed() {
		var mine []int
		for i, env := range batch {
			if runner.Hears(env.Type) {
				mine = append(mine, i)
			}
		}
		if len(mine) == 0 {
			continue
		}
		consumers.Go(func() {
			for part := range slices.Chunk(mine, runner.MaxBatch) {
				picked := make([]broker.Delivery, len(part))
				for n, i := range part {
					picked[n] = deliveries[i]
				}
				if _, err := b.process(ctx, runner, picked); err != nil {
					mu.Lock()
					for _, i := range part {
						failures[i] = errors.Join(failures[i], err)
					}
					mu.Unlock()
				}
			}
		})
	}
	consumers.Wait()
	return failures, nil
}

// process returns what is done; the rest it keeps among the retries, each with its own time.
func (b *Broker) process(ctx context.Context, runner *broker.Runner, batch []broker.Delivery) (done []broker.Delivery, err error) {
	var again []broker.Delivery
	var delays []time.Duration
	for i, v := range runner.Process(ctx, batch) {
		d := batch[i]
		switch v.Action {
		case broker.Done:
			done = append(done, d)
			continue
		case broker.Later:
			d.Attempt++
			if d.FirstFailed.IsZero() {
				d.FirstFailed = b.Now().UTC()
			}
			delays = append(delays, v.Delay)
		case broker.Wait:
			delays = append(delays, waitDelay)
		}
		again = append(again, d)
	}
	if len(again) == 0 {
		return done, nil
	}
	return done, b.Retries.Put(context.WithoutCancel(ctx), runner.Consumer, again, delays)
}

// Run processes due retries until ctx ends.
func (b *Broker) Run(ctx context.Context) error {
	for _, runner := range b.Consumed() {
		if runner.Connected != nil {
			runner.Connected()
		}
	}
	var loops sync.WaitGroup
	loops.Go(func() { b.Watch(ctx) })
	loops.Go(func() { b.HandOver(ctx, pollRetries, b.retry) })
	loops.Wait()
	return nil
}

// retry processes deliveries that came due and drops those that are done.
func (b *Broker) retry(ctx context.Context, runner *broker.Runner, due []broker.Delivery) error {
	var failures error
	for batch := range slices.Chunk(due, runner.MaxBatch) {
		done, err := b.process(ctx, runner, batch)
		failures = errors.Join(failures, err)
		if len(done) > 0 {
			failures = errors.Join(failures, b.Retries.Drop(context.WithoutCancel(ctx), runner.Consumer, done))
		}
	}
	return failures
}

// Ping always finds the broker there.
func (b *Broker) Ping(context.Context) error { return nil }

// Close has nothing to close.
func (b *Broker) Close() error { return nil }
