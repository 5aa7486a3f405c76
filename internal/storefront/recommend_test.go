package storefront_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCartShowsWhatGoesWithIt(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.shop.Recs.Pair("joust-duffle-bag", "ajax-full-zip-sweatshirt")
	require.NotContains(t, b.get("/cart").body, "Goes well with it", "nothing is in it")
	b.post("/cart/lines", url.Values{"product": {"joust-duffle-bag"}, "sku": {"24-MB01"}, "quantity": {"1"}})
	p := b.get("/cart")
	require.Contains(t, p.body, "Goes well with it")
	require.Contains(t, p.body, sweatshirt)
	sound(t, p)
}

func TestPagesDoWithoutRecommendations(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.shop.Recs.Fail(errors.New("recommendations are away"))
	b.post("/cart/lines", url.Values{"product": {"joust-duffle-bag"}, "sku": {"24-MB01"}, "quantity": {"1"}})
	p := b.get("/cart")
	require.Equal(t, http.StatusOK, p.status)
	require.Contains(t, p.body, "Joust Duffle Bag")
	require.NotContains(t, p.body, "Goes well with it")
	require.Equal(t, http.StatusOK, b.get(bag).status)
}

func TestProductThatTheMerchantPairedWithNothingShowsWhatIsBoughtWithIt(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.shop.Recs.Pair("endurance-watch", "ajax-full-zip-sweatshirt")
	p := b.get("/p/endurance-watch")
	require.Contains(t, p.body, "Goes well with it")
	require.Contains(t, p.body, sweatshirt)
	require.NotContains(t, b.get("/p/dash-digital-watch").body, sweatshirt, "it is shown what sells of its kind")
}
