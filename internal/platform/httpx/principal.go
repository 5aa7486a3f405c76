package httpx

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"shopd/internal/platform/errs"
)

// Kind says what sort of caller a request has.
type Kind string

// The kinds of caller.
const (
	Anonymous Kind = "anonymous"
	Customer  Kind = "customer"
	Staff     Kind = "staff"
	APIKey    Kind = "api_key"
)

// Principal is who makes a request. The zero value is nobody in particular.
type Principal struct {
	Kind      Kind
	ID        string // customer, staff or key id; empty for Anonymous
	SessionID string // the session the token belongs to, empty for API keys
	Scopes    []string
}

// Known reports whether the caller proved who they are.
func (p Principal) Known() bool { return p.ID != "" }

// CustomerID is the caller's customer id, empty when the caller is not a customer.
func (p Principal) CustomerID() string {
	if p.Kind == Customer {
		return p.ID
	}
	return ""
}

// Actor names the caller in histories and audit logs: "customer:cus_…", "staff:stf_…", "anonymous".
func (p Principal) Actor() string {
	if !p.Known() {
		return string(Anonymous)
	}
	return string(p.Kind) + ":" + p.ID
}

// May reports whether the caller holds scope. "*" grants every scope and "orders:*" every one of orders.
func (p Principal) May(scope string) bool {
	area, _, _ := strings.Cut(scope, ":")
	return slices.ContainsFunc(p.Scopes, func(s string) bool {
		return s == "*" || s == scope || s == area+":*"
	})
}

type principalKey struct{}

// WithPrincipal returns a context whose requests are made by p.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom returns who makes the request; an anonymous Principal when nobody said.
func PrincipalFrom(ctx context.Context) Principal {
	if p, ok := ctx.Value(principalKey{}).(Principal); ok {
		return p
	}
	return Principal{Kind: Anonymous}
}

// Authenticator turns the credentials of a request into a Principal. It returns an anonymous one for a request
// without any, and an errs.Unauthenticated error for credentials that do not hold.
type Authenticator func(r *http.Request) (Principal, error)

// Authenticate puts the caller into the context of every request, and answers 401 to false credentials.
func Authenticate(authenticator Authenticator) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, err := authenticator(r)
			if err != nil {
				WriteError(w, r, err)
				return
			}
			if !p.Known() {
				next.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r.WithContext(WithPrincipal(r.Context(), p)))
		})
	}
}

// Access says who may call a route. Routes are closed unless they name one.
type Access struct {
	kind  accessKind
	scope string
}

type accessKind int

const (
	accessNone accessKind = iota
	accessPublic
	accessCustomer
	accessStaff
)

// Public lets everybody in; the handler decides about single objects.
func Public() Access { return Access{kind: accessPublic} }

// CustomersOnly lets signed-in customers in.
func CustomersOnly() Access { return Access{kind: accessCustomer} }

// StaffWith lets staff and API keys in that hold scope, such as "orders:write".
func StaffWith(scope string) Access { return Access{kind: accessStaff, scope: scope} }

// String is the rule as the documentation shows it.
func (a Access) String() string {
	switch a.kind {
	case accessPublic:
		return "public"
	case accessCustomer:
		return "customer"
	case accessStaff:
		return "staff " + a.scope
	}
	return "nobody"
}

var (
	errSignIn    = errs.New(errs.Unauthenticated, "authentication_required", "Sign in first.")
	errForbidden = errs.New(errs.Forbidden, "forbidden", "You may not do this.")
)

// Check returns nil when p may pass.
func (a Access) Check(p Principal) error {
	switch a.kind {
	case accessPublic:
		return nil
	case accessCustomer:
		if p.Kind == Customer {
			return nil
		}
	case accessStaff:
		if (p.Kind == Staff || p.Kind == APIKey) && p.May(a.scope) {
			return nil
		}
	}
	if !p.Known() {
		return errSignIn
	}
	return errForbidden
}
