package app

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"shopd/internal/catalog"
	"shopd/internal/platform/imaging"
)

// pictureImporter brings pictures that lie beside an import file into the shop.
type pictureImporter struct {
	root   *os.Root // the file's directory; no picture is read from outside of it
	media  media
	dryRun bool
}

// pictureError is why a picture of a row is not taken. Without an optional one the row can be imported.
type pictureError struct {
	RowProblem
	optional bool
}

func (p *pictureError) Error() string { return p.Detail }

// take returns the picture that source names, a *pictureError without a pointer for one that cannot be taken, or an
// error of the shop.
func (p *pictureImporter) take(source, alt string) (catalog.Image, error) {
	if scheme, _, isURL := strings.Cut(source, "://"); isURL {
		return catalog.Image{}, &pictureError{RowProblem{
			Code: "picture_not_downloaded", Detail: "Pictures are not fetched by " + scheme + ". Put the file beside the import and name its path.",
		}, true}
	}
	data, err := p.read(source)
	if errors.Is(err, fs.ErrNotExist) {
		return catalog.Image{}, &pictureError{RowProblem{Code: "picture_not_found", Detail: "There is no file " + source + "."}, false}
	}
	if err != nil {
		return catalog.Image{}, &pictureError{RowProblem{Code: "picture_not_readable", Detail: err.Error()}, false}
	}
	info, err := imaging.Inspect(data)
	if err != nil {
		return catalog.Image{}, &pictureError{problemsOf(err)[0], false}
	}
	colour, err := imaging.DominantColour(data)
	if err != nil {
		return catalog.Image{}, &pictureError{problemsOf(err)[0], false}
	}
	name := pictureName(data, info.ContentType)
	if err := p.keep(name, data); err != nil {
		return catalog.Image{}, err
	}
	return catalog.Image{URL: mediaURL(name), Alt: alt, Width: info.Width, Height: info.Height, Colour: colour}, nil
}

// read returns the file up to a byte over what imaging accepts, so that imaging refuses what is too large.
func (p *pictureImporter) read(source string) ([]byte, error) {
	file, err := p.root.Open(filepath.FromSlash(source))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, imaging.DefaultMaxBytes+1))
	return data, errors.Join(err, file.Close())
}

// pictureName follows from the content: the same picture is kept once, and a changed one is another.
func pictureName(data []byte, contentType string) string {
	sum := sha256.Sum256(data)
	extension := strings.TrimPrefix(contentType, "image/")
	if extension == "jpeg" {
		extension = "jpg"
	}
	return hex.EncodeToString(sum[:16]) + "." + extension
}

func (p *pictureImporter) keep(name string, data []byte) error {
	if p.dryRun {
		return nil
	}
	if have, err := os.Stat(filepath.Join(p.media.dir, name)); err == nil && have.Size() == int64(len(data)) {
		return nil
	}
	return p.media.store(name, data)
}
