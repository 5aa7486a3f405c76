package orders

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	html "html/template"
	text "text/template"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/broker"
)

//go:embed mails
var mailFiles embed.FS

var (
	textMails = text.Must(text.New("").Funcs(text.FuncMap{"price": price}).ParseFS(mailFiles, "mails/*.txt"))
	htmlMails = html.Must(html.New("").Funcs(html.FuncMap{"price": price}).ParseFS(mailFiles, "mails/*.html"))
)

func price(a money.Amount) string { return a.String() }

// mailKinds names the mail that each event sends, with its subject.
var mailKinds = map[string]struct{ name, subject string }{
	events.OrderPaid{}.Type():      {"paid", "Your order %s is confirmed"},
	events.OrderCancelled{}.Type(): {"cancelled", "Your order %s is cancelled"},
	events.OrderFulfilled{}.Type(): {"fulfilled", "Your order %s is on its way"},
}

// mailData is what the templates see.
type mailData struct {
	*Order
	Shop    string
	URL     string
	Name    string
	Subject string
	Paid    bool // a cancelled order had been paid: its money goes back
	Parcel  *Fulfilment
}

// enqueueMails puts the mail of each event into the queue, in the transaction that marks the event as handled.
func (s *Service) enqueueMails(ctx context.Context, tx pgx.Tx, batch []events.Envelope) error {
	for _, env := range batch {
		o, _, err := s.loadOrder(ctx, tx, ID(env.AggregateID))
		if err != nil {
			return err
		}
		if o.Contact.Email == "" {
			continue // erased in between
		}
		m, wanted, err := s.mailOf(env, o)
		if err != nil {
			return err
		}
		if !wanted {
			continue
		}
		if err := s.mailer.Enqueue(ctx, tx, env.ID, m); err != nil {
			return fmt.Errorf("queue mail for order %s: %w", o.ID, err)
		}
	}
	return nil
}

// mailOf writes the mail of an event; wanted is false for one that the shopper need not hear of.
func (s *Service) mailOf(env events.Envelope, o *Order) (m Mail, wanted bool, err error) {
	kind := mailKinds[env.Type]
	data := mailData{
		Order: o, Shop: s.shopName, Name: firstName(o.Contact.Shipping.Name), Subject: fmt.Sprintf(kind.subject, o.describe()),
		URL: s.baseURL + "/order/" + string(o.ID) + "?secret=" + s.secretOf(o.ID),
	}
	switch env.Type {
	case events.OrderCancelled{}.Type():
		ev, err := events.Open[events.OrderCancelled](env)
		if err != nil {
			return Mail{}, false, broker.Unreadable(err)
		}
		if ev.Reason == reasonReplaced {
			return Mail{}, false, nil
		}
		data.Paid = ev.WasPaid
	case events.OrderFulfilled{}.Type():
		ev, err := events.Open[events.OrderFulfilled](env)
		if err != nil {
			return Mail{}, false, broker.Unreadable(err)
		}
		for i, f := range o.Fulfilments {
			if f.ID == ev.FulfilmentID {
				data.Parcel = &o.Fulfilments[i]
			}
		}
	}
	var plain, rich bytes.Buffer
	if err := textMails.ExecuteTemplate(&plain, kind.name+".txt", data); err != nil {
		return Mail{}, false, err
	}
	if err := htmlMails.ExecuteTemplate(&rich, kind.name+".html", data); err != nil {
		return Mail{}, false, err
	}
	return Mail{To: o.Contact.Email, Subject: data.Subject, Text: plain.String(), HTML: rich.String()}, true, nil
}
