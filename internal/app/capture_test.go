package app

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/payments/gatewaytest"
)

// moneyByHand is an order with what staff see of its money.
type moneyByHand struct {
	orderAfter
	Refundable moneyJSON `json:"refundable"`
}

// authorised is a cart of 50.00 plus shipping that was paid by card, of which nothing was taken yet.
func (b *bank) authorised(t *testing.T, shelf article) (*buyer, orderJSON) {
	t.Helper()
	buyer := newBuyer(b.guest(t)).add(shelf, 2).checkout()
	var o orderJSON
	buyer.pay("stripe", "pm_card_visa").is(http.StatusCreated).decode(&o)
	require.Equal(t, []string{"pending_payment", "authorised"}, []string{o.Status, o.Payment.Status})
	return buyer, o
}

// TestStaffTakeAndLetGoOfMoney is a shop that authorises at the checkout: staff take the money, a part of it, or none.
func TestStaffTakeAndLetGoOfMoney(t *testing.T) {
	t.Parallel()
	b := openBank(t, onServices(t), "SHOPD_PAYMENT_CAPTURE=manual")
	for name, scenario := range map[string]func(*testing.T, *bank){
		"a part is taken, and twenty want it back at once": partTaken,
		"let go of by cancelling":                          letGo,
		"taken by twenty hands at once":                    takenAtOnce,
		"taken and let go of at the same moment":           takenAndLetGo,
		"a part of a bank transfer":                        partTransferred,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, b)
		})
	}
}

func partTaken(t *testing.T, b *bank) {
	buyer, o := b.authorised(t, b.stock(t, 2500, 100))
	total := o.Totals.Total.Amount
	staff := b.keyWith(t, "orders:*")
	order := adminAPI + "/orders/" + o.ID
	take := func(amount moneyJSON) *reply {
		return staff.post(order+"/capture", map[string]any{"amount": amount}, "Idempotency-Key", newKey())
	}
	b.guest(t).post(order+"/capture", map[string]any{}, "Idempotency-Key", newKey()).is(http.StatusUnauthorized)
	b.keyWith(t, "orders:read").post(order+"/capture", map[string]any{}, "Idempotency-Key", newKey()).refuses(http.StatusForbidden, "forbidden")
	staff.post(order+"/capture", map[string]any{"amount": moneyJSON{3000, "EUR"}}).refuses(http.StatusBadRequest, "idempotency_key_required")
	take(moneyJSON{0, "EUR"}).refuses(http.StatusUnprocessableEntity, "invalid_money")
	take(moneyJSON{-1, "EUR"}).refuses(http.StatusUnprocessableEntity, "invalid_money")
	take(moneyJSON{3000, "USD"}).refuses(http.StatusUnprocessableEntity, "currency_mismatch")
	take(moneyJSON{total + 1, "EUR"}).refuses(http.StatusUnprocessableEntity, "capture_exceeds_authorisation")
	captured, _ := sums(t, b.stripe.Book, b.store, o.ID)
	require.Zero(t, captured, "nothing of that was taken")

	key, body := newKey(), map[string]any{"amount": moneyJSON{3000, "EUR"}}
	first := staff.post(order+"/capture", body, "Idempotency-Key", key).is(http.StatusOK)
	again := staff.post(order+"/capture", body, "Idempotency-Key", key).is(http.StatusOK)
	require.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
	require.Equal(t, string(first.body), string(again.body))
	staff.post(order+"/capture", map[string]any{"amount": moneyJSON{3001, "EUR"}}, "Idempotency-Key", key).refuses(http.StatusUnprocessableEntity, "idempotency_key_reused")
	take(moneyJSON{1, "EUR"}).refuses(http.StatusConflict, "invalid_state")
	var now moneyByHand
	first.decode(&now)
	require.Equal(t, "paid", now.Status)
	require.Equal(t, total, now.Totals.Total.Amount, "the order stays what it was")
	require.Equal(t, moneyJSON{3000, "EUR"}, now.Refundable)
	require.Len(t, now.Refunds, 1)
	require.Equal(t, "not_captured done", now.Refunds[0].Reason+" "+now.Refunds[0].State)
	require.Equal(t, total-3000, now.Refunds[0].Amount.Amount)
	captured, refunded := sums(t, b.stripe.Book, b.store, o.ID)
	require.Equal(t, []int64{3000, 0}, []int64{captured, refunded})

	staff.post(order+"/refunds", map[string]any{"amount": moneyJSON{3001, "EUR"}}, "Idempotency-Key", newKey()).
		refuses(http.StatusUnprocessableEntity, "refund_exceeds_capture")
	given := 0
	for _, r := range together(t, 20, func(int) (*reply, error) {
		return staff.try(http.MethodPost, order+"/refunds", map[string]any{"amount": moneyJSON{700, "EUR"}}, "Idempotency-Key", newKey())
	}) {
		if r.status == http.StatusCreated {
			given++
			continue
		}
		r.refuses(http.StatusUnprocessableEntity, "refund_exceeds_capture")
	}
	require.Equal(t, 4, given, "four of 700 go into 3000")
	within(t, opening, func() error {
		if _, refunded = sums(t, b.stripe.Book, b.store, o.ID); refunded != 2800 {
			return fmt.Errorf("the gateway gave %d back", refunded)
		}
		return nil
	})

	// Cancelling gives what is left of it, and no cent of what never came.
	staff.post(order+"/cancel", map[string]string{}).is(http.StatusOK)
	within(t, opening, func() error {
		if _, refunded = sums(t, b.stripe.Book, b.store, o.ID); refunded != 3000 {
			return fmt.Errorf("the gateway gave %d back", refunded)
		}
		return nil
	})
	require.Equal(t, "cancelled", buyer.order(o.ID).Status)
	require.Zero(t, b.number(t, `select count(*) from public_views.v_payments where order_id = $1 and refunded > captured`, o.ID))
}

func letGo(t *testing.T, b *bank) {
	shelf := b.stock(t, 2500, 10)
	buyer, o := b.authorised(t, shelf)
	staff := b.keyWith(t, "orders:*")
	order := adminAPI + "/orders/" + o.ID
	key := newKey()
	var now orderJSON
	staff.post(order+"/cancel", map[string]string{"reason": "sold by mistake"}, "Idempotency-Key", key).is(http.StatusOK).decode(&now)
	require.Equal(t, []string{"cancelled", "voided"}, []string{now.Status, now.Payment.Status})
	staff.post(order+"/cancel", map[string]string{"reason": "sold by mistake"}, "Idempotency-Key", key).is(http.StatusOK)
	staff.post(order+"/cancel", map[string]string{}).refuses(http.StatusConflict, "invalid_state")
	staff.post(order+"/capture", nil, "Idempotency-Key", newKey()).refuses(http.StatusConflict, "invalid_state")
	staff.post(order+"/refunds", map[string]any{}, "Idempotency-Key", newKey()).refuses(http.StatusConflict, "invalid_state")
	captured, refunded := sums(t, b.stripe.Book, b.store, o.ID)
	require.Equal(t, []int64{0, 0}, []int64{captured, refunded})
	require.Equal(t, "cancelled", buyer.order(o.ID).Status)
	within(t, soon, func() error { return b.has(t, shelf, 10, 0) })
}

func takenAtOnce(t *testing.T, b *bank) {
	buyer, o := b.authorised(t, b.stock(t, 2500, 10))
	staff := b.keyWith(t, "orders:*")
	taken := 0
	for _, r := range together(t, 20, func(int) (*reply, error) {
		return staff.try(http.MethodPost, adminAPI+"/orders/"+o.ID+"/capture", map[string]any{}, "Idempotency-Key", newKey())
	}) {
		if r.status == http.StatusOK {
			taken++
			continue
		}
		require.Equal(t, http.StatusConflict, r.status, string(r.body))
	}
	require.Positive(t, taken)
	buyer.becomes(o.ID, "paid")
	captured, refunded := sums(t, b.stripe.Book, b.store, o.ID)
	require.Equal(t, []int64{o.Totals.Total.Amount, 0}, []int64{captured, refunded}, "once")
}

func takenAndLetGo(t *testing.T, b *bank) {
	buyer, o := b.authorised(t, b.stock(t, 2500, 10))
	staff := b.keyWith(t, "orders:*")
	order := adminAPI + "/orders/" + o.ID
	for _, r := range together(t, 2, func(i int) (*reply, error) {
		return staff.try(http.MethodPost, order+[]string{"/capture", "/cancel"}[i], map[string]any{}, "Idempotency-Key", newKey())
	}) {
		require.Contains(t, []int{http.StatusOK, http.StatusConflict}, r.status, string(r.body))
	}
	within(t, opening, func() error {
		captured, refunded := sums(t, b.stripe.Book, b.store, o.ID)
		switch now := buyer.order(o.ID); {
		case now.Status == "paid" && captured == o.Totals.Total.Amount && refunded == 0:
		case now.Status == "cancelled" && captured == refunded:
		default:
			return fmt.Errorf("the order is %s, %d taken, %d given back", now.Status, captured, refunded)
		}
		return nil
	})
}

func partTransferred(t *testing.T, b *bank) {
	buyer := newBuyer(b.guest(t)).add(b.stock(t, 2500, 10), 1).checkout()
	var o orderJSON
	buyer.pay("manual", "").is(http.StatusCreated).decode(&o)
	var now moneyByHand
	b.keyWith(t, "orders:*").post(adminAPI+"/orders/"+o.ID+"/capture", map[string]any{"amount": moneyJSON{2000, "EUR"}}, "Idempotency-Key", newKey()).
		is(http.StatusOK).decode(&now)
	require.Equal(t, "paid", now.Status)
	require.Equal(t, moneyJSON{2000, "EUR"}, now.Refundable)
	require.Equal(t, int64(2000), b.number(t, `select sum(captured)::bigint from public_views.v_payments where order_id = $1`, o.ID))
}

// TestAGatewayThatIsGivenUpIsUnavailable trips the breaker by calls that fail, and asks for money while it is open.
func TestAGatewayThatIsGivenUpIsUnavailable(t *testing.T) {
	t.Parallel()
	b := openBank(t, onServices(t), "SHOPD_PAYMENT_CAPTURE=manual")
	shelf := b.stock(t, 2500, 100)
	waiting, authorised := b.authorised(t, shelf)
	staff := b.keyWith(t, "orders:*")

	no := false
	require.NoError(t, b.stripe.Desk.Script.Add(gatewaytest.Rule{Do: gatewaytest.Reset, Effect: &no}))
	unavailable := func(r *reply) {
		t.Helper()
		r.refuses(http.StatusServiceUnavailable, "payment_unavailable")
		require.NotEmpty(t, r.header.Get("Retry-After"))
	}
	var late *buyer
	var refused *reply
	for range 20 {
		late = newBuyer(b.guest(t)).add(shelf, 1).checkout()
		if refused = late.pay("stripe", "pm_card_visa"); refused.status == http.StatusServiceUnavailable {
			break
		}
		refused.is(http.StatusAccepted) // without an answer
	}
	unavailable(refused)
	id := b.orderOf(t, late.cart.ID)
	o := late.order(id)
	require.Equal(t, []string{"pending_payment", "voided"}, []string{o.Status, o.Payment.Status}, "the order is kept, and surely not charged")
	require.Positive(t, b.number(t, `select coalesce(sum(quantity), 0)::bigint from public_views.v_stock_movements where order_id = $1 and kind = 'reserved'`, id))

	capture := adminAPI + "/orders/" + authorised.ID + "/capture"
	key := newKey()
	unavailable(staff.post(capture, map[string]any{}, "Idempotency-Key", key))
	require.Equal(t, "authorised", waiting.order(authorised.ID).Payment.Status, "it can be taken later")
	captured, _ := sums(t, b.stripe.Book, b.store, authorised.ID)
	require.Zero(t, captured)

	// It comes back by itself; a 503 was not kept under its key.
	b.stripe.Desk.Script.Clear()
	within(t, opening, func() error {
		if r := staff.post(capture, map[string]any{}, "Idempotency-Key", key); r.status != http.StatusOK {
			return fmt.Errorf("capturing answers %d", r.status)
		}
		return nil
	})
	within(t, opening, func() error {
		if r := late.pay("stripe", "pm_card_visa"); r.status != http.StatusCreated {
			return fmt.Errorf("paying answers %d", r.status)
		}
		return nil
	})
	captured, _ = sums(t, b.stripe.Book, b.store, authorised.ID)
	require.Equal(t, authorised.Totals.Total.Amount, captured)
	require.Equal(t, id, b.orderOf(t, late.cart.ID), "the same order")
}
