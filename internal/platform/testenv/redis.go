package testenv

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// leases is the key of database 0 that says a logical database is in use.
const leases = "shopd:testenv:database:"

// Redis returns a client on an empty logical database that no other test uses meanwhile; it is closed when the test
// ends. Publish/subscribe channels are the exception: Redis shares them between databases.
func Redis(t testing.TB) redis.UniversalClient {
	t.Helper()
	options, err := redis.ParseURL(RedisURL(t))
	if err != nil {
		t.Fatalf("read the URL of the test's Redis database: %v", err)
	}
	client := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs:    []string{options.Addr},
		Username: options.Username,
		Password: options.Password,
		DB:       options.DB,
	})
	cleanup(t, "Redis client", func(context.Context) error { return client.Close() })
	return client
}

// RedisURL is Redis for tests that start what reads SHOPD_REDIS_URL.
func RedisURL(t testing.TB) string {
	t.Helper()
	needsService(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	options, err := redis.ParseURL(redisURL())
	if err != nil {
		t.Fatalf("read SHOPD_TEST_REDIS_URL: %v", err)
	}
	options.MaxRetries, options.DialerRetries = -1, 1 // a server that is not there will not appear
	admin := redis.NewClient(options)
	if err := admin.Ping(ctx).Err(); err != nil {
		missing(t, "Redis", redisURL(), err)
	}
	number, err := leaseDatabase(ctx, admin, t.Name())
	if err != nil {
		t.Fatalf("lease a Redis database: %v", err)
	}
	cleanup(t, "Redis database "+strconv.Itoa(number), func(ctx context.Context) error {
		return errors.Join(admin.Del(ctx, leases+strconv.Itoa(number)).Err(), admin.Close())
	})
	if err := flush(ctx, admin, number); err != nil {
		t.Fatalf("empty Redis database %d: %v", number, err)
	}
	u, err := url.Parse(redisURL())
	if err != nil {
		t.Fatalf("read SHOPD_TEST_REDIS_URL: %v", err)
	}
	u.Path = "/" + strconv.Itoa(number)
	return u.String()
}

func redisURL() string {
	return setting("SHOPD_TEST_REDIS_URL", "redis://127.0.0.1:16379")
}

// leaseDatabase takes a free logical database other than 0, waiting for one until ctx ends.
func leaseDatabase(ctx context.Context, admin *redis.Client, holder string) (int, error) {
	config, err := admin.ConfigGet(ctx, "databases").Result()
	if err != nil {
		return 0, err
	}
	count, err := strconv.Atoi(config["databases"])
	if err != nil || count < 2 {
		return 0, fmt.Errorf("the server has %q databases, at least 2 are needed", config["databases"])
	}
	for {
		// A random order spares processes that start together most of the collisions.
		for _, n := range rand.Perm(count - 1) {
			number := n + 1
			taken, err := admin.SetArgs(ctx, leases+strconv.Itoa(number), holder, redis.SetArgs{Mode: "NX", TTL: lifetime}).Result()
			if err != nil && !errors.Is(err, redis.Nil) {
				return 0, err
			}
			if taken == "OK" {
				return number, nil
			}
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("all %d databases are in use: %w", count-1, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// flush empties one logical database.
func flush(ctx context.Context, admin *redis.Client, number int) error {
	options := *admin.Options()
	options.DB = number
	client := redis.NewClient(&options)
	return errors.Join(client.FlushDB(ctx).Err(), client.Close())
}
