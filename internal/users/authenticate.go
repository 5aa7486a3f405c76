package users

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"shopd/internal/platform/crypto"
	"shopd/internal/platform/httpx"
)

const (
	apiKeyPrefix = "sk_"
	// apiKeySample is how often the use of an API key is noted.
	apiKeySample = time.Minute
)

// Authenticate says who presents bearer: a customer's access token or an API key. It asks on every call whether
// the session, the account or the key still lives. It returns ErrInvalidToken or ErrSessionRevoked for what does
// not hold, and other errors when PostgreSQL cannot be asked.
func (s *Service) Authenticate(ctx context.Context, bearer string) (httpx.Principal, error) {
	if strings.HasPrefix(bearer, apiKeyPrefix) {
		return s.authenticateKey(ctx, bearer)
	}
	var claims accessClaims
	expect := crypto.Expect{
		Type: accessTokenType, Issuer: s.config.BaseURL, Audience: audience, MaxAge: MaxAccessTokenTTL, Now: s.now,
	}
	if err := s.signer.Verify(bearer, &claims, expect); err != nil {
		return httpx.Principal{}, ErrInvalidToken.Wrap(err)
	}
	state, err := s.sessions.state(ctx, claims.SessionID)
	switch {
	case err != nil:
		return httpx.Principal{}, fmt.Errorf("look up session %s: %w", claims.SessionID, err)
	case state.Closed:
		return httpx.Principal{}, ErrInvalidToken
	case state.Ended, state.Version != claims.SessionVersion:
		return httpx.Principal{}, ErrSessionRevoked
	case state.Account != claims.Subject:
		return httpx.Principal{}, ErrInvalidToken
	}
	return httpx.Principal{Kind: httpx.Customer, ID: claims.Subject, SessionID: claims.SessionID}, nil
}

// authenticateKey asks PostgreSQL every time, so that a revoked key is refused at once everywhere.
func (s *Service) authenticateKey(ctx context.Context, secret string) (httpx.Principal, error) {
	key, err := apiKeyByHash(ctx, s.pool, crypto.HashToken(secret))
	if err != nil {
		return httpx.Principal{}, err
	}
	if key.RevokedAt != nil {
		return httpx.Principal{}, ErrInvalidToken
	}
	now := s.now()
	if key.LastUsedAt == nil || now.Sub(*key.LastUsedAt) > apiKeySample {
		if err := touchAPIKey(ctx, s.pool, key.ID, now, now.Add(-apiKeySample)); err != nil {
			s.log.WarnContext(ctx, "use of an API key not noted", "error", err, "key_id", key.ID)
		}
	}
	return httpx.Principal{Kind: httpx.APIKey, ID: key.ID, Scopes: key.Scopes}, nil
}

// JWKS is the set of public keys that verify access tokens.
func (s *Service) JWKS() json.RawMessage { return s.signer.JWKS() }
