package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
)

// What staff do with an order that was paid, beside sending it.
const (
	choreCapture = "capture"
	choreFulfil  = "fulfilments"
	choreRefund  = "refunds" // a part of the money, for nothing
	choreReturn  = "returns" // sent, and a piece of it comes back
)

// serve does one thing with an order. The answers to its parts are kept under their keys as all others.
func (m *merchant) serve(ctx context.Context, c chore) {
	path := adminAPI + "/orders/" + c.order
	switch c.what {
	case choreRefund:
		m.refund(ctx, c.order)
	case choreReturn:
		if a := m.call(ctx, path+"/"+choreFulfil, map[string]any{}, choreFulfil+" "+c.order); a.ok() {
			m.takeBack(ctx, c.order)
		}
	default:
		m.call(ctx, path+"/"+c.what, map[string]any{}, c.what+" "+c.order)
	}
}

// refundsAtOnce is how many people give back the same order's money at once; together they would give more than was paid.
const refundsAtOnce = 3

// refund gives four tenths of the money back three times at once: two of them may.
func (m *merchant) refund(ctx context.Context, order string) {
	o, ok := m.look(ctx, order)
	if !ok {
		return
	}
	part := max(o.Totals.Total.Amount*4/10, 1)
	var group sync.WaitGroup
	for i := range refundsAtOnce {
		group.Go(func() {
			m.call(ctx, adminAPI+"/orders/"+order+"/refunds", map[string]any{
				"amount": map[string]any{"amount": part, "currency": "USD"}, "reason": "storm",
			}, fmt.Sprintf("refund-%d %s", i, order))
		})
	}
	group.Wait()
}

// merchantOrder is what staff read of an order.
type merchantOrder struct {
	Totals struct{ Total struct{ Amount int64 } }
	Lines  []struct {
		ID       string
		Quantity int
	}
	Returns []struct{ ID, Status string }
}

func (m *merchant) look(ctx context.Context, order string) (o merchantOrder, ok bool) {
	a := m.shop.do(ctx, managing, answerPatience, "GET", adminAPI+"/orders/"+order, nil, m.header...)
	return o, a.ok() && json.Unmarshal(a.body, &o) == nil && len(o.Lines) > 0
}

// takeBack lets one piece of an order come back: half of those can be sold again.
func (m *merchant) takeBack(ctx context.Context, order string) {
	o, ok := m.look(ctx, order)
	if !ok {
		return
	}
	path, line := adminAPI+"/orders/"+order+"/returns", o.Lines[0].ID
	a := m.call(ctx, path, map[string]any{"lines": []map[string]any{{"line_id": line, "quantity": 1}}, "reason": "changed_mind"}, "return "+order)
	if !a.ok() || json.Unmarshal(a.body, &o) != nil || len(o.Returns) == 0 {
		return
	}
	path += "/" + o.Returns[0].ID
	if a := m.call(ctx, path+"/approve", map[string]any{}, "approve "+order); !a.ok() {
		return
	}
	m.call(ctx, path+"/receive", map[string]any{
		"lines": []map[string]any{{"line_id": line, "quantity": 1, "restock": order[len(order)-1]%2 == 0}},
	}, "receive "+order)
}
