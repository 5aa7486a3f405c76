package rig

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// servicePatience bounds the start of a service.
const servicePatience = 2 * time.Minute

// Postgres is a PostgreSQL server of our own. It writes durably, as one in production does.
type Postgres struct {
	Addr string
	dir  string
	bin  string
	*Process
}

// NewPostgres makes a server's files in dir, which must not exist; Start starts it.
func NewPostgres(ctx context.Context, dir string) (*Postgres, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	p := &Postgres{dir: dir, bin: bin}
	if p.Addr, err = FreeAddress(ctx); err != nil {
		return nil, err
	}
	if err := errors.Join(os.MkdirAll(dir, 0o700), own(dir)); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	err = runAs(ctx, nil, dir, filepath.Join(bin, "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "--no-locale", "-E", "UTF8", "--no-sync")
	if err != nil {
		return nil, fmt.Errorf("make a PostgreSQL cluster: %w", err)
	}
	_, port, _ := strings.Cut(p.Addr, ":")
	settings := strings.Join([]string{
		"listen_addresses = '127.0.0.1'", "port = " + port, "unix_socket_directories = ''", "max_connections = 300", "shared_buffers = 128MB",
		"max_wal_size = 2GB", "timezone = UTC", "log_min_messages = warning", "log_line_prefix = '%m [%p] %u '", "wal_log_hints = off",
	}, "\n")
	conf, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	_, err = conf.WriteString("\n" + settings + "\n")
	return p, errors.Join(err, conf.Close())
}

// postgresBin is where the newest PostgreSQL of version 15 or later has its programs.
func postgresBin() (string, error) {
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 for what is no version
		return n
	}
	slices.SortFunc(dirs, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
	if len(dirs) == 0 || version(dirs[0]) < 15 {
		return "", errors.New("PostgreSQL 15 or later is not installed: run scripts/install services")
	}
	return filepath.Dir(dirs[0]), nil
}

// Start starts the server, or starts it again, and waits until it answers.
func (p *Postgres) Start(ctx context.Context) (err error) {
	p.Process, err = Start(Command{
		Name: "PostgreSQL", Path: filepath.Join(p.bin, "postgres"), Args: []string{"-D", filepath.Join(p.dir, "data")}, Dir: p.dir,
		Log: p.dir + ".log", Unprivileged: true,
	})
	if err != nil {
		return err
	}
	return await(ctx, p.Process, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, p.URL("postgres"))
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
}

// URL is the address of a database, for the superuser.
func (p *Postgres) URL(database string) string { return PostgresURL(p.Addr, database) }

// PostgresURL is the address of a database behind addr, which may be a proxy.
func PostgresURL(addr, database string) string {
	return "postgres://postgres@" + addr + "/" + database + "?sslmode=disable"
}

// StopImmediately ends the server without any farewell, as a crash would: what was not committed is lost.
func (p *Postgres) StopImmediately() error { return p.Stop(syscall.SIGQUIT, killPatience) }

// Close ends the server in good order.
func (p *Postgres) Close() error {
	if p.Process == nil || p.Ended() {
		return nil
	}
	return p.Stop(syscall.SIGINT, servicePatience)
}

// await asks until a service answers.
func await(ctx context.Context, p *Process, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, servicePatience)
	defer cancel()
	for {
		asking, done := context.WithTimeout(ctx, 5*time.Second)
		err := ask(asking)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-p.Done():
			return fmt.Errorf("%s ended while starting: %w", p.Name, cmp.Or(p.Err(), err))
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", p.Name, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
