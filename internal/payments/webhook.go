package payments

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/jobs"
	"shopd/internal/platform/postgres"
)

// Teller is a gateway that tells by webhook.
type Teller interface {
	// Hint reads a webhook. It is ErrSignature when it is sure that the gateway did not send it.
	Hint(header http.Header, body []byte) (Hint, error)
}

// Verifier is a Teller whose signature only the gateway itself can check.
type Verifier interface {
	// Verify is ErrSignature when the gateway did not send it, and anything else when it could not be found out.
	Verify(ctx context.Context, header http.Header, body []byte) error
}

// Hint is what a webhook says. It is where to look, never what to believe.
type Hint struct {
	EventID    string
	Type       string
	APIVersion string
	Account    string // whose account it is, where the gateway says so
	Live       bool   // real money
	OccurredAt time.Time
	// ObjectRef is the gateway's name of the payment that it speaks of, PaymentID and OrderID ours; empty when it does not
	// say, and for types we know nothing about.
	ObjectRef string
	PaymentID string
	OrderID   string
	// Amount is the whole amount of the payment, nil when the webhook does not say.
	Amount *money.Amount
	// Known says that a webhook of this type is about a payment that may have moved.
	Known bool
	// Wrong says why the webhook is not for this shop: another account, or play money in a real shop. Empty when it is.
	Wrong string
}

// ErrSignature is the answer to a webhook that the gateway did not sign.
var ErrSignature = errs.New(errs.Malformed, "invalid_signature", "The signature of this webhook does not hold.")

// WebhookStatus is where a webhook stands.
type WebhookStatus string

// The states of a webhook.
const (
	WebhookReceived    WebhookStatus = "received"
	WebhookProcessed   WebhookStatus = "processed"
	WebhookIgnored     WebhookStatus = "ignored"     // not about a payment of ours, or of a type we do not know
	WebhookQuarantined WebhookStatus = "quarantined" // it disagrees with what we know; somebody has to look
)

// Webhook is what a gateway told.
type Webhook struct {
	ID       string // ours
	Provider string
	Hint
	Status      WebhookStatus
	Reason      string // why it was ignored or quarantined
	ReceivedAt  time.Time
	ProcessedAt time.Time // zero while it was not
}

// ReceiveWebhook verifies and stores a webhook, and leaves the work to a job. The same event again changes nothing.
func (s *Service) ReceiveWebhook(ctx context.Context, provider string, header http.Header, body []byte) error {
	teller := tellerOf(s.gateways[provider])
	if teller == nil {
		return errs.ErrNotFound
	}
	hint, err := teller.Hint(header, body)
	if err == nil {
		err = s.verify(ctx, provider, hint, header, body)
	}
	if err != nil {
		s.metrics.webhooks.WithLabelValues(provider, "refused").Inc()
		return err
	}
	w := Webhook{ID: id.New("whk"), Provider: provider, Hint: hint, Status: WebhookReceived, ReceivedAt: s.now()}
	fresh := false
	err = postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		if fresh, err = storeWebhook(ctx, tx, w); err != nil || !fresh {
			return err
		}
		return s.jobs.Enqueue(ctx, tx, webhookArgs{ID: w.ID}, jobs.Options{})
	})
	if err != nil {
		return fmt.Errorf("store webhook %s of %s: %w", hint.EventID, provider, err)
	}
	outcome := "received"
	if !fresh {
		outcome = "duplicate"
	}
	s.metrics.webhooks.WithLabelValues(provider, outcome).Inc()
	return nil
}

// verify asks the gateway whether it sent the webhook, where only it can tell. An event that is known already is not asked
// about again: nothing comes of it.
func (s *Service) verify(ctx context.Context, provider string, hint Hint, header http.Header, body []byte) error {
	verifier := verifierOf(s.gateways[provider])
	if verifier == nil {
		return nil
	}
	known, err := knowsWebhook(ctx, s.db, provider, hint.EventID)
	if err != nil {
		return fmt.Errorf("look for webhook %s of %s: %w", hint.EventID, provider, err)
	}
	if known {
		return nil
	}
	err = verifier.Verify(ctx, header, body)
	if err != nil && !errors.Is(err, ErrSignature) {
		return errUnverified.Wrap(err)
	}
	return err
}

var errUnverified = errs.New(errs.Unavailable, "webhook_unverified", "The webhook could not be verified right now. Send it again.")

// webhookArgs is the job that works on a webhook.
type webhookArgs struct {
	ID string `json:"id"`
}

// Kind names the job.
func (webhookArgs) Kind() string { return "payments.webhook" }

// Work makes a process that works on jobs work on webhooks and daily comparisons.
func (s *Service) Work(r *jobs.Registry) {
	jobs.Handle(r, func(ctx context.Context, a webhookArgs) error { return s.ProcessWebhook(ctx, a.ID) })
	jobs.HandleFor(r, reconcileTimeout, func(ctx context.Context, a reconcileArgs) error {
		_, err := s.ReconcileDay(ctx, a.Provider, a.Day)
		return err
	})
}

// ProcessWebhook does what a stored webhook hints at: it asks the gateway, compares, and takes the payment further. It
// may be called again. An error means that it could not be found out.
func (s *Service) ProcessWebhook(ctx context.Context, webhookID string) error {
	w, err := getWebhook(ctx, s.db, webhookID)
	if err != nil {
		return fmt.Errorf("read webhook %s: %w", webhookID, err)
	}
	if w.Status != WebhookReceived {
		return nil
	}
	status, reason, err := s.judge(ctx, w)
	if err != nil {
		return fmt.Errorf("work on webhook %s (%s): %w", webhookID, w.Type, err)
	}
	changed, err := endWebhook(ctx, s.db, w.ID, status, reason, s.now())
	if err != nil {
		return fmt.Errorf("end webhook %s: %w", webhookID, err)
	}
	if !changed {
		return nil
	}
	s.metrics.webhooks.WithLabelValues(w.Provider, string(status)).Inc()
	if status == WebhookQuarantined {
		s.log.WarnContext(ctx, "webhook quarantined", "webhook_id", w.ID, "event_id", w.EventID, "type", w.Type, "payment_id", w.PaymentID, "reason", reason)
	}
	return nil
}

// judge finds out what to make of a webhook, and takes the payment further when it holds.
func (s *Service) judge(ctx context.Context, w Webhook) (WebhookStatus, string, error) {
	if w.Wrong != "" {
		return WebhookQuarantined, w.Wrong, nil
	}
	if !w.Known {
		return WebhookIgnored, "nothing is known to do for this type", nil
	}
	p, err := s.paymentOf(ctx, w.Hint)
	if errs.KindOf(err) == errs.NotFound {
		return WebhookIgnored, "it is about no payment of this shop", nil
	}
	if err != nil {
		return "", "", err
	}
	if reason := mismatch(p, w); reason != "" {
		s.metrics.disagreements.WithLabelValues(w.Provider).Inc()
		return WebhookQuarantined, reason, nil
	}
	if p.ProviderRef == "" {
		p.ProviderRef = w.ObjectRef // the answer was lost: look there first
	}
	_, err = s.advance(ctx, p)
	if errors.Is(err, ErrDisagrees) {
		return WebhookQuarantined, errs.As(err).Detail, nil
	}
	if no := refusal(err); no != nil {
		return WebhookQuarantined, "the gateway does not know it: " + no.Reason, nil //nolint:nilerr // the refusal is the verdict
	}
	if err != nil {
		return "", "", err
	}
	return WebhookProcessed, "", nil
}

// paymentOf finds the payment that a webhook names: by our id, or by that of a refund of ours.
func (s *Service) paymentOf(ctx context.Context, h Hint) (Payment, error) {
	if id.Valid("ref", h.PaymentID) {
		r, err := getRefund(ctx, s.db, h.PaymentID)
		if err != nil {
			return Payment{}, err
		}
		return get(ctx, s.db, r.PaymentID)
	}
	if !id.Valid("pay", h.PaymentID) {
		return Payment{}, errs.ErrNotFound
	}
	return get(ctx, s.db, h.PaymentID)
}

// mismatch says how a webhook contradicts what we asked the gateway for, empty when it does not.
func mismatch(p Payment, w Webhook) string {
	switch {
	case p.Provider != w.Provider:
		return "it comes from " + w.Provider + ", and the payment went through " + p.Provider
	case w.OrderID != "" && w.OrderID != p.OrderID:
		return "it names another order"
	case w.Amount != nil && *w.Amount != p.Amount:
		return fmt.Sprintf("it speaks of %s, and the payment is of %s", w.Amount, p.Amount)
	case w.ObjectRef != "" && p.ProviderRef != "" && w.ObjectRef != p.ProviderRef && !pageOf(p.ProviderRef, w.ObjectRef):
		return "it speaks of " + w.ObjectRef + ", and the payment is " + p.ProviderRef
	}
	return ""
}

// pageOf reports whether one of the two names may be a page on which the other was paid: the gateway's answer tells.
func pageOf(a, b string) bool { return hasPage(a) != hasPage(b) }

func hasPage(ref string) bool { return len(ref) > 3 && ref[:3] == "cs_" }

// Webhooks lists webhooks, the newest first, of a status and a provider, or of all when they are empty.
func (s *Service) Webhooks(ctx context.Context, f WebhookFilter) ([]Webhook, error) {
	list, err := listWebhooks(ctx, s.db, f)
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	return list, nil
}

// Webhook returns one, errs.ErrNotFound when there is none.
func (s *Service) Webhook(ctx context.Context, webhookID string) (Webhook, error) {
	return getWebhook(ctx, s.db, webhookID)
}

// ReprocessWebhook works on a webhook once more, whatever became of it.
func (s *Service) ReprocessWebhook(ctx context.Context, webhookID string) (Webhook, error) {
	if err := reopenWebhook(ctx, s.db, webhookID); err != nil {
		return Webhook{}, err
	}
	if err := s.ProcessWebhook(ctx, webhookID); err != nil {
		return Webhook{}, ErrUnavailable.Wrap(err)
	}
	return getWebhook(ctx, s.db, webhookID)
}
