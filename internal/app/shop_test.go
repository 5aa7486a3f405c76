package app

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"shopd/internal/catalog"
	"shopd/internal/inventory"
	"shopd/internal/money"
	"shopd/internal/platform/config"
	"shopd/internal/platform/embedded"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/telemetry"
	"shopd/internal/platform/testenv"
	"shopd/internal/pricing"
)

// premises are the services that a shop stands on. Several shops may share them.
type premises struct {
	databaseURL, redisURL string
	rabbitMQURL           string // empty: events stay in the process
	settings              []string
}

// onServices is a clean corner of the real PostgreSQL, Redis, RabbitMQ and Elasticsearch.
func onServices(t *testing.T) premises {
	t.Helper()
	p := premises{databaseURL: testenv.Database(t), redisURL: testenv.RedisURL(t), rabbitMQURL: testenv.RabbitMQ(t)}
	elasticsearch, prefix := testenv.Elasticsearch(t)
	p.settings = []string{"SHOPD_RABBITMQ_URL=" + p.rabbitMQURL, "SHOPD_ELASTICSEARCH_URL=" + elasticsearch, "SHOPD_SEARCH_INDEX=" + prefix}
	return p
}

// onEmbedded is what the demo has: broker and search in the process, and a Redis that is none. PostgreSQL is real in
// both.
func onEmbedded(t *testing.T) premises {
	t.Helper()
	cache, err := embedded.StartRedis()
	require.NoError(t, err)
	t.Cleanup(cache.Stop)
	return premises{databaseURL: testenv.Database(t), redisURL: cache.URL()}
}

// environ are the settings of a shop on the premises; later ones win.
func (p premises) environ(more ...string) []string {
	all := []string{
		"SHOPD_DATABASE_URL=" + p.databaseURL, "SHOPD_REDIS_URL=" + p.redisURL, "SHOPD_DATABASE_MAX_CONNS=60", "SHOPD_LOG_LEVEL=warn",
		"SHOPD_MASTER_KEY=qL3b1yTz0Vn8pXw4Rk6sHc2mJd9fGa5uEo7iBtYvNxM=", "SHOPD_BCRYPT_COST=4", "SHOPD_RATE_LIMIT_PER_MINUTE=1000000",
		"SHOPD_JOB_POLL_INTERVAL=100ms", "SHOPD_RECONCILE_INTERVAL=1s", "SHOPD_COMPLETER_INTERVAL=1s", "SHOPD_RETRY_DELAYS=200ms,1s",
		"SHOPD_SHOP_NAME=Test Shop", "SHOPD_CURRENCY=EUR",
	}
	return append(append(all, p.settings...), more...)
}

// store is a shop that runs all its roles and answers HTTP, with what a test needs to look at it from outside.
type store struct {
	*Shop
	premises
	url     string // of the public address
	ops     string // of the private one
	handler http.Handler
	sql     *pgxpool.Pool // as the owner of the database, for the views
}

// openStore starts a shop on the premises. It ends with the test, which fails when the shop logged an error.
func openStore(t *testing.T, p premises, more ...string) *store {
	t.Helper()
	return openStoreLogging(t, p, &shopLog{}, more...)
}

// openStoreLogging is openStore for a test that reads the log itself.
func openStoreLogging(t *testing.T, p premises, logs *shopLog, more ...string) *store {
	t.Helper()
	s := &store{premises: p}
	server := httptest.NewUnstartedServer(nil)
	s.url = "http://" + server.Listener.Addr().String()
	cfg, err := config.Load(p.environ(append([]string{"SHOPD_BASE_URL=" + s.url}, more...)...), config.Test)
	require.NoError(t, err)
	in, err := NewInstruments(t.Context(), cfg, "test", logs)
	require.NoError(t, err)
	if in.QueryTracer == nil {
		in.QueryTracer = telemetry.StatementCounter{}
	}
	s.Shop, err = Open(t.Context(), cfg, Options{Version: "test", DataDir: t.TempDir(), Instruments: in})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		logs.report(t)
	})
	s.run(t)
	s.handler, err = s.Shop.handler()
	require.NoError(t, err)
	server.Config.Handler = s.handler
	server.Start()
	t.Cleanup(server.Close)
	ops := httptest.NewServer(s.opsHandler(func() bool { return true }))
	t.Cleanup(ops.Close)
	s.ops = ops.URL
	s.sql, err = postgres.Open(t.Context(), postgres.Config{URL: p.databaseURL, MaxConns: 4})
	require.NoError(t, err)
	t.Cleanup(s.sql.Close)
	return s
}

// run starts the roles behind the web.
func (s *store) run(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.work(ctx, AllRoles()) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
}

// shopLog keeps what a shop logs, for the end of the test.
type shopLog struct {
	expected string // an error whose line has this is part of the test; empty for none

	mu    sync.Mutex
	lines []string
}

func (l *shopLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(bytes.TrimSpace(line)))
	return len(line), nil
}

func (l *shopLog) report(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if strings.Contains(line, "level=ERROR") && (l.expected == "" || !strings.Contains(line, l.expected)) {
			t.Errorf("the shop logged: %s", line)
		}
	}
	if t.Failed() {
		t.Logf("log of the shop:\n%s", strings.Join(l.lines, "\n"))
	}
}

// article is something to buy.
type article struct {
	sku, title, product, variant, slug string
	price                              int64
}

// articles counts those of the process, so that tests beside each other have their own.
var articles struct {
	sync.Mutex
	n int
}

// stock puts a new article with a price in minor units and pieces on the shelf, and waits until shoppers see it.
func (s *store) stock(t *testing.T, price, pieces int64) article {
	t.Helper()
	return s.stockMany(t, 1, price, pieces)[0]
}

func (s *store) stockMany(t *testing.T, n int, price, pieces int64) []article {
	t.Helper()
	list, inputs, items := make([]article, n), make([]catalog.Input, n), make([]inventory.Item, n)
	for i := range list {
		articles.Lock()
		articles.n++
		number := articles.n
		articles.Unlock()
		a := article{sku: fmt.Sprintf("TEST-%04d", number), title: fmt.Sprintf("Wayfarer Satchel No%04d", number), price: price}
		inputs[i] = catalog.Input{
			SKU: a.sku, Title: a.title, Description: "A satchel for tests.", Brand: "Luma", Category: []string{"Gear", "Bags"},
			Attributes: map[string][]string{"Colour": {"Blue"}}, Variants: []catalog.VariantInput{{SKU: a.sku}},
		}
		items[i] = inventory.Item{SKU: a.sku, Quantity: pieces}
		list[i] = a
	}
	saved, err := s.Catalog.Save(t.Context(), inputs)
	require.NoError(t, err)
	changes := make([]pricing.Change, n)
	for i := range list {
		list[i].product, list[i].variant = string(saved[i].ProductID), string(saved[i].Variants[list[i].sku])
		changes[i] = pricing.Change{VariantID: list[i].variant, SKU: list[i].sku, Amount: money.New(price, "EUR"), Source: pricing.List}
	}
	_, err = s.Pricing.Set(t.Context(), changes)
	require.NoError(t, err)
	_, err = s.Inventory.SetOnHand(t.Context(), items, "test", "test")
	require.NoError(t, err)
	guest := s.guest(t)
	for i := range list {
		within(t, opening, func() error {
			found := guest.get("/api/v1/store/products/" + list[i].product)
			if found.status != http.StatusOK {
				return fmt.Errorf("product answers %d", found.status)
			}
			var p productJSON
			found.decode(&p)
			list[i].slug = p.Slug
			if p.InStock != (pieces > 0) || p.Price.Amount != price {
				return fmt.Errorf("product is not on the shelf yet: %s", found.body)
			}
			return nil
		})
	}
	return list
}

// number is the one number that a query on the views answers.
func (s *store) number(t *testing.T, sql string, args ...any) int64 {
	t.Helper()
	var n int64
	require.NoError(t, s.sql.QueryRow(t.Context(), sql, args...).Scan(&n), sql)
	return n
}

// rows are what a query on the views answers, each as a map.
func (s *store) rows(t *testing.T, sql string, args ...any) []map[string]any {
	t.Helper()
	rows, err := s.sql.Query(t.Context(), sql, args...)
	require.NoError(t, err, sql)
	list, err := pgx.CollectRows(rows, pgx.RowToMap)
	require.NoError(t, err, sql)
	return list
}

// cached reads what Redis has of a key, without the version before it; empty when it has nothing.
func (s *store) cached(t *testing.T, key string) string {
	t.Helper()
	options, err := redis.ParseURL(s.redisURL)
	require.NoError(t, err)
	client := redis.NewClient(options)
	defer client.Close()
	text, err := client.Get(t.Context(), key).Result()
	if err != nil || len(text) < 17 {
		return ""
	}
	return text[17:]
}

// opening is how long a shop may take until events flow: queues are declared, and an event that the broker did not
// confirm meanwhile is published again when its claim has run out.
const opening = time.Minute

// soon is how long what follows events may take in tests that are not about how long it takes.
const soon = 10 * time.Second

// within repeats check until it returns nil, and fails with its last error when that takes longer than limit.
func within(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			require.NoError(t, err, "within %s", limit)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// keyWith returns a client that calls with an API key of these scopes.
func (s *store) keyWith(t *testing.T, scopes ...string) *client {
	t.Helper()
	_, secret, err := s.Users.CreateAPIKey(t.Context(), "system", "test", scopes)
	require.NoError(t, err)
	return s.guest(t).with("Authorization", "Bearer "+secret)
}
