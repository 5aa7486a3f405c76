package orders

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/errs"
)

// EditRequest changes a paid order before it is sent.
type EditRequest struct {
	// Lines say how many pieces of a line are wanted from now on: fewer than before, zero for none.
	Lines []LinePieces
	// Add is what is wanted besides, also more pieces of a line. It becomes an order of its own that belongs to this one,
	// at the prices of today, and is sent without further shipping.
	Add []Wanted
	// Lost says that the pieces which are taken off cannot be sold again.
	Lost  bool
	Note  string
	Actor string
	Key   string // of the request: the same one again does nothing more
}

// Wanted names an article by id or SKU.
type Wanted struct {
	VariantID string `json:"variant_id,omitempty" maxLength:"60"`
	SKU       string `json:"sku,omitempty" maxLength:"100"`
	Quantity  int    `json:"quantity" minimum:"1" maximum:"9999"`
}

func (w Wanted) ref() string {
	if w.VariantID != "" {
		return w.VariantID
	}
	return w.SKU
}

// Edit takes pieces off a paid order that were not sent yet, and adds others. What was charged stays as it was: what the
// pieces came to, with their part of discount and tax, first pays for what is added, and what is left of it goes back. What
// they do not cover is asked for by a link in a mail. An order of which nothing would be left is cancelled.
//
// The errors are ErrInvalidState for an order that is not paid or was sent, ErrQuantity, ErrNotPurchasable, ErrCurrency and
// ErrOutOfStock for what is added.
func (s *Service) Edit(ctx context.Context, orderID ID, r EditRequest) (*Order, error) {
	if err := checkNote("/note", r.Note); err != nil {
		return nil, err
	}
	supplement := ID(rowID("ord", orderID, r.Actor, r.Key))
	refund := rowID("ref", orderID, r.Actor, r.Key)
	for attempt := 1; ; attempt++ {
		o, err := s.Order(ctx, orderID, Access{Staff: true})
		if err != nil {
			return nil, err
		}
		if r.Key != "" && (o.refund(refund) != nil || o.supplement(supplement) != nil) {
			return s.finishEdit(ctx, o, supplement) // the request came before
		}
		taken, err := o.takeOff(r)
		if err != nil {
			return nil, err
		}
		if len(r.Add) == 0 && o.Status == Paid && sumPieces(taken) == o.Unsent() && len(o.Supplements) == 0 {
			return s.cancelWith(ctx, o, causeShop, r.Note, r.Actor)
		}
		done, err := s.edit(ctx, o, r, taken, supplement, refund)
		if errors.Is(err, errs.ErrStaleVersion) && attempt < cartAttempts {
			continue
		}
		if err != nil {
			return nil, err
		}
		return s.finishEdit(ctx, done, supplement)
	}
}

// takeOff checks what an edit wants and says what it takes off each line.
func (o *Order) takeOff(r EditRequest) ([]LinePieces, error) {
	if o.Status != Paid && o.Status != PartiallyFulfilled {
		return nil, ErrInvalidState.WithDetail("The order is %s: only what is paid and not sent yet can be changed.", o.Status)
	}
	var taken []LinePieces
	seen := map[string]bool{}
	for i, l := range r.Lines {
		line := o.line(l.LineID)
		wrong := func(detail string) error {
			return ErrQuantity.WithDetail("%s", detail).
				WithFields(errs.Field{Pointer: fmt.Sprintf("/lines/%d/quantity", i), Code: "invalid_quantity", Detail: detail})
		}
		if line == nil || seen[l.LineID] {
			return nil, errs.Validation(errs.Field{Pointer: fmt.Sprintf("/lines/%d/line_id", i), Code: "invalid", Detail: "not a line of the order, or named twice"})
		}
		seen[l.LineID] = true
		switch now := line.Quantity - line.Cancelled; {
		case l.Quantity > now:
			return nil, wrong("More pieces are added as articles, at the price of today: put them into add.")
		case l.Quantity < line.Fulfilled:
			return nil, wrong(fmt.Sprintf("%d pieces of the line were sent already.", line.Fulfilled))
		case l.Quantity < now:
			taken = append(taken, LinePieces{LineID: l.LineID, Quantity: now - l.Quantity})
		}
	}
	if len(taken) == 0 && len(r.Add) == 0 {
		return nil, errs.Validation(errs.Field{Pointer: "/lines", Code: "required", Detail: "Nothing would change."})
	}
	return taken, nil
}

func sumPieces(lines []LinePieces) int {
	n := 0
	for _, l := range lines {
		n += l.Quantity
	}
	return n
}

// edit draws and holds what is added, and writes the whole change if the order is still the one that was read.
func (s *Service) edit(ctx context.Context, seen *Order, r EditRequest, taken []LinePieces, supplementID ID, refundID string) (*Order, error) {
	lines := seen.refundLines(taken)
	worth := seen.atMostRefundable(sumOf(lines, seen.Currency))
	var added *addition
	if len(r.Add) > 0 {
		var err error
		if added, err = s.drawAddition(ctx, seen, Supplement{OrderID: supplementID, Kind: KindAddition}, r.Add, worth); err != nil {
			return nil, err
		}
	}
	refund := Refund{ID: refundID, Amount: worth, Lines: lines, Reason: becauseLinesCancelled, Actor: r.Actor}
	return s.holding(ctx, added, func() (*Order, error) {
		return s.amendAndRefund(ctx, seen.ID, Access{Staff: true}, func(tx pgx.Tx, o *Order) error {
			if o.Version != seen.Version {
				return errs.ErrStaleVersion
			}
			if err := s.writeTaken(ctx, tx, o, taken, r); err != nil {
				return err
			}
			if added != nil {
				if err := s.writeAddition(ctx, tx, o, added, r.Actor); err != nil {
					return err
				}
				refund.Amount = refund.Amount.Sub(added.Credit)
			}
			if refund.Amount.Minor == 0 {
				return nil
			}
			return s.promise(ctx, tx, o, refund, "")
		})
	})
}

// atMostRefundable bounds an amount by what is left of the order: a gesture before may have given some of it back.
func (o *Order) atMostRefundable(a money.Amount) money.Amount {
	if left := o.Refundable(); a.Minor > left.Minor {
		return left
	}
	return a
}

// writeTaken counts the pieces off their lines. When nothing is left to be sent after that, the order is fulfilled.
func (s *Service) writeTaken(ctx context.Context, tx pgx.Tx, o *Order, taken []LinePieces, r EditRequest) error {
	if len(taken) == 0 {
		return nil
	}
	if err := cancelPieces(ctx, tx, o, taken); err != nil {
		return err
	}
	for _, t := range taken {
		o.line(t.LineID).Cancelled += t.Quantity
	}
	ev := events.OrderLinesCancelled{OrderFacts: o.facts(s.now()), Taken: o.pieces(taken), Restock: []events.OrderPieces{}}
	if !r.Lost {
		ev.Restock = ev.Taken
	}
	if o.Unsent() > 0 {
		return s.note(ctx, tx, o, entry{kind: kindLinesCancelled, actor: r.Actor, note: r.Note, detail: fmt.Sprintf("%d pieces", sumPieces(taken))}, ev)
	}
	if err := s.move(ctx, tx, o, Fulfilled, kindLinesCancelled, r.Actor, "nothing is left to send", ev); err != nil {
		return err
	}
	if r.Note == "" {
		return nil
	}
	return s.note(ctx, tx, o, entry{kind: kindNote, actor: r.Actor, note: r.Note})
}

// finishEdit pays what was added where nothing is to be paid for it. A crash before it leaves that to the completer.
func (s *Service) finishEdit(ctx context.Context, o *Order, supplementID ID) (*Order, error) {
	if added := o.supplement(supplementID); added != nil && added.Status == PendingPayment && added.Total.IsZero() {
		if err := s.settleFree(ctx, supplementID); err != nil {
			s.log.WarnContext(ctx, "what was added is confirmed later", "order_id", supplementID, "error", err)
			return o, nil
		}
		return s.Order(ctx, o.ID, Access{Staff: true})
	}
	return o, nil
}
