package embedded_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"shopd/internal/platform/embedded"
)

// holderEnv makes the test program a process that runs a database in the named directory, to be killed by a test.
const holderEnv = "EMBEDDED_TEST_HOLD"

func TestMain(m *testing.M) {
	embedded.MaybeRunChild()
	if dir := os.Getenv(holderEnv); dir != "" {
		hold(dir)
		return
	}
	os.Exit(m.Run())
}

// hold runs a database, prints one line of JSON and waits for its death.
func hold(path string) {
	dir, err := embedded.OpenDir(path)
	if err != nil {
		fail(err)
	}
	pg, err := embedded.StartPostgres(context.Background(), embedded.PostgresConfig{Dir: dir.Path()})
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"url": pg.URL()}); err != nil {
		fail(err)
	}
	<-pg.Done()
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// startHolder starts such a process and returns it with the URL of its database.
func startHolder(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	holder := exec.Command(self)
	holder.Env = append(os.Environ(), holderEnv+"="+dir)
	holder.Stderr = os.Stderr
	stdout, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	t.Cleanup(func() { _ = holder.Process.Kill() }) // usually it is dead already
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	require.NoError(t, err)
	var ready struct{ URL string }
	require.NoError(t, json.Unmarshal(line, &ready))
	return holder, ready.URL
}

// sharedDir is a directory that the database's user may enter, which t.TempDir of root is not.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "shopd-embedded-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return filepath.Join(dir, "data")
}

// query runs the statements and returns the one value of the last.
func query[T any](t *testing.T, url string, statements ...string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(ctx)) }()
	last := len(statements) - 1
	for _, sql := range statements[:last] {
		_, err := conn.Exec(ctx, sql)
		require.NoError(t, err)
	}
	var v T
	require.NoError(t, conn.QueryRow(ctx, statements[last]).Scan(&v))
	return v
}

// connect reports whether a connection can be made.
func connect(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// nothingLeft waits until no process of the database in dir is alive: each of them holds the lock of its home.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	lock, err := os.Open(filepath.Join(dir, "postgres", "lock"))
	require.NoError(t, err)
	defer func() { require.NoError(t, lock.Close()) }()
	require.Eventually(t, func() bool {
		return syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
	}, 10*time.Second, 20*time.Millisecond, "processes of the database are left")
	require.Empty(t, processesNaming(t, dir))
}

// processesNaming lists the processes with the path in their command line.
func processesNaming(t *testing.T, path string) []string {
	t.Helper()
	out, err := exec.Command("ps", "-eo", "pid=,args=").Output()
	require.NoError(t, err)
	var found []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, path) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}
