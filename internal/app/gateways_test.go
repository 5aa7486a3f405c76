package app

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/payments/gatewaytest"
	paypaldouble "shopd/internal/payments/gatewaytest/paypal"
	stripedouble "shopd/internal/payments/gatewaytest/stripe"
)

// bank is a shop that is paid through doubles of Stripe and PayPal, and the doubles.
type bank struct {
	*store
	stripe *stripedouble.Double
	paypal *paypaldouble.Double
}

// openBank starts a shop with both gateways. Their webhooks come to the shop.
func openBank(t *testing.T, p premises, more ...string) *bank {
	t.Helper()
	b := &bank{stripe: stripedouble.New(stripedouble.Options{}), paypal: paypaldouble.New(paypaldouble.Options{})}
	settings := []string{
		"SHOPD_STRIPE_API_URL=" + gatewaytest.Start(t, b.stripe), "SHOPD_STRIPE_SECRET_KEY=sk_test_double",
		"SHOPD_STRIPE_WEBHOOK_SECRET=whsec_older," + stripedouble.DefaultWebhookSecret,
		"SHOPD_PAYPAL_API_URL=" + gatewaytest.Start(t, b.paypal), "SHOPD_PAYPAL_CLIENT_ID=double", "SHOPD_PAYPAL_CLIENT_SECRET=secret",
		"SHOPD_PAYPAL_WEBHOOK_ID=" + paypaldouble.DefaultWebhookID, "SHOPD_GATEWAY_TIMEOUT=2s",
	}
	b.store = openStore(t, p, append(settings, more...)...)
	b.stripe.Courier.Deliver(gatewaytest.Delivering{URL: b.url + "/webhooks/stripe"})
	b.paypal.Courier.Deliver(gatewaytest.Delivering{URL: b.url + "/webhooks/paypal"})
	// The doubles end before the shop does, so that no webhook meets a shop that is gone.
	t.Cleanup(func() {
		b.stripe.Courier.Close()
		b.paypal.Courier.Close()
	})
	return b
}

// silent keeps webhooks at the gateways until they are brought by hand.
func (b *bank) silent(t *testing.T) {
	t.Helper()
	for _, c := range []*gatewaytest.Courier{b.stripe.Courier, b.paypal.Courier} {
		how := c.How()
		how.Hold = true
		c.Deliver(how)
	}
}

// pay completes the cart by a gateway.
func (b *buyer) pay(provider, method string) *reply {
	b.t.Helper()
	return b.post(b.path+"/complete", map[string]any{"payment": map[string]string{
		"provider": provider, "method": method, "return_url": b.base + "/order/return",
	}}, "Idempotency-Key", newKey())
}

// order reads the order of the buyer's cart.
func (b *buyer) order(id string) orderJSON {
	b.t.Helper()
	var o orderJSON
	b.get(storeAPI + "/orders/" + id).is(http.StatusOK).decode(&o)
	return o
}

// becomes waits until an order has a status.
func (b *buyer) becomes(id, status string) orderJSON {
	b.t.Helper()
	var o orderJSON
	within(b.t, opening, func() error {
		if o = b.order(id); o.Status != status {
			return fmt.Errorf("order is %s, payment %s", o.Status, o.Payment.Status)
		}
		return nil
	})
	return o
}

// orderOf finds the order that a cart became when its buyer was not told.
func (b *bank) orderOf(t *testing.T, cart string) (id string) {
	t.Helper()
	require.NoError(t, b.sql.QueryRow(t.Context(), `select order_id from public_views.v_orders where cart_id = $1 order by placed_at desc limit 1`, cart).Scan(&id))
	return id
}

// answers is a shopper on a page of a gateway; it returns where the page leads.
func answers(t *testing.T, page, choice string) string {
	t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.PostForm(page, url.Values{"answer": {choice}})
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.Header.Get("Location")
}

// sums compares what the gateway took with what the shop says, for one order.
func sums(t *testing.T, book *gatewaytest.Book, s *store, orderID string) (captured, refunded int64) {
	t.Helper()
	for _, p := range book.List(func(p *gatewaytest.Payment) bool { return p.OrderID == orderID }) {
		captured, refunded = captured+p.Captured, refunded+p.Refunded
	}
	require.Equal(t, captured, s.number(t, `select coalesce(sum(captured), 0)::bigint from public_views.v_payments where order_id = $1`, orderID))
	require.Zero(t, s.number(t, `select coalesce(sum(amount), 0)::bigint from public_views.v_ledger`), "the ledger balances")
	require.Empty(t, book.Breaches())
	return captured, refunded
}

// TestGateways runs the scenarios of payments and webhooks through HTTP against doubles of the gateways.
func TestGateways(t *testing.T) {
	t.Parallel()
	b := openBank(t, onServices(t))
	for name, scenario := range map[string]func(*testing.T, *bank){
		"paid at once by card":                cardPays,
		"cards that do not pay":               cardDoesNotPay,
		"on the page of Stripe":               stripePage,
		"with PayPal":                         paypalPage,
		"stored 500":                          storedFailure,
		"refunds":                             refundsInParts,
		"webhooks that are forged":            forgedWebhooks,
		"webhooks that disagree":              disagreeingWebhooks,
		"webhooks about what nobody knows":    unknownWebhooks,
		"the same webhook many times at once": repeatedWebhook,
		"bad webhooks":                        badWebhooks,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, b)
		})
	}
}

func cardPays(t *testing.T, b *bank) {
	shelf := b.stock(t, 2500, 100)
	buyer := newBuyer(b.guest(t)).add(shelf, 2).checkout()
	var o orderJSON
	buyer.pay("stripe", "pm_card_visa").is(http.StatusCreated).decode(&o)
	require.Equal(t, "paid", o.Status)
	captured, _ := sums(t, b.stripe.Book, b.store, o.ID)
	require.Equal(t, buyer.cart.Totals.Total.Amount, captured)
	buyer.pay("stripe", "pm_card_visa").refuses(http.StatusConflict, "already_paid")
	buyer.pay("paypal", "").refuses(http.StatusConflict, "already_paid")

	t.Run("parallel, two keys", func(t *testing.T) {
		buyer := newBuyer(b.guest(t)).add(shelf, 1).checkout()
		var wg sync.WaitGroup
		var mu sync.Mutex
		statuses := map[int]int{}
		for range 8 {
			wg.Go(func() {
				a, err := buyer.try(http.MethodPost, buyer.path+"/complete", map[string]any{"payment": map[string]string{"provider": "stripe", "method": "pm_card_visa", "return_url": b.url + "/order/return"}}, "Idempotency-Key", newKey())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				statuses[a.status]++
			})
		}
		wg.Wait()
		require.Equal(t, 1, statuses[http.StatusCreated], "%v", statuses)
		require.Equal(t, 7, statuses[http.StatusConflict], "%v", statuses)
		captured, _ := sums(t, b.stripe.Book, b.store, b.orderOf(t, buyer.cart.ID))
		require.Positive(t, captured)
	})
}

func cardDoesNotPay(t *testing.T, b *bank) {
	shelf := b.stock(t, 2500, 100)
	buyer := newBuyer(b.guest(t)).add(shelf, 1).checkout()
	buyer.pay("stripe", "pm_card_chargeDeclinedInsufficientFunds").refuses(http.StatusPaymentRequired, "payment_declined")
	orderID := b.orderOf(t, buyer.cart.ID)
	captured, _ := sums(t, b.stripe.Book, b.store, orderID)
	require.Zero(t, captured)
	require.Positive(t, b.number(t, `select coalesce(sum(quantity), 0)::bigint from public_views.v_stock_movements where order_id = $1 and kind = 'reserved'`, orderID), "the pieces stay reserved")
	buyer.pay("stripe", "4242424242424242").refuses(http.StatusUnprocessableEntity, "card_data_not_accepted")
	buyer.pay("stripe", "pm_card_unheardOf").refuses(http.StatusPaymentRequired, "payment_declined")
	buyer.pay("paypal", "pm_card_visa").refuses(http.StatusUnprocessableEntity, "unknown_payment_method")

	var o orderJSON
	buyer.pay("stripe", "pm_card_authenticationRequired").is(http.StatusCreated).decode(&o)
	require.Equal(t, []string{"pending_payment", "requires_action"}, []string{o.Status, o.Payment.Status})
	require.Equal(t, "redirect", o.Payment.NextAction.Type)
	back := answers(t, o.Payment.NextAction.URL, "decline")
	require.Contains(t, back, "order="+o.ID, "the shop knows who comes back")
	buyer.post(storeAPI+"/orders/"+o.ID+"/payment/refresh", nil).is(http.StatusOK).decode(&o)
	require.Equal(t, []string{"pending_payment", "declined"}, []string{o.Status, o.Payment.Status})

	buyer.pay("stripe", "pm_card_authenticationRequired").is(http.StatusCreated).decode(&o)
	answers(t, o.Payment.NextAction.URL, "approve")
	o = buyer.becomes(o.ID, "paid")
	require.Equal(t, int64(1), b.number(t, `select count(*) from public_views.v_orders where cart_id = $1`, buyer.cart.ID), "one order")
	captured, _ = sums(t, b.stripe.Book, b.store, o.ID)
	require.Equal(t, o.Totals.Total.Amount, captured)
}

func stripePage(t *testing.T, b *bank) {
	shelf := b.stock(t, 2500, 100)
	buyer := newBuyer(b.guest(t)).add(shelf, 1).checkout()
	var o orderJSON
	buyer.pay("stripe", "checkout").is(http.StatusCreated).decode(&o)
	require.Equal(t, "requires_action", o.Payment.Status)
	page := o.Payment.NextAction.URL

	// The shopper changes their mind: the page must not take money afterwards.
	var again orderJSON
	buyer.pay("stripe", "checkout").is(http.StatusCreated).decode(&again)
	require.Equal(t, o.ID, again.ID)
	answers(t, page, "approve")
	captured, _ := sums(t, b.stripe.Book, b.store, o.ID)
	require.Zero(t, captured, "the page that was given up takes nothing")

	answers(t, again.Payment.NextAction.URL, "approve")
	buyer.post(storeAPI+"/orders/"+o.ID+"/payment/refresh", nil).is(http.StatusOK).decode(&o)
	require.Equal(t, "paid", o.Status, "whoever comes back is told at once")
	captured, _ = sums(t, b.stripe.Book, b.store, o.ID)
	require.Equal(t, o.Totals.Total.Amount, captured)
}

func paypalPage(t *testing.T, b *bank) {
	shelf := b.stock(t, 2500, 100)
	t.Run("the shopper comes back", func(t *testing.T) {
		buyer := newBuyer(b.guest(t)).add(shelf, 1).checkout()
		var o orderJSON
		buyer.pay("paypal", "").is(http.StatusCreated).decode(&o)
		require.Equal(t, "redirect", o.Payment.NextAction.Type)
		answers(t, o.Payment.NextAction.URL, "approve")
		buyer.post(storeAPI+"/orders/"+o.ID+"/payment/refresh", nil).is(http.StatusOK)
		o = buyer.becomes(o.ID, "paid")
		captured, _ := sums(t, b.paypal.Book, b.store, o.ID)
		require.Equal(t, o.Totals.Total.Amount, captured)
	})
	t.Run("only the webhook comes", func(t *testing.T) {
		buyer := newBuyer(b.guest(t)).add(shelf, 1).checkout()
		var o orderJSON
		buyer.pay("paypal", "").is(http.StatusCreated).decode(&o)
		answers(t, o.Payment.NextAction.URL, "approve")
		o = buyer.becomes(o.ID, "paid")
		captured, _ := sums(t, b.paypal.Book, b.store, o.ID)
		require.Equal(t, o.Totals.Total.Amount, captured)
	})
	t.Run("given up before it was approved", func(t *testing.T) {
		buyer := newBuyer(b.guest(t)).add(shelf, 1).checkout()
		var o orderJSON
		buyer.pay("paypal", "").is(http.StatusCreated).decode(&o)
		page := o.Payment.NextAction.URL
		buyer.post(storeAPI+"/orders/"+o.ID+"/cancel", map[string]string{}).is(http.StatusOK)
		answers(t, page, "approve")
		buyer.post(storeAPI+"/orders/"+o.ID+"/payment/refresh", nil).is(http.StatusOK).decode(&o)
		require.Equal(t, "cancelled", o.Status)
		captured, _ := sums(t, b.paypal.Book, b.store, o.ID)
		require.Zero(t, captured)
	})
	t.Run("captured, then silence", func(t *testing.T) {
		buyer := newBuyer(b.guest(t)).add(shelf, 1).checkout()
		var o orderJSON
		buyer.pay("paypal", "").is(http.StatusCreated).decode(&o)
		require.NoError(t, b.paypal.Desk.Script.Add(gatewaytest.Rule{Operation: gatewaytest.OpCapture, OrderID: o.ID, Do: gatewaytest.Hang, Times: 1}))
		answers(t, o.Payment.NextAction.URL, "approve")
		o = buyer.becomes(o.ID, "paid")
		entries := b.paypal.Book.List(func(p *gatewaytest.Payment) bool { return p.OrderID == o.ID })
		require.Len(t, entries, 1)
		require.Len(t, entries[0].Captures, 1)
	})
}

// TestChargeWithoutAnAnswerIsPaidLaterAndOnce is the worst that a gateway does: it takes the money and says nothing, by no
// webhook either.
func TestChargeWithoutAnAnswerIsPaidLaterAndOnce(t *testing.T) {
	t.Parallel()
	b := openBank(t, onEmbedded(t), "SHOPD_RECONCILE_INTERVAL=5s") // later than the call ends
	b.silent(t)
	shelf := b.stock(t, 2500, 100)
	for _, fault := range []string{gatewaytest.Hang, gatewaytest.ErrorStored} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			buyer := newBuyer(b.guest(t)).add(shelf, 1).checkout()
			// The order is only known to the script once it is there, so the rule is for whoever charges this sum.
			total := buyer.cart.Totals.Total.Amount
			buyer.pay("stripe", "pm_card_chargeDeclined").refuses(http.StatusPaymentRequired, "payment_declined")
			orderID := b.orderOf(t, buyer.cart.ID)
			require.NoError(t, b.stripe.Desk.Script.Add(gatewaytest.Rule{Operation: gatewaytest.OpCharge, OrderID: orderID, Do: fault, Times: 1}))
			var o orderJSON
			buyer.pay("stripe", "pm_card_visa").is(http.StatusAccepted).decode(&o)
			require.Equal(t, []string{"pending_payment", "unknown"}, []string{o.Status, o.Payment.Status})
			require.Equal(t, http.StatusConflict, buyer.post(storeAPI+"/orders/"+orderID+"/cancel", map[string]string{}).status, "first it must be known")
			for _, other := range []string{"stripe", "paypal"} {
				method := map[string]string{"stripe": "pm_card_visa"}[other]
				a := buyer.pay(other, method)
				require.Equal(t, http.StatusConflict, a.status, "%s: never a second charge beside an unknown one", other)
				require.Contains(t, []string{"payment_in_progress", "already_paid"}, a.code())
			}
			o = buyer.becomes(orderID, "paid")
			captured, _ := sums(t, b.stripe.Book, b.store, orderID)
			require.Equal(t, total, captured)
			require.Empty(t, b.paypal.Book.List(func(p *gatewaytest.Payment) bool { return p.OrderID == orderID }), "the other gateway was not asked")
			require.Equal(t, int64(1), b.number(t, `select count(*) from public_views.v_events where aggregate_id = $1 and type = 'orders.order_paid.v1'`, orderID))
		})
	}
}

// storedFailure is a gateway that failed without an effect and would go on saying so for the key.
func storedFailure(t *testing.T, b *bank) {
	shelf := b.stock(t, 2500, 100)
	buyer := newBuyer(b.guest(t)).add(shelf, 1).checkout()
	buyer.pay("stripe", "pm_card_chargeDeclined").refuses(http.StatusPaymentRequired, "payment_declined")
	orderID := b.orderOf(t, buyer.cart.ID)
	no := false
	require.NoError(t, b.stripe.Desk.Script.Add(gatewaytest.Rule{Operation: gatewaytest.OpCharge, OrderID: orderID, Do: gatewaytest.ErrorStored, Effect: &no, Times: 1}))
	var o orderJSON
	buyer.pay("stripe", "pm_card_visa").is(http.StatusAccepted).decode(&o)
	require.Equal(t, "unknown", o.Payment.Status)
	require.Equal(t, http.StatusConflict, buyer.pay("stripe", "pm_card_visa").status)
	within(t, opening, func() error {
		if o = buyer.order(orderID); o.Payment.Status != "voided" {
			return fmt.Errorf("payment is %s", o.Payment.Status)
		}
		return nil
	})
	buyer.pay("stripe", "pm_card_visa").is(http.StatusCreated).decode(&o)
	require.Equal(t, "paid", o.Status, "what was surely not charged may be charged")
	captured, _ := sums(t, b.stripe.Book, b.store, orderID)
	require.Equal(t, o.Totals.Total.Amount, captured)
}

// refunds are 20 at once, and a cancelled order's whole money.
func refundsInParts(t *testing.T, b *bank) {
	shelf := b.stock(t, 2500, 100)
	buyer := newBuyer(b.guest(t)).add(shelf, 1).checkout()
	var o orderJSON
	buyer.pay("stripe", "pm_card_visa").is(http.StatusCreated).decode(&o)
	require.NoError(t, b.stripe.Desk.Script.Add(gatewaytest.Rule{Operation: gatewaytest.OpRefund, OrderID: o.ID, Do: gatewaytest.ErrorStored, Times: 1}))
	buyer.post(storeAPI+"/orders/"+o.ID+"/cancel", map[string]string{}).is(http.StatusOK)
	buyer.post(storeAPI+"/orders/"+o.ID+"/cancel", map[string]string{})
	within(t, opening, func() error {
		captured, refunded := sums(t, b.stripe.Book, b.store, o.ID)
		if captured != refunded {
			return fmt.Errorf("%d taken, %d given back", captured, refunded)
		}
		return nil
	})
	within(t, opening, func() error {
		if n := b.number(t, `select count(*) from payments.refunds where status = 'succeeded' and payment_id = $1`, o.Payment.ID); n != 1 {
			return fmt.Errorf("%d refunds are done", n)
		}
		return nil
	})

	buyer = newBuyer(b.guest(t)).add(shelf, 1).checkout()
	buyer.pay("stripe", "pm_card_visa").is(http.StatusCreated).decode(&o)
	entry, _ := b.stripe.Book.Find(func(p *gatewaytest.Payment) bool { return p.OrderID == o.ID })
	part := (o.Totals.Total.Amount + 9) / 10
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			err := b.Payments.Refund(t.Context(), entry.PaymentID, fmt.Sprintf("ref_%s_%02d", o.ID, i), moneyOf(part), "parallel")
			if err != nil && !strings.Contains(err.Error(), "refund_exceeds_capture") {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	captured, refunded := sums(t, b.stripe.Book, b.store, o.ID)
	require.LessOrEqual(t, refunded, captured)
	require.Greater(t, refunded, captured-part)
	require.Equal(t, refunded, b.number(t, `select refunded from public_views.v_payments where order_id = $1`, o.ID))
}

func TestWebhooksComeToTheSameInEveryOrder(t *testing.T) {
	t.Parallel()
	b := openBank(t, onEmbedded(t))
	b.silent(t)
	shelf := b.stock(t, 2500, 100)
	// Three events have six orders; each is tried on an order of its own, whose answer was lost.
	for i, order := range permutations([]string{"charge.succeeded", "payment_intent.succeeded", "payment_intent.created"}) {
		buyer := newBuyer(b.guest(t)).add(shelf, 1).checkout()
		var o orderJSON
		buyer.pay("stripe", "pm_card_authenticationRequired").is(http.StatusCreated).decode(&o)
		answers(t, o.Payment.NextAction.URL, "approve")
		b.bring(t, o.ID, order...)
		o = buyer.becomes(o.ID, "paid")
		b.bring(t, o.ID, "payment_intent.requires_action") // the oldest comes last
		captured, _ := sums(t, b.stripe.Book, b.store, o.ID)
		require.Equal(t, o.Totals.Total.Amount, captured, "order %d", i)
		require.Equal(t, "paid", buyer.order(o.ID).Status)
	}
	t.Run("refund before capture", func(t *testing.T) {
		buyer := newBuyer(b.guest(t)).add(shelf, 1).checkout()
		var o orderJSON
		buyer.pay("stripe", "pm_card_authenticationRequired").is(http.StatusCreated).decode(&o)
		answers(t, o.Payment.NextAction.URL, "approve")
		entry, _ := b.stripe.Book.Find(func(p *gatewaytest.Payment) bool { return p.OrderID == o.ID })
		b.refundAtStripe(t, entry.Ref, 300)
		b.bring(t, o.ID, "charge.refunded", "payment_intent.succeeded", "charge.succeeded")
		o = buyer.becomes(o.ID, "paid")
		within(t, opening, func() error {
			if refunded := buyer.order(o.ID).Payment.Refunded.Amount; refunded != 300 {
				return fmt.Errorf("%d given back", refunded)
			}
			return nil
		})
		captured, refunded := sums(t, b.stripe.Book, b.store, o.ID)
		require.Equal(t, captured-refunded, b.number(t, `select sum(amount)::bigint from public_views.v_ledger where account = 'gateway:stripe' and transaction_id in
			(select transaction_id from payments.ledger where payment_id = $1)`, o.Payment.ID))
	})
}

// bring delivers the Stripe events of an order by their types, in this order.
func (b *bank) bring(t *testing.T, orderID string, types ...string) {
	t.Helper()
	for _, kind := range types {
		var ids []string
		for _, e := range b.stripe.Courier.Events() {
			if e.OrderID == orderID && e.Type == kind {
				ids = append(ids, e.ID)
			}
		}
		require.NotEmpty(t, ids, kind)
		answers, err := b.stripe.Courier.Bring(ids...)
		require.NoError(t, err)
		for _, status := range answers {
			require.Equal(t, http.StatusNoContent, status)
		}
	}
}

// refundAtStripe is staff who give money back on Stripe's own pages.
func (b *bank) refundAtStripe(t *testing.T, ref string, amount int64) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.Config.Stripe.APIURL+"/v1/refunds",
		strings.NewReader(url.Values{"payment_intent": {ref}, "amount": {fmt.Sprint(amount)}}.Encode()))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer sk_test_double")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
}

func permutations(list []string) [][]string {
	if len(list) <= 1 {
		return [][]string{slices.Clone(list)}
	}
	var all [][]string
	for i := range list {
		rest := slices.Delete(slices.Clone(list), i, i+1)
		for _, p := range permutations(rest) {
			all = append(all, append([]string{list[i]}, p...))
		}
	}
	return all
}
