// Package cache keeps what is read often and changes rarely near the reader: for a moment in the process, longer in
// Redis. A cache never makes a read fail: without Redis, or with a slow one, values come from their source.
package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

const (
	// readLimit is how long a reader waits for Redis before going to the source.
	readLimit = 30 * time.Millisecond
	// writeLimit is how long an invalidation waits for Redis; it may be retried, and matters more than its speed.
	writeLimit = 500 * time.Millisecond
	// breakerFailures in a row keep every reader away from Redis for breakerPause.
	breakerFailures = 5
	breakerPause    = time.Second
)

// Outcomes of a lookup, the label of shopd_cache_requests_total.
const (
	outcomeLocal       = "local"       // found in the process
	outcomeShared      = "shared"      // found in Redis
	outcomeMiss        = "miss"        // in neither, loaded
	outcomeUnavailable = "unavailable" // Redis did not answer, loaded
)

// Store is what all caches of a process share: the connection to Redis, its breaker and the metrics.
type Store struct {
	client   redis.UniversalClient
	breaker  *gobreaker.CircuitBreaker[[]*string]
	requests *prometheus.CounterVec
}

// NewStore returns a store on a client that honours deadlines, as Connect makes it.
func NewStore(client redis.UniversalClient, metrics prometheus.Registerer) (*Store, error) {
	s := &Store{
		client: client,
		breaker: gobreaker.NewCircuitBreaker[[]*string](gobreaker.Settings{
			Name:        "redis cache",
			Timeout:     breakerPause,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerFailures },
		}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shopd_cache_requests_total", Help: "Lookups in caches, by where the value came from.",
		}, []string{"cache", "outcome"}),
	}
	if err := metrics.Register(s.requests); err != nil {
		return nil, fmt.Errorf("register the metrics of caches: %w", err)
	}
	return s, nil
}

// read returns the stored text of each key, nil where there is none. A failed read counts against the breaker, except
// when it was the caller who gave up.
func (s *Store) read(ctx context.Context, keys []string) ([]*string, error) {
	return s.breaker.Execute(func() ([]*string, error) {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), readLimit)
		defer cancel()
		// Single GETs in a pipeline, because MGET over several slots is refused by a Cluster.
		commands := make([]*redis.StringCmd, len(keys))
		_, err := s.client.Pipelined(limited, func(p redis.Pipeliner) error {
			for i, key := range keys {
				commands[i] = p.Get(limited, key)
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, err
		}
		found := make([]*string, len(keys))
		for i, command := range commands {
			if text, err := command.Result(); err == nil {
				found[i] = &text
			}
		}
		return found, nil
	})
}

// guardedSet stores ARGV[2] unless the key holds something newer, or the mark of an invalidation: an entry begins with
// its version in 16 hexadecimal digits, which compare like the numbers.
const guardedSet = `
local current = redis.call('getrange', KEYS[1], 0, 16)
if string.sub(current, 17, 17) == 'x' and string.sub(current, 1, 16) == '0000000000000000' then return 0 end
if current ~= '' and string.sub(current, 1, 16) > string.sub(ARGV[1], 1, 16) then return 0 end
redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2])
return 1`

// write stores an entry for every key under the guard.
func (s *Store) write(ctx context.Context, limit time.Duration, entries map[string]string, ttl func() time.Duration) error {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	_, err := s.client.Pipelined(limited, func(p redis.Pipeliner) error {
		for key, entry := range entries {
			p.Eval(limited, guardedSet, []string{key}, entry, ttl().Milliseconds())
		}
		return nil
	})
	return err
}

// mark overwrites the keys with marks that keep slower writers out for a while.
func (s *Store) mark(ctx context.Context, keys []string) error {
	limited, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	_, err := s.client.Pipelined(limited, func(p redis.Pipeliner) error {
		for _, key := range keys {
			p.Set(limited, key, header(0, kindMark), markTTL)
		}
		return nil
	})
	return err
}
