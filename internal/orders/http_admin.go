package orders

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"shopd/internal/money"
	"shopd/internal/platform/httpx"
)

// RegisterAdmin adds the merchant's view of orders to api.
func RegisterAdmin(api *httpx.API, s *Service) {
	h := adminHandlers{s}
	read := func(id, path, summary string) httpx.Route {
		return httpx.Route{
			ID: id, Method: http.MethodGet, Path: "/api/v1/admin/orders" + path, Summary: summary, Tag: "Orders",
			Access: httpx.StaffWith("orders:read"), Errors: []int{404, 422},
		}
	}
	write := func(id, path, summary string, key httpx.KeyUse) httpx.Route {
		return httpx.Route{
			ID: id, Method: http.MethodPost, Path: "/api/v1/admin/orders/{id}" + path, Summary: summary, Tag: "Orders",
			Access: httpx.StaffWith("orders:write"), Key: key, Errors: []int{404, 409, 422},
		}
	}
	httpx.Register(api, read("admin-list-orders", "", "List orders, newest first"), h.list)
	httpx.Register(api, read("admin-get-order", "/{id}", "Get an order"), h.get)
	httpx.Register(api, write("admin-cancel-order", "/cancel", "Cancel an order: let go of its payment, or give the money back", httpx.KeyAccepted), h.cancel)
	capture := write("admin-capture-order", "/capture", "Take the money of an order, or a part of it", httpx.KeyRequired)
	capture.Errors = append(capture.Errors, http.StatusServiceUnavailable)
	httpx.Register(api, capture, h.capture)
	httpx.Register(api, write("admin-fulfil-order", "/fulfilments", "Record that goods went out", httpx.KeyAccepted), h.fulfil)
	registerAfterwards(api, h)
}

type adminHandlers struct{ *Service }

type adminListInput struct {
	httpx.Page
	Status string `query:"status" enum:"pending_payment,paid,partially_fulfilled,fulfilled,completed,cancelled"`
	Q      string `query:"q" maxLength:"254" doc:"Order number or e-mail address."`
}

type adminSummary struct {
	ID            ID           `json:"id"`
	Number        int64        `json:"number"`
	Status        Status       `json:"status"`
	PaymentStatus string       `json:"payment_status"`
	Email         string       `json:"email"`
	CustomerName  string       `json:"customer_name"`
	ItemCount     int          `json:"item_count"`
	Total         money.Amount `json:"total"`
	PlacedAt      time.Time    `json:"placed_at"`
}

type adminListOutput struct{ Body httpx.List[adminSummary] }

func (h adminHandlers) list(ctx context.Context, in *adminListInput) (*adminListOutput, error) {
	f := Filter{Status: Status(in.Status)}
	if q := strings.TrimPrefix(strings.TrimSpace(in.Q), "#"); q != "" {
		number, err := strconv.ParseInt(q, 10, 64)
		if err == nil {
			f.Number = number
		} else {
			f.Email = q
		}
	}
	list, next, err := h.List(ctx, f, in.After, in.Limit)
	if err != nil {
		return nil, err
	}
	items := make([]adminSummary, len(list))
	for i, o := range list {
		items[i] = adminSummary{
			ID: o.ID, Number: o.Number, Status: o.Status, PaymentStatus: o.PaymentStatus, Email: o.Email, CustomerName: o.Name, ItemCount: o.Pieces,
			Total: o.Total, PlacedAt: o.PlacedAt,
		}
	}
	return &adminListOutput{httpx.NewList(items, next)}, nil
}

// AdminOrderPath names an order. It is exported for huma, which fills it.
type AdminOrderPath struct {
	ID string `path:"id" maxLength:"60"`
}

// adminOrder is an order with what staff may do with it.
type adminOrder struct {
	orderBody
	CustomerID string       `json:"customer_id,omitempty"`
	Refundable money.Amount `json:"refundable" doc:"What of its money can still go back."`
	Actions    []string     `json:"actions" doc:"cancel, capture, fulfil, edit, refund, return, address: what may be done now."`
}

type adminOrderOutput struct {
	ETag string `header:"ETag"`
	Body adminOrder
}

func adminAnswer(o *Order, err error) (*adminOrderOutput, error) {
	if err != nil {
		return nil, err
	}
	return &adminOrderOutput{ETag: httpx.ETag(o.Version), Body: adminOrder{orderBody: bodyOf(o), CustomerID: o.CustomerID, Refundable: o.Refundable(), Actions: o.Actions()}}, nil
}

func (h adminHandlers) get(ctx context.Context, in *AdminOrderPath) (*adminOrderOutput, error) {
	return adminAnswer(h.Order(ctx, ID(in.ID), Access{Staff: true}))
}

type adminCancelInput struct {
	AdminOrderPath
	Body struct {
		Reason string `json:"reason,omitempty" maxLength:"500"`
	}
}

func (h adminHandlers) cancel(ctx context.Context, in *adminCancelInput) (*adminOrderOutput, error) {
	return adminAnswer(h.Cancel(ctx, ID(in.ID), Access{Staff: true, Actor: httpx.PrincipalFrom(ctx).Actor()}, in.Body.Reason))
}

type adminCaptureInput struct {
	AdminOrderPath
	Body *captureBody `required:"false"`
}

type captureBody struct {
	Amount *money.Amount `json:"amount,omitempty" doc:"Everything when left out. What is not taken is let go of: it stands among the refunds as not_captured."`
}

func (h adminHandlers) capture(ctx context.Context, in *adminCaptureInput) (*adminOrderOutput, error) {
	var amount *money.Amount
	if in.Body != nil {
		amount = in.Body.Amount
	}
	return adminAnswer(h.Capture(ctx, ID(in.ID), amount))
}

type fulfilInput struct {
	AdminOrderPath
	Key  string `header:"Idempotency-Key" hidden:"true"`
	Body struct {
		Lines []LinePieces `json:"lines,omitempty" maxItems:"200" doc:"What goes out; everything that is left when there are none."`
		TrackingBody
	}
}

// TrackingBody is how a parcel can be followed. It is exported for huma, which fills it.
type TrackingBody struct {
	Carrier  string `json:"carrier,omitempty" maxLength:"80" example:"DHL"`
	Tracking string `json:"tracking,omitempty" maxLength:"200" doc:"The carrier's number of the parcel."`
	URL      string `json:"tracking_url,omitempty" maxLength:"500" doc:"Where the parcel can be followed; made from carrier and number for carriers that are known."`
}

func (b TrackingBody) tracking() Tracking {
	return Tracking{Carrier: b.Carrier, Number: b.Tracking, URL: b.URL}
}

func (h adminHandlers) fulfil(ctx context.Context, in *fulfilInput) (*adminOrderOutput, error) {
	return adminAnswer(h.Fulfil(ctx, ID(in.ID), Parcel{
		Lines: in.Body.Lines, Tracking: in.Body.tracking(), Actor: httpx.PrincipalFrom(ctx).Actor(), Key: in.Key,
	}))
}
