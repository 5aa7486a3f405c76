package payments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
)

// Statement is a gateway whose books can be read.
type Statement interface {
	// Movements yields what was paid and given back between two times, in any order. A payment counts for when it began.
	Movements(ctx context.Context, from, until time.Time, yield func(Movement) error) error
}

// Movement is money in the books of a gateway.
type Movement struct {
	Refund    bool         // it went back
	Ref       string       // the gateway's name of the payment, or of the refund
	PaymentID string       // of ours; empty when it does not say
	OrderID   string       //
	RefundID  string       // of ours; empty when it was made at the gateway itself
	Shop      string       // the shop that it was made for; empty when it does not say
	Amount    money.Amount // never negative
	Fee       money.Amount // what the gateway kept; the zero value when it does not say
}

// Reconciliation is what the books of shop and gateway had for a day.
type Reconciliation struct {
	ID          string
	Provider    string
	Day         time.Time // its beginning, UTC
	FinishedAt  time.Time
	Payments    int // at the gateway
	Refunds     int
	Sums        map[money.Currency]DaySum
	Differences []Difference
	Open        int // differences that somebody has to look at
}

// DaySum is a day's money in one currency, in minor units.
type DaySum struct {
	Taken     int64 `json:"taken"`
	GivenBack int64 `json:"given_back"`
	Fees      int64 `json:"fees"`
}

// Difference is something that the two books do not agree about, or did not.
type Difference struct {
	Kind      DifferenceKind `json:"kind"`
	PaymentID string         `json:"payment_id,omitempty"`
	RefundID  string         `json:"refund_id,omitempty"`
	Ref       string         `json:"ref,omitempty"`
	Amount    *money.Amount  `json:"amount,omitempty"`
	Detail    string         `json:"detail"`
	Settled   bool           `json:"settled"` // nothing is left to do
}

// DifferenceKind says what a difference is about.
type DifferenceKind string

// The kinds of differences.
const (
	DiffLate      DifferenceKind = "late"       // the gateway had more than we knew; it has been taken over
	DiffOrphan    DifferenceKind = "orphan"     // the gateway has money for a payment that we do not have
	DiffForeign   DifferenceKind = "foreign"    // the gateway has money that is not this shop's
	DiffAmount    DifferenceKind = "amount"     // the sums differ
	DiffMissing   DifferenceKind = "missing"    // we say that money was taken, the gateway does not
	DiffNoRefund  DifferenceKind = "no_refund"  // we say that money went back, the gateway does not
	DiffUncertain DifferenceKind = "unresolved" // the gateway could not say
)

// reconcileArgs is the job that compares a day.
type reconcileArgs struct {
	Provider string    `json:"provider" river:"unique"`
	Day      time.Time `json:"day" river:"unique"`
}

// Kind names the job.
func (reconcileArgs) Kind() string { return "payments.reconcile_day" }

const (
	reconcileTimeout = 30 * time.Minute
	// reconcileRest is how long after its end a day is compared: gateways write up their books with a delay.
	reconcileRest = 4 * time.Hour
	day           = 24 * time.Hour
)

// ReconcileDaily compares the day before with each gateway's books, once.
func (s *Service) ReconcileDaily(ctx context.Context) error {
	yesterday := s.now().Add(-reconcileRest).Truncate(day).Add(-day)
	var failures []error
	for provider, gateway := range s.gateways {
		if statementOf(gateway) == nil {
			continue
		}
		done, err := hasReconciliation(ctx, s.db, provider, yesterday)
		if err == nil && !done {
			err = s.enqueueReconciliation(ctx, provider, yesterday)
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// ReconcileDay compares a day (UTC) with a gateway's books, takes over what we did not know, gives back what belongs to no
// payment, and keeps a report of the differences. errs.ErrNotFound says that there is no such gateway with books.
func (s *Service) ReconcileDay(ctx context.Context, provider string, begin time.Time) (*Reconciliation, error) {
	gateway := s.gateways[provider]
	statement := statementOf(gateway)
	if statement == nil {
		return nil, errs.ErrNotFound
	}
	begin = begin.UTC().Truncate(day)
	c := &comparison{
		Service: s, gateway: gateway, provider: provider,
		report: &Reconciliation{ID: id.New("rec"), Provider: provider, Day: begin, Sums: map[money.Currency]DaySum{}, Differences: []Difference{}},
		seen:   map[string]bool{},
	}
	if err := statement.Movements(ctx, begin, begin.Add(day), func(m Movement) error { return c.movement(ctx, m) }); err != nil {
		return nil, fmt.Errorf("read the books of %s: %w", provider, err)
	}
	if err := c.ours(ctx, begin, begin.Add(day)); err != nil {
		return nil, fmt.Errorf("compare with the books of %s: %w", provider, err)
	}
	c.report.FinishedAt = s.now()
	for _, d := range c.report.Differences {
		if !d.Settled {
			c.report.Open++
		}
	}
	if err := storeReconciliation(ctx, s.db, *c.report); err != nil {
		return nil, fmt.Errorf("keep the report: %w", err)
	}
	s.metrics.differences.WithLabelValues(provider).Set(float64(c.report.Open))
	if c.report.Open > 0 {
		s.log.WarnContext(ctx, "the books of shop and gateway differ", "provider", provider, "day", begin.Format(time.DateOnly), "open", c.report.Open, "report", c.report.ID)
	}
	return c.report, nil
}

// comparison is a day being compared.
type comparison struct {
	*Service
	gateway  Gateway
	provider string
	report   *Reconciliation
	seen     map[string]bool // payments and refunds of ours that the gateway has
}

func (c *comparison) differ(d Difference) { c.report.Differences = append(c.report.Differences, d) }

// movement compares one line of the gateway's books with ours.
func (c *comparison) movement(ctx context.Context, m Movement) error {
	sum := c.report.Sums[m.Amount.Currency]
	sum.Fees += m.Fee.Minor
	if m.Refund {
		c.report.Refunds++
		sum.GivenBack += m.Amount.Minor
	} else {
		c.report.Payments++
		sum.Taken += m.Amount.Minor
	}
	c.report.Sums[m.Amount.Currency] = sum
	p, err := c.paymentOfMovement(ctx, m)
	if errs.KindOf(err) == errs.NotFound {
		return c.stray(ctx, m)
	}
	if err != nil {
		return err
	}
	if err := c.fee(ctx, p, m); err != nil {
		return err
	}
	if m.Refund {
		return c.refundThere(ctx, p, m)
	}
	return c.paymentThere(ctx, p, m)
}

func (c *comparison) paymentOfMovement(ctx context.Context, m Movement) (Payment, error) {
	if id.Valid("pay", m.PaymentID) {
		return get(ctx, c.db, m.PaymentID)
	}
	if !id.Valid("ref", m.RefundID) {
		return Payment{}, errs.ErrNotFound
	}
	r, err := getRefund(ctx, c.db, m.RefundID)
	if err != nil {
		return Payment{}, err
	}
	return get(ctx, c.db, r.PaymentID)
}

// stray is money that no payment of ours is about. What was made for this shop goes back; what was not is not ours to touch.
func (c *comparison) stray(ctx context.Context, m Movement) error {
	d := Difference{Kind: DiffForeign, Ref: m.Ref, PaymentID: m.PaymentID, RefundID: m.RefundID, Amount: &m.Amount, Settled: true, Detail: "It is not this shop's."}
	if id.Valid("pay", m.PaymentID) || id.Valid("ref", m.RefundID) {
		d.Kind, d.Settled, d.Detail = DiffOrphan, m.Refund, "There is no such payment here."
		if !m.Refund && m.Shop != "" && m.Shop == c.shop {
			err := c.giveBackOrphan(ctx, m)
			d.Settled, d.Detail = err == nil, "There is no such payment here. It was given back."
			if err != nil {
				d.Detail = "There is no such payment here, and it could not be given back: " + err.Error()
			}
		}
	}
	c.differ(d)
	return nil
}

// giveBackOrphan returns money of a payment that we have no record of, and writes both ways into the ledger, once.
func (c *comparison) giveBackOrphan(ctx context.Context, m Movement) error {
	p := Payment{
		ID: m.PaymentID, OrderID: m.OrderID, Provider: c.provider, ProviderRef: m.Ref, Amount: m.Amount, Captured: m.Amount,
		Refunded: money.New(0, m.Amount.Currency), Status: Captured,
	}
	given, err := c.gateway.Refund(ctx, p, RefundCall{ID: id.Derive("ref", m.PaymentID+"/orphan"), Amount: m.Amount, Again: true})
	if err != nil {
		return err
	}
	c.log.WarnContext(ctx, "money that belongs to no payment was given back", "provider", c.provider, "ref", m.Ref, "refund_ref", given.Ref)
	return bookOrphan(ctx, c.db, p, c.now())
}

// fee writes what the gateway kept into the ledger, once for each movement.
func (c *comparison) fee(ctx context.Context, p Payment, m Movement) error {
	if m.Fee.Minor == 0 {
		return nil
	}
	if err := bookFee(ctx, c.db, p, m.Ref, m.Fee, c.now()); err != nil {
		return fmt.Errorf("book the fee of %s: %w", m.Ref, err)
	}
	return nil
}

func (c *comparison) paymentThere(ctx context.Context, p Payment, m Movement) error {
	c.seen[p.ID] = true
	if p.Captured == m.Amount {
		return nil
	}
	d := Difference{Kind: DiffLate, PaymentID: p.ID, Ref: m.Ref, Amount: &m.Amount, Detail: fmt.Sprintf("It was %s here, with %s taken.", p.Status, p.Captured)}
	next, err := c.advance(ctx, p)
	switch {
	case err != nil:
		d.Kind, d.Detail = DiffUncertain, d.Detail+" "+err.Error()
		if errors.Is(err, ErrDisagrees) {
			d.Kind = DiffAmount
		}
	case next.Captured != m.Amount:
		d.Kind = DiffAmount
	default:
		d.Settled = true
	}
	c.differ(d)
	return nil
}

func (c *comparison) refundThere(ctx context.Context, p Payment, m Movement) error {
	refundID := m.RefundID
	if refundID == "" {
		refundID = id.Derive("ref", p.Provider+"/"+m.Ref)
	}
	c.seen[refundID] = true
	r, err := getRefund(ctx, c.db, refundID)
	if err == nil && r.Status == RefundSucceeded {
		if r.Amount != m.Amount {
			c.differ(Difference{
				Kind: DiffAmount, PaymentID: p.ID, RefundID: refundID, Ref: m.Ref, Amount: &m.Amount, Detail: fmt.Sprintf("It is of %s here.", r.Amount),
			})
		}
		return nil
	}
	d := Difference{Kind: DiffLate, PaymentID: p.ID, RefundID: refundID, Ref: m.Ref, Amount: &m.Amount, Detail: "The refund was not known here."}
	if _, err := c.advance(ctx, p); err != nil {
		d.Kind, d.Detail = DiffUncertain, d.Detail+" "+err.Error()
	} else if r, err = getRefund(ctx, c.db, refundID); err == nil && r.Status == RefundSucceeded {
		d.Settled = true
	}
	c.differ(d)
	return nil
}

// ours looks for what we have of the day and the gateway's books do not, and asks the gateway about each.
func (c *comparison) ours(ctx context.Context, from, until time.Time) error {
	taken, err := takenBetween(ctx, c.db, c.provider, from, until)
	if err != nil {
		return err
	}
	for _, p := range taken {
		if c.seen[p.ID] || p.Amount.IsZero() {
			continue
		}
		outcome, err := c.gateway.Lookup(ctx, p)
		switch {
		case err != nil && refusal(err) == nil:
			c.differ(Difference{Kind: DiffUncertain, PaymentID: p.ID, Ref: p.ProviderRef, Amount: &p.Captured, Detail: err.Error()})
		case err != nil || outcome.Status != Captured || c.agree(ctx, p, outcome) != nil:
			c.differ(Difference{Kind: DiffMissing, PaymentID: p.ID, Ref: p.ProviderRef, Amount: &p.Captured, Detail: "The gateway took nothing for it."})
		}
	}
	given, err := givenBetween(ctx, c.db, c.provider, from, until)
	if err != nil {
		return err
	}
	for _, r := range given {
		if c.seen[r.ID] {
			continue
		}
		p, err := get(ctx, c.db, r.PaymentID)
		if err != nil {
			return err
		}
		if d := c.refundHere(ctx, p, r); d != nil {
			c.differ(*d)
		}
	}
	return nil
}

// refundHere asks the gateway about a refund that its books did not name; nil when it has it after all.
func (c *comparison) refundHere(ctx context.Context, p Payment, r Refund) *Difference {
	d := &Difference{Kind: DiffNoRefund, PaymentID: p.ID, RefundID: r.ID, Ref: r.Ref, Amount: &r.Amount, Detail: "The gateway gave nothing back."}
	outcome, err := c.gateway.Lookup(ctx, p)
	if err != nil {
		d.Kind, d.Detail = DiffUncertain, err.Error()
		return d
	}
	if outcome.Seen != nil {
		for _, seen := range outcome.Seen.Refunds {
			if seen.ID == r.ID || seen.Ref == r.Ref {
				return nil
			}
		}
	}
	return d
}

// Reconciliations lists reports, the newest first, of a provider or of all.
func (s *Service) Reconciliations(ctx context.Context, provider, after string, limit int) ([]Reconciliation, error) {
	list, err := listReconciliations(ctx, s.db, provider, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list reconciliations: %w", err)
	}
	return list, nil
}
