// Package imaging cuts renditions of pictures: smaller copies in a modern format, made once, kept on disk by the
// content of the picture and served with headers that let browsers keep them for ever.
//
// A rendition is always encoded anew from the decoded pixels. Nothing of an uploaded file reaches a browser as it
// came: no metadata, no comment, no trailing data.
package imaging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"shopd/internal/platform/errs"
)

// Format is an encoding that renditions are made in. Its value is what stands in a URL.
type Format string

// The formats. WebP is the one that FormatFor prefers; AVIF is made on explicit request (see README.md for the costs).
const (
	JPEG Format = "jpeg"
	WebP Format = "webp"
	AVIF Format = "avif"
)

// ContentType is the media type of f.
func (f Format) ContentType() string { return "image/" + string(f) }

func (f Format) known() bool { return f == JPEG || f == WebP || f == AVIF }

// Widths are the widths in pixels that renditions are made in, ascending. The list is closed so that nobody can make
// the server cut, or fill its disk with, thousands of renditions of one picture.
func Widths() []int { return []int{160, 320, 480, 640, 800, 1200} }

// Limits of a Config that leaves them zero.
const (
	DefaultMaxBytes  = 20 << 20
	DefaultMaxPixels = 40_000_000
)

// cutTimeout bounds the wait for a free slot and the reading of the source for one rendition, which goes on when the
// request that asked for it has gone away because others may be waiting for the same one.
const cutTimeout = 30 * time.Second

// The errors of this package. Each is an errs.Error, fit to be shown to the caller.
var (
	ErrWidth       = errs.New(errs.Invalid, "invalid_width", "Pictures come in a few widths only.")
	ErrFormat      = errs.New(errs.Invalid, "invalid_format", "Pictures come as webp, avif or jpeg.")
	ErrUnsupported = errs.New(errs.Unsupported, "unsupported_picture", "Only JPEG, PNG and WebP pictures are accepted.")
	ErrBroken      = errs.New(errs.Invalid, "invalid_picture", "This is not a picture that can be read.")
	ErrTooManyPx   = errs.New(errs.Invalid, "picture_too_large", "The picture has too many pixels.")
	ErrTooHeavy    = errs.New(errs.TooLarge, "picture_too_heavy", "The picture file is too large.")
)

// Config says where pictures come from and where renditions are kept.
type Config struct {
	// Source opens the picture of that name. What it returns is closed by the Renderer. A missing picture is an error
	// that is fs.ErrNotExist or errs.ErrNotFound. A name must always mean the same bytes: a changed picture gets a new
	// name, because browsers keep renditions for a year. Required.
	Source func(ctx context.Context, name string) (io.ReadCloser, error)
	// CacheDir is where renditions are kept. It is made when missing, and may be emptied at any moment. Required.
	CacheDir string
	// MaxConcurrent is how many renditions are cut at the same time, each using one core; GOMAXPROCS when zero.
	MaxConcurrent int
	// MaxBytes is the largest source file; DefaultMaxBytes when zero.
	MaxBytes int64
	// MaxPixels is the largest source in pixels, checked before anything is decoded; DefaultMaxPixels when zero.
	// Decoding takes up to about 8 bytes of memory for a pixel.
	MaxPixels int64
	// Metrics receives shopd_image_render_seconds and shopd_image_renditions_total; none when nil.
	Metrics prometheus.Registerer
	// Log is told when the cache cannot be written; slog.Default() when nil.
	Log *slog.Logger
}

// Rendition is one encoded picture. It is shared between callers: do not change Body.
type Rendition struct {
	Body        []byte
	ContentType string
	ETag        string // strong, with its quotes
}

// Renderer makes renditions. It is safe for concurrent use and starts no goroutine that outlives its calls by more
// than one rendition.
type Renderer struct {
	cfg     Config
	cache   cache
	slots   chan struct{}
	flights singleflight.Group
	metrics metrics

	mu      sync.Mutex
	digests map[string]string // picture name → digest of its bytes
}

// New checks cfg, makes the cache directory and returns a Renderer.
func New(cfg Config) (*Renderer, error) {
	if cfg.Source == nil {
		return nil, errors.New("imaging: Source is missing")
	}
	if cfg.MaxConcurrent <= 0 {
		cfg.MaxConcurrent = runtime.GOMAXPROCS(0)
	}
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	if cfg.MaxPixels <= 0 {
		cfg.MaxPixels = DefaultMaxPixels
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	c, err := openCache(cfg.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("imaging: open cache: %w", err)
	}
	m, err := newMetrics(cfg.Metrics)
	if err != nil {
		return nil, fmt.Errorf("imaging: register metrics: %w", err)
	}
	return &Renderer{
		cfg:     cfg,
		cache:   c,
		slots:   make(chan struct{}, cfg.MaxConcurrent),
		metrics: m,
		digests: map[string]string{},
	}, nil
}

// Rendition returns the picture called name, at most width pixels wide, in format. A picture that is narrower keeps
// its size. Callers that ask for the same rendition at the same time share the work of one.
//
// Errors are ErrWidth, ErrFormat, errs.ErrNotFound, those of Inspect, and what Source or the context return.
func (r *Renderer) Rendition(ctx context.Context, name string, width int, format Format) (Rendition, error) {
	if !slices.Contains(Widths(), width) {
		return Rendition{}, ErrWidth
	}
	if !format.known() {
		return Rendition{}, ErrFormat
	}
	if digest, ok := r.digest(name); ok {
		if out, ok := r.cached(digest, width, format); ok {
			return out, nil
		}
	}
	done := r.flights.DoChan(fmt.Sprintf("%s\x00%d\x00%s", name, width, format), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cutTimeout)
		defer cancel()
		return r.cut(ctx, name, width, format)
	})
	select {
	case <-ctx.Done():
		return Rendition{}, ctx.Err()
	case res := <-done:
		if res.Err != nil {
			r.metrics.failed(format)
			return Rendition{}, res.Err
		}
		out, ok := res.Val.(Rendition)
		if !ok {
			return Rendition{}, fmt.Errorf("picture %s: rendered to a %T", name, res.Val)
		}
		return out, nil
	}
}

// cut makes a rendition that is not known to be in the cache. It holds a slot from before the source is read, so
// that waiting requests hold no pictures in memory.
func (r *Renderer) cut(ctx context.Context, name string, width int, format Format) (Rendition, error) {
	select {
	case <-ctx.Done():
		return Rendition{}, errs.New(errs.Unavailable, "pictures_busy", "Too many pictures are being resized.").
			WithRetryAfter(time.Second).Wrap(ctx.Err())
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	}
	data, err := r.read(ctx, name)
	if err != nil {
		return Rendition{}, err
	}
	digest := digestOf(data)
	r.remember(name, digest)
	if out, ok := r.cached(digest, width, format); ok {
		return out, nil
	}

	start := time.Now()
	body, err := render(data, width, format, r.cfg.MaxPixels)
	if err != nil {
		return Rendition{}, fmt.Errorf("picture %s: %w", name, err)
	}
	r.metrics.made(format, time.Since(start))
	key := cacheKey(digest, width, format)
	if err := r.cache.put(key, body); err != nil {
		// A full disk costs time, not pictures: the rendition is made again for the next caller.
		r.cfg.Log.WarnContext(ctx, "rendition not cached", "key", key, "error", err)
	}
	return rendition(key, body, format), nil
}

// read returns the bytes of a source picture, refusing what is larger than MaxBytes without reading all of it.
func (r *Renderer) read(ctx context.Context, name string) ([]byte, error) {
	src, err := r.cfg.Source(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errs.ErrNotFound.Wrap(err)
	}
	if err != nil {
		return nil, fmt.Errorf("open picture %s: %w", name, err)
	}
	data, err := io.ReadAll(io.LimitReader(src, r.cfg.MaxBytes+1))
	if err := errors.Join(err, src.Close()); err != nil {
		return nil, fmt.Errorf("read picture %s: %w", name, err)
	}
	if int64(len(data)) > r.cfg.MaxBytes {
		return nil, fmt.Errorf("picture %s: %w", name, ErrTooHeavy)
	}
	return data, nil
}

func (r *Renderer) cached(digest string, width int, format Format) (Rendition, bool) {
	key := cacheKey(digest, width, format)
	body, ok := r.cache.get(key)
	if !ok || sniff(body) != kindOf(format) {
		return Rendition{}, false
	}
	r.metrics.hit(format)
	return rendition(key, body, format), true
}

func rendition(key string, body []byte, format Format) Rendition {
	return Rendition{Body: body, ContentType: format.ContentType(), ETag: `"` + key + `"`}
}

// maxDigests bounds the memory of remembered digests to a few megabytes.
const maxDigests = 50_000

// digest returns the digest of a picture that has been read before: names never change their meaning, so a hit needs
// no look at the source.
func (r *Renderer) digest(name string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.digests[name]
	return d, ok
}

func (r *Renderer) remember(name, digest string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.digests) >= maxDigests {
		clear(r.digests) // refilled by one read of the source each
	}
	r.digests[name] = digest
}

// Forget drops what is remembered of a picture that was deleted. Its renditions stay in the cache directory, where
// nothing leads to them until a picture with the same bytes comes back.
func (r *Renderer) Forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.digests, name)
}
