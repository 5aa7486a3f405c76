package rabbitmq_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"shopd/internal/events"
	"shopd/internal/platform/broker"
	"shopd/internal/platform/broker/brokertest"
	"shopd/internal/platform/broker/rabbitmq"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/testenv"
)

const placed = "orders.order_placed.v1"

func TestRabbitMQ(t *testing.T) {
	t.Parallel()
	brokertest.Run(t, func(t testing.TB) brokertest.Deployment {
		url := testenv.RabbitMQ(t)
		return brokertest.Deployment{
			Replicas: true,
			Broker:   func(t testing.TB, c broker.Config) broker.Broker { return newBroker(t, url, c) },
		}
	})
}

func newBroker(t testing.TB, url string, c broker.Config) *rabbitmq.Broker {
	t.Helper()
	b, err := rabbitmq.New(url, c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// channel is a connection of the test's own.
func channel(t testing.TB, url string) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	require.NoError(t, err)
	return ch
}

func TestMessageOnTheExchangeIsTheEnvelope(t *testing.T) {
	t.Parallel()
	url, lab := testenv.RabbitMQ(t), brokertest.NewLab(t)
	b := newBroker(t, url, lab.Config(t))
	require.NoError(t, b.Ping(t.Context()))
	batch := brokertest.Events(1, placed)
	batch[0].Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	brokertest.Publish(t, b, batch...) // into nothing: nobody has subscribed, so nothing is missing

	ch := channel(t, url)
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	require.NoError(t, err)
	require.NoError(t, ch.QueueBind(q.Name, "orders.*.v1", rabbitmq.Exchange, false, nil))
	brokertest.Publish(t, b, batch...)
	messages, err := ch.Consume(q.Name, "", true, true, false, false, nil)
	require.NoError(t, err)
	m := <-messages
	require.Equal(t, placed, m.RoutingKey)
	require.Equal(t, batch[0].ID, m.MessageId)
	require.Equal(t, amqp.Persistent, m.DeliveryMode)
	require.Equal(t, batch[0].Trace, m.Headers["traceparent"])
	var body map[string]any
	require.NoError(t, json.Unmarshal(m.Body, &body))
	for _, field := range []string{"id", "type", "version", "aggregate_id", "aggregate_version", "occurred_at", "trace", "data"} {
		require.Contains(t, body, field)
	}
}

func TestJunkBecomesADeadLetterAndHoldsNothingUp(t *testing.T) {
	t.Parallel()
	url, lab := testenv.RabbitMQ(t), brokertest.NewLab(t)
	b := newBroker(t, url, lab.Config(t))
	require.NoError(t, b.Subscribe(lab.Effect("inventory.orders", nil)))
	brokertest.Start(t, b)
	batch := brokertest.Events(2, placed)
	brokertest.Publish(t, b, batch[0])
	ch := channel(t, url)
	for _, junk := range []string{"not JSON\x00\xff", `{"type":"orders.order_placed.v1"}`} {
		require.NoError(t, ch.PublishWithContext(t.Context(), rabbitmq.Exchange, placed, true, false, amqp.Publishing{Body: []byte(junk)}))
	}
	brokertest.Publish(t, b, batch[1])
	lab.Eventually(t, "inventory.orders", batch)
	for _, letter := range lab.Letters(t, "inventory.orders", 2) {
		require.Nil(t, letter.Event)
		require.NotEmpty(t, letter.Raw)
		require.ErrorIs(t, broker.NewDeadLetters(lab.Relay).Redrive(t.Context(), letter.ID), broker.ErrNotRedrivable)
	}
}

func TestNothingIsLostWhenConnectionsAreCut(t *testing.T) {
	t.Parallel()
	url, lab := testenv.RabbitMQ(t), brokertest.NewLab(t)
	b := newBroker(t, url, lab.Config(t))
	s := lab.Effect("inventory.orders", nil)
	s.MaxBatch, s.Workers = 5, 2
	require.NoError(t, b.Subscribe(s))
	brokertest.Start(t, b)

	batch := brokertest.Events(300, placed)
	var cutting sync.WaitGroup
	stop := make(chan struct{})
	var cuts atomic.Int64
	cutting.Go(func() {
		for {
			cuts.Add(int64(cutConnections(t, url)))
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
	for i := 0; i < len(batch); i += 10 {
		brokertest.Publish(t, b, batch[i:i+10]...)
		time.Sleep(20 * time.Millisecond)
	}
	require.Eventually(t, func() bool { return cuts.Load() > 0 }, brokertest.Patience, 50*time.Millisecond)
	close(stop)
	cutting.Wait()
	lab.Eventually(t, "inventory.orders", batch)
}

// cutConnections ends the connections to the test's virtual host and returns how many there were.
func cutConnections(t testing.TB, amqpURL string) int {
	admin := strings.TrimSuffix(cmp.Or(os.Getenv("SHOPD_TEST_RABBITMQ_ADMIN_URL"), "http://guest:guest@127.0.0.1:15674"), "/")
	parsed, err := url.Parse(amqpURL)
	require.NoError(t, err)
	response, err := http.Get(admin + "/api/vhosts/" + strings.TrimPrefix(parsed.Path, "/") + "/connections")
	require.NoError(t, err)
	var connections []struct{ Name string }
	require.NoError(t, json.NewDecoder(response.Body).Decode(&connections))
	require.NoError(t, response.Body.Close())
	cut := 0
	for _, c := range connections {
		request, err := http.NewRequest(http.MethodDelete, admin+"/api/connections/"+url.PathEscape(c.Name), nil)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		if response.StatusCode == http.StatusNoContent {
			cut++
		}
	}
	return cut
}

func TestEventForAMissingQueueIsRefusedUntilTheQueueIsBack(t *testing.T) {
	t.Parallel()
	url, lab := testenv.RabbitMQ(t), brokertest.NewLab(t)
	c := lab.Config(t)
	c.Broadcasts = true // this replica publishes only
	b := newBroker(t, url, c)
	require.NoError(t, b.Subscribe(lab.Effect("inventory.orders", nil)))
	batch := brokertest.Events(3, placed)
	brokertest.Publish(t, b, batch[0])

	ch := channel(t, url)
	_, err := ch.QueueDelete("shopd.inventory.orders", false, false, false)
	require.NoError(t, err)
	refused, err := b.Publish(t.Context(), batch[1:2])
	require.NoError(t, err)
	require.ErrorContains(t, refused[0], "NO_ROUTE")
	refused, err = b.Publish(t.Context(), batch[1:])
	require.NoError(t, err, "the queue has been declared again")
	require.Equal(t, []error{nil, nil}, refused)
	q, err := ch.QueueDeclarePassive("shopd.inventory.orders", true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		q, err = ch.QueueDeclarePassive("shopd.inventory.orders", true, false, false, false, nil)
		return err == nil && q.Messages == 2
	}, brokertest.Patience, 20*time.Millisecond)
}

func TestConsumerComesBackWhenItsQueueIsDeleted(t *testing.T) {
	t.Parallel()
	url, lab := testenv.RabbitMQ(t), brokertest.NewLab(t)
	b := newBroker(t, url, lab.Config(t))
	require.NoError(t, b.Subscribe(lab.Effect("inventory.orders", nil)))
	brokertest.Start(t, b)
	batch := brokertest.Events(2, placed)
	brokertest.Publish(t, b, batch[0])
	lab.Eventually(t, "inventory.orders", batch[:1])
	_, err := channel(t, url).QueueDelete("shopd.inventory.orders", false, false, false)
	require.NoError(t, err)
	brokertest.Publish(t, b, batch[1])
	lab.Eventually(t, "inventory.orders", batch)
}

func TestABrokerThatHangsHoldsNeitherPublishingNorShutdown(t *testing.T) {
	t.Parallel()
	lab := brokertest.NewLab(t)
	proxy := newProxy(t, testenv.RabbitMQ(t))
	b := newBroker(t, proxy.url, lab.Config(t))
	require.NoError(t, b.Subscribe(lab.Effect("inventory.orders", nil)))
	stop := brokertest.Start(t, b)
	batch := brokertest.Events(2, placed)
	brokertest.Publish(t, b, batch[0])
	lab.Eventually(t, "inventory.orders", batch[:1])

	proxy.frozen.Store(true)
	began := time.Now()
	refused, err := b.Publish(t.Context(), batch[1:])
	require.ErrorIs(t, err, broker.ErrUnavailable)
	require.Error(t, refused[0])
	require.Less(t, time.Since(began), 20*time.Second)

	began = time.Now()
	stop()
	require.Less(t, time.Since(began), 20*time.Second)
}

// A broker under a memory alarm reads nothing from those who publish, and goes on sending heartbeats.
func TestABrokerThatOnlyTalksHoldsNeitherPublishingNorShutdown(t *testing.T) {
	t.Parallel()
	lab := brokertest.NewLab(t)
	proxy := newProxy(t, testenv.RabbitMQ(t))
	b := newBroker(t, proxy.url, lab.Config(t))
	require.NoError(t, b.Subscribe(lab.Effect("inventory.orders", nil)))
	stop := brokertest.Start(t, b)
	batch := brokertest.Events(2, placed)
	brokertest.Publish(t, b, batch[0])
	lab.Eventually(t, "inventory.orders", batch[:1])

	proxy.deaf.Store(true)
	ended := make(chan error, 1)
	go func() {
		_, err := b.Publish(context.WithoutCancel(t.Context()), batch[1:])
		stop()
		ended <- errors.Join(err, b.Close())
	}()
	select {
	case err := <-ended:
		require.ErrorIs(t, err, broker.ErrUnavailable)
	case <-time.After(time.Minute):
		require.Fail(t, "publishing or shutdown hangs")
	}
}

func TestAnAbsentBrokerIsUnavailableAtOnce(t *testing.T) {
	t.Parallel()
	lab := brokertest.NewLab(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	b := newBroker(t, "amqp://guest:guest@"+address+"/", lab.Config(t))
	require.NoError(t, b.Subscribe(lab.Effect("inventory.orders", nil)))
	stop := brokertest.Start(t, b)
	began := time.Now()
	for range 20 {
		_, err = b.Publish(t.Context(), brokertest.Events(1, placed))
		require.ErrorIs(t, err, broker.ErrUnavailable)
	}
	require.Equal(t, errs.Unavailable, errs.KindOf(b.Ping(t.Context())))
	stop()
	require.Less(t, time.Since(began), 20*time.Second)

	_, err = rabbitmq.New("http://example.com", lab.Config(t))
	require.Error(t, err)
}

func TestEventsWaitWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	url, lab := testenv.RabbitMQ(t), brokertest.NewLab(t)
	c := lab.Config(t)
	c.RetryDelays = []time.Duration{}
	b := newBroker(t, url, c)
	away := true
	var mu sync.Mutex
	s := lab.Effect("inventory.orders", func(events.Envelope) error {
		mu.Lock()
		defer mu.Unlock()
		if away {
			return io.ErrUnexpectedEOF // what pgx says of a server that went away
		}
		return nil
	})
	require.NoError(t, b.Subscribe(s))
	brokertest.Start(t, b)
	batch := brokertest.Events(10, placed)
	brokertest.Publish(t, b, batch...)
	require.Never(t, func() bool { return len(lab.Effects(t, "inventory.orders")) > 0 }, 300*time.Millisecond, 50*time.Millisecond)
	mu.Lock()
	away = false
	mu.Unlock()
	lab.Eventually(t, "inventory.orders", batch)
	lab.Letters(t, "inventory.orders", 0)
}

// proxy passes bytes between the client and the broker until it freezes: it then keeps the connections and moves
// nothing, as a broker under a memory alarm or a network without an answer.
type proxy struct {
	url    string
	frozen atomic.Bool
	// deaf lets the broker hear nothing but heartbeats.
	deaf atomic.Bool
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	parsed, err := url.Parse(target)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	upstream := parsed.Host
	parsed.Host = listener.Addr().String()
	p := &proxy{url: parsed.String()}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, listener.Close())
		running.Wait()
	})
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", upstream)
			if err != nil {
				_ = client.Close()
				continue
			}
			context.AfterFunc(ctx, func() { _, _ = client.Close(), server.Close() })
			running.Go(func() { p.pass(ctx, client, server, true) })
			running.Go(func() { p.talk(ctx, client) })
			running.Go(func() { p.pass(ctx, server, client, false) })
		}
	})
	return p
}

// talk sends heartbeats to a client that is not heard, more often than a broker would: one that comes while the client
// says farewell is what matters.
func (p *proxy) talk(ctx context.Context, client net.Conn) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
		if p.deaf.Load() {
			if _, err := client.Write(heartbeatFrame); err != nil {
				return
			}
		}
	}
}

// heartbeatFrame is what both sides send when they have nothing to say.
var heartbeatFrame = []byte{8, 0, 0, 0, 0, 0, 0, 0xce}

func (p *proxy) pass(ctx context.Context, from, to net.Conn, upwards bool) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if p.frozen.Load() {
			<-ctx.Done()
			return
		}
		if n > 0 && (!p.deaf.Load() || !upwards || bytes.Equal(buffer[:n], heartbeatFrame)) {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			_, _ = from.Close(), to.Close()
			return
		}
	}
}

// TestBrokersThatStartAtOnceDoNotGetIntoEachOthersWay: RabbitMQ 3.10 ends the connection of one of two who declare the
// same quorum queue at once, and consumers that had shared it came back after ever longer pauses.
func TestBrokersThatStartAtOnceDoNotGetIntoEachOthersWay(t *testing.T) {
	t.Parallel()
	const replicas = 6
	url, lab := testenv.RabbitMQ(t), brokertest.NewLab(t)
	names := []string{"inventory.orders", "orders.mail", "orders.payments", "catalog.projector"}
	var lost atomic.Int64
	watched := slog.New(countLosses{slog.DiscardHandler, &lost})
	brokers := make([]*rabbitmq.Broker, replicas)
	for i := range brokers {
		c := lab.Config(t)
		c.Log = watched
		brokers[i] = newBroker(t, url, c)
		for _, name := range names {
			require.NoError(t, brokers[i].Subscribe(lab.Effect(name, nil)))
		}
	}
	batch := brokertest.Events(replicas, placed)
	for i, b := range brokers {
		brokertest.Start(t, b)
		go func() { _, _ = b.Publish(t.Context(), batch[i:i+1]) }() // published below whatever becomes of it
	}
	brokertest.Publish(t, brokers[0], batch...)
	for _, name := range names {
		lab.Eventually(t, name, batch)
	}
	require.Zero(t, lost.Load(), "a consumer lost its queue to another's declaration")
}

// countLosses counts how often a consumer says that it has lost its queue.
type countLosses struct {
	slog.Handler
	n *atomic.Int64
}

func (h countLosses) Enabled(context.Context, slog.Level) bool { return true }

func (h countLosses) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "consumer lost its queue") {
		h.n.Add(1)
	}
	return nil
}

func (h countLosses) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h countLosses) WithGroup(string) slog.Handler { return h }
