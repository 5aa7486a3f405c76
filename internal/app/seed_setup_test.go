package app

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"shopd/internal/platform/config"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/testenv"
)

// trial is a shop on a database of its own, with the relay and the workers running.
type trial struct {
	*Shop
	admin *pgxpool.Pool // as superuser, to look at everything
	dir   string        // its data directory
}

func openTrial(t *testing.T, settings ...string) *trial {
	t.Helper()
	b := &trial{dir: t.TempDir()}
	url := testenv.Database(t)
	cfg, err := config.Load(append([]string{
		"SHOPD_DATABASE_URL=" + url, "SHOPD_REDIS_URL=" + testenv.RedisURL(t), "SHOPD_DATABASE_MAX_CONNS=40",
		"SHOPD_MASTER_KEY=qL3b1yTz0Vn8pXw4Rk6sHc2mJd9fGa5uEo7iBtYvNxM=", "SHOPD_BASE_URL=http://127.0.0.1:16200", "SHOPD_BCRYPT_COST=4",
		"SHOPD_LOG_LEVEL=warn",
	}, settings...), config.Test)
	require.NoError(t, err)
	in, err := NewInstruments(t.Context(), cfg, "test", testLog{t})
	require.NoError(t, err)
	b.Shop, err = Open(t.Context(), cfg, Options{Version: "test", DataDir: b.dir, Instruments: in})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })

	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.work(ctx, []Role{Worker, RelayRole}) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) { // what it says when it had not begun yet
			require.NoError(t, err)
		}
	})
	b.admin, err = postgres.Open(t.Context(), postgres.Config{URL: url, MaxConns: 4})
	require.NoError(t, err)
	t.Cleanup(b.admin.Close)
	return b
}

// testLog brings the shop's log to the test's.
type testLog struct{ t *testing.T }

var _ io.Writer = testLog{}

func (l testLog) Write(line []byte) (int, error) {
	l.t.Logf("%s", line)
	return len(line), nil
}

// number is the one number that a query answers.
func (b *trial) number(t *testing.T, sql string, args ...any) int64 {
	t.Helper()
	var n int64
	require.NoError(t, b.admin.QueryRow(t.Context(), sql, args...).Scan(&n), sql)
	return n
}
