package idempotency

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"

	"shopd/internal/platform/postgres"
)

// Sealer encrypts answers: they may hold personal data. ad binds a sealed answer to its request.
type Sealer interface {
	Seal(plain, ad []byte) ([]byte, error)
	Open(sealed, ad []byte) ([]byte, error)
}

// Config is what a Store needs. Sealer and Log are required.
type Config struct {
	Sealer Sealer
	Log    *slog.Logger
	// Redis answers replays faster; nil for none. It may be down or emptied at any time.
	Redis redis.UniversalClient
	// RedisTimeout bounds each visit to Redis; PostgreSQL answers when it is not enough. Default 30 ms.
	RedisTimeout time.Duration
	// TTL is how long a key is kept. Default 24 h.
	TTL time.Duration
	// Lease is how long a request holds its key before it is taken for dead. It must be longer than a request may
	// take. Default 1 min.
	Lease time.Duration
	// Now is the clock by which answers in Redis expire. Default time.Now.
	Now func() time.Time
}

const (
	// redisRest is how long Redis is left alone after redisFailures in a row.
	redisRest     = 5 * time.Second
	redisFailures = 5
	// purgeBatch keeps each delete short.
	purgeBatch = 5000
)

// Store keeps keys and answers. It is safe for concurrent use; the statements run on what the caller passes.
type Store struct {
	sealer     Sealer
	log        *slog.Logger
	redis      redis.UniversalClient
	breaker    *gobreaker.CircuitBreaker[[]byte]
	patience   time.Duration // with Redis
	ttl, lease time.Duration
	now        func() time.Time
}

// New returns a store.
func New(c Config) (*Store, error) {
	if c.Sealer == nil || c.Log == nil {
		return nil, errors.New("idempotency: Sealer and Log are required")
	}
	s := &Store{
		sealer: c.Sealer, log: c.Log, redis: c.Redis, now: c.Now,
		patience: cmp.Or(c.RedisTimeout, 30*time.Millisecond),
		ttl:      cmp.Or(c.TTL, 24*time.Hour), lease: cmp.Or(c.Lease, time.Minute),
		breaker: gobreaker.NewCircuitBreaker[[]byte](gobreaker.Settings{
			Name: "idempotency replays", Timeout: redisRest,
			ReadyToTrip:  func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= redisFailures },
			IsExcluded:   func(err error) bool { return errors.Is(err, context.Canceled) },
			IsSuccessful: func(err error) bool { return err == nil || errors.Is(err, redis.Nil) },
		}),
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// answer is what is sealed: the response and the request it belongs to.
type answer struct {
	Fingerprint []byte `json:"fingerprint"`
	Response
}

func (s *Store) seal(req Request, r Response) ([]byte, error) {
	plain, err := json.Marshal(answer{req.Fingerprint, r})
	if err != nil {
		return nil, fmt.Errorf("encode an answer: %w", err)
	}
	sealed, err := s.sealer.Seal(plain, bindTo(req))
	if err != nil {
		return nil, fmt.Errorf("seal an answer: %w", err)
	}
	return sealed, nil
}

func (s *Store) unseal(req Request, sealed []byte) (answer, error) {
	var a answer
	plain, err := s.sealer.Open(sealed, bindTo(req))
	if err != nil {
		return a, fmt.Errorf("open a sealed answer: %w", err)
	}
	if err := json.Unmarshal(plain, &a); err != nil {
		return a, fmt.Errorf("decode an answer: %w", err)
	}
	return a, nil
}

// bindTo is the associated data that keeps one key's answer from being passed off as another's.
func bindTo(req Request) []byte {
	return []byte("platform.idempotency_keys\x00" + req.Principal + "\x00" + req.Key)
}

// Remember lets Redis answer the next replay of a finished claim. It comes after the commit of Finish. What Redis
// does not take, PostgreSQL answers.
func (s *Store) Remember(ctx context.Context, c Claim, r Response) {
	if s.redis == nil {
		return
	}
	sealed, err := s.seal(c.Request, r)
	if err != nil {
		s.log.ErrorContext(ctx, "answer not remembered", "error", err)
		return
	}
	s.keep(ctx, c, sealed)
}

// keep puts a finished answer into Redis for as long as PostgreSQL keeps it.
func (s *Store) keep(ctx context.Context, c Claim, sealed []byte) {
	left := s.ttl - s.now().Sub(c.since)
	if s.redis == nil || left <= 0 {
		return
	}
	_, err := s.visit(ctx, func(ctx context.Context) ([]byte, error) {
		return nil, s.redis.Set(ctx, redisKey(c.Request), sealed, left).Err()
	})
	if err != nil {
		s.log.DebugContext(ctx, "redis did not take an answer", "error", err)
	}
}

// recall finds the answer of a finished request in Redis. A finished answer never changes, so it may be given
// without asking PostgreSQL; anything else there is no reason to believe.
func (s *Store) recall(ctx context.Context, req Request) (Claim, bool) {
	if s.redis == nil {
		return Claim{}, false
	}
	sealed, err := s.visit(ctx, func(ctx context.Context) ([]byte, error) {
		return s.redis.Get(ctx, redisKey(req)).Bytes()
	})
	if err != nil {
		if !errors.Is(err, redis.Nil) {
			s.log.DebugContext(ctx, "redis did not answer for a key", "error", err)
		}
		return Claim{}, false
	}
	a, err := s.unseal(req, sealed)
	if err != nil {
		s.log.WarnContext(ctx, "redis holds an answer that cannot be read", "error", err)
		return Claim{}, false
	}
	if !bytes.Equal(a.Fingerprint, req.Fingerprint) {
		return Claim{}, false
	}
	return Claim{Request: req, Outcome: Replay, Response: a.Response}, true
}

func (s *Store) visit(ctx context.Context, fn func(context.Context) ([]byte, error)) ([]byte, error) {
	return s.breaker.Execute(func() ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, s.patience)
		defer cancel()
		return fn(ctx)
	})
}

// redisKey hides principal and key, which are not Redis's business.
func redisKey(req Request) string {
	sum := sha256.Sum256(bindTo(req))
	return "shopd:idempotency:" + hex.EncodeToString(sum[:])
}

const purgeKeys = `
delete from platform.idempotency_keys
where ctid = any(array(
    select ctid
    from platform.idempotency_keys
    where created_at < now() - $1::interval
    limit $2
))`

// Purge deletes the keys older than TTL, in short statements, and returns how many there were. q acts as
// shopd_relay, or as a domain.
func (s *Store) Purge(ctx context.Context, q postgres.Querier) (int64, error) {
	var purged int64
	for {
		tag, err := q.Exec(ctx, purgeKeys, s.ttl, purgeBatch)
		if err != nil {
			return purged, fmt.Errorf("purge idempotency keys: %w", err)
		}
		purged += tag.RowsAffected()
		if tag.RowsAffected() < purgeBatch {
			return purged, nil
		}
	}
}
