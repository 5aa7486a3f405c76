package orders_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/orders"
)

var (
	orderPaid      = events.OrderPaid{}.Type()
	orderCancelled = events.OrderCancelled{}.Type()
)

// completes lets several replicas run the completer at the same moment.
func (h *house) completes(replicas ...*orders.Service) {
	h.t.Helper()
	if len(replicas) == 0 {
		replicas = []*orders.Service{h.Service, h.replica(), h.replica(), h.replica()}
	}
	failures := make([]error, len(replicas))
	var group sync.WaitGroup
	for i, s := range replicas {
		group.Go(func() { failures[i] = s.CompleteInterrupted(context.WithoutCancel(h.t.Context())) })
	}
	group.Wait()
	for _, err := range failures {
		// Of those who come to the same order at once, one moves it: the others may say so.
		if err != nil {
			require.NotErrorIs(h.t, err, context.Canceled)
			h.t.Logf("one of the replicas: %v", err)
		}
	}
}

// TestWhatACrashLeftIsEndedWithoutTheClient kills the process at each step of a purchase. Nobody asks again: several
// completers end it, at the same moment.
func TestWhatACrashLeftIsEndedWithoutTheClient(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		dies      string
		atTheTill bool   // where it dies: at the till or in the storeroom
		gateway   string // what the gateway says in the end of a payment under way
		order     orders.Status
		lamps     int64 // that are free in the end
		net       int64 // that the shop has in the end
	}{
		"before the stock was held":           {dies: "before reserve", lamps: 100},
		"when the stock was held":             {dies: "after reserve", lamps: 100},
		"when the order was written":          {dies: "before sending", atTheTill: true, order: orders.Cancelled, lamps: 100},
		"while it is paid, and it is":         {dies: "after sending", atTheTill: true, gateway: "captured", order: orders.Paid, lamps: 98, net: 3000},
		"while it is paid, and it is not":     {dies: "after sending", atTheTill: true, gateway: "declined", order: orders.Cancelled, lamps: 100},
		"when it was paid, before it is told": {dies: "after capture", atTheTill: true, order: orders.Paid, lamps: 98, net: 3000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			c, a := h.cart("")
			if row.atTheTill {
				h.till.dies(row.dies)
			} else {
				h.stock.dies(row.dies)
			}
			dies(t, row.dies, func() { _, _ = h.Complete(t.Context(), h.request(c, a)) })

			h.completes()
			if o := h.orderOf(c); o != nil {
				require.Equal(t, orders.PendingPayment, o.Status, "its time is not up")
			}
			h.clock.pass(holdTime + 2*time.Minute)
			h.completes()
			if row.gateway != "" {
				o := h.orderOf(c)
				require.Equal(t, orders.PendingPayment, o.Status, "nobody knows yet: it neither lives nor dies")
				require.Equal(t, int64(98), h.stock.lamps(), "and keeps its stock")
				h.till.end(string(o.ID), row.gateway)
				h.clock.pass(2 * time.Minute)
				h.completes()
			}
			h.clock.pass(time.Hour)
			h.completes() // nothing is left to do
			o := h.orderOf(c)
			require.Equal(t, row.lamps, h.stock.lamps())
			if row.order == "" {
				require.Nil(t, o)
				return
			}
			require.Equal(t, row.order, o.Status)
			require.Len(t, o.History, 2, "placed, and moved once")
			back, net := h.till.back(o.ID)
			require.Equal(t, row.net, net)
			require.Zero(t, back)
			want := map[bool][2]int{true: {1, 0}, false: {0, 1}}[row.order == orders.Paid]
			require.Equal(t, want, [2]int{h.told(o.ID, orderPaid), h.told(o.ID, orderCancelled)})
		})
	}
}

// TestACompleterThatWasPausedDoesNoHarm stops one between reading and writing, lets another one end the order meanwhile,
// and goes on.
func TestACompleterThatWasPausedDoesNoHarm(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	pausedAfterReading := func(t *testing.T, h *house, meanwhile func()) error {
		t.Helper()
		waiting, resume := h.till.pauses("after reading payments")
		done := make(chan error, 1)
		go func() { done <- h.replica().CompleteInterrupted(context.WithoutCancel(ctx)) }()
		<-waiting
		meanwhile()
		resume()
		return <-done
	}
	interrupted := func(t *testing.T, at string) (*house, *orders.Cart, orders.Access, orders.CompleteRequest) {
		t.Helper()
		h := newHouse(t)
		c, a := h.cart("")
		r := h.request(c, a)
		h.till.dies(at)
		dies(t, at, func() { _, _ = h.Complete(ctx, r) })
		h.clock.pass(holdTime + 2*time.Minute)
		return h, c, a, r
	}

	t.Run("while another one cancels", func(t *testing.T) {
		t.Parallel()
		h, c, _, _ := interrupted(t, "before sending")
		_ = pausedAfterReading(t, h, func() { h.completes(h.Service) })
		o := h.orderOf(c)
		require.Equal(t, orders.Cancelled, o.Status)
		require.Len(t, o.History, 2)
		require.Equal(t, 1, h.told(o.ID, orderCancelled))
	})

	t.Run("while the shopper pays after all", func(t *testing.T) {
		t.Parallel()
		h, c, a, r := interrupted(t, "before sending")
		_ = pausedAfterReading(t, h, func() {
			placed, err := h.Complete(ctx, r)
			require.NoError(t, err)
			require.Equal(t, orders.Paid, placed.Order.Status)
		})
		o := h.orderOf(c)
		require.Equal(t, orders.Paid, o.Status, "it was seen unpaid, and is not cancelled for that")
		_, net := h.till.back(o.ID)
		require.Equal(t, int64(3000), net)
		require.Equal(t, 0, h.told(o.ID, orderCancelled))
		_, err := h.Cart(ctx, c.ID, a)
		require.NoError(t, err)
	})

	t.Run("while another one settles", func(t *testing.T) {
		t.Parallel()
		h, c, _, _ := interrupted(t, "after capture")
		require.NoError(t, pausedAfterReading(t, h, func() { h.completes(h.Service) }))
		o := h.orderOf(c)
		require.Equal(t, orders.Paid, o.Status)
		require.Equal(t, 1, h.told(o.ID, orderPaid))
	})

	t.Run("while the paid order is cancelled by its buyer", func(t *testing.T) {
		t.Parallel()
		h, c, a, _ := interrupted(t, "after capture")
		require.NoError(t, pausedAfterReading(t, h, func() {
			h.completes(h.Service)
			_, err := h.Cancel(ctx, h.orderOf(c).ID, a, "")
			require.NoError(t, err)
		}))
		o := h.orderOf(c)
		require.Equal(t, orders.Cancelled, o.Status, "it does not come back to life")
		back, net := h.till.back(o.ID)
		require.Equal(t, [2]int64{3000, 0}, [2]int64{back, net}, "given back once")
		require.Equal(t, 1, h.told(o.ID, orderCancelled))
	})
}

// TestMoneyThatComesForACancelledOrderGoesBack is a capture that nobody expected any more.
func TestMoneyThatComesForACancelledOrderGoesBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c, a := h.cart("")
	h.till.dies("before sending")
	dies(t, "before sending", func() { _, _ = h.Complete(t.Context(), h.request(c, a)) })
	h.clock.pass(holdTime + 2*time.Minute)
	h.completes()
	o := h.orderOf(c)
	require.Equal(t, orders.Cancelled, o.Status)
	p, err := h.till.Pay(t.Context(), string(o.ID), o.Totals.Total, "test", "", "")
	require.NoError(t, err)
	captured, err := events.Wrap(events.PaymentCaptured{PaymentFacts: events.PaymentFacts{PaymentID: p.ID, OrderID: string(o.ID), Amount: p.Amount, Version: 2}}, h.clock.Now(), "")
	require.NoError(t, err)
	for range 3 { // at least once
		for _, sub := range h.Subscriptions() {
			if sub.Consumer == "orders.payments" {
				require.NoError(t, sub.Project(t.Context(), []events.Envelope{captured}))
			}
		}
	}
	back, net := h.till.back(o.ID)
	require.Equal(t, [2]int64{3000, 0}, [2]int64{back, net})
	require.Equal(t, orders.Cancelled, h.order(o.ID).Status)
}

// TestAPromisedRefundGoesOnceWhateverCrashes kills the process around the call to payments.
func TestAPromisedRefundGoesOnceWhateverCrashes(t *testing.T) {
	t.Parallel()
	amount := money.New(700, "EUR")
	for name, point := range map[string]string{"before payments knew": "before refund", "before the answer was noted": "after refund"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			o := h.buys()
			r := orders.RefundRequest{Amount: &amount, Actor: "staff:stf_1", Key: "k1"}
			h.till.dies(point)
			dies(t, point, func() { _, _ = h.Refund(t.Context(), o.ID, r) })
			require.Equal(t, orders.RefundPromised, h.order(o.ID).Refunds[0].State, "it is written before anything is sent")
			h.clock.pass(time.Minute)
			h.completes()
			h.completes()
			again, err := h.Refund(t.Context(), o.ID, r)
			require.NoError(t, err, "the same request finds what it did")
			require.Len(t, again.Refunds, 1)
			require.Equal(t, orders.RefundAccepted, again.Refunds[0].State)
			back, _ := h.till.back(o.ID)
			require.Equal(t, int64(700), back)
			require.Equal(t, 1, h.told(o.ID, events.OrderRefunded{}.Type()))
		})
	}

	t.Run("while payments cannot be reached", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		o := h.buys()
		h.till.broken = errors.New("no connection")
		got, err := h.Refund(t.Context(), o.ID, orders.RefundRequest{Amount: &amount, Actor: "staff:stf_1", Key: "k1"})
		require.NoError(t, err, "it is promised")
		require.Equal(t, orders.RefundPromised, got.Refunds[0].State)
		_, err = h.Cancel(t.Context(), o.ID, orders.Access{Staff: true}, "")
		require.ErrorContains(t, err, "no connection", "what was promised goes before the rest")
		require.Equal(t, orders.Paid, h.order(o.ID).Status)
		h.clock.pass(time.Minute)
		require.Error(t, h.CompleteInterrupted(t.Context()))
		h.till.books.Lock()
		h.till.broken = nil
		h.till.books.Unlock()
		h.completes()
		_, err = h.Cancel(t.Context(), o.ID, orders.Access{Staff: true}, "")
		require.NoError(t, err)
		back, net := h.till.back(o.ID)
		require.Equal(t, [2]int64{3000, 0}, [2]int64{back, net})
	})

	t.Run("of money that went back another way", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		o := h.buys()
		require.NoError(t, h.till.Refund(t.Context(), o.Payments[0].ID, "ref_of_the_bank", money.New(2900, "EUR"), "dispute"))
		got, err := h.Refund(t.Context(), o.ID, orders.RefundRequest{Amount: &amount, Actor: "staff:stf_1"})
		require.NoError(t, err)
		require.Equal(t, orders.RefundFailed, got.Refunds[0].State, "it says that it did not go")
		back, _ := h.till.back(o.ID)
		require.Equal(t, int64(2900), back)
		require.Equal(t, int64(700), h.order(o.ID).Refunded.Minor, "it is owed all the same")
		timeline, err := h.Timeline(t.Context(), o.ID, orders.Access{Staff: true})
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(timeline, func(e orders.TimelineEntry) bool { return e.Kind == "refund_failed" && e.Ref == got.Refunds[0].ID }))
	})

	t.Run("that the gateway would not make at first", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		o := h.buys()
		h.till.broken = orders.ErrRefundFailed.WithDetail("The card is closed.")
		got, err := h.Refund(t.Context(), o.ID, orders.RefundRequest{Amount: &amount, Actor: "staff:stf_1"})
		require.NoError(t, err)
		refund := got.Refunds[0].ID
		require.Equal(t, orders.RefundFailed, got.Refunds[0].State)
		h.clock.pass(time.Minute)
		h.completes(h.Service)
		require.Equal(t, 1, h.till.asked, "nobody asks again by themselves")
		h.till.broken = nil
		got, err = h.RetryRefund(t.Context(), o.ID, refund, "staff:stf_1")
		require.NoError(t, err)
		require.Equal(t, orders.RefundAccepted, got.Refunds[0].State)
		_, err = h.RetryRefund(t.Context(), o.ID, refund, "staff:stf_1")
		require.ErrorIs(t, err, orders.ErrInvalidState)
		back, _ := h.till.back(o.ID)
		require.Equal(t, int64(700), back)
	})
}
