// Package rabbitmq is the broker of production: a topic exchange that all events go to, a quorum queue for each
// consumer, and queues where failed messages wait before RabbitMQ brings them back.
package rabbitmq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"shopd/internal/events"
	"shopd/internal/platform/broker"
)

// Headers that a message carries besides its body.
const (
	headerTrace       = "traceparent"
	headerAttempt     = "x-shopd-attempt"      // failures so far
	headerFirstFailed = "x-shopd-first-failed" // RFC 3339
)

// pollRedriven is how often events are looked for that were sent again by hand.
const pollRedriven = 2 * time.Second

// Broker is a broker.Broker on RabbitMQ 3.10 or newer. It keeps four connections, made when they are first
// needed: one to publish events, one to consume, one to send failed messages to their retry queues, one to declare.
type Broker struct {
	*broker.Runtime
	events    *publisher
	retries   *publisher
	consuming *link
	declaring *declarer

	retryQueues sync.Map // names that were declared on the present session of retries
}

var _ broker.Broker = (*Broker)(nil)

// New returns a broker that connects to url (amqp:// or amqps://) when it is first used, so it also starts while
// RabbitMQ is away.
func New(url string, c broker.Config) (*Broker, error) {
	if _, err := amqp.ParseURI(url); err != nil {
		return nil, fmt.Errorf("read the RabbitMQ URL: %w", err)
	}
	runtime, err := broker.NewRuntime(c)
	if err != nil {
		return nil, err
	}
	b := &Broker{
		Runtime: runtime, consuming: &link{url: url, name: "shopd consumers", log: c.Log},
		declaring: &declarer{link: &link{url: url, name: "shopd queues", log: c.Log}},
	}
	b.events = newPublisher(&link{url: url, name: "shopd relay", log: c.Log}, b.declareAll)
	b.retries = newPublisher(&link{url: url, name: "shopd retries", log: c.Log}, func(context.Context, *amqp.Channel) error {
		b.retryQueues.Clear()
		return nil
	})
	return b, nil
}

// declareAll makes the exchange and all work queues, so that no event is published before its consumers' queues
// are there.
func (b *Broker) declareAll(ctx context.Context, ch *amqp.Channel) error {
	if err := declareExchange(ch); err != nil {
		return err
	}
	for _, runner := range b.Runners() {
		if runner.Broadcast {
			continue
		}
		if err := b.declaring.work(ctx, runner.Subscription); err != nil {
			return err
		}
	}
	return nil
}

// Publish sends batch and waits until RabbitMQ has it on the disks of a majority. An event that a consumer should
// get and no queue took is refused.
func (b *Broker) Publish(ctx context.Context, batch []events.Envelope) ([]error, error) {
	messages := make([]message, len(batch))
	for i, env := range batch {
		body, err := json.Marshal(env)
		if err != nil {
			return nil, fmt.Errorf("encode event %s: %w", env.ID, err)
		}
		messages[i] = message{
			exchange: Exchange, key: env.Type, mandatory: b.Awaited(env.Type),
			Publishing: publishing(env, body, amqp.Table{}),
		}
	}
	refused, err := b.events.publish(ctx, messages)
	if err == nil && slices.ContainsFunc(refused, func(r error) bool { return r != nil }) {
		err = b.events.forget() // a queue may be missing: the next batch declares them again
	}
	return refused, err
}

func publishing(env events.Envelope, body []byte, headers amqp.Table) amqp.Publishing {
	if env.Trace != "" {
		headers[headerTrace] = env.Trace
	}
	return amqp.Publishing{
		MessageId: env.ID, Type: env.Type, Timestamp: env.OccurredAt, ContentType: "application/json",
		DeliveryMode: amqp.Persistent, Headers: headers, Body: body,
	}
}

// Run consumes until ctx ends. It returns when the handlers have, and the broker knows what they have done.
func (b *Broker) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	working := false
	for _, runner := range b.Consumed() {
		working = working || !runner.Broadcast
		for range runner.Workers {
			loops.Go(func() { b.consume(ctx, runner) })
		}
	}
	if working {
		loops.Go(func() { b.HandOver(ctx, pollRedriven, b.send) })
	}
	loops.Go(func() { b.Watch(ctx) })
	loops.Wait()
	b.consuming.close()
	b.retries.link.close()
	b.declaring.link.close()
	return nil
}

// send puts redriven events into the queue of their consumer alone.
func (b *Broker) send(ctx context.Context, runner *broker.Runner, due []broker.Delivery) error {
	messages := make([]message, len(due))
	for i, d := range due {
		body, err := json.Marshal(d.Envelope)
		if err != nil {
			return fmt.Errorf("encode event %s: %w", d.ID, err)
		}
		messages[i] = message{
			key: queueName(runner.Consumer), mandatory: true,
			Publishing: publishing(d.Envelope, body, attemptHeaders(d)),
		}
	}
	refused, err := b.retries.publish(ctx, messages)
	if refused == nil && err != nil {
		return err
	}
	var sent []broker.Delivery
	for i, d := range due {
		if refused[i] == nil {
			sent = append(sent, d)
		}
		err = errors.Join(err, refused[i])
	}
	if len(sent) == 0 {
		return err
	}
	return errors.Join(err, b.Retries.Drop(context.WithoutCancel(ctx), runner.Consumer, sent))
}

// Ping says whether RabbitMQ can be reached and takes messages.
func (b *Broker) Ping(ctx context.Context) error {
	if _, err := b.events.link.connection(ctx); err != nil {
		return err
	}
	return b.events.link.open()
}

// Close ends the connections. Each takes a second at most when the broker does not answer.
func (b *Broker) Close() error {
	for _, l := range []*link{b.events.link, b.retries.link, b.consuming, b.declaring.link} {
		l.close()
	}
	return nil
}
