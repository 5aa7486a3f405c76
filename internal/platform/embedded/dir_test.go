package embedded_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/platform/embedded"
)

func TestDirectoryBelongsToOneProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "demo")
	_, running := embedded.Running(path)
	require.False(t, running)

	dir, err := embedded.OpenDir(path)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(path, "mail"), dir.Join("mail"))

	_, err = embedded.OpenDir(path)
	var inUse *embedded.InUseError
	require.ErrorAs(t, err, &inUse)
	require.Equal(t, os.Getpid(), inUse.PID)
	require.ErrorContains(t, err, "--data DIR")

	pid, running := embedded.Running(path)
	require.True(t, running)
	require.Equal(t, os.Getpid(), pid)

	require.NoError(t, dir.Close())
	_, running = embedded.Running(path)
	require.False(t, running)
	again, err := embedded.OpenDir(path)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func TestDirectoryOfSomebodyElseIsRefused(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(path, "thesis.txt"), []byte("x"), 0o644))
	_, err := embedded.OpenDir(path)
	require.ErrorContains(t, err, "not a shop's")
	require.FileExists(t, filepath.Join(path, "thesis.txt"))
}

func TestResetEmptiesTheDirectory(t *testing.T) {
	t.Parallel()
	dir, err := embedded.OpenDir(filepath.Join(t.TempDir(), "demo"))
	require.NoError(t, err)
	defer func() { require.NoError(t, dir.Close()) }()
	require.NoError(t, os.MkdirAll(dir.Join("mail", "new"), 0o755))
	require.NoError(t, os.WriteFile(dir.Join("key"), []byte("x"), 0o600))
	require.NoError(t, dir.Reset())
	entries, err := os.ReadDir(dir.Path())
	require.NoError(t, err)
	require.Len(t, entries, 1, "the lock alone stays")
	_, err = embedded.OpenDir(dir.Path())
	require.Error(t, err, "it is still ours")
}

func TestDefaultDirFollowsXDG(t *testing.T) {
	base := t.TempDir()
	t.Setenv("XDG_DATA_HOME", base)
	got, err := embedded.DefaultDir()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(base, "shopd", "demo"), got)
}
