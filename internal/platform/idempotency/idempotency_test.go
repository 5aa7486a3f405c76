package idempotency_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"shopd/internal/platform/crypto"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/idempotency"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/testenv"
)

// masterKey is 32 bytes of no meaning.
const masterKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

type bundle struct {
	pool  *pgxpool.Pool // as a domain has it
	owner *pgxpool.Pool
	redis redis.UniversalClient
	store *idempotency.Store
}

func setup(t *testing.T, change ...func(*idempotency.Config)) *bundle {
	t.Helper()
	url := testenv.Database(t)
	b := &bundle{pool: open(t, url, "shopd_orders"), owner: open(t, url, ""), redis: testenv.Redis(t)}
	b.store = b.newStore(t, change...)
	return b
}

func open(t *testing.T, url, role string) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(context.Background(), postgres.Config{URL: url, Role: role, MaxConns: 16})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func (b *bundle) newStore(t *testing.T, change ...func(*idempotency.Config)) *idempotency.Store {
	t.Helper()
	vault, err := crypto.NewVault(masterKey)
	require.NoError(t, err)
	c := idempotency.Config{
		Sealer: vault, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Redis: b.redis,
		RedisTimeout: 5 * time.Second, // a busy test machine is no broken Redis
	}
	for _, f := range change {
		f(&c)
	}
	s, err := idempotency.New(c)
	require.NoError(t, err)
	return s
}

func (b *bundle) claim(t *testing.T, req idempotency.Request) idempotency.Claim {
	t.Helper()
	c, err := b.store.Claim(t.Context(), b.pool, req)
	require.NoError(t, err)
	return c
}

func request(t *testing.T, principal, key, body string) idempotency.Request {
	t.Helper()
	req, err := idempotency.NewRequest(principal, key, http.MethodPost, "/api/v1/store/carts/c1/complete", []byte(body))
	require.NoError(t, err)
	return req
}

var answer = idempotency.Response{
	Status: http.StatusCreated,
	Header: http.Header{"Location": {"/orders/ord_1"}},
	Body:   []byte("{\"name\": \"canary Ada\"}\n"),
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{
		"empty": "", "too long": strings.Repeat("k", 256), "line break": "a\nb", "zero byte": "a\x00b",
		"delete": "a\x7f", "not ASCII": "schlüssel", "not UTF-8": "a\xff",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := idempotency.NewRequest("cus_1", key, http.MethodPost, "/", nil)
			require.ErrorIs(t, err, idempotency.ErrKeyInvalid)
			require.Equal(t, errs.Malformed, errs.KindOf(err))
		})
	}
	require.NoError(t, idempotency.CheckKey(strings.Repeat("k", 255)))
	require.Equal(t, time.Second, errs.As(idempotency.ErrInProgress).RetryAfter)
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	of := func(method, path, body string) string {
		req, err := idempotency.NewRequest("cus_1", "k", method, path, []byte(body))
		require.NoError(t, err)
		return string(req.Fingerprint)
	}
	same := of("POST", "/pay", `{"a":1,"b":[1,2]}`)
	require.Equal(t, same, of("POST", "/pay", "{ \"b\": [1, 2],\n \"a\": 1 }"))
	for name, other := range map[string]string{
		"other value":     of("POST", "/pay", `{"a":2,"b":[1,2]}`),
		"larger number":   of("POST", "/pay", `{"a":1.0,"b":[1,2]}`),
		"other order":     of("POST", "/pay", `{"a":1,"b":[2,1]}`),
		"other path":      of("POST", "/pay2", `{"a":1,"b":[1,2]}`),
		"other method":    of("PATCH", "/pay", `{"a":1,"b":[1,2]}`),
		"second document": of("POST", "/pay", `{"a":1,"b":[1,2]}{}`),
	} {
		require.NotEqual(t, same, other, name)
	}
	require.NotEqual(t, of("POST", "/pay", "not JSON"), of("POST", "/pay", "not  JSON"))
}

func TestCourseOfARequest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := request(t, "cus_1", "k1", `{"a":1}`)
	first := b.claim(t, req)
	require.Equal(t, idempotency.Fresh, first.Outcome)
	require.NoError(t, first.Err())

	running := b.claim(t, req)
	require.Equal(t, idempotency.InProgress, running.Outcome)
	require.ErrorIs(t, running.Err(), idempotency.ErrInProgress)
	other := b.claim(t, request(t, "cus_1", "k1", `{"a":2}`))
	require.Equal(t, idempotency.Mismatch, other.Outcome)
	require.ErrorIs(t, other.Err(), idempotency.ErrKeyReused)
	require.Equal(t, idempotency.Fresh, b.claim(t, request(t, "cus_2", "k1", `{"a":1}`)).Outcome, "another's key")

	require.NoError(t, postgres.InTx(t.Context(), b.pool, func(tx pgx.Tx) error {
		return b.store.Finish(t.Context(), tx, first, answer)
	}))
	replay := b.claim(t, req)
	require.Equal(t, idempotency.Replay, replay.Outcome)
	require.Equal(t, answer, replay.Response)
	require.Equal(t, idempotency.Mismatch, b.claim(t, request(t, "cus_1", "k1", `{"a":2}`)).Outcome)
	require.ErrorIs(t, b.store.Finish(t.Context(), b.pool, first, answer), idempotency.ErrInProgress, "an answer is never changed")
}

func TestOneOfFiftyRequestsAtOnceIsFresh(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stores := []*idempotency.Store{b.store, b.newStore(t)}
	req := request(t, "cus_1", "race", "{}")
	outcomes := make([]idempotency.Outcome, 50)
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range outcomes {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			c, err := stores[i%2].Claim(context.Background(), b.pool, req)
			if err != nil {
				t.Error(err)
				return
			}
			outcomes[i] = c.Outcome
			if c.Outcome == idempotency.Fresh {
				if err := stores[i%2].Finish(context.Background(), b.pool, c, answer); err != nil {
					t.Error(err)
				}
			} else if c.Outcome == idempotency.Replay && string(c.Response.Body) != string(answer.Body) {
				t.Errorf("replay answers %q", c.Response.Body)
			}
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	count := map[idempotency.Outcome]int{}
	for _, o := range outcomes {
		count[o]++
	}
	require.Equal(t, 1, count[idempotency.Fresh])
	require.Equal(t, 49, count[idempotency.InProgress]+count[idempotency.Replay], "%v", count)
}

func TestALostRequestIsTakenOverAndCannotFinishAnyMore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := request(t, "cus_1", "k", "{}")
	lost := b.claim(t, req)
	require.NoError(t, b.store.SetResource(t.Context(), b.pool, lost, "ord_1"))
	_, err := b.owner.Exec(t.Context(), `update platform.idempotency_keys set lease_until = now() - interval '1 second'`)
	require.NoError(t, err)
	require.Equal(t, idempotency.Mismatch, b.claim(t, request(t, "cus_1", "k", "[]")).Outcome)

	next := b.claim(t, req)
	require.Equal(t, idempotency.TakenOver, next.Outcome)
	require.NoError(t, next.Err())
	require.Equal(t, "ord_1", next.Resource)
	require.Equal(t, lost.Epoch+1, next.Epoch)
	require.Equal(t, idempotency.InProgress, b.claim(t, req).Outcome)

	require.ErrorIs(t, b.store.Finish(t.Context(), b.pool, lost, answer), idempotency.ErrInProgress)
	require.ErrorIs(t, b.store.SetResource(t.Context(), b.pool, lost, "ord_2"), idempotency.ErrInProgress)
	require.NoError(t, b.store.Release(t.Context(), b.pool, lost), "and it cannot take the key away")
	require.NoError(t, b.store.Finish(t.Context(), b.pool, next, answer))
	require.Equal(t, idempotency.Replay, b.claim(t, req).Outcome)
}

func TestAReleasedKeyRunsAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := request(t, "cus_1", "k", "{}")
	require.NoError(t, b.store.Release(t.Context(), b.pool, b.claim(t, req)))
	again := b.claim(t, req)
	require.Equal(t, idempotency.Fresh, again.Outcome)
	require.NoError(t, b.store.SetResource(t.Context(), b.pool, again, "ord_1"))
	require.NoError(t, b.store.Release(t.Context(), b.pool, again))
	third := b.claim(t, req)
	require.Equal(t, idempotency.TakenOver, third.Outcome)
	require.Equal(t, "ord_1", third.Resource)
	require.NoError(t, b.store.Finish(t.Context(), b.pool, third, answer))
	require.NoError(t, b.store.Release(t.Context(), b.pool, third), "a finished key stays")
	require.Equal(t, idempotency.Replay, b.claim(t, req).Outcome)
}

func TestAnEffectThatRollsBackKeepsNoAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := request(t, "cus_1", "k", "{}")
	c := b.claim(t, req)
	failed := errors.New("the effect failed")
	require.ErrorIs(t, postgres.InTx(t.Context(), b.pool, func(tx pgx.Tx) error {
		require.NoError(t, b.store.Finish(t.Context(), tx, c, answer))
		return failed
	}), failed)
	require.Equal(t, idempotency.InProgress, b.claim(t, req).Outcome)
}

func TestFinishInAStatementOfTheCaller(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := request(t, "cus_1", "k", "{}")
	args, err := b.store.FinishArgs(b.claim(t, req), answer)
	require.NoError(t, err)
	require.Len(t, args, idempotency.FinishParams)
	_, err = b.pool.Exec(t.Context(), `with finished as (`+idempotency.FinishSQL(2)+` returning key) select $1::text, key from finished`,
		append([]any{"mine"}, args...)...)
	require.NoError(t, err)
	require.Equal(t, idempotency.Replay, b.claim(t, req).Outcome)
}

func TestKeysExpire(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := request(t, "cus_1", "k", "{}")
	require.NoError(t, b.store.Finish(t.Context(), b.pool, b.claim(t, req), answer))
	_, err := b.owner.Exec(t.Context(), `update platform.idempotency_keys set created_at = now() - interval '25 hours'`)
	require.NoError(t, err)
	other := b.claim(t, request(t, "cus_1", "k", "[]"))
	require.Equal(t, idempotency.Fresh, other.Outcome, "the key is free again, also before it is purged")
	require.NoError(t, b.store.Finish(t.Context(), b.pool, other, answer))

	_, err = b.owner.Exec(t.Context(), `
		insert into platform.idempotency_keys (principal, key, fingerprint, state, claimed_by, lease_until, lease_epoch, created_at)
		select 'old', n::text, '', 'started', '', now(), 1, now() - interval '25 hours'
		from generate_series(1, 12000) n`)
	require.NoError(t, err)
	purged, err := b.store.Purge(t.Context(), b.pool)
	require.NoError(t, err)
	require.EqualValues(t, 12000, purged)
	require.Equal(t, idempotency.Mismatch, b.claim(t, req).Outcome)
}

func TestRedisAnswersReplaysAndNothingElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := request(t, "cus_1", "k", "{}")
	c := b.claim(t, req)
	require.NoError(t, b.store.Finish(t.Context(), b.pool, c, answer))
	b.store.Remember(t.Context(), c, answer)

	nowhere := nowhere(t)
	replay, err := b.store.Claim(t.Context(), nowhere, req)
	require.NoError(t, err, "PostgreSQL is not asked")
	require.Equal(t, answer, replay.Response)
	_, err = b.store.Claim(t.Context(), nowhere, request(t, "cus_1", "k", "[]"))
	require.Error(t, err, "that the key was used for something else is for PostgreSQL to say")
	_, err = b.store.Claim(t.Context(), nowhere, request(t, "cus_2", "k", "{}"))
	require.Error(t, err)

	require.NoError(t, b.redis.FlushDB(t.Context()).Err())
	require.Equal(t, answer, b.claim(t, req).Response, "an emptied Redis loses nothing")
	_, err = b.store.Claim(t.Context(), nowhere, req)
	require.NoError(t, err, "and is filled by the replay")
}

func TestForgedAnswersInRedisAreNotBelieved(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second := request(t, "cus_1", "k", "{}"), request(t, "cus_2", "k", "{}")
	c := b.claim(t, first)
	require.NoError(t, b.store.Finish(t.Context(), b.pool, c, answer))
	b.store.Remember(t.Context(), c, answer)
	keys, err := b.redis.Keys(t.Context(), "shopd:idempotency:*").Result()
	require.NoError(t, err)
	require.Len(t, keys, 1)
	stolen, err := b.redis.Get(t.Context(), keys[0]).Result()
	require.NoError(t, err)

	other := b.claim(t, second)
	b.store.Remember(t.Context(), other, idempotency.Response{Status: 500})
	keys2, err := b.redis.Keys(t.Context(), "shopd:idempotency:*").Result()
	require.NoError(t, err)
	for _, k := range keys2 {
		require.NoError(t, b.redis.Set(t.Context(), k, stolen, 0).Err())
	}
	require.Equal(t, idempotency.InProgress, b.claim(t, second).Outcome)
}

func TestRedisMayBeGone(t *testing.T) {
	t.Parallel()
	gone := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	t.Cleanup(func() { require.NoError(t, gone.Close()) })
	b := setup(t, func(c *idempotency.Config) {
		c.Redis, c.Log = gone, slog.New(slog.DiscardHandler)
	})
	began := time.Now()
	for _, key := range []string{"k1", "k2", "k3", "k4", "k5", "k6"} {
		req := request(t, "cus_1", key, "{}")
		c := b.claim(t, req)
		require.Equal(t, idempotency.Fresh, c.Outcome)
		require.NoError(t, b.store.Finish(t.Context(), b.pool, c, answer))
		b.store.Remember(t.Context(), c, answer)
		require.Equal(t, answer, b.claim(t, req).Response)
	}
	require.Less(t, time.Since(began), 3*time.Second)
}

func TestAnswersAreSealedAtRest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.claim(t, request(t, "cus_1", "k", "{}"))
	require.NoError(t, b.store.Finish(t.Context(), b.pool, c, answer))
	b.store.Remember(t.Context(), c, answer)
	var row []byte
	require.NoError(t, b.owner.QueryRow(t.Context(), `select sealed from platform.idempotency_keys`).Scan(&row))
	require.NotEmpty(t, row)
	keys, err := b.redis.Keys(t.Context(), "shopd:idempotency:*").Result()
	require.NoError(t, err)
	require.Len(t, keys, 1)
	cached, err := b.redis.Get(t.Context(), keys[0]).Result()
	require.NoError(t, err)
	for _, s := range []string{string(row), cached, keys[0]} {
		require.NotContains(t, s, "canary")
		require.NotContains(t, s, "cus_1")
	}
}

// nowhere is a pool that cannot connect.
func nowhere(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(context.Background(), postgres.Config{URL: "postgres://nobody@127.0.0.1:1/none"})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}
