package orders

import "context"

// PayRequest pays an order that is there already and waits for its money.
type PayRequest struct {
	OrderID   ID
	Access    Access
	Provider  string
	Method    string
	ReturnURL string // where a gateway sends the shopper back to
}

// PayOrder pays an order that waits for its money: what was added to another one, or one whose payment was declined. Its
// errors are those of Complete.
func (s *Service) PayOrder(ctx context.Context, r PayRequest) (*Placed, error) {
	if !s.payments.Offers(r.Provider, r.Method) {
		return nil, errUnknownPayment
	}
	o, err := s.Order(ctx, r.OrderID, r.Access)
	if err != nil {
		return nil, err
	}
	switch latest := o.latestPayment(); {
	case o.Status == Cancelled:
		return nil, ErrInvalidState.WithDetail("The order is cancelled.")
	case o.Status != PendingPayment:
		return nil, ErrAlreadyPaid
	case latest.Status == "captured":
		if err := s.settle(ctx, o, latest.ID); err != nil {
			return nil, err
		}
		return nil, ErrAlreadyPaid // by another request
	case latest.Status == "sending", latest.Status == "unknown":
		return nil, ErrPaymentInProgress
	}
	held, err := s.keepForPaying(ctx, o)
	if err != nil {
		return nil, err
	}
	if !held {
		return nil, ErrInvalidState.WithDetail("The time to pay is over: the articles are not set aside any more.")
	}
	return s.pay(ctx, o, CompleteRequest{Provider: r.Provider, Method: r.Method, ReturnURL: r.ReturnURL})
}

// keepForPaying holds the stock of an order that is about to be paid. One that staff made has its days to be paid anyway.
func (s *Service) keepForPaying(ctx context.Context, o *Order) (held bool, err error) {
	if o.Parent == nil {
		return s.keep(ctx, o)
	}
	return s.stock.Extend(ctx, string(o.ID), s.ttl+holdMargin)
}
