package imaging_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gen2brain/avif"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/imaging"
)

// bundle is a renderer over pictures in memory.
type bundle struct {
	*imaging.Renderer
	dir      string
	pictures map[string][]byte
	reads    atomic.Int64
	gate     chan struct{} // when not nil, every read waits for it to be closed
}

func setup(t *testing.T, pictures map[string][]byte, change ...func(*imaging.Config)) *bundle {
	t.Helper()
	b := &bundle{dir: t.TempDir(), pictures: pictures}
	cfg := imaging.Config{
		CacheDir: b.dir,
		Metrics:  prometheus.NewRegistry(),
		Source: func(_ context.Context, name string) (io.ReadCloser, error) {
			b.reads.Add(1)
			if b.gate != nil {
				<-b.gate
			}
			data, ok := b.pictures[name]
			if !ok {
				return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
			}
			return io.NopCloser(bytes.NewReader(data)), nil
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	b.Renderer, err = imaging.New(cfg)
	require.NoError(t, err)
	return b
}

func decode(t *testing.T, out imaging.Rendition) image.Image {
	t.Helper()
	var img image.Image
	var err error
	if out.ContentType == "image/avif" {
		img, err = avif.Decode(bytes.NewReader(out.Body))
	} else {
		var name string
		img, name, err = image.Decode(bytes.NewReader(out.Body))
		require.Equal(t, out.ContentType, "image/"+name)
	}
	require.NoError(t, err)
	return img
}

func TestRenditionsHaveTheSizeAskedForAndDecodeAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]byte{
		"wide.jpg":  jpegOf(t, 900, 600),
		"tall.png":  pngOf(t, quadrants(400, 1000)),
		"small.jpg": webpOf(t, quadrants(300, 200)), // the name lies
	})
	for _, tc := range []struct {
		name          string
		width         int
		format        imaging.Format
		wantW, wantH  int
		becauseReason string
	}{
		{"wide.jpg", 640, imaging.WebP, 640, 426, "scaled"},
		{"wide.jpg", 320, imaging.JPEG, 320, 213, "scaled"},
		{"wide.jpg", 160, imaging.AVIF, 160, 106, "scaled"},
		{"wide.jpg", 1200, imaging.WebP, 900, 600, "never enlarged"},
		{"tall.png", 320, imaging.WebP, 320, 800, "scaled by its width"},
		{"small.jpg", 320, imaging.JPEG, 300, 200, "never enlarged, and sniffed by content"},
	} {
		t.Run(fmt.Sprintf("%s at %d as %s is %s", tc.name, tc.width, tc.format, tc.becauseReason), func(t *testing.T) {
			t.Parallel()
			out, err := b.Rendition(t.Context(), tc.name, tc.width, tc.format)
			require.NoError(t, err)
			require.Equal(t, tc.format.ContentType(), out.ContentType)
			img := decode(t, out)
			require.Equal(t, image.Pt(tc.wantW, tc.wantH), img.Bounds().Size())
			requireColour(t, img, 0.25, 0.25, red)
			requireColour(t, img, 0.75, 0.25, green)
			requireColour(t, img, 0.25, 0.75, blue)
		})
	}
}

func TestPicturesStandUprightWhateverTheirOrientation(t *testing.T) {
	t.Parallel()
	// A 300 × 200 file with red, green, blue and white quadrants; where red and green are to be seen once upright.
	for orientation, want := range map[int]struct {
		size       image.Point
		red, green [2]float64
	}{
		1: {image.Pt(300, 200), [2]float64{.25, .25}, [2]float64{.75, .25}},
		2: {image.Pt(300, 200), [2]float64{.75, .25}, [2]float64{.25, .25}},
		3: {image.Pt(300, 200), [2]float64{.75, .75}, [2]float64{.25, .75}},
		4: {image.Pt(300, 200), [2]float64{.25, .75}, [2]float64{.75, .75}},
		5: {image.Pt(200, 300), [2]float64{.25, .25}, [2]float64{.25, .75}},
		6: {image.Pt(200, 300), [2]float64{.75, .25}, [2]float64{.75, .75}},
		7: {image.Pt(200, 300), [2]float64{.75, .75}, [2]float64{.75, .25}},
		8: {image.Pt(200, 300), [2]float64{.25, .75}, [2]float64{.25, .25}},
	} {
		t.Run(fmt.Sprintf("orientation %d", orientation), func(t *testing.T) {
			t.Parallel()
			data := withSegment(jpegOf(t, 300, 200), 0xe1, exif(orientation))
			w, h, err := imaging.Dimensions(data)
			require.NoError(t, err)
			require.Equal(t, want.size, image.Pt(w, h))

			out, err := setup(t, map[string][]byte{"p.jpg": data}).Rendition(t.Context(), "p.jpg", 160, imaging.JPEG)
			require.NoError(t, err)
			img := decode(t, out)
			require.Equal(t, 160, img.Bounds().Dx())
			requireColour(t, img, want.red[0], want.red[1], red)
			requireColour(t, img, want.green[0], want.green[1], green)
		})
	}
}

// The decoder of lossy WebP hands over pixels of a narrower range than those of JPEG.
func TestColoursSurviveWebPInAndOut(t *testing.T) {
	t.Parallel()
	for _, c := range []color.RGBA{white, {A: 0xff}, red, green, blue, {R: 0x80, G: 0x80, B: 0x80, A: 0xff}} {
		plain := image.NewRGBA(image.Rect(0, 0, 200, 200))
		draw.Draw(plain, plain.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
		b := setup(t, map[string][]byte{"p.png": pngOf(t, plain)})
		out, err := b.Rendition(t.Context(), "p.png", 160, imaging.WebP)
		require.NoError(t, err)
		b.pictures["p.webp"] = out.Body
		back, err := b.Rendition(t.Context(), "p.webp", 160, imaging.JPEG)
		require.NoError(t, err)
		r, g, bl, _ := decode(t, back).At(80, 80).RGBA()
		require.InDeltaSlice(t, []int{int(c.R), int(c.G), int(c.B)}, []int{int(r >> 8), int(g >> 8), int(bl >> 8)}, 6)

		colour, err := imaging.DominantColour(out.Body)
		require.NoError(t, err)
		require.InDelta(t, int(c.R), hexByte(t, colour[1:3]), 6)
	}
}

func hexByte(t *testing.T, s string) int {
	t.Helper()
	v, err := strconv.ParseUint(s, 16, 8)
	require.NoError(t, err)
	return int(v)
}

func TestTransparentPartsBecomeWhite(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]byte{"p.png": pngOf(t, image.NewNRGBA(image.Rect(0, 0, 400, 400)))})
	out, err := b.Rendition(t.Context(), "p.png", 160, imaging.JPEG)
	require.NoError(t, err)
	requireColour(t, decode(t, out), .5, .5, white)
}

func TestRenditionRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]byte{
		"ok.jpg":    jpegOf(t, 400, 300),
		"heavy.jpg": append(jpegOf(t, 400, 300), make([]byte, 100_000)...),
		"wide.png":  pngOf(t, image.NewGray(image.Rect(0, 0, 1100, 1000))),
		"page.jpg":  []byte("<!doctype html><script>alert(1)</script>"),
		"cut.jpg":   jpegOf(t, 400, 300)[:2000],
	}, func(c *imaging.Config) { c.MaxBytes, c.MaxPixels = 50_000, 1_000_000 })
	for name, tc := range map[string]struct {
		picture string
		width   int
		format  imaging.Format
		want    error
	}{
		"a width that is not on the list":       {"ok.jpg", 641, imaging.WebP, imaging.ErrWidth},
		"no width":                              {"ok.jpg", 0, imaging.WebP, imaging.ErrWidth},
		"an unknown format":                     {"ok.jpg", 640, "gif", imaging.ErrFormat},
		"a picture that is not there":           {"none.jpg", 640, imaging.WebP, errs.ErrNotFound},
		"a file over the limit":                 {"heavy.jpg", 640, imaging.WebP, imaging.ErrTooHeavy},
		"a picture with too many pixels":        {"wide.png", 640, imaging.WebP, imaging.ErrTooManyPx},
		"a page that is called a picture":       {"page.jpg", 640, imaging.WebP, imaging.ErrUnsupported},
		"a picture that ends before it is over": {"cut.jpg", 640, imaging.WebP, imaging.ErrBroken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := b.Rendition(t.Context(), tc.picture, tc.width, tc.format)
			require.ErrorIs(t, err, tc.want)
		})
	}
}

func TestRequestsForTheSameRenditionShareTheWork(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]byte{"p.jpg": jpegOf(t, 900, 600)})
	b.gate = make(chan struct{})
	const callers = 50
	bodies := make([][]byte, callers)
	var started, done sync.WaitGroup
	started.Add(callers)
	for i := range callers {
		done.Go(func() {
			started.Done()
			out, err := b.Rendition(t.Context(), "p.jpg", 320, imaging.WebP)
			if err == nil {
				bodies[i] = out.Body
			}
		})
	}
	started.Wait()
	close(b.gate)
	done.Wait()
	for _, body := range bodies {
		require.NotEmpty(t, body)
		require.Equal(t, bodies[0], body)
	}
	// A caller that came only after the first ones were served finds the rendition in the cache, so one read is all.
	require.EqualValues(t, 1, b.reads.Load())
}

func TestACallerThatGoesAwayDoesNotSpoilItForTheOthers(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]byte{"p.jpg": jpegOf(t, 900, 600)})
	b.gate = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := b.Rendition(ctx, "p.jpg", 320, imaging.WebP)
		gone <- err
	}()
	require.Eventually(t, func() bool { return b.reads.Load() == 1 }, patience, tick)
	cancel()
	require.ErrorIs(t, <-gone, context.Canceled)
	close(b.gate)
	_, err := b.Rendition(t.Context(), "p.jpg", 320, imaging.WebP)
	require.NoError(t, err)
	require.EqualValues(t, 1, b.reads.Load(), "the work that was under way is used")
}

func TestNoMoreRenditionsAtOnceThanAllowed(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	b := setup(t, nil, func(c *imaging.Config) {
		c.MaxConcurrent = 2
		data := jpegOf(t, 400, 300)
		c.Source = func(context.Context, string) (io.ReadCloser, error) {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			return closer{bytes.NewReader(data), func() { now.Add(-1) }}, nil
		}
	})
	var all sync.WaitGroup
	var failed atomic.Int64
	for i := range 12 {
		all.Go(func() {
			if _, err := b.Rendition(t.Context(), fmt.Sprintf("p%d.jpg", i), 160, imaging.JPEG); err != nil {
				failed.Add(1)
			}
		})
	}
	all.Wait()
	require.Zero(t, failed.Load())
	require.LessOrEqual(t, most.Load(), int64(2))
}

type closer struct {
	io.Reader
	close func()
}

func (c closer) Close() error { c.close(); return nil }

func TestTheCacheIsKeyedByContentAndHeals(t *testing.T) {
	t.Parallel()
	picture := jpegOf(t, 900, 600)
	b := setup(t, map[string][]byte{"a.jpg": picture, "same.jpg": picture, "other.jpg": jpegOf(t, 880, 600)})
	get := func(r *imaging.Renderer, name string) imaging.Rendition {
		t.Helper()
		out, err := r.Rendition(t.Context(), name, 320, imaging.JPEG)
		require.NoError(t, err)
		return out
	}
	first := get(b.Renderer, "a.jpg")
	require.Len(t, files(t, b.dir), 1)
	require.Equal(t, first, get(b.Renderer, "same.jpg"))
	require.Len(t, files(t, b.dir), 1, "equal pictures share a rendition")
	require.NotEqual(t, first.ETag, get(b.Renderer, "other.jpg").ETag)

	reads := b.reads.Load()
	require.Equal(t, first, get(b.Renderer, "a.jpg"))
	require.Equal(t, reads, b.reads.Load(), "a cached rendition needs no look at the source")

	for _, f := range files(t, b.dir) {
		require.NoError(t, os.WriteFile(f, []byte("half a pict"), 0o600))
	}
	require.Equal(t, first, get(b.Renderer, "a.jpg"), "a spoilt file is made again")
	require.NoError(t, os.RemoveAll(b.dir))
	require.Equal(t, first, get(b.Renderer, "a.jpg"), "the cache may be deleted at any moment")
}

func TestACacheThatCannotBeWrittenCostsOnlyTime(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]byte{"p.jpg": jpegOf(t, 900, 600)})
	require.NoError(t, os.RemoveAll(b.dir))
	require.NoError(t, os.WriteFile(b.dir, nil, 0o600)) // a file stands where the directory was
	out, err := b.Rendition(t.Context(), "p.jpg", 320, imaging.JPEG)
	require.NoError(t, err)
	require.NotEmpty(t, out.Body)
}

func TestWarmFillsTheCacheAndGoesOnAfterABrokenPicture(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]byte{"a.jpg": jpegOf(t, 500, 400), "bad.jpg": []byte("no"), "c.jpg": jpegOf(t, 510, 400)})
	err := b.Warm(t.Context(), []string{"a.jpg", "bad.jpg", "c.jpg"}, []int{160, 320}, imaging.JPEG)
	require.ErrorIs(t, err, imaging.ErrUnsupported)
	require.Len(t, files(t, b.dir), 4)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, b.Warm(ctx, []string{"a.jpg"}, []int{480}, imaging.JPEG), context.Canceled)
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := imaging.New(imaging.Config{CacheDir: t.TempDir()})
	require.ErrorContains(t, err, "Source")
	_, err = imaging.New(imaging.Config{Source: func(context.Context, string) (io.ReadCloser, error) { return nil, errors.ErrUnsupported }})
	require.ErrorContains(t, err, "CacheDir")
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	require.NoError(t, err)
	return found
}
