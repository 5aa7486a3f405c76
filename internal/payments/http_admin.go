package payments

import (
	"context"
	"net/http"
	"time"

	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
)

const (
	adminBase = "/api/v1/admin"
	storeBase = "/api/v1/store"
	tagAdmin  = "Payments"
)

// RegisterAdmin adds what staff look at to api: payments, what gateways told, and the daily comparisons with their books.
func RegisterAdmin(api *httpx.API, s *Service) {
	h := adminHandlers{s}
	read := func(id, path, summary string) httpx.Route {
		return httpx.Route{ID: id, Method: http.MethodGet, Path: adminBase + path, Summary: summary, Tag: tagAdmin, Access: httpx.StaffWith("orders:read"), Errors: []int{404, 422}}
	}
	write := func(id, path, summary string) httpx.Route {
		return httpx.Route{ID: id, Method: http.MethodPost, Path: adminBase + path, Summary: summary, Tag: tagAdmin, Access: httpx.StaffWith("orders:write"), Errors: []int{404, 409, 422, 503}}
	}
	httpx.Register(api, read("admin-get-payment", "/payments/{id}", "Get a payment with its refunds and what its gateway told"), h.payment)
	httpx.Register(api, write("admin-refresh-payment", "/payments/{id}/refresh", "Ask the gateway where a payment stands"), h.refresh)
	httpx.Register(api, read("admin-list-webhooks", "/webhooks", "List what gateways told, newest first"), h.webhooks)
	httpx.Register(api, read("admin-get-webhook", "/webhooks/{id}", "Get what a gateway told"), h.webhook)
	httpx.Register(api, write("admin-reprocess-webhook", "/webhooks/{id}/reprocess", "Work on what a gateway told once more"), h.reprocess)
	httpx.Register(api, read("admin-list-reconciliations", "/reconciliations", "List comparisons with the books of gateways, newest first"), h.reconciliations)
	httpx.Register(api, write("admin-reconcile", "/reconciliations", "Compare a day with the books of a gateway now"), h.reconcile)
}

type adminHandlers struct{ *Service }

// ID names a payment or a webhook. It is exported for huma, which fills it.
type ID struct {
	ID string `path:"id" maxLength:"60"`
}

type refundBody struct {
	ID          string       `json:"id"`
	Amount      money.Amount `json:"amount"`
	Status      RefundStatus `json:"status" enum:"sending,succeeded,failed"`
	Reason      string       `json:"reason,omitempty"`
	ProviderRef string       `json:"provider_ref,omitempty" doc:"The gateway's name of it."`
	CreatedAt   time.Time    `json:"created_at"`
}

type paymentBody struct {
	ID          string        `json:"id"`
	OrderID     string        `json:"order_id"`
	Provider    string        `json:"provider"`
	Method      string        `json:"method,omitempty"`
	ProviderRef string        `json:"provider_ref,omitempty" doc:"The gateway's name of it."`
	Status      Status        `json:"status" enum:"created,sending,requires_action,authorised,captured,partially_refunded,refunded,declined,voided,unknown"`
	Reason      string        `json:"reason,omitempty"`
	Amount      money.Amount  `json:"amount"`
	Captured    money.Amount  `json:"captured"`
	Refunded    money.Amount  `json:"refunded" doc:"Promised or given back."`
	Refunds     []refundBody  `json:"refunds"`
	Webhooks    []webhookBody `json:"webhooks"`
	Version     int64         `json:"version"`
	CreatedAt   time.Time     `json:"created_at"`
	UpdatedAt   time.Time     `json:"updated_at"`
}

type paymentOutput struct{ Body paymentBody }

// webhooksShown is how many webhooks stand with a payment.
const webhooksShown = 50

func (h adminHandlers) payment(ctx context.Context, in *ID) (*paymentOutput, error) {
	p, err := h.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return h.show(ctx, p)
}

func (h adminHandlers) show(ctx context.Context, p Payment) (*paymentOutput, error) {
	refunds, err := h.Refunds(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	told, err := h.Webhooks(ctx, WebhookFilter{PaymentID: p.ID, Limit: webhooksShown})
	if err != nil {
		return nil, err
	}
	b := paymentBody{
		ID: p.ID, OrderID: p.OrderID, Provider: p.Provider, Method: p.Method, ProviderRef: p.ProviderRef, Status: p.Status, Reason: p.Reason, Amount: p.Amount,
		Captured: p.Captured, Refunded: p.Refunded, Refunds: []refundBody{}, Webhooks: []webhookBody{}, Version: p.Version, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
	for _, r := range refunds {
		b.Refunds = append(b.Refunds, refundBody{ID: r.ID, Amount: r.Amount, Status: r.Status, Reason: r.Reason, ProviderRef: r.Ref, CreatedAt: r.CreatedAt})
	}
	for _, w := range told {
		b.Webhooks = append(b.Webhooks, newWebhookBody(w))
	}
	return &paymentOutput{b}, nil
}

func (h adminHandlers) refresh(ctx context.Context, in *ID) (*paymentOutput, error) {
	p, err := h.Refresh(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return h.show(ctx, p)
}

// webhookBody is a webhook on the wire.
type webhookBody struct {
	ID          string        `json:"id"`
	Provider    string        `json:"provider"`
	EventID     string        `json:"event_id" doc:"The gateway's name of it."`
	Type        string        `json:"type"`
	APIVersion  string        `json:"api_version,omitempty"`
	ObjectRef   string        `json:"object_ref,omitempty" doc:"The gateway's name of the payment that it speaks of."`
	PaymentID   string        `json:"payment_id,omitempty"`
	OrderID     string        `json:"order_id,omitempty"`
	Amount      *money.Amount `json:"amount,omitempty" doc:"What it says that the payment is of."`
	Live        bool          `json:"live" doc:"Real money."`
	Status      WebhookStatus `json:"status" enum:"received,processed,ignored,quarantined"`
	Reason      string        `json:"reason,omitempty" doc:"Why it was ignored or quarantined."`
	OccurredAt  time.Time     `json:"occurred_at"`
	ReceivedAt  time.Time     `json:"received_at"`
	ProcessedAt *time.Time    `json:"processed_at,omitempty"`
}

func newWebhookBody(w Webhook) webhookBody {
	b := webhookBody{
		ID: w.ID, Provider: w.Provider, EventID: w.EventID, Type: w.Type, APIVersion: w.APIVersion, ObjectRef: w.ObjectRef, PaymentID: w.PaymentID,
		OrderID: w.OrderID, Amount: w.Amount, Live: w.Live, Status: w.Status, Reason: w.Reason, OccurredAt: w.OccurredAt, ReceivedAt: w.ReceivedAt,
	}
	if !w.ProcessedAt.IsZero() {
		b.ProcessedAt = &w.ProcessedAt
	}
	return b
}

type webhooksInput struct {
	httpx.Page
	Provider string `query:"provider" enum:"stripe,paypal"`
	Status   string `query:"status" enum:"received,processed,ignored,quarantined"`
}

type webhooksOutput struct{ Body httpx.List[webhookBody] }

func (h adminHandlers) webhooks(ctx context.Context, in *webhooksInput) (*webhooksOutput, error) {
	list, err := h.Webhooks(ctx, WebhookFilter{Provider: in.Provider, Status: WebhookStatus(in.Status), After: in.After, Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	list, next := cut(list, in.Limit, func(w Webhook) string { return w.ID })
	items := make([]webhookBody, len(list))
	for i, w := range list {
		items[i] = newWebhookBody(w)
	}
	return &webhooksOutput{httpx.NewList(items, next)}, nil
}

// cut makes a page of one more item than it holds; next is empty when that one is not there.
func cut[T any](list []T, limit int, key func(T) string) (page []T, next string) {
	if len(list) <= limit {
		return list, ""
	}
	return list[:limit], key(list[limit-1])
}

type webhookOutput struct{ Body webhookBody }

func (h adminHandlers) webhook(ctx context.Context, in *ID) (*webhookOutput, error) {
	w, err := h.Webhook(ctx, in.ID)
	return &webhookOutput{newWebhookBody(w)}, err
}

func (h adminHandlers) reprocess(ctx context.Context, in *ID) (*webhookOutput, error) {
	w, err := h.ReprocessWebhook(ctx, in.ID)
	return &webhookOutput{newWebhookBody(w)}, err
}

type differenceBody struct {
	Kind      DifferenceKind `json:"kind" enum:"late,orphan,foreign,amount,missing,no_refund,unresolved"`
	PaymentID string         `json:"payment_id,omitempty"`
	RefundID  string         `json:"refund_id,omitempty"`
	Ref       string         `json:"ref,omitempty" doc:"The gateway's name of it."`
	Amount    *money.Amount  `json:"amount,omitempty"`
	Detail    string         `json:"detail"`
	Settled   bool           `json:"settled" doc:"Nothing is left to do."`
}

type daySumBody struct {
	Currency  money.Currency `json:"currency"`
	Taken     int64          `json:"taken" doc:"Minor units at the gateway, as the others."`
	GivenBack int64          `json:"given_back"`
	Fees      int64          `json:"fees"`
}

type reconciliationBody struct {
	ID          string           `json:"id"`
	Provider    string           `json:"provider"`
	Day         string           `json:"day" format:"date"`
	FinishedAt  time.Time        `json:"finished_at"`
	Payments    int              `json:"payments" doc:"At the gateway."`
	Refunds     int              `json:"refunds" doc:"At the gateway."`
	Sums        []daySumBody     `json:"sums"`
	Differences []differenceBody `json:"differences"`
	Open        int              `json:"open" doc:"Differences that somebody has to look at."`
}

func newReconciliationBody(r Reconciliation) reconciliationBody {
	b := reconciliationBody{
		ID: r.ID, Provider: r.Provider, Day: r.Day.Format(time.DateOnly), FinishedAt: r.FinishedAt, Payments: r.Payments, Refunds: r.Refunds, Open: r.Open,
		Sums: []daySumBody{}, Differences: []differenceBody{},
	}
	for currency, sum := range r.Sums {
		b.Sums = append(b.Sums, daySumBody{currency, sum.Taken, sum.GivenBack, sum.Fees})
	}
	for _, d := range r.Differences {
		b.Differences = append(b.Differences, differenceBody(d))
	}
	return b
}

type reconciliationsInput struct {
	httpx.Page
	Provider string `query:"provider" enum:"stripe,paypal"`
}

type reconciliationsOutput struct {
	Body httpx.List[reconciliationBody]
}

func (h adminHandlers) reconciliations(ctx context.Context, in *reconciliationsInput) (*reconciliationsOutput, error) {
	list, err := h.Reconciliations(ctx, in.Provider, in.After, in.Limit+1)
	if err != nil {
		return nil, err
	}
	list, next := cut(list, in.Limit, func(r Reconciliation) string { return r.ID })
	items := make([]reconciliationBody, len(list))
	for i, r := range list {
		items[i] = newReconciliationBody(r)
	}
	return &reconciliationsOutput{httpx.NewList(items, next)}, nil
}

type reconcileInput struct {
	Body struct {
		Provider string `json:"provider" enum:"stripe,paypal"`
		Day      string `json:"day" format:"date" doc:"UTC."`
	}
}

type reconciliationOutput struct{ Body reconciliationBody }

var errDay = errs.New(errs.Invalid, "validation_failed", "The day is no date, or has not begun.")

func (h adminHandlers) reconcile(ctx context.Context, in *reconcileInput) (*reconciliationOutput, error) {
	begin, err := time.Parse(time.DateOnly, in.Body.Day)
	if err != nil || begin.After(h.now()) {
		return nil, errDay.WithFields(errs.Field{Pointer: "/day", Code: "validation_failed", Detail: errDay.Detail})
	}
	r, err := h.ReconcileDay(ctx, in.Body.Provider, begin)
	switch {
	case errs.KindOf(err) == errs.NotFound:
		return nil, ErrUnknownMethod.WithDetail("This gateway is not set up.")
	case err != nil:
		return nil, ErrUnavailable.WithDetail("The gateway's books cannot be read right now.").Wrap(err)
	}
	return &reconciliationOutput{newReconciliationBody(*r)}, nil
}

// RegisterStore adds a customer's ways to pay to api.
func RegisterStore(api *httpx.API, s *Service) {
	h := storeHandlers{s}
	route := func(id, method, path, summary string) httpx.Route {
		return httpx.Route{ID: id, Method: method, Path: storeBase + "/me/payment-methods" + path, Summary: summary, Tag: "Account", Access: httpx.CustomersOnly(), Errors: []int{404, 503}}
	}
	httpx.Register(api, route("list-my-payment-methods", http.MethodGet, "", "List the ways to pay that gateways keep for one"), h.methods)
	forget := route("forget-my-payment-method", http.MethodDelete, "/{provider}/{id}", "Drop a way to pay that a gateway keeps")
	forget.Status = http.StatusNoContent
	httpx.Register(api, forget, h.forget)
}

type storeHandlers struct{ *Service }

type methodBody struct {
	ID          string `json:"id" doc:"The method to pay with."`
	Provider    string `json:"provider"`
	Brand       string `json:"brand"`
	Last4       string `json:"last4"`
	ExpiryMonth int    `json:"expiry_month"`
	ExpiryYear  int    `json:"expiry_year"`
}

type methodsOutput struct{ Body httpx.List[methodBody] }

func (h storeHandlers) methods(ctx context.Context, _ *struct{}) (*methodsOutput, error) {
	list, err := h.SavedMethods(ctx, httpx.PrincipalFrom(ctx).CustomerID())
	if err != nil {
		return nil, err
	}
	items := make([]methodBody, len(list))
	for i, m := range list {
		items[i] = methodBody(m)
	}
	return &methodsOutput{httpx.NewList(items, "")}, nil
}

type forgetInput struct {
	Provider string `path:"provider" enum:"stripe,paypal"`
	ID       string `path:"id" maxLength:"120"`
}

func (h storeHandlers) forget(ctx context.Context, in *forgetInput) (*struct{}, error) {
	return nil, h.ForgetMethod(ctx, httpx.PrincipalFrom(ctx).CustomerID(), in.Provider, in.ID)
}
