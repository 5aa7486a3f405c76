package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
	"golang.org/x/sync/semaphore"
)

const (
	// smtpLimit bounds one conversation with the server.
	smtpLimit = 15 * time.Second
	// smtpAtOnce is how many conversations one process has at a time: mail servers refuse those that have many.
	smtpAtOnce = 8
)

// SMTP hands letters to a mail server.
type SMTP struct {
	client *gomail.Client
	slots  *semaphore.Weighted
	from   string
	now    func() time.Time
}

// NewSMTP returns a sender for SHOPD_SMTP_URL: smtp:// encrypts when the server can, smtp+starttls:// insists on it,
// smtps:// speaks TLS from the beginning. It does not connect yet.
func NewSMTP(address, from string, now func() time.Time) (*SMTP, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("read SHOPD_SMTP_URL: it is not smtp://user:password@host:587")
	}
	options := []gomail.Option{gomail.WithTimeout(smtpLimit)}
	port := 587
	switch u.Scheme {
	case "smtp":
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	case "smtp+starttls":
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case "smtps":
		options = append(options, gomail.WithSSL())
		port = 465
	default:
		return nil, fmt.Errorf("read SHOPD_SMTP_URL: %q is none of smtp, smtp+starttls, smtps", u.Scheme)
	}
	if given := u.Port(); given != "" {
		if port, err = strconv.Atoi(given); err != nil {
			return nil, errors.New("read SHOPD_SMTP_URL: the port is no number")
		}
	}
	options = append(options, gomail.WithPort(port))
	if u.User != nil {
		password, _ := u.User.Password()
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(u.User.Username()), gomail.WithPassword(password))
	}
	client, err := gomail.NewClient(u.Hostname(), options...)
	if err != nil {
		return nil, fmt.Errorf("prepare mail through %s: %w", net.JoinHostPort(u.Hostname(), strconv.Itoa(port)), err)
	}
	return &SMTP{client: client, slots: semaphore.NewWeighted(smtpAtOnce), from: from, now: now}, nil
}

// Send hands the letter to the server.
func (s *SMTP) Send(ctx context.Context, l Letter) error {
	msg, err := l.compose(s.from, s.now())
	if err != nil {
		return err
	}
	if err := s.slots.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("send mail %s: %w", l.id(), err)
	}
	defer s.slots.Release(1)
	ctx, cancel := context.WithTimeout(ctx, smtpLimit)
	defer cancel()
	if err := s.client.DialAndSendWithContext(ctx, msg); err != nil {
		return fmt.Errorf("send mail %s: %w", l.id(), err)
	}
	return nil
}

// Ping reports whether the server can be reached and accepts our credentials.
func (s *SMTP) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, smtpLimit)
	defer cancel()
	server, err := s.client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fmt.Errorf("reach the mail server: %w", err)
	}
	return s.client.CloseWithSMTPClient(server)
}
