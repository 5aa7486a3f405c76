package orders

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"shopd/internal/money"
)

// What the log of an order tells of; payment_failed, refunded, refund_failed, mail and erased are written by statements.
// Moves along its way have kinds of their own: placed, paid, fulfilled, lines_cancelled, cancelled, completed.
const (
	kindNote           = "note"
	kindReason         = "reason"
	kindAddress        = "address_changed"
	kindTracking       = "tracking_changed"
	kindLinesCancelled = "lines_cancelled"
	kindRefundPromised = "refund_promised"
	kindPayment        = "payment"
	kindDocument       = "document"
	kindReturn         = "return_" // with the state of the return behind it
)

// TimelineEntry is one thing that happened to an order, or to its payments, parcels, returns, mails and documents.
type TimelineEntry struct {
	At     time.Time     `json:"at"`
	Kind   string        `json:"kind" example:"paid" doc:"placed, paid, payment, payment_failed, fulfilled, tracking_changed, lines_cancelled, addition, exchange, return_requested, return_approved, return_received, return_rejected, return_cancelled, refund_promised, refunded, refund_failed, address_changed, mail, document, reason, note, erased, cancelled or completed. More may come."`
	Actor  string        `json:"actor" example:"customer:cus_…" doc:"shop, to shoppers, for whoever works there."`
	Detail string        `json:"detail,omitempty"`
	Ref    string        `json:"ref,omitempty" doc:"Id of what it is about: a parcel, return, refund, payment, order or document."`
	Amount *money.Amount `json:"amount,omitempty"`
	Note   string        `json:"note,omitempty" doc:"In the words of whoever did it."`
}

// Timeline returns everything that happened to an order, oldest first. Shoppers do not see the notes of staff.
func (s *Service) Timeline(ctx context.Context, id ID, a Access) ([]TimelineEntry, error) {
	o, err := s.Order(ctx, id, a)
	if err != nil {
		return nil, err
	}
	log, err := s.logOf(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("read the log of order %s: %w", id, err)
	}
	all := o.moves()
	for _, p := range o.Payments {
		amount := p.Amount
		all = append(all, TimelineEntry{At: p.CreatedAt, Kind: kindPayment, Actor: "system", Detail: strings.TrimSpace(p.Provider + " " + p.Status), Ref: p.ID, Amount: &amount})
	}
	for _, d := range o.Documents {
		all = append(all, TimelineEntry{At: d.IssuedAt, Kind: kindDocument, Actor: "system", Detail: d.Number, Ref: d.ID})
	}
	all = append(all, log...)
	slices.SortStableFunc(all, func(a, b TimelineEntry) int { return a.At.Compare(b.At) })
	if a.Staff {
		return all, nil
	}
	shown := make([]TimelineEntry, 0, len(all))
	for _, e := range all {
		if e.Kind == kindNote {
			continue
		}
		if shop := strings.HasPrefix(e.Actor, "staff:") || strings.HasPrefix(e.Actor, "api_key:"); shop {
			e.Actor = "shop"
			if e.Kind == kindReason || e.Kind == kindLinesCancelled {
				e.Note = "" // what staff wrote for each other
			}
		}
		shown = append(shown, e)
	}
	return shown, nil
}

// moves are the steps of the order along its way, with the parcels that went out.
func (o *Order) moves() []TimelineEntry {
	parcels := make(map[string]*Fulfilment, len(o.Fulfilments))
	for i := range o.Fulfilments {
		parcels[o.Fulfilments[i].ID] = &o.Fulfilments[i]
	}
	list := make([]TimelineEntry, len(o.History))
	for i, h := range o.History {
		list[i] = TimelineEntry{At: h.At, Kind: h.Kind, Actor: h.Actor, Detail: h.Detail}
		if p := parcels[h.Detail]; p != nil {
			list[i].Ref, list[i].Detail = p.ID, strings.TrimSpace(p.Carrier+" "+p.Tracking)
		}
	}
	return list
}

// readableHistory is the history with what people call a parcel in the place of its id.
func (o *Order) readableHistory() []HistoryEntry {
	list := slices.Clone(o.History)
	for i := range list {
		for _, f := range o.Fulfilments {
			if list[i].Detail == f.ID {
				list[i].Detail = strings.TrimSpace(f.Carrier + " " + f.Tracking)
			}
		}
	}
	return list
}
