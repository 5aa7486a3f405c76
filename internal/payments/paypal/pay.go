package paypal

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/plutov/paypal/v4"

	"shopd/internal/payments"
)

// Charge implements payments.Gateway: it opens an order at PayPal, which the shopper has to agree to. No money moves yet.
func (g *Gateway) Charge(ctx context.Context, c payments.Charge) (payments.Outcome, error) {
	amount, err := toPayPal(c.Amount)
	if err != nil {
		return payments.Outcome{}, err
	}
	intent := paypal.OrderIntentCapture
	if g.cfg.Manual {
		intent = paypal.OrderIntentAuthorize
	}
	api, err := g.client(ctx)
	if err != nil {
		return payments.Outcome{}, err
	}
	made, err := api.CreateOrderWithPaypalRequestID(ctx, intent, []paypal.PurchaseUnitRequest{{
		ReferenceID: c.OrderID, CustomID: c.ID, Amount: &paypal.PurchaseUnitAmount{Currency: amount.Currency, Value: amount.Value},
	}}, nil, &paypal.ApplicationContext{
		BrandName: g.cfg.Brand, UserAction: paypal.UserActionPayNow, ShippingPreference: paypal.ShippingPreferenceNoShipping,
		ReturnURL: c.ReturnURL, CancelURL: c.ReturnURL,
	}, c.ID)
	if err != nil {
		return payments.Outcome{}, g.answer(err)
	}
	o := order{ID: made.ID, Status: made.Status, Links: made.Links}
	out := o.outcome()
	if len(made.PurchaseUnits) == 1 {
		u := made.PurchaseUnits[0]
		out.Seen = &payments.Seen{PaymentID: u.CustomID, OrderID: u.ReferenceID}
		if u.Amount != nil {
			out.Seen.Amount = fromPayPal(&paypal.Money{Currency: u.Amount.Currency, Value: u.Amount.Value})
		}
	}
	return out, nil
}

func (g *Gateway) order(ctx context.Context, ref string) (*order, error) {
	var o order
	return &o, g.send(ctx, http.MethodGet, orderPath(ref), "", nil, &o)
}

func orderPath(ref string) string { return "/v2/checkout/orders/" + url.PathEscape(ref) }

// Lookup implements payments.Gateway. An order whose answer was lost is of no use to anybody: nobody was told where to
// agree to it, and without that no money moves.
func (g *Gateway) Lookup(ctx context.Context, p payments.Payment) (payments.Outcome, error) {
	if p.ProviderRef == "" {
		return payments.Outcome{Status: payments.Voided, Reason: "the shopper was never sent to PayPal"}, nil
	}
	o, err := g.order(ctx, p.ProviderRef)
	if err != nil {
		return payments.Outcome{}, err
	}
	return o.outcome(), nil
}

// Confirm implements payments.Gateway. PayPal captures an order once, whatever the request id; ours changes with the payment,
// so that a failure which PayPal would repeat for an id ends with it.
func (g *Gateway) Confirm(ctx context.Context, p payments.Payment) (payments.Outcome, error) {
	o, err := g.order(ctx, p.ProviderRef)
	if err != nil {
		return payments.Outcome{}, err
	}
	if o.Status != statusApproved {
		return o.outcome(), nil
	}
	path := orderPath(p.ProviderRef) + "/capture"
	if o.Intent == paypal.OrderIntentAuthorize {
		path = orderPath(p.ProviderRef) + "/authorize"
	}
	var done order
	err = g.send(ctx, http.MethodPost, path, fmt.Sprintf("%s/confirm/%d", p.ID, p.Version), struct{}{}, &done)
	switch issue(err) {
	case "":
	case "INSTRUMENT_DECLINED", "PAYER_ACTION_REQUIRED", "ORDER_NOT_APPROVED":
		// The shopper may choose another way to pay on the same page.
		return payments.Outcome{
			Status: payments.RequiresAction, Ref: o.ID, NextAction: g.page(o), Reason: "PayPal asks you to choose another way to pay.",
		}, nil
	case "ORDER_ALREADY_CAPTURED", "ORDER_ALREADY_AUTHORIZED":
		return g.Lookup(ctx, p)
	default:
		return payments.Outcome{}, err
	}
	if err != nil {
		return payments.Outcome{}, err
	}
	return done.outcome(), nil
}

// page is where the shopper agrees to an order, also when PayPal does not say so any more.
func (g *Gateway) page(o *order) *payments.NextAction {
	if link := o.link(); link != "" {
		return &payments.NextAction{Type: "redirect", URL: link}
	}
	return &payments.NextAction{Type: "redirect", URL: g.pageURL() + "/checkoutnow?token=" + url.QueryEscape(o.ID)}
}

// Capture implements payments.Gateway.
func (g *Gateway) Capture(ctx context.Context, p payments.Payment) (payments.Outcome, error) {
	due := p.Amount
	if p.Asked > 0 {
		due.Minor = p.Asked
	}
	amount, err := toPayPal(due)
	if err != nil {
		return payments.Outcome{}, err
	}
	o, err := g.order(ctx, p.ProviderRef)
	if err != nil {
		return payments.Outcome{}, err
	}
	auth := o.authorised()
	if auth == "" {
		return o.outcome(), nil // taken, or let go of, already
	}
	api, err := g.client(ctx)
	if err != nil {
		return payments.Outcome{}, err
	}
	_, err = api.CaptureAuthorizationWithPaypalRequestId(ctx, auth, &paypal.PaymentCaptureRequest{Amount: amount, FinalCapture: true},
		fmt.Sprintf("%s/capture/%d", p.ID, p.Version))
	if err = g.answer(err); err != nil && issue(err) != "AUTHORIZATION_ALREADY_CAPTURED" {
		return payments.Outcome{}, err
	}
	return g.Lookup(ctx, p)
}

// Void implements payments.Gateway. An order that was not captured takes no money unless we say so, so there is nothing to
// tell PayPal about it; an authorisation is let go of.
func (g *Gateway) Void(ctx context.Context, p payments.Payment) (payments.Outcome, error) {
	if p.ProviderRef == "" {
		return payments.Outcome{Status: payments.Voided}, nil
	}
	o, err := g.order(ctx, p.ProviderRef)
	if err != nil {
		return payments.Outcome{}, err
	}
	out := o.outcome()
	switch out.Status {
	case payments.RequiresAction:
		out.Status, out.NextAction, out.Approved = payments.Voided, nil, false
		return out, nil
	case payments.Authorised:
	default:
		return out, nil
	}
	err = g.send(ctx, http.MethodPost, "/v2/payments/authorizations/"+url.PathEscape(o.authorised())+"/void", p.ID+"/void", nil, nil)
	if code := issue(err); err != nil && code != "PREVIOUSLY_VOIDED" && code != "PREVIOUSLY_CAPTURED" && code != "AUTHORIZATION_VOIDED" {
		return payments.Outcome{}, err
	}
	return g.Lookup(ctx, p)
}

// refundRequest has the id of ours, which the SDK's own leaves out.
type refundRequest struct {
	Amount   *paypal.Money `json:"amount"`
	CustomID string        `json:"custom_id"`
}

// Refund implements payments.Gateway.
func (g *Gateway) Refund(ctx context.Context, p payments.Payment, r payments.RefundCall) (payments.GivenBack, error) {
	amount, err := toPayPal(r.Amount)
	if err != nil {
		return payments.GivenBack{}, err
	}
	o, err := g.order(ctx, p.ProviderRef)
	if err != nil {
		return payments.GivenBack{}, err
	}
	if len(o.PurchaseUnits) > 0 {
		for _, made := range o.PurchaseUnits[0].Payments.Refunds {
			if made.CustomID == r.ID && made.Status != statusFailed && made.Status != "CANCELLED" {
				return payments.GivenBack{Ref: made.ID, Pending: made.Status != statusCompleted}, nil
			}
		}
	}
	from := o.captured()
	if from == nil {
		return payments.GivenBack{}, &payments.Refused{Code: "no_capture", Reason: "PayPal took no money for this payment."}
	}
	key := r.ID
	if r.Try > 0 {
		key = fmt.Sprintf("%s/%d", r.ID, r.Try)
	}
	var made refund
	err = g.send(ctx, http.MethodPost, "/v2/payments/captures/"+url.PathEscape(from.ID)+"/refund", key, refundRequest{amount, r.ID}, &made)
	if err != nil {
		return payments.GivenBack{}, err
	}
	switch made.Status {
	case statusFailed, "CANCELLED":
		return payments.GivenBack{}, &payments.Refused{Code: made.Status, Reason: "PayPal's refund ended as " + made.Status + "."}
	}
	return payments.GivenBack{Ref: made.ID, Pending: made.Status != statusCompleted}, nil
}
