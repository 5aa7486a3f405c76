package testenv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/migrate"
	"shopd/migrations"
)

// templateLock is the PostgreSQL advisory lock under which test processes build the template.
const templateLock = 7467_01

var template = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	return buildTemplate(ctx)
})

// Database returns the URL of a new database with all migrations applied, connected as the superuser. It is dropped
// when the test ends, with whatever connections are still open.
func Database(t testing.TB) string {
	t.Helper()
	needsService(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	admin, err := pgx.Connect(ctx, databaseURL())
	if err != nil {
		missing(t, "PostgreSQL", databaseURL(), err)
	}
	defer admin.Close(ctx) //nolint:errcheck // nothing was left unsaid on this connection
	source, err := template()
	if err != nil {
		t.Fatalf("build the template database: %v", err)
	}
	name := newName()
	if _, err := admin.Exec(ctx, "create database "+name+" template "+source); err != nil {
		t.Fatalf("create the test's database: %v", err)
	}
	cleanup(t, "database "+name, func(ctx context.Context) error {
		admin, err := pgx.Connect(ctx, databaseURL())
		if err != nil {
			return err
		}
		defer admin.Close(ctx) //nolint:errcheck // as above
		_, err = admin.Exec(ctx, "drop database if exists "+name+" with (force)")
		return err
	})
	return withDatabase(databaseURL(), name)
}

func databaseURL() string {
	return setting("SHOPD_TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:15432/postgres?sslmode=disable")
}

// withDatabase is the server's URL pointed at another of its databases.
func withDatabase(server, name string) string {
	u, err := url.Parse(server)
	if err != nil {
		return server // pgx has parsed it before, so this cannot be
	}
	u.Path = "/" + name
	return u.String()
}

// buildTemplate returns the name of a database with the current migrations, made if there is none yet. Processes that
// test other packages at the same time wait for the one that builds it.
func buildTemplate(ctx context.Context) (string, error) {
	hash, err := hashFiles(migrations.FS)
	if err != nil {
		return "", fmt.Errorf("read the migrations: %w", err)
	}
	name := "shopd_template_" + hash

	admin, err := pgx.Connect(ctx, databaseURL())
	if err != nil {
		return "", err
	}
	defer admin.Close(ctx) //nolint:errcheck // also gives the lock back
	if _, err := admin.Exec(ctx, "select pg_advisory_lock($1)", templateLock); err != nil {
		return "", err
	}
	var exists bool
	err = admin.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", name).Scan(&exists)
	if err != nil || exists {
		return name, err
	}
	if err := sweepDatabases(ctx, admin); err != nil {
		return "", fmt.Errorf("remove databases of earlier runs: %w", err)
	}

	// Built under another name: a template that exists is complete.
	building := name + "_building"
	if _, err := admin.Exec(ctx, "drop database if exists "+building+" with (force)"); err != nil {
		return "", err
	}
	if _, err := admin.Exec(ctx, "create database "+building); err != nil {
		return "", err
	}
	if err := migrate.Up(ctx, withDatabase(databaseURL(), building)); err != nil {
		return "", fmt.Errorf("migrate: %w", err)
	}
	_, err = admin.Exec(ctx, "alter database "+building+" rename to "+name)
	return name, err
}

func sweepDatabases(ctx context.Context, admin *pgx.Conn) error {
	rows, err := admin.Query(ctx, "select datname from pg_database where starts_with(datname, $1)", prefix)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		if !stale(name) {
			continue
		}
		if _, err := admin.Exec(ctx, "drop database if exists "+name+" with (force)"); err != nil {
			return err
		}
	}
	return nil
}

// hashFiles tells one set of migrations from another.
func hashFiles(files fs.FS) (string, error) {
	hash := sha256.New()
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(hash, "%s %d\n%s", path, len(content), content)
		return err
	})
	return hex.EncodeToString(hash.Sum(nil))[:16], err
}
