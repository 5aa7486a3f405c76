package embedded_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"shopd/internal/platform/embedded"
)

func startRedis(t *testing.T) (*embedded.Redis, *redis.Client) {
	t.Helper()
	server, err := embedded.StartRedis()
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	options, err := redis.ParseURL(server.URL())
	require.NoError(t, err)
	client := redis.NewClient(options)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return server, client
}

func TestKeysExpireByThemselves(t *testing.T) {
	t.Parallel()
	_, client := startRedis(t)
	ctx := context.Background()
	require.NoError(t, client.Set(ctx, "short", "1", 200*time.Millisecond).Err())
	require.NoError(t, client.Set(ctx, "long", "1", time.Hour).Err())
	require.Equal(t, "1", client.Get(ctx, "short").Val())
	require.Eventually(t, func() bool { return client.Exists(ctx, "short").Val() == 0 }, 20*time.Second, 10*time.Millisecond)
	require.Equal(t, "1", client.Get(ctx, "long").Val())
	require.Greater(t, client.TTL(ctx, "long").Val(), 59*time.Minute)
}

func TestRateLimiterWorksOnIt(t *testing.T) {
	t.Parallel()
	_, client := startRedis(t)
	limiter := redis_rate.NewLimiter(client)
	allowed := 0
	for range 10 {
		result, err := limiter.Allow(context.Background(), "client", redis_rate.PerMinute(4))
		require.NoError(t, err)
		allowed += result.Allowed
	}
	require.Equal(t, 4, allowed)
}

func TestRedisWantsItsPassword(t *testing.T) {
	t.Parallel()
	server, _ := startRedis(t)
	u, err := url.Parse(server.URL())
	require.NoError(t, err)
	stranger := redis.NewClient(&redis.Options{Addr: u.Host})
	defer func() { require.NoError(t, stranger.Close()) }()
	require.ErrorContains(t, stranger.Ping(context.Background()).Err(), "NOAUTH")
}
