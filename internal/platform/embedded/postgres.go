// Package embedded runs the services of a shop that has none: a real PostgreSQL in a process of its own, and a Redis
// inside this process. Neither outlives the process that started it, however that ends.
package embedded

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	databaseUser = "postgres"
	databaseName = "shopd"
	passwordName = "database.password"
)

// PostgresConfig says where a database lives.
type PostgresConfig struct {
	// Dir is the data directory, which the caller has opened with OpenDir.
	Dir string
	// CacheDir holds PostgreSQL's programs; empty for shopd/postgres in the user's cache directory.
	CacheDir string
	// RepositoryURL is the Maven repository that the programs come from; empty for Maven Central.
	RepositoryURL string
	// Progress is told about what takes long, in words for people; nil for silence.
	Progress func(text string)
}

// Postgres is a running database.
type Postgres struct {
	url   string
	child *exec.Cmd
	stdin io.Closer

	done    chan struct{}
	err     error // why the child ended; read it after done
	stopped sync.Once
}

// StartPostgres starts the database, making it first when the directory has none, and returns when it can be used.
// The program must call MaybeRunChild first thing in main.
func StartPostgres(ctx context.Context, c PostgresConfig) (*Postgres, error) {
	where, err := findPlace(c.Dir, c.CacheDir)
	if err != nil {
		return nil, err
	}
	password, err := keepPassword(filepath.Join(c.Dir, passwordName), where.home)
	if err != nil {
		return nil, err
	}
	p, messages, err := spawn(childSpec{ //nolint:contextcheck // ctx bounds the start; the database lives on
		UID: where.uid, GID: where.gid, Home: where.home, Cache: where.cache, Password: password, Repository: c.RepositoryURL,
	})
	if err != nil {
		return nil, err
	}
	port, err := p.awaitReady(ctx, messages, c.Progress)
	if err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		return nil, errors.Join(err, p.Stop(stop))
	}
	p.url = databaseURL(password, port)
	return p, nil
}

func databaseURL(password string, port int) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(databaseUser, password),
		Host: fmt.Sprintf("127.0.0.1:%d", port), Path: "/" + databaseName, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// keepPassword returns the database's password, made the first time.
func keepPassword(path, home string) (string, error) {
	content, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(content)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the database's password: %w", err)
	}
	if _, err := os.Stat(filepath.Join(home, dataName)); err == nil {
		return "", fmt.Errorf("%s is missing, and the database is locked without it: start over with --reset", path)
	}
	password := rand.Text()
	if err := os.WriteFile(path, []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the database's password: %w", err)
	}
	return password, nil
}

// spawn starts this program again as the keeper of the database, in a session of its own so that a Ctrl-C at the
// terminal reaches only us. It ends when its standard input does, which is when we stop it or are gone.
func spawn(spec childSpec) (*Postgres, <-chan message, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("find this program: %w", err)
	}
	child := exec.Command(self, childArgument) //nolint:noctx // ourselves; Stop ends it
	child.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	child.Dir = "/"
	child.Stderr = os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if spec.UID >= 0 {
		// Root is given up before the keeper runs, so that it never has any. Its user need not be able to get to this
		// program's directory, as long as the program itself may be run by everybody.
		child.Path = executable(self)
		child.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(spec.UID), Gid: uint32(spec.GID)}
	}
	stdin, err := child.StdinPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("start the database: %w", err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("start the database: %w", err)
	}
	if err := child.Start(); err != nil {
		if spec.UID >= 0 && errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w: as root, shopd runs PostgreSQL as user %d, who may not execute %s: allow it with chmod 755", err, spec.UID, self)
		}
		return nil, nil, fmt.Errorf("start the database: %w", err)
	}
	p := &Postgres{child: child, stdin: stdin, done: make(chan struct{})}
	messages := make(chan message, 16)
	go p.follow(stdout, messages)
	if err := json.NewEncoder(stdin).Encode(spec); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("start the database: %w", err), p.Stop(context.Background()))
	}
	return p, messages, nil
}

// follow reads what the child says until it ends.
func (p *Postgres) follow(stdout io.Reader, messages chan<- message) {
	lines := bufio.NewScanner(stdout)
	var last string
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			continue // not ours: a library that prints
		}
		if m.Failed != "" {
			last = m.Failed
		}
		select {
		case messages <- m:
		default: // nobody listens once the database is up
		}
	}
	p.err = p.child.Wait()
	if last != "" {
		p.err = errors.New(last)
	}
	close(messages)
	close(p.done)
}

func (p *Postgres) awaitReady(ctx context.Context, messages <-chan message, progress func(string)) (port int, err error) {
	for {
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("start the database: %w", ctx.Err())
		case m, ok := <-messages:
			switch {
			case !ok:
				return 0, fmt.Errorf("the database ended while starting: %w", p.err)
			case m.Failed != "":
				return 0, errors.New(m.Failed)
			case m.Port != 0:
				return m.Port, nil
			case progress != nil:
				progress(m.Progress)
			}
		}
	}
}

// URL is how to connect as the owner of the database.
func (p *Postgres) URL() string { return p.url }

// Done is closed when the database has ended, by Stop or by itself; Err says why.
func (p *Postgres) Done() <-chan struct{} { return p.done }

// Err is why the database ended by itself; nil before Done and after a clean Stop.
func (p *Postgres) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Stop ends the database and waits. When ctx ends first, the database is cut off: it loses nothing that was
// committed, and recovers at the next start.
func (p *Postgres) Stop(ctx context.Context) error {
	var closing error
	p.stopped.Do(func() { closing = p.stdin.Close() })
	select {
	case <-p.done:
		return closing
	case <-ctx.Done():
	}
	if err := p.child.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the database: %w", err)
	}
	select {
	case <-p.done:
		return fmt.Errorf("stop the database: %w", ctx.Err())
	case <-time.After(time.Second):
		return errors.New("stop the database: its process does not end")
	}
}
