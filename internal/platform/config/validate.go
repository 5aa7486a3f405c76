package config

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// keyRemedy is how to make a key of 32 bytes.
const keyRemedy = "make one with: openssl rand -base64 32"

// validate checks what a single value cannot tell by its type: forms, relations, and the rules of the profile.
func (c *Config) validate(command Profile, found *Error) {
	c.validateProfile(command, found)
	c.validateShop(found)
	c.validateListeners(found)
	c.validateServices(found)
	c.validateGateways(found)
	c.validateAlerts(found)
	c.validateTracing(found)
	c.validateKeys(found)
	if c.Profile.Strict() {
		c.validateProduction(found)
	}
}

func (c *Config) validateProfile(command Profile, found *Error) {
	profiles := []Profile{Production, Demo, Development, Test}
	switch {
	case !slices.Contains(profiles, c.Profile):
		found.add("SHOPD_ENV", fmt.Sprintf("is %q", c.Profile), "give production, demo, development or test")
	case command == Demo && c.Profile == Production:
		found.add("SHOPD_ENV", "is production, and a demo never is", "remove it, or run shopd serve")
	}
}

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

func (c *Config) validateShop(found *Error) {
	if !currencyCode.MatchString(c.Shop.Currency) {
		found.add("SHOPD_CURRENCY", fmt.Sprintf("is %q", c.Shop.Currency), "give an ISO 4217 code, such as EUR")
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		found.add("SHOPD_LOG_LEVEL", fmt.Sprintf("is %q", c.Log.Level), "give debug, info, warn or error")
	}
	if c.Log.Format != "json" && c.Log.Format != "text" {
		found.add("SHOPD_LOG_FORMAT", fmt.Sprintf("is %q", c.Log.Format), "give json or text")
	}
	if _, err := mail.ParseAddress(c.Mail.From); err != nil {
		found.add("SHOPD_MAIL_FROM", fmt.Sprintf("is %q, which is no mail address", c.Mail.From), "give one, such as Shop <shop@example.com>")
	}
}

func (c *Config) validateListeners(found *Error) {
	for name, addr := range map[string]string{
		"SHOPD_ADDR": c.HTTP.Addr, "SHOPD_OPS_ADDR": c.HTTP.OpsAddr, "SHOPD_GRPC_ADDR": c.HTTP.GRPC,
	} {
		if !isHostPort(addr) {
			found.add(name, fmt.Sprintf("is %q", addr), "give host:port or :port, such as 127.0.0.1:8080")
		}
	}
	for name, addr := range map[string]string{"SHOPD_RECS_ADDR": c.Remote.Recs, "SHOPD_PRICING_ADDR": c.Remote.Pricing} {
		if addr != "" && !isHostPort(addr) {
			found.add(name, fmt.Sprintf("is %q", addr), "give host:port, such as recs:9091")
		}
	}
	for _, broker := range c.Kafka.Brokers {
		if !isHostPort(broker) {
			found.add("SHOPD_KAFKA_BROKERS", fmt.Sprintf("names %q", broker), "give host:port,host:port")
		}
	}
	if u := c.HTTP.BaseURL; u != nil {
		if u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
			found.add("SHOPD_BASE_URL", fmt.Sprintf("is %q, which is no origin", u.Redacted()), "give scheme and host only, such as https://shop.example")
		}
	}
}

func isHostPort(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// service is a setting that holds the URL, or the comma list of URLs, of something shopd connects to.
type service struct {
	name    string
	value   Secret
	schemes []string
	example string
}

func (c *Config) services() []service {
	return []service{
		{"SHOPD_DATABASE_URL", c.Database.URL, []string{"postgres", "postgresql"}, "postgres://user:password@host:5432/shopd"},
		{"SHOPD_REDIS_URL", c.Redis.URL, []string{"redis", "rediss", "redis+sentinel", "rediss+sentinel"}, "redis://host:6379/0"},
		{"SHOPD_RABBITMQ_URL", c.RabbitMQ.URL, []string{"amqp", "amqps"}, "amqp://user:password@host:5672/"},
		{"SHOPD_ELASTICSEARCH_URL", c.Search.URL, []string{"http", "https"}, "https://host:9200"},
		{"SHOPD_SMTP_URL", c.Mail.SMTPURL, []string{"smtp", "smtp+starttls", "smtps"}, "smtp://user:password@host:587"},
	}
}

func (c *Config) validateServices(found *Error) {
	optional := []service{
		{"SHOPD_OTLP_ENDPOINT", Secret(c.Tracing.Endpoint), []string{"http", "https"}, "http://collector:4318"},
		{"SHOPD_ALERT_SLACK_URL", c.Alerts.SlackURL, []string{"http", "https"}, "https://hooks.slack.com/services/…"},
		{"SHOPD_ALERT_PAGERDUTY_URL", c.Alerts.PagerDutyURL, []string{"http", "https"}, "https://events.pagerduty.com/v2/enqueue?routing_key=…"},
		{"SHOPD_STRIPE_API_URL", Secret(c.Stripe.APIURL), []string{"http", "https"}, "https://api.stripe.com"},
		{"SHOPD_PAYPAL_API_URL", Secret(c.PayPal.APIURL), []string{"http", "https"}, "https://api-m.paypal.com"},
	}
	for _, s := range append(c.services(), optional...) {
		if s.value == "" {
			continue
		}
		if wrong := s.wrong(); wrong != "" {
			found.add(s.name, wrong, "give it as "+s.example)
		}
	}
}

// wrong says what is wrong with the form of the URL without repeating it: most of them carry a password.
func (s service) wrong() string {
	first, _, _ := strings.Cut(s.value.Reveal(), ",")
	u, err := url.Parse(first)
	switch {
	case err != nil:
		return "is no URL (a special character in a password is written as %XX)"
	case !slices.Contains(s.schemes, u.Scheme):
		return fmt.Sprintf("begins with %q", u.Scheme+"://")
	case u.Host == "" && u.Query().Get("host") == "":
		return "names no host"
	}
	return ""
}

func (c *Config) validateGateways(found *Error) {
	if c.Payments.Capture != "automatic" && c.Payments.Capture != "manual" {
		found.add("SHOPD_PAYMENT_CAPTURE", fmt.Sprintf("is %q", c.Payments.Capture), "give automatic or manual")
	}
	if key := c.Stripe.PublishableKey; key != "" && (c.Stripe.SecretKey == "" || !strings.HasPrefix(key, "pk_")) {
		found.add("SHOPD_STRIPE_PUBLISHABLE_KEY", "is no publishable key, or stands without SHOPD_STRIPE_SECRET_KEY", "give pk_…, beside the secret key")
	}
	if key := c.Stripe.SecretKey.Reveal(); key != "" && !strings.HasPrefix(key, "sk_") && !strings.HasPrefix(key, "rk_") {
		found.add("SHOPD_STRIPE_SECRET_KEY", "is no secret key of Stripe", "give sk_live_…, sk_test_…, or a restricted key rk_…")
	}
	if n := len(c.Stripe.WebhookSecrets); n > 2 {
		found.add("SHOPD_STRIPE_WEBHOOK_SECRET", fmt.Sprintf("holds %d secrets", n), "keep the new and the old one")
	}
	if (c.Stripe.SecretKey == "") != (len(c.Stripe.WebhookSecrets) == 0) {
		found.add("SHOPD_STRIPE_SECRET_KEY", "with SHOPD_STRIPE_WEBHOOK_SECRET: they belong together, and one is missing", "give both, or neither to switch Stripe off")
	}
	given := 0
	for _, part := range []string{c.PayPal.ClientID, c.PayPal.ClientSecret.Reveal(), c.PayPal.WebhookID} {
		if part != "" {
			given++
		}
	}
	if given != 0 && given != 3 {
		found.add("SHOPD_PAYPAL_CLIENT_ID", "with SHOPD_PAYPAL_CLIENT_SECRET and SHOPD_PAYPAL_WEBHOOK_ID: they belong together, and some are missing", "give all three, or none to switch PayPal off")
	}
}

func (c *Config) validateAlerts(found *Error) {
	u, err := url.Parse(c.Alerts.PagerDutyURL.Reveal())
	if err == nil && u.Host != "" && u.User.Username() == "" && u.Query().Get("routing_key") == "" {
		found.add("SHOPD_ALERT_PAGERDUTY_URL", "has no routing key", "give it as https://KEY@events.pagerduty.com/v2/enqueue")
	}
}

func (c *Config) validateTracing(found *Error) {
	for _, name := range c.Tracing.Propagators {
		if name != "tracecontext" && name != "xray" {
			found.add("SHOPD_TRACE_PROPAGATORS", fmt.Sprintf("names %q", name), "give tracecontext, xray or both with a comma")
		}
	}
}

func (c *Config) validateKeys(found *Error) {
	if c.Keys.Master != "" {
		for i, key := range strings.Split(c.Keys.Master.Reveal(), ",") {
			if wrong := weakKey(key); wrong != "" {
				found.add("SHOPD_MASTER_KEY", fmt.Sprintf("key %d %s", i+1, wrong), keyRemedy)
			}
		}
	}
	if c.Keys.JWT != "" {
		for i, entry := range strings.Split(c.Keys.JWT.Reveal(), ",") {
			kid, seed, ok := strings.Cut(entry, ":")
			if wrong := weakKey(seed); !ok || kid == "" || wrong != "" {
				found.add("SHOPD_JWT_KEYS", strings.TrimSpace(fmt.Sprintf("entry %d is not kid:base64seed %s", i+1, wrong)), keyRemedy+" and put a name and a colon before it")
			}
		}
	}
}

// weakKey says what is wrong with a key of 32 bytes in base64. Fewer than 16 different bytes, or nothing but
// printable characters, do not happen by chance.
func weakKey(text string) string {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return "is not base64"
	}
	if len(key) != 32 {
		return fmt.Sprintf("has %d bytes, not 32", len(key))
	}
	different := map[byte]bool{}
	printable := true
	for _, b := range key {
		different[b] = true
		printable = printable && b >= ' ' && b <= '~'
	}
	if len(different) < 16 || printable {
		return "is not random"
	}
	return ""
}

func (c *Config) validateProduction(found *Error) {
	for _, s := range c.services() {
		if s.value == "" {
			found.add(s.name, "is missing, and production needs it", "give it as "+s.example)
		}
	}
	if c.Keys.Master == "" {
		found.add("SHOPD_MASTER_KEY", "is missing, and production needs it", keyRemedy)
	}
	switch {
	case c.HTTP.BaseURL == nil:
		found.add("SHOPD_BASE_URL", "is missing, and production needs it", "give the public origin, such as https://shop.example")
	case c.HTTP.BaseURL.Scheme == "http" && !isLoopback(c.HTTP.BaseURL.Hostname()):
		found.add("SHOPD_BASE_URL", "is http", "give the https origin that shoppers use")
	}
	for name, raw := range map[string]string{"SHOPD_STRIPE_API_URL": c.Stripe.APIURL, "SHOPD_PAYPAL_API_URL": c.PayPal.APIURL} {
		if u, err := url.Parse(raw); err == nil && u.Scheme == "http" && !isLoopback(u.Hostname()) {
			found.add(name, "is http", "give an https URL")
		}
	}
	if c.Timers.CrashAt != "" {
		found.add("SHOPD_CRASH_AT", "is set, and it is for tests only", "remove it")
	}
	if c.Timers.ClockOffset != 0 {
		found.add("SHOPD_CLOCK_OFFSET", "is set, and it is for tests only", "remove it")
	}
	if c.Limits.BcryptCost >= 4 && c.Limits.BcryptCost < 10 {
		found.add("SHOPD_BCRYPT_COST", fmt.Sprintf("is %d, which is too small for production", c.Limits.BcryptCost), "give at least 10")
	}
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
