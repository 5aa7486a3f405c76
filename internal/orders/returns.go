package orders

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
)

// ReturnStatus is where a return stands. The edges between them are in returnTransitions.
type ReturnStatus string

// The states of a return.
const (
	ReturnRequested ReturnStatus = "requested"
	ReturnApproved  ReturnStatus = "approved"
	ReturnReceived  ReturnStatus = "received"
	ReturnRejected  ReturnStatus = "rejected"
	ReturnCancelled ReturnStatus = "cancelled"
)

// returnTransitions lists every edge that a return may take.
var returnTransitions = map[ReturnStatus][]ReturnStatus{
	ReturnRequested: {ReturnApproved, ReturnRejected, ReturnCancelled},
	ReturnApproved:  {ReturnReceived, ReturnRejected, ReturnCancelled},
}

// May reports whether a return in state s may go to next.
func (s ReturnStatus) May(next ReturnStatus) bool { return slices.Contains(returnTransitions[s], next) }

// open reports whether the goods may still come.
func (s ReturnStatus) open() bool { return len(returnTransitions[s]) > 0 }

// returnSources are the states from which a return may go to next.
func returnSources(next ReturnStatus) []string {
	var from []string
	for s := range returnTransitions {
		if s.May(next) {
			from = append(from, string(s))
		}
	}
	return from
}

// Return is goods of an order that come back.
type Return struct {
	ID      string       `json:"id"`
	Status  ReturnStatus `json:"status" enum:"requested,approved,received,rejected,cancelled"`
	Reason  string       `json:"reason" enum:"damaged,wrong_article,not_as_described,does_not_fit,changed_mind,other"`
	Note    string       `json:"note,omitempty" doc:"In the words of whoever asked for it."`
	Lines   []ReturnLine `json:"lines"`
	Wanted  []Wanted     `json:"exchange" doc:"What is wanted instead; empty for the money."`
	Refund  string       `json:"refund_id,omitempty"`
	Instead ID           `json:"exchange_order_id,omitempty"`
	Actor   string       `json:"actor,omitempty"`
	At      time.Time    `json:"created_at"`
	Changed time.Time    `json:"updated_at"`
}

// ReturnLine says what of a line comes back.
type ReturnLine struct {
	LineID    string `json:"line_id"`
	Quantity  int    `json:"quantity" minimum:"1" maximum:"9999"`
	Received  int    `json:"received_quantity"`
	Restocked int    `json:"restocked_quantity" doc:"Of those received, what can be sold again."`
}

// ReturnRequest asks to give goods back.
type ReturnRequest struct {
	Lines  []LinePieces
	Reason string
	Note   string
	Wanted []Wanted
	Actor  string
	Key    string // of the request: the same one again makes no second return
}

// RequestReturn begins a return of goods that were sent. What staff begin is approved by that; a shopper has time until
// the shop's return window closes. The errors are ErrInvalidState, ErrReturnWindow and ErrQuantity for pieces that were not
// sent, or are on their way back already.
func (s *Service) RequestReturn(ctx context.Context, orderID ID, a Access, r ReturnRequest) (*Order, error) {
	if err := checkNote("/note", r.Note); err != nil {
		return nil, err
	}
	ret := Return{
		ID: rowID("ret", orderID, r.Actor, r.Key), Status: ReturnRequested, Reason: r.Reason, Wanted: r.Wanted, Actor: r.Actor, Note: r.Note,
		At: s.now(), Changed: s.now(),
	}
	if a.Staff {
		ret.Status = ReturnApproved
	}
	return s.amend(ctx, orderID, a, func(tx pgx.Tx, o *Order) error {
		if o.theReturn(ret.ID) != nil {
			return nil // the request came before
		}
		if err := s.mayReturn(o, a); err != nil {
			return err
		}
		var err error
		if ret.Lines, err = o.returnLines(r.Lines); err != nil {
			return err
		}
		note, err := s.sealNote(ctx, o, r.Note)
		if err != nil {
			return err
		}
		if err := insertReturn(ctx, tx, o.ID, ret, note); err != nil {
			return fmt.Errorf("write return %s: %w", ret.ID, err)
		}
		return s.noteReturn(ctx, tx, o, ret, r.Actor, "", nil)
	})
}

// mayReturn refuses what never arrived, and a shopper who comes too late.
func (s *Service) mayReturn(o *Order, a Access) error {
	switch o.Status {
	case PartiallyFulfilled, Fulfilled:
	case Completed:
		if !a.Staff {
			return ErrReturnWindow
		}
	default:
		return ErrInvalidState.WithDetail("The order is %s: nothing of it was sent.", o.Status)
	}
	if by := s.ReturnBy(o); !a.Staff && s.now().After(by) {
		return ErrReturnWindow
	}
	return nil
}

// ReturnBy is until when a shopper may ask to give goods of o back; the zero time when nothing was sent, or it is completed.
func (s *Service) ReturnBy(o *Order) time.Time {
	n := len(o.Fulfilments)
	if n == 0 || o.Status != PartiallyFulfilled && o.Status != Fulfilled {
		return time.Time{}
	}
	return o.Fulfilments[n-1].At.Add(s.returnWindow)
}

// theReturn finds a return by its id; nil when there is none.
func (o *Order) theReturn(id string) *Return {
	for i := range o.Returns {
		if o.Returns[i].ID == id {
			return &o.Returns[i]
		}
	}
	return nil
}

// Returnable counts the pieces of a line that were sent, were not given back, and are not on their way back.
func (o *Order) Returnable(lineID string) int {
	line := o.line(lineID)
	if line == nil {
		return 0
	}
	n := line.Fulfilled - line.Returned
	for _, r := range o.Returns {
		if !r.Status.open() {
			continue
		}
		for _, l := range r.Lines {
			if l.LineID == lineID {
				n -= l.Quantity
			}
		}
	}
	return n
}

func (o *Order) returnLines(wanted []LinePieces) ([]ReturnLine, error) {
	lines := make([]ReturnLine, 0, len(wanted))
	seen := map[string]bool{}
	for i, w := range wanted {
		left := o.Returnable(w.LineID)
		if seen[w.LineID] || w.Quantity < 1 || w.Quantity > left {
			return nil, ErrQuantity.WithDetail("%d pieces of line %s can be given back.", left, w.LineID).
				WithFields(errs.Field{Pointer: fmt.Sprintf("/lines/%d/quantity", i), Code: "invalid_quantity", Detail: "more than can be given back"})
		}
		seen[w.LineID] = true
		lines = append(lines, ReturnLine{LineID: w.LineID, Quantity: w.Quantity})
	}
	if len(lines) == 0 {
		return nil, errs.Validation(errs.Field{Pointer: "/lines", Code: "required", Detail: "Say what is to come back."})
	}
	return lines, nil
}

// noteReturn keeps where a return went, and tells of it.
func (s *Service) noteReturn(ctx context.Context, tx pgx.Tx, o *Order, r Return, actor, note string, restock []LinePieces) error {
	ev := events.ReturnChanged{OrderFacts: o.facts(s.now()), ReturnID: r.ID, Status: string(r.Status), Restock: o.pieces(restock)}
	return s.note(ctx, tx, o, entry{kind: kindReturn + string(r.Status), actor: actor, ref: r.ID, detail: r.Reason, note: note}, ev)
}

// ApproveReturn says that the goods may come.
func (s *Service) ApproveReturn(ctx context.Context, orderID ID, returnID, actor, note string) (*Order, error) {
	return s.moveReturn(ctx, orderID, returnID, Access{Staff: true}, ReturnApproved, actor, note)
}

// RejectReturn says that they may not, or that what came is not taken back; it ends the return.
func (s *Service) RejectReturn(ctx context.Context, orderID ID, returnID, actor, note string) (*Order, error) {
	return s.moveReturn(ctx, orderID, returnID, Access{Staff: true}, ReturnRejected, actor, note)
}

// CancelReturn ends a return because the goods stay where they are.
func (s *Service) CancelReturn(ctx context.Context, orderID ID, returnID string, a Access) (*Order, error) {
	return s.moveReturn(ctx, orderID, returnID, a, ReturnCancelled, a.actor(), "")
}

func (s *Service) moveReturn(ctx context.Context, orderID ID, returnID string, a Access, next ReturnStatus, actor, note string) (*Order, error) {
	if err := checkNote("/note", note); err != nil {
		return nil, err
	}
	return s.amend(ctx, orderID, a, func(tx pgx.Tx, o *Order) error {
		r, err := o.returnThatMay(returnID, next)
		if err != nil {
			return err
		}
		r.Status, r.Changed = next, s.now()
		if err := updateReturn(ctx, tx, *r); err != nil {
			return fmt.Errorf("move return %s to %s: %w", r.ID, next, err)
		}
		return s.noteReturn(ctx, tx, o, *r, actor, note, nil)
	})
}

// returnThatMay finds a return that may go to next.
func (o *Order) returnThatMay(id string, next ReturnStatus) (*Return, error) {
	r := o.theReturn(id)
	if r == nil {
		return nil, errs.ErrNotFound
	}
	if !r.Status.May(next) {
		return nil, ErrInvalidState.WithDetail("The return is %s and cannot become %s.", r.Status, next)
	}
	return r, nil
}

// Receipt says what came back, and what is given for it.
type Receipt struct {
	Lines     []ReceivedLine // everything that was announced, to be sold again, when there are none
	Shipping  bool           // the shipping of the order goes back too
	Deduction money.Amount   // kept for wear; zero for nothing
	// MoneyOnly gives money back also where an exchange was asked for, for instance because nothing is left of it.
	MoneyOnly bool
	Note      string
	Actor     string
}

// ReceivedLine says how many pieces of a line arrived.
type ReceivedLine struct {
	LineID   string `json:"line_id" maxLength:"60"`
	Quantity int    `json:"quantity" minimum:"0" maximum:"9999"`
	Restock  bool   `json:"restock" doc:"Whether they can be sold again."`
}

// ReceiveReturn ends a return with what arrived: it goes back onto the shelf or not, and its money goes back, with its part
// of discount and tax, or pays for what was asked for in exchange. Where that is dearer, the shopper is asked for the
// difference; where it is cheaper, the rest goes back. Receiving twice gives once.
func (s *Service) ReceiveReturn(ctx context.Context, orderID ID, returnID string, r Receipt) (*Order, error) {
	if err := checkNote("/note", r.Note); err != nil {
		return nil, err
	}
	supplement := ID(id.Derive("ord", returnID))
	for attempt := 1; ; attempt++ {
		o, err := s.Order(ctx, orderID, Access{Staff: true})
		if err != nil {
			return nil, err
		}
		ret, err := o.returnThatMay(returnID, ReturnReceived)
		if err != nil {
			return nil, err
		}
		done, err := s.receive(ctx, o, *ret, r, supplement)
		if errors.Is(err, errs.ErrStaleVersion) && attempt < cartAttempts {
			continue
		}
		if err != nil {
			return nil, err
		}
		return s.finishEdit(ctx, done, supplement)
	}
}

func (s *Service) receive(ctx context.Context, seen *Order, ret Return, r Receipt, supplement ID) (*Order, error) {
	arrived, restock, err := ret.accept(r.Lines)
	if err != nil {
		return nil, err
	}
	refund, err := seen.refundFor(ret, arrived, r)
	if err != nil {
		return nil, err
	}
	var instead *addition
	if len(ret.Wanted) > 0 && !r.MoneyOnly && len(arrived) > 0 {
		spec := Supplement{OrderID: supplement, Kind: KindExchange, ReturnID: ret.ID}
		if instead, err = s.drawAddition(ctx, seen, spec, ret.Wanted, refund.Amount); err != nil {
			return nil, err
		}
		ret.Instead = supplement
	}
	ret.Status, ret.Changed = ReturnReceived, s.now()
	return s.holding(ctx, instead, func() (*Order, error) {
		return s.amendAndRefund(ctx, seen.ID, Access{Staff: true}, func(tx pgx.Tx, o *Order) error {
			if o.Version != seen.Version {
				return errs.ErrStaleVersion
			}
			return s.writeReceived(ctx, tx, o, received{ret, arrived, restock, refund, instead, r})
		})
	})
}

// received is everything that receiving a return writes.
type received struct {
	ret     Return
	arrived []LinePieces
	restock []LinePieces
	refund  Refund
	instead *addition
	receipt Receipt
}

func (s *Service) writeReceived(ctx context.Context, tx pgx.Tx, o *Order, r received) error {
	if err := returnPieces(ctx, tx, o, r.arrived); err != nil {
		return err
	}
	refund := r.refund
	if r.instead != nil {
		if err := s.writeAddition(ctx, tx, o, r.instead, r.receipt.Actor); err != nil {
			return err
		}
		refund.Amount = refund.Amount.Sub(r.instead.Credit)
	}
	if refund.Amount.Minor > 0 {
		refund.Shipping = minAmount(refund.Shipping, refund.Amount)
		if err := s.promise(ctx, tx, o, refund, ""); err != nil {
			return err
		}
		r.ret.Refund = refund.ID
	}
	if err := updateReturn(ctx, tx, r.ret); err != nil {
		return fmt.Errorf("receive return %s: %w", r.ret.ID, err)
	}
	return s.noteReturn(ctx, tx, o, r.ret, r.receipt.Actor, r.receipt.Note, r.restock)
}

func minAmount(a, b money.Amount) money.Amount {
	if b.Minor < a.Minor {
		return b
	}
	return a
}

// accept notes in the return what arrived, and says which pieces that are and which of them can be sold again.
func (r *Return) accept(lines []ReceivedLine) (arrived, restock []LinePieces, err error) {
	r.Lines = slices.Clone(r.Lines)
	if len(lines) == 0 {
		for _, l := range r.Lines {
			lines = append(lines, ReceivedLine{LineID: l.LineID, Quantity: l.Quantity, Restock: true})
		}
	}
	seen := map[string]bool{}
	for i, got := range lines {
		at := slices.IndexFunc(r.Lines, func(l ReturnLine) bool { return l.LineID == got.LineID })
		if at < 0 || seen[got.LineID] || got.Quantity < 0 || got.Quantity > r.Lines[at].Quantity {
			return nil, nil, ErrQuantity.WithDetail("So many pieces of line %s were not announced.", got.LineID).
				WithFields(errs.Field{Pointer: fmt.Sprintf("/lines/%d/quantity", i), Code: "invalid_quantity", Detail: "more than was announced"})
		}
		seen[got.LineID] = true
		if got.Quantity == 0 {
			continue
		}
		r.Lines[at].Received = got.Quantity
		pieces := LinePieces{LineID: got.LineID, Quantity: got.Quantity}
		arrived = append(arrived, pieces)
		if got.Restock {
			r.Lines[at].Restocked = got.Quantity
			restock = append(restock, pieces)
		}
	}
	return arrived, restock, nil
}

// refundFor is what is given for goods that came back: their part of what was charged, with the shipping if that is
// wanted, less what is kept, and at most what is left of the order.
func (o *Order) refundFor(ret Return, arrived []LinePieces, r Receipt) (Refund, error) {
	refund := Refund{
		ID: id.Derive("ref", ret.ID), Lines: o.refundLines(arrived), Shipping: money.New(0, o.Currency), Reason: becauseReturn, ReturnID: ret.ID, Actor: r.Actor,
	}
	if r.Shipping {
		refund.Shipping = o.Totals.Shipping.Sub(o.ShippingRefunded)
	}
	refund.Amount = sumOf(refund.Lines, o.Currency).Add(refund.Shipping)
	if r.Deduction.Minor == 0 {
		refund.Amount = o.atMostRefundable(refund.Amount)
		return refund, nil
	}
	if r.Deduction.Currency != o.Currency || r.Deduction.Minor < 0 || r.Deduction.Minor > refund.Amount.Minor {
		return refund, errDeduction
	}
	refund.Amount = o.atMostRefundable(refund.Amount.Sub(r.Deduction))
	return refund, nil
}

var errDeduction = errs.New(errs.Invalid, "invalid_money", "No more can be kept than would go back.").
	WithFields(errs.Field{Pointer: "/deduction", Code: "invalid_money", Detail: "more than would go back"})

// OpenReturn is a return in the list of those that wait for the shop.
type OpenReturn struct {
	Return
	OrderID ID    `json:"order_id"`
	Number  int64 `json:"order_number"`
}

// OpenReturns lists the returns that are not ended, the oldest first, with where the next page begins.
func (s *Service) OpenReturns(ctx context.Context, after string, limit int) ([]OpenReturn, string, error) {
	from, err := parseCursorOf("ret", after)
	if err != nil {
		return nil, "", err
	}
	list, err := s.openReturns(ctx, from, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("list returns: %w", err)
	}
	if len(list) <= limit {
		return list, "", nil
	}
	list = list[:limit]
	last := list[limit-1]
	return list, cursor{At: last.At, ID: ID(last.ID)}.String(), nil
}
