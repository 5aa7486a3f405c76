package app

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"strings"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// listener hears every event that is published, on a queue of its own.
type listener struct {
	mu     sync.Mutex
	bodies [][]byte
}

// listenTo binds a queue to the exchange, which it makes as the contract says when the shop has not yet.
func listenTo(t *testing.T, address string) *listener {
	t.Helper()
	conn, err := amqp.Dial(address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	ch, err := conn.Channel()
	require.NoError(t, err)
	require.NoError(t, ch.ExchangeDeclare("shopd.events", amqp.ExchangeTopic, true, false, false, false, nil))
	queue, err := ch.QueueDeclare("", false, true, true, false, nil)
	require.NoError(t, err)
	require.NoError(t, ch.QueueBind(queue.Name, "#", "shopd.events", false, nil))
	deliveries, err := ch.Consume(queue.Name, "", true, true, false, false, nil)
	require.NoError(t, err)
	l := &listener{}
	go func() {
		for d := range deliveries {
			l.mu.Lock()
			l.bodies = append(l.bodies, d.Body)
			l.mu.Unlock()
		}
	}()
	return l
}

// of returns the last message of each type that names the order, indented.
func (l *listener) of(orderID string) map[string][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := map[string][]byte{}
	for _, body := range l.bodies {
		var envelope struct{ Type string }
		var pretty bytes.Buffer
		if !bytes.Contains(body, []byte(orderID)) || json.Unmarshal(body, &envelope) != nil || json.Indent(&pretty, body, "", "  ") != nil {
			continue
		}
		found[envelope.Type] = append(pretty.Bytes(), '\n')
	}
	return found
}

// types counts the messages by type and event id.
func (l *listener) types() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := map[string]int{}
	for _, body := range l.bodies {
		var envelope struct{ Type, ID string }
		if json.Unmarshal(body, &envelope) == nil {
			counts[envelope.Type]++
		}
	}
	return counts
}

// mailServer takes mails over SMTP, in plain text and from everybody.
type mailServer struct {
	url   string
	mu    sync.Mutex
	mails map[string][]string // by recipient
}

func startMailServer(t *testing.T) *mailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m := &mailServer{url: "smtp://" + l.Addr().String(), mails: map[string][]string{}}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed by the cleanup
			}
			open.Go(func() { m.talk(conn) })
		}
	})
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		open.Wait()
	})
	return m
}

// talk speaks as much of RFC 5321 as a client needs to deliver a mail.
func (m *mailServer) talk(conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewReader(conn)
	say := func(text string) { fmt.Fprintf(conn, "%s\r\n", text) }
	say("220 test")
	var to string
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.Fields(line + " -")[0]); verb {
		case "EHLO":
			say("250 test")
		case "RCPT":
			to = strings.Trim(strings.TrimPrefix(strings.Fields(line)[1], "TO:"), "<>")
			say("250 ok")
		case "DATA":
			say("354 go on")
			text, err := readMail(lines)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.mails[to] = append(m.mails[to], text)
			m.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// readMail reads up to the line with the lone dot and undoes the encoding of the parts.
func readMail(lines *bufio.Reader) (string, error) {
	var text strings.Builder
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return "", err
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(strings.TrimPrefix(line, "."))
	}
	plain, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(text.String())))
	if err != nil {
		return text.String(), nil //nolint:nilerr // headers and boundaries need not be quoted-printable
	}
	return string(plain), nil
}

func (m *mailServer) to(address string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.mails[address]...)
}
