// Package postgres opens connection pools that act as one domain's role, and runs transactions that survive
// serialisation failures and deadlocks.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Querier is what a statement needs: a pool, a connection or a transaction.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Config is how a pool connects.
type Config struct {
	URL string
	// Role is the PostgreSQL role every statement runs as; empty keeps the login role.
	Role string
	// MaxConns bounds the pool; 0 takes pgx's default.
	MaxConns int32
	// Relaxed lets commits be acknowledged before they are on disk (synchronous_commit off). Only for rows whose
	// loss in a crash nobody was promised against: carts, relay marks.
	Relaxed bool
	// KeyLookups says that statements find few rows by key, whatever their arguments are and however large their tables
	// have become since PostgreSQL last counted. It plans each prepared statement once for a connection, and with an index
	// wherever one fits: a plan made for an empty table reads the whole of the one it has grown to.
	KeyLookups bool
	// Tracer sees every statement; nil for none.
	Tracer pgx.QueryTracer
}

// Open returns a pool without waiting for the server to be reachable.
func Open(ctx context.Context, c Config) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, fmt.Errorf("read the database URL: %w", err)
	}
	params := cfg.ConnConfig.RuntimeParams
	if c.Role != "" {
		params["role"] = c.Role
	}
	if c.Relaxed {
		params["synchronous_commit"] = "off"
	}
	if c.KeyLookups {
		params["plan_cache_mode"] = "force_generic_plan"
		params["enable_seqscan"] = "off"
	}
	// Our statements are short, and some look dear to the planner: compiling those takes longer than running them.
	params["jit"] = "off"
	params["timezone"] = "UTC"
	params["idle_in_transaction_session_timeout"] = "15s"
	params["statement_timeout"] = "30s"
	cfg.ConnConfig.ConnectTimeout = 2 * time.Second
	cfg.ConnConfig.Tracer = c.Tracer
	if c.MaxConns > 0 {
		cfg.MaxConns = c.MaxConns
	}
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}})
		return nil
	}
	return pgxpool.NewWithConfig(ctx, cfg)
}

// attempts is how often something runs before its deadlock or serialisation failure is given back.
const attempts = 4

// InTx runs fn in a transaction and commits it. A deadlock or serialisation failure runs fn again, so fn must
// have no effect outside the transaction.
func InTx(ctx context.Context, pool *pgxpool.Pool, fn func(tx pgx.Tx) error) error {
	return Retry(ctx, func() error { return pgx.BeginFunc(ctx, pool, fn) })
}

// Retryable reports whether the database gave the transaction up only because of others running beside it.
func Retryable(err error) bool {
	code := Code(err)
	return code == "40001" || code == "40P01"
}

// Code is the SQLSTATE in err's chain, empty when the server did not say one.
func Code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// Violates reports whether err is the breach of the named constraint.
func Violates(err error, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.ConstraintName == constraint
}

// Retry runs a single statement (or anything else that is atomic by itself) again when the database gave it up
// only because of others running beside it.
func Retry(ctx context.Context, fn func() error) error {
	for attempt := 1; ; attempt++ {
		err := fn()
		if err == nil || attempt == attempts || !Retryable(err) {
			return err
		}
		if !rest(ctx, attempt) {
			return err
		}
	}
}

// rest waits a random moment that grows with the attempts; it returns false when ctx ends first.
func rest(ctx context.Context, attempt int) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Duration(rand.Int64N(int64(attempt) * int64(20*time.Millisecond)))):
		return true
	}
}

// Unavailable reports whether err says that the server could not be reached, or is going down or starting up:
// nothing is wrong with the statement.
func Unavailable(err error) bool {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return true
	}
	if code := Code(err); code != "" {
		return strings.HasPrefix(code, "57P") || strings.HasPrefix(code, "08") || code == "53300"
	}
	var network net.Error
	return errors.As(err, &network) || pgconn.SafeToRetry(err) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}
