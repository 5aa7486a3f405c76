package app

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"shopd/internal/platform/migrate"
)

// examine runs shopd doctor on the premises and returns what it prints.
func examine(t *testing.T, p premises, more ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	program := Program{Version: "test", Environ: p.environ(append([]string{"SHOPD_ENV=test"}, more...)...), Stdout: &out, Stderr: t.Output()}
	err := program.Doctor(t.Context(), t.TempDir())
	return out.String(), err
}

func TestDoctorFindsNothingWrong(t *testing.T) {
	t.Parallel()
	said, err := examine(t, onServices(t))
	require.NoError(t, err, said)
	for _, name := range []string{"settings", "PostgreSQL", "schema", "Redis", "message broker", "search", "dead letters"} {
		require.Contains(t, said, "✓ "+name)
	}
}

// TestDoctorSaysOneThingOfAPendingSchema: tables that a migration is still to make are no fault of their own.
func TestDoctorSaysOneThingOfAPendingSchema(t *testing.T) {
	t.Parallel()
	p := onServices(t)
	require.NoError(t, migrate.Down(t.Context(), p.databaseURL))
	said, err := examine(t, p)
	require.ErrorIs(t, err, ErrReported)
	require.Contains(t, said, "✗ schema: 1 migration is pending\n    → run shopd migrate up\n")

	for err = nil; !errors.Is(err, goose.ErrNoNextVersion); err = migrate.Down(t.Context(), p.databaseURL) {
		require.NoError(t, err)
	}
	said, err = examine(t, p)
	require.ErrorIs(t, err, ErrReported)
	require.Contains(t, said, "migrations are pending\n    → run shopd migrate up\n")
	require.Contains(t, said, "– dead letters: not checked before schema is right\n")
	require.Equal(t, 1, strings.Count(said, "✗"), said)
	require.NotContains(t, said, "SQLSTATE")
}

func TestDoctorSaysOneThingOfADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	p := onEmbedded(t)
	p.databaseURL = "postgres://shopd@127.0.0.1:1/shopd"
	said, err := examine(t, p)
	require.ErrorIs(t, err, ErrReported)
	require.Contains(t, said, "✗ PostgreSQL: ")
	require.Equal(t, 1, strings.Count(said, "✗"), said)
}
