package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/catalog/search"
	"shopd/internal/catalog/search/embedded"
	"shopd/internal/catalog/search/searchtest"
)

// writerDir names the directory to write to in a process that a test starts to kill it.
const writerDir = "SHOPD_TEST_SEARCH_WRITER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerDir); dir != "" {
		fmt.Fprintln(os.Stderr, writeOnAndOn(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeOnAndOn writes documents until the process is killed, and says which it was acknowledged.
func writeOnAndOn(dir string) error {
	e, err := embedded.Open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		if err := e.Upsert(context.Background(), []search.Document{numbered(n)}); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

func numbered(n int) search.Document {
	d := searchtest.Document("prod_joust", int64(n)+1)
	d.ProductID, d.Title = fmt.Sprintf("prod_%06d", n), fmt.Sprintf("Bag number%d", n)
	return d
}

// TestKilled: what was acknowledged before a kill -9 is found afterwards, in every round on the same directory.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const rounds, writes = 3, 40
	for range rounds {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), writerDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		acknowledged := -1
		for lines := bufio.NewScanner(out); acknowledged < writes && lines.Scan(); {
			_, err := fmt.Sscan(lines.Text(), &acknowledged)
			require.NoError(t, err)
		}
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait(), "it was killed")
		require.Equal(t, writes, acknowledged)

		e := open(t, dir)
		for n := range acknowledged + 1 {
			r, err := e.Search(t.Context(), search.Query{Text: fmt.Sprintf("number%d", n)})
			require.NoError(t, err)
			require.NotEmpty(t, r.Items)
			require.Equal(t, fmt.Sprintf("prod_%06d", n), r.Items[0].ProductID)
		}
		require.NoError(t, e.Close())
	}
}
