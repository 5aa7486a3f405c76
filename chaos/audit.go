package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"shopd/internal/rig"
)

const (
	exchange   = "shopd.events"
	auditQueue = "chaos.audit"
	// keptMessages is how many messages are kept whole, to be published again.
	keptMessages = 400
)

// audit is a consumer of our own, as an integration of a merchant would have one: a durable queue on all events, bound
// before the first shopd starts. It writes down which events came.
type audit struct {
	url    string
	stop   context.CancelFunc
	done   chan struct{}
	mu     sync.Mutex
	seen   map[string]*heard
	copies []amqp.Delivery
	total  int
}

// heard is one event, by its id.
type heard struct {
	kind      string
	aggregate string
	times     int
}

func newAudit(addr string) (*audit, error) {
	a := &audit{url: rig.RabbitMQURL(addr), seen: map[string]*heard{}, done: make(chan struct{})}
	conn, err := amqp.Dial(a.url)
	if err != nil {
		return nil, fmt.Errorf("bind the audit queue: %w", err)
	}
	defer func() { _ = conn.Close() }() // everything was confirmed before
	ch, err := conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("bind the audit queue: %w", err)
	}
	if err := ch.ExchangeDeclare(exchange, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		return nil, fmt.Errorf("declare the exchange: %w", err)
	}
	if _, err := ch.QueueDeclare(auditQueue, true, false, false, false, amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum}); err != nil {
		return nil, fmt.Errorf("declare the audit queue: %w", err)
	}
	return a, ch.QueueBind(auditQueue, "#", exchange, false, nil)
}

// listen consumes until close, through every fault of the broker.
func (a *audit) listen(ctx context.Context) {
	ctx, a.stop = context.WithCancel(ctx)
	go func() {
		defer close(a.done)
		for ctx.Err() == nil {
			_ = a.consume(ctx) // the broker is away, or we are done
			_ = rig.Pause(ctx, 200*time.Millisecond)
		}
	}()
}

func (a *audit) consume(ctx context.Context) error {
	conn, err := amqp.DialConfig(a.url, amqp.Config{Heartbeat: 5 * time.Second, Dial: amqp.DefaultDial(2 * time.Second)})
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseDeadline(time.Now().Add(time.Second)) }() // what was not acknowledged comes again
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Qos(200, 0, false); err != nil {
		return err
	}
	messages, err := ch.Consume(auditQueue, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m, ok := <-messages:
			if !ok {
				return amqp.ErrClosed
			}
			if err := a.note(m); err != nil {
				return err
			}
			if err := m.Ack(false); err != nil {
				return err
			}
		}
	}
}

func (a *audit) note(m amqp.Delivery) error {
	var event struct {
		ID, Type    string
		AggregateID string `json:"aggregate_id"`
	}
	if err := json.Unmarshal(m.Body, &event); err != nil {
		return fmt.Errorf("an event that is no JSON: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total++
	if h := a.seen[event.ID]; h != nil {
		h.times++
		return nil
	}
	a.seen[event.ID] = &heard{kind: event.Type, aggregate: event.AggregateID, times: 1}
	if len(a.copies) < keptMessages {
		a.copies = append(a.copies, m)
	} else if i := len(a.seen) % (4 * keptMessages); i < keptMessages {
		a.copies[i] = m // older ones make room for some of the newer
	}
	return nil
}

// has reports whether the event came.
func (a *audit) has(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[id] != nil
}

// counts returns how many different events and how many messages came.
func (a *audit) counts() (events, messages int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.seen), a.total
}

// kept returns copies of some messages.
func (a *audit) kept() []amqp.Delivery {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]amqp.Delivery(nil), a.copies...)
}

// republish sends messages to the exchange again, as they were.
func (a *audit) republish(ctx context.Context, messages []amqp.Delivery) error {
	conn, err := amqp.Dial(a.url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // everything was confirmed before
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	for _, m := range messages {
		confirmation, err := ch.PublishWithDeferredConfirmWithContext(ctx, exchange, m.RoutingKey, true, false, amqp.Publishing{
			Headers: m.Headers, ContentType: m.ContentType, DeliveryMode: amqp.Persistent, MessageId: m.MessageId, Type: m.Type, Timestamp: m.Timestamp,
			Body: m.Body,
		})
		if err != nil {
			return err
		}
		if acked, err := confirmation.WaitContext(ctx); err != nil || !acked {
			return fmt.Errorf("the broker did not confirm a repeated event: %w", err)
		}
	}
	return nil
}

func (a *audit) close() {
	if a.stop != nil {
		a.stop()
		<-a.done
	}
}
