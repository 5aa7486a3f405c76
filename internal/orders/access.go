package orders

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"slices"
)

// Access is what a caller shows to see a cart or an order. One thing that fits is enough.
type Access struct {
	CartToken   string // the token that creating the cart answered
	OrderSecret string // the secret that completing it answered
	CustomerID  string // who is signed in
	Staff       bool
	Actor       string // who it is in the order's history; made from the rest when empty
}

// actor names the caller in the history of an order.
func (a Access) actor() string {
	switch {
	case a.Actor != "":
		return a.Actor
	case a.CustomerID != "":
		return "customer:" + a.CustomerID
	case a.Staff:
		return "system"
	}
	return "guest"
}

func tokenHash(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

func (a Access) opensCart(c *storedCart) bool {
	if a.Staff || c.CustomerID != "" && a.CustomerID == c.CustomerID {
		return true
	}
	return a.CartToken != "" && subtle.ConstantTimeCompare(tokenHash(a.CartToken), c.tokenHash) == 1
}

// opensOrder needs the hash of the cart's token only for callers who show one.
func (s *Service) opensOrder(a Access, o *Order, cartTokenHash []byte) bool {
	if a.Staff || o.CustomerID != "" && a.CustomerID == o.CustomerID {
		return true
	}
	if a.OrderSecret != "" && slices.ContainsFunc(s.sealer.BlindIndexes(secretName(o.ID)), func(index []byte) bool {
		return subtle.ConstantTimeCompare([]byte(a.OrderSecret), []byte(secretText(index))) == 1
	}) {
		return true
	}
	return a.CartToken != "" && len(cartTokenHash) > 0 && subtle.ConstantTimeCompare(tokenHash(a.CartToken), cartTokenHash) == 1
}

// secretOf is the guest's key to an order. It follows from the order's id and the shop's own key, so that a
// repeated answer carries the same one and nothing has to be stored.
func (s *Service) secretOf(id ID) string { return secretText(s.sealer.BlindIndex(secretName(id))) }

func secretName(id ID) string { return "order-secret|" + string(id) }

func secretText(index []byte) string { return "os_" + base64.RawURLEncoding.EncodeToString(index) }
