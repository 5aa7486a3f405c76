package payments

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/broker"
	"shopd/internal/platform/id"
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
	Log      *slog.Logger
	Now      func() time.Time
}

// Service takes and gives back money.
type Service struct {
	db       *pgxpool.Pool
	relaxed  *pgxpool.Pool
	gateways map[string]Gateway
	log      *slog.Logger
	now      func() time.Time
}

// New returns a Service.
func New(d Deps) *Service {
	return &Service{db: d.DB, relaxed: cmp.Or(d.Relaxed, d.DB), gateways: d.Gateways, log: d.Log, now: d.Now}
}

// Offers reports whether the shop can be paid this way.
func (s *Service) Offers(provider, method string) bool {
	return s.gateways[provider] != nil && (provider != ProviderTest || knownTestMethod(method))
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
	if err := s.begin(ctx, p); err != nil {
		return Payment{}, err
	}
	// From here on the payment goes on whether or not anybody waits for it.
	ctx = context.WithoutCancel(ctx)
	outcome, err := s.charge(ctx, gateway, p, r.ReturnURL)
	switch {
	case errors.Is(err, ErrNotSent):
		s.log.WarnContext(ctx, "payment not sent", "payment_id", p.ID, "error", err)
		if _, err := s.end(ctx, s.db, p, Outcome{Status: Voided, Reason: "not sent"}); err != nil {
			return Payment{}, err
		}
		return Payment{}, ErrUnavailable
	case err != nil:
		s.log.WarnContext(ctx, "payment without an answer", "payment_id", p.ID, "error", err)
		outcome = Outcome{Status: Unknown}
	}
	return s.end(ctx, s.relaxed, p, outcome)
}

func knownTestMethod(m string) bool {
	return m == TestOK || m == TestDeclined || m == TestRequiresAction || m == TestTimeout
}

func (s *Service) charge(ctx context.Context, gateway Gateway, p Payment, returnURL string) (Outcome, error) {
	if p.Amount.IsZero() {
		return Outcome{Status: Captured, Ref: "free_" + p.ID}, nil
	}
	return gateway.Charge(ctx, p, returnURL)
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

// end takes the payment to outcome, or returns where somebody else took it first.
func (s *Service) end(ctx context.Context, q postgres.Querier, p Payment, outcome Outcome) (Payment, error) {
	done, changed, err := finish(ctx, q, p.ID, outcome, s.now())
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

// Capture takes the money of an authorised or manual payment.
func (s *Service) Capture(ctx context.Context, paymentID string) (Payment, error) {
	p, err := get(ctx, s.db, paymentID)
	if err != nil {
		return Payment{}, err
	}
	switch p.Status {
	case Captured:
		return p, nil
	case Authorised, Created:
	default:
		return Payment{}, ErrInvalidState
	}
	gateway, err := s.gateway(p)
	if err != nil {
		return Payment{}, err
	}
	outcome, err := gateway.Capture(ctx, p)
	if errors.Is(err, ErrNotSent) {
		return Payment{}, ErrUnavailable
	}
	if err != nil {
		outcome = Outcome{Status: Unknown}
	}
	return s.end(context.WithoutCancel(ctx), s.db, p, outcome)
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
	default:
		return ErrInvalidState
	}
	gateway, err := s.gateway(p)
	if err != nil {
		return err
	}
	outcome, err := gateway.Void(ctx, p)
	if err != nil {
		return ErrUnavailable.Wrap(err)
	}
	_, err = s.end(ctx, s.db, p, outcome)
	return err
}

// Refund gives amount of a captured payment back. The refund id makes a repeated call harmless.
func (s *Service) Refund(ctx context.Context, paymentID, refundID string, amount money.Amount, reason string) error {
	p, err := get(ctx, s.db, paymentID)
	if err != nil {
		return err
	}
	if amount.Currency != p.Amount.Currency || amount.Minor <= 0 {
		return ErrRefundTooLarge
	}
	granted, err := beginRefund(ctx, s.db, paymentID, refundID, amount.Minor, reason, s.now())
	if err != nil {
		return fmt.Errorf("begin refund %s: %w", refundID, err)
	}
	if !granted {
		return ErrRefundTooLarge
	}
	return s.sendRefund(context.WithoutCancel(ctx), p, refundID, amount)
}

// sendRefund asks the gateway; without an answer the reconciler asks again under the same id.
func (s *Service) sendRefund(ctx context.Context, p Payment, refundID string, amount money.Amount) error {
	gateway, err := s.gateway(p)
	if err != nil {
		return err
	}
	if err := gateway.Refund(ctx, p, refundID, amount); err != nil {
		s.log.WarnContext(ctx, "refund without an answer", "refund_id", refundID, "error", err)
		return nil
	}
	if err := finishRefund(ctx, s.db, refundID, s.now()); err != nil {
		return fmt.Errorf("finish refund %s: %w", refundID, err)
	}
	outbox.Wake()
	return nil
}

// Reconcile looks up payments and refunds that have been without an answer for a while. It returns how many it
// could end.
func (s *Service) Reconcile(ctx context.Context, after time.Duration) (ended int, err error) {
	waiting, err := unresolved(ctx, s.db, s.now().Add(-after), 100)
	if err != nil {
		return 0, fmt.Errorf("read unresolved payments: %w", err)
	}
	var failures []error
	for _, p := range waiting {
		if err := s.lookUp(ctx, p); err != nil {
			failures = append(failures, fmt.Errorf("look up payment %s: %w", p.ID, err), touch(ctx, s.db, p.ID, s.now()))
			continue
		}
		ended++
	}
	refunds, err := openRefunds(ctx, s.db, s.now().Add(-after), 100)
	if err != nil {
		return ended, fmt.Errorf("read open refunds: %w", err)
	}
	for _, r := range refunds {
		p, err := get(ctx, s.db, r.PaymentID)
		if err == nil {
			err = s.sendRefund(ctx, p, r.ID, money.New(r.Amount, p.Amount.Currency))
		}
		failures = append(failures, err)
	}
	return ended, errors.Join(failures...)
}

func (s *Service) lookUp(ctx context.Context, p Payment) error {
	gateway, err := s.gateway(p)
	if err != nil {
		return err
	}
	outcome, err := gateway.Lookup(ctx, p)
	if err != nil {
		return err
	}
	_, err = s.end(ctx, s.db, p, outcome)
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
