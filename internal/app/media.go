package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
	"shopd/internal/platform/imaging"
	"shopd/internal/sample"
)

// pictureSource opens a picture by name; fs.ErrNotExist for one it does not have.
type pictureSource func(ctx context.Context, name string) (io.ReadCloser, error)

// media are the shop's pictures: those in the data directory, and those that come with the program.
type media struct {
	dir      string
	bundled  pictureSource
	renderer *imaging.Renderer
}

func (s *Shop) openMedia(_ context.Context, o Options) (err error) {
	dir := o.DataDir
	if dir == "" {
		dir = s.Config.Shop.DataDir
	}
	s.media = media{dir: filepath.Join(dir, "media"), bundled: o.Media}
	s.media.renderer, err = imaging.New(imaging.Config{
		Source: s.media.open, CacheDir: filepath.Join(dir, "renditions"), Metrics: s.metrics(), Log: s.log,
	})
	return err
}

func (m media) open(ctx context.Context, name string) (io.ReadCloser, error) {
	if filepath.Base(name) != name {
		return nil, fs.ErrNotExist
	}
	file, err := os.Open(filepath.Join(m.dir, name))
	if err == nil || !errors.Is(err, fs.ErrNotExist) || m.bundled == nil {
		return file, err
	}
	return m.bundled(ctx, name)
}

// store keeps a picture under a name that it does not have yet.
func (m media) store(name string, data []byte) error {
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(m.dir, name), data, 0o644)
}

func (m media) handler() http.Handler {
	return m.renderer.Handler(func(w http.ResponseWriter, r *http.Request, err error) {
		if errors.Is(err, fs.ErrNotExist) {
			err = errs.ErrNotFound
		}
		httpx.WriteError(w, r, err)
	})
}

// bundledPictures are the sample shop's, which come with the program.
func bundledPictures(_ context.Context, name string) (io.ReadCloser, error) {
	data, err := sample.Image(name)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}
