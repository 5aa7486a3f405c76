package inventory

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/httpx"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// RegisterAdmin adds stock to the merchant's api.
func RegisterAdmin(api *httpx.API, s *Service) {
	h := adminHandlers{s}
	httpx.Register(api, httpx.Route{
		ID: "get-inventory", Method: http.MethodGet, Path: "/api/v1/admin/inventory/{sku}", Summary: "Get the stock of an article", Tag: "Inventory",
		Access: httpx.StaffWith("inventory:read"), Errors: []int{404},
	}, h.level)
	httpx.Register(api, httpx.Route{
		ID: "adjust-inventory", Method: http.MethodPost, Path: "/api/v1/admin/inventory/{sku}/adjustments", Summary: "Change what is on hand", Tag: "Inventory",
		Access: httpx.StaffWith("inventory:write"), Status: http.StatusCreated, Key: httpx.KeyRequired, Answer: movementBody{}, Errors: []int{409, 422},
	}, h.adjust)
	httpx.Register(api, httpx.Route{
		ID: "list-movements", Method: http.MethodGet, Path: "/api/v1/admin/inventory/{sku}/movements", Summary: "List the movements of an article, newest first", Tag: "Inventory",
		Access: httpx.StaffWith("inventory:read"), Errors: []int{422},
	}, h.movements)
}

type adminHandlers struct{ *Service }

// SKUPath names an article. It is exported for huma, which fills it.
type SKUPath struct {
	SKU string `path:"sku" maxLength:"100"`
}

type locationBody struct {
	Location  string `json:"location"`
	OnHand    int64  `json:"on_hand"`
	Reserved  int64  `json:"reserved"`
	Available int64  `json:"available"`
	Version   int64  `json:"version"`
}

// levelBody is an article's stock on the wire: over all locations, and in each.
type levelBody struct {
	SKU       string         `json:"sku"`
	OnHand    int64          `json:"on_hand" doc:"Pieces in the house."`
	Reserved  int64          `json:"reserved" doc:"Of them promised to orders."`
	Available int64          `json:"available" doc:"on_hand − reserved."`
	Locations []locationBody `json:"locations"`
}

func sumUp(sku string, rows []Level) levelBody {
	b := levelBody{SKU: sku, Locations: []locationBody{}}
	for _, l := range rows {
		b.OnHand, b.Reserved, b.Available = b.OnHand+l.OnHand, b.Reserved+l.Reserved, b.Available+l.Available
		b.Locations = append(b.Locations, locationBody{Location: l.Location, OnHand: l.OnHand, Reserved: l.Reserved, Available: l.Available, Version: l.Version})
	}
	return b
}

type levelOutput struct{ Body levelBody }

func (h adminHandlers) level(ctx context.Context, in *SKUPath) (*levelOutput, error) {
	rows, err := h.Levels(ctx, []string{in.SKU})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, ErrUnknownSKU
	}
	return &levelOutput{sumUp(in.SKU, rows)}, nil
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

// adjust keeps the answer in the transaction of the movement: repeated under its key, it moves nothing again.
func (h adminHandlers) adjust(ctx context.Context, in *adjustInput) (*movementOutput, error) {
	a := Adjustment{
		SKU: in.SKU, Location: in.Body.Location, Quantity: in.Body.Quantity, Reason: in.Body.Reason, Actor: httpx.PrincipalFrom(ctx).Actor(),
	}
	out := &movementOutput{ContentType: "application/json", Status: http.StatusCreated}
	err := postgres.InTx(ctx, h.db, func(tx pgx.Tx) error {
		l, movement, err := h.AdjustTx(ctx, tx, a)
		if err != nil {
			return err
		}
		out.Body, err = json.Marshal(movementBody{
			ID: movement, SKU: l.SKU, Location: l.Location, Kind: Adjusted, Quantity: a.Quantity, Reason: a.Reason, Actor: a.Actor, At: h.now(),
			OnHand: &l.OnHand, Reserved: &l.Reserved, Available: &l.Available,
		})
		if err != nil {
			return err
		}
		return httpx.ClaimFrom(ctx).Finish(ctx, tx, out.Status, out.Body)
	})
	if err != nil {
		return nil, err
	}
	outbox.Wake()
	return out, nil
}

type movementsInput struct {
	SKUPath
	Limit int   `query:"limit" default:"24" minimum:"1" maximum:"100"`
	After int64 `query:"after" minimum:"0" doc:"Where to go on: the next of the page before."`
}

type movementsOutput struct {
	Body struct {
		Items []movementBody `json:"items"`
		Next  *int64         `json:"next"`
	}
}

func (h adminHandlers) movements(ctx context.Context, in *movementsInput) (*movementsOutput, error) {
	list, err := h.Movements(ctx, in.SKU, in.After, in.Limit+1)
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
