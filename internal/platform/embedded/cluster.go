package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	dataName    = "data"     // the data files within the home
	newDataName = "data.new" // the same while they are being made
	logName     = "postgres.log"

	readyLimit = 60 * time.Second // recovery after a crash included
	stopLimit  = 15 * time.Second
	portTries  = 5
)

// errQuit says that the parent went away or wanted an end while the database was starting.
var errQuit = errors.New("told to stop")

// cluster is PostgreSQL's data and the keeper's hold on it.
type cluster struct {
	spec childSpec
	say  func(message)
	quit <-chan struct{}
	lock *os.File
}

func (c *cluster) path(elem ...string) string {
	return filepath.Join(append([]string{c.spec.Home}, elem...)...)
}

// takeHome makes sure that nothing of an earlier run is alive. The lock is inherited by every process of the
// database, so whoever gets it knows that none of them is left; and where it cannot be had, the process named in the
// pid file is certainly PostgreSQL and ours.
func (c *cluster) takeHome() error {
	fd, err := syscall.Open(c.path("lock"), syscall.O_RDWR|syscall.O_CREAT, 0o600) // without O_CLOEXEC: inherited
	if err != nil {
		return fmt.Errorf("lock the database: %w", err)
	}
	c.lock = os.NewFile(uintptr(fd), "lock")
	farewells := []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{0, 3 * time.Second}, {syscall.SIGINT, 10 * time.Second}, {syscall.SIGQUIT, 5 * time.Second}, {syscall.SIGKILL, 2 * time.Second}}
	for _, f := range farewells {
		for _, pid := range []int{readPID(c.path(dataName, "postmaster.pid")), readPID(c.path(newDataName, "postmaster.pid"))} {
			if pid > 1 && f.signal != 0 && !c.free() {
				_ = syscall.Kill(pid, f.signal) // it may have ended meanwhile, which is what we want
			}
		}
		for deadline := time.Now().Add(f.wait); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if c.free() {
				return c.removeStale()
			}
		}
	}
	return fmt.Errorf("an earlier database in %s does not end", c.spec.Home)
}

func (c *cluster) free() bool { return tryLock(c.lock) == nil }

// removeStale removes the pid file of a server that was killed: its number may belong to somebody else by now.
func (c *cluster) removeStale() error {
	if err := os.Remove(c.path(dataName, "postmaster.pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("clean up after an earlier database: %w", err)
	}
	return nil
}

// parameters are the settings of the server. They suit a demo on a small machine; nothing is traded for durability.
func parameters() map[string]string {
	return map[string]string{
		"listen_addresses":                "127.0.0.1",
		"unix_socket_directories":         "",
		"shared_buffers":                  "128MB",
		"max_connections":                 "100",
		"wal_level":                       "minimal",
		"max_wal_senders":                 "0",
		"checkpoint_timeout":              "15min",
		"random_page_cost":                "1.1",
		"jit":                             "off",
		"max_parallel_workers_per_gather": "0",
		"timezone":                        "UTC",
		"log_timezone":                    "UTC",
		"log_min_messages":                "warning",
	}
}

// server is a running postgres.
type server struct {
	process *os.Process
	done    chan struct{}
	err     error // how it ended; read it after done
}

// start runs the server on a free port. Between finding the port and using it another may take it, so it tries again.
func (c *cluster) start() (*server, int, error) {
	var failed error
	for range portTries {
		port, err := freePort()
		if err != nil {
			return nil, 0, err
		}
		s, err := c.run(port)
		if err != nil {
			return nil, 0, err
		}
		failed = c.awaitReady(s, port)
		if failed == nil {
			return s, port, nil
		}
		if err := s.stop(); err != nil {
			return nil, 0, errors.Join(failed, err)
		}
		if errors.Is(failed, errQuit) || !strings.Contains(c.logTail(), "could not bind") {
			break
		}
	}
	return nil, 0, failed
}

func freePort() (int, error) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := netip.MustParseAddrPort(l.Addr().String()).Port()
	return int(port), l.Close()
}

// run starts postgres as our direct child. Its thread stays locked to it: the signal that ends postgres with its
// parent is sent when the thread that started it ends.
func (c *cluster) run(port int) (*server, error) {
	log, err := os.OpenFile(c.path(logName), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the database's log: %w", err)
	}
	args := []string{"-D", c.path(dataName), "-p", strconv.Itoa(port)}
	for name, value := range parameters() {
		args = append(args, "-c", name+"="+value)
	}
	cmd := exec.Command(filepath.Join(c.programs(), "bin", "postgres"), args...) //nolint:noctx // PostgreSQL as we unpacked it; stop ends it
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = dieWithParent()
	s := &server{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer func() { _ = log.Close() }() // postgres has a descriptor of its own
		err := cmd.Start()
		s.process = cmd.Process
		started <- err
		if err == nil {
			s.err = cmd.Wait()
			close(s.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	return s, nil
}

// awaitReady returns nil once the server answers.
func (c *cluster) awaitReady(s *server, port int) error {
	url := databaseURL(c.spec.Password, port)
	limit := time.After(readyLimit)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		conn, err := pgconn.Connect(ctx, url)
		if err == nil {
			err = conn.Close(ctx)
		}
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-c.quit:
			return errQuit
		case <-s.done:
			return fmt.Errorf("PostgreSQL does not start: %w\n%s", s.err, c.logTail())
		case <-limit:
			return fmt.Errorf("PostgreSQL does not answer: %w\n%s", err, c.logTail())
		case <-time.After(15 * time.Millisecond):
		}
	}
}

// stop ends the server: politely with a checkpoint, then at once, then by force.
func (s *server) stop() error {
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		if err := s.process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop PostgreSQL: %w", err)
		}
		select {
		case <-s.done:
			return nil
		case <-time.After(stopLimit / 3):
		}
	}
	return errors.New("stop PostgreSQL: it does not end")
}

// logTail is the last part of the server's log, for people who must find out what went wrong.
func (c *cluster) logTail() string {
	const most = 2000
	content, err := os.ReadFile(c.path(logName))
	if err != nil {
		return ""
	}
	return string(content[max(0, len(content)-most):])
}
