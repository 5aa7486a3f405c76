package orders

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// amend lets fn change an order as it is now: nobody else changes it before fn's changes are written, all of them or none.
// It returns the order as it is afterwards, and errs.ErrNotFound when access does not open it. fn may run again.
func (s *Service) amend(ctx context.Context, id ID, a Access, fn func(tx pgx.Tx, o *Order) error) (*Order, error) {
	err := postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		if err := lockOrder(ctx, tx, id); err != nil {
			return err
		}
		o, cartToken, err := s.loadOrder(ctx, tx, id)
		if err != nil {
			return err
		}
		if !s.opensOrder(a, o, cartToken) {
			return errs.ErrNotFound
		}
		return fn(tx, o)
	})
	if err != nil {
		return nil, err
	}
	outbox.Wake()
	return s.Order(ctx, id, Access{Staff: true})
}

// rowID names a row that a request makes. The same request of the same caller under the same Idempotency-Key finds the
// row that it made before, whatever became of its answer; without a key every request is another.
func rowID(prefix string, order ID, actor, key string) string {
	if key == "" {
		return id.New(prefix)
	}
	return id.Derive(prefix, string(order)+"\x00"+actor+"\x00"+key)
}

// entry is something for the log of an order.
type entry struct {
	kind, actor, detail, ref string
	amount                   *money.Amount
	note                     string // words of people: sealed
}

// note writes entries into the log of the order and counts its version up, with the events that tell of it.
func (s *Service) note(ctx context.Context, tx pgx.Tx, o *Order, e entry, evs ...events.Event) error {
	sealed, err := s.sealNote(ctx, o, e.note)
	if err != nil {
		return err
	}
	if err := s.writeLog(ctx, tx, o, e, sealed, evs); err != nil {
		return fmt.Errorf("note %s of order %s: %w", e.kind, o.ID, err)
	}
	return nil
}

// checkNote refuses words that must not be kept.
func checkNote(pointer, note string) error {
	if holdsCardNumber(note) {
		return ErrCardData.WithFields(errs.Field{Pointer: pointer, Code: "card_data_not_accepted", Detail: ErrCardData.Detail})
	}
	return nil
}

// AddNote keeps what staff want to remember of an order. Shoppers do not see it.
func (s *Service) AddNote(ctx context.Context, id ID, actor, note string) (*Order, error) {
	if err := checkNote("/note", note); err != nil {
		return nil, err
	}
	return s.amend(ctx, id, Access{Staff: true}, func(tx pgx.Tx, o *Order) error {
		return s.note(ctx, tx, o, entry{kind: kindNote, actor: actor, note: note})
	})
}

// pieces sums up lines by their articles, as events tell them.
func (o *Order) pieces(lines []LinePieces) []events.OrderPieces {
	list := []events.OrderPieces{}
	for _, l := range lines {
		line := o.line(l.LineID)
		if line == nil || l.Quantity == 0 {
			continue
		}
		list = append(list, events.OrderPieces{SKU: line.SKU, Quantity: l.Quantity})
	}
	return list
}
