package orders

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/broker"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
)

// SupplementKind says why an order belongs to another.
type SupplementKind string

// The kinds: what was added to an order, and what goes out for what came back.
const (
	KindAddition SupplementKind = "addition"
	KindExchange SupplementKind = "exchange"
)

// Supplement is an order that belongs to another one. Each of the two has at most one payment, of its own total.
type Supplement struct {
	OrderID  ID             `json:"order_id"`
	ParentID ID             `json:"parent_id"`
	Kind     SupplementKind `json:"kind" enum:"addition,exchange"`
	ReturnID string         `json:"return_id,omitempty"`
	Credit   money.Amount   `json:"credit" doc:"What of the other order's money pays for this one."`
	Number   int64          `json:"number"`
	Status   Status         `json:"status"`
	Total    money.Amount   `json:"total" doc:"What is paid for it beyond the credit."`
	Secret   string         `json:"secret,omitempty" doc:"Opens it for a guest: send it as X-Order-Secret."`
}

// supplement finds an order that belongs to o; nil when there is none.
func (o *Order) supplement(id ID) *Supplement {
	for i := range o.Supplements {
		if o.Supplements[i].OrderID == id {
			return &o.Supplements[i]
		}
	}
	return nil
}

// addition is an order to be that belongs to another one.
type addition struct {
	Supplement
	order   *Order
	contact []byte
}

// drawAddition makes an order of what is wanted besides parent, without writing it. worth is what the shopper has paid
// already for what they give up: it pays for as much of the new order as it covers.
func (s *Service) drawAddition(ctx context.Context, parent *Order, spec Supplement, wanted []Wanted, worth money.Amount) (*addition, error) {
	if parent.Contact.Email == "" {
		return nil, ErrInvalidState.WithDetail("The customer was erased: nothing more can be sent to them.")
	}
	lines, err := s.drawLines(ctx, parent.Currency, wanted)
	if err != nil {
		return nil, err
	}
	cart := CartID(id.Derive("cart", string(spec.OrderID)))
	zero := money.New(0, parent.Currency)
	o := &Order{
		ID: spec.OrderID, CartID: cart, CartVersion: 1, CustomerID: parent.CustomerID, Status: PendingPayment, Currency: parent.Currency, Lines: lines,
		Contact: parent.Contact, Method: ShippingMethod{ID: parent.Method.ID, Name: parent.Method.Name, Price: zero}, Version: 1, PlacedAt: s.now(),
	}
	a := &addition{Supplement: spec, order: o}
	if a.Credit, err = s.settleAgainst(ctx, o, worth); err != nil {
		return nil, err
	}
	a.ParentID, a.Total = parent.ID, o.Totals.Total
	a.contact, err = s.sealContact(ctx, o.subject(), cart, o.Contact)
	return a, err
}

// drawLines prices articles as they are today.
func (s *Service) drawLines(ctx context.Context, currency money.Currency, wanted []Wanted) ([]Line, error) {
	refs := make([]string, len(wanted))
	for i, w := range wanted {
		refs[i] = w.ref()
	}
	found, err := s.catalog.Articles(ctx, refs)
	if err != nil {
		return nil, err
	}
	byRef := make(map[string]Article, 2*len(found))
	variants := make([]string, len(found))
	for i, a := range found {
		byRef[a.VariantID], byRef[a.SKU], variants[i] = a, a, a.VariantID
	}
	prices, err := s.pricing.Charge(ctx, currency, variants)
	if err != nil {
		return nil, err
	}
	var lines []Line
	at := map[string]int{}
	for i, w := range wanted {
		a, ok := byRef[w.ref()]
		if !ok || !a.Purchasable {
			return nil, ErrNotPurchasable.WithFields(errs.Field{Pointer: fmt.Sprintf("/add/%d", i), Code: "not_purchasable", Detail: w.ref()})
		}
		price, ok := prices[a.VariantID]
		if !ok {
			return nil, ErrCurrency.WithDetail("%s has no price in %s.", a.Title, currency)
		}
		n, known := at[a.VariantID]
		if !known {
			n = len(lines)
			at[a.VariantID] = n
			c := newCartLine(a, price)
			lines = append(lines, Line{
				ID: c.ID, VariantID: a.VariantID, SKU: a.SKU, ProductID: a.ProductID, Slug: a.Slug, Title: a.Title, Options: a.Options, Image: a.Image, UnitPrice: price.Amount,
			})
		}
		lines[n].Quantity += w.Quantity
		if w.Quantity < 1 || lines[n].Quantity > MaxQuantity {
			return nil, ErrQuantity
		}
	}
	if len(lines) > MaxLines {
		return nil, ErrCartLimit
	}
	return lines, nil
}

// settleAgainst sums o up so that worth pays for as much of it as it covers, as a discount on each line by its size, and
// returns how much of worth that took: never more than there is.
func (s *Service) settleAgainst(ctx context.Context, o *Order, worth money.Amount) (credit money.Amount, err error) {
	zero := money.New(0, o.Currency)
	weights := make([]int64, len(o.Lines))
	subtotal := zero
	for i, l := range o.Lines {
		gross := l.UnitPrice.Times(int64(l.Quantity))
		weights[i], subtotal = gross.Minor, subtotal.Add(gross)
	}
	full, err := s.sumUp(ctx, o, zero.Allocate(weights))
	if err != nil || worth.Minor <= 0 {
		return zero, err
	}
	discount := subtotal
	if worth.Minor < full.Minor {
		discount = subtotal.Share(worth.Minor, full.Minor)
	}
	for {
		left, err := s.sumUp(ctx, o, discount.Allocate(weights))
		if err != nil {
			return zero, err
		}
		// Tax is rounded line by line, so the discount may come out a little dearer than what there is.
		if credit = full.Sub(left); credit.Minor <= worth.Minor || discount.Minor == 0 {
			return credit, nil
		}
		discount.Minor--
	}
}

// sumUp gives each line its discount and computes tax and totals. It returns the total.
func (s *Service) sumUp(ctx context.Context, o *Order, discounts []money.Amount) (money.Amount, error) {
	zero := money.New(0, o.Currency)
	net := make([]money.Amount, len(o.Lines))
	for i, l := range o.Lines {
		net[i] = l.UnitPrice.Times(int64(l.Quantity)).Sub(discounts[i])
	}
	to := o.Contact.Shipping
	tax, err := s.pricing.Tax(ctx, TaxRequest{Currency: o.Currency, Country: to.Country, Region: to.Region, Lines: net, Shipping: zero})
	if err != nil {
		return zero, err
	}
	t := Totals{Subtotal: zero, Discount: zero, Shipping: zero, Tax: zero, TaxIncluded: tax.Included, Total: zero}
	for i := range o.Lines {
		l := &o.Lines[i]
		l.Discount, l.Tax, l.Total = discounts[i], tax.Lines[i], net[i].Add(tax.Lines[i])
		t.Subtotal, t.Discount, t.Tax = t.Subtotal.Add(l.UnitPrice.Times(int64(l.Quantity))), t.Discount.Add(l.Discount), t.Tax.Add(l.Tax)
	}
	t.Total = t.Subtotal.Sub(t.Discount).Add(t.Tax)
	o.Totals = t
	if t.Subtotal.Minor > money.MaxMinor {
		return zero, ErrCartLimit
	}
	return t.Total, nil
}

// holding reserves the stock of an addition, if there is one, while write writes it. What is not written is given back at
// once when that is certain, and otherwise when nobody finds an order for it.
func (s *Service) holding(ctx context.Context, a *addition, write func() (*Order, error)) (*Order, error) {
	if a == nil {
		return write()
	}
	pieces := map[string]int64{}
	for _, l := range a.order.Lines {
		pieces[l.SKU] += int64(l.Quantity)
	}
	// For no longer than any order: while this one waits to be paid, the completer keeps its stock.
	if err := s.stock.Reserve(ctx, string(a.OrderID), pieces, s.ttl+holdMargin); err != nil {
		return nil, err
	}
	o, err := write()
	if err != nil && errs.KindOf(err) != errs.Internal {
		if failed := s.stock.Release(context.WithoutCancel(ctx), string(a.OrderID), "order not placed"); failed != nil {
			s.log.WarnContext(ctx, "stock stays reserved until its time ends", "order_id", a.OrderID, "error", failed)
		}
	}
	return o, err
}

// writeAddition writes the order that belongs to parent, counts its credit as spent, and asks the shopper for the rest.
func (s *Service) writeAddition(ctx context.Context, tx pgx.Tx, parent *Order, a *addition, actor string) error {
	if left := parent.Refundable(); a.Credit.Minor > left.Minor {
		return errs.ErrStaleVersion // money went back in between
	}
	number, err := nextNumber(ctx, tx)
	if err != nil {
		return err
	}
	o := a.order
	o.Number, a.Number, a.Status = number, number, PendingPayment
	facts := o.facts(o.PlacedAt)
	facts.Version = 1
	evs := []events.Event{events.OrderPlaced{OrderFacts: facts}}
	if o.Totals.Total.Minor > 0 {
		evs = append(evs, events.PaymentRequested{OrderFacts: facts, ParentID: string(parent.ID)})
	}
	if err := s.insertAddition(ctx, tx, a, actor, o.PlacedAt.Add(s.payTime(o)), evs); err != nil {
		return fmt.Errorf("write order %s that belongs to %s: %w", o.ID, parent.ID, err)
	}
	parent.Credited, parent.Supplements = parent.Credited.Add(a.Credit), append(parent.Supplements, a.Supplement)
	return s.note(ctx, tx, parent, entry{kind: string(a.Kind), actor: actor, ref: string(o.ID), detail: o.describe(), amount: &o.Totals.Total})
}

// payTime is how long a shopper has to pay an order that staff made for them. One that costs nothing is confirmed by the
// same request, or by the completer soon after.
func (s *Service) payTime(o *Order) time.Duration {
	if o.Totals.Total.IsZero() {
		return promisedPatience
	}
	return manualTTL
}

// settleFree confirms an order that costs nothing.
func (s *Service) settleFree(ctx context.Context, id ID) error {
	o, err := s.Order(ctx, id, Access{Staff: true})
	if err != nil || o.Status != PendingPayment {
		return err
	}
	_, err = s.pay(ctx, o, CompleteRequest{Provider: manualProvider})
	if errors.Is(err, ErrAlreadyPaid) || errors.Is(err, ErrPaymentInProgress) {
		return nil // somebody else is about it
	}
	return err
}

// manualProvider is always there: it takes what costs nothing too.
const manualProvider = "manual"

// returnCredit gives what paid for a cancelled order back to the order it came from, and from there to the buyer.
func (s *Service) returnCredit(ctx context.Context, batch []events.Envelope) error {
	for _, env := range batch {
		ev, err := events.Open[events.OrderCancelled](env)
		if err != nil {
			return broker.Unreadable(err)
		}
		child, err := s.supplementOf(ctx, ID(ev.OrderID))
		if err != nil {
			return fmt.Errorf("read what order %s belongs to: %w", ev.OrderID, err)
		}
		if child == nil || child.Credit.Minor == 0 {
			continue
		}
		if _, err := s.amendAndRefund(ctx, child.ParentID, Access{Staff: true}, func(tx pgx.Tx, o *Order) error {
			return s.creditBack(ctx, tx, o, *child)
		}); err != nil {
			return fmt.Errorf("give the credit of order %s back: %w", ev.OrderID, err)
		}
	}
	return nil
}

func (s *Service) creditBack(ctx context.Context, tx pgx.Tx, parent *Order, child Supplement) error {
	refund := Refund{
		ID: id.Derive("ref", string(child.OrderID)+"/credit"), Amount: child.Credit, Lines: []RefundLine{}, Reason: becauseExchangeCancelled,
		ReturnID: child.ReturnID, Actor: "system",
	}
	if parent.refund(refund.ID) != nil {
		return nil
	}
	if err := takeBackCredit(ctx, tx, parent.ID, child.Credit.Minor); err != nil {
		return err
	}
	parent.Credited = parent.Credited.Sub(child.Credit)
	return s.promise(ctx, tx, parent, refund, "")
}
