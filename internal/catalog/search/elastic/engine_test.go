package elastic_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"shopd/internal/catalog/search"
	"shopd/internal/catalog/search/elastic"
	"shopd/internal/catalog/search/searchtest"
	"shopd/internal/platform/testenv"
)

func open(t *testing.T, url, prefix string) *elastic.Engine {
	t.Helper()
	e, err := elastic.Open(elastic.Config{URLs: []string{url}, Prefix: prefix, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func TestConformance(t *testing.T) {
	t.Parallel()
	searchtest.Conformance(t, func(t *testing.T) search.Engine {
		url, prefix := testenv.Elasticsearch(t)
		return open(t, url, prefix)
	})
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) (one, other *elastic.Engine) {
		t.Helper()
		url, prefix := testenv.Elasticsearch(t)
		return open(t, url, prefix), open(t, url, prefix)
	}
	total := func(t *testing.T, e *elastic.Engine, q search.Query) int {
		t.Helper()
		r, err := e.Search(t.Context(), q)
		require.NoError(t, err)
		return r.Total
	}
	all := len(searchtest.Catalogue())

	t.Run("make one index between them", func(t *testing.T) {
		t.Parallel()
		one, other := setup(t)
		errs := make([]error, 2)
		var wg sync.WaitGroup
		for i, e := range []*elastic.Engine{one, other} {
			wg.Go(func() { errs[i] = e.Upsert(t.Context(), searchtest.Catalogue()) })
		}
		wg.Wait()
		require.Equal(t, []error{nil, nil}, errs)
		require.NoError(t, other.Refresh(t.Context()))
		require.Equal(t, all, total(t, one, search.Query{}))
	})
	t.Run("keep each other's changes during a rebuild", func(t *testing.T) {
		t.Parallel()
		one, other := setup(t)
		require.NoError(t, one.Upsert(t.Context(), searchtest.Catalogue()))
		require.NoError(t, other.Upsert(t.Context(), searchtest.Catalogue()[:1]))
		b, err := one.Rebuild(t.Context())
		require.NoError(t, err)
		changed := searchtest.Document("prod_joust", 2)
		changed.Title = "Changed By The Other"
		require.NoError(t, other.Upsert(t.Context(), []search.Document{changed}))
		require.NoError(t, b.Write(t.Context(), searchtest.Catalogue()))
		require.NoError(t, b.Commit(t.Context()))
		require.Equal(t, 1, total(t, one, search.Query{Text: "changed by the other"}))
		require.Equal(t, all, total(t, other, search.Query{}))
		changed.Version, changed.Title = 3, "Changed Right After"
		require.NoError(t, other.Upsert(t.Context(), []search.Document{changed}))
		require.NoError(t, one.Refresh(t.Context()))
		require.Equal(t, 1, total(t, one, search.Query{Text: "changed right after"}))
	})
	t.Run("take over the rebuild of one that died", func(t *testing.T) {
		t.Parallel()
		one, other := setup(t)
		left, err := one.Rebuild(t.Context())
		require.NoError(t, err)
		b, err := other.Rebuild(t.Context())
		require.NoError(t, err)
		require.NoError(t, b.Write(t.Context(), searchtest.Catalogue()))
		require.ErrorIs(t, left.Commit(t.Context()), search.ErrRebuildSuperseded)
		require.NoError(t, b.Commit(t.Context()))
		require.Equal(t, all, total(t, one, search.Query{}))
	})
}

func TestLostIndex(t *testing.T) {
	t.Parallel()
	url, prefix := testenv.Elasticsearch(t)
	e := open(t, url, prefix)
	_, err := e.Search(t.Context(), search.Query{})
	require.ErrorIs(t, err, search.ErrUnavailable, "there is no index yet")
	n, err := e.Count(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	require.NoError(t, e.Upsert(t.Context(), searchtest.Catalogue()))

	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, url+"/"+prefix+"-products-v2-000000", nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)

	_, err = e.Search(t.Context(), search.Query{})
	require.ErrorIs(t, err, search.ErrUnavailable)
	n, err = e.Count(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	require.NoError(t, e.Upsert(t.Context(), searchtest.Catalogue()[:2]))
	require.NoError(t, e.Refresh(t.Context()))
	r, err := e.Search(t.Context(), search.Query{})
	require.NoError(t, err)
	require.Equal(t, 2, r.Total)
}

// unavailable requires every method to fail as it should within the timeout of a search.
func unavailable(t *testing.T, e *elastic.Engine) {
	t.Helper()
	calls := map[string]func() error{
		"search":  func() error { _, err := e.Search(t.Context(), search.Query{Text: "joust"}); return err },
		"suggest": func() error { _, err := e.Suggest(t.Context(), "jou", 5); return err },
		"ping":    func() error { return e.Ping(t.Context()) },
		"count":   func() error { _, err := e.Count(t.Context()); return err },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			require.ErrorIs(t, call(), search.ErrUnavailable)
			require.Less(t, time.Since(start), search.Timeout+time.Second)
		})
	}
}

func TestElasticsearchGone(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	url := "http://" + l.Addr().String()
	require.NoError(t, l.Close())
	e := open(t, url, "gone")
	require.ErrorIs(t, e.Upsert(t.Context(), searchtest.Catalogue()), search.ErrUnavailable)
	unavailable(t, e)
}

func TestElasticsearchHangs(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	unavailable(t, open(t, server.URL, "hangs"))
}

// TestOverloaded gives the answers that a cluster without capacity gives: nothing may be taken for stored.
func TestOverloaded(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"for a document":      `{"errors":true,"items":[{"index":{"_index":"x","_id":"prod_joust","status":429,"error":{"type":"es_rejected_execution_exception"}}}]}`,
		"for the whole write": "",
	}
	for name, bulk := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/_bulk") && bulk == "":
					w.WriteHeader(http.StatusTooManyRequests)
				case strings.HasSuffix(r.URL.Path, "/_bulk"):
					_, err := io.WriteString(w, bulk)
					assert.NoError(t, err)
				case strings.HasSuffix(r.URL.Path, "-building"):
					w.WriteHeader(http.StatusNotFound)
				default:
					assert.NoError(t, json.NewEncoder(w).Encode(map[string]any{}))
				}
			}))
			t.Cleanup(server.Close)
			e := open(t, server.URL, "overloaded")
			err := e.Upsert(t.Context(), searchtest.Catalogue()[:1])
			require.ErrorIs(t, err, search.ErrUnavailable)
		})
	}
}

func TestOpenRefusesWhatIsNoURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "localhost:9200", "http://"} {
		_, err := elastic.Open(elastic.Config{URLs: []string{url}, Prefix: "x", Log: slog.New(slog.DiscardHandler)})
		require.Error(t, err, url)
	}
}
