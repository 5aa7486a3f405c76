package orders

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCardNumbersAreFoundInAnyForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"4242424242424242": true, "4242 4242 4242 4242": true, "card 4242-4242-4242-4242 thanks": true, "378282246310005": true,
		"4242424242424241": false, "1 Main Street": false, "call 0049 30 1234567": false, "order 12345678901234567890": false, "": false,
	} {
		require.Equal(t, want, holdsCardNumber(text), text)
	}
}

func TestContactIsCheckedAndTidied(t *testing.T) {
	t.Parallel()
	good := func() Contact {
		return Contact{Email: " ann@example.com ", Shipping: Address{Name: "Ann", Line1: "1 Main St", City: "X", PostalCode: "1", Country: "de"}}
	}
	c := good()
	require.NoError(t, c.check())
	require.Equal(t, "ann@example.com", c.Email)
	require.Equal(t, "DE", c.Shipping.Country)
	for name, spoil := range map[string]func(*Contact){
		"no mail":        func(c *Contact) { c.Email = "ann" },
		"header in mail": func(c *Contact) { c.Email = "ann@example.com\r\nBcc: x@y.z" },
		"display name":   func(c *Contact) { c.Email = "Ann <ann@example.com>" },
		"no name":        func(c *Contact) { c.Shipping.Name = "  " },
		"no country":     func(c *Contact) { c.Shipping.Country = "Germany" },
		"control":        func(c *Contact) { c.Shipping.City = "a\x00b" },
		"card":           func(c *Contact) { c.Shipping.Line2 = "4242 4242 4242 4242" },
		"billing":        func(c *Contact) { c.Billing = &Address{} },
	} {
		c := good()
		spoil(&c)
		require.Error(t, c.check(), name)
	}
}

func TestParcelTakesOnlyWhatIsLeft(t *testing.T) {
	t.Parallel()
	o := &Order{Lines: []Line{{ID: "a", Quantity: 3, Fulfilled: 1}, {ID: "b", Quantity: 1}}}
	lines, complete, err := o.pack(nil)
	require.NoError(t, err)
	require.True(t, complete)
	require.Equal(t, []LinePieces{{LineID: "a", Quantity: 2}, {LineID: "b", Quantity: 1}}, lines)
	_, complete, err = o.pack([]LinePieces{{LineID: "a", Quantity: 2}})
	require.NoError(t, err)
	require.False(t, complete)
	for _, wrong := range []LinePieces{{LineID: "a", Quantity: 3}, {LineID: "none", Quantity: 1}, {LineID: "b", Quantity: 0}} {
		_, _, err := o.pack([]LinePieces{wrong})
		require.ErrorIs(t, err, ErrQuantity)
	}
}
