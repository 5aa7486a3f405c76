package app

import "testing"

// TestShop runs the scenarios of the contract through HTTP on the real services: one shop, in which each scenario has
// its own articles, carts and accounts.
func TestShop(t *testing.T) {
	t.Parallel()
	s := openStore(t, onServices(t))
	for name, scenario := range map[string]func(*testing.T, *store){
		"payment":         paymentWays,
		"idempotency":     repetitions,
		"cancelling":      cancelling,
		"access":          access,
		"prices":          changedPrices,
		"races":           races,
		"accounts":        accounts,
		"merchant":        merchant,
		"stock":           stockRooms,
		"bad bodies":      badBodies,
		"bad parameters":  badParameters,
		"bad carts":       badCarts,
		"bad checkouts":   badCheckouts,
		"bad credentials": badCredentials,
		"checkout races":  checkoutRaces,
		"keys":            keysThatAreNone,
		"steps":           steps,
		"refunds":         refunds,
		"edits":           edits,
		"returns":         returning,
		"sending":         sending,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, s)
		})
	}
}
