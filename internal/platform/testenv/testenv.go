// Package testenv gives a test its own clean corner of the real PostgreSQL, Redis, RabbitMQ and Elasticsearch that
// `make services` runs, and takes it back when the test ends.
//
// Everything it makes is named after the minute it was made in. A test process that was killed could not clean up, so
// the next one removes whatever is older than an hour.
package testenv

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

const (
	// prefix starts the name of everything a test creates on a shared server.
	prefix = "shopd_test_"
	// minute is the layout of the time in a name; it sorts as text.
	minute = "20060102t1504"
	// lifetime is how long a test may use what it was given; longer than any test runs.
	lifetime = time.Hour
	// patience bounds one conversation with a service.
	patience = 30 * time.Second
)

// setting reads the address of a service from the environment, for servers other than those of `make services`.
func setting(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

// needsService leaves the test out of `go test -short`, which is for machines and moments without services. In any
// other run a test whose service is missing fails.
func needsService(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves out what needs a real service")
	}
}

// missing ends the test because a service does not answer; it says so in one line.
func missing(t testing.TB, service, address string, err error) {
	t.Helper()
	reason := strings.Join(strings.Fields(err.Error()), " ")
	t.Fatalf("%s does not answer at %s: %s. Start it with `make services`", service, redact(address), reason)
}

func redact(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return "an address that is not a URL"
	}
	return parsed.Redacted()
}

// newName returns a name no other test has.
func newName() string {
	return prefix + time.Now().UTC().Format(minute) + "_" + strings.ToLower(rand.Text()[:10])
}

// stale reports whether a test that no longer runs left the named thing behind.
func stale(name string) bool {
	return strings.HasPrefix(name, prefix) && name < prefix+time.Now().UTC().Add(-lifetime).Format(minute)
}

// cleanup runs undo when the test ends and reports its failure without failing the test: the sweep gets what is left.
func cleanup(t testing.TB, what string, undo func(ctx context.Context) error) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := undo(ctx); err != nil {
			t.Logf("clean up %s: %v", what, err)
		}
	})
}
