package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"shopd/internal/platform/broker"
)

// confirmTimeout is how long a batch waits for the broker's confirmations after its last message has been sent.
const confirmTimeout = 5 * time.Second

// message is something to publish. A mandatory one fails when no queue takes it.
type message struct {
	exchange, key string
	mandatory     bool
	before        func(*amqp.Channel) error // declares what the message goes to; nil when that is there
	amqp.Publishing
}

// publisher publishes in confirm mode, one batch at a time, on a connection of its own: a broker in trouble
// blocks publishers only.
type publisher struct {
	link    *link
	prepare func(context.Context, *amqp.Channel) error // declares what the messages go to, on each new channel

	turn    chan struct{} // held by the batch that is under way
	session *session
}

func newPublisher(l *link, prepare func(context.Context, *amqp.Channel) error) *publisher {
	return &publisher{link: l, prepare: prepare, turn: make(chan struct{}, 1)}
}

// session is a channel in confirm mode, with the goroutine that reads what the broker returns.
type session struct {
	*amqp.Channel
	asked chan chan map[string]string
	ended chan struct{}     // closed with the channel
	last  map[string]string // what came back and was not asked for before that
}

// publish sends batch and returns an error for each message that the broker did not confirm, as broker.Publish
// does. Each message has an id of its own.
func (p *publisher) publish(ctx context.Context, batch []message) ([]error, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, broker.ErrUnavailable.Wrap(ctx.Err())
	}
	s, err := p.ready(ctx)
	if err != nil {
		return nil, err
	}
	confirmations, sendErr := send(ctx, s.Channel, batch)
	refused, confirmErr := p.await(ctx, s, batch, confirmations)
	if failure := errors.Join(sendErr, confirmErr); failure != nil {
		// What is still under way on this channel could be taken for what comes next.
		p.session = nil
		p.link.close()
		return refused, broker.ErrUnavailable.Wrap(failure)
	}
	return refused, nil
}

// forget ends the session, so that the next batch begins a new one.
func (p *publisher) forget() error {
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	if p.session == nil {
		return nil
	}
	defer func() { p.session = nil }()
	return p.session.Close()
}

// ready returns the open session, or begins one.
func (p *publisher) ready(ctx context.Context) (*session, error) {
	if p.session != nil && !p.session.IsClosed() {
		return p.session, p.link.open()
	}
	ch, err := p.link.channel(ctx)
	if err != nil {
		return nil, err
	}
	if p.prepare != nil {
		if err := p.prepare(ctx, ch); err != nil {
			return nil, broker.ErrUnavailable.Wrap(errors.Join(err, ch.Close()))
		}
	}
	if err := ch.Confirm(false); err != nil {
		return nil, broker.ErrUnavailable.Wrap(fmt.Errorf("switch confirmations on: %w", err))
	}
	p.session = &session{Channel: ch, asked: make(chan chan map[string]string), ended: make(chan struct{})}
	go p.session.collectReturns(ch.NotifyReturn(make(chan amqp.Return)))
	return p.session, p.link.open()
}

// collectReturns keeps the reasons of returned messages by their id until they are asked for. The library sends
// a return before the confirmation of the same message and waits until it is received here, so whoever asks after
// the confirmations gets all of them. It ends with the channel.
func (s *session) collectReturns(returns <-chan amqp.Return) {
	returned := map[string]string{}
	for {
		select {
		case r, ok := <-returns:
			if !ok {
				s.last = returned
				close(s.ended)
				return
			}
			returned[r.MessageId] = r.ReplyText
		case answer := <-s.asked:
			answer <- returned
			returned = map[string]string{}
		}
	}
}

// send puts the messages on the wire; after an error, those that follow were not sent.
func send(ctx context.Context, ch *amqp.Channel, batch []message) ([]*amqp.DeferredConfirmation, error) {
	confirmations := make([]*amqp.DeferredConfirmation, 0, len(batch))
	for _, m := range batch {
		if m.before != nil {
			if err := m.before(ch); err != nil {
				return confirmations, err
			}
		}
		c, err := ch.PublishWithDeferredConfirmWithContext(ctx, m.exchange, m.key, m.mandatory, false, m.Publishing)
		if err != nil {
			return confirmations, fmt.Errorf("send: %w", err)
		}
		confirmations = append(confirmations, c)
	}
	return confirmations, nil
}

var (
	errNotSent      = errors.New("not sent")
	errNotConfirmed = errors.New("not confirmed by the broker")
)

// await waits for the confirmations. Its second error says that some did not come in time.
func (p *publisher) await(ctx context.Context, s *session, batch []message, confirmations []*amqp.DeferredConfirmation) ([]error, error) {
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	refused := make([]error, len(batch))
	var late error
	for i := range batch {
		if i >= len(confirmations) {
			refused[i] = errNotSent
			continue
		}
		acked, err := confirmations[i].WaitContext(ctx)
		switch {
		case err != nil:
			refused[i], late = errNotConfirmed, fmt.Errorf("wait for confirmations: %w", err)
		case !acked:
			refused[i] = errNotConfirmed
		}
	}
	for id, reason := range s.returned() {
		for i := range batch {
			if batch[i].MessageId == id {
				refused[i] = fmt.Errorf("returned by the broker: %s", reason)
			}
		}
	}
	if late == nil && s.IsClosed() {
		late = errors.New("the broker closed the channel")
	}
	return refused, late
}

// returned asks for the messages that came back since it was last asked: their ids and why.
func (s *session) returned() map[string]string {
	answer := make(chan map[string]string, 1)
	select {
	case s.asked <- answer:
		return <-answer
	case <-s.ended:
		return s.last
	}
}
