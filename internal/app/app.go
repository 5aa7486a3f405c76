// Package app builds a shop of its parts: it opens what they run on, joins the domains to each other, and starts and
// stops the roles of a process.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"shopd/internal/catalog"
	"shopd/internal/catalog/search"
	"shopd/internal/catalog/search/elastic"
	searchembedded "shopd/internal/catalog/search/embedded"
	"shopd/internal/inventory"
	"shopd/internal/money"
	"shopd/internal/orders"
	"shopd/internal/payments"
	"shopd/internal/platform/alert"
	"shopd/internal/platform/broker"
	"shopd/internal/platform/broker/inprocess"
	"shopd/internal/platform/broker/rabbitmq"
	"shopd/internal/platform/cache"
	"shopd/internal/platform/config"
	"shopd/internal/platform/crash"
	"shopd/internal/platform/crypto"
	"shopd/internal/platform/idempotency"
	"shopd/internal/platform/jobs"
	"shopd/internal/platform/mail"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/ratelimit"
	"shopd/internal/pricing"
	"shopd/internal/recs"
	"shopd/internal/users"
)

// Shop is everything a process of the shop consists of. It does nothing before Run.
type Shop struct {
	Config    config.Config
	Catalog   *catalog.Service
	Pricing   *pricing.Service
	Inventory *inventory.Service
	Payments  *payments.Service
	Orders    *orders.Service
	Users     *users.Service
	Recs      *recs.Service

	log       *slog.Logger
	telemetry *Instruments
	now       func() time.Time
	pools     *pools
	redis     redis.UniversalClient
	engine    search.Engine
	broker    broker.Broker
	relay     *outbox.Relay
	queue     *jobs.Queue
	registry  *jobs.Registry
	keys      *idempotency.Store
	limiter   *ratelimit.Limiter
	vault     *crypto.Vault
	mailer    mail.Sender
	alerts    *alert.Alerts
	mails     *mail.Folder // nil where mails leave by SMTP
	media     media
	doubles   bool // the gateways of companies are doubles in this process
	version   string
	closers   []func() error
}

// Options are what a command adds to the settings.
type Options struct {
	Version string
	// DataDir is where an embedded shop keeps its search index, pictures and mails.
	DataDir string
	// Instruments are required. Close closes them too.
	Instruments *Instruments
	// Beside says that the shop is opened by a tool beside running ones: an embedded search index belongs to them.
	Beside bool
	// Media are pictures that come with the program; nil for none.
	Media pictureSource
	// Doubles says that Stripe and PayPal are doubles that come with the process.
	Doubles bool
}

// Open connects a shop to its services and joins its parts. PostgreSQL need not answer yet; the schema must be there
// before Run. Close the shop.
func Open(ctx context.Context, cfg config.Config, o Options) (_ *Shop, err error) {
	s := &Shop{Config: cfg, version: o.Version, doubles: o.Doubles, telemetry: o.Instruments, log: o.Instruments.Log, closers: []func() error{o.Instruments.Close}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := crash.Arm(cfg.Timers.CrashAt); err != nil {
		return nil, err
	}
	offset := cfg.Timers.ClockOffset
	s.now = func() time.Time { return time.Now().Add(offset).UTC().Truncate(time.Microsecond) }
	for _, open := range []func(context.Context, Options) error{s.openStores, s.openSearch, s.openBroker, s.openMail, s.openMedia, s.openDomains} {
		if err := open(ctx, o); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Close ends all connections, the last opened first.
func (s *Shop) Close() error {
	var failures []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		failures = append(failures, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(failures...)
}

func (s *Shop) openStores(ctx context.Context, _ Options) (err error) {
	if s.pools, err = openPools(ctx, s.Config.Database, s.telemetry); err != nil {
		return err
	}
	s.closers = append(s.closers, s.pools.close)
	if s.redis, err = cache.Connect(s.Config.Redis.URL.Reveal()); err != nil {
		return err
	}
	s.closers = append(s.closers, s.redis.Close)
	if s.vault, err = crypto.NewVault(s.Config.Keys.Master.Reveal()); err != nil {
		return err
	}
	s.keys, err = idempotency.New(idempotency.Config{
		Sealer: s.vault, Log: s.log, Redis: s.redis, TTL: s.Config.Timers.Idempotency, Now: s.now,
	})
	if err != nil {
		return err
	}
	s.limiter, err = ratelimit.New(s.redis, ratelimit.Config{PerMinute: s.Config.Limits.RatePerMinute, Replicas: s.Config.Limits.Replicas}, s.now, s.metrics())
	return err
}

func (s *Shop) metrics() prometheus.Registerer { return s.telemetry.Registry }

func (s *Shop) openSearch(_ context.Context, o Options) (err error) {
	if address := s.Config.Search.URL.Reveal(); address != "" {
		s.engine, err = elastic.Open(elastic.Config{URLs: strings.Split(address, ","), Prefix: s.Config.Search.Index, Log: s.log})
	} else if o.Beside {
		s.engine = search.Absent{}
	} else {
		s.engine, err = searchembedded.Open(filepath.Join(o.DataDir, "search"), s.log)
	}
	if err == nil {
		s.closers = append(s.closers, s.engine.Close)
	}
	return err
}

func (s *Shop) engineName() string {
	if s.Config.Search.URL == "" {
		return "embedded"
	}
	return "elasticsearch"
}

func (s *Shop) openBroker(context.Context, Options) (err error) {
	c := broker.Config{
		Pool: s.pools.relay, Log: s.log, Registerer: s.metrics(), Tracer: s.telemetry.TracerProvider, RetryDelays: s.Config.Timers.RetryDelays, Now: s.now,
	}
	if address := s.Config.RabbitMQ.URL.Reveal(); address != "" {
		s.broker, err = rabbitmq.New(address, c)
	} else {
		s.broker, err = inprocess.New(c)
	}
	if err != nil {
		return err
	}
	s.closers = append(s.closers, s.broker.Close)
	s.relay, err = outbox.NewRelay(outbox.Config{
		Pool: s.pools.relay, Publisher: tracedPublisher{s.broker, s.telemetry.Tracer("outbox")}, Log: s.log, Registerer: s.metrics(), Retention: s.Config.Timers.EventRetention, Now: s.now,
	})
	return err
}

func (s *Shop) openMail(_ context.Context, o Options) (err error) {
	if s.queue, err = jobs.NewQueue(); err != nil {
		return err
	}
	s.registry = jobs.NewRegistry()
	if address := s.Config.Mail.SMTPURL.Reveal(); address != "" {
		s.mailer, err = mail.NewSMTP(address, s.sender(), s.now)
	} else {
		s.mails, err = mail.NewFolder(filepath.Join(o.DataDir, "mail"), s.sender(), s.now)
		s.mailer = s.mails
	}
	if err != nil {
		return err
	}
	mail.Deliver(s.registry, s.vault, s.mailer)
	jobs.Handle(s.registry, s.sendOrderMail)
	s.alerts, err = alert.New(s.queue, alert.Config{
		SlackURL: s.Config.Alerts.SlackURL.Reveal(), PagerDutyURL: s.Config.Alerts.PagerDutyURL.Reveal(), AllowPrivate: !s.Config.Profile.Strict(),
		Metrics: s.metrics(),
	})
	if err != nil {
		return err
	}
	s.alerts.Deliver(s.registry)
	return nil
}

// sender is the From address of mails.
func (s *Shop) sender() string {
	if from := s.Config.Mail.From; from != "" {
		return from
	}
	host := "localhost"
	if s.Config.HTTP.BaseURL != nil {
		host = s.Config.HTTP.BaseURL.Hostname()
	}
	return fmt.Sprintf("%q <no-reply@%s>", s.Config.Shop.Name, host)
}

// baseURL is the public origin without a slash at its end.
func (s *Shop) baseURL() string {
	if s.Config.HTTP.BaseURL == nil {
		return ""
	}
	return strings.TrimSuffix((&url.URL{Scheme: s.Config.HTTP.BaseURL.Scheme, Host: s.Config.HTTP.BaseURL.Host}).String(), "/")
}

func (s *Shop) openDomains(_ context.Context, _ Options) (err error) {
	store, err := cache.NewStore(s.redis, s.metrics())
	if err != nil {
		return err
	}
	currency := money.Currency(s.Config.Shop.Currency)
	if s.Catalog, err = catalog.New(catalog.Deps{
		DB: s.pools.catalog, Engine: s.engine, EngineName: s.engineName(), Cache: store, Currency: currency, Log: s.log, Now: s.now, Registerer: s.metrics(),
	}); err != nil {
		return err
	}
	if s.Pricing, err = pricing.New(pricing.Deps{DB: s.pools.pricing, Relaxed: s.pools.redemptions, Cache: store, Log: s.log, Now: s.now}); err != nil {
		return err
	}
	if s.Inventory, err = inventory.New(inventory.Deps{
		DB: s.pools.inventory, Relaxed: s.pools.reservations, Cache: store, Redis: s.redis, Replicas: s.Config.Limits.Replicas, Alerter: inventoryAlerter{s.alerts}, Log: s.log, Now: s.now, Registerer: s.metrics(),
	}); err != nil {
		return err
	}
	s.Recs = recs.New(recs.Deps{DB: s.pools.recs, Catalog: recsCatalog{s.Catalog}, Log: s.log, Now: s.now, Registerer: s.metrics()})
	gateways, err := s.gateways()
	if err != nil {
		return err
	}
	s.Payments = payments.New(payments.Deps{
		DB: s.pools.payments, Relaxed: s.pools.outcomes, Gateways: gateways, Shop: s.shopName(), Jobs: s.queue, Log: s.log, Now: s.now, Registerer: s.metrics(),
	})
	s.Payments.Work(s.registry)
	outgoing := mail.NewOutbox(s.queue, s.vault)
	exporter := &usersOrders{}
	keyring, err := users.NewKeyring(s.pools.keyring, s.vault, s.now)
	if err != nil {
		return err
	}
	if err := s.openUsers(outgoing, keyring, exporter); err != nil {
		return err
	}
	s.Orders = orders.New(orders.Deps{
		DB: s.pools.orders, Carts: s.pools.carts, Catalog: ordersCatalog{s.Catalog}, Pricing: ordersPricing{s.Pricing},
		Promotions: ordersPromotions{s.Pricing}, Stock: ordersStock{s.Inventory, s.Config.Limits.RatePerMinute}, Payments: ordersPayments{s.Payments},
		Personal: ordersPersonal{keyring}, Sealer: s.vault, Mailer: ordersMailer{s.queue}, Methods: s.paymentMethods(),
		ShopName: s.Config.Shop.Name, BaseURL: s.baseURL(), TTL: s.Config.Timers.Reservation,
		KeepGuests: s.Config.Timers.KeepGuests, KeepCarts: s.Config.Timers.KeepCarts,
		ReturnWindow: s.Config.Timers.ReturnWindow, Seller: s.seller(), Log: s.log, Now: s.now, Registerer: s.metrics(),
	})
	exporter.orders = s.Orders
	for _, subs := range [][]broker.Subscription{
		s.Catalog.Subscriptions(), s.Pricing.Subscriptions(), s.Inventory.Subscriptions(), s.Payments.Subscriptions(), s.Orders.Subscriptions(),
		s.Recs.Subscriptions(), s.Users.Subscriptions(),
	} {
		if err := s.broker.Subscribe(subs...); err != nil {
			return err
		}
	}
	s.schedule()
	return nil
}

// seller is who writes the invoices.
func (s *Shop) seller() orders.Seller {
	c := s.Config.Shop
	return orders.Seller{Name: cmp.Or(c.SellerName, c.Name), Address: c.SellerAddress, TaxID: c.SellerTaxID, Contact: c.SellerContact, Footer: c.SellerFooter}
}

func (s *Shop) openUsers(outgoing *mail.Outbox, keyring *users.Keyring, exporter users.OrderExporter) error {
	signer, err := crypto.NewSigner(s.Config.Keys.JWT.Reveal(), s.vault)
	if err != nil {
		return err
	}
	s.Users, err = users.New(users.Deps{
		Pool: s.pools.users, Redis: s.redis, Vault: s.vault, Signer: signer, Keyring: keyring, Mailer: usersMailer{outgoing}, Limiter: s.limiter,
		Orders: exporter, Log: s.log, Registerer: s.metrics(), Now: s.now,
	}, users.Config{
		BaseURL: s.baseURL(), ShopName: s.Config.Shop.Name, AccessTokenTTL: s.Config.Timers.AccessToken, RefreshTokenTTL: s.Config.Timers.RefreshToken,
		StaffSessionTTL: s.Config.Timers.StaffSession, BcryptCost: s.Config.Limits.BcryptCost,
	})
	return err
}

// schedule registers the work that is done every so often, on one replica at a time.
func (s *Shop) schedule() {
	t := s.Config.Timers
	s.registry.Every(t.Completer, "orders.complete_interrupted", s.Orders.CompleteInterrupted)
	s.registry.Every(t.Reconcile, "payments.reconcile", func(ctx context.Context) error {
		_, err := s.Payments.Reconcile(ctx, min(t.Reconcile, reconcileAfter))
		return err
	})
	s.registry.Every(historyEvery, "inventory.fill_history", s.Inventory.FillHistory)
	s.registry.Every(dailyLook, "payments.reconcile_day", s.Payments.ReconcileDaily)
	s.registry.Every(time.Hour, "platform.purge_idempotency_keys", func(ctx context.Context) error {
		_, err := s.keys.Purge(ctx, s.pools.relay)
		return err
	})
	s.registry.Every(time.Hour, "pricing.check_promotions", s.Pricing.CheckPromotions)
	s.registry.Every(min(time.Hour, t.ReturnWindow), "orders.complete_delivered", s.Orders.CompleteDelivered)
	s.registry.Every(time.Hour, "orders.forget_guests", s.Orders.ForgetGuests)
	s.registry.Every(time.Hour, "users.purge", func(ctx context.Context) error {
		_, err := s.Users.Purge(ctx)
		return err
	})
}

// historyEvery is how often the stock's history by day follows its movements.
const historyEvery = 10 * time.Minute

// dailyLook is how often it is looked whether a day has to be compared with the books of the gateways.
const dailyLook = 15 * time.Minute

// reconcileAfter is how long a payment may be without an answer before it is looked up.
const reconcileAfter = 15 * time.Second

// pools are the connections of a process: each domain's act as its role, so that a query across domains fails.
type pools struct {
	catalog, orders, carts, pricing, redemptions, payments, outcomes, inventory, reservations, recs, users, keyring, relay, jobs *pgxpool.Pool
}

func openPools(ctx context.Context, c config.Database, t *Instruments) (*pools, error) {
	p := &pools{}
	total := c.MaxConns
	if total == 0 {
		total = int32(24 + 8*runtime.GOMAXPROCS(0))
	}
	for _, o := range []struct {
		pool    **pgxpool.Pool
		role    string
		share   int32 // of 40
		relaxed bool
		byKey   bool
	}{
		{&p.catalog, "shopd_catalog", 5, false, true},
		{&p.orders, "shopd_orders", 7, false, true},
		{&p.carts, "shopd_orders", 6, true, true},
		{&p.pricing, "shopd_pricing", 4, false, true},
		{&p.redemptions, "shopd_pricing", 1, true, true},
		{&p.payments, "shopd_payments", 3, false, true},
		{&p.outcomes, "shopd_payments", 2, true, true},
		{&p.inventory, "shopd_inventory", 3, false, true},
		{&p.reservations, "shopd_inventory", 2, true, true},
		{&p.recs, "shopd_recs", 2, false, true},
		{&p.users, "shopd_users", 3, false, true},
		{&p.keyring, "shopd_users", 2, true, true},
		{&p.relay, "shopd_relay", 3, true, true},
		{&p.jobs, "shopd_jobs", 2, false, false},
	} {
		pool, err := postgres.Open(ctx, postgres.Config{
			URL: c.URL.Reveal(), Role: o.role, MaxConns: max(2, total*o.share/40), Relaxed: o.relaxed, KeyLookups: o.byKey,
			Tracer: t.QueryTracer,
		})
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		*o.pool = pool
	}
	return p, nil
}

// keys is where idempotency keys are claimed: a claim that a crash loses has no effect that outlives it, so its
// commit may be relaxed. It is nil without a database, for the API's document alone.
func (p *pools) keys() postgres.Querier {
	if p == nil {
		return nil
	}
	return p.relay
}

// deadLetters is the table of events that consumers gave up on; without a pool for the API's document alone.
func (p *pools) deadLetters() *broker.DeadLetters {
	if p == nil {
		return broker.NewDeadLetters(nil)
	}
	return broker.NewDeadLetters(p.relay)
}

func (p *pools) close() error {
	for _, pool := range []*pgxpool.Pool{
		p.catalog, p.orders, p.carts, p.pricing, p.redemptions, p.payments, p.outcomes, p.inventory, p.reservations, p.recs, p.users, p.keyring, p.relay, p.jobs,
	} {
		if pool != nil {
			pool.Close()
		}
	}
	return nil
}
