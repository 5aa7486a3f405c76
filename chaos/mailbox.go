package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/mail"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"
)

// mailbox is a mail server that keeps what it accepts.
type mailbox struct {
	addr   string
	server *smtp.Server
	refuse atomic.Bool // answers that it cannot take mail now

	mu      sync.Mutex
	letters []letter
}

// letter is a mail as it arrived.
type letter struct {
	id      string // Message-ID
	to      string
	subject string
}

func newMailbox(ctx context.Context) (*mailbox, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &mailbox{addr: l.Addr().String()}
	m.server = smtp.NewServer(m)
	m.server.Domain, m.server.ReadTimeout, m.server.WriteTimeout = "localhost", time.Minute, time.Minute
	go func() { _ = m.server.Serve(l) }() // ends with Close
	return m, nil
}

func (m *mailbox) close() error { return m.server.Close() }

// NewSession implements smtp.Backend.
func (m *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &mailSession{box: m}, nil }

func (m *mailbox) all() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]letter(nil), m.letters...)
}

type mailSession struct {
	box *mailbox
	to  string
}

var errBusy = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Try again later"}

func (s *mailSession) Mail(string, *smtp.MailOptions) error {
	if s.box.refuse.Load() {
		return errBusy
	}
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	message, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, message.Body); err != nil {
		return err
	}
	id := message.Header.Get("Message-Id")
	if id == "" {
		return errors.New("a mail without a Message-ID")
	}
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.letters = append(s.box.letters, letter{id: id, to: s.to, subject: message.Header.Get("Subject")})
	return nil
}

func (s *mailSession) Reset() { s.to = "" }

func (s *mailSession) Logout() error { return nil }
