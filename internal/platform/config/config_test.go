package config_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/platform/config"
)

var update = flag.Bool("update", false, "write generated files again")

// goodKey looks as random as a real one, and is not one.
var goodKey = func() string {
	sum := sha256.Sum256([]byte("not a key"))
	return base64.StdEncoding.EncodeToString(sum[:])
}()

// production is a complete production environment.
func production(more ...string) []string {
	return append([]string{
		"PATH=/bin",
		"SHOPD_DATABASE_URL=postgres://shopd:s3cret@db:5432/shopd",
		"SHOPD_REDIS_URL=redis://redis:6379/0",
		"SHOPD_RABBITMQ_URL=amqp://shopd:s3cret@rabbit:5672/",
		"SHOPD_ELASTICSEARCH_URL=http://search:9200",
		"SHOPD_BASE_URL=https://shop.example",
		"SHOPD_MASTER_KEY=" + goodKey,
		"SHOPD_SMTP_URL=smtp://user:s3cret@mail:587",
	}, more...)
}

func TestDefaultsAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	c, err := config.Load(nil, config.Demo)
	require.NoError(t, err)
	require.Equal(t, config.Demo, c.Profile)
	require.Equal(t, ":8080", c.HTTP.Addr)
	require.Equal(t, "127.0.0.1:9090", c.HTTP.OpsAddr)
	require.Equal(t, ":9091", c.HTTP.GRPC)
	require.Nil(t, c.HTTP.BaseURL)
	require.Equal(t, "USD", c.Shop.Currency)
	require.Equal(t, []string{"tracecontext", "xray"}, c.Tracing.Propagators)
	require.Equal(t, 600, c.Limits.RatePerMinute)
	require.Equal(t, 10*time.Minute, c.Timers.Reservation)
	require.Equal(t, 24*time.Hour, c.Timers.Idempotency)
	require.Equal(t, 15*time.Minute, c.Timers.Pricing)
	require.Equal(t, 10*time.Minute, c.Timers.AccessToken)
	require.Equal(t, 5*time.Second, c.Timers.Completer)
	require.Equal(t, time.Minute, c.Timers.Reconcile)
	require.Equal(t, 25*time.Second, c.Timers.Drain)
	require.Equal(t, []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}, c.Timers.RetryDelays)
	require.Zero(t, c.Timers.DrainDelay)
	require.Equal(t, "text", c.Log.Format)
}

func TestCompleteProductionEnvironmentIsAccepted(t *testing.T) {
	t.Parallel()
	c, err := config.Load(production("SHOPD_TRUSTED_PROXIES=10.0.0.0/8,fd00::/8", "SHOPD_STRIPE_SECRET_KEY=sk_live_1", "SHOPD_STRIPE_WEBHOOK_SECRET=whsec_a,whsec_b"), config.Production)
	require.NoError(t, err)
	require.Equal(t, "https://shop.example", c.HTTP.BaseURL.String())
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}, c.HTTP.TrustedProxies)
	require.Equal(t, []config.Secret{"whsec_a", "whsec_b"}, c.Stripe.WebhookSecrets)
	require.Equal(t, "no-reply@shop.example", c.Mail.From)
	require.Equal(t, 3*time.Second, c.Timers.DrainDelay)
	require.Equal(t, "json", c.Log.Format)
}

func TestEveryProblemIsReportedAtOnceWithItsRemedy(t *testing.T) {
	t.Parallel()
	_, err := config.Load([]string{
		"SHOPD_REDIS_URL=http://redis", "SHOPD_BASE_URL=http://shop.example", "SHOPD_MASTER_KEY=abc", "SHOPD_CLOCK_OFFSET=1h", "SHOPD_CRASH_AT=key.claimed",
		"SHOPD_RESERVATION_TTL=ten minutes", "SHOPD_DRAIN_TIMEOUT=1ms", "SHOPD_REDDIS_URL=x", "SHOPD_RATE_LIMIT_PER_MINUTE=0",
	}, config.Production)
	var problems *config.Error
	require.ErrorAs(t, err, &problems)
	remedies := map[string]string{}
	for _, p := range problems.Problems {
		remedies[p.Setting] = p.Remedy
		require.NotEmpty(t, p.Wrong)
		require.Contains(t, err.Error(), p.Setting)
	}
	require.Equal(t, map[string]string{
		"SHOPD_DATABASE_URL":          "give it as postgres://user:password@host:5432/shopd",
		"SHOPD_REDIS_URL":             "give it as redis://host:6379/0",
		"SHOPD_RABBITMQ_URL":          "give it as amqp://user:password@host:5672/",
		"SHOPD_ELASTICSEARCH_URL":     "give it as https://host:9200",
		"SHOPD_SMTP_URL":              "give it as smtp://user:password@host:587",
		"SHOPD_BASE_URL":              "give the https origin that shoppers use",
		"SHOPD_MASTER_KEY":            "make one with: openssl rand -base64 32",
		"SHOPD_CLOCK_OFFSET":          "remove it",
		"SHOPD_CRASH_AT":              "remove it",
		"SHOPD_RESERVATION_TTL":       "give durations like 90s, 15m or 24h, such as 10m",
		"SHOPD_DRAIN_TIMEOUT":         "give at least 1s",
		"SHOPD_REDDIS_URL":            "did you mean SHOPD_REDIS_URL?",
		"SHOPD_RATE_LIMIT_PER_MINUTE": "give at least 1",
	}, remedies)
}

func TestOneWrongSetting(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ entry, setting, wrong string }{
		"currency in lower case":         {"SHOPD_CURRENCY=usd", "SHOPD_CURRENCY", `is "usd"`},
		"address without a port":         {"SHOPD_ADDR=localhost", "SHOPD_ADDR", `is "localhost"`},
		"port out of range":              {"SHOPD_ADDR=:70000", "SHOPD_ADDR", `is ":70000"`},
		"base URL with a path":           {"SHOPD_BASE_URL=https://a.example/shop", "SHOPD_BASE_URL", "no origin"},
		"proxies that are no networks":   {"SHOPD_TRUSTED_PROXIES=10.0.0.1", "SHOPD_TRUSTED_PROXIES", "cannot be read"},
		"unknown propagator":             {"SHOPD_TRACE_PROPAGATORS=b3", "SHOPD_TRACE_PROPAGATORS", `names "b3"`},
		"key of letters":                 {"SHOPD_MASTER_KEY=Y2hhbmdlbWVjaGFuZ2VtZWNoYW5nZW1lY2hhbmdlbWU=", "SHOPD_MASTER_KEY", "is not random"},
		"second key of zeros":            {"SHOPD_MASTER_KEY=" + goodKey + ",AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "SHOPD_MASTER_KEY", "key 2 is not random"},
		"signing key without a name":     {"SHOPD_JWT_KEYS=" + goodKey, "SHOPD_JWT_KEYS", "entry 1"},
		"token that lives too long":      {"SHOPD_ACCESS_TOKEN_TTL=1h", "SHOPD_ACCESS_TOKEN_TTL", "too large"},
		"one bad retry delay":            {"SHOPD_RETRY_DELAYS=5s,0s", "SHOPD_RETRY_DELAYS", "too small"},
		"weak password hashing":          {"SHOPD_BCRYPT_COST=9", "SHOPD_BCRYPT_COST", "too small for production"},
		"PagerDuty without its key":      {"SHOPD_ALERT_PAGERDUTY_URL=https://events.pagerduty.com/v2/enqueue", "SHOPD_ALERT_PAGERDUTY_URL", "no routing key"},
		"Stripe without its webhook":     {"SHOPD_STRIPE_SECRET_KEY=sk_live_1", "SHOPD_STRIPE_SECRET_KEY", "belong together"},
		"PayPal in part":                 {"SHOPD_PAYPAL_CLIENT_ID=a", "SHOPD_PAYPAL_CLIENT_ID", "belong together"},
		"gateway over plain http":        {"SHOPD_STRIPE_API_URL=http://stripe.example", "SHOPD_STRIPE_API_URL", "is http"},
		"profile that does not exist":    {"SHOPD_ENV=staging", "SHOPD_ENV", `is "staging"`},
		"sender that is no mail address": {"SHOPD_MAIL_FROM=shop", "SHOPD_MAIL_FROM", "no mail address"},
		"word far from every setting":    {"SHOPD_XYZZY_PLUGH=1", "SHOPD_XYZZY_PLUGH", "is not a setting"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(production(tt.entry), config.Production)
			var problems *config.Error
			require.ErrorAs(t, err, &problems)
			require.Len(t, problems.Problems, 1, "%v", err)
			require.Equal(t, tt.setting, problems.Problems[0].Setting)
			require.Contains(t, problems.Problems[0].Wrong, tt.wrong)
		})
	}
}

func TestVariablesOfOthersAreNotSettings(t *testing.T) {
	t.Parallel()
	_, err := config.Load([]string{
		"SHOPD_TEST_DATABASE_URL=x", "SHOPD_SERVICE_HOST=10.0.0.1", "SHOPD_SERVICE_PORT=80", "SHOPD_SERVICE_PORT_HTTP=80", "SHOPD_PORT=tcp://10.0.0.1:80",
		"SHOPD_PORT_80_TCP=tcp://10.0.0.1:80", "SHOPD_PORT_80_TCP_ADDR=10.0.0.1", "SHOPD_WEB_SERVICE_HOST=10.0.0.1", "SHOPD_WEB_PORT_80_TCP_PROTO=tcp",
	}, config.Demo)
	require.NoError(t, err)
}

func TestProductionRulesHoldOnlyInProduction(t *testing.T) {
	t.Parallel()
	c, err := config.Load([]string{"SHOPD_ENV=test", "SHOPD_CLOCK_OFFSET=48h", "SHOPD_BASE_URL=http://shop.example", "SHOPD_BCRYPT_COST=4"}, config.Production)
	require.NoError(t, err)
	require.Equal(t, config.Test, c.Profile)
	require.Equal(t, 48*time.Hour, c.Timers.ClockOffset)

	_, err = config.Load(production("SHOPD_BASE_URL=http://127.0.0.1:8080"), config.Production)
	require.NoError(t, err, "a loopback origin may be http")

	_, err = config.Load(production("SHOPD_ENV=production"), config.Demo)
	require.ErrorContains(t, err, "a demo never is")
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	c, err := config.Load(production(), config.Production)
	require.NoError(t, err)
	asJSON, err := json.Marshal(c)
	require.NoError(t, err)
	for _, text := range []string{fmt.Sprintf("%v", c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), string(asJSON)} {
		require.NotContains(t, text, "s3cret")
		require.NotContains(t, text, goodKey)
		require.Contains(t, text, "***")
	}
	require.Contains(t, c.Database.URL.Reveal(), "s3cret")

	_, err = config.Load([]string{"SHOPD_DATABASE_URL=mysql://u:s3cret@db", "SHOPD_MASTER_KEY=s3cret", "SHOPD_REDIS_URL=redis://:s3cret%zz@h"}, config.Demo)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "s3cret")
}

func TestDotEnvFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	require.NoError(t, os.WriteFile(path, []byte("# shop\nSHOPD_SHOP_NAME=\"From the file\"\nSHOPD_CURRENCY=EUR\n"), 0o600))

	c, err := config.LoadWithFile([]string{"SHOPD_CURRENCY=CHF"}, config.Demo, path)
	require.NoError(t, err)
	require.Equal(t, "From the file", c.Shop.Name)
	require.Equal(t, "CHF", c.Shop.Currency, "the environment wins")

	c, err = config.LoadWithFile([]string{"SHOPD_ENV=test"}, config.Demo, path)
	require.NoError(t, err)
	require.Equal(t, "Shopd", c.Shop.Name, "tests read the environment only")

	_, err = config.LoadWithFile(nil, config.Demo, filepath.Join(t.TempDir(), ".env"))
	require.NoError(t, err, "the file may be missing")
}

func TestReferenceIsFresh(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "..", "docs", "configuration.md")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(config.Markdown()), 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, config.Markdown(), string(got), "run: go test ./internal/platform/config -update")
}

func TestEverySettingIsDescribedOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range config.Describe() {
		require.False(t, seen[s.Name], s.Name)
		seen[s.Name] = true
		require.Regexp(t, `^SHOPD_[A-Z0-9_]+$`, s.Name)
		require.NotEmpty(t, s.Meaning, s.Name)
	}
	require.Greater(t, len(seen), 50)
}
