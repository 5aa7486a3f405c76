// Package searchtest is the suite that every search.Engine passes.
package searchtest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/catalog/search"
)

// Conformance runs the suite. open returns an empty engine, which it closes at the end of the test.
func Conformance(t *testing.T, open func(t *testing.T) search.Engine) {
	t.Helper()
	t.Run("finds", func(t *testing.T) { t.Parallel(); testFinding(t, filled(t, open)) })
	t.Run("forgives", func(t *testing.T) { t.Parallel(); testForgiving(t, filled(t, open)) })
	t.Run("adds what is near", func(t *testing.T) { t.Parallel(); testNear(t, filled(t, open)) })
	t.Run("knows synonyms", func(t *testing.T) { t.Parallel(); testSynonyms(t, filled(t, open)) })
	t.Run("finds parts of titles", func(t *testing.T) { t.Parallel(); testPieces(t, filled(t, open)) })
	t.Run("answers within limits", func(t *testing.T) { t.Parallel(); testLimits(t, filled(t, open)) })
	t.Run("takes any text literally", func(t *testing.T) { t.Parallel(); testLiteral(t, filled(t, open)) })
	t.Run("filters and counts", func(t *testing.T) { t.Parallel(); testFacets(t, filled(t, open)) })
	t.Run("sorts and pages", func(t *testing.T) { t.Parallel(); testPaging(t, filled(t, open)) })
	t.Run("refuses what cannot be", func(t *testing.T) { t.Parallel(); testRefusing(t, filled(t, open)) })
	t.Run("suggests", func(t *testing.T) { t.Parallel(); testSuggesting(t, filled(t, open)) })
	t.Run("keeps the newest version", func(t *testing.T) { t.Parallel(); testVersions(t, open(t)) })
	t.Run("tells what it does not have", func(t *testing.T) { t.Parallel(); testMissing(t, open(t)) })
	t.Run("shows changes without being asked to", func(t *testing.T) { t.Parallel(); testFreshness(t, filled(t, open)) })
	t.Run("searches while it is written", func(t *testing.T) { t.Parallel(); testConcurrency(t, filled(t, open)) })
	t.Run("rebuilds", func(t *testing.T) { t.Parallel(); testRebuild(t, open) })
}

// filled opens an engine with the Catalogue in it.
func filled(t *testing.T, open func(t *testing.T) search.Engine) search.Engine {
	t.Helper()
	e := open(t)
	require.NoError(t, e.Upsert(t.Context(), Catalogue()))
	require.NoError(t, e.Refresh(t.Context()))
	return e
}

// found searches and fails the test on an error.
func found(t *testing.T, e search.Engine, q search.Query) search.Result {
	t.Helper()
	r, err := e.Search(t.Context(), q)
	require.NoError(t, err)
	return r
}

// ids are the products of the hits, without the prefix of their ids.
func ids(hits []search.Hit) []string {
	all := make([]string, len(hits))
	for i, h := range hits {
		all[i] = h.ProductID[len("prod_"):]
	}
	return all
}

// patience is for machines that are busy with other tests. How fast changes really show is measured by the benchmarks.
const patience = 30 * time.Second

// eventually waits until a search finds, or no longer finds, a product.
func eventually(t *testing.T, e search.Engine, q search.Query, product string, there bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		r, err := e.Search(context.WithoutCancel(t.Context()), q)
		if err != nil {
			return false
		}
		for _, id := range ids(r.Items) {
			if id == product {
				return there
			}
		}
		return !there
	}, patience, 20*time.Millisecond)
}

func pointer(n int64) *int64 { return &n }
