package searchtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/catalog/search"
)

const joust = "prod_joust"

// titled is the joust with another title and version.
func titled(version int64, title string) search.Document {
	d := Document(joust, version)
	d.Title = title
	return d
}

func testVersions(t *testing.T, e search.Engine) {
	const big = math.MaxInt64 - 100 // versions may be beyond what a float holds
	title := func(want string) {
		t.Helper()
		require.NoError(t, e.Refresh(t.Context()))
		r := found(t, e, search.Query{Text: want})
		require.Equal(t, []string{"joust"}, ids(r.Items))
		require.Empty(t, r.CorrectedQuery)
		n, err := e.Count(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}
	gone := func() {
		t.Helper()
		require.NoError(t, e.Refresh(t.Context()))
		require.Empty(t, found(t, e, search.Query{}).Items)
		n, err := e.Count(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
	}
	upsert := func(docs ...search.Document) {
		t.Helper()
		require.NoError(t, e.Upsert(t.Context(), docs))
	}
	gone()
	upsert(titled(big+1, "Second"))
	title("second")
	upsert(titled(big, "First"))
	title("second")
	upsert(titled(big+1, "Again"))
	title("again")
	upsert(titled(big+3, "Fourth"), titled(big+2, "Third"))
	title("fourth")

	require.NoError(t, e.Delete(t.Context(), []search.Ref{{ProductID: joust, Version: big + 2}}))
	title("fourth")
	require.NoError(t, e.Delete(t.Context(), []search.Ref{{ProductID: joust, Version: big + 5}, {ProductID: "prod_unknown", Version: 1}}))
	gone()
	upsert(titled(big+4, "Late"))
	gone()
	upsert(titled(big+6, "Back"))
	title("back")

	hidden := titled(big+7, "Hidden")
	hidden.Status = "draft"
	upsert(hidden)
	gone()
	upsert(titled(big+8, "Shown"))
	title("shown")

	testRefused(t, e)
}

func testRefused(t *testing.T, e search.Engine) {
	bad := Document("prod_crown", 1)
	bad.Payload = json.RawMessage(`{"broken`)
	odd := Document("prod_dash", 1)
	odd.Popularity = math.NaN()
	large := Document("prod_didi", 1)
	large.Description = strings.Repeat("long words ", 100_000)
	large.Attributes = map[string][]string{"Long": {strings.Repeat("é", 50_000)}}
	large.SKUs = []string{strings.Repeat("9a", 50_000)}
	large.Payload = json.RawMessage(`"` + strings.Repeat("x", 100_000) + `"`)
	err := e.Upsert(t.Context(), []search.Document{bad, Document("prod_fusion", 1), odd, large})
	var refused *search.BulkError
	require.ErrorAs(t, err, &refused)
	require.Len(t, refused.Failures, 2)
	require.Contains(t, err.Error(), "prod_crown")
	require.NoError(t, e.Refresh(t.Context()))
	require.Equal(t, []string{"fusion"}, ids(found(t, e, search.Query{Text: "fusion"}).Items))
	r := found(t, e, search.Query{Text: "didi"})
	require.Len(t, r.Items[0].Payload, 100_002)
	require.NoError(t, e.Upsert(t.Context(), nil))
	require.NoError(t, e.Delete(t.Context(), nil))
	require.NoError(t, e.Ping(t.Context()))
}

func testFreshness(t *testing.T, e search.Engine) {
	require.NoError(t, e.Upsert(t.Context(), []search.Document{titled(2, "Quickly Visible")}))
	eventually(t, e, search.Query{Text: "quickly visible"}, "joust", true)
	require.NoError(t, e.Delete(t.Context(), []search.Ref{{ProductID: joust, Version: 3}}))
	eventually(t, e, search.Query{Text: "quickly visible"}, "joust", false)
}

func testConcurrency(t *testing.T, e search.Engine) {
	const writers, versions, readers = 4, 25, 4
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	failures := make(chan error, writers+readers)
	var reading, writing sync.WaitGroup
	for range readers {
		reading.Go(func() {
			for ctx.Err() == nil {
				r, err := e.Search(ctx, search.Query{Text: "contested", Facets: map[string][]string{"Colour": {"Blue"}}})
				if err == nil && r.Total > 1 {
					err = fmt.Errorf("a document was found %d times", r.Total)
				}
				if err != nil && ctx.Err() == nil {
					failures <- err
					return
				}
			}
		})
	}
	for w := range writers {
		writing.Go(func() {
			for v := range versions {
				version := int64(2 + v*writers + w)
				d := titled(version, "Contested")
				d.Price = version
				if err := e.Upsert(ctx, []search.Document{d}); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	writing.Wait()
	stop()
	reading.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}
	require.NoError(t, e.Refresh(t.Context()))
	r := found(t, e, search.Query{Text: "contested"})
	require.Equal(t, int64(writers*versions+1), r.Price.Max, "the highest version stays")
}

func testRebuild(t *testing.T, open func(t *testing.T) search.Engine) {
	t.Run("shows only what was written, and that at once", func(t *testing.T) {
		t.Parallel()
		e := filled(t, open)
		b := begin(t, e)
		require.NoError(t, b.Write(t.Context(), Catalogue()[:3]))
		require.NoError(t, e.Refresh(t.Context()))
		require.Equal(t, len(products), found(t, e, search.Query{}).Total, "not before the commit")
		require.NoError(t, b.Commit(t.Context()))
		require.Equal(t, 3, found(t, e, search.Query{}).Total)
		require.NoError(t, b.Abort(t.Context()), "does nothing after the commit")
		require.NoError(t, e.Refresh(t.Context()))
		require.Equal(t, 3, found(t, e, search.Query{}).Total)
	})
	t.Run("keeps what changes meanwhile", func(t *testing.T) {
		t.Parallel()
		e := filled(t, open)
		b := begin(t, e)
		require.NoError(t, e.Upsert(t.Context(), []search.Document{titled(5, "Changed Meanwhile")}))
		require.NoError(t, e.Delete(t.Context(), []search.Ref{{ProductID: "prod_fusion", Version: 5}}))
		require.NoError(t, b.Write(t.Context(), Catalogue()))
		require.NoError(t, e.Refresh(t.Context()))
		require.Equal(t, []string{"joust"}, ids(found(t, e, search.Query{Text: "changed meanwhile"}).Items))
		require.NoError(t, b.Commit(t.Context()))
		require.Equal(t, []string{"joust"}, ids(found(t, e, search.Query{Text: "changed meanwhile"}).Items))
		require.Equal(t, len(products)-1, found(t, e, search.Query{}).Total)
		require.NoError(t, e.Upsert(t.Context(), []search.Document{titled(6, "Changed Later")}))
		require.NoError(t, e.Refresh(t.Context()))
		require.Equal(t, []string{"joust"}, ids(found(t, e, search.Query{Text: "changed later"}).Items))
	})
	t.Run("leaves everything as it is when aborted", func(t *testing.T) {
		t.Parallel()
		e := filled(t, open)
		b := begin(t, e)
		require.NoError(t, b.Write(t.Context(), Catalogue()[:3]))
		require.NoError(t, b.Abort(t.Context()))
		require.ErrorIs(t, b.Commit(t.Context()), search.ErrRebuildSuperseded)
		require.NoError(t, e.Upsert(t.Context(), []search.Document{titled(2, "After The Abort")}))
		require.NoError(t, e.Refresh(t.Context()))
		require.Equal(t, len(products), found(t, e, search.Query{}).Total)
		require.Equal(t, []string{"joust"}, ids(found(t, e, search.Query{Text: "after abort"}).Items))
	})
	t.Run("a newer one supersedes", func(t *testing.T) {
		t.Parallel()
		e := filled(t, open)
		old := begin(t, e)
		newer := begin(t, e)
		require.ErrorIs(t, old.Commit(t.Context()), search.ErrRebuildSuperseded)
		require.ErrorIs(t, old.Write(t.Context(), Catalogue()), search.ErrRebuildSuperseded)
		require.NoError(t, old.Abort(t.Context()))
		require.NoError(t, newer.Write(t.Context(), Catalogue()[:2]))
		require.NoError(t, newer.Commit(t.Context()))
		require.Equal(t, 2, found(t, e, search.Query{}).Total)
	})
	t.Run("loses nothing under searches and writes", func(t *testing.T) { t.Parallel(); testRebuildUnderLoad(t, filled(t, open)) })
}

func begin(t *testing.T, e search.Engine) search.Rebuild {
	t.Helper()
	b, err := e.Rebuild(t.Context())
	require.NoError(t, err)
	return b
}

func testRebuildUnderLoad(t *testing.T, e search.Engine) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var version atomic.Int64
	version.Store(1)
	failures := make(chan error, 2)
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			v := version.Load() + 1
			if err := e.Upsert(context.WithoutCancel(ctx), []search.Document{titled(v, fmt.Sprintf("Version n%d", v))}); err != nil {
				failures <- err
				return
			}
			version.Store(v)
		}
	})
	running.Go(func() {
		for ctx.Err() == nil {
			r, err := e.Search(ctx, search.Query{Text: "keyboard"})
			if err == nil && r.Total != 1 {
				err = fmt.Errorf("found the keyboard %d times during a rebuild", r.Total)
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				failures <- err
				return
			}
		}
	})
	for range 2 {
		b := begin(t, e)
		require.NoError(t, b.Write(t.Context(), Catalogue()))
		require.NoError(t, b.Commit(t.Context()))
	}
	stop()
	running.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}
	require.NoError(t, e.Refresh(t.Context()))
	require.Equal(t, []string{"joust"}, ids(found(t, e, search.Query{Text: fmt.Sprintf("n%d", version.Load())}).Items))
	require.Equal(t, len(products), found(t, e, search.Query{}).Total)
}

func testMissing(t *testing.T, e search.Engine) {
	ref := func(id string, version int64) search.Ref { return search.Ref{ProductID: id, Version: version} }
	missing := func(want []search.Ref, refs ...search.Ref) {
		t.Helper()
		got, err := e.Missing(t.Context(), refs)
		require.NoError(t, err)
		require.ElementsMatch(t, want, got)
	}
	missing(nil)
	missing([]search.Ref{ref(joust, 1)}, ref(joust, 1))

	hidden := Document("prod_fusion", 4)
	hidden.Status = "draft"
	require.NoError(t, e.Upsert(t.Context(), []search.Document{titled(5, "Joust"), hidden}))
	require.NoError(t, e.Delete(t.Context(), []search.Ref{ref("prod_crown", 3)}))
	missing([]search.Ref{ref(joust, 6), ref("prod_fusion", 5), ref("prod_crown", 4), ref("prod_dash", 1)},
		ref(joust, 5), ref(joust, 4), ref(joust, 6), ref("prod_fusion", 4), ref("prod_fusion", 5),
		ref("prod_crown", 3), ref("prod_crown", 4), ref("prod_dash", 1))
}
