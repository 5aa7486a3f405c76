package orders

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	html "html/template"
	"strings"
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

	events.OrderRefunded{}.Type():    {"refunded", "Money of your order %s goes back to you"},
	events.ReturnChanged{}.Type():    {"return", "Your return of order %s"},
	events.PaymentRequested{}.Type(): {"payment", "Please pay your order %s"},
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
	Refund  *Refund
	Return  *Return
}

// InvoiceURL is where the invoice can be downloaded.
func (d mailData) InvoiceURL() string {
	return strings.Replace(d.URL, "?", "/documents/"+latestInvoice+"?", 1)
}

// Letter is a mail that is due: what it tells about, and nothing personal. WriteMail makes the mail of it.
type Letter struct {
	Key          string       `json:"-"`     // tells it from all other letters
	Event        string       `json:"event"` // the type of the event it tells about
	OrderID      ID           `json:"order_id"`
	FulfilmentID string       `json:"fulfilment_id,omitempty"` // of the parcel that is on its way
	WasPaid      bool         `json:"was_paid,omitempty"`      // a cancelled order had been paid: its money goes back
	RefundID     string       `json:"refund_id,omitempty"`
	ReturnID     string       `json:"return_id,omitempty"`
	ReturnStatus ReturnStatus `json:"return_status,omitempty"` // where the return went
	Trace        string       `json:"-"`                       // the W3C traceparent of the event
}

// enqueueMails makes the letter of each event due, in the transaction that marks the event as handled.
func (s *Service) enqueueMails(ctx context.Context, tx pgx.Tx, batch []events.Envelope) error {
	letters := make([]Letter, 0, len(batch))
	for _, env := range batch {
		l, wanted, err := letterOf(env)
		if err != nil {
			return err
		}
		if wanted {
			letters = append(letters, l)
		}
	}
	if err := s.mailer.Enqueue(ctx, tx, letters); err != nil {
		return fmt.Errorf("queue the mails of orders: %w", err)
	}
	return s.logMails(ctx, tx, letters)
}

// letterOf reads an event; wanted is false for one that the shopper need not hear of.
func letterOf(env events.Envelope) (l Letter, wanted bool, err error) {
	l = Letter{Key: env.ID, Event: env.Type, OrderID: ID(env.AggregateID), Trace: env.Trace}
	switch env.Type {
	case events.OrderCancelled{}.Type():
		ev, err := events.Open[events.OrderCancelled](env)
		if err != nil {
			return Letter{}, false, broker.Unreadable(err)
		}
		l.WasPaid = ev.WasPaid
		return l, ev.Reason != reasonReplaced, nil
	case events.OrderRefunded{}.Type():
		ev, err := events.Open[events.OrderRefunded](env)
		if err != nil {
			return Letter{}, false, broker.Unreadable(err)
		}
		l.RefundID = ev.RefundID
		// The mail of the cancelling says so; what was not captured never came, so that it cannot go back.
		return l, ev.Reason != becauseCancelled && ev.Reason != becauseNotCaptured, nil
	case events.ReturnChanged{}.Type():
		ev, err := events.Open[events.ReturnChanged](env)
		if err != nil {
			return Letter{}, false, broker.Unreadable(err)
		}
		l.ReturnID, l.ReturnStatus = ev.ReturnID, ReturnStatus(ev.Status)
	case events.OrderFulfilled{}.Type():
		ev, err := events.Open[events.OrderFulfilled](env)
		if err != nil {
			return Letter{}, false, broker.Unreadable(err)
		}
		l.FulfilmentID = ev.FulfilmentID
	}
	return l, true, nil
}

// WriteMail writes a letter as the order is now; wanted is false when its customer was erased in between.
func (s *Service) WriteMail(ctx context.Context, l Letter) (m Mail, wanted bool, err error) {
	kind, known := mailKinds[l.Event]
	if !known {
		return Mail{}, false, fmt.Errorf("orders has no mail about %s", l.Event)
	}
	o, _, err := s.loadOrder(ctx, s.db, l.OrderID)
	if err != nil {
		return Mail{}, false, err
	}
	if o.Contact.Email == "" {
		return Mail{}, false, nil
	}
	data := mailData{
		Order: o, Shop: s.shopName, Name: firstName(o.Contact.Shipping.Name), Subject: fmt.Sprintf(kind.subject, o.describe()),
		URL: s.baseURL + "/order/" + string(o.ID) + "?secret=" + s.secretOf(o.ID), Paid: l.WasPaid,
	}
	for i, f := range o.Fulfilments {
		if f.ID == l.FulfilmentID {
			data.Parcel = &o.Fulfilments[i]
		}
	}
	if l.RefundID != "" {
		if data.Refund = o.refund(l.RefundID); data.Refund == nil {
			return Mail{}, false, fmt.Errorf("order %s has no refund %s", o.ID, l.RefundID)
		}
	}
	if l.ReturnID != "" {
		if data.Return = o.theReturn(l.ReturnID); data.Return == nil {
			return Mail{}, false, fmt.Errorf("order %s has no return %s", o.ID, l.ReturnID)
		}
		if data.Return.Status != l.ReturnStatus {
			return Mail{}, false, nil // it went on meanwhile: that has a mail of its own
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
