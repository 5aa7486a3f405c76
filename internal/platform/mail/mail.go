// Package mail brings messages to people: through an SMTP server, or into a folder where the owner of a demo reads
// them. Messages are put into the transaction of what they tell about and are sent when it commits.
package mail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Message is one mail to one person.
type Message struct {
	To      string `json:"to"` // an address, with or without a name
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html,omitempty"` // the same for those who like it better; may be empty
}

// Letter is a message ready to be sent.
type Letter struct {
	Message
	// Key tells this letter from all others. It becomes the Message-ID, by which mail programs drop a second copy: a
	// letter is sent again when a process ends between sending it and noting so.
	Key string `json:"key"`
}

// Sender brings letters on their way.
type Sender interface {
	// Send returns nil when somebody else has taken responsibility for the letter.
	Send(ctx context.Context, l Letter) error
}

// check refuses what cannot be a mail, in particular line breaks that would begin another header.
func (m Message) check() error {
	if _, err := netmail.ParseAddress(m.To); err != nil || strings.ContainsAny(m.To, "\r\n") {
		return fmt.Errorf("mail %q: the recipient is no mail address", m.Subject)
	}
	if m.Subject == "" || strings.ContainsAny(m.Subject, "\r\n") {
		return fmt.Errorf("mail %q: the subject must be one line", m.Subject)
	}
	if m.Text == "" {
		return fmt.Errorf("mail %q: the text is missing", m.Subject)
	}
	return nil
}

// compose builds the mail as it goes over the wire.
func (l Letter) compose(from string, now time.Time) (*gomail.Msg, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	msg := gomail.NewMsg()
	if err := msg.From(from); err != nil {
		return nil, fmt.Errorf("mail %q: sender: %w", l.Subject, err)
	}
	if err := msg.To(l.To); err != nil {
		return nil, fmt.Errorf("mail %q: the recipient is no mail address", l.Subject) // err would tell the address to the log
	}
	msg.Subject(l.Subject)
	msg.SetDateWithValue(now)
	msg.SetMessageIDWithValue(l.id() + "@" + hostOf(from))
	msg.SetBodyString(gomail.TypeTextPlain, l.Text)
	if l.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, l.HTML)
	}
	return msg, nil
}

// id is short, and the same for every try of the letter.
func (l Letter) id() string {
	sum := sha256.Sum256([]byte(l.Key))
	return hex.EncodeToString(sum[:12])
}

func hostOf(from string) string {
	address, err := netmail.ParseAddress(from)
	if err != nil {
		return "localhost"
	}
	return address.Address[strings.LastIndex(address.Address, "@")+1:]
}
