package httpx_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"shopd/internal/platform/httpx"
	"shopd/internal/platform/idempotency"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/testenv"
)

// plainly seals nothing.
type plainly struct{}

func (plainly) Seal(plain, _ []byte) ([]byte, error)  { return plain, nil }
func (plainly) Open(sealed, _ []byte) ([]byte, error) { return sealed, nil }

type said struct {
	Body struct {
		Words string `json:"words"`
	}
}

// speaker serves one keyed route whose work is say.
func speaker(t *testing.T, db postgres.Querier, say func(context.Context) string) http.Handler {
	t.Helper()
	store, err := idempotency.New(idempotency.Config{Sealer: plainly{}, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	router := chi.NewRouter()
	api := httpx.NewAPI(router, "test", "1", "/api/v1", &httpx.Idempotency{Store: store, DB: db, GuestKey: func(*http.Request) string { return "" }})
	httpx.Register(api, httpx.Route{ID: "say", Method: http.MethodPost, Path: "/say", Summary: "Say", Tag: "Test", Access: httpx.Public(), Key: httpx.KeyRequired},
		func(ctx context.Context, _ *struct{}) (*said, error) {
			out := &said{}
			out.Body.Words = say(ctx)
			return out, nil
		})
	return router
}

func ask(t *testing.T, h http.Handler) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/say", strings.NewReader(""))
	r.Header.Set(httpx.IdempotencyHeader, "key")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func openDB(t *testing.T) *pgxpool.Pool {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: testenv.Database(t), Role: "shopd_orders", MaxConns: 4})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	return db
}

// Somebody who was told something under a key must hear the same again. When a slower request loses its key to another,
// what it would have said differs from what that one keeps.
func TestAnAnswerThatCannotBeRepeatedIsNotGiven(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	slow := speaker(t, db, func(ctx context.Context) string {
		_, err := db.Exec(ctx, `update platform.idempotency_keys set claimed_by = 'another', lease_epoch = lease_epoch + 1`)
		require.NoError(t, err)
		return "mine"
	})
	lost := ask(t, slow)
	require.Equal(t, http.StatusConflict, lost.Code)
	require.Contains(t, lost.Body.String(), "request_in_progress")
	require.NotEmpty(t, lost.Header().Get("Retry-After"))
	require.NotContains(t, lost.Body.String(), "mine")
}

// shaky is a database whose connection ends in the next so many updates: before they reach it, or after.
type shaky struct {
	postgres.Querier
	losses int
	after  bool
}

func (s *shaky) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if s.losses == 0 {
		return s.Querier.Exec(ctx, sql, args...)
	}
	s.losses--
	if s.after {
		if _, err := s.Querier.Exec(ctx, sql, args...); err != nil {
			return pgconn.CommandTag{}, err
		}
	}
	return pgconn.CommandTag{}, io.ErrUnexpectedEOF
}

func TestADatabaseThatIsAwayWhenTheAnswerIsToBeKept(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	away := ask(t, speaker(t, &shaky{Querier: db, losses: 100}, func(context.Context) string { return "mine" }))
	require.Equal(t, http.StatusServiceUnavailable, away.Code, away.Body.String())
	require.NotEmpty(t, away.Header().Get("Retry-After"))
	require.NotContains(t, away.Body.String(), "mine")
}

func TestALostConnectionCostsNoAnswer(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	h := speaker(t, &shaky{Querier: db, losses: 1}, func(context.Context) string { return "mine" })
	first := ask(t, h)
	require.Equal(t, http.StatusOK, first.Code, first.Body.String())
	again := ask(t, h)
	require.Equal(t, first.Body.String(), again.Body.String())
	require.Equal(t, "true", again.Header().Get("Idempotent-Replayed"))
}

func TestAnAnswerThatWasKeptUnheardIsGivenToTheNextTry(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	h := speaker(t, &shaky{Querier: db, losses: 1, after: true}, func(context.Context) string { return "mine" })
	require.Equal(t, http.StatusConflict, ask(t, h).Code)
	again := ask(t, h)
	require.Equal(t, http.StatusOK, again.Code)
	require.Contains(t, again.Body.String(), "mine")
	require.Equal(t, "true", again.Header().Get("Idempotent-Replayed"))
}
