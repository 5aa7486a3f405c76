package ratelimit

import (
	"context"
	"errors"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

const (
	// After so many failures in a row Redis is left alone for a while, so that a hanging one costs nothing.
	tripAfter = 3
	restFor   = time.Second
)

// store takes requests out of the limits in Redis.
type store struct {
	limiter  *redis_rate.Limiter
	patience time.Duration
	breaker  *gobreaker.CircuitBreaker[*redis_rate.Result]
}

func newStore(rdb redis.UniversalClient, patience time.Duration) *store {
	return &store{
		limiter:  redis_rate.NewLimiter(prefixed{rdb}),
		patience: patience,
		breaker: gobreaker.NewCircuitBreaker[*redis_rate.Result](gobreaker.Settings{
			Name:    "rate limit",
			Timeout: restFor,
			ReadyToTrip: func(c gobreaker.Counts) bool {
				return c.ConsecutiveFailures >= tripAfter
			},
			// A caller who hangs up says nothing about Redis.
			IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
		}),
	}
}

// take asks for up to n requests of the client's limit a minute. It fails when Redis does not answer in time.
func (s *store) take(ctx context.Context, name string, limit, n int) (*redis_rate.Result, error) {
	return s.breaker.Execute(func() (*redis_rate.Result, error) {
		ctx, cancel := context.WithTimeout(ctx, s.patience)
		defer cancel()
		return s.limiter.AllowAtMost(ctx, name, redis_rate.PerMinute(limit), n)
	})
}

// prefixed puts the keys of redis_rate, which begin with "rate:", among those of shopd.
type prefixed struct{ redis.UniversalClient }

func (p prefixed) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return p.UniversalClient.Eval(ctx, script, prefix(keys), args...)
}

func (p prefixed) EvalSha(ctx context.Context, sha1 string, keys []string, args ...any) *redis.Cmd {
	return p.UniversalClient.EvalSha(ctx, sha1, prefix(keys), args...)
}

func prefix(keys []string) []string {
	named := make([]string, len(keys))
	for i, k := range keys {
		named[i] = "shopd:" + k
	}
	return named
}
