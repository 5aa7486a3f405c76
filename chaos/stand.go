package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"shopd/internal/rig"
)

// The services that replicas talk to, by the names that faults and wires have for them.
const (
	postgres      = "postgresql"
	redisServer   = "redis"
	rabbitMQ      = "rabbitmq"
	elasticsearch = "elasticsearch"
	smtpServer    = "smtp"
)

// database is the shop's, on the run's own server.
const database = "shopd"

// timers are the settings that make the shop live faster than in production, so that a short run sees every timer end.
// What they are is part of what a run proves; docs/chaos.md lists them.
var timers = []string{
	"SHOPD_RESERVATION_TTL=20s", "SHOPD_COMPLETER_INTERVAL=1s", "SHOPD_RECONCILE_INTERVAL=2s", "SHOPD_RETRY_DELAYS=1s,2s,5s,10s,20s",
	"SHOPD_JOB_POLL_INTERVAL=500ms",
	"SHOPD_DRAIN_DELAY=" + drainDelay.String(), "SHOPD_DRAIN_TIMEOUT=" + drainTimeout.String(),
}

// stand is everything a run needs but buyers and faults: the services, two replicas behind a balancer, and what watches
// from outside.
type stand struct {
	dir      string
	seed     uint64
	patience time.Duration // until all is quiet
	binary   string
	master   string // SHOPD_MASTER_KEY
	postgres *rig.Postgres
	redis    *rig.Redis
	rabbit   *rig.RabbitMQ
	elastic  string // URL of Elasticsearch; empty for the index in the process
	network  *network
	balancer *balancer
	replicas []*replica
	mailbox  *mailbox
	bank     *bank
	audit    *audit
	db       *pgxpool.Pool // superuser, not through a wire
	apiKey   string        // opens everything of the merchant's
	goods    []article
	cutter   *cutter // of the only replica; nil where there are two
	undo     []func() error
}

// openStand starts it all. The binary is built from the tree unless it is given.
func openStand(ctx context.Context, o options, say func(string)) (_ *stand, err error) {
	s := &stand{network: newNetwork(), seed: o.seed, patience: o.patience}
	if s.dir, err = makeStateDir(o.state); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	key := make([]byte, 32)
	rand.Read(key)
	s.master = base64.StdEncoding.EncodeToString(key)
	if s.binary = o.shopd; s.binary == "" {
		say("Building shopd")
		s.binary = filepath.Join(s.dir, "shopd")
		if err := rig.Build(ctx, o.source, s.binary); err != nil {
			return nil, err
		}
	}
	say("Starting PostgreSQL, Redis and RabbitMQ of our own; the state is in " + s.dir)
	if err := s.openServices(ctx); err != nil {
		return nil, err
	}
	if s.elastic, err = elasticAt(ctx, o.elastic); err != nil {
		return nil, err
	}
	say("Making the shop")
	if err := s.makeShop(ctx); err != nil {
		return nil, err
	}
	if s.audit, err = newAudit(s.rabbit.Addr); err != nil {
		return nil, err
	}
	s.audit.listen(ctx)
	s.later(func() error { s.audit.close(); return nil })
	say(fmt.Sprintf("Starting %d replicas", o.replicas))
	return s, s.openReplicas(ctx, o.replicas)
}

// makeStateDir makes the directory of the run. Servers that run as somebody else must be able to pass through it.
func makeStateDir(parent string) (string, error) {
	if parent != "" {
		if err := os.MkdirAll(parent, 0o755); err != nil {
			return "", err
		}
	}
	dir, err := os.MkdirTemp(parent, "shopd-chaos-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711) //nolint:gosec // others may pass through, not look
}

func (s *stand) later(undo func() error) { s.undo = append(s.undo, undo) }

// close ends everything, the last opened first. The state stays.
func (s *stand) close() error {
	var failures []error
	for i := len(s.undo) - 1; i >= 0; i-- {
		failures = append(failures, s.undo[i]())
	}
	s.undo = nil
	return errors.Join(failures...)
}

func (s *stand) openServices(ctx context.Context) (err error) {
	if s.postgres, err = rig.NewPostgres(ctx, filepath.Join(s.dir, "postgresql")); err != nil {
		return err
	}
	s.later(s.postgres.Close)
	if s.redis, err = rig.NewRedis(ctx, filepath.Join(s.dir, "redis")); err != nil {
		return err
	}
	s.later(s.redis.Close)
	if s.rabbit, err = rig.NewRabbitMQ(ctx, filepath.Join(s.dir, "rabbitmq")); err != nil {
		return err
	}
	s.later(s.rabbit.Close)
	starts := []func(context.Context) error{s.postgres.Start, s.redis.Start, s.rabbit.Start}
	results := make(chan error, len(starts))
	for _, start := range starts {
		go func() { results <- start(ctx) }()
	}
	for range starts {
		err = errors.Join(err, <-results)
	}
	if err != nil {
		return err
	}
	if s.mailbox, err = newMailbox(ctx); err != nil {
		return err
	}
	s.later(s.mailbox.close)
	if s.bank, err = newBank(s.seed); err != nil {
		return err
	}
	s.later(s.bank.close)
	admin, err := pgx.Connect(ctx, s.postgres.URL("postgres"))
	if err != nil {
		return err
	}
	if _, err := admin.Exec(ctx, "create database "+database); err != nil {
		return errors.Join(err, admin.Close(ctx))
	}
	if err := admin.Close(ctx); err != nil {
		return err
	}
	config, err := pgxpool.ParseConfig(s.postgres.URL(database))
	if err != nil {
		return err
	}
	config.MaxConns, config.ConnConfig.ConnectTimeout = 8, 2*time.Second
	if s.db, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	s.later(func() error { s.db.Close(); return nil })
	return nil
}

// elasticAt is the Elasticsearch to use: the shared one of the tests, whose indices of this run have a name of their own.
// Without one the index is in the process, and losing it is no fault that can happen.
func elasticAt(ctx context.Context, address string) (string, error) {
	if address == "" {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := rig.Fetch(ctx, address+"/_cluster/health?timeout=1s"); err != nil {
		return "", fmt.Errorf("Elasticsearch: %w (start it with `make services`, or give -elastic '' for the index in the process)", err)
	}
	return address, nil
}

// directly are the settings that name the services themselves.
func (s *stand) directly() map[string]string {
	return map[string]string{
		postgres: s.postgres.Addr, redisServer: s.redis.Addr, rabbitMQ: s.rabbit.Addr, smtpServer: s.mailbox.addr,
		elasticsearch: strings.TrimPrefix(s.elastic, "http://"), stripeGateway: s.bank.addr(stripeGateway), payPalGateway: s.bank.addr(payPalGateway),
	}
}

// environ are the settings of a process that reaches the services at these addresses.
func (s *stand) environ(at map[string]string, settings ...string) []string {
	environ := append(rig.WithoutShopd(os.Environ()),
		"SHOPD_ENV=test", "SHOPD_MASTER_KEY="+s.master,
		"SHOPD_DATABASE_URL="+rig.PostgresURL(at[postgres], database), "SHOPD_REDIS_URL="+rig.RedisURL(at[redisServer]),
		"SHOPD_RABBITMQ_URL="+rig.RabbitMQURL(at[rabbitMQ]), "SHOPD_SMTP_URL=smtp://"+at[smtpServer],
		"SHOPD_RATE_LIMIT_PER_MINUTE=1000000000", "SHOPD_REPLICAS=2", "SHOPD_BCRYPT_COST=4", "SHOPD_LOG_FORMAT=json",
		"SHOPD_MAIL_FROM=shop@shop.example", "SHOPD_TRUSTED_PROXIES=127.0.0.1/32",
	)
	environ = append(append(environ, timers...), s.bank.settings(at)...)
	if s.elastic != "" {
		environ = append(environ, "SHOPD_ELASTICSEARCH_URL=http://"+at[elasticsearch], "SHOPD_SEARCH_INDEX="+s.index())
	}
	return append(environ, settings...)
}

// index is the prefix of the run's search indices.
func (s *stand) index() string { return strings.ToLower(filepath.Base(s.dir)) }

// makeShop migrates, fills the catalogue, and makes a key for the merchant.
func (s *stand) makeShop(ctx context.Context) error {
	if _, err := s.tool(ctx, "migrate", "up"); err != nil {
		return err
	}
	s.goods = catalogue()
	file := filepath.Join(s.dir, "catalogue.jsonl")
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, a := range s.goods {
		if err := encoder.Encode(a.product()); err != nil {
			return err
		}
	}
	if err := os.WriteFile(file, lines.Bytes(), 0o644); err != nil {
		return err
	}
	if _, err := s.tool(ctx, "import", "products", file); err != nil {
		return err
	}
	key, err := s.tool(ctx, "api-keys", "create", "--name", "chaos", "--scopes", "*")
	if err != nil {
		return err
	}
	for word := range strings.FieldsSeq(key) {
		if strings.HasPrefix(word, "sk_") {
			s.apiKey = word
		}
	}
	if s.apiKey == "" {
		return fmt.Errorf("api-keys create printed no key: %s", key)
	}
	if s.elastic != "" {
		s.later(func() error { return deleteIndices(s.elastic, s.index()) })
	}
	_, err = s.db.Exec(ctx, "vacuum analyze")
	return err
}

func (s *stand) openReplicas(ctx context.Context, count int) (err error) {
	if s.balancer, err = newBalancer(ctx); err != nil {
		return err
	}
	s.later(s.balancer.close)
	s.bank.tellsTo(s.balancer.url)
	s.later(func() error { s.network.close(); return nil })
	if count == 1 {
		if s.cutter, err = newCutter(ctx, s.postgres.Addr); err != nil {
			return err
		}
		s.later(s.cutter.close)
	}
	for i := range count {
		name := fmt.Sprintf("replica-%d", i+1)
		r := &replica{name: name, binary: s.binary, log: filepath.Join(s.dir, name+".log"), wires: map[string]*wire{}}
		at := map[string]string{}
		for service, addr := range s.directly() {
			if addr == "" {
				continue
			}
			if r.wires[service], err = s.network.lay(name+" to "+service, addr); err != nil {
				return err
			}
			at[service] = r.wires[service].addr()
		}
		if s.cutter != nil {
			at[postgres] = s.cutter.addr()
		}
		if r.public, err = rig.FreeAddress(ctx); err != nil {
			return err
		}
		if r.ops, err = rig.FreeAddress(ctx); err != nil {
			return err
		}
		r.environ = s.environ(at, "SHOPD_ADDR="+r.public, "SHOPD_OPS_ADDR="+r.ops, "SHOPD_BASE_URL="+s.balancer.url,
			"SHOPD_DATA_DIR="+filepath.Join(s.dir, name), "SHOPD_LOG_LEVEL=info")
		s.replicas = append(s.replicas, r)
		if err := s.balancer.add(name, "http://"+r.public, "http://"+r.ops); err != nil {
			return err
		}
		s.later(r.close)
		if err := r.start(ctx); err != nil {
			return err
		}
	}
	s.balancer.watch(ctx)
	return nil
}

// deleteIndices removes what the run has put into Elasticsearch.
func deleteIndices(elastic, prefix string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return rig.DeleteIndices(ctx, elastic, prefix)
}
