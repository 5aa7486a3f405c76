package stripe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v76"

	"shopd/internal/payments"
)

// Lookup implements payments.Gateway.
//
// A payment whose answer was lost is looked for by our id. When it is not there, its idempotency key is taken for something
// that moves no money: from then on the lost call, should it still arrive, is refused. That is the proof that it was never
// made and never will be.
func (g *Gateway) Lookup(ctx context.Context, p payments.Payment) (payments.Outcome, error) {
	switch {
	case isPage(p.ProviderRef):
		return g.lookUpPage(ctx, p)
	case p.ProviderRef != "":
		return g.lookUpIntent(ctx, p, p.ProviderRef)
	case p.Method == MethodCheckout:
		// Nobody was told where the page is, so nobody pays on it.
		return payments.Outcome{Status: payments.Voided, Reason: "the page was never opened"}, nil
	}
	if o, found, err := g.find(ctx, p); found || err != nil {
		return o, err
	}
	err := g.fence(ctx, p)
	if err == nil {
		return payments.Outcome{Status: payments.Voided, Reason: "never reached the gateway"}, nil
	}
	if errors.Is(err, errKeyBusy) {
		return payments.Outcome{}, fmt.Errorf("%w: %w", payments.ErrNotSure, err)
	}
	if !errors.Is(err, errKeyUsed) {
		return payments.Outcome{}, err
	}
	// The call arrived. Either it has made the payment by now, or it failed without one, or it is about to.
	if o, found, err := g.find(ctx, p); found || err != nil {
		return o, err
	}
	if g.cfg.Now().Sub(p.CreatedAt) < g.cfg.AbsentAfter {
		return payments.Outcome{}, fmt.Errorf("%w: its key is known", payments.ErrNotSure)
	}
	return payments.Outcome{Status: payments.Voided, Reason: "failed at the gateway"}, nil
}

func (g *Gateway) lookUpIntent(ctx context.Context, p payments.Payment, ref string) (payments.Outcome, error) {
	get := &stripe.PaymentIntentParams{Params: params(ctx)}
	get.AddExpand("latest_charge")
	pi, err := g.api.PaymentIntents.Get(ref, get)
	if err != nil {
		return payments.Outcome{}, explain(err)
	}
	return g.outcome(ctx, p, pi)
}

// Payments are looked for among those made around the time that ours began. The margins are for clocks that differ, and
// for calls that took their time.
const (
	findBefore = 2 * time.Minute
	findAfter  = 5 * time.Minute
)

// find looks for a payment by our id: in Stripe's search, which is fast and may lag behind, then in its list.
func (g *Gateway) find(ctx context.Context, p payments.Payment) (payments.Outcome, bool, error) {
	search := &stripe.PaymentIntentSearchParams{}
	search.Context, search.Query = ctx, fmt.Sprintf("metadata['%s']:'%s'", metaPayment, p.ID)
	search.AddExpand("data.latest_charge")
	found := g.api.PaymentIntents.Search(search)
	if found.Next() {
		return g.found(ctx, p, found.PaymentIntent())
	}
	// A search that does not work is no reason not to look in the list.
	list := &stripe.PaymentIntentListParams{CreatedRange: &stripe.RangeQueryParams{
		GreaterThanOrEqual: p.CreatedAt.Add(-findBefore).Unix(), LesserThanOrEqual: p.CreatedAt.Add(findAfter).Unix(),
	}}
	list.Context = ctx
	list.Limit = stripe.Int64(100)
	list.AddExpand("data.latest_charge")
	all := g.api.PaymentIntents.List(list)
	for all.Next() {
		if pi := all.PaymentIntent(); pi.Metadata[metaPayment] == p.ID {
			return g.found(ctx, p, pi)
		}
	}
	return payments.Outcome{}, false, explain(all.Err())
}

func (g *Gateway) found(ctx context.Context, p payments.Payment, pi *stripe.PaymentIntent) (payments.Outcome, bool, error) {
	o, err := g.outcome(ctx, p, pi)
	return o, true, err
}

// fence takes the key of a payment, so that nothing else can be made under it. It is errKeyUsed when something was.
func (g *Gateway) fence(ctx context.Context, p payments.Payment) error {
	minor, currency, err := toStripe(p.Amount)
	if err != nil {
		return &payments.Refused{Code: "currency", Reason: err.Error()}
	}
	f := &stripe.PaymentIntentParams{
		Params: params(ctx), Amount: &minor, Currency: &currency, PaymentMethodTypes: []*string{stripe.String("card")},
		Description: stripe.String("Nothing: it keeps a call that was lost from being made late."),
	}
	f.SetIdempotencyKey(p.ID)
	f.AddMetadata(metaFence, p.ID)
	pi, err := g.api.PaymentIntents.New(f)
	if err != nil {
		return explain(err)
	}
	// Nobody can pay what nobody knows the secret of; cancelling it is for tidiness, and may fail.
	if _, err := g.api.PaymentIntents.Cancel(pi.ID, &stripe.PaymentIntentCancelParams{Params: params(ctx)}); err != nil && pi.Metadata[metaFence] != p.ID {
		return fmt.Errorf("%w: the key answered with another payment", errKeyUsed)
	}
	return nil
}
