package users

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/crypto"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
)

// hintLength is how much of a secret is kept to tell keys apart: far too little to help guess the rest.
const hintLength = 4

// CreateAPIKey makes a key for programs with the given scopes ("orders:read", "catalog:*", "*") on behalf of
// actor. The secret is returned this once. It returns a validation error for a name or scope that cannot be.
func (s *Service) CreateAPIKey(ctx context.Context, actor, name string, scopes []string) (key APIKey, secret string, err error) {
	wrong := appendWrong(nil, "/name", &name, 1, maxName)
	if len(scopes) == 0 {
		wrong = append(wrong, errs.Field{Pointer: "/scopes", Code: "validation_failed", Detail: "at least one is needed"})
	}
	for i, scope := range scopes {
		if !KnownScope(scope) {
			wrong = append(wrong, errs.Field{Pointer: fmt.Sprintf("/scopes/%d", i), Code: "validation_failed", Detail: "is not a scope"})
		}
	}
	if wrong != nil {
		return APIKey{}, "", errs.Validation(wrong...)
	}
	scopes = slices.Clone(scopes)
	slices.Sort(scopes)
	secret = apiKeyPrefix + crypto.RandomToken(tokenBytes)
	key = APIKey{
		ID: id.New("key"), Name: name, Hint: secret[len(secret)-hintLength:], Scopes: slices.Compact(scopes),
		CreatedAt: s.now(), CreatedBy: actor,
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if err := insertAPIKey(ctx, tx, key, crypto.HashToken(secret)); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, "api_key.created", key.ID, map[string]any{"scopes": key.Scopes})
	})
	if err != nil {
		return APIKey{}, "", fmt.Errorf("create an API key: %w", err)
	}
	return key, secret, nil
}

// APIKeys returns all keys, the newest first, revoked ones too.
func (s *Service) APIKeys(ctx context.Context) ([]APIKey, error) {
	keys, err := selectAPIKeys(ctx, s.pool)
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	return keys, nil
}

// RevokeAPIKey ends a key at once everywhere. It returns errs.ErrNotFound for one that is not there or revoked.
func (s *Service) RevokeAPIKey(ctx context.Context, actor, key string) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := revokeAPIKey(ctx, tx, key, s.now()); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, "api_key.revoked", key, nil)
	})
}

// RecordAudit writes who did what in another domain. Object and detail must hold no personal data.
func (s *Service) RecordAudit(ctx context.Context, actor, action, object string, detail map[string]any) error {
	return s.inTx(ctx, func(tx pgx.Tx) error { return s.audit(ctx, tx, actor, action, object, detail) })
}

// AuditLog returns up to limit entries, the newest first; before is the id of the last entry seen, empty at first.
func (s *Service) AuditLog(ctx context.Context, before string, limit int) ([]AuditEntry, error) {
	entries, err := selectAuditLog(ctx, s.pool, before, limit)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return entries, nil
}
