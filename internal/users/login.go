package users

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/crypto"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/ratelimit"
)

const (
	accessTokenType = "at+jwt" // RFC 9068
	audience        = "shopd/store"

	// refreshGrace is how long a refresh token that was used still answers, with the successor it was given:
	// answers get lost.
	refreshGrace = 10 * time.Second

	becauseLogout   = "logout"
	becauseReuse    = "refresh_reused"
	becausePassword = "password_changed"
	becauseDisabled = "disabled"
	becauseErased   = "erased"
	becauseRole     = "role_changed"
)

// Tokens are what a customer's program keeps.
type Tokens struct {
	AccessToken  string
	ExpiresIn    time.Duration // of the access token
	RefreshToken string        // single use
	SessionID    string
}

type accessClaims struct {
	jwt.RegisteredClaims
	SessionID      string `json:"sid"`
	SessionVersion int64  `json:"sv"`
}

// Login opens a session for whoever knows the password of email. It returns ErrInvalidCredentials for an unknown
// address and for a wrong password, in the same time; ErrAccountDisabled only to those who know the password.
func (s *Service) Login(ctx context.Context, email, password string) (Tokens, Customer, error) {
	row, err := s.checkPassword(ctx, email, password)
	s.metrics.logins.WithLabelValues("customer", outcome(err)).Inc()
	if err != nil {
		return Tokens{}, Customer{}, err
	}
	var tokens Tokens
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		now, session := s.now(), id.New("ses")
		if err := insertCustomerSession(ctx, tx, session, row, now, now.Add(s.config.RefreshTokenTTL)); err != nil {
			return err
		}
		refresh, err := s.newRefreshToken(ctx, tx, session, now)
		if err != nil {
			return err
		}
		tokens, err = s.tokens(row.ID, session, row.SessionVersion, refresh, now)
		return err
	})
	if err != nil {
		return Tokens{}, Customer{}, fmt.Errorf("open a session: %w", err)
	}
	customer, err := s.openCustomer(ctx, s.pool, row)
	return tokens, customer, err
}

// outcome is the label of a login for metrics.
func outcome(err error) string {
	switch errs.KindOf(err) {
	case errs.RateLimited:
		return "limited"
	case errs.Unauthenticated, errs.Forbidden:
		return "refused"
	case errs.Unavailable:
		return "busy"
	}
	if err != nil {
		return "failed"
	}
	return "ok"
}

// checkPassword returns the active customer who has this address and password.
func (s *Service) checkPassword(ctx context.Context, email, password string) (customerRow, error) {
	parsed, err := ParseEmail(email)
	if err != nil {
		parsed = "" // nobody has it, and finding that out takes as long as for any other
	}
	if err := s.limiter.Check(ctx, ratelimit.Login, s.accountKey(parsed)); err != nil {
		return customerRow{}, err
	}
	row, err := customerByEmail(ctx, s.pool, s.indexes(parsed))
	if err != nil && !errors.Is(err, errs.ErrNotFound) {
		return row, fmt.Errorf("look up an address: %w", err)
	}
	ok, err := s.hasher.matches(ctx, row.PasswordHash, password)
	switch {
	case err != nil:
		return row, err
	case !ok:
		return row, ErrInvalidCredentials
	case row.Status != Active:
		return row, ErrAccountDisabled
	}
	if s.hasher.outdated(row.PasswordHash) {
		s.rehash(ctx, password, func(hash string) error { return refreshHash(ctx, s.pool, row.ID, row.PasswordHash, hash) })
	}
	return row, nil
}

// rehash stores a password anew under today's cost and pepper. It may fail: the old hash still works.
func (s *Service) rehash(ctx context.Context, password string, store func(hash string) error) {
	hash, err := s.hasher.hash(ctx, password)
	if err == nil {
		err = store(hash)
	}
	if err != nil {
		s.log.WarnContext(ctx, "password not hashed anew", "error", err)
	}
}

// newRefreshToken stores a new token of session and returns it.
func (s *Service) newRefreshToken(ctx context.Context, tx pgx.Tx, session string, now time.Time) (string, error) {
	token := crypto.RandomToken(tokenBytes)
	return token, insertRefreshToken(ctx, tx, crypto.HashToken(token), session, now, now.Add(s.config.RefreshTokenTTL))
}

// tokens signs an access token to go with refresh.
func (s *Service) tokens(customer CustomerID, session string, version int64, refresh string, now time.Time) (Tokens, error) {
	access, err := s.signer.Sign(accessClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			ID: id.New("jti"), Issuer: s.config.BaseURL, Audience: jwt.ClaimStrings{audience}, Subject: string(customer),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(s.config.AccessTokenTTL)),
		},
		SessionID: session, SessionVersion: version,
	}, accessTokenType)
	if err != nil {
		return Tokens{}, fmt.Errorf("sign an access token: %w", err)
	}
	return Tokens{AccessToken: access, ExpiresIn: s.config.AccessTokenTTL, RefreshToken: refresh, SessionID: session}, nil
}

// Refresh changes a refresh token for a new pair of tokens. A token that was used is answered with the same
// successor for ten seconds; after that it ends its session, because somebody else has it: ErrRefreshReused. It
// returns ErrInvalidToken for an unknown or expired token and ErrSessionRevoked when the session has ended.
func (s *Service) Refresh(ctx context.Context, token string) (Tokens, error) {
	var tokens Tokens
	var reused string // the session to end, which must be committed although the call fails
	repeated := false
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		tokens, reused, repeated = Tokens{}, "", false
		now, hash := s.now(), crypto.HashToken(token)
		row, err := lockRefreshToken(ctx, tx, hash, now)
		if err != nil {
			return err
		}
		switch {
		case row.AccountClosed, row.SessionEnded:
			return ErrSessionRevoked
		case !now.Before(row.ExpiresAt):
			return ErrInvalidToken
		case row.UsedAt != nil && now.Sub(*row.UsedAt) > refreshGrace:
			reused = row.SessionID
			return revokeSession(ctx, tx, row.SessionID, becauseReuse, now)
		}
		repeated = row.UsedAt != nil
		successor, err := s.successor(ctx, tx, hash, row, now)
		if err != nil {
			return err
		}
		tokens, err = s.tokens(row.CustomerID, row.SessionID, row.SessionVersion, successor, now)
		return err
	})
	switch {
	case err == nil && reused != "":
		s.sessions.markEnded(ctx, reused)
		s.log.WarnContext(ctx, "refresh token reused", "session_id", reused)
		s.metrics.refreshes.WithLabelValues("reused").Inc()
		return Tokens{}, ErrRefreshReused
	case err != nil:
		s.metrics.refreshes.WithLabelValues("refused").Inc()
		return Tokens{}, fmt.Errorf("refresh a session: %w", err)
	case repeated:
		s.metrics.refreshes.WithLabelValues("repeated").Inc()
	default:
		s.metrics.refreshes.WithLabelValues("ok").Inc()
	}
	return tokens, nil
}

// successor is the token that follows the one in row: the one it was given before, or a new one.
func (s *Service) successor(ctx context.Context, tx pgx.Tx, hash []byte, row refreshRow, now time.Time) (string, error) {
	place := fmt.Appendf(nil, "refresh_tokens|successor|%x", hash)
	if row.UsedAt != nil {
		token, err := s.vault.Open(row.SuccessorSealed, place)
		return string(token), err
	}
	token, err := s.newRefreshToken(ctx, tx, row.SessionID, now)
	if err != nil {
		return "", err
	}
	sealed, err := s.vault.Seal([]byte(token), place)
	if err != nil {
		return "", err
	}
	if err := markRefreshTokenUsed(ctx, tx, hash, sealed, now); err != nil {
		return "", err
	}
	return token, extendSession(ctx, tx, row.SessionID, now, now.Add(s.config.RefreshTokenTTL))
}

// Logout ends a session: its tokens are refused by every replica from now on. Ending an ended one is fine.
func (s *Service) Logout(ctx context.Context, session string) error {
	if err := revokeSession(ctx, s.pool, session, becauseLogout, s.now()); err != nil {
		return fmt.Errorf("end session %s: %w", session, err)
	}
	s.sessions.markEnded(ctx, session)
	return nil
}

// LogoutByRefreshToken ends the session a refresh token belongs to, for a caller whose access token has expired.
// An unknown token is fine: there is nothing to end.
func (s *Service) LogoutByRefreshToken(ctx context.Context, token string) error {
	session, err := sessionOfRefreshToken(ctx, s.pool, crypto.HashToken(token))
	if errors.Is(err, errs.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up a refresh token: %w", err)
	}
	return s.Logout(ctx, session)
}
