package app

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/platform/errs"
)

// TestOneProcessBuildsTheSearchIndexAtATime: two replicas that built it at once exchanged it under each other's writes.
func TestOneProcessBuildsTheSearchIndexAtATime(t *testing.T) {
	t.Parallel()
	p := onServices(t)
	first, second := openStore(t, p), openStore(t, p)
	first.stockMany(t, 3, 1900, 5)

	asked := false
	require.NoError(t, first.Catalog.Reindex(t.Context(), func(int, int) {
		asked = true
		err := second.Catalog.Reindex(t.Context(), func(int, int) {})
		require.Equal(t, errs.Conflict, errs.KindOf(err), "the other one waits for its turn")
	}))
	require.True(t, asked)

	// The lock of a process that is gone is gone with it.
	holder, err := second.sql.Acquire(t.Context())
	require.NoError(t, err)
	_, err = holder.Exec(t.Context(), `select pg_advisory_lock(746702)`)
	require.NoError(t, err)
	require.Equal(t, errs.Conflict, errs.KindOf(first.Catalog.Reindex(t.Context(), func(int, int) {})))
	_, err = first.sql.Exec(t.Context(), `select pg_terminate_backend($1)`, int32(holder.Conn().PgConn().PID()))
	require.NoError(t, err)
	holder.Release()
	require.Eventually(t, func() bool {
		return second.Catalog.Reindex(t.Context(), func(int, int) {}) == nil
	}, time.Minute, 200*time.Millisecond)
	require.NoError(t, first.engine.Refresh(t.Context()))
	found, err := first.engine.Count(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, found)
}
