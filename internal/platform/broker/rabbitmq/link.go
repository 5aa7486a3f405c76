package rabbitmq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"shopd/internal/platform/broker"
)

const (
	// dialTimeout bounds reaching the broker, handshakeTimeout the greeting after it.
	dialTimeout      = 2 * time.Second
	handshakeTimeout = 5 * time.Second
	// writeTimeout bounds each write: a broker under a memory alarm stops reading, and the client library would
	// wait for it without an end, whatever the context says.
	writeTimeout = 5 * time.Second
	// heartbeat finds a peer that is gone without a word, in about three of them.
	heartbeat = 10 * time.Second
	// closeTimeout bounds the farewell.
	closeTimeout = time.Second
	// dialPause is how long a failed dial answers for the next ones.
	dialPause = 500 * time.Millisecond
)

// link is one connection that is made when it is needed, and made again when it is gone.
type link struct {
	url  string
	name string // shown in the broker's list of connections
	log  *slog.Logger

	mu       sync.Mutex
	conn     *amqp.Connection
	raw      net.Conn // under conn
	failed   error
	failedAt time.Time
	blocked  atomic.Pointer[string] // why the broker takes nothing; nil when it does
}

// connection returns the open connection, or makes one. All errors are broker.ErrUnavailable.
func (l *link) connection(ctx context.Context) (*amqp.Connection, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil && !l.conn.IsClosed() {
		return l.conn, nil
	}
	if l.failed != nil && time.Since(l.failedAt) < dialPause {
		return nil, broker.ErrUnavailable.Wrap(l.failed)
	}
	conn, err := l.dial(ctx)
	if err != nil {
		l.failed, l.failedAt = err, time.Now()
		return nil, broker.ErrUnavailable.Wrap(err)
	}
	l.conn, l.failed = conn, nil
	l.watch(conn)
	return conn, nil
}

func (l *link) dial(ctx context.Context) (*amqp.Connection, error) {
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(l.name)
	return amqp.DialConfig(l.url, amqp.Config{
		Heartbeat:  heartbeat,
		Properties: properties,
		Dial: func(network, address string) (net.Conn, error) {
			dialer := net.Dialer{Timeout: dialTimeout}
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			if err := conn.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
				return nil, errors.Join(err, conn.Close())
			}
			l.raw = conn
			return &boundedConn{Conn: conn}, nil
		},
	})
}

// watch follows what the broker says about conn. The channels are read until the library closes them, which it
// does with the connection: one that is not read can block the whole connection.
func (l *link) watch(conn *amqp.Connection) {
	l.blocked.Store(nil)
	blockings := conn.NotifyBlocked(make(chan amqp.Blocking, 8))
	closings := conn.NotifyClose(make(chan *amqp.Error, 1))
	go func() {
		for b := range blockings {
			if b.Active {
				reason := cmp.Or(b.Reason, "no reason given")
				l.blocked.Store(&reason)
				l.log.Warn("the broker takes no messages", "connection", l.name, "reason", reason)
			} else {
				l.blocked.Store(nil)
				l.log.Info("the broker takes messages again", "connection", l.name)
			}
		}
		if closing := <-closings; closing != nil {
			l.log.Warn("lost the broker", "connection", l.name, "error", closing)
		}
	}()
}

// channel opens a channel on the connection.
func (l *link) channel(ctx context.Context) (*amqp.Channel, error) {
	conn, err := l.connection(ctx)
	if err != nil {
		return nil, err
	}
	ch, err := conn.Channel()
	if err != nil {
		return nil, broker.ErrUnavailable.Wrap(fmt.Errorf("open a channel: %w", err))
	}
	return ch, nil
}

// open returns an error when the broker can be reached and takes no messages.
func (l *link) open() error {
	if reason := l.blocked.Load(); reason != nil {
		return broker.ErrUnavailable.Wrap(errors.New("the broker takes no messages: " + *reason))
	}
	return nil
}

// close ends the connection, with or without the broker's answer.
func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil || l.conn.IsClosed() {
		return
	}
	conn := l.conn
	answered := make(chan error, 1)
	go func() { answered <- conn.CloseDeadline(time.Now().Add(closeTimeout)) }()
	var err error
	select {
	case err = <-answered:
	case <-time.After(closeTimeout):
		// A broker without memory reads no farewell, and each of its heartbeats moves the library's deadline on.
		err = errors.Join(errors.New("no answer"), l.raw.Close())
	}
	if err != nil && !errors.Is(err, amqp.ErrClosed) {
		l.log.Info("the broker did not answer the farewell", "connection", l.name, "error", err)
	}
}

// boundedConn lets no write take longer than writeTimeout.
type boundedConn struct{ net.Conn }

func (c *boundedConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
