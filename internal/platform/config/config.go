// Package config reads every setting of shopd from the environment, checks all of them at once, and says for each
// problem which setting it is, what is wrong and what to do.
package config

import (
	"net/netip"
	"net/url"
	"time"
)

// Profile is the set of rules a process runs under.
type Profile string

// The profiles. Production demands every service and strong keys; the others fall back to embedded services.
const (
	Production  Profile = "production"
	Demo        Profile = "demo"
	Development Profile = "development"
	Test        Profile = "test"
)

// Strict reports whether the profile serves real customers: nothing may be missing, weak or meant for tests.
func (p Profile) Strict() bool { return p == Production }

// Config is every setting of a process. Each field carries the name of its environment variable (env), its default
// (envDefault), its bounds (min, max) and its meaning (doc); docs/configuration.md is generated from them.
type Config struct {
	Profile  Profile  `env:"SHOPD_ENV" doc:"Profile: production, demo, development or test. The command decides when it is empty: serve is production."`
	Shop     Shop     `doc:"The shop"`
	HTTP     HTTP     `doc:"Listeners"`
	Log      Log      `doc:"Log"`
	Database Database `doc:"PostgreSQL"`
	Redis    Redis    `doc:"Redis"`
	RabbitMQ RabbitMQ `doc:"RabbitMQ"`
	Search   Search   `doc:"Elasticsearch"`
	Kafka    Kafka    `doc:"Kafka"`
	Payments Payments `doc:"Payments"`
	Stripe   Stripe   `doc:"Stripe"`
	PayPal   PayPal   `doc:"PayPal"`
	Mail     Mail     `doc:"Mail"`
	Alerts   Alerts   `doc:"Alerts"`
	Tracing  Tracing  `doc:"Tracing"`
	Keys     Keys     `doc:"Keys"`
	Remote   Remote   `doc:"Domains in other processes"`
	Timers   Timers   `doc:"Timers"`
	Limits   Limits   `doc:"Limits"`
}

// Shop is what shoppers see of the configuration.
type Shop struct {
	Name     string `env:"SHOPD_SHOP_NAME" envDefault:"Shopd" doc:"Name of the shop on pages and in mails."`
	Currency string `env:"SHOPD_CURRENCY" envDefault:"USD" doc:"ISO 4217 code of the currency prices are kept in."`
	// The seller stands on invoices and credit notes.
	SellerName    string   `env:"SHOPD_SELLER_NAME" doc:"Who sells, as it stands on invoices. Empty: the name of the shop."`
	SellerAddress []string `env:"SHOPD_SELLER_ADDRESS" envSeparator:"|" doc:"Address of the seller on invoices, lines separated by a vertical bar: 1 Main Street|Berlin|Germany."`
	SellerTaxID   string   `env:"SHOPD_SELLER_TAX_ID" doc:"Tax number of the seller on invoices."`
	SellerContact string   `env:"SHOPD_SELLER_CONTACT" doc:"Mail address or telephone of the seller on invoices."`
	SellerFooter  string   `env:"SHOPD_SELLER_FOOTER" doc:"Last lines of invoices: registration, bank account."`
	// DataDir is empty when the setting is: the command chooses the directory then.
	DataDir string `env:"SHOPD_DATA_DIR" doc:"Directory for pictures and their renditions; in the demo for everything. Empty: /var/lib/shopd in production, and what --data says in the demo."`
}

// HTTP is where the process listens and how it is seen from outside.
type HTTP struct {
	Addr    string `env:"SHOPD_ADDR" envDefault:":8080" doc:"Public listener. Port 0 picks a free one."`
	OpsAddr string `env:"SHOPD_OPS_ADDR" envDefault:"127.0.0.1:9090" doc:"Listener for /metrics, /livez, /readyz and pprof. Keep it private."`
	GRPC    string `env:"SHOPD_GRPC_ADDR" envDefault:":9091" doc:"Listener for domains served over gRPC."`
	// BaseURL is nil when the setting is empty: the demo derives it from the listener then.
	BaseURL        *url.URL       `env:"SHOPD_BASE_URL" doc:"Public origin, such as https://shop.example. Required in production, where only a loopback host may use http."`
	TrustedProxies []netip.Prefix `env:"SHOPD_TRUSTED_PROXIES" doc:"CIDR list of the proxies whose X-Forwarded-For counts."`
}

// Log is how much is logged, and in which form.
type Log struct {
	Level  string `env:"SHOPD_LOG_LEVEL" envDefault:"info" doc:"debug, info, warn or error."`
	Format string `env:"SHOPD_LOG_FORMAT" doc:"json or text. Empty: json in production, text otherwise."`
}

// Database is the PostgreSQL that is the authority for everything.
type Database struct {
	URL      Secret `env:"SHOPD_DATABASE_URL" doc:"PostgreSQL 15 or newer, postgres://user:password@host:5432/name. Empty outside production: an embedded one."`
	MaxConns int32  `env:"SHOPD_DATABASE_MAX_CONNS" envDefault:"0" min:"0" doc:"Connections of one process over all domains. 0 divides by the number of processor cores."`
}

// Redis makes things fast and may be flushed at any moment.
type Redis struct {
	URL Secret `env:"SHOPD_REDIS_URL" doc:"redis://host:6379/0; rediss:// for TLS; a comma list of URLs for Cluster; redis+sentinel://host:26379,host2:26379/mastername for Sentinel. Empty outside production: an embedded one."`
}

// RabbitMQ carries events and work.
type RabbitMQ struct {
	URL Secret `env:"SHOPD_RABBITMQ_URL" doc:"amqp://user:password@host:5672/vhost, or amqps://. Empty outside production: events stay in the process."`
}

// Search is the Elasticsearch behind the search page.
type Search struct {
	URL   Secret `env:"SHOPD_ELASTICSEARCH_URL" doc:"Elasticsearch 8, https://user:password@host:9200; comma list for several nodes. Empty outside production: an embedded index."`
	Index string `env:"SHOPD_SEARCH_INDEX" envDefault:"shopd" doc:"Prefix of the names of search indices and aliases."`
}

// Kafka receives events for analysis when it is configured.
type Kafka struct {
	Brokers []string `env:"SHOPD_KAFKA_BROKERS" doc:"host:port list of Kafka brokers for analytics. Empty: off."`
}

// Payments is how money is taken, whichever the gateway.
type Payments struct {
	Capture string        `env:"SHOPD_PAYMENT_CAPTURE" envDefault:"automatic" doc:"automatic: money is taken at the checkout. manual: it is authorised there, and staff take it; PayPal keeps an authorisation for 3 days for sure, Stripe for 7."`
	Timeout time.Duration `env:"SHOPD_GATEWAY_TIMEOUT" envDefault:"10s" min:"100ms" max:"30s" doc:"How long one call to a gateway may take. A payment whose call took longer is unknown until the gateway has been asked again."`
}

// Manual reports whether staff take the money.
func (p Payments) Manual() bool { return p.Capture == "manual" }

// Stripe is one of the payment gateways; off when SecretKey is empty.
type Stripe struct {
	SecretKey      Secret   `env:"SHOPD_STRIPE_SECRET_KEY" doc:"Stripe's secret key, sk_live_… or sk_test_…. Empty: Stripe is off."`
	WebhookSecrets []Secret `env:"SHOPD_STRIPE_WEBHOOK_SECRET" doc:"Signing secret of the webhook, whsec_…; two, comma separated, while it is being rotated."`
	PublishableKey string   `env:"SHOPD_STRIPE_PUBLISHABLE_KEY" doc:"Stripe's publishable key, pk_live_… or pk_test_…: for Stripe's element on the shop's own page, which is not there yet. Shoppers pay on Stripe's page."`
	APIURL         string   `env:"SHOPD_STRIPE_API_URL" envDefault:"https://api.stripe.com" doc:"Stripe's API."`
}

// PayPal is one of the payment gateways; off when ClientID is empty.
type PayPal struct {
	ClientID     string `env:"SHOPD_PAYPAL_CLIENT_ID" doc:"PayPal's client id. Empty: PayPal is off."`
	ClientSecret Secret `env:"SHOPD_PAYPAL_CLIENT_SECRET" doc:"PayPal's client secret."`
	WebhookID    string `env:"SHOPD_PAYPAL_WEBHOOK_ID" doc:"Id of the webhook at PayPal."`
	APIURL       string `env:"SHOPD_PAYPAL_API_URL" envDefault:"https://api-m.paypal.com" doc:"PayPal's API; https://api-m.sandbox.paypal.com for trials."`
}

// Mail is how mail leaves the shop.
type Mail struct {
	SMTPURL Secret `env:"SHOPD_SMTP_URL" doc:"smtp://user:password@host:587 (STARTTLS when offered), smtp+starttls:// (STARTTLS required), smtps://host:465 (TLS). Empty outside production: mails are kept in the data directory."`
	From    string `env:"SHOPD_MAIL_FROM" doc:"Sender of all mails, such as Luma <shop@example.com>. Empty: no-reply at the host of SHOPD_BASE_URL."`
}

// Alerts is where the process itself sends alerts.
type Alerts struct {
	SlackURL     Secret `env:"SHOPD_ALERT_SLACK_URL" doc:"Incoming webhook of Slack, at a public address in production. Empty: off."`
	PagerDutyURL Secret `env:"SHOPD_ALERT_PAGERDUTY_URL" doc:"Events API of PagerDuty with the routing key before the host, https://KEY@events.pagerduty.com/v2/enqueue, or as ?routing_key=. Empty: off."`
}

// Tracing is where spans go and how their context travels.
type Tracing struct {
	Endpoint    string   `env:"SHOPD_OTLP_ENDPOINT" doc:"OTLP over HTTP, such as http://collector:4318. Empty: no tracing."`
	Propagators []string `env:"SHOPD_TRACE_PROPAGATORS" envDefault:"tracecontext,xray" doc:"How trace context travels in headers: tracecontext, xray."`
	Ratio       float64  `env:"SHOPD_TRACE_RATIO" envDefault:"1" min:"0" max:"1" doc:"Share of the traces begun here that are recorded. A trace begun elsewhere follows its parent."`
}

// Keys are the secrets that protect everything else.
type Keys struct {
	Master Secret `env:"SHOPD_MASTER_KEY" doc:"Key that wraps all others: 32 random bytes in base64. Comma list while rotating: the first encrypts, the others only decrypt."`
	JWT    Secret `env:"SHOPD_JWT_KEYS" doc:"Ed25519 keys of access tokens, comma list of kid:base64seed; the first signs. Empty: derived from SHOPD_MASTER_KEY."`
}

// Remote are the domains that run in another process.
type Remote struct {
	Recs    string `env:"SHOPD_RECS_ADDR" doc:"host:port of recommendations over gRPC. Empty: in process."`
	Pricing string `env:"SHOPD_PRICING_ADDR" doc:"host:port of pricing over gRPC. Empty: in process."`
}

// Timers are how long things live and how often things run.
type Timers struct {
	Reservation    time.Duration   `env:"SHOPD_RESERVATION_TTL" envDefault:"10m" min:"1s" doc:"How long stock is held for an unpaid order."`
	Idempotency    time.Duration   `env:"SHOPD_IDEMPOTENCY_TTL" envDefault:"24h" min:"1m" doc:"How long the answer to an Idempotency-Key is kept."`
	Pricing        time.Duration   `env:"SHOPD_PRICING_INTERVAL" envDefault:"15m" min:"1s" doc:"How often dynamic prices are computed."`
	AccessToken    time.Duration   `env:"SHOPD_ACCESS_TOKEN_TTL" envDefault:"10m" min:"1s" max:"10m" doc:"Life of an access token."`
	RefreshToken   time.Duration   `env:"SHOPD_REFRESH_TOKEN_TTL" envDefault:"720h" min:"1m" doc:"Life of a refresh token that is not used."`
	StaffSession   time.Duration   `env:"SHOPD_STAFF_SESSION_TTL" envDefault:"12h" min:"1m" doc:"Life of a staff session that is not used."`
	Completer      time.Duration   `env:"SHOPD_COMPLETER_INTERVAL" envDefault:"5s" min:"100ms" doc:"How often interrupted checkouts are looked for and finished."`
	Reconcile      time.Duration   `env:"SHOPD_RECONCILE_INTERVAL" envDefault:"1m" min:"1s" doc:"How often payments of unknown outcome are asked for at their gateway."`
	JobPoll        time.Duration   `env:"SHOPD_JOB_POLL_INTERVAL" envDefault:"1s" min:"50ms" doc:"How often background jobs are looked for."`
	Drain          time.Duration   `env:"SHOPD_DRAIN_TIMEOUT" envDefault:"25s" min:"1s" doc:"How long requests and work may take to finish after SIGTERM."`
	DrainDelay     time.Duration   `env:"SHOPD_DRAIN_DELAY" min:"0s" doc:"How long /readyz says no before listeners close, so that load balancers notice. Empty: 3s in production, 0 otherwise."`
	RetryDelays    []time.Duration `env:"SHOPD_RETRY_DELAYS" envDefault:"5s,30s,2m,10m,1h" min:"1ms" doc:"Pauses before a failed event is handled again; after the last it becomes a dead letter."`
	EventRetention time.Duration   `env:"SHOPD_EVENT_RETENTION" envDefault:"168h" min:"1h" doc:"How long published events and the marks of handled ones are kept."`
	ReturnWindow   time.Duration   `env:"SHOPD_RETURN_WINDOW" envDefault:"720h" min:"1m" doc:"How long after it was sent shoppers may ask to give goods back. Then the order is completed."`
	KeepGuests     time.Duration   `env:"SHOPD_GUEST_RETENTION" envDefault:"26280h" min:"1h" doc:"How long name, address and mail of a guest stay readable after the order: three years. Figures stay for ever."`
	KeepCarts      time.Duration   `env:"SHOPD_CART_RETENTION" envDefault:"2160h" min:"1h" doc:"How long a cart waits that nobody touches and that never became an order."`
	ClockOffset    time.Duration   `env:"SHOPD_CLOCK_OFFSET" envDefault:"0s" doc:"Moves the clock of the process. Tests only."`
	CrashAt        string          `env:"SHOPD_CRASH_AT" doc:"Named point at which the process kills itself, to see what is left behind. Tests only."`
}

// Limits protect the shop from its callers.
type Limits struct {
	RatePerMinute int `env:"SHOPD_RATE_LIMIT_PER_MINUTE" envDefault:"600" min:"1" doc:"Requests a minute of one client. Login, password reset, coupons and payment get fractions of it."`
	Replicas      int `env:"SHOPD_REPLICAS" envDefault:"1" min:"1" doc:"Processes behind the load balancer: each allows its part of a rate limit while Redis is away."`
	BcryptCost    int `env:"SHOPD_BCRYPT_COST" envDefault:"12" min:"4" max:"15" doc:"Work of one password hash; at least 10 in production."`
}

// Secret is a setting that must not be printed.
type Secret string

// Reveal returns the value itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the value; an empty secret stays empty, so that a missing one can be seen.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// GoString hides the value in %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText hides the value in JSON and in slog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the value as it is.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}
