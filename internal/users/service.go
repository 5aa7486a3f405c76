// Package users keeps accounts: customers and staff, how they prove who they are, and what is known of them. All
// that tells who a person is lies sealed under a key of that person's own.
package users

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/crypto/bcrypt"

	"shopd/internal/events"
	"shopd/internal/platform/crypto"
	"shopd/internal/platform/id"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// MaxAccessTokenTTL is the longest an access token may live.
const MaxAccessTokenTTL = 10 * time.Minute

// Config is how accounts behave. Fields without a default are required.
type Config struct {
	BaseURL         string        // public origin, in links and as the issuer of tokens
	ShopName        string        // in mails
	AccessTokenTTL  time.Duration // 0 is 10 minutes, which is also the most
	RefreshTokenTTL time.Duration // of a token that is not used; 0 is 30 days
	StaffSessionTTL time.Duration // of a session that is not used; 0 is 12 hours
	BcryptCost      int           // 0 is 12; below 10 is for tests, and the caller's to refuse in production
}

func (c *Config) complete() error {
	if c.AccessTokenTTL == 0 {
		c.AccessTokenTTL = MaxAccessTokenTTL
	}
	if c.RefreshTokenTTL == 0 {
		c.RefreshTokenTTL = 30 * 24 * time.Hour
	}
	if c.StaffSessionTTL == 0 {
		c.StaffSessionTTL = 12 * time.Hour
	}
	if c.BcryptCost == 0 {
		c.BcryptCost = 12
	}
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	var wrong []error
	if c.BaseURL == "" {
		wrong = append(wrong, errors.New("users: BaseURL is required"))
	}
	if c.AccessTokenTTL < 0 || c.AccessTokenTTL > MaxAccessTokenTTL {
		wrong = append(wrong, fmt.Errorf("users: AccessTokenTTL %s is not between 0 and %s", c.AccessTokenTTL, MaxAccessTokenTTL))
	}
	if c.BcryptCost < bcrypt.MinCost || c.BcryptCost > bcrypt.MaxCost {
		wrong = append(wrong, fmt.Errorf("users: BcryptCost %d is not between %d and %d", c.BcryptCost, bcrypt.MinCost, bcrypt.MaxCost))
	}
	return errors.Join(wrong...)
}

// Deps is what a Service works with. All fields are required.
type Deps struct {
	Pool       *pgxpool.Pool         // with the role of users
	Redis      redis.UniversalClient // with ContextTimeoutEnabled
	Vault      *crypto.Vault
	Signer     *crypto.Signer
	Keyring    *Keyring
	Mailer     Mailer
	Limiter    RateLimiter
	Orders     OrderExporter
	Log        *slog.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time
}

// Service is the accounts of the shop. It is safe for concurrent use.
type Service struct {
	config   Config
	pool     *pgxpool.Pool
	vault    *crypto.Vault
	signer   *crypto.Signer
	keys     *Keyring
	hasher   *hasher
	sessions *sessions
	mailer   Mailer
	letters  *letters
	limiter  RateLimiter
	orders   OrderExporter
	log      *slog.Logger
	metrics  *metrics
	now      func() time.Time
}

// New returns a Service, or an error naming every setting that is wrong.
func New(d Deps, c Config) (*Service, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	m, err := newMetrics(d.Registerer)
	if err != nil {
		return nil, err
	}
	l, err := newLetters(c)
	if err != nil {
		return nil, err
	}
	now := func() time.Time { return d.Now().UTC().Truncate(time.Microsecond) } // as PostgreSQL keeps it
	return &Service{
		config: c, pool: d.Pool, vault: d.Vault, signer: d.Signer, keys: d.Keyring, hasher: newHasher(d.Vault, c.BcryptCost),
		sessions: newSessions(d.Pool, d.Redis, now, d.Log), mailer: d.Mailer, letters: l, limiter: d.Limiter,
		orders: d.Orders, log: d.Log, metrics: m, now: now,
	}, nil
}

func (s *Service) inTx(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return postgres.InTx(ctx, s.pool, fn)
}

// publish appends events to the outbox; the caller wakes the relay after the commit.
func (s *Service) publish(ctx context.Context, tx pgx.Tx, now time.Time, evs ...events.Event) error {
	return outbox.Append(ctx, tx, now, evs...)
}

// indexes are what an address is found by, under each master key.
func (s *Service) indexes(email Email) [][]byte {
	return s.vault.BlindIndexes("email:" + string(email))
}

func (s *Service) index(email Email) []byte { return s.vault.BlindIndex("email:" + string(email)) }

// accountKey names an address to the rate limiter without saying it.
func (s *Service) accountKey(email Email) string { return fmt.Sprintf("account:%x", s.index(email)) }

// audit writes who did what into tx.
func (s *Service) audit(ctx context.Context, tx pgx.Tx, actor, action, object string, detail map[string]any) error {
	e := AuditEntry{ID: id.New("aud"), At: s.now(), Actor: actor, Action: action, Object: object, Detail: detail}
	if err := insertAuditEntry(ctx, tx, e); err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

// minAnswerTime is what a call takes at least whose answer must not tell whether an address has an account: longer
// than the work for either, password hashing aside.
const minAnswerTime = 75 * time.Millisecond

// evenOut waits until minAnswerTime has passed since began.
func evenOut(ctx context.Context, began time.Time) {
	timer := time.NewTimer(minAnswerTime - time.Since(began))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
