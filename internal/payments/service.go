package payments

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/broker"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/jobs"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// Deps is what the service needs. Fields are required unless they say otherwise.
type Deps struct {
	DB *pgxpool.Pool // acts as shopd_payments
	// Relaxed is the same with relaxed commits, for what a gateway has answered to Pay: a crash that loses it leaves the
	// payment as it was before the answer, and the reconciler asks again. Nil takes DB.
	Relaxed  *pgxpool.Pool
	Gateways map[string]Gateway
	// Shop is the name under which gateways keep this shop's payments: money there that names it is its own.
	Shop string
	// Jobs is where webhooks wait to be worked on; nil where none arrive.
	Jobs       *jobs.Queue
	Log        *slog.Logger
	Now        func() time.Time
	Registerer prometheus.Registerer // nil counts nothing
}

// Service takes and gives back money.
type Service struct {
	db       *pgxpool.Pool
	relaxed  *pgxpool.Pool
	gateways map[string]Gateway
	shop     string
	jobs     *jobs.Queue
	log      *slog.Logger
	now      func() time.Time
	metrics  *metrics
}

// New returns a Service.
func New(d Deps) *Service {
	return &Service{
		db: d.DB, relaxed: cmp.Or(d.Relaxed, d.DB), gateways: d.Gateways, shop: d.Shop, jobs: d.Jobs, log: d.Log, now: d.Now, metrics: newMetrics(d.Registerer),
	}
}

// Offers reports whether the shop can be paid this way.
func (s *Service) Offers(provider, method string) bool {
	gateway := s.gateways[provider]
	if gateway == nil {
		return false
	}
	if a := accepterOf(gateway); a != nil {
		return a.Accepts(method)
	}
	return method == ""
}

// Providers are the gateways that are set up, sorted.
func (s *Service) Providers() []string { return slices.Sorted(maps.Keys(s.gateways)) }

// Ping asks a gateway whether it answers and lets us in.
func (s *Service) Ping(ctx context.Context, provider string) error {
	gateway := s.gateways[provider]
	if gateway == nil {
		return errs.ErrNotFound
	}
	return gateway.Ping(ctx)
}

// Pay asks the provider for the money of an order and returns the payment with where it stands after that:
// Captured, Authorised, RequiresAction, Created (manual), Declined, or Unknown when there was no answer. Its errors
// are ErrUnknownMethod, ErrAlreadyPaid, ErrInProgress, and ErrUnavailable when nothing was sent.
func (s *Service) Pay(ctx context.Context, r Request) (Payment, error) {
	gateway := s.gateways[r.Provider]
	if !s.Offers(r.Provider, r.Method) {
		return Payment{}, ErrUnknownMethod
	}
	p := Payment{
		ID: id.New("pay"), OrderID: r.OrderID, Provider: r.Provider, Method: r.Method, Status: Sending, Amount: r.Amount,
		Captured: money.New(0, r.Amount.Currency), Refunded: money.New(0, r.Amount.Currency), CreatedAt: s.now(), UpdatedAt: s.now(), Version: 1,
	}
	customer, err := s.customerAt(ctx, gateway, r)
	if err != nil {
		return Payment{}, err
	}
	if err := s.begin(ctx, p); err != nil {
		return Payment{}, err
	}
	// From here on the payment goes on whether or not anybody waits for it.
	ctx = context.WithoutCancel(ctx)
	outcome, err := s.charge(ctx, gateway, Charge{Payment: p, ReturnURL: r.ReturnURL, Customer: customer, Save: r.Save && customer != ""})
	if errors.Is(err, ErrNotSent) {
		s.log.WarnContext(ctx, "payment not sent", "payment_id", p.ID, "error", err)
		if _, err := s.end(ctx, s.db, p, Outcome{Status: Voided, Reason: "not sent"}); err != nil {
			return Payment{}, err
		}
		return Payment{}, ErrUnavailable
	}
	return s.conclude(ctx, s.relaxed, gateway, p, s.known(ctx, p, outcome, err))
}

func (s *Service) charge(ctx context.Context, gateway Gateway, c Charge) (Outcome, error) {
	if c.Amount.IsZero() {
		return Outcome{Status: Captured, Ref: "free_" + c.ID}, nil
	}
	return gateway.Charge(ctx, c)
}

// known is what is sure after a call that asked for money.
func (s *Service) known(ctx context.Context, p Payment, outcome Outcome, err error) Outcome {
	if no := refusal(err); no != nil {
		// The gateway looked at it and would not: the setup of the shop is wrong, or the way to pay is.
		s.log.WarnContext(ctx, "payment refused", "payment_id", p.ID, "provider", p.Provider, "code", no.Code, "reason", no.Reason)
		return Outcome{Status: Declined, Ref: outcome.Ref, Reason: "It cannot be paid this way."}
	}
	if err == nil {
		err = s.agree(ctx, p, outcome)
	}
	if err != nil {
		s.log.WarnContext(ctx, "payment without an answer", "payment_id", p.ID, "error", err)
		return Outcome{Status: Unknown, Ref: outcome.Ref}
	}
	return outcome
}

// begin writes p down. A payment that waits for the shopper makes room for it; any other open one does not.
func (s *Service) begin(ctx context.Context, p Payment) error {
	for range 3 {
		err := begin(ctx, s.db, p, s.now())
		if !errors.Is(err, errLive) {
			return err
		}
		live, err := s.live(ctx, p.OrderID)
		if err != nil {
			return err
		}
		switch live.Status {
		case Captured, PartiallyRefunded:
			return ErrAlreadyPaid
		case RequiresAction, Created, Authorised:
			if err := s.Void(ctx, live.ID); err != nil {
				return err
			}
		case "":
			continue // it ended in between
		default:
			return ErrInProgress
		}
	}
	return ErrInProgress
}

func (s *Service) live(ctx context.Context, orderID string) (Payment, error) {
	list, err := byOrders(ctx, s.db, []string{orderID})
	if err != nil {
		return Payment{}, fmt.Errorf("read the payments of order %s: %w", orderID, err)
	}
	for _, p := range list {
		switch p.Status {
		case Declined, Voided, Refunded:
		default:
			return p, nil
		}
	}
	return Payment{}, nil
}

// conclude takes the payment to what the gateway says. What it has of a payment that was given up meanwhile goes back.
func (s *Service) conclude(ctx context.Context, q postgres.Querier, gateway Gateway, p Payment, outcome Outcome) (Payment, error) {
	p, err := s.end(ctx, q, p, outcome)
	if err == nil && p.ended() {
		return s.late(ctx, gateway, p, outcome)
	}
	return p, err
}

// end takes the payment to outcome, or returns where somebody else took it first.
func (s *Service) end(ctx context.Context, q postgres.Querier, p Payment, outcome Outcome) (Payment, error) {
	return s.endFrom(ctx, q, p, sourcesOf(outcome.Status), outcome)
}

// endFrom is end for a payment that must stand in one of these states.
func (s *Service) endFrom(ctx context.Context, q postgres.Querier, p Payment, from []string, outcome Outcome) (Payment, error) {
	done, changed, err := finish(ctx, q, p.ID, from, outcome, s.now())
	if err != nil {
		return Payment{}, fmt.Errorf("finish payment %s: %w", p.ID, err)
	}
	if !changed {
		return get(ctx, s.db, p.ID)
	}
	outbox.Wake()
	return done, nil
}

// Get returns a payment, errs.ErrNotFound when there is none.
func (s *Service) Get(ctx context.Context, paymentID string) (Payment, error) {
	return get(ctx, s.db, paymentID)
}

// ByOrders returns the payments of orders, oldest first.
func (s *Service) ByOrders(ctx context.Context, orderIDs ...string) ([]Payment, error) {
	list, err := byOrders(ctx, s.db, orderIDs)
	if err != nil {
		return nil, fmt.Errorf("read payments: %w", err)
	}
	return list, nil
}

// Refunds returns the refunds of payments, oldest first.
func (s *Service) Refunds(ctx context.Context, paymentIDs ...string) ([]Refund, error) {
	list, err := refundsOf(ctx, s.db, paymentIDs...)
	if err != nil {
		return nil, fmt.Errorf("read refunds: %w", err)
	}
	return list, nil
}

// ConfirmTest plays the bank for a payment of the test gateway that waits for the shopper.
func (s *Service) ConfirmTest(ctx context.Context, paymentID string, approve bool) (Payment, error) {
	p, err := get(ctx, s.db, paymentID)
	if err != nil {
		return Payment{}, err
	}
	if p.Provider != ProviderTest {
		return Payment{}, ErrInvalidState
	}
	if p.Status != RequiresAction {
		return p, nil
	}
	outcome := Outcome{Status: Captured, Ref: testRef(p)}
	if !approve {
		outcome = Outcome{Status: Declined, Ref: testRef(p), Reason: "The shopper refused."}
	}
	return s.end(ctx, s.db, p, outcome)
}

// Capture takes amount of an authorised or manual payment and lets go of the rest; a zero amount takes all. Without an
// answer the payment is Unknown, which is no error.
func (s *Service) Capture(ctx context.Context, paymentID string, amount money.Amount) (Payment, error) {
	p, err := get(ctx, s.db, paymentID)
	if err != nil {
		return Payment{}, err
	}
	switch p.Status {
	case Captured:
		return p, nil
	case Authorised, Created:
	case Sending, Unknown:
		return Payment{}, ErrInProgress
	default:
		return Payment{}, ErrInvalidState
	}
	if amount.IsZero() {
		amount = p.Amount
	}
	if amount.Currency != p.Amount.Currency || amount.Minor < 0 || amount.Minor > p.Amount.Minor {
		return Payment{}, ErrTooLarge
	}
	gateway, err := s.gateway(p)
	if err != nil {
		return Payment{}, err
	}
	before := p.Status
	p, asked, err := ask(ctx, s.db, paymentID, amount.Minor, s.now())
	if err != nil {
		return Payment{}, fmt.Errorf("begin the capture of payment %s: %w", paymentID, err)
	}
	if !asked {
		return Payment{}, ErrInProgress
	}
	ctx = context.WithoutCancel(ctx)
	outcome, err := gateway.Capture(ctx, p)
	if errors.Is(err, ErrNotSent) || refusal(err) != nil {
		s.log.WarnContext(ctx, "capture not made", "payment_id", p.ID, "error", err)
		if _, back := s.end(ctx, s.db, p, Outcome{Status: before, Ref: p.ProviderRef}); back != nil {
			return Payment{}, back
		}
		if refusal(err) != nil {
			return Payment{}, ErrInvalidState.WithDetail("The gateway would not take the money.").Wrap(err)
		}
		return Payment{}, ErrUnavailable
	}
	return s.conclude(ctx, s.db, gateway, p, s.known(ctx, p, outcome, err))
}

// Void ends a payment that took no money yet. A payment that took some is ErrInvalidState.
func (s *Service) Void(ctx context.Context, paymentID string) error {
	p, err := get(ctx, s.db, paymentID)
	if err != nil {
		return err
	}
	switch p.Status {
	case Voided, Declined:
		return nil
	case Created, RequiresAction, Authorised:
	case Sending, Unknown:
		return ErrInProgress
	default:
		return ErrInvalidState
	}
	gateway, err := s.gateway(p)
	if err != nil {
		return err
	}
	outcome, err := gateway.Void(ctx, p)
	if err == nil {
		err = s.agree(ctx, p, outcome)
	}
	if err != nil {
		return ErrUnavailable.Wrap(err)
	}
	ctx = context.WithoutCancel(ctx)
	from := sourcesOf(outcome.Status)
	if outcome.Status == Voided {
		from = []string{string(p.Status)} // not while somebody takes the money of it
	}
	p, err = s.endFrom(ctx, s.db, p, from, outcome)
	if err == nil && !p.ended() {
		return ErrInvalidState // the shopper was faster
	}
	return err
}

// gateway returns the one that p went through; it may have been switched off since.
func (s *Service) gateway(p Payment) (Gateway, error) {
	if g := s.gateways[p.Provider]; g != nil {
		return g, nil
	}
	return nil, ErrUnavailable.WithDetail("The gateway %s of payment %s is switched off.", p.Provider, p.ID)
}

// Subscriptions are the queues of the domain.
func (s *Service) Subscriptions() []broker.Subscription {
	return []broker.Subscription{{
		Consumer: "payments.orders",
		Types:    []string{events.OrderCancelled{}.Type()},
		Pool:     s.db,
		Handle:   s.refundCancelled,
		MaxBatch: 8,
	}}
}

// refundCancelled promises back the money of cancelled orders inside tx; the reconciler sends it. Open payments
// are voided by orders before it cancels.
func (s *Service) refundCancelled(ctx context.Context, tx pgx.Tx, batch []events.Envelope) error {
	for _, env := range batch {
		ev, err := events.Open[events.OrderCancelled](env)
		if err != nil {
			return broker.Unreadable(err)
		}
		list, err := byOrders(ctx, tx, []string{ev.OrderID})
		if err != nil {
			return err
		}
		for _, p := range list {
			left := p.Captured.Sub(p.Refunded)
			if left.Minor <= 0 {
				continue
			}
			if _, err := beginRefund(ctx, tx, p.ID, id.Derive("ref", p.ID+"/cancelled"), left.Minor, "order cancelled", s.now()); err != nil {
				return err
			}
		}
	}
	return nil
}
