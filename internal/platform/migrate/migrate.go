// Package migrate brings the database to the schema this binary was built for: our own files first, then the job
// queue's. Several processes may start it at once; one works and the others wait.
package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"shopd/internal/platform/postgres"
	"shopd/migrations"
)

// JobsSchema is the PostgreSQL schema that holds River's tables.
const JobsSchema = "jobs"

const (
	// lockTimeout is how long one statement waits for a table that traffic is using: a waiting migration makes
	// everybody behind it wait too, so it steps back and tries again.
	lockTimeout = "2s"
	// lockAttempts bounds how often a migration steps back.
	lockAttempts = 30
	// lockWaitSeconds is how long a process waits for another one that is migrating.
	lockWaitSeconds = 600
)

// Migration is one of our files and when it was applied; AppliedAt is zero while it is pending.
type Migration struct {
	Version   int64
	File      string
	AppliedAt time.Time
}

// Up applies everything that is pending. It is safe to run again, and beside others.
func Up(ctx context.Context, databaseURL string) error {
	return locked(ctx, databaseURL, func(db *sql.DB, pool *pgxpool.Pool) error {
		if err := steppingBack(ctx, func() error {
			files, err := provider(db)
			if err != nil {
				return err
			}
			_, err = files.Up(ctx)
			return err
		}); err != nil {
			return fmt.Errorf("migrate the database: %w", err)
		}
		if err := steppingBack(ctx, func() error {
			jobs, err := jobsMigrator(pool)
			if err != nil {
				return err
			}
			_, err = jobs.Migrate(ctx, rivermigrate.DirectionUp, nil)
			return err
		}); err != nil {
			return fmt.Errorf("migrate the job queue: %w", err)
		}
		return nil
	})
}

// Down takes the newest applied file back, with the data it holds. Taking the first one back removes the job
// queue too. It returns goose.ErrNoNextVersion when nothing is applied.
func Down(ctx context.Context, databaseURL string) error {
	return locked(ctx, databaseURL, func(db *sql.DB, _ *pgxpool.Pool) error {
		return steppingBack(ctx, func() error {
			files, err := provider(db)
			if err != nil {
				return err
			}
			_, err = files.Down(ctx)
			return err
		})
	})
}

// Status lists our files in order.
func Status(ctx context.Context, pool *pgxpool.Pool) ([]Migration, error) {
	db := stdlib.OpenDBFromPool(pool)
	files, err := provider(db)
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	sources := files.ListSources()
	applied, err := appliedVersions(ctx, pool)
	if err != nil {
		return nil, err
	}
	all := make([]Migration, len(sources))
	for i, f := range sources {
		all[i] = Migration{Version: f.Version, File: f.Path, AppliedAt: applied[f.Version]}
	}
	return all, nil
}

// Pending counts what Up would apply. Any role may ask.
func Pending(ctx context.Context, pool *pgxpool.Pool) (int, error) {
	all, err := Status(ctx, pool)
	if err != nil {
		return 0, err
	}
	pending := 0
	for _, m := range all {
		if m.AppliedAt.IsZero() {
			pending++
		}
	}
	if pending > 0 {
		return pending, nil // the job queue's schema may not exist yet
	}
	jobs, err := jobsMigrator(pool)
	if err != nil {
		return 0, err
	}
	done, err := jobs.ExistingVersions(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the job queue's migrations: %w", err)
	}
	return len(jobs.AllVersions()) - len(done), nil
}

// locked runs fn while no other process migrates this database.
func locked(ctx context.Context, databaseURL string, fn func(*sql.DB, *pgxpool.Pool) error) (err error) {
	cfg, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return fmt.Errorf("read the database URL: %w", err)
	}
	cfg.ConnConfig.RuntimeParams["lock_timeout"] = lockTimeout
	cfg.ConnConfig.RuntimeParams["search_path"] = "public"
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.ConnConfig.RuntimeParams["application_name"] = "shopd migrate"
	cfg.MaxConns = max(cfg.MaxConns, 4) // the lock sits on one connection, goose and River work on others
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	db := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, lockWaitSeconds))
	if err != nil {
		return err
	}
	if err := locker.SessionLock(ctx, conn); err != nil {
		return fmt.Errorf("wait for another migration: %w", err)
	}
	defer func() { err = errors.Join(err, locker.SessionUnlock(context.WithoutCancel(ctx), conn)) }()
	return fn(db, pool)
}

// steppingBack runs fn again while it fails only because traffic held a table for longer than lockTimeout.
// What fn had applied by then stays applied.
func steppingBack(ctx context.Context, fn func() error) error {
	const lockNotAvailable = "55P03"
	for attempt := 1; ; attempt++ {
		err := fn()
		if postgres.Code(err) != lockNotAvailable || attempt == lockAttempts {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(500*time.Millisecond + rand.N(time.Second)):
		}
	}
}

// provider reads our files. Domains number theirs without looking at each other, so a file may come in below
// one that is applied already.
func provider(db *sql.DB) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectPostgres, db, migrations.FS,
		goose.WithAllowOutofOrder(true), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
}

func jobsMigrator(pool *pgxpool.Pool) (*rivermigrate.Migrator[pgx.Tx], error) {
	return rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{
		Schema: JobsSchema,
		Logger: slog.New(slog.DiscardHandler),
	})
}

const selectApplied = `
select version_id, tstamp
from public.goose_db_version
where is_applied`

// appliedVersions is empty for a database that was never migrated.
func appliedVersions(ctx context.Context, pool *pgxpool.Pool) (map[int64]time.Time, error) {
	const undefinedTable = "42P01"
	applied := map[int64]time.Time{}
	rows, err := pool.Query(ctx, selectApplied)
	if err == nil {
		var version int64
		var at time.Time
		_, err = pgx.ForEachRow(rows, []any{&version, &at}, func() error {
			applied[version] = at.UTC()
			return nil
		})
	}
	if err != nil && postgres.Code(err) != undefinedTable {
		return nil, fmt.Errorf("read the applied migrations: %w", err)
	}
	return applied, nil
}
