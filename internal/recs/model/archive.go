package model

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"os"
)

// MaxArchive bounds an archive, in bytes.
const MaxArchive = 128 << 20

// Archive packs the files that belong to the model in a directory, and nothing else that may be there.
func Archive(dir string) ([]byte, error) {
	from := os.DirFS(dir)
	m, err := readManifest(from)
	if err != nil {
		return nil, fmt.Errorf("read the model in %s: %w", dir, err)
	}
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	names := []string{ManifestFile}
	for name := range m.Files {
		names = append(names, name)
	}
	for _, name := range names {
		raw, err := readLimited(from, name)
		if err != nil {
			return nil, err
		}
		w, err := z.Create(name)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(raw); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	if packed.Len() > MaxArchive {
		return nil, fmt.Errorf("the model in %s has %d bytes when packed; at most %d can be kept", dir, packed.Len(), MaxArchive)
	}
	return packed.Bytes(), nil
}

// OpenArchive opens what Archive packed.
func OpenArchive(raw []byte, load Loader) (*Model, error) {
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, fmt.Errorf("read the archive of a model: %w", err)
	}
	var dir fs.FS = z
	return OpenFS(dir, load)
}
