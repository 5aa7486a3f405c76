package inventory

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// LevelCache is a copy of the stock to read from. It may lose everything at any moment.
type LevelCache interface {
	// Get returns the pieces available of the articles it knows in full, and those it does not know.
	Get(ctx context.Context, skus []string) (known map[string]int64, missing []string)
	// Put takes levels over that are newer than what it has. The rows of an article may come one location at a
	// time; Complete says that the given ones are all there are.
	Put(ctx context.Context, levels []Level) error
	Complete(ctx context.Context, levels []Level) error
}

const (
	cacheTTL     = time.Hour
	cacheTimeout = 50 * time.Millisecond
	completeMark = "complete"
	versionMark  = ":version"
)

// RedisLevels keeps each article as a hash "shopd:stock:<sku>" that has, for every location, the pieces available
// under the location's name and the version they are from under "<location>:version".
type RedisLevels struct {
	client redis.UniversalClient
}

// NewRedisLevels returns a LevelCache on client.
func NewRedisLevels(client redis.UniversalClient) *RedisLevels { return &RedisLevels{client: client} }

func levelKey(sku string) string { return "shopd:stock:" + sku }

// putScript writes one location of an article unless a newer version is there. ARGV: location, available,
// version, TTL in seconds, "1" when these are all its locations.
var putScript = redis.NewScript(`
local have = tonumber(redis.call('HGET', KEYS[1], ARGV[1] .. ':version') or '-1')
if have < tonumber(ARGV[3]) then
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], ARGV[1] .. ':version', ARGV[3])
end
if ARGV[5] == '1' then
    redis.call('HSET', KEYS[1], 'complete', '1')
end
redis.call('EXPIRE', KEYS[1], ARGV[4])
return have
`)

// Put implements LevelCache.
func (c *RedisLevels) Put(ctx context.Context, levels []Level) error { return c.put(ctx, levels, "0") }

// Complete implements LevelCache.
func (c *RedisLevels) Complete(ctx context.Context, levels []Level) error {
	return c.put(ctx, levels, "1")
}

func (c *RedisLevels) put(ctx context.Context, levels []Level, complete string) error {
	if len(levels) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	run := func() error {
		_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, l := range levels {
				putScript.EvalSha(ctx, p, []string{levelKey(l.SKU)}, l.Location, l.Available, l.Version, int(cacheTTL.Seconds()), complete)
			}
			return nil
		})
		return err
	}
	err := run()
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		if err = putScript.Load(ctx, c.client).Err(); err == nil {
			err = run()
		}
	}
	if err != nil {
		return fmt.Errorf("copy stock to redis: %w", err)
	}
	return nil
}

// Get implements LevelCache.
func (c *RedisLevels) Get(ctx context.Context, skus []string) (map[string]int64, []string) {
	known := make(map[string]int64, len(skus))
	ctx, cancel := context.WithTimeout(ctx, cacheTimeout)
	defer cancel()
	answers := make([]*redis.MapStringStringCmd, len(skus))
	_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, sku := range skus {
			answers[i] = p.HGetAll(ctx, levelKey(sku))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return known, skus // the cache is away: PostgreSQL answers
	}
	var missing []string
	for i, sku := range skus {
		available, ok := sum(answers[i].Val())
		if !ok {
			missing = append(missing, sku)
			continue
		}
		known[sku] = available
	}
	return known, missing
}

// sum adds the locations of a hash up; it is false when not all of them are there.
func sum(fields map[string]string) (total int64, ok bool) {
	if fields[completeMark] == "" {
		return 0, false
	}
	for name, value := range fields {
		if name == completeMark || strings.HasSuffix(name, versionMark) {
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return 0, false
		}
		total += n
	}
	return total, true
}
