package orders

import (
	"context"
	"net/http"

	"shopd/internal/money"
	"shopd/internal/platform/httpx"
)

// registerStoreAfterwards adds what a shopper does with an order once it is placed.
func registerStoreAfterwards(api *httpx.API, h storeHandlers, route func(id, method, path, summary string, more ...func(*httpx.Route)) httpx.Route) {
	created := func(r *httpx.Route) { r.Status = http.StatusCreated }
	keyed := func(r *httpx.Route) {
		r.Key = httpx.KeyRequired
		r.Errors = []int{400, 402, 404, 409, 422, 503}
	}
	httpx.Register(api, route("pay-order", http.MethodPost, "/orders/{id}/pay", "Pay an order that waits for its money", keyed), h.payOrder)
	httpx.Register(api, route("set-order-address", http.MethodPut, "/orders/{id}/address", "Send an order elsewhere before it goes out"), h.orderAddress)
	httpx.Register(api, route("get-order-timeline", http.MethodGet, "/orders/{id}/timeline", "List what happened to an order"), h.timeline)
	httpx.Register(api, route("request-return", http.MethodPost, "/orders/{id}/returns", "Ask to give goods back", created), h.requestReturn)
	httpx.Register(api, route("cancel-return", http.MethodPost, "/orders/{id}/returns/{return_id}/cancel", "Keep goods that were to go back"), h.cancelReturn)
	httpx.Register(api, route("get-order-document", http.MethodGet, "/orders/{id}/documents/{document_id}", "Download an invoice or a credit note as PDF"), h.document)
}

type payInput struct {
	OrderPath
	Body struct {
		Payment struct {
			Provider  string `json:"provider" enum:"stripe,paypal,manual,test"`
			Method    string `json:"method,omitempty" maxLength:"120" doc:"test: test_ok, test_declined, test_requires_action or test_timeout."`
			ReturnURL string `json:"return_url,omitempty" maxLength:"500" format:"uri" doc:"Where a gateway sends the shopper back to."`
		} `json:"payment"`
	}
}

func (h storeHandlers) payOrder(ctx context.Context, in *payInput) (*orderOutput, error) {
	if err := checkReturnURL(in.Body.Payment.ReturnURL); err != nil {
		return nil, err
	}
	if holdsCardNumber(in.Body.Payment.Method) {
		return nil, ErrCardData
	}
	placed, err := h.PayOrder(ctx, PayRequest{
		OrderID: ID(in.ID), Access: in.access(ctx), Provider: in.Body.Payment.Provider, Method: in.Body.Payment.Method, ReturnURL: in.Body.Payment.ReturnURL,
	})
	if err != nil {
		return nil, err
	}
	out, err := h.answer(placed.Order, nil)
	if err == nil && placed.Payment.Status == "unknown" {
		out.Status = http.StatusAccepted
	}
	return out, err
}

type orderAddressBody struct {
	Shipping Address  `json:"shipping"`
	Billing  *Address `json:"billing,omitempty" doc:"Of the invoice; stays as it is when left out."`
}

type orderAddressInput struct {
	OrderPath
	Body orderAddressBody
}

func (h storeHandlers) orderAddress(ctx context.Context, in *orderAddressInput) (*orderOutput, error) {
	return h.answer(h.ChangeAddress(ctx, ID(in.ID), in.access(ctx), in.Body.Shipping, in.Body.Billing))
}

type timelineOutput struct{ Body httpx.List[TimelineEntry] }

func timelineAnswer(list []TimelineEntry, err error) (*timelineOutput, error) {
	return &timelineOutput{httpx.NewList(list, "")}, err
}

func (h storeHandlers) timeline(ctx context.Context, in *OrderPath) (*timelineOutput, error) {
	return timelineAnswer(h.Timeline(ctx, ID(in.ID), in.access(ctx)))
}

type goodsBackBody struct {
	Lines  []LinePieces `json:"lines" minItems:"1" maxItems:"200"`
	Reason string       `json:"reason,omitempty" enum:"damaged,wrong_article,not_as_described,does_not_fit,changed_mind,other" default:"other"`
	Note   string       `json:"note,omitempty" maxLength:"1000"`
	Wanted []Wanted     `json:"exchange,omitempty" maxItems:"200" doc:"What is wanted instead; the money when there is none."`
}

func (b goodsBackBody) request(actor, key string) ReturnRequest {
	return ReturnRequest{Lines: b.Lines, Reason: b.Reason, Note: b.Note, Wanted: b.Wanted, Actor: actor, Key: key}
}

type requestReturnInput struct {
	OrderPath
	Key  string `header:"Idempotency-Key" hidden:"true"`
	Body goodsBackBody
}

func (h storeHandlers) requestReturn(ctx context.Context, in *requestReturnInput) (*orderOutput, error) {
	a := in.access(ctx)
	out, err := h.answer(h.RequestReturn(ctx, ID(in.ID), a, in.Body.request(a.actor(), in.Key)))
	if err == nil {
		out.Status = http.StatusCreated
	}
	return out, err
}

type returnPath struct {
	OrderPath
	ReturnID string    `path:"return_id" maxLength:"60"`
	Body     *struct{} `required:"false"`
}

func (h storeHandlers) cancelReturn(ctx context.Context, in *returnPath) (*orderOutput, error) {
	return h.answer(h.CancelReturn(ctx, ID(in.ID), in.ReturnID, in.access(ctx)))
}

// registerAfterwards adds what staff do with an order once it is paid.
func registerAfterwards(api *httpx.API, h adminHandlers) {
	route := func(id, method, path, summary string, key httpx.KeyUse, status int) httpx.Route {
		r := httpx.Route{
			ID: id, Method: method, Path: "/api/v1/admin" + path, Summary: summary, Tag: "Orders", Key: key, Status: status,
			Access: httpx.StaffWith("orders:write"), Errors: []int{404, 409, 422},
		}
		if method == http.MethodGet {
			r.Access = httpx.StaffWith("orders:read")
		}
		return r
	}
	const order = "/orders/{id}"
	post := func(id, path, summary string) httpx.Route {
		return route(id, http.MethodPost, order+path, summary, httpx.KeyAccepted, 0)
	}
	httpx.Register(api, route("admin-refund-order", http.MethodPost, order+"/refunds", "Give money of an order back", httpx.KeyRequired, http.StatusCreated), h.refund)
	httpx.Register(api, post("admin-retry-refund", "/refunds/{refund_id}/retry", "Ask once more for a refund that failed"), h.retryRefund)
	httpx.Register(api, route("admin-edit-order", http.MethodPost, order+"/edits", "Take pieces off an order before they are sent, and add others", httpx.KeyRequired, 0), h.edit)
	httpx.Register(api, route("admin-set-order-address", http.MethodPut, order+"/address", "Send an order elsewhere before it goes out", httpx.KeyIgnored, 0), h.address)
	httpx.Register(api, route("admin-set-tracking", http.MethodPut, order+"/fulfilments/{fulfilment_id}/tracking", "Say how a parcel can be followed", httpx.KeyIgnored, 0), h.tracking)
	httpx.Register(api, route("admin-create-return", http.MethodPost, order+"/returns", "Begin a return for a shopper", httpx.KeyAccepted, http.StatusCreated), h.createReturn)
	httpx.Register(api, post("admin-approve-return", "/returns/{return_id}/approve", "Say that goods may come back"), h.approveReturn)
	httpx.Register(api, post("admin-reject-return", "/returns/{return_id}/reject", "Say that goods may not come back"), h.rejectReturn)
	httpx.Register(api, post("admin-cancel-return", "/returns/{return_id}/cancel", "End a return because the goods stay where they are"), h.cancelReturn)
	httpx.Register(api, post("admin-receive-return", "/returns/{return_id}/receive", "Take goods back and give what they are worth"), h.receiveReturn)
	httpx.Register(api, route("admin-note-order", http.MethodPost, order+"/notes", "Keep a note about an order", httpx.KeyAccepted, http.StatusCreated), h.noteOrder)
	httpx.Register(api, route("admin-get-order-timeline", http.MethodGet, order+"/timeline", "List what happened to an order", httpx.KeyIgnored, 0), h.timeline)
	httpx.Register(api, route("admin-get-order-document", http.MethodGet, order+"/documents/{document_id}", "Download an invoice or a credit note as PDF", httpx.KeyIgnored, 0), h.document)
	httpx.Register(api, route("admin-list-returns", http.MethodGet, "/returns", "List the returns that wait for the shop, oldest first", httpx.KeyIgnored, 0), h.openReturns)
}

func actorOf(ctx context.Context) string { return httpx.PrincipalFrom(ctx).Actor() }

type refundInput struct {
	AdminOrderPath
	Key  string `header:"Idempotency-Key" hidden:"true"`
	Body struct {
		Amount *money.Amount `json:"amount,omitempty" doc:"Everything that is left when left out."`
		Reason string        `json:"reason,omitempty" maxLength:"500"`
	}
}

func (h adminHandlers) refund(ctx context.Context, in *refundInput) (*adminOrderOutput, error) {
	return adminAnswer(h.Refund(ctx, ID(in.ID), RefundRequest{Amount: in.Body.Amount, Note: in.Body.Reason, Actor: actorOf(ctx), Key: in.Key}))
}

type retryRefundInput struct {
	AdminOrderPath
	RefundID string    `path:"refund_id" maxLength:"60"`
	Body     *struct{} `required:"false"`
}

func (h adminHandlers) retryRefund(ctx context.Context, in *retryRefundInput) (*adminOrderOutput, error) {
	return adminAnswer(h.RetryRefund(ctx, ID(in.ID), in.RefundID, actorOf(ctx)))
}

type editInput struct {
	AdminOrderPath
	Key  string `header:"Idempotency-Key" hidden:"true"`
	Body struct {
		Lines []struct {
			LineID   string `json:"line_id" maxLength:"60"`
			Quantity int    `json:"quantity" minimum:"0" maximum:"9999" doc:"How many are wanted from now on, with those that were sent."`
		} `json:"lines,omitempty" maxItems:"200" doc:"Lines that shall have fewer pieces."`
		Add  []Wanted `json:"add,omitempty" maxItems:"200" doc:"What is wanted besides. It becomes an order of its own, which the shopper pays as far as what is taken off does not pay for it."`
		Lost bool     `json:"lost,omitempty" doc:"What is taken off cannot be sold again."`
		Note string   `json:"note,omitempty" maxLength:"1000"`
	}
}

func (h adminHandlers) edit(ctx context.Context, in *editInput) (*adminOrderOutput, error) {
	r := EditRequest{Add: in.Body.Add, Lost: in.Body.Lost, Note: in.Body.Note, Actor: actorOf(ctx), Key: in.Key}
	for _, l := range in.Body.Lines {
		r.Lines = append(r.Lines, LinePieces(l))
	}
	return adminAnswer(h.Edit(ctx, ID(in.ID), r))
}

type adminAddressInput struct {
	AdminOrderPath
	Body orderAddressBody
}

func (h adminHandlers) address(ctx context.Context, in *adminAddressInput) (*adminOrderOutput, error) {
	return adminAnswer(h.ChangeAddress(ctx, ID(in.ID), Access{Staff: true, Actor: actorOf(ctx)}, in.Body.Shipping, in.Body.Billing))
}

type trackingInput struct {
	AdminOrderPath
	FulfilmentID string `path:"fulfilment_id" maxLength:"60"`
	Body         TrackingBody
}

func (h adminHandlers) tracking(ctx context.Context, in *trackingInput) (*adminOrderOutput, error) {
	return adminAnswer(h.SetTracking(ctx, ID(in.ID), in.FulfilmentID, in.Body.tracking(), actorOf(ctx)))
}

type createReturnInput struct {
	AdminOrderPath
	Key  string `header:"Idempotency-Key" hidden:"true"`
	Body goodsBackBody
}

func (h adminHandlers) createReturn(ctx context.Context, in *createReturnInput) (*adminOrderOutput, error) {
	actor := actorOf(ctx)
	return adminAnswer(h.RequestReturn(ctx, ID(in.ID), Access{Staff: true, Actor: actor}, in.Body.request(actor, in.Key)))
}

// AdminReturnPath names a return of an order. It is exported for huma, which fills it.
type AdminReturnPath struct {
	AdminOrderPath
	ReturnID string `path:"return_id" maxLength:"60"`
}

type decideBody struct {
	Note string `json:"note,omitempty" maxLength:"1000" doc:"The shopper reads it on the page of the order."`
}

type decideReturnInput struct {
	AdminReturnPath
	Body *decideBody `required:"false"`
}

func (in *decideReturnInput) note() string {
	if in.Body == nil {
		return ""
	}
	return in.Body.Note
}

func (h adminHandlers) approveReturn(ctx context.Context, in *decideReturnInput) (*adminOrderOutput, error) {
	return adminAnswer(h.ApproveReturn(ctx, ID(in.ID), in.ReturnID, actorOf(ctx), in.note()))
}

func (h adminHandlers) rejectReturn(ctx context.Context, in *decideReturnInput) (*adminOrderOutput, error) {
	return adminAnswer(h.RejectReturn(ctx, ID(in.ID), in.ReturnID, actorOf(ctx), in.note()))
}

func (h adminHandlers) cancelReturn(ctx context.Context, in *decideReturnInput) (*adminOrderOutput, error) {
	return adminAnswer(h.CancelReturn(ctx, ID(in.ID), in.ReturnID, Access{Staff: true, Actor: actorOf(ctx)}))
}

type receiveBody struct {
	Lines     []ReceivedLine `json:"lines,omitempty" maxItems:"200" doc:"What arrived; all of it, to be sold again, when there are none."`
	Shipping  bool           `json:"refund_shipping,omitempty" doc:"The shipping of the order goes back too."`
	Deduction *money.Amount  `json:"deduction,omitempty" doc:"Kept for wear."`
	MoneyOnly bool           `json:"money_only,omitempty" doc:"Give the money back, also where an exchange was asked for."`
	Note      string         `json:"note,omitempty" maxLength:"1000" doc:"The shopper reads it on the page of the order."`
}

type receiveInput struct {
	AdminReturnPath
	Body *receiveBody `required:"false"`
}

func (h adminHandlers) receiveReturn(ctx context.Context, in *receiveInput) (*adminOrderOutput, error) {
	r := Receipt{Actor: actorOf(ctx)}
	if b := in.Body; b != nil {
		r.Lines, r.Shipping, r.MoneyOnly, r.Note = b.Lines, b.Shipping, b.MoneyOnly, b.Note
		if b.Deduction != nil {
			r.Deduction = *b.Deduction
		}
	}
	return adminAnswer(h.ReceiveReturn(ctx, ID(in.ID), in.ReturnID, r))
}

type noteInput struct {
	AdminOrderPath
	Body struct {
		Note string `json:"note" minLength:"1" maxLength:"2000"`
	}
}

func (h adminHandlers) noteOrder(ctx context.Context, in *noteInput) (*adminOrderOutput, error) {
	return adminAnswer(h.AddNote(ctx, ID(in.ID), actorOf(ctx), in.Body.Note))
}

func (h adminHandlers) timeline(ctx context.Context, in *AdminOrderPath) (*timelineOutput, error) {
	return timelineAnswer(h.Timeline(ctx, ID(in.ID), Access{Staff: true}))
}

type openReturnsInput struct{ httpx.Page }

type openReturnsOutput struct{ Body httpx.List[OpenReturn] }

func (h adminHandlers) openReturns(ctx context.Context, in *openReturnsInput) (*openReturnsOutput, error) {
	list, next, err := h.OpenReturns(ctx, in.After, in.Limit)
	return &openReturnsOutput{httpx.NewList(list, next)}, err
}

// pdfOutput is a document as it is downloaded.
type pdfOutput struct {
	ContentType  string `header:"Content-Type"`
	Disposition  string `header:"Content-Disposition"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

func pdfAnswer(pdf *PDF, err error) (*pdfOutput, error) {
	if err != nil {
		return nil, err
	}
	return &pdfOutput{ContentType: "application/pdf", Disposition: `inline; filename="` + pdf.Name + `"`, CacheControl: "private, no-store", Body: pdf.Body}, nil
}

type documentInput struct {
	OrderPath
	DocumentID string `path:"document_id" maxLength:"60" doc:"One of the order's documents, or invoice."`
}

func (h storeHandlers) document(ctx context.Context, in *documentInput) (*pdfOutput, error) {
	return pdfAnswer(h.DocumentPDF(ctx, ID(in.ID), in.access(ctx), in.DocumentID))
}

type adminDocumentInput struct {
	AdminOrderPath
	DocumentID string `path:"document_id" maxLength:"60" doc:"One of the order's documents, or invoice."`
}

func (h adminHandlers) document(ctx context.Context, in *adminDocumentInput) (*pdfOutput, error) {
	return pdfAnswer(h.DocumentPDF(ctx, ID(in.ID), Access{Staff: true}, in.DocumentID))
}
