package inventory

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/httpx"
	"shopd/internal/platform/id"
	"shopd/internal/platform/postgres"
)

// RegisterAdmin adds stock to the merchant's api.
func RegisterAdmin(api *httpx.API, s *Service) {
	h := adminHandlers{s}
	route := func(id, method, path, summary, scope string, failures ...int) httpx.Route {
		return httpx.Route{
			ID: id, Method: method, Path: "/api/v1/admin" + path, Summary: summary, Tag: "Inventory", Access: httpx.StaffWith(scope), Errors: failures,
		}
	}
	// moving is a call that moves stock once for each key, and answers with what it kept.
	moving := func(r httpx.Route, answer any) httpx.Route {
		r.Status, r.Key, r.Answer = http.StatusCreated, httpx.KeyRequired, answer
		return r
	}
	const read, write = "inventory:read", "inventory:write"
	httpx.Register(api, route("get-inventory", http.MethodGet, "/inventory/{sku}", "Get the stock of an article", read, 404), h.level)
	httpx.Register(api, route("update-inventory", http.MethodPatch, "/inventory/{sku}", "Change reorder point, backorders and whether an article is watched", write, 409, 422), h.setTerms)
	httpx.Register(api, moving(route("adjust-inventory", http.MethodPost, "/inventory/{sku}/adjustments", "Change what is on hand", write, 409, 422), movementBody{}), h.adjust)
	httpx.Register(api, moving(route("transfer-inventory", http.MethodPost, "/inventory/{sku}/transfers", "Bring pieces to another location", write, 409, 422), transferBody{}), h.transfer)
	httpx.Register(api, moving(route("return-inventory", http.MethodPost, "/inventory/{sku}/returns", "Take pieces in that came back", write, 409, 422), returnBody{}), h.takeBack)
	httpx.Register(api, route("list-movements", http.MethodGet, "/inventory/{sku}/movements", "List the movements of an article, newest first", read, 422), h.movements)
	httpx.Register(api, route("get-stock-history", http.MethodGet, "/inventory/{sku}/history", "Get what moved of an article day by day", read, 422), h.history)
	httpx.Register(api, route("report-stock", http.MethodGet, "/reports/stock", "Get what moved of all articles day by day", "reports:read", 422), h.totals)
	httpx.Register(api, route("list-locations", http.MethodGet, "/locations", "List the locations, in the order in which they serve orders", read), h.locations)
	add := route("create-location", http.MethodPost, "/locations", "Make a location", write, 409, 422)
	add.Status = http.StatusCreated
	httpx.Register(api, add, h.addLocation)
	httpx.Register(api, route("update-location", http.MethodPatch, "/locations/{id}", "Change a location", write, 404, 412, 422), h.updateLocation)
}

type adminHandlers struct{ *Service }

// SKUPath names an article. It is exported for huma, which fills it.
type SKUPath struct {
	SKU string `path:"sku" maxLength:"100"`
}

type levelAtBody struct {
	Location     string `json:"location"`
	OnHand       int64  `json:"on_hand"`
	Reserved     int64  `json:"reserved"`
	Available    int64  `json:"available"`
	ReorderPoint int64  `json:"reorder_point" doc:"How many are few, 0 for never."`
	Version      int64  `json:"version"`
}

type backorderBody struct {
	Policy   BackorderPolicy `json:"policy" enum:"deny,allow,limit"`
	Limit    *int64          `json:"limit,omitempty" doc:"How many may be owed, with the policy limit."`
	Location string          `json:"location,omitempty" doc:"Which location owes."`
}

// levelBody is an article's stock on the wire: over all locations, and in each.
type levelBody struct {
	SKU       string        `json:"sku"`
	OnHand    int64         `json:"on_hand" doc:"Pieces in the house; negative by what is sold and still to come."`
	Reserved  int64         `json:"reserved" doc:"Of them promised to orders."`
	Available int64         `json:"available" doc:"on_hand − reserved; negative by what is owed."`
	Backorder backorderBody `json:"backorder"`
	Watched   bool          `json:"watched" doc:"Whether the metric shopd_stock_available tells of it."`
	Locations []levelAtBody `json:"locations"`
}

func sumUp(sku string, rows []Level) levelBody {
	b := levelBody{SKU: sku, Backorder: backorderBody{Policy: BackorderDeny}, Locations: []levelAtBody{}}
	for _, l := range rows {
		b.OnHand, b.Reserved, b.Available = b.OnHand+l.OnHand, b.Reserved+l.Reserved, b.Available+l.Available
		b.Locations = append(b.Locations, levelAtBody{
			Location: l.Location, OnHand: l.OnHand, Reserved: l.Reserved, Available: l.Available, ReorderPoint: l.ReorderPoint, Version: l.Version,
		})
		if o := l.Backorder(); o.Policy != BackorderDeny {
			b.Backorder = backorderBody{Policy: o.Policy, Location: l.Location}
			if o.Limit > 0 {
				b.Backorder.Limit = &o.Limit
			}
		}
	}
	return b
}

type levelOutput struct{ Body levelBody }

func (h adminHandlers) level(ctx context.Context, in *SKUPath) (*levelOutput, error) {
	return h.levelOf(ctx, in.SKU)
}

func (h adminHandlers) levelOf(ctx context.Context, sku string) (*levelOutput, error) {
	rows, err := h.Levels(ctx, []string{sku})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, ErrUnknownSKU
	}
	out := &levelOutput{sumUp(sku, rows)}
	out.Body.Watched, err = h.Watched(ctx, sku)
	return out, err
}

type termsInput struct {
	SKUPath
	Body struct {
		Location       string           `json:"location,omitempty" maxLength:"60" doc:"Whose reorder point, and who owes; main when left out."`
		ReorderPoint   *int64           `json:"reorder_point,omitempty" minimum:"0" maximum:"1000000000" doc:"From how many on they are few; 0 for never."`
		Backorder      *BackorderPolicy `json:"backorder,omitempty" enum:"deny,allow,limit" doc:"Whether it can be ordered when it is not there."`
		BackorderLimit *int64           `json:"backorder_limit,omitempty" minimum:"1" maximum:"1000000000" doc:"How many may be owed, with the policy limit."`
		Watched        *bool            `json:"watched,omitempty" doc:"Whether the metric shopd_stock_available tells of it."`
	}
}

func (h adminHandlers) setTerms(ctx context.Context, in *termsInput) (*levelOutput, error) {
	t := Terms{SKU: in.SKU, Location: in.Body.Location, ReorderPoint: in.Body.ReorderPoint}
	switch {
	case in.Body.Backorder != nil:
		t.Backorder = &Backorder{Policy: *in.Body.Backorder}
		if in.Body.BackorderLimit != nil {
			t.Backorder.Limit = *in.Body.BackorderLimit
		}
	case in.Body.BackorderLimit != nil:
		return nil, errBackorder
	}
	if t.ReorderPoint != nil || t.Backorder != nil {
		if err := h.SetTerms(ctx, t); err != nil {
			return nil, err
		}
	}
	if in.Body.Watched != nil {
		if err := h.Watch(ctx, in.SKU, *in.Body.Watched); err != nil {
			return nil, err
		}
	}
	return h.levelOf(ctx, in.SKU)
}

type adjustInput struct {
	SKUPath
	Body struct {
		Quantity int64  `json:"quantity" minimum:"-1000000000" maximum:"1000000000" doc:"Pieces that came (positive) or went (negative)."`
		Reason   string `json:"reason" minLength:"1" maxLength:"200"`
		Location string `json:"location,omitempty" maxLength:"60" doc:"main when left out."`
	}
}

// movementBody is what an adjustment answers: the movement, and the stock it left.
type movementBody struct {
	ID        int64     `json:"id"`
	SKU       string    `json:"sku"`
	Location  string    `json:"location"`
	Kind      Kind      `json:"kind"`
	Quantity  int64     `json:"quantity"`
	Reason    string    `json:"reason"`
	OrderID   string    `json:"order_id,omitempty"`
	Actor     string    `json:"actor"`
	At        time.Time `json:"at"`
	OnHand    *int64    `json:"on_hand,omitempty" doc:"After the movement."`
	Reserved  *int64    `json:"reserved,omitempty" doc:"After the movement."`
	Available *int64    `json:"available,omitempty" doc:"After the movement."`
}

type movementOutput struct {
	ContentType string `header:"Content-Type"`
	Status      int
	Body        []byte
}

// once does work in a transaction that also keeps its answer: repeated under its key, it moves nothing again.
func (h adminHandlers) once(ctx context.Context, sku string, work func(pgx.Tx) (answer any, err error)) (*movementOutput, error) {
	out := &movementOutput{ContentType: "application/json", Status: http.StatusCreated}
	err := postgres.InTx(ctx, h.db, func(tx pgx.Tx) error {
		answer, err := work(tx)
		if err != nil {
			return err
		}
		if out.Body, err = json.Marshal(answer); err != nil {
			return err
		}
		return httpx.ClaimFrom(ctx).Finish(ctx, tx, out.Status, out.Body)
	})
	if err != nil {
		return nil, err
	}
	h.announced(ctx, sku)
	return out, nil
}

func (h adminHandlers) adjust(ctx context.Context, in *adjustInput) (*movementOutput, error) {
	a := Adjustment{
		SKU: in.SKU, Location: in.Body.Location, Quantity: in.Body.Quantity, Reason: in.Body.Reason, Actor: httpx.PrincipalFrom(ctx).Actor(),
	}
	return h.once(ctx, in.SKU, func(tx pgx.Tx) (any, error) {
		l, movement, err := h.AdjustTx(ctx, tx, a)
		return movementBody{
			ID: movement, SKU: l.SKU, Location: l.Location, Kind: Adjusted, Quantity: a.Quantity, Reason: a.Reason, Actor: a.Actor, At: h.now(),
			OnHand: &l.OnHand, Reserved: &l.Reserved, Available: &l.Available,
		}, err
	})
}

type transferInput struct {
	SKUPath
	Body struct {
		From     string `json:"from" minLength:"1" maxLength:"60"`
		To       string `json:"to" minLength:"1" maxLength:"60"`
		Quantity int64  `json:"quantity" minimum:"1" maximum:"1000000000"`
		Reason   string `json:"reason" minLength:"1" maxLength:"200"`
	}
}

// transferBody is what a transfer answers: what went, and what came.
type transferBody struct {
	Movements []movementBody `json:"movements"`
}

func (h adminHandlers) transfer(ctx context.Context, in *transferInput) (*movementOutput, error) {
	t := Transfer{
		SKU: in.SKU, From: in.Body.From, To: in.Body.To, Quantity: in.Body.Quantity, Reason: in.Body.Reason, Actor: httpx.PrincipalFrom(ctx).Actor(),
	}
	return h.once(ctx, in.SKU, func(tx pgx.Tx) (any, error) {
		levels, moved, err := h.TransferTx(ctx, tx, t)
		if err != nil {
			return nil, err
		}
		answer, quantity := transferBody{}, -t.Quantity
		for i, l := range levels {
			answer.Movements = append(answer.Movements, movementBody{
				ID: moved[i], SKU: l.SKU, Location: l.Location, Kind: Transferred, Quantity: quantity, Reason: t.Reason, Actor: t.Actor, At: h.now(),
				OnHand: &l.OnHand, Reserved: &l.Reserved, Available: &l.Available,
			})
			quantity = t.Quantity
		}
		return answer, nil
	})
}

type returnInput struct {
	SKUPath
	Body struct {
		Quantity int64  `json:"quantity" minimum:"1" maximum:"1000000000"`
		Reason   string `json:"reason" minLength:"1" maxLength:"200"`
		OrderID  string `json:"order_id,omitempty" maxLength:"60" doc:"The order that it came back of; no more comes back than it was sold."`
		Location string `json:"location,omitempty" maxLength:"60" doc:"main when left out."`
	}
}

// returnBody is what a return answers, with the stock it left.
type returnBody struct {
	ID        string `json:"id"`
	SKU       string `json:"sku"`
	Location  string `json:"location"`
	Quantity  int64  `json:"quantity"`
	OrderID   string `json:"order_id,omitempty"`
	OnHand    int64  `json:"on_hand"`
	Reserved  int64  `json:"reserved"`
	Available int64  `json:"available"`
}

func (h adminHandlers) takeBack(ctx context.Context, in *returnInput) (*movementOutput, error) {
	r := Return{
		ID: id.New("ret"), OrderID: in.Body.OrderID, Location: in.Body.Location, Items: []Item{{SKU: in.SKU, Quantity: in.Body.Quantity}},
		Reason: in.Body.Reason, Actor: httpx.PrincipalFrom(ctx).Actor(),
	}
	return h.once(ctx, in.SKU, func(tx pgx.Tx) (any, error) {
		levels, err := h.TakeBackTx(ctx, tx, r)
		if err != nil {
			return nil, err
		}
		l := levels[0]
		return returnBody{
			ID: r.ID, SKU: l.SKU, Location: l.Location, Quantity: in.Body.Quantity, OrderID: r.OrderID, OnHand: l.OnHand, Reserved: l.Reserved, Available: l.Available,
		}, nil
	})
}

type movementsInput struct {
	SKUPath
	Kind     Kind   `query:"kind" enum:"received,sold,returned,adjusted,transferred,reserved,released" doc:"Only of this kind."`
	Location string `query:"location" maxLength:"60" doc:"Only in this location."`
	Limit    int    `query:"limit" default:"24" minimum:"1" maximum:"100"`
	After    int64  `query:"after" minimum:"0" doc:"Where to go on: the next of the page before."`
}

type movementsOutput struct {
	Body struct {
		Items []movementBody `json:"items"`
		Next  *int64         `json:"next"`
	}
}

func (h adminHandlers) movements(ctx context.Context, in *movementsInput) (*movementsOutput, error) {
	list, err := h.Movements(ctx, MovementFilter{SKU: in.SKU, Kind: in.Kind, Location: in.Location, Before: in.After}, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &movementsOutput{}
	if len(list) > in.Limit {
		list = list[:in.Limit]
		out.Body.Next = &list[in.Limit-1].ID
	}
	out.Body.Items = make([]movementBody, len(list))
	for i, m := range list {
		out.Body.Items[i] = movementBody{
			ID: m.ID, SKU: m.SKU, Location: m.Location, Kind: m.Kind, Quantity: m.Quantity, Reason: m.Reason, OrderID: m.OrderID, Actor: m.Actor, At: m.At,
		}
	}
	return out, nil
}
