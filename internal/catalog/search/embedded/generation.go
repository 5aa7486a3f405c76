package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/index/scorch"
	bolt "go.etcd.io/bbolt/errors"

	"shopd/internal/platform/errs"
)

// generation is one index in a directory of its own.
type generation struct {
	number int
	path   string
	index  bleve.Index
}

func (g *generation) remove() error {
	return errors.Join(g.index.Close(), os.RemoveAll(g.path))
}

const (
	// currentFile names the generation that is searched.
	currentFile = "CURRENT"
	// layout is part of the directory names: an index whose fields mean something else is not opened.
	layout = "products-v1-"
)

// errLocked says that another process uses the directory.
var errLocked = errs.New(errs.Conflict, "search_index_locked",
	"The search index is in use by another process. Stop it, or give this one another data directory.")

// openCurrent opens the generation that was searched last.
func openCurrent(dir string, log *slog.Logger) (*generation, error) {
	number := readCurrent(dir)
	g := &generation{number: number, path: generationPath(dir, number)}
	if _, err := os.Stat(g.path); err == nil {
		idx, err := openIndex(g.path)
		if err == nil {
			g.index = idx
			return g, clean(dir, g.path)
		}
		if errors.Is(err, bolt.ErrTimeout) { // waiting for the lock on its file
			return nil, errLocked.Wrap(err)
		}
		log.Warn("search index cannot be read, starting an empty one", "error", err)
		if err := os.RemoveAll(g.path); err != nil {
			return nil, fmt.Errorf("remove the broken search index: %w", err)
		}
	}
	g, err := newGeneration(dir, number)
	if err != nil {
		return nil, err
	}
	return g, errors.Join(setCurrent(dir, g), clean(dir, g.path))
}

// openIndex opens what newGeneration made. A file that was cut off can make bleve panic.
func openIndex(path string) (idx bleve.Index, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("open the search index: %v", p)
		}
	}()
	if err := verify(path); err != nil {
		return nil, err
	}
	idx, err = bleve.OpenUsing(path, map[string]any{"bolt_timeout": lockTimeout})
	if err != nil {
		return nil, fmt.Errorf("open the search index: %w", err)
	}
	return idx, nil
}

// lockTimeout is how long to wait for another process to let go of the index.
const lockTimeout = "2s"

// verify reads the newest snapshot of an index. Opened for writing, bleve would go back to an older one, or to
// nothing, when that fails, and in time mix the files of both.
func verify(path string) (err error) {
	idx, err := bleve.OpenUsing(path, map[string]any{"bolt_timeout": lockTimeout, "read_only": true})
	if err != nil {
		return fmt.Errorf("open the search index: %w", err)
	}
	defer func() { err = cmp.Or(err, idx.Close()) }()
	advanced, err := idx.Advanced()
	if err != nil {
		return fmt.Errorf("open the search index: %w", err)
	}
	store, ok := advanced.(*scorch.Scorch)
	if !ok {
		return fmt.Errorf("the search index is a %T", advanced)
	}
	epochs, err := store.RootBoltSnapshotEpochs()
	if err != nil || len(epochs) == 0 {
		return cmp.Or(err, errors.New("the search index has no snapshot"))
	}
	newest, err := store.LoadSnapshot(slices.Max(epochs))
	if err != nil {
		return fmt.Errorf("load the newest snapshot: %w", err)
	}
	return newest.Close()
}

// newGeneration makes an empty index, removing what a crash left in its place.
func newGeneration(dir string, number int) (*generation, error) {
	path := generationPath(dir, number)
	if err := os.RemoveAll(path); err != nil {
		return nil, fmt.Errorf("clear the place of the search index: %w", err)
	}
	idx, err := bleve.New(path, bleve.NewIndexMapping())
	if err != nil {
		return nil, fmt.Errorf("make the search index: %w", err)
	}
	return &generation{number: number, path: path, index: idx}, nil
}

func generationPath(dir string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("%s%06d", layout, number))
}

// readCurrent returns the number of the generation in use; 1 when there is none.
func readCurrent(dir string) int {
	b, err := os.ReadFile(filepath.Join(dir, currentFile))
	if err != nil {
		return 1
	}
	var number int
	if _, err := fmt.Sscanf(string(b), layout+"%d", &number); err != nil || number < 1 {
		return 1
	}
	return number
}

// setCurrent makes g the generation that the next Open finds.
func setCurrent(dir string, g *generation) error {
	path := filepath.Join(dir, currentFile)
	if err := os.WriteFile(path+".new", []byte(filepath.Base(g.path)+"\n"), 0o600); err != nil {
		return fmt.Errorf("note the current search index: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("note the current search index: %w", err)
	}
	return nil
}

// clean removes the other generations, which a crash during a rebuild leaves behind.
func clean(dir, keep string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "products-*"))
	if err != nil {
		return fmt.Errorf("list search indices: %w", err)
	}
	for _, p := range paths {
		if p != keep {
			err = errors.Join(err, os.RemoveAll(p))
		}
	}
	return err
}
