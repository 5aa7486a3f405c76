package orders

import "context"

// RefreshPayment finds out what became of the payment of an order, for a shopper who comes back from the gateway's page
// or does not want to wait for us to ask. It returns the order as it stands then.
func (s *Service) RefreshPayment(ctx context.Context, id ID, a Access) (*Order, error) {
	o, err := s.Order(ctx, id, a)
	if err != nil {
		return nil, err
	}
	p := o.latestPayment()
	switch p.Status {
	case "sending", "unknown", "requires_action":
		if p, err = s.payments.Refresh(ctx, p.ID); err != nil {
			return nil, err
		}
	}
	if p.Status == "captured" && o.Status == PendingPayment {
		if err := s.settle(context.WithoutCancel(ctx), o, p.ID); err != nil {
			return nil, err
		}
	}
	return s.Order(ctx, id, a)
}

func (h storeHandlers) refresh(ctx context.Context, in *OrderPath) (*orderOutput, error) {
	return orderAnswer(h.RefreshPayment(ctx, ID(in.ID), in.access(ctx)))
}
