package payments

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// What only some gateways can do. A guarded gateway can do it when the one inside can, under the same guards.

// Accepter is a gateway with several methods; one without takes only the empty one.
type Accepter interface {
	Accepts(method string) bool
}

func accepterOf(g Gateway) Accepter {
	if guarded, ok := g.(*Guarded); ok {
		a, _ := guarded.inner.(Accepter)
		return a
	}
	a, _ := g.(Accepter)
	return a
}

func keeperOf(g Gateway) Keeper {
	if guarded, ok := g.(*Guarded); ok {
		if inner, ok := guarded.inner.(Keeper); ok {
			return guardedKeeper{guarded, inner}
		}
		return nil
	}
	k, _ := g.(Keeper)
	return k
}

// tellerOf is not guarded: reading a webhook calls nobody.
func tellerOf(g Gateway) Teller {
	if guarded, ok := g.(*Guarded); ok {
		t, _ := guarded.inner.(Teller)
		return t
	}
	t, _ := g.(Teller)
	return t
}

func verifierOf(g Gateway) Verifier {
	if guarded, ok := g.(*Guarded); ok {
		if inner, ok := guarded.inner.(Verifier); ok {
			return guardedVerifier{guarded, inner}
		}
		return nil
	}
	v, _ := g.(Verifier)
	return v
}

func statementOf(g Gateway) Statement {
	if guarded, ok := g.(*Guarded); ok {
		if inner, ok := guarded.inner.(Statement); ok {
			return guardedStatement{guarded, inner}
		}
		return nil
	}
	s, _ := g.(Statement)
	return s
}

type guardedKeeper struct {
	*Guarded
	inner Keeper
}

func (g guardedKeeper) Customer(ctx context.Context, customerID string) (ref string, err error) {
	err = g.do(ctx, opKeep, "", g.timeout, func(ctx context.Context) (string, error) {
		ref, err = g.inner.Customer(ctx, customerID)
		return "", err
	})
	return ref, err
}

func (g guardedKeeper) Methods(ctx context.Context, customer string) (list []SavedMethod, err error) {
	err = g.do(ctx, opKeep, "", g.timeout, func(ctx context.Context) (string, error) {
		list, err = g.inner.Methods(ctx, customer)
		return "", err
	})
	return list, err
}

func (g guardedKeeper) Forget(ctx context.Context, customer, method string) error {
	return g.do(ctx, opKeep, "", g.timeout, func(ctx context.Context) (string, error) { return "", g.inner.Forget(ctx, customer, method) })
}

type guardedVerifier struct {
	*Guarded
	inner Verifier
}

func (g guardedVerifier) Verify(ctx context.Context, header http.Header, body []byte) (forged error) {
	err := g.do(ctx, opVerify, "", g.timeout, func(ctx context.Context) (string, error) {
		err := g.inner.Verify(ctx, header, body)
		if errors.Is(err, ErrSignature) { // an answer, and no failure of the gateway's
			forged = err
			return "forged", nil
		}
		return "", err
	})
	if err != nil {
		return err
	}
	return forged
}

type guardedStatement struct {
	*Guarded
	inner Statement
}

func (g guardedStatement) Movements(ctx context.Context, from, until time.Time, yield func(Movement) error) error {
	return g.do(ctx, opList, "", listTimeout, func(ctx context.Context) (string, error) { return "", g.inner.Movements(ctx, from, until, yield) })
}
