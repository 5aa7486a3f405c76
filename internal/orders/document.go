package orders

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/postgres"
)

// Seller is who writes the invoices.
type Seller struct {
	Name    string   `json:"name"`
	Address []string `json:"address"` // line by line
	TaxID   string   `json:"tax_id,omitempty"`
	Contact string   `json:"contact,omitempty"` // mail address or telephone
	Footer  string   `json:"footer,omitempty"`  // registration, bank account
}

// DocumentKind says what a document is.
type DocumentKind string

// The kinds: of what was sold, and of what of it was given back.
const (
	Invoice    DocumentKind = "invoice"
	CreditNote DocumentKind = "credit_note"
)

// prefixes begin the series of each kind; the year follows.
var prefixes = map[DocumentKind]string{Invoice: "INV", CreditNote: "CN"}

// Document is an invoice or a credit note that was issued. Numbers of a series have no gaps.
type Document struct {
	ID       string       `json:"id"`
	Kind     DocumentKind `json:"kind" enum:"invoice,credit_note"`
	Number   string       `json:"number" example:"INV-2026-000042"`
	RefundID string       `json:"refund_id,omitempty" doc:"What a credit note is for."`
	IssuedAt time.Time    `json:"issued_at"`
}

// UnmarshalJSON reads a document as the store gives it: with the parts of its number.
func (d *Document) UnmarshalJSON(body []byte) error {
	type plain Document
	row := struct {
		*plain
		Series   string `json:"series"`
		Position int64  `json:"position"`
	}{plain: (*plain)(d)}
	if err := json.Unmarshal(body, &row); err != nil {
		return err
	}
	if row.Series != "" {
		d.Number = documentNumber(row.Series, row.Position)
	}
	return nil
}

func documentNumber(series string, position int64) string {
	return fmt.Sprintf("%s-%06d", series, position)
}

// documentContent is what a document keeps beside the figures of its order and refund, which never change.
type documentContent struct {
	Seller Seller `json:"seller"`
	Rate   int64  `json:"rate"` // of the tax, in millionths
}

// issueDocuments writes the invoices of orders that were paid and the credit notes of money that goes back, in the
// transaction that marks the events as handled.
func (s *Service) issueDocuments(ctx context.Context, tx pgx.Tx, batch []events.Envelope) error {
	ids := make([]string, 0, len(batch))
	refunds := false
	for _, env := range batch {
		ids = append(ids, env.AggregateID)
		refunds = refunds || env.Type != events.OrderPaid{}.Type()
	}
	if err := s.issue(ctx, tx, Invoice, ids); err != nil || !refunds {
		return err
	}
	return s.issue(ctx, tx, CreditNote, ids)
}

// issue writes the documents of a kind that orders lack. Issuers of one series wait for each other, so that every number
// is used and none twice.
func (s *Service) issue(ctx context.Context, tx pgx.Tx, kind DocumentKind, orders []string) error {
	now := s.now()
	series := fmt.Sprintf("%s-%d", prefixes[kind], now.Year())
	last, err := lockSeries(ctx, tx, series)
	if err != nil {
		return fmt.Errorf("lock series %s: %w", series, err)
	}
	missing, err := missingDocuments(ctx, tx, kind, orders)
	if err != nil || len(missing) == 0 {
		return err
	}
	contacts := make([]sealedFor, len(missing))
	for i, m := range missing {
		contacts[i] = sealedFor{subjectOf(m.customer, m.cart), m.contact, contactAD(m.cart)}
	}
	opened, err := s.openAll(ctx, contacts)
	if err != nil {
		return err
	}
	for i := range missing {
		m := &missing[i]
		m.id, m.number = id.New("doc"), last+int64(i)+1
		content := documentContent{Seller: s.seller}
		var c Contact
		if opened[i] != nil {
			if err := json.Unmarshal(opened[i], &c); err != nil {
				return err
			}
		}
		if content.Rate, err = s.pricing.Rate(ctx, c.Shipping.Country, c.Shipping.Region); err != nil {
			return err
		}
		if m.content, err = json.Marshal(content); err != nil {
			return err
		}
	}
	if err := insertDocuments(ctx, tx, kind, series, missing, now); err != nil {
		return fmt.Errorf("issue %d documents of series %s: %w", len(missing), series, err)
	}
	return nil
}

// latestInvoice names the invoice of an order whatever its id is; it is issued when it is not there yet.
const latestInvoice = "invoice"

// PDF is a document as it is downloaded.
type PDF struct {
	Name string // of the file
	Body []byte
}

// DocumentPDF draws an invoice or a credit note of an order; documentID "invoice" is its invoice. It returns
// errs.ErrNotFound when access does not open the order, or it has no such document.
func (s *Service) DocumentPDF(ctx context.Context, id ID, a Access, documentID string) (*PDF, error) {
	o, err := s.Order(ctx, id, a)
	if err != nil {
		return nil, err
	}
	if documentID == latestInvoice {
		if documentID, err = s.invoiceOf(ctx, o); err != nil {
			return nil, err
		}
	}
	d, err := s.storedDocument(ctx, o, documentID)
	if err != nil {
		return nil, err
	}
	body, err := drawDocument(o, d)
	if err != nil {
		return nil, fmt.Errorf("draw %s: %w", d.Number, err)
	}
	return &PDF{Name: d.Number + ".pdf", Body: body}, nil
}

// invoiceOf returns the id of an order's invoice, which it issues when the event has not done so yet.
func (s *Service) invoiceOf(ctx context.Context, o *Order) (string, error) {
	if o.PaidAt == nil {
		return "", errs.ErrNotFound
	}
	for _, d := range o.Documents {
		if d.Kind == Invoice {
			return d.ID, nil
		}
	}
	if err := postgres.InTx(ctx, s.db, func(tx pgx.Tx) error { return s.issue(ctx, tx, Invoice, []string{string(o.ID)}) }); err != nil {
		return "", err
	}
	fresh, err := s.Order(ctx, o.ID, Access{Staff: true})
	if err != nil {
		return "", err
	}
	for _, d := range fresh.Documents {
		if d.Kind == Invoice {
			return d.ID, nil
		}
	}
	return "", errs.ErrNotFound
}
