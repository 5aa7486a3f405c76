package sample_test

import (
	"bytes"
	"image/jpeg"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/platform/imaging"
	"shopd/internal/sample"
)

// The sizes of the sources, and what is made of them.
const (
	lumaProducts, unsplashProducts = 199, 54
	lumaVariants, unsplashVariants = 1847, 88
	lumaWithoutOptions             = 52 // their one variant is made for them
	lumaPictures, unsplashPictures = 723, 54
	reviews, reviewsOfNothing      = 500, 80
)

func products(t *testing.T) []sample.Product {
	t.Helper()
	var all []sample.Product
	for p, err := range sample.Products() {
		require.NoError(t, err)
		all = append(all, p)
	}
	return all
}

func TestTheWholeCatalogueIsThere(t *testing.T) {
	t.Parallel()
	all := products(t)
	require.Len(t, all, lumaProducts+unsplashProducts)
	variants, digital := 0, 0
	tops := map[string]bool{}
	for _, p := range all {
		variants += len(p.Variants)
		if p.Type == sample.Digital {
			digital++
		}
		top, _, _ := strings.Cut(p.Category, " > ")
		tops[top] = true
	}
	require.Equal(t, lumaVariants+lumaWithoutOptions+unsplashVariants, variants)
	require.Equal(t, 6, digital)
	require.Len(t, sample.Images(), lumaPictures+unsplashPictures)
	require.Equal(t, map[string]bool{"Women": true, "Men": true, "Gear": true, "Electronics": true, "Home & Garden": true, "Sports & Outdoor": true}, tops)
}

func TestEveryProductFitsTogether(t *testing.T) {
	t.Parallel()
	all := products(t)
	skus, slugs, owners, pictures := map[string]bool{}, map[string]bool{}, map[string]string{}, map[string]bool{}
	for _, p := range all {
		skus[p.SKU] = true
		require.False(t, slugs[p.Slug], "slug %s twice", p.Slug)
		slugs[p.Slug] = true
	}
	validSlug := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	validSKU := regexp.MustCompile(`^[A-Za-z0-9._-]{3,40}$`)
	for _, p := range all {
		require.Regexp(t, validSlug, p.Slug)
		require.NotEmpty(t, p.Title)
		require.NotContains(t, p.Title, "  ")
		require.NotRegexp(t, `<|&\w+;|•|[ \t]\n|  `, p.Title+p.Description, p.SKU)
		require.NotEmpty(t, p.Description)
		require.NotEmpty(t, p.Images, p.SKU)
		require.Equal(t, "active", p.Status)
		require.Positive(t, p.Price.Minor, p.SKU)
		require.Equal(t, p.Price, p.Variants[0].Price, "the product has the price of its default variant")

		files, total := map[string]bool{}, 0
		for _, img := range p.Images {
			files[img.File], pictures[img.File] = true, true
			require.NotEmpty(t, img.Alt)
			require.Regexp(t, `^#[0-9a-f]{6}$`, img.Colour)
		}
		for _, v := range p.Variants {
			require.Regexp(t, validSKU, v.SKU)
			require.Empty(t, owners[v.SKU], "SKU %s belongs to two products", v.SKU)
			owners[v.SKU] = p.SKU
			total += v.Quantity
			require.Len(t, v.Options, len(p.Options), v.SKU)
			for _, o := range p.Options {
				require.Contains(t, o.Values, v.Options[o.Name], v.SKU)
			}
			if v.Image != "" {
				require.True(t, files[v.Image], "%s shows a picture that its product does not have", v.SKU)
			}
			if v.CompareAtPrice != nil {
				require.Greater(t, v.CompareAtPrice.Minor, v.Price.Minor)
			}
			require.InDelta(t, 0.5, float64(v.Cost.Minor)/float64(v.Price.Minor), 0.16, "cost of %s", v.SKU)
		}
		require.Equal(t, total, p.Quantity)
		for _, sku := range append(p.Related, p.CrossSell...) {
			require.True(t, skus[sku], "%s names %s, which is not there", p.SKU, sku)
			require.NotEqual(t, p.SKU, sku)
		}
	}
	for _, sku := range owners {
		require.True(t, skus[sku])
	}
	for _, name := range sample.Images() {
		require.True(t, pictures[name], "no product shows %s", name)
	}
	require.Len(t, pictures, lumaPictures+unsplashPictures)
}

func TestStockIsMostlyThereSometimesLowAndSometimesGone(t *testing.T) {
	t.Parallel()
	gone, low, all := 0, 0, 0
	for _, p := range products(t) {
		for _, v := range p.Variants {
			all++
			switch {
			case v.Quantity == 0:
				gone++
			case v.Quantity < 5:
				low++
			}
		}
	}
	require.InDelta(t, 0.03, float64(gone)/float64(all), 0.01)
	require.InDelta(t, 0.07, float64(low)/float64(all), 0.02)
}

func TestPicturesAreSmallJPEGsOfTheSizeTheCatalogueStates(t *testing.T) {
	t.Parallel()
	const mostTogether, mostEach = 27_000_000, 1 << 20
	stated := map[string]sample.ProductImage{}
	for _, p := range products(t) {
		for _, img := range p.Images {
			stated[img.File] = img
		}
	}
	total := 0
	for _, name := range sample.Images() {
		raw, err := sample.Image(name)
		require.NoError(t, err)
		total += len(raw)
		require.LessOrEqual(t, len(raw), mostEach, name)
		cfg, err := jpeg.DecodeConfig(bytes.NewReader(raw))
		require.NoError(t, err, name)
		require.Equal(t, [2]int{cfg.Width, cfg.Height}, [2]int{stated[name].Width, stated[name].Height}, name)
		_, err = imaging.Inspect(raw)
		require.NoError(t, err, name)
	}
	require.LessOrEqual(t, total, mostTogether)
}

func TestImageKnowsOnlyItsPictures(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", ".", "..", "none.jpg", "../products.jsonl", "images/lt01.jpg"} {
		_, err := sample.Image(name)
		require.ErrorIs(t, err, fs.ErrNotExist, "%q", name)
	}
}

func TestReviews(t *testing.T) {
	t.Parallel()
	skus := map[string]bool{}
	for _, p := range products(t) {
		skus[p.SKU] = true
	}
	n, ofNothing := 0, 0
	for r, err := range sample.Reviews() {
		require.NoError(t, err)
		n++
		require.True(t, 1 <= r.Rating && r.Rating <= 5)
		require.NotEmpty(t, r.Title)
		require.LessOrEqual(t, len(r.Title), 90)
		require.NotEmpty(t, r.Text)
		require.NotEmpty(t, r.Author)
		require.Positive(t, r.DaysAgo)
		if r.SKU == "" {
			ofNothing++
			require.NotEmpty(t, r.SourceSKU)
			continue
		}
		require.True(t, skus[r.SKU], r.SKU)
	}
	require.Equal(t, reviews, n)
	require.Equal(t, reviewsOfNothing, ofNothing)
}

func TestCreditsNameEverySourceAndPhotographer(t *testing.T) {
	t.Parallel()
	c, err := sample.Credits()
	require.NoError(t, err)
	require.Len(t, c.Sources, 3)
	for _, s := range c.Sources {
		require.NotEmpty(t, s.Copyright)
		require.FileExists(t, "licenses/"+s.LicenseFile)
	}
	require.Len(t, c.Pictures, unsplashPictures)
	for _, p := range c.Pictures {
		_, err := sample.Image(p.File)
		require.NoError(t, err)
		require.NotEmpty(t, p.Author)
		require.Regexp(t, `^\d+$`, p.ID)
	}
}
