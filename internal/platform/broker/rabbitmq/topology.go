package rabbitmq

import (
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"shopd/internal/platform/broker"
)

// Exchange is the durable topic exchange that all events go to, with their type as the routing key.
const Exchange = "shopd.events"

// noLimit is more deliveries than a message will ever have. RabbitMQ 4 drops a message after 20 unless told
// otherwise, 3.10 has no word for "never".
const noLimit = 1 << 30

// queueName is the work queue of a consumer, shared by all replicas.
func queueName(consumer string) string { return "shopd." + consumer }

// retryQueueName is where failed messages of a consumer wait for delay.
func retryQueueName(consumer string, delay time.Duration) string {
	return fmt.Sprintf("%s.retry.%dms", queueName(consumer), delay.Milliseconds())
}

func declareExchange(ch *amqp.Channel) error {
	if err := ch.ExchangeDeclare(Exchange, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		return fmt.Errorf("declare exchange %s: %w", Exchange, err)
	}
	return nil
}

// declareWork makes the durable queue of s.
func declareWork(ch *amqp.Channel, s broker.Subscription) error {
	name := queueName(s.Consumer)
	_, err := ch.QueueDeclare(name, true, false, false, false, amqp.Table{
		amqp.QueueTypeArg:  amqp.QueueTypeQuorum,
		"x-delivery-limit": noLimit,
	})
	if err != nil {
		return fmt.Errorf("declare queue %s: %w", name, err)
	}
	return nil
}

// declareBroadcast makes a queue that lives as long as the connection.
func declareBroadcast(ch *amqp.Channel, s broker.Subscription) (string, error) {
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return "", fmt.Errorf("declare a queue for %s: %w", s.Consumer, err)
	}
	return q.Name, bind(ch, q.Name, s.Types)
}

// bind binds a queue to types. Bindings to types that a subscription no longer names stay; the runner passes over what
// they bring.
func bind(ch *amqp.Channel, queue string, types []string) error {
	for _, t := range types {
		if err := ch.QueueBind(queue, t, Exchange, false, nil); err != nil {
			return fmt.Errorf("bind queue %s to %s: %w", queue, t, err)
		}
	}
	return nil
}

// declareRetry makes the queue where messages of consumer wait for delay, after which the broker itself moves
// them back to the work queue, and to no other one. One queue a delay, because a queue lets go only of its head.
func declareRetry(ch *amqp.Channel, consumer string, delay time.Duration) error {
	name := retryQueueName(consumer, delay)
	_, err := ch.QueueDeclare(name, true, false, false, false, amqp.Table{
		amqp.QueueTypeArg:           amqp.QueueTypeQuorum,
		"x-message-ttl":             max(1, delay.Milliseconds()),
		"x-dead-letter-exchange":    "",
		"x-dead-letter-routing-key": queueName(consumer),
		"x-dead-letter-strategy":    "at-least-once",
		"x-overflow":                "reject-publish",
	})
	if err != nil {
		return fmt.Errorf("declare queue %s: %w", name, err)
	}
	return nil
}
