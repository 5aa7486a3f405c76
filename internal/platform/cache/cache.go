package cache

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"
)

const (
	defaultLocalTTL  = 250 * time.Millisecond
	defaultLocalSize = 10_000
	// markTTL is how long an invalidated key refuses values. A load that took longer than slowLoad is not stored, so a
	// value read before the invalidation has no way in.
	markTTL  = 3 * time.Second
	slowLoad = 2 * time.Second
	// loadLimit bounds a load that several callers share and none of them can cancel.
	loadLimit = 10 * time.Second
)

// Kinds of stored entries, the byte after the version.
const (
	kindValue  = 'v'
	kindAbsent = 'n'
	kindMark   = 'x'
)

// headerLength is the length of version and kind.
const headerLength = 17

// Options describe one cache.
type Options struct {
	// Name tells the cache's keys and metrics from others: lower case. Change it when the form of the values changes.
	Name string
	// TTL is how long a value stays in Redis, less up to a tenth at random so that values do not expire together.
	TTL time.Duration
	// AbsentTTL is the same for "there is no such thing"; 0 takes a tenth of TTL.
	AbsentTTL time.Duration
	// LocalTTL is how long a value stays in the process, where other processes cannot invalidate it; 0 takes 250 ms,
	// a negative one keeps nothing in the process.
	LocalTTL time.Duration
	// LocalSize is how many values stay in the process; 0 takes 10,000.
	LocalSize int
}

// Entry is what a load found.
type Entry[V any] struct {
	Value V
	// Version of the thing; an older one never replaces a newer one in Redis. 0 when versions are not known.
	Version int64
	// Absent says that there is no such thing, which is remembered too.
	Absent bool
}

// Cache is a read-through cache of values of one type. Values are shared between callers and must not be changed by
// them. They are kept as JSON; a []byte is kept as it is.
type Cache[V any] struct {
	store   *Store
	options Options
	local   *otter.Cache[string, Entry[V]] // nil when nothing is kept in the process
	flights singleflight.Group
	// changes counts invalidations: a load that saw one happen keeps its result out of the process.
	changes atomic.Uint64

	localHits, sharedHits, misses, unavailable prometheus.Counter
}

// New returns a cache. Its name must be used once in a store.
func New[V any](store *Store, o Options) (*Cache[V], error) {
	if o.AbsentTTL == 0 {
		o.AbsentTTL = max(o.TTL/10, time.Second)
	}
	if o.LocalTTL == 0 {
		o.LocalTTL = defaultLocalTTL
	}
	if o.LocalSize == 0 {
		o.LocalSize = defaultLocalSize
	}
	c := &Cache[V]{
		store: store, options: o,
		localHits: store.requests.WithLabelValues(o.Name, outcomeLocal), sharedHits: store.requests.WithLabelValues(o.Name, outcomeShared),
		misses: store.requests.WithLabelValues(o.Name, outcomeMiss), unavailable: store.requests.WithLabelValues(o.Name, outcomeUnavailable),
	}
	if o.LocalTTL < 0 {
		return c, nil
	}
	local, err := otter.New(&otter.Options[string, Entry[V]]{
		MaximumSize: o.LocalSize, ExpiryCalculator: otter.ExpiryWriting[string, Entry[V]](o.LocalTTL),
	})
	if err != nil {
		return nil, fmt.Errorf("make the cache %s: %w", o.Name, err)
	}
	c.local = local
	return c, nil
}

// Get returns the value of the key, loading it when no cache has it; found is false when there is no such thing.
// Callers that want the same key at the same time share one load. The error is the load's own.
func (c *Cache[V]) Get(ctx context.Context, key string, load func(ctx context.Context) (Entry[V], error)) (value V, found bool, err error) {
	if c.local != nil {
		if e, ok := c.local.GetIfPresent(key); ok {
			c.localHits.Inc()
			return e.Value, !e.Absent, nil
		}
	}
	flight := c.flights.DoChan(key, func() (any, error) { return c.fetchSafely(ctx, key, load) })
	select {
	case <-ctx.Done():
		return value, false, ctx.Err()
	case r := <-flight:
		if r.Err != nil {
			return value, false, r.Err
		}
		e, ok := r.Val.(Entry[V])
		return e.Value, ok && !e.Absent, nil
	}
}

// fetchSafely is fetch for all callers of a flight: none of them can cancel it, and a panic, which would end the
// process from a goroutine of the flight, becomes an error.
func (c *Cache[V]) fetchSafely(ctx context.Context, key string, load func(context.Context) (Entry[V], error)) (e Entry[V], err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic while loading for the cache %s: %v\n%s", c.options.Name, r, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadLimit)
	defer cancel()
	return c.fetch(ctx, key, load)
}

func (c *Cache[V]) fetch(ctx context.Context, key string, load func(context.Context) (Entry[V], error)) (Entry[V], error) {
	seen := c.changes.Load()
	texts, err := c.store.read(ctx, []string{c.sharedKey(key)})
	if err == nil {
		if e, ok := c.decode(texts[0]); ok {
			c.sharedHits.Inc()
			c.keep(key, e, seen)
			return e, nil
		}
		c.misses.Inc()
	} else {
		c.unavailable.Inc()
	}
	reachable := err == nil
	started := time.Now()
	e, err := load(ctx)
	if err != nil {
		return e, err
	}
	c.keep(key, e, seen)
	if reachable && time.Since(started) < slowLoad {
		c.share(ctx, map[string]Entry[V]{key: e})
	}
	return e, nil
}

// GetMany returns the values of the keys that exist. Those that no cache has are loaded together: load gets their keys
// and returns what it found; what it leaves out is absent.
func (c *Cache[V]) GetMany(ctx context.Context, keys []string, load func(ctx context.Context, missing []string) (map[string]Entry[V], error)) (map[string]V, error) {
	found := make(map[string]V, len(keys))
	missing := c.takeLocal(keys, found)
	if len(missing) == 0 {
		return found, nil
	}
	seen := c.changes.Load()
	missing, reachable := c.takeShared(ctx, missing, found, seen)
	if len(missing) == 0 {
		return found, nil
	}
	started := time.Now()
	loaded, err := load(ctx, missing)
	if err != nil {
		return nil, err
	}
	fresh := make(map[string]Entry[V], len(missing))
	for _, key := range missing {
		e, ok := loaded[key]
		e.Absent = e.Absent || !ok
		if !e.Absent {
			found[key] = e.Value
		}
		c.keep(key, e, seen)
		fresh[key] = e
	}
	if reachable && time.Since(started) < slowLoad {
		c.share(ctx, fresh)
	}
	return found, nil
}

func (c *Cache[V]) takeLocal(keys []string, found map[string]V) (missing []string) {
	if c.local == nil {
		return keys
	}
	for _, key := range keys {
		e, ok := c.local.GetIfPresent(key)
		switch {
		case !ok:
			missing = append(missing, key)
		case !e.Absent:
			found[key] = e.Value
		}
	}
	c.localHits.Add(float64(len(keys) - len(missing)))
	return missing
}

func (c *Cache[V]) takeShared(ctx context.Context, keys []string, found map[string]V, seen uint64) (missing []string, reachable bool) {
	sharedKeys := make([]string, len(keys))
	for i, key := range keys {
		sharedKeys[i] = c.sharedKey(key)
	}
	texts, err := c.store.read(ctx, sharedKeys)
	if err != nil {
		c.unavailable.Add(float64(len(keys)))
		return keys, false
	}
	for i, key := range keys {
		e, ok := c.decode(texts[i])
		if !ok {
			missing = append(missing, key)
			continue
		}
		if !e.Absent {
			found[key] = e.Value
		}
		c.keep(key, e, seen)
	}
	c.sharedHits.Add(float64(len(keys) - len(missing)))
	c.misses.Add(float64(len(missing)))
	return missing, true
}

// Put stores values that are known to be new, such as those that events carry. An older version than the stored one
// is left out. The error says that Redis did not take them.
func (c *Cache[V]) Put(ctx context.Context, entries map[string]Entry[V]) error {
	err := c.publish(ctx, writeLimit, entries)
	for key := range entries {
		c.Forget(key)
	}
	if err != nil {
		return fmt.Errorf("put into the cache %s: %w", c.options.Name, err)
	}
	return nil
}

// Invalidate removes the keys after what they stand for has changed and been committed. A value that a slower reader
// brings along afterwards is refused. The error says that Redis did not take it: do it again, or live with the old
// values until they expire.
func (c *Cache[V]) Invalidate(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	shared := make([]string, len(keys))
	for i, key := range keys {
		shared[i] = c.sharedKey(key)
	}
	err := c.store.mark(ctx, shared)
	c.Forget(keys...)
	if err != nil {
		return fmt.Errorf("invalidate in the cache %s: %w", c.options.Name, err)
	}
	return nil
}

// Forget removes the keys from this process only: for the other replicas when one of them has invalidated.
func (c *Cache[V]) Forget(keys ...string) {
	c.changes.Add(1)
	for _, key := range keys {
		c.flights.Forget(key)
		if c.local != nil {
			c.local.Invalidate(key)
		}
	}
}

// keep stores the entry in the process, unless something was invalidated since it was read.
func (c *Cache[V]) keep(key string, e Entry[V], seen uint64) {
	if c.local != nil && c.changes.Load() == seen {
		c.local.Set(key, e)
	}
}

// share stores loaded entries in Redis. It is a service to later readers: when it fails, they load.
func (c *Cache[V]) share(ctx context.Context, entries map[string]Entry[V]) {
	_ = c.publish(ctx, readLimit, entries)
}

// publish writes entries to Redis, those that stand for nothing with their shorter life.
func (c *Cache[V]) publish(ctx context.Context, limit time.Duration, entries map[string]Entry[V]) error {
	for _, absent := range []bool{false, true} {
		texts := map[string]string{}
		for key, e := range entries {
			if e.Absent != absent {
				continue
			}
			text, err := c.encode(e)
			if err != nil {
				return err
			}
			texts[c.sharedKey(key)] = text
		}
		if len(texts) == 0 {
			continue
		}
		if err := c.store.write(ctx, limit, texts, c.ttl(absent)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cache[V]) ttl(absent bool) func() time.Duration {
	full := c.options.TTL
	if absent {
		full = c.options.AbsentTTL
	}
	return func() time.Duration { return full - rand.N(full/10+1) }
}

func (c *Cache[V]) sharedKey(key string) string { return "shopd:cache:" + c.options.Name + ":" + key }

func header(version int64, kind byte) string { return fmt.Sprintf("%016x%c", uint64(version), kind) }

func (c *Cache[V]) encode(e Entry[V]) (string, error) {
	if e.Absent {
		return header(e.Version, kindAbsent), nil
	}
	if raw, ok := any(e.Value).([]byte); ok {
		return header(e.Version, kindValue) + string(raw), nil
	}
	body, err := json.Marshal(e.Value)
	if err != nil {
		return "", fmt.Errorf("write a value of the cache %s: %w", c.options.Name, err)
	}
	return header(e.Version, kindValue) + string(body), nil
}

// decode reads an entry. What cannot be read, from another version of the program perhaps, is not there.
func (c *Cache[V]) decode(text *string) (e Entry[V], ok bool) {
	if text == nil || len(*text) < headerLength {
		return e, false
	}
	version, err := strconv.ParseUint((*text)[:headerLength-1], 16, 63)
	if err != nil {
		return e, false
	}
	e.Version = int64(version)
	body := (*text)[headerLength:]
	switch (*text)[headerLength-1] {
	case kindAbsent:
		e.Absent = true
		return e, true
	case kindValue:
		if raw, isRaw := any(&e.Value).(*[]byte); isRaw {
			*raw = []byte(body)
			return e, true
		}
		return e, json.Unmarshal([]byte(body), &e.Value) == nil
	}
	return e, false
}
