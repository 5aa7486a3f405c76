package users

import (
	"slices"
	"time"
)

// StaffID names a member of staff: "stf_…".
type StaffID string

// Role says what a member of staff may do.
type Role string

// The roles, the mightiest first.
const (
	Owner   Role = "owner"   // everything
	Manager Role = "manager" // everything but keys, settings and staff above
	Support Role = "support" // customers and their orders
	Viewer  Role = "viewer"  // looks, and sees no customers
)

// roles are ranked: a role may hand out those behind it, an owner any.
var roles = []Role{Owner, Manager, Support, Viewer}

// scopeSelf is what everybody on the staff may do and no API key: see and end their own session.
const scopeSelf = "self:*"

// scopesOf lists what each role may do, as httpx.Principal.May reads it.
var scopesOf = map[Role][]string{
	Owner: {"*"},
	Manager: {
		"orders:*", "catalog:*", "inventory:*", "pricing:*", "promotions:*", "customers:*", "experiments:*", "reports:*",
		"imports:*", "webhooks:*", "dead_letters:*", "staff:*", "audit:read", "settings:read", scopeSelf,
	},
	Support: {"orders:*", "customers:*", "catalog:read", "inventory:read", "pricing:read", "promotions:read", "reports:read", scopeSelf},
	Viewer:  {"orders:read", "catalog:read", "inventory:read", "pricing:read", "promotions:read", "experiments:read", "reports:read", scopeSelf},
}

// areas are what scopes may be about: "orders:read", "orders:write", "orders:*".
var areas = []string{
	"orders", "catalog", "inventory", "pricing", "promotions", "customers", "experiments", "reports", "imports",
	"webhooks", "dead_letters", "staff", "audit", "settings", "api_keys",
}

// Known reports whether r is one of the roles.
func (r Role) Known() bool { return slices.Contains(roles, r) }

// Scopes are what r may do.
func (r Role) Scopes() []string { return slices.Clone(scopesOf[r]) }

// mayGrant reports whether a member of staff with role r may make, change or disable one with role other.
func (r Role) mayGrant(other Role) bool {
	if r == Owner {
		return true
	}
	return r == Manager && slices.Index(roles, other) > slices.Index(roles, r)
}

// KnownScope reports whether scope can be given to an API key.
func KnownScope(scope string) bool {
	if scope == "*" {
		return true
	}
	for _, area := range areas {
		if scope == area+":read" || scope == area+":write" || scope == area+":*" {
			return true
		}
	}
	return false
}

// Staff is somebody who works for the shop, in clear. Name may be empty.
type Staff struct {
	ID          StaffID
	Role        Role
	Email       Email
	Name        string
	HasPassword bool
	Disabled    bool
	Version     int64
	CreatedAt   time.Time
}

// StaffSession is a new session of a member of staff. Token is the cookie's value and is not kept.
type StaffSession struct {
	Token     string
	ExpiresAt time.Time // unless it is used: using it moves the end
	Staff     Staff
}

// APIKey is a key for programs. The secret itself is shown once and not kept.
type APIKey struct {
	ID         string
	Name       string
	Hint       string // the last characters of the secret, to tell keys apart
	Scopes     []string
	CreatedAt  time.Time
	CreatedBy  string
	LastUsedAt *time.Time // to the minute, nil before the first use
	RevokedAt  *time.Time
}

// AuditEntry says who did what. Object and Detail hold ids and figures, never personal data.
type AuditEntry struct {
	ID     string
	At     time.Time
	Actor  string // "staff:stf_…", "customer:cus_…", "api_key:key_…", "system"
	Action string // "staff.role_changed"
	Object string
	Detail map[string]any
}
