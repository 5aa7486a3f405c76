package embedded_test

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/platform/embedded"
)

func start(t *testing.T, c embedded.PostgresConfig) *embedded.Postgres {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	begun := time.Now()
	pg, err := embedded.StartPostgres(ctx, c)
	require.NoError(t, err)
	t.Logf("started in %v", time.Since(begun).Round(time.Millisecond))
	return pg
}

func stop(t *testing.T, pg *embedded.Postgres) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	require.NoError(t, pg.Stop(ctx))
	require.NoError(t, pg.Err())
}

func TestDatabaseKeepsItsDataAcrossStarts(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	require.NoError(t, os.MkdirAll(dir, 0o755))

	pg := start(t, embedded.PostgresConfig{Dir: dir})
	require.Equal(t, "kept", query[string](t, pg.URL(), "create table t as select 'kept' as v; ", "select v from t"))
	require.Equal(t, "on", query[string](t, pg.URL(), "show fsync"))
	require.Equal(t, "on", query[string](t, pg.URL(), "show synchronous_commit"))
	stop(t, pg)
	nothingLeft(t, dir)

	pg = start(t, embedded.PostgresConfig{Dir: dir})
	require.Equal(t, "kept", query[string](t, pg.URL(), "select v from t"))
	stop(t, pg)
	nothingLeft(t, dir)
}

func TestNothingIsLeftWhenTheProcessIsKilled(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(t *testing.T, holder *exec.Cmd){
		"the process alone": func(t *testing.T, holder *exec.Cmd) {
			require.NoError(t, holder.Process.Kill())
		},
		"the process and the keeper of its database": func(t *testing.T, holder *exec.Cmd) {
			keepers := children(t, holder.Process.Pid)
			require.Len(t, keepers, 1)
			require.NoError(t, syscall.Kill(keepers[0], syscall.SIGKILL))
			require.NoError(t, holder.Process.Kill())
		},
		"every process at once": func(t *testing.T, holder *exec.Cmd) {
			keeper := children(t, holder.Process.Pid)[0]
			for _, pid := range append([]int{keeper, holder.Process.Pid}, children(t, keeper)...) {
				require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := sharedDir(t)
			holder, url := startHolder(t, dir)
			require.Equal(t, 1000, query[int](t, url, "create table t as select generate_series(1, 1000)", "select count(*) from t"))

			kill(t, holder)
			require.Error(t, holder.Wait())
			nothingLeft(t, dir)

			pg := start(t, embedded.PostgresConfig{Dir: dir})
			require.Equal(t, 1000, query[int](t, pg.URL(), "select count(*) from t"))
			stop(t, pg)
			nothingLeft(t, dir)
		})
	}
}

func TestProcessMayBeKilledWhileTheDatabaseIsBeingMade(t *testing.T) {
	t.Parallel()
	for name, killKeeper := range map[string]bool{"the process alone": false, "its keeper too": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := sharedDir(t)
			self, err := os.Executable()
			require.NoError(t, err)
			holder := exec.Command(self)
			holder.Env = append(os.Environ(), holderEnv+"="+dir)
			require.NoError(t, holder.Start())
			require.Eventually(t, func() bool {
				_, err := os.Stat(filepath.Join(dir, "postgres", "data.new", "postmaster.pid"))
				return err == nil
			}, time.Minute, 5*time.Millisecond)

			keeper := children(t, holder.Process.Pid)[0]
			require.NoError(t, holder.Process.Kill())
			if killKeeper {
				require.NoError(t, syscall.Kill(keeper, syscall.SIGKILL))
			}
			require.Error(t, holder.Wait())
			if !killKeeper {
				nothingLeft(t, dir)
			}

			pg := start(t, embedded.PostgresConfig{Dir: dir})
			require.Equal(t, 1, query[int](t, pg.URL(), "select 1"))
			stop(t, pg)
			nothingLeft(t, dir)
		})
	}
}

func TestStartWaitsForTheEndOfAnEarlierDatabase(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	holder, _ := startHolder(t, dir)
	require.NoError(t, holder.Process.Kill())

	pg := start(t, embedded.PostgresConfig{Dir: dir})
	require.Equal(t, 1, query[int](t, pg.URL(), "select 1"))
	stop(t, pg)
}

func TestDatabasesInTwoDirectoriesDoNotCollide(t *testing.T) {
	t.Parallel()
	one, two := sharedDir(t), sharedDir(t)
	require.NoError(t, os.MkdirAll(one, 0o755))
	require.NoError(t, os.MkdirAll(two, 0o755))
	first := start(t, embedded.PostgresConfig{Dir: one})
	second := start(t, embedded.PostgresConfig{Dir: two})
	require.Equal(t, 1, query[int](t, first.URL(), "create table only_here as select 1 as v", "select v from only_here"))
	require.False(t, query[bool](t, second.URL(), "select to_regclass('only_here') is not null"))
	stop(t, first)
	require.Equal(t, 1, query[int](t, second.URL(), "select 1"))
	stop(t, second)
}

func TestDatabaseInADirectoryOnlyRootMayEnter(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Log("nothing to show: we are not root, so the database runs as ourselves")
		return
	}
	private, err := os.MkdirTemp("", "shopd-private-") // mode 0700
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(private)) })
	path := filepath.Join(private, "below", "demo")

	dir, err := embedded.OpenDir(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dir.Close()) })
	pg := start(t, embedded.PostgresConfig{Dir: path})
	require.Equal(t, 7, query[int](t, pg.URL(), "create table t as select 7 as v", "select v from t"))
	stop(t, pg)

	pg = start(t, embedded.PostgresConfig{Dir: path})
	require.Equal(t, 7, query[int](t, pg.URL(), "select v from t"))
	stop(t, pg)

	home, err := os.Readlink(filepath.Join(path, "postgres"))
	require.NoError(t, err)
	require.DirExists(t, home)
	require.NoError(t, dir.Reset())
	require.NoDirExists(t, home)
}

func TestDatabaseNeverRunsAsRoot(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	holder, _ := startHolder(t, dir)
	keeper := children(t, holder.Process.Pid)[0]
	for _, pid := range append(children(t, keeper), keeper) {
		out, err := exec.Command("ps", "-o", "uid=", "-p", strconv.Itoa(pid)).Output()
		require.NoError(t, err)
		require.NotEqual(t, "0", strings.TrimSpace(string(out)))
	}
	require.NoError(t, holder.Process.Kill())
	require.Error(t, holder.Wait())
	nothingLeft(t, dir)
}

func TestFirstStartWithoutNetworkSaysWhatToDo(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	_, err := embedded.StartPostgres(context.Background(), embedded.PostgresConfig{
		Dir: dir, CacheDir: filepath.Join(filepath.Dir(dir), "cache"), RepositoryURL: "http://127.0.0.1:16001",
	})
	require.ErrorContains(t, err, "SHOPD_DATABASE_URL")
	require.ErrorContains(t, err, "connect to the network")
	nothingLeft(t, dir)
}

func TestLaterStartNeedsNoNetwork(t *testing.T) {
	t.Parallel()
	first := sharedDir(t)
	require.NoError(t, os.MkdirAll(first, 0o755))
	stop(t, start(t, embedded.PostgresConfig{Dir: first})) // fills the cache

	second := sharedDir(t)
	require.NoError(t, os.MkdirAll(second, 0o755))
	var told []string
	pg := start(t, embedded.PostgresConfig{Dir: second, RepositoryURL: "http://127.0.0.1:16001", Progress: func(text string) { told = append(told, text) }})
	stop(t, pg)
	require.Equal(t, []string{"Making the database"}, told)
}

func TestWrongPasswordIsRefused(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	pg := start(t, embedded.PostgresConfig{Dir: dir})
	defer stop(t, pg)
	u, err := url.Parse(pg.URL())
	require.NoError(t, err)
	u.User = url.UserPassword("postgres", "guess")
	require.ErrorContains(t, connect(u.String()), "password authentication failed")
	info, err := os.Stat(filepath.Join(dir, "database.password"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestDatabaseOfAnotherVersionIsNotTouched(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "postgres", "data"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "postgres", "data", "PG_VERSION"), []byte("12\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "database.password"), []byte("x"), 0o600))
	_, err := embedded.StartPostgres(context.Background(), embedded.PostgresConfig{Dir: dir})
	require.ErrorContains(t, err, "made by PostgreSQL 12")
	require.FileExists(t, filepath.Join(dir, "postgres", "data", "PG_VERSION"))
}

// children are the processes whose parent is pid.
func children(t *testing.T, pid int) []int {
	t.Helper()
	out, err := exec.Command("ps", "-eo", "pid=,ppid=").Output()
	require.NoError(t, err)
	var found []int
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) == 2 && fields[1] == strconv.Itoa(pid) {
			child, err := strconv.Atoi(fields[0])
			require.NoError(t, err)
			found = append(found, child)
		}
	}
	return found
}
