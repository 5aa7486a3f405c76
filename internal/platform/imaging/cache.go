package imaging

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// renditionVersion is part of every cache key and ETag. Raise it when the encoding settings change, so that caches
// and browsers fetch the new look.
const renditionVersion = 1

// cache keeps renditions as files under dir, spread over 256 folders.
type cache struct{ dir string }

func openCache(dir string) (cache, error) {
	if dir == "" {
		return cache{}, errors.New("CacheDir is missing")
	}
	return cache{dir: dir}, os.MkdirAll(dir, 0o755)
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// cacheKey names a rendition by the content it was made from: replicas agree on it, and equal pictures share it.
func cacheKey(digest string, width int, format Format) string {
	return fmt.Sprintf("%s-%d-v%d.%s", digest, width, renditionVersion, format)
}

func (c cache) path(key string) string { return filepath.Join(c.dir, key[:2], key) }

// get returns the file of key. Whatever goes wrong counts as not there: it can be made again.
func (c cache) get(key string) ([]byte, bool) {
	body, err := os.ReadFile(c.path(key))
	return body, err == nil && len(body) > 0
}

// put writes the file of key so that a reader, or a crash, never meets half of it.
func (c cache) put(key string, body []byte) error {
	dir := filepath.Dir(c.path(key))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(body)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), c.path(key))
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
