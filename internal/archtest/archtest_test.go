package archtest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/archtest"
)

func TestHouseKeepsItsBoundaries(t *testing.T) {
	t.Parallel()
	packages := load(t, "../..")
	require.Greater(t, len(packages), 10, "the whole module was looked at")
	for _, violation := range check(t, packages) {
		t.Error(violation)
	}
}

func TestEachRuleGoesRed(t *testing.T) {
	t.Parallel()
	type broken struct{ rule, where string }
	var found []broken
	for _, violation := range check(t, load(t, "testdata/broken")) {
		found = append(found, broken{violation.Rule, violation.Where})
	}
	require.ElementsMatch(t, []broken{
		{"domains-apart", "internal/orders"},
		{"domains-apart", "internal/inventory"}, // only its test does
		{"domains-below-app", "internal/orders"},
		{"platform-knows-no-shop", "internal/platform/jobs"}, // a domain
		{"platform-knows-no-shop", "internal/platform/jobs"}, // the events
		{"events-and-money-stand-alone", "internal/events"},
		{"events-and-money-stand-alone", "internal/money"},
		{"app-below-commands", "internal/app"},
		{"faces-apart", "internal/storefront"},
		{"commands-are-thin", "cmd/shopd"},
		{"migrations-stand-alone", "migrations"},
		{"one-place-joins-domains", "bench"},
		{"packages-say-what-they-do", "internal/util"},
		{"settings-come-from-config", "internal/users/http.go:13"},
		{"database-errors-stay-in-stores", "internal/users/http.go:12"},
		{"database-errors-stay-in-stores", "internal/users/http.go:13"},
	}, found)
}

func load(t *testing.T, dir string) []archtest.Package {
	t.Helper()
	packages, err := archtest.Load(t.Context(), dir)
	require.NoError(t, err)
	return packages
}

func check(t *testing.T, packages []archtest.Package) []archtest.Violation {
	t.Helper()
	inSource, err := archtest.CheckSource(packages)
	require.NoError(t, err)
	return append(archtest.CheckImports(packages), inSource...)
}
