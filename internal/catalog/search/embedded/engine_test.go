package embedded_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/catalog/search"
	"shopd/internal/catalog/search/embedded"
	"shopd/internal/catalog/search/searchtest"
	"shopd/internal/platform/errs"
)

func open(t *testing.T, dir string) *embedded.Engine {
	t.Helper()
	e, err := embedded.Open(dir, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return e
}

func TestConformance(t *testing.T) {
	t.Parallel()
	searchtest.Conformance(t, func(t *testing.T) search.Engine {
		e := open(t, t.TempDir())
		t.Cleanup(func() { require.NoError(t, e.Close()) })
		return e
	})
}

func TestOpen(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) string {
		t.Helper()
		dir := t.TempDir()
		e := open(t, dir)
		require.NoError(t, e.Upsert(t.Context(), searchtest.Catalogue()))
		require.NoError(t, e.Close())
		return dir
	}
	count := func(t *testing.T, dir string) int {
		t.Helper()
		e := open(t, dir)
		n, err := e.Count(t.Context())
		require.NoError(t, err)
		require.NoError(t, e.Close())
		return n
	}
	all := len(searchtest.Catalogue())

	t.Run("finds what was stored", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, all, count(t, setup(t)))
	})
	t.Run("finds what a rebuild stored", func(t *testing.T) {
		t.Parallel()
		dir := setup(t)
		e := open(t, dir)
		b, err := e.Rebuild(t.Context())
		require.NoError(t, err)
		require.NoError(t, b.Write(t.Context(), searchtest.Catalogue()[:2]))
		require.NoError(t, b.Commit(t.Context()))
		require.NoError(t, e.Close())
		require.Equal(t, 2, count(t, dir))
	})
	t.Run("drops a rebuild that was not finished", func(t *testing.T) {
		t.Parallel()
		dir := setup(t)
		left := filepath.Join(dir, "products-v2-000002")
		require.NoError(t, os.WriteFile(left, []byte("begun"), 0o600))
		require.Equal(t, all, count(t, dir))
		require.NoFileExists(t, left)
	})
	broken := map[string]func(t *testing.T, log string){
		"the log is gone": func(t *testing.T, log string) { t.Helper(); require.NoError(t, os.Remove(log)) },
		"the log is something else": func(t *testing.T, log string) {
			t.Helper()
			require.NoError(t, os.WriteFile(log, bytes.Repeat([]byte("not a log "), 100), 0o600))
		},
		"a record in the middle is damaged": func(t *testing.T, log string) {
			t.Helper()
			b, err := os.ReadFile(log)
			require.NoError(t, err)
			b[20] ^= 0xff
			require.NoError(t, os.WriteFile(log, b, 0o600))
		},
		"nothing but a beginning is left": func(t *testing.T, log string) { t.Helper(); require.NoError(t, os.Truncate(log, 20)) },
	}
	for name, damage := range broken {
		t.Run("starts empty when "+name, func(t *testing.T) {
			t.Parallel()
			dir := setup(t)
			damage(t, filepath.Join(dir, "products-v2-000001"))
			require.Zero(t, count(t, dir))
			e := open(t, dir)
			require.NoError(t, e.Upsert(t.Context(), searchtest.Catalogue()))
			require.NoError(t, e.Close())
			require.Equal(t, all, count(t, dir))
		})
	}
	t.Run("loses only what was being written when the process died", func(t *testing.T) {
		t.Parallel()
		dir := setup(t)
		log := filepath.Join(dir, "products-v2-000001")
		info, err := os.Stat(log)
		require.NoError(t, err)
		require.NoError(t, os.Truncate(log, info.Size()-3))
		require.Equal(t, all-1, count(t, dir))
		e := open(t, dir)
		require.NoError(t, e.Upsert(t.Context(), searchtest.Catalogue()))
		require.NoError(t, e.Close())
		require.Equal(t, all, count(t, dir), "what was cut off does not stand in the way")
	})
	t.Run("refuses a directory in use", func(t *testing.T) {
		t.Parallel()
		dir := setup(t)
		e := open(t, dir)
		_, err := embedded.Open(dir, slog.New(slog.DiscardHandler))
		require.Equal(t, errs.Conflict, errs.KindOf(err))
		require.NoError(t, e.Close())
	})
}

// TestRewritten: an index most of which is dead is written anew, with what is alive and the versions of what was
// deleted, and is the same after it is opened again.
func TestRewritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := open(t, dir)
	docs := searchtest.Catalogue()
	const rounds = 60 // of all documents: more than 1,000 dead ones
	for version := range int64(rounds) {
		for i := range docs {
			docs[i].Version = version
		}
		require.NoError(t, e.Upsert(t.Context(), docs))
	}
	mug := searchtest.Document("prod_emoji", rounds)
	require.NoError(t, e.Delete(t.Context(), []search.Ref{{ProductID: mug.ProductID, Version: rounds + 1}}))
	first, second := filepath.Join(dir, "products-v2-000001"), filepath.Join(dir, "products-v2-000002")
	before, err := os.Stat(first)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := os.Stat(first)
		return errors.Is(err, fs.ErrNotExist)
	}, time.Minute, 10*time.Millisecond)
	after, err := os.Stat(second)
	require.NoError(t, err)
	require.Less(t, after.Size(), before.Size()/10)

	check := func(e *embedded.Engine) {
		require.NoError(t, e.Upsert(t.Context(), []search.Document{mug}), "older than its deletion")
		for _, order := range []search.Sort{
			search.SortRelevance, search.SortPriceAsc, search.SortNewest, search.SortTitle, search.SortPopularity,
		} {
			r, err := e.Search(t.Context(), search.Query{Sort: order, Limit: search.MaxLimit})
			require.NoError(t, err)
			require.Len(t, r.Items, len(docs)-1)
			require.Equal(t, &search.PriceRange{Min: 799, Max: 24900}, r.Price)
			require.Equal(t, search.CategoryCount{ID: "cat_gear", Name: "Gear", Count: 10}, r.Categories[0])
		}
		r, err := e.Search(t.Context(), search.Query{Text: "joust"})
		require.NoError(t, err)
		require.JSONEq(t, string(docs[0].Payload), string(r.Items[0].Payload))
	}
	check(e)
	require.NoError(t, e.Close())
	e = open(t, dir)
	check(e)
	require.NoError(t, e.Close())
}

func BenchmarkSearch(b *testing.B) {
	e, err := embedded.Open(b.TempDir(), slog.New(slog.DiscardHandler))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, e.Close()) })
	require.NoError(b, e.Upsert(b.Context(), searchtest.Catalogue()))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := e.Search(b.Context(), search.Query{Text: "luma backpack"})
			if err != nil || r.Total == 0 {
				b.Fatal(r.Total, err)
			}
		}
	})
}
