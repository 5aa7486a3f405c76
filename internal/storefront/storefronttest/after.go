package storefronttest

import (
	"context"
	"slices"
	"time"

	"shopd/internal/orders"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
)

// returnWindow is how long things may be given back here.
const returnWindow = 30 * 24 * time.Hour

// Change lets a test do to an order what staff do in a shop.
func (o *Orders) Change(orderID orders.ID, change func(*orders.Order)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(&o.orders[orderID].Order)
}

// Send makes a parcel of everything that is left of an order.
func (o *Orders) Send(orderID orders.ID, parcel orders.Fulfilment) {
	o.Change(orderID, func(found *orders.Order) {
		for i := range found.Lines {
			found.Lines[i].Fulfilled = found.Lines[i].Quantity - found.Lines[i].Cancelled
		}
		parcel.ID, parcel.At = id.New("ful"), o.now()
		found.Status, found.Fulfilments = orders.Fulfilled, append(found.Fulfilments, parcel)
		found.History = append(found.History, orders.HistoryEntry{At: o.now(), Kind: "fulfilled", Actor: "staff:stf_1", Detail: parcel.ID})
	})
}

// Timeline implements storefront.Orders with the history.
func (o *Orders) Timeline(_ context.Context, orderID orders.ID, a orders.Access) ([]orders.TimelineEntry, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found, err := o.openOrder(orderID, a)
	if err != nil {
		return nil, err
	}
	list := make([]orders.TimelineEntry, len(found.History))
	for i, h := range found.History {
		list[i] = orders.TimelineEntry{At: h.At, Kind: h.Kind, Actor: h.Actor}
	}
	return list, nil
}

// ReturnBy implements storefront.Orders.
func (o *Orders) ReturnBy(found *orders.Order) time.Time {
	if len(found.Fulfilments) == 0 {
		return time.Time{}
	}
	return found.Fulfilments[len(found.Fulfilments)-1].At.Add(returnWindow)
}

// RequestReturn implements storefront.Orders.
func (o *Orders) RequestReturn(_ context.Context, orderID orders.ID, a orders.Access, req orders.ReturnRequest) (*orders.Order, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found, err := o.openOrder(orderID, a)
	if err != nil {
		return nil, err
	}
	ret := orders.Return{ID: id.Derive("ret", req.Key), Status: orders.ReturnRequested, Reason: req.Reason, Note: req.Note, At: o.now()}
	if slices.ContainsFunc(found.Returns, func(r orders.Return) bool { return r.ID == ret.ID }) {
		return copyOrder(found), nil
	}
	for _, l := range req.Lines {
		if l.Quantity > found.Returnable(l.LineID) {
			return nil, orders.ErrQuantity.WithDetail("So many cannot be given back.")
		}
		ret.Lines = append(ret.Lines, orders.ReturnLine{LineID: l.LineID, Quantity: l.Quantity})
	}
	found.Returns = append(found.Returns, ret)
	return copyOrder(found), nil
}

// CancelReturn implements storefront.Orders.
func (o *Orders) CancelReturn(_ context.Context, orderID orders.ID, returnID string, a orders.Access) (*orders.Order, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found, err := o.openOrder(orderID, a)
	if err != nil {
		return nil, err
	}
	for i := range found.Returns {
		if found.Returns[i].ID == returnID && found.Returns[i].Status.May(orders.ReturnCancelled) {
			found.Returns[i].Status = orders.ReturnCancelled
			return copyOrder(found), nil
		}
	}
	return nil, errs.ErrNotFound
}

// PayOrder implements storefront.Orders.
func (o *Orders) PayOrder(_ context.Context, req orders.PayRequest) (*orders.Placed, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found, err := o.openOrder(req.OrderID, req.Access)
	switch {
	case err != nil:
		return nil, err
	case found.Status != orders.PendingPayment:
		return nil, orders.ErrAlreadyPaid
	case req.Method == PayDecline:
		return nil, orders.ErrPaymentDeclined
	}
	payment := orders.Payment{
		ID: id.New("pay"), Provider: req.Provider, Method: req.Method, Status: captured, Amount: found.Totals.Total, Captured: found.Totals.Total,
		Refunded: zero(found.Currency), CreatedAt: o.now(),
	}
	found.Payments = append(found.Payments, payment)
	o.paid(found)
	return &orders.Placed{Order: copyOrder(found), Secret: found.secret, Payment: payment}, nil
}

// DocumentPDF implements storefront.Orders.
func (o *Orders) DocumentPDF(_ context.Context, orderID orders.ID, a orders.Access, documentID string) (*orders.PDF, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found, err := o.openOrder(orderID, a)
	if err != nil {
		return nil, err
	}
	for _, d := range found.Documents {
		if d.ID == documentID || documentID == string(d.Kind) {
			return &orders.PDF{Name: d.Number + ".pdf", Body: []byte("%PDF-1.3 " + d.Number)}, nil
		}
	}
	return nil, errs.ErrNotFound
}

// Line is the first line of an order.
func (o *Orders) Line(orderID orders.ID) orders.Line {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.orders[orderID].Lines[0]
}

// Returns are the returns of an order.
func (o *Orders) Returns(orderID orders.ID) []orders.Return {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.orders[orderID].Returns)
}

// Remember makes an order that others belong to; it has nothing but its id.
func (o *Orders) Remember(orderID orders.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.orders[orderID] = &order{secret: "os_" + string(orderID)}
}
