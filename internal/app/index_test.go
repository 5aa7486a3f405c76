package app

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/catalog/search"
)

// findable waits until the search finds as many products.
func (s *store) findable(t *testing.T, want int) {
	t.Helper()
	var found int
	require.Eventually(t, func() bool {
		if err := s.engine.Refresh(t.Context()); err != nil {
			return false
		}
		var err error
		found, err = s.engine.Count(t.Context())
		return err == nil && found == want
	}, 2*time.Minute, 100*time.Millisecond, "found %d of %d", found, want)
}

// TestRefusedProductsAreTriedAgain: a product that the index refused was taken for indexed, and never found.
func TestRefusedProductsAreTriedAgain(t *testing.T) {
	t.Parallel()
	s := openStoreLogging(t, onServices(t), &shopLog{expected: "search index refused products"})
	list := s.stockMany(t, 3, 1900, 5)
	s.findable(t, 3)

	// No index takes this popularity. The refused one comes first by its id.
	_, err := s.sql.Exec(t.Context(), `update catalog.products set popularity = 'Infinity', card_version = card_version + 1 where id = $1`, list[0].product)
	require.NoError(t, err)
	var pending bool
	var refusal *string
	require.Eventually(t, func() bool {
		err := s.sql.QueryRow(t.Context(), `select indexed_version < card_version, index_refusal from catalog.products where id = $1`, list[0].product).Scan(&pending, &refusal)
		return err == nil && refusal != nil
	}, time.Minute, 50*time.Millisecond)
	require.True(t, pending, "it is not taken for indexed")
	require.Contains(t, *refusal, "popularity")

	more := s.stockMany(t, 2, 1900, 5)
	s.findable(t, 5)
	require.Len(t, more, 2, "it does not stand in the way of others")

	_, err = s.sql.Exec(t.Context(), `update catalog.products set popularity = 7, index_retry_at = now() where id = $1`, list[0].product)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		err := s.sql.QueryRow(t.Context(), `select indexed_version < card_version, index_refusal from catalog.products where id = $1`, list[0].product).Scan(&pending, &refusal)
		return err == nil && !pending && refusal == nil
	}, time.Minute, 50*time.Millisecond)
}

// TestWipedIndexIsFilledAgain: an index that was wiped and then written to was not empty, and stayed without the rest.
func TestWipedIndexIsFilledAgain(t *testing.T) {
	t.Parallel()
	s := openStore(t, onServices(t))
	s.stockMany(t, 20, 1900, 5)
	s.findable(t, 20)

	url, prefix := strings.Split(s.Config.Search.URL.Reveal(), ",")[0], s.Config.Search.Index
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, url+"/"+prefix+"-products-v2-000000", nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)

	s.stockMany(t, 1, 1900, 5)
	s.findable(t, 21)
	r, err := s.engine.Search(t.Context(), search.Query{Text: "Wayfarer Satchel", Limit: search.MaxLimit})
	require.NoError(t, err)
	require.Len(t, r.Items, 21)
}
