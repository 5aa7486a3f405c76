package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"shopd/internal/catalog/search"
	"shopd/internal/platform/errs"
)

// generation is one index with the log it is made of.
type generation struct {
	number int
	path   string
	file   *os.File
	size   int64 // of the whole records

	mu    sync.RWMutex // guards index, and file against being closed
	index *index
}

const (
	// currentFile names the generation that is searched.
	currentFile = "CURRENT"
	lockFile    = "LOCK"
	// layout is part of the file names: a log whose entries mean something else is not opened.
	layout = "products-v2-"
)

// errLocked says that another process uses the directory.
var errLocked = errs.New(errs.Conflict, "search_index_locked",
	"The search index is in use by another process. Stop it, or give this one another data directory.")

// lockPatience is how long to wait for another process to let go of the index.
const lockPatience = 2 * time.Second

// lock keeps other processes out of dir until the file is closed.
func lock(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the search index: %w", err)
	}
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(50 * time.Millisecond) {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return file, nil
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(errLocked.Wrap(err), file.Close())
		}
	}
}

// openCurrent opens the generation that was searched last, or an empty one in the place of one that cannot be read.
func openCurrent(dir string, log *slog.Logger) (*generation, error) {
	number := readCurrent(dir)
	g, err := openGeneration(dir, number)
	if errors.Is(err, errBroken) {
		log.Warn("search index cannot be read, starting an empty one", "error", err)
		g, err = newGeneration(dir, number)
	}
	if err != nil {
		return nil, err
	}
	return g, errors.Join(setCurrent(dir, g), clean(dir, g.path))
}

// openGeneration reads the log of a generation, or begins one.
func openGeneration(dir string, number int) (*generation, error) {
	g := &generation{number: number, path: generationPath(dir, number), index: newIndex()}
	var err error
	if g.file, err = os.OpenFile(g.path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("open the search index: %w", err)
	}
	entries, at := make([]search.Entry, 0, batch), make([]span, 0, batch)
	flush := func() {
		g.index.put(entries, at)
		entries, at = entries[:0], at[:0]
	}
	g.size, err = readLog(g.file, func(e *search.Entry, where span) {
		entries, at = append(entries, *e), append(at, where)
		if len(entries) == batch {
			flush()
		}
	})
	flush()
	if err == nil {
		err = g.file.Truncate(g.size)
	}
	if err != nil {
		return nil, errors.Join(err, g.file.Close())
	}
	return g, nil
}

// batch is how many entries are put into an index at once.
const batch = 500

// newGeneration makes an empty index, removing what a crash left in its place.
func newGeneration(dir string, number int) (*generation, error) {
	if err := os.RemoveAll(generationPath(dir, number)); err != nil {
		return nil, fmt.Errorf("clear the place of the search index: %w", err)
	}
	return openGeneration(dir, number)
}

// close ends the use of the log; what reads it now does so to the end.
func (g *generation) close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.file.Close()
}

func (g *generation) remove() error {
	return errors.Join(g.close(), os.Remove(g.path))
}

// write stores the entries whose versions are not older than what is there. They are on the disk when it returns.
// Not to be called more than once at a time.
func (g *generation) write(entries []search.Entry) error {
	fresh := g.newest(entries)
	if len(fresh) == 0 {
		return nil
	}
	at := make([]span, len(fresh))
	var b []byte
	for i := range fresh {
		begin := len(b)
		b = appendRecord(b, &fresh[i])
		at[i] = span{at: g.size + int64(begin) + headerBytes, length: uint32(len(b) - begin - headerBytes)}
	}
	if _, err := g.file.WriteAt(b, g.size); err != nil {
		return fmt.Errorf("write to the search index: %w", errors.Join(err, g.file.Truncate(g.size)))
	}
	if err := g.file.Sync(); err != nil {
		return fmt.Errorf("flush the search index: %w", errors.Join(err, g.file.Truncate(g.size)))
	}
	g.size += int64(len(b))
	g.mu.Lock()
	defer g.mu.Unlock()
	g.index.put(fresh, at)
	return nil
}

// newest leaves out what is older than what is stored, or than another one of the same document.
func (g *generation) newest(entries []search.Entry) []search.Entry {
	g.mu.RLock()
	defer g.mu.RUnlock()
	last := make(map[string]int, len(entries))
	for i := range entries {
		e := &entries[i]
		if v, ok := g.index.version(e.ID); ok && v > e.Version {
			continue
		}
		if j, ok := last[e.ID]; !ok || entries[j].Version <= e.Version {
			last[e.ID] = i
		}
	}
	kept := make([]search.Entry, 0, len(last))
	for i := range entries {
		if j, ok := last[entries[i].ID]; ok && i == j {
			kept = append(kept, entries[i])
		}
	}
	return kept
}

// fill reads the payloads of hits. The caller holds mu.
func (g *generation) fill(hits []search.PageHit) error {
	for i := range hits {
		r := &g.index.rows[g.index.byID[hits[i].ProductID]]
		b := make([]byte, r.payload)
		if _, err := g.file.ReadAt(b, r.record.at+int64(r.record.length)-int64(r.payload)); err != nil {
			return fmt.Errorf("read the payload of %s: %w", r.id, err)
		}
		hits[i].Payload = search.RawPayload(string(b))
	}
	return nil
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
