package orders_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/orders"
	"shopd/internal/platform/errs"
)

func TestAContactIsSealedWithTheKeyOfItsPerson(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := newHouse(t)
	guest, a := h.cart("")
	require.True(t, h.people.knows(string(guest.ID)), "a guest has a key by the cart")
	customer, _ := h.cart("cus_1")
	require.True(t, h.people.knows("cus_1"))
	require.False(t, h.people.knows(string(customer.ID)))

	// Whoever signs in takes the cart along, and what is personal in it.
	a.CustomerID = "cus_2"
	_, err := h.SetQuantity(ctx, guest.ID, a, guest.Lines[0].ID, 1)
	require.NoError(t, err)
	require.NoError(t, h.people.Forget(ctx, string(guest.ID)))
	taken, err := h.Cart(ctx, guest.ID, orders.Access{CustomerID: "cus_2"})
	require.NoError(t, err)
	require.Equal(t, "ada@example.com", taken.Contact.Email, "the guest's key is not needed any more")
	require.NoError(t, h.people.Forget(ctx, "cus_2"))
	taken, err = h.replica().Cart(ctx, guest.ID, orders.Access{CustomerID: "cus_2"})
	require.NoError(t, err)
	require.Nil(t, taken.Contact)
	_, err = h.replica().Complete(ctx, h.request(taken, orders.Access{CustomerID: "cus_2"}))
	require.ErrorIs(t, err, orders.ErrInvalidState, "what has no address is not ordered")
}

func TestContactsOfAnOlderVersionComeUnderTheirKeys(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := newHouse(t)
	old := h.buys()
	plain, err := json.Marshal(orders.Contact{Email: "old@example.com", Shipping: address})
	require.NoError(t, err)
	sealed, err := h.vault.Seal(plain, []byte("orders.contact|"+string(old.CartID)))
	require.NoError(t, err)
	for _, sql := range []string{`update orders.orders set contact = $2 where cart_id = $1`, `update orders.carts set contact = $2 where id = $1`} {
		_, err = h.owner.Exec(ctx, sql, old.CartID, sealed)
		require.NoError(t, err)
	}
	h.buys()
	require.Equal(t, "old@example.com", h.order(old.ID).Contact.Email, "it is read as before")
	total, after := 0, ""
	for {
		n, next, err := h.Reseal(ctx, after, 1)
		require.NoError(t, err)
		total += n
		if after = next; after == "" {
			break
		}
	}
	require.Equal(t, 2, total, "of the order and of its cart, and nothing else")
	require.Equal(t, "old@example.com", h.order(old.ID).Contact.Email)
	require.NoError(t, h.people.Forget(ctx, string(old.CartID)))
	require.Empty(t, h.order(old.ID).Contact.Email)
	n, _, err := h.Reseal(ctx, "", 100)
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestGuestsAreForgottenWhenTheirTimeIsUp(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := newHouse(t)
	sent, waiting := h.buys(), h.buys()
	_, err := h.Fulfil(ctx, sent.ID, orders.Parcel{Actor: "staff:stf_1", Tracking: orders.Tracking{Carrier: "UPS", Number: "1Z"}})
	require.NoError(t, err)
	_, err = h.RequestReturn(ctx, sent.ID, orders.Access{Staff: true}, orders.ReturnRequest{
		Lines: []orders.LinePieces{{LineID: sent.Lines[0].ID, Quantity: 1}}, Reason: "other", Note: "too bright", Actor: "staff:stf_1",
	})
	require.NoError(t, err)
	abandoned, access := h.cart("")

	h.clock.pass(90 * time.Hour)
	require.NoError(t, h.ForgetGuests(ctx))
	_, err = h.Cart(ctx, abandoned.ID, access)
	require.NoError(t, err, "somebody may come back")
	h.clock.pass(20 * time.Hour)
	require.NoError(t, h.ForgetGuests(ctx))
	_, err = h.Cart(ctx, abandoned.ID, access)
	require.ErrorIs(t, err, errs.ErrNotFound)
	require.False(t, h.people.knows(string(abandoned.ID)))
	require.Equal(t, "ada@example.com", h.order(sent.ID).Contact.Email)

	h.clock.pass(1000 * time.Hour)
	require.NoError(t, h.ForgetGuests(ctx))
	o := h.order(sent.ID)
	require.Empty(t, o.Contact.Email)
	require.Empty(t, o.Returns[0].Note)
	require.Empty(t, o.Fulfilments[0].Tracking)
	require.Equal(t, sent.Totals, o.Totals)
	require.False(t, h.people.knows(string(sent.CartID)))
	require.Equal(t, "ada@example.com", h.order(waiting.ID).Contact.Email, "who waits for goods is not forgotten")
}
