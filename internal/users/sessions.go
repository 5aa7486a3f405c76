package users

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

// sessionState is what decides about a request of a customer's session.
type sessionState struct {
	Account string `json:"a,omitempty"`
	Version int64  `json:"v,omitempty"`
	Ended   bool   `json:"e,omitempty"` // revoked, expired, or older than the account's session version
	Closed  bool   `json:"c,omitempty"` // the account is disabled or erased
}

const (
	// sessionLife is how long Redis may answer for PostgreSQL about a live session: the time a revocation needs
	// in the worst case, when the replica that revokes cannot reach Redis and others can.
	sessionLife = 5 * time.Second
	// endedLife keeps the mark of an ended session longer than any access token lives, so that a replica that
	// read the session before it ended, and slept, cannot bring it back.
	endedLife = MaxAccessTokenTTL + time.Minute

	redisPatience = 30 * time.Millisecond
	redisTrips    = 3 // failures in a row before Redis is left alone for redisRest
	redisRest     = time.Second
	markPatience  = 250 * time.Millisecond
)

// sessions answers whether a session lives: out of Redis when it knows, out of PostgreSQL otherwise.
type sessions struct {
	pool    *pgxpool.Pool
	redis   redis.UniversalClient
	breaker *gobreaker.CircuitBreaker[[]byte]
	now     func() time.Time
	log     *slog.Logger
}

func newSessions(pool *pgxpool.Pool, rdb redis.UniversalClient, now func() time.Time, log *slog.Logger) *sessions {
	return &sessions{pool: pool, redis: rdb, now: now, log: log, breaker: gobreaker.NewCircuitBreaker[[]byte](gobreaker.Settings{
		Name:        "session cache",
		Timeout:     redisRest,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= redisTrips },
		// A caller who hangs up says nothing about Redis.
		IsExcluded:   func(err error) bool { return errors.Is(err, context.Canceled) },
		IsSuccessful: func(err error) bool { return err == nil || errors.Is(err, redis.Nil) },
	})}
}

func sessionKey(id string) string { return "shopd:session:" + id }

// state returns what is known of session id. Only PostgreSQL can fail it.
func (s *sessions) state(ctx context.Context, id string) (sessionState, error) {
	cached, cacheErr := s.breaker.Execute(func() ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, redisPatience)
		defer cancel()
		return s.redis.Get(ctx, sessionKey(id)).Bytes()
	})
	if cacheErr == nil {
		var state sessionState
		if err := json.Unmarshal(cached, &state); err == nil {
			return state, nil
		}
	}
	state, err := customerSession(ctx, s.pool, id, s.now())
	if err != nil {
		return state, err
	}
	if errors.Is(cacheErr, redis.Nil) {
		s.remember(ctx, id, state)
	}
	return state, nil
}

// remember caches state unless something is there: whatever came meanwhile is newer, above all the mark of an end.
func (s *sessions) remember(ctx context.Context, id string, state sessionState) {
	encoded, err := json.Marshal(state)
	if err != nil {
		s.log.ErrorContext(ctx, "encode session state", "error", err)
		return
	}
	_, err = s.breaker.Execute(func() ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, redisPatience)
		defer cancel()
		args := redis.SetArgs{Mode: "NX", TTL: sessionLife}
		return nil, s.redis.SetArgs(ctx, sessionKey(id), encoded, args).Err()
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		s.log.DebugContext(ctx, "session not cached", "error", err)
	}
}

// markEnded tells every replica at once that sessions have ended. It comes after the commit that ended them. When
// Redis cannot be told, replicas that still reach it learn within sessionLife.
func (s *sessions) markEnded(ctx context.Context, ids ...string) {
	if len(ids) == 0 {
		return
	}
	// The caller hanging up must not leave ended sessions alive in the cache.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markPatience)
	defer cancel()
	_, err := s.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, id := range ids {
			p.Set(ctx, sessionKey(id), `{"e":true}`, endedLife)
		}
		return nil
	})
	if err != nil {
		s.log.WarnContext(ctx, "ended sessions not marked in Redis", "error", err, "sessions", len(ids), "effective_within", sessionLife)
	}
}
