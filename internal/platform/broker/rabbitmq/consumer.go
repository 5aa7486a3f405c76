package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"shopd/internal/events"
	"shopd/internal/platform/broker"
	"shopd/internal/platform/crash"
)

const (
	// prefetch is how many batches RabbitMQ gives to one worker unacknowledged: the next one comes while one is handled.
	prefetch = 2
	// gather is how long a batch waits for more after its first message.
	gather = 5 * time.Millisecond
	// pace is the least time from one batch to the next while batches are not full: handling one costs the database about
	// the same for one event and for fifty.
	pace = 30 * time.Millisecond
	// longestRest is the longest pause of a consumer whose broker or database is away.
	longestRest = 5 * time.Second
	// steady is how long a stream has to hold until its failures are forgotten.
	steady = time.Minute
)

// consume runs one worker of runner until ctx ends.
func (b *Broker) consume(ctx context.Context, runner *broker.Runner) {
	for failures, clashed := 0, 0; ctx.Err() == nil; {
		began := time.Now()
		err := b.stream(ctx, runner)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > steady {
			failures, clashed = 0, 0
		}
		if clash(err) && clashed < clashes {
			clashed++
			b.Log.InfoContext(ctx, "consumer comes back at once", "consumer", runner.Consumer, "error", err)
			broker.Sleep(ctx, rand.N(clashPause))
			continue
		}
		failures++
		b.Log.WarnContext(ctx, "consumer lost its queue and comes back", "consumer", runner.Consumer, "error", err)
		broker.Sleep(ctx, rest(failures))
	}
}

// rest is the pause after a number of failures in a row, with jitter so that replicas do not come together.
func rest(failures int) time.Duration {
	d := min(100*time.Millisecond<<min(failures-1, 6), longestRest)
	return d/2 + rand.N(d/2)
}

// stream handles what comes to the queue of runner until the channel is lost or ctx ends. Whatever is not
// acknowledged then comes again, to this replica or another.
func (b *Broker) stream(ctx context.Context, runner *broker.Runner) (err error) {
	ch, err := b.consuming.channel(ctx)
	if err != nil {
		return err
	}
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	defer func() {
		if ctx.Err() == nil { // else Run closes the connection, with a deadline
			err = errors.Join(err, ch.Close())
		}
	}()
	queue, err := b.declare(ctx, ch, runner.Subscription)
	if err != nil {
		return err
	}
	if err := ch.Qos(prefetch*runner.MaxBatch, 0, false); err != nil {
		return fmt.Errorf("bound unacknowledged messages: %w", err)
	}
	messages, err := ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume queue %s: %w", queue, err)
	}
	if runner.Connected != nil {
		runner.Connected()
	}
	began := time.Time{}
	for {
		batch := collect(ctx, messages, runner.MaxBatch, max(gather, pace-time.Since(began)))
		began = time.Now()
		if ctx.Err() != nil {
			return nil
		}
		if len(batch) == 0 {
			select {
			case reason := <-closed:
				return fmt.Errorf("queue %s: channel closed: %w", queue, reason)
			default:
				return fmt.Errorf("queue %s was deleted", queue)
			}
		}
		if err := b.settle(ctx, ch, runner, batch); err != nil {
			return err
		}
	}
}

// declare makes the queue of s and returns its name. One for broadcasts belongs to the connection of ch.
func (b *Broker) declare(ctx context.Context, ch *amqp.Channel, s broker.Subscription) (string, error) {
	if !s.Broadcast {
		return queueName(s.Consumer), b.declaring.work(ctx, s)
	}
	if err := declareExchange(ch); err != nil {
		return "", err
	}
	return declareBroadcast(ch, s)
}

// collect waits for a message and takes up to most that come within patience after it. Nothing means that ctx or the
// channel has ended.
func collect(ctx context.Context, messages <-chan amqp.Delivery, most int, patience time.Duration) []amqp.Delivery {
	var batch []amqp.Delivery
	select {
	case m, ok := <-messages:
		if !ok {
			return nil
		}
		batch = append(batch, m)
	case <-ctx.Done():
		return nil
	}
	if most == 1 {
		return batch
	}
	enough := time.NewTimer(patience)
	defer enough.Stop()
	for len(batch) < most {
		select {
		case m, ok := <-messages:
			if !ok {
				return batch
			}
			batch = append(batch, m)
		case <-enough.C:
			return batch
		}
	}
	return batch
}

// received is a message and the event that is in it.
type received struct {
	amqp.Delivery
	event broker.Delivery
}

// settle processes batch until each message is acknowledged: its effect is there, it waits in a retry queue, or
// it is a dead letter. As long as something that everybody needs is away, it holds the messages and tries again.
func (b *Broker) settle(ctx context.Context, ch *amqp.Channel, runner *broker.Runner, batch []amqp.Delivery) error {
	left, err := b.decode(ctx, runner, batch)
	if err != nil {
		return err
	}
	for tries := 1; len(left) > 0; tries++ {
		left, err = b.process(ctx, runner, left)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			broker.Sleep(ctx, rest(tries))
		}
		if ctx.Err() != nil || ch.IsClosed() {
			return amqp.ErrClosed
		}
	}
	return nil
}

// decode reads the events; what is none becomes a dead letter.
func (b *Broker) decode(ctx context.Context, runner *broker.Runner, batch []amqp.Delivery) ([]received, error) {
	readable := make([]received, 0, len(batch))
	for _, m := range batch {
		env, err := broker.Decode(m.Body)
		if err == nil {
			readable = append(readable, received{m, delivery(m, env)})
			continue
		}
		if err := runner.Bury(ctx, m.Body, err); err != nil {
			return nil, err // it comes again
		}
		if err := m.Ack(false); err != nil {
			return nil, err
		}
	}
	return readable, nil
}

// process handles batch once and returns what has to be handled again.
func (b *Broker) process(ctx context.Context, runner *broker.Runner, batch []received) ([]received, error) {
	deliveries := make([]broker.Delivery, len(batch))
	for i, m := range batch {
		deliveries[i] = m.event
	}
	var again, failed []received
	var delays []time.Duration
	var done []received
	for i, v := range runner.Process(ctx, deliveries) {
		switch v.Action {
		case broker.Done:
			done = append(done, batch[i])
		case broker.Later:
			failed, delays = append(failed, batch[i]), append(delays, v.Delay)
		case broker.Wait:
			again = append(again, batch[i])
		}
	}
	for i, err := range b.retryLater(context.WithoutCancel(ctx), runner, failed, delays) {
		if err == nil {
			done = append(done, failed[i])
			continue
		}
		b.Log.WarnContext(ctx, "retry could not be queued", "consumer", runner.Consumer, "event_id", failed[i].event.ID, "error", err)
		again = append(again, failed[i])
	}
	crash.At("event.handled")
	return again, acknowledge(done, len(again) == 0)
}

// acknowledge tells the broker that batch is settled, at once when it is all that was outstanding.
func acknowledge(batch []received, all bool) error {
	if len(batch) == 0 {
		return nil
	}
	if all {
		last := batch[0]
		for _, m := range batch {
			if m.DeliveryTag > last.DeliveryTag {
				last = m
			}
		}
		return last.Ack(true)
	}
	for _, m := range batch {
		if err := m.Ack(false); err != nil {
			return err
		}
	}
	return nil
}

// retryLater sends failed messages to the retry queues of their delays, one more attempt behind them, and returns
// an error for each that did not get there.
func (b *Broker) retryLater(ctx context.Context, runner *broker.Runner, failed []received, delays []time.Duration) []error {
	if len(failed) == 0 {
		return nil
	}
	messages := make([]message, len(failed))
	for i, m := range failed {
		d := m.event
		d.Attempt++
		if d.FirstFailed.IsZero() {
			d.FirstFailed = b.Now().UTC()
		}
		messages[i] = message{
			key: retryQueueName(runner.Consumer, delays[i]), mandatory: true,
			Publishing: publishing(d.Envelope, m.Body, attemptHeaders(d)),
			before: func(ch *amqp.Channel) error {
				return b.declareRetryOnce(ch, runner.Consumer, delays[i])
			},
		}
	}
	refused, err := b.retries.publish(ctx, messages)
	if refused == nil {
		refused = make([]error, len(failed))
		for i := range refused {
			refused[i] = err
		}
	}
	return refused
}

// declareRetryOnce makes a retry queue when it is first needed: few consumers ever fail.
func (b *Broker) declareRetryOnce(ch *amqp.Channel, consumer string, delay time.Duration) error {
	name := retryQueueName(consumer, delay)
	if _, there := b.retryQueues.Load(name); there {
		return nil
	}
	if err := declareRetry(ch, consumer, delay); err != nil {
		return err
	}
	b.retryQueues.Store(name, true)
	return nil
}

func attemptHeaders(d broker.Delivery) amqp.Table {
	headers := amqp.Table{headerAttempt: int32(d.Attempt)}
	if !d.FirstFailed.IsZero() {
		headers[headerFirstFailed] = d.FirstFailed.Format(time.RFC3339Nano)
	}
	return headers
}

// delivery reads the attempts from the headers of m. A header that is not ours to read counts as missing: the
// event is then tried more often.
func delivery(m amqp.Delivery, env events.Envelope) broker.Delivery {
	d := broker.Delivery{Envelope: env}
	switch n := m.Headers[headerAttempt].(type) {
	case int32:
		d.Attempt = max(0, int(n))
	case int64:
		d.Attempt = max(0, int(n))
	}
	if text, ok := m.Headers[headerFirstFailed].(string); ok {
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			d.FirstFailed = at
		}
	}
	return d
}
