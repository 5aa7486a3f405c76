package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"shopd/internal/platform/broker"
)

const (
	// clashes is how often a declaration is repeated that another process got into the way of, clashPause the longest
	// pause before it is.
	clashes    = 20
	clashPause = 150 * time.Millisecond
)

// declarer makes the exchange and the work queues, one at a time and on a connection of its own: RabbitMQ 3.10 answers
// two who declare the same quorum queue at once with INTERNAL_ERROR, which ends the whole connection of one of them.
type declarer struct {
	link *link
	mu   sync.Mutex
}

// work makes the queue of s and binds it, unless it is there. All errors are broker.ErrUnavailable.
func (d *declarer) work(ctx context.Context, s broker.Subscription) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for attempt := 1; ; attempt++ {
		err := d.once(ctx, s)
		if err == nil {
			return nil
		}
		if attempt == clashes || !clash(err) {
			return broker.ErrUnavailable.Wrap(err)
		}
		broker.Sleep(ctx, rand.N(clashPause))
		if ctx.Err() != nil {
			return broker.ErrUnavailable.Wrap(ctx.Err())
		}
	}
}

// clash reports whether err is what RabbitMQ says of a queue that somebody else declares at the same time, to who
// declares it as to who consumes from it, or of the connection that it ended for it.
func clash(err error) bool {
	var answer *amqp.Error
	return errors.As(err, &answer) && (answer.Code == amqp.InternalError || answer.Code == amqp.ChannelError) || errors.Is(err, amqp.ErrClosed)
}

func (d *declarer) once(ctx context.Context, s broker.Subscription) error {
	there, err := d.exists(ctx, queueName(s.Consumer))
	if err != nil {
		return err
	}
	ch, err := d.link.channel(ctx)
	if err != nil {
		return err
	}
	err = declareExchange(ch)
	if err == nil && !there {
		err = declareWork(ch, s)
	}
	if err == nil {
		err = bind(ch, queueName(s.Consumer), s.Types)
	}
	return errors.Join(err, shut(ch))
}

// exists asks on a channel of its own, which RabbitMQ ends when there is no such queue.
func (d *declarer) exists(ctx context.Context, queue string) (bool, error) {
	ch, err := d.link.channel(ctx)
	if err != nil {
		return false, err
	}
	_, err = ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	var answer *amqp.Error
	if errors.As(err, &answer) && answer.Code == amqp.NotFound {
		return false, nil
	}
	if err != nil {
		return false, errors.Join(fmt.Errorf("look for queue %s: %w", queue, err), shut(ch))
	}
	return true, shut(ch)
}

// shut closes ch unless RabbitMQ has.
func shut(ch *amqp.Channel) error {
	if err := ch.Close(); err != nil && !errors.Is(err, amqp.ErrClosed) {
		return err
	}
	return nil
}
