package users_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"shopd/internal/platform/crypto"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/ratelimit"
	"shopd/internal/platform/testenv"
	"shopd/internal/users"
)

const (
	baseURL  = "https://shop.example"
	password = "a quiet walk at dusk"
	address  = "ada@example.com"
)

func masterKey(letter string) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(letter, 32)))
}

// bundle is a database with one replica on it. More replicas come from replica.
type bundle struct {
	*users.Service
	databaseURL string
	redisURL    string
	admin       *pgxpool.Pool // as superuser, to look at everything
	redis       redis.UniversalClient
	mails       *outgoing
	clock       *clock
}

type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// outgoing keeps mails whose transaction was not rolled back by an error of the callback.
type outgoing struct {
	mu    sync.Mutex
	mails []users.Mail
}

func (o *outgoing) Send(_ context.Context, _ pgx.Tx, mail users.Mail) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mails = append(o.mails, mail)
	return nil
}

// to returns the mails to one address, named by their templates.
func (o *outgoing) to(address string) (templates []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.mails {
		if m.To == address {
			templates = append(templates, m.Template)
		}
	}
	return templates
}

var tokenInLink = regexp.MustCompile(`\?token=([A-Za-z0-9_-]{43})`)

// token returns the token in the newest mail of a template.
func (o *outgoing) token(t *testing.T, template string) string {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := len(o.mails) - 1; i >= 0; i-- {
		if o.mails[i].Template == template {
			found := tokenInLink.FindStringSubmatch(o.mails[i].Text)
			require.Len(t, found, 2, "the mail has a link with a token")
			require.Contains(t, o.mails[i].HTML, found[1])
			return found[1]
		}
	}
	require.Fail(t, "no mail "+template)
	return ""
}

type noOrders struct{}

func (noOrders) ExportOrders(_ context.Context, customerID string) (json.RawMessage, error) {
	return json.Marshal([]map[string]string{{"order_of": customerID}})
}

type limiterFunc func(class ratelimit.Class, key string) error

func (f limiterFunc) Check(_ context.Context, class ratelimit.Class, key string) error {
	return f(class, key)
}

func unlimited(ratelimit.Class, string) error { return nil }

// options are what a replica may have of its own.
type options struct {
	masterKeys string
	redisURL   string
	limiter    limiterFunc
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{databaseURL: testenv.Database(t), redisURL: testenv.RedisURL(t), mails: &outgoing{}, clock: &clock{}}
	b.admin = connect(t, b.databaseURL, "")
	b.redis = connectRedis(t, b.redisURL)
	b.Service = b.replica(t, options{})
	return b
}

func connect(t *testing.T, url, role string) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: url, Role: role, MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func connectRedis(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	o, err := redis.ParseURL(url)
	require.NoError(t, err)
	o.ContextTimeoutEnabled = true
	client := redis.NewClient(o)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// replica is another process of the same shop: same database and keys, connections of its own.
func (b *bundle) replica(t *testing.T, o options) *users.Service {
	t.Helper()
	if o.masterKeys == "" {
		o.masterKeys = masterKey("k")
	}
	if o.redisURL == "" {
		o.redisURL = b.redisURL
	}
	if o.limiter == nil {
		o.limiter = unlimited
	}
	vault, err := crypto.NewVault(o.masterKeys)
	require.NoError(t, err)
	signer, err := crypto.NewSigner("", vault)
	require.NoError(t, err)
	pool := connect(t, b.databaseURL, "shopd_users")
	keyring, err := users.NewKeyring(pool, vault, b.clock.now)
	require.NoError(t, err)
	s, err := users.New(users.Deps{
		Pool: pool, Redis: connectRedis(t, o.redisURL), Vault: vault, Signer: signer, Keyring: keyring, Mailer: b.mails,
		Limiter: o.limiter, Orders: noOrders{}, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Now: b.clock.now,
	}, users.Config{BaseURL: baseURL, ShopName: "Test Shop", BcryptCost: 4})
	require.NoError(t, err)
	return s
}

// register opens the account of address and returns its id.
func (b *bundle) register(t *testing.T) users.CustomerID {
	t.Helper()
	require.NoError(t, b.Register(t.Context(), users.Registration{Email: address, Password: password, Name: "Ada Lovelace"}))
	c, err := b.CustomerByEmail(t.Context(), address)
	require.NoError(t, err)
	return c.ID
}

// login signs in as address.
func (b *bundle) login(t *testing.T) users.Tokens {
	t.Helper()
	tokens, _, err := b.Login(t.Context(), address, password)
	require.NoError(t, err)
	return tokens
}

// refused asserts that a token is not accepted, for the reason named by code.
func refused(t *testing.T, s *users.Service, token, code string) {
	t.Helper()
	_, err := s.Authenticate(t.Context(), token)
	require.Error(t, err)
	require.NotNil(t, errs.As(err), "%v", err)
	require.Equal(t, code, errs.As(err).Code)
}

func accepted(t *testing.T, s *users.Service, token string) {
	t.Helper()
	_, err := s.Authenticate(t.Context(), token)
	require.NoError(t, err)
}

// scalar returns the one value a query as superuser gives.
func scalar[T any](t *testing.T, b *bundle, sql string, args ...any) T {
	t.Helper()
	var v T
	require.NoError(t, b.admin.QueryRow(t.Context(), sql, args...).Scan(&v))
	return v
}
