package orders

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// Parcel says what of an order goes out. Without Lines it is everything that is left.
type Parcel struct {
	Lines    []FulfilmentLine
	Tracking string
}

const fulfilLinesSQL = `
update orders.order_lines as l
set fulfilled = l.fulfilled + f.quantity
from unnest($2::text[], $3::int[]) as f (id, quantity)
where l.order_id = $1 and l.id = f.id`

const insertFulfilmentSQL = `
insert into orders.fulfilments (id, order_id, lines, tracking, created_at)
values ($1, $2, $3, $4, $5)`

// Fulfil records that goods of a paid order went out. It returns ErrInvalidState for an order that is not paid, and
// a validation error for more pieces than are left.
func (s *Service) Fulfil(ctx context.Context, orderID ID, parcel Parcel, actor string) (*Order, error) {
	err := postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		o, _, err := s.loadOrder(ctx, tx, orderID)
		if err != nil {
			return err
		}
		lines, complete, err := o.pack(parcel.Lines)
		if err != nil {
			return err
		}
		next := PartiallyFulfilled
		if complete {
			next = Fulfilled
		}
		fulfilment := id.New("ful")
		ev := events.OrderFulfilled{OrderFacts: o.facts(s.now()), FulfilmentID: fulfilment, Complete: complete}
		if err := s.move(ctx, tx, o, next, "fulfilled", actor, parcel.Tracking, ev); err != nil {
			return err
		}
		return writeFulfilment(ctx, tx, o, fulfilment, lines, parcel.Tracking)
	})
	if err != nil {
		return nil, err
	}
	outbox.Wake()
	return s.Order(ctx, orderID, Access{Staff: true})
}

func writeFulfilment(ctx context.Context, tx pgx.Tx, o *Order, fulfilment string, lines []FulfilmentLine, tracking string) error {
	ids, quantities := make([]string, len(lines)), make([]int32, len(lines))
	for i, l := range lines {
		ids[i], quantities[i] = l.LineID, int32(l.Quantity)
	}
	if _, err := tx.Exec(ctx, fulfilLinesSQL, o.ID, ids, quantities); err != nil {
		return fmt.Errorf("count what goes out of order %s: %w", o.ID, err)
	}
	body, err := json.Marshal(lines)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, insertFulfilmentSQL, fulfilment, o.ID, body, tracking, o.History[len(o.History)-1].At)
	return err
}

// pack checks what is to go out against what is left, and says whether nothing remains.
func (o *Order) pack(wanted []FulfilmentLine) (lines []FulfilmentLine, complete bool, err error) {
	left, total := map[string]int{}, 0
	for _, l := range o.Lines {
		left[l.ID] = l.Quantity - l.Fulfilled
		total += left[l.ID]
	}
	if len(wanted) == 0 {
		for _, l := range o.Lines {
			if left[l.ID] > 0 {
				lines = append(lines, FulfilmentLine{LineID: l.ID, Quantity: left[l.ID]})
			}
		}
		return lines, true, nil
	}
	for i, w := range wanted {
		if w.Quantity < 1 || w.Quantity > left[w.LineID] {
			return nil, false, ErrQuantity.WithDetail("Only %d pieces of line %s are left to send.", left[w.LineID], w.LineID).
				WithFields(errs.Field{Pointer: fmt.Sprintf("/lines/%d/quantity", i), Code: "invalid_quantity", Detail: "more than is left"})
		}
		left[w.LineID] -= w.Quantity
		total -= w.Quantity
	}
	return wanted, total == 0, nil
}
