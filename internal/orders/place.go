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
	"shopd/internal/platform/outbox"
)

// CompleteRequest makes an order of a cart and pays it.
type CompleteRequest struct {
	CartID   CartID
	Access   Access
	Provider string
	Method   string
	// IdempotencyKey names the request of this caller: the same one again finds the order that it made.
	IdempotencyKey string
	// ReturnURL is where a gateway sends the shopper back to.
	ReturnURL string
	// CartVersion is the version the shopper has seen; zero for whichever there is.
	CartVersion int64
}

// Placed is what completing a cart gave.
type Placed struct {
	Order   *Order
	Secret  string // opens the order for a guest
	Payment Payment
}

// Complete makes an order of a cart and asks for its money. It goes in steps, each of which can be repeated and
// has an undo; the completer ends what a crash left:
//
//  1. pricing counts the uses of promotions with a limit, where the cart has any (undone by giving them back)
//  2. inventory reserves the stock (undone by releasing it: nobody finds an order for it when its time is up)
//  3. the order and its event are written, if the cart is still the one that was priced (undone by cancelling)
//  4. payments asks the gateway (what is not answered is looked up)
//  5. the order is marked as paid
//
// The errors are ErrInvalidState, ErrNotPurchasable, ErrPriceChanged, ErrCartChanged, ErrCouponExhausted, ErrOutOfStock,
// ErrPaymentDeclined (the order waits for another try), ErrPaymentInProgress, ErrAlreadyPaid and
// ErrPaymentUnavailable. A payment without an answer is no error: the payment's status is "unknown".
func (s *Service) Complete(ctx context.Context, r CompleteRequest) (*Placed, error) {
	start := s.now()
	placed, err := s.complete(ctx, r)
	outcome := "paid"
	switch {
	case err != nil && errs.KindOf(err) == errs.Internal:
		outcome = "error"
	case err != nil:
		outcome = "refused"
	case placed.Order.Status == PendingPayment:
		outcome = "pending"
	}
	s.metrics.processing.WithLabelValues(outcome).Observe(s.now().Sub(start).Seconds())
	return placed, err
}

func (s *Service) complete(ctx context.Context, r CompleteRequest) (*Placed, error) {
	if !s.payments.Offers(r.Provider, r.Method) {
		return nil, errUnknownPayment
	}
	c, open, err := s.loadForOrder(ctx, r.CartID)
	if err != nil {
		return nil, err
	}
	if !r.Access.opensCart(c) {
		return nil, errs.ErrNotFound
	}
	if r.CartVersion != 0 && r.CartVersion != c.Version {
		return nil, ErrCartChanged
	}
	request := digest(r)
	if open != nil {
		again, err := s.resume(ctx, c, open, request, r)
		if again != nil || err != nil {
			return again, err
		}
		if c, _, err = s.loadForOrder(ctx, r.CartID); err != nil {
			return nil, err
		}
	}
	o, err := s.place(ctx, c, request, r.Access.actor())
	if err != nil {
		return nil, err
	}
	return s.pay(ctx, o, r)
}

var errUnknownPayment = errs.New(errs.Invalid, "unknown_payment_method", "There is no such way to pay.").
	WithFields(errs.Field{Pointer: "/payment", Code: "unknown_payment_method", Detail: "see the shop's payment methods"})

// reasonReplaced is why an unpaid order ends whose cart is ordered anew. The shopper hears of the new one only.
const reasonReplaced = "replaced by a newer order of the cart"

// resume goes on with the order that the cart already became. It returns nothing when that order had to make room
// for a new one.
func (s *Service) resume(ctx context.Context, c *storedCart, open *openOrder, request []byte, r CompleteRequest) (*Placed, error) {
	o, err := s.Order(ctx, open.id, Access{Staff: true})
	if err != nil {
		return nil, err
	}
	same := slices.Equal(open.request, request)
	latest := o.latestPayment()
	if o.Status != PendingPayment {
		if same {
			return s.placed(o, latest), nil
		}
		return nil, ErrAlreadyPaid
	}
	switch latest.Status {
	case "captured":
		if err := s.settle(ctx, o, latest.ID); err != nil {
			return nil, err
		}
		return s.resume(ctx, c, open, request, r)
	case "sending", "unknown":
		if same && latest.Status == "unknown" {
			return s.placed(o, latest), nil
		}
		return nil, ErrPaymentInProgress
	case "requires_action", "created":
		if same {
			if _, err := s.keep(ctx, o); err != nil {
				return nil, err
			}
			return s.placed(o, latest), nil
		}
	}
	if o.CartVersion == c.Version {
		held, err := s.keep(ctx, o)
		if err != nil {
			return nil, err
		}
		if held {
			return s.pay(ctx, o, r)
		}
	}
	if _, err := s.cancel(ctx, o, reasonReplaced, r.Access.actor()); err != nil {
		return nil, err
	}
	return nil, nil
}

// place reserves the stock and writes the order.
func (s *Service) place(ctx context.Context, c *storedCart, request []byte, actor string) (*Order, error) {
	if err := s.ready(ctx, c); err != nil {
		return nil, err
	}
	claims, err := s.stillDiscounted(ctx, c)
	if err != nil {
		return nil, err
	}
	o, err := s.draw(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := s.redeem(ctx, o, claims); err != nil {
		return nil, err
	}
	pieces := make(map[string]int64, len(o.Lines))
	for _, l := range o.Lines {
		pieces[l.SKU] += int64(l.Quantity)
	}
	if err := s.stock.Reserve(ctx, string(o.ID), pieces, s.ttl+holdMargin); err != nil {
		if len(claims) > 0 {
			s.unredeem(ctx, o.ID)
		}
		return nil, err
	}
	// A relaxed commit will do: before anybody hears of the order, payments commits that it is being paid, and with it
	// everything before.
	err = s.insertOrder(ctx, s.carts, o, c.sealed, request, actor, o.PlacedAt.Add(s.ttl))
	if err == nil {
		outbox.Wake()
		return o, nil
	}
	if errs.KindOf(err) == errs.Conflict {
		// Surely not written: give the stock back at once instead of waiting for its time to end.
		if err := s.stock.Release(context.WithoutCancel(ctx), string(o.ID), "order not placed"); err != nil {
			s.log.WarnContext(ctx, "stock stays reserved until its time ends", "order_id", o.ID, "error", err)
		}
		if len(claims) > 0 {
			s.unredeem(ctx, o.ID)
		}
	}
	return nil, err
}

// keep gives a shopper who is busy paying a whole time again, for the order and for its stock, and not beyond
// longestHold since it was placed. held is false when the stock is not held any more.
func (s *Service) keep(ctx context.Context, o *Order) (held bool, err error) {
	now := s.now()
	until := now.Add(s.ttl)
	if last := o.PlacedAt.Add(max(longestHold, s.ttl)); until.After(last) {
		until = last
	}
	held, err = s.stock.Extend(ctx, string(o.ID), until.Sub(now)+holdMargin)
	if err != nil || !held {
		return held, err
	}
	if err := s.keepOpen(ctx, o.ID, until); err != nil {
		return false, fmt.Errorf("keep order %s open: %w", o.ID, err)
	}
	return true, nil
}

// longestHold bounds how long trying to pay again and again keeps stock from others.
const longestHold = time.Hour

// holdMargin keeps stock a little longer than its order may stay unpaid, so that the order ends first.
const holdMargin = time.Minute

// ready checks the cart against what holds now.
func (s *Service) ready(ctx context.Context, c *storedCart) error {
	switch {
	case c.Empty():
		return ErrInvalidState.WithDetail("The cart is empty.")
	case c.Contact == nil:
		return ErrInvalidState.WithDetail("The cart has no address yet.")
	case c.Method == nil:
		return ErrInvalidState.WithDetail("The cart has no shipping method yet.")
	}
	variants := variantsOf(c.Lines)
	prices, err := s.pricing.Charge(ctx, c.Currency, variants)
	if err != nil {
		return err
	}
	articles, err := s.catalog.Articles(ctx, variants)
	if err != nil {
		return err
	}
	purchasable := make(map[string]bool, len(articles))
	for _, a := range articles {
		purchasable[a.VariantID] = a.Purchasable
	}
	var changed []errs.Field
	for _, l := range c.Lines {
		if !purchasable[l.VariantID] {
			return ErrNotPurchasable.WithDetail("%s is not sold any more. Take it out of the cart.", l.Title).
				WithFields(errs.Field{Pointer: "/lines/" + l.ID, Code: "not_purchasable", Detail: l.Title})
		}
		if p, ok := prices[l.VariantID]; !ok || p.Amount != l.UnitPrice {
			changed = append(changed, errs.Field{
				Pointer: "/lines/" + l.ID, Code: "price_changed", Detail: fmt.Sprintf("%s: %s, now %s", l.Title, l.UnitPrice, p.Amount),
			})
		}
	}
	if len(changed) > 0 {
		return ErrPriceChanged.WithFields(changed...)
	}
	return nil
}

// draw makes the order that the cart says, without writing it.
func (s *Service) draw(ctx context.Context, c *storedCart) (*Order, error) {
	net := make([]money.Amount, len(c.Lines))
	for i, l := range c.Lines {
		net[i] = l.Total
	}
	tax, err := s.taxOf(ctx, &c.Cart, net)
	if err != nil {
		return nil, err
	}
	o := &Order{
		ID: ID(id.New("ord")), Number: c.number, CartID: c.ID, CartVersion: c.Version, CustomerID: c.CustomerID, Status: PendingPayment, Currency: c.Currency,
		Contact: *c.Contact, Method: *c.Method, Promotions: c.Promotions, Version: 1, PlacedAt: s.now(), Payments: []Payment{}, Fulfilments: []Fulfilment{},
	}
	for i, l := range c.Lines {
		o.Lines = append(o.Lines, Line{
			ID: l.ID, VariantID: l.VariantID, SKU: l.SKU, ProductID: l.ProductID, Slug: l.Slug, Title: l.Title, Options: l.Options, Image: l.Image,
			Quantity: l.Quantity, UnitPrice: l.UnitPrice, Discount: l.Discount, Tax: tax.Lines[i], Total: l.Total.Add(tax.Lines[i]),
		})
	}
	o.Totals = c.Totals
	o.Totals.Tax = money.New(0, c.Currency)
	for _, t := range tax.Lines {
		o.Totals.Tax = o.Totals.Tax.Add(t)
	}
	o.Totals.TaxIncluded = tax.Included
	o.Totals.Total = o.Totals.Subtotal.Sub(o.Totals.Discount).Add(o.Totals.Shipping).Add(o.Totals.Tax)
	if o.Totals.Total != c.Totals.Total {
		return nil, ErrPriceChanged.WithDetail("The tax has changed. The total is now %s.", o.Totals.Total)
	}
	return o, nil
}

// pay asks for the order's money and marks it as paid when it came at once.
func (s *Service) pay(ctx context.Context, o *Order, r CompleteRequest) (*Placed, error) {
	// The shopper may hang up now; the order goes on.
	ctx = context.WithoutCancel(ctx)
	p, err := s.payments.Pay(ctx, string(o.ID), o.Totals.Total, r.Provider, r.Method, r.ReturnURL)
	if err != nil {
		return nil, err
	}
	o.Payments = append(o.Payments, p)
	switch p.Status {
	case "captured":
		if err := s.settle(ctx, o, p.ID); err != nil {
			return nil, err
		}
	case "declined":
		if p.Reason != "" {
			return nil, ErrPaymentDeclined.WithDetail("The payment was declined: %s Try another way to pay.", p.Reason)
		}
		return nil, ErrPaymentDeclined
	}
	return s.placed(o, p), nil
}

func (s *Service) placed(o *Order, p Payment) *Placed {
	return &Placed{Order: o, Secret: s.secretOf(o.ID), Payment: p}
}

// settle marks an order as paid by the payment. It is the only place that does, whoever learns of the money first:
// the caller, the event or the completer. Money that comes for a cancelled order goes back.
func (s *Service) settle(ctx context.Context, o *Order, paymentID string) error {
	for range cartAttempts {
		switch o.Status {
		case PendingPayment:
			err := s.markPaid(ctx, o, paymentID)
			if err == nil {
				outbox.Wake()
				return nil
			}
			if !errors.Is(err, errs.ErrStaleVersion) {
				return fmt.Errorf("mark order %s as paid: %w", o.ID, err)
			}
		case Cancelled:
			return s.refund(ctx, o, paymentID)
		default:
			return nil
		}
		fresh, err := s.Order(ctx, o.ID, Access{Staff: true})
		if err != nil {
			return err
		}
		*o = *fresh
	}
	return fmt.Errorf("mark order %s as paid: %w", o.ID, errs.ErrStaleVersion)
}

// markPaid moves an order that waits for its money. What of its total was not captured is written off in the same
// transaction, so that nobody can give it back: total = what was taken + what is not_captured.
func (s *Service) markPaid(ctx context.Context, o *Order, paymentID string) error {
	missing := o.notCaptured(paymentID)
	if missing.Minor <= 0 {
		return s.move(ctx, s.db, o, Paid, "paid", "system", "", events.OrderPaid{OrderFacts: o.facts(s.now()), PaymentID: paymentID})
	}
	_, err := s.amend(ctx, o.ID, Access{Staff: true}, func(tx pgx.Tx, now *Order) error {
		if now.Version != o.Version {
			return errs.ErrStaleVersion
		}
		if err := s.move(ctx, tx, now, Paid, "paid", "system", "", events.OrderPaid{OrderFacts: now.facts(s.now()), PaymentID: paymentID}); err != nil {
			return err
		}
		refund := Refund{ID: id.Derive("ref", paymentID+"/"+becauseNotCaptured), Amount: missing, Lines: []RefundLine{}, Reason: becauseNotCaptured, Actor: "system"}
		if err := s.promise(ctx, tx, now, refund, ""); err != nil {
			return err
		}
		return markRefund(ctx, tx, refund.ID, RefundDone, RefundPromised, s.now()) // there is nothing to send
	})
	return err
}

// notCaptured is what of the order's total a payment by hand did not take; nothing while it took none.
func (o *Order) notCaptured(paymentID string) money.Amount {
	for _, p := range o.Payments {
		if p.ID == paymentID && p.Captured.Minor > 0 {
			return o.Totals.Total.Sub(p.Captured)
		}
	}
	return money.New(0, o.Currency)
}

func (s *Service) refund(ctx context.Context, o *Order, paymentID string) error {
	for _, p := range o.Payments {
		left := p.Captured.Sub(p.Refunded)
		if p.ID != paymentID || left.Minor <= 0 {
			continue
		}
		if err := s.payments.Refund(ctx, p.ID, id.Derive("ref", p.ID+"/cancelled"), left, "order cancelled"); err != nil {
			return fmt.Errorf("refund order %s: %w", o.ID, err)
		}
	}
	return nil
}

func (o *Order) latestPayment() Payment {
	if len(o.Payments) == 0 {
		return Payment{}
	}
	return o.Payments[len(o.Payments)-1]
}

// facts is what events of o carry once it has moved on by one version.
func (o *Order) facts(at time.Time) events.OrderFacts {
	f := events.OrderFacts{
		OrderID: string(o.ID), Number: o.Number, CartID: string(o.CartID), CustomerID: o.CustomerID, Total: o.Totals.Total, Version: o.Version + 1, At: at,
	}
	for _, l := range o.Lines {
		f.Lines = append(f.Lines, events.OrderLine{VariantID: l.VariantID, ProductID: l.ProductID, SKU: l.SKU, Quantity: l.Quantity, UnitPrice: l.UnitPrice})
	}
	f.Promotions = o.promotionFacts()
	return f
}
