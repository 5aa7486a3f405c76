package cache_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"shopd/internal/platform/cache"
	"shopd/internal/platform/testenv"
)

type product struct {
	Title string `json:"title"`
}

// bundle is one replica: a cache of its own on the Redis it shares with others.
type bundle struct {
	cache    *cache.Cache[product]
	registry *prometheus.Registry
}

func newReplica(t *testing.T, client redis.UniversalClient, o cache.Options) *bundle {
	t.Helper()
	registry := prometheus.NewRegistry()
	store, err := cache.NewStore(client, registry)
	require.NoError(t, err)
	o.Name = "product"
	if o.TTL == 0 {
		o.TTL = time.Minute
	}
	c, err := cache.New[product](store, o)
	require.NoError(t, err)
	return &bundle{cache: c, registry: registry}
}

// connect is the client production uses, on a Redis of this test.
func connect(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	client, err := cache.Connect(url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

func (b *bundle) outcomes(t *testing.T) map[string]int {
	t.Helper()
	families, err := b.registry.Gather()
	require.NoError(t, err)
	counts := map[string]int{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "outcome" && m.GetCounter().GetValue() > 0 {
					counts[label.GetValue()] = int(m.GetCounter().GetValue())
				}
			}
		}
	}
	return counts
}

func loads(title string, version int64, counter *atomic.Int64) func(context.Context) (cache.Entry[product], error) {
	return func(context.Context) (cache.Entry[product], error) {
		counter.Add(1)
		return cache.Entry[product]{Value: product{Title: title}, Version: version}, nil
	}
}

func TestValueIsLoadedOnceForTwoReplicas(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := testenv.RedisURL(t)
	one, two := newReplica(t, connect(t, url), cache.Options{LocalTTL: time.Minute}), newReplica(t, connect(t, url), cache.Options{})
	var loaded atomic.Int64
	for range 3 {
		v, found, err := one.cache.Get(ctx, "p1", loads("Jacket", 1, &loaded))
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, "Jacket", v.Title)
	}
	v, _, err := two.cache.Get(ctx, "p1", loads("other", 1, &loaded))
	require.NoError(t, err)
	require.Equal(t, "Jacket", v.Title)
	require.EqualValues(t, 1, loaded.Load())
	require.Equal(t, map[string]int{"miss": 1, "local": 2}, one.outcomes(t))
	require.Equal(t, map[string]int{"shared": 1}, two.outcomes(t))
	require.NoError(t, lint(one.registry))
}

func lint(registry *prometheus.Registry) error {
	problems, err := testutil.GatherAndLint(registry)
	if len(problems) > 0 {
		return errors.New(problems[0].Text)
	}
	return err
}

func TestManyReadersAtOnceShareOneLoad(t *testing.T) {
	t.Parallel()
	b := newReplica(t, connect(t, testenv.RedisURL(t)), cache.Options{})
	var loaded atomic.Int64
	release := make(chan struct{})
	var readers sync.WaitGroup
	for range 200 {
		readers.Go(func() {
			v, _, err := b.cache.Get(context.Background(), "hot", func(ctx context.Context) (cache.Entry[product], error) {
				<-release
				return loads("Jacket", 0, &loaded)(ctx)
			})
			if err != nil || v.Title != "Jacket" {
				t.Errorf("got %q, %v", v.Title, err)
			}
		})
	}
	time.AfterFunc(50*time.Millisecond, func() { close(release) })
	readers.Wait()
	require.EqualValues(t, 1, loaded.Load())
}

func TestReaderThatGivesUpDoesNotSpoilTheOthers(t *testing.T) {
	t.Parallel()
	b := newReplica(t, connect(t, testenv.RedisURL(t)), cache.Options{})
	begun, release := make(chan struct{}), make(chan struct{})
	load := func(ctx context.Context) (cache.Entry[product], error) {
		close(begun)
		<-release
		return cache.Entry[product]{Value: product{Title: "Jacket"}}, ctx.Err()
	}
	impatient, cancel := context.WithCancel(context.Background())
	gone := make(chan error, 1)
	go func() {
		_, _, err := b.cache.Get(impatient, "p", load)
		gone <- err
	}()
	<-begun
	patient := make(chan error, 1)
	go func() {
		_, _, err := b.cache.Get(context.Background(), "p", load)
		patient <- err
	}()
	cancel()
	require.ErrorIs(t, <-gone, context.Canceled)
	close(release)
	require.NoError(t, <-patient)
}

func TestErrorsAndPanicsOfALoadAreNotKept(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := newReplica(t, connect(t, testenv.RedisURL(t)), cache.Options{})
	broken := errors.New("broken")
	_, _, err := b.cache.Get(ctx, "p", func(context.Context) (cache.Entry[product], error) { return cache.Entry[product]{}, broken })
	require.ErrorIs(t, err, broken)
	_, _, err = b.cache.Get(ctx, "p", func(context.Context) (cache.Entry[product], error) { panic("oops") })
	require.ErrorContains(t, err, "oops")
	var loaded atomic.Int64
	_, found, err := b.cache.Get(ctx, "p", loads("Jacket", 0, &loaded))
	require.NoError(t, err)
	require.True(t, found)
}

func TestAbsenceIsRemembered(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := testenv.RedisURL(t)
	one, two := newReplica(t, connect(t, url), cache.Options{}), newReplica(t, connect(t, url), cache.Options{})
	absent := func(context.Context) (cache.Entry[product], error) { return cache.Entry[product]{Absent: true}, nil }
	_, found, err := one.cache.Get(ctx, "p", absent)
	require.NoError(t, err)
	require.False(t, found)
	var loaded atomic.Int64
	_, found, err = two.cache.Get(ctx, "p", loads("x", 0, &loaded))
	require.NoError(t, err)
	require.False(t, found)
	require.Zero(t, loaded.Load())
}

func TestValueReadBeforeAnInvalidationDoesNotComeBack(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := testenv.RedisURL(t)
	slow, other := newReplica(t, connect(t, url), cache.Options{}), newReplica(t, connect(t, url), cache.Options{LocalTTL: -1})
	begun, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		_, _, err := slow.cache.Get(ctx, "p", func(context.Context) (cache.Entry[product], error) {
			close(begun)
			<-release
			return cache.Entry[product]{Value: product{Title: "old"}}, nil
		})
		done <- err
	}()
	<-begun
	require.NoError(t, other.cache.Invalidate(ctx, "p"))
	close(release)
	require.NoError(t, <-done)

	var loaded atomic.Int64
	v, _, err := other.cache.Get(ctx, "p", loads("new", 0, &loaded))
	require.NoError(t, err)
	require.Equal(t, "new", v.Title)
	require.EqualValues(t, 1, loaded.Load())
}

func TestLoadUnderwayDuringALocalInvalidationIsNotKeptInTheProcess(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := newReplica(t, connect(t, testenv.RedisURL(t)), cache.Options{LocalTTL: time.Minute})
	v, _, err := b.cache.Get(ctx, "p", func(context.Context) (cache.Entry[product], error) {
		return cache.Entry[product]{Value: product{Title: "old"}}, b.cache.Invalidate(ctx, "p")
	})
	require.NoError(t, err)
	require.Equal(t, "old", v.Title)
	var loaded atomic.Int64
	v, _, err = b.cache.Get(ctx, "p", loads("new", 0, &loaded))
	require.NoError(t, err)
	require.Equal(t, "new", v.Title)
}

func TestOlderVersionNeverReplacesANewerOne(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := newReplica(t, connect(t, testenv.RedisURL(t)), cache.Options{LocalTTL: -1})
	versions := []int64{3, 1, 12, 9, 11, 12}
	for _, v := range versions {
		require.NoError(t, b.cache.Put(ctx, map[string]cache.Entry[product]{"p": {Value: product{Title: strconv.FormatInt(v, 10)}, Version: v}}))
	}
	var loaded atomic.Int64
	v, _, err := b.cache.Get(ctx, "p", loads("loaded", 0, &loaded))
	require.NoError(t, err)
	require.Equal(t, "12", v.Title)
}

func TestInvalidatedValueIsGoneOnOtherReplicasWithinTheLocalTime(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := testenv.RedisURL(t)
	one, two := newReplica(t, connect(t, url), cache.Options{}), newReplica(t, connect(t, url), cache.Options{})
	var loaded atomic.Int64
	for _, b := range []*bundle{one, two} {
		_, _, err := b.cache.Get(ctx, "p", loads("old", 0, &loaded))
		require.NoError(t, err)
	}
	require.NoError(t, one.cache.Invalidate(ctx, "p"))
	require.Eventually(t, func() bool {
		v, _, err := two.cache.Get(ctx, "p", loads("new", 0, &loaded))
		return err == nil && v.Title == "new"
	}, time.Second, 10*time.Millisecond)
}

func TestManyKeysAreReadAndLoadedTogether(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := testenv.RedisURL(t)
	one, two := newReplica(t, connect(t, url), cache.Options{}), newReplica(t, connect(t, url), cache.Options{LocalTTL: -1})
	var asked [][]string
	load := func(_ context.Context, missing []string) (map[string]cache.Entry[product], error) {
		asked = append(asked, missing)
		found := map[string]cache.Entry[product]{}
		for _, key := range missing {
			if key != "none" {
				found[key] = cache.Entry[product]{Value: product{Title: key}}
			}
		}
		return found, nil
	}
	got, err := one.cache.GetMany(ctx, []string{"a", "b", "none"}, load)
	require.NoError(t, err)
	require.Equal(t, map[string]product{"a": {"a"}, "b": {"b"}}, got)
	got, err = two.cache.GetMany(ctx, []string{"a", "none", "c"}, load)
	require.NoError(t, err)
	require.Equal(t, map[string]product{"a": {"a"}, "c": {"c"}}, got)
	got, err = one.cache.GetMany(ctx, []string{"a", "b", "none", "c"}, load)
	require.NoError(t, err)
	require.Len(t, got, 3)
	require.Equal(t, [][]string{{"a", "b", "none"}, {"c"}}, asked)
	require.Equal(t, map[string]int{"miss": 3, "local": 3, "shared": 1}, one.outcomes(t))
}

func TestBytesAreKeptAsTheyAre(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	store, err := cache.NewStore(connect(t, testenv.RedisURL(t)), prometheus.NewRegistry())
	require.NoError(t, err)
	c, err := cache.New[[]byte](store, cache.Options{Name: "page", TTL: time.Minute, LocalTTL: -1})
	require.NoError(t, err)
	page := []byte{0, 0xff, '"', '\n'}
	require.NoError(t, c.Put(ctx, map[string]cache.Entry[[]byte]{"k": {Value: page}}))
	got, found, err := c.Get(ctx, "k", func(context.Context) (cache.Entry[[]byte], error) {
		return cache.Entry[[]byte]{}, errors.New("not needed")
	})
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, page, got)
}

func TestUnreadableEntryIsLoadedAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	client := connect(t, testenv.RedisURL(t))
	b := newReplica(t, client, cache.Options{})
	for i, junk := range []string{"", "short", "0000000000000001v{broken", "zzzzzzzzzzzzzzzzv{}", "ffffffffffffffffv{}"} {
		key := strconv.Itoa(i)
		require.NoError(t, client.Set(ctx, "shopd:cache:product:"+key, junk, time.Minute).Err())
		var loaded atomic.Int64
		v, _, err := b.cache.Get(ctx, key, loads("loaded", 2, &loaded))
		require.NoError(t, err)
		require.Equal(t, "loaded", v.Title, junk)
	}
}

func TestReadsGoOnWithoutRedis(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{"refused": refusing(t), "silent": silent(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			b := newReplica(t, connect(t, "redis://"+address), cache.Options{LocalTTL: -1})
			var loaded atomic.Int64
			for i := range 20 {
				begun := time.Now()
				v, found, err := b.cache.Get(ctx, strconv.Itoa(i), loads("Jacket", 0, &loaded))
				require.NoError(t, err)
				require.True(t, found)
				require.Equal(t, "Jacket", v.Title)
				require.Less(t, time.Since(begun), 2*time.Second)
			}
			begun := time.Now()
			for i := range 1000 {
				_, _, err := b.cache.Get(ctx, strconv.Itoa(i), loads("Jacket", 0, &loaded))
				require.NoError(t, err)
			}
			require.Less(t, time.Since(begun), 10*time.Second, "an open breaker keeps readers away from Redis")
			require.Equal(t, map[string]int{"unavailable": 1020}, b.outcomes(t))
			require.Error(t, b.cache.Invalidate(ctx, "1"), "the caller must know that others may still see the old value")
		})
	}
}

// refusing is an address where nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// silent is an address where somebody listens and never answers.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l.Addr().String()
}

func TestConnectReadsEveryFormOfTheSetting(t *testing.T) {
	t.Parallel()
	for address, kind := range map[string]redis.UniversalClient{
		"redis://u:p@127.0.0.1:6379/2":                                       &redis.Client{},
		"redis://127.0.0.1:6379,redis://127.0.0.1:6380":                      &redis.ClusterClient{},
		"redis+sentinel://:secret@127.0.0.1:26379,127.0.0.1:26380/primary/1": &redis.Client{},
	} {
		client, err := cache.Connect(address)
		require.NoError(t, err, address)
		require.IsType(t, kind, client, address)
		require.NoError(t, client.Close())
	}
	for _, address := range []string{"http://x", "redis+sentinel://host:1", "redis://h,amqp://h"} {
		_, err := cache.Connect(address)
		require.ErrorContains(t, err, "SHOPD_REDIS_URL", address)
	}
}

func BenchmarkLocalHit(b *testing.B) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer client.Close()
	store, err := cache.NewStore(client, prometheus.NewRegistry())
	require.NoError(b, err)
	c, err := cache.New[product](store, cache.Options{Name: "bench", TTL: time.Minute, LocalTTL: time.Hour})
	require.NoError(b, err)
	load := func(context.Context) (cache.Entry[product], error) {
		return cache.Entry[product]{Value: product{"x"}}, nil
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := c.Get(context.Background(), "k", load); err != nil {
				b.Error(err)
			}
		}
	})
}
