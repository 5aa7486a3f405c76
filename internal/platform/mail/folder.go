package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Folder keeps letters as files instead of sending them, one .json for each. The folder belongs to one process.
type Folder struct {
	dir  string
	from string
	now  func() time.Time

	mu   sync.Mutex
	kept map[string]bool // the letters that are there or being written, by Letter.id
}

// Kept is a letter in a folder.
type Kept struct {
	ID   string    `json:"id"` // its file's name; sorts by time
	At   time.Time `json:"at"`
	From string    `json:"from"`
	Letter
}

// NewFolder returns a sender that keeps letters in dir, which is made when it is missing.
func NewFolder(dir, from string, now func() time.Time) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for mail: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder of mail: %w", err)
	}
	f := &Folder{dir: dir, from: from, now: now, kept: map[string]bool{}}
	for _, e := range entries {
		if name, isLetter := strings.CutSuffix(e.Name(), ".json"); isLetter && letterID.MatchString(name) {
			_, id, _ := strings.Cut(name, "-")
			f.kept[id] = true
		}
	}
	return f, nil
}

// Send keeps the letter, once for each key.
func (f *Folder) Send(_ context.Context, l Letter) error {
	if !f.begin(l.id()) {
		return nil
	}
	err := f.write(l)
	if err != nil {
		f.undo(l.id())
	}
	return err
}

// begin reports whether the letter is not there yet, and notes that it will be.
func (f *Folder) begin(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept[id] {
		return false
	}
	f.kept[id] = true
	return true
}

func (f *Folder) undo(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.kept, id)
}

func (f *Folder) write(l Letter) error {
	if err := l.check(); err != nil {
		return err
	}
	now := f.now().UTC()
	kept := Kept{ID: now.Format("20060102T150405.000") + "-" + l.id(), At: now, From: f.from, Letter: l}
	content, err := json.MarshalIndent(kept, "", "  ")
	if err != nil {
		return fmt.Errorf("keep mail: %w", err)
	}
	// The file comes at once: a letter is kept when it is there.
	temporary := f.path(kept.ID, ".tmp")
	if err := os.WriteFile(temporary, append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("keep mail: %w", err)
	}
	if err := os.Rename(temporary, f.path(kept.ID, ".json")); err != nil {
		return fmt.Errorf("keep mail: %w", err)
	}
	return nil
}

func (f *Folder) path(id, extension string) string { return filepath.Join(f.dir, id+extension) }

// List returns the newest letters first, at most limit.
func (f *Folder) List(limit int) ([]Kept, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder of mail: %w", err)
	}
	all := []Kept{}
	for _, e := range slices.Backward(entries) {
		id, isLetter := strings.CutSuffix(e.Name(), ".json")
		if !isLetter {
			continue
		}
		if len(all) == limit {
			break
		}
		kept, err := f.Get(id)
		if err != nil {
			return nil, err
		}
		all = append(all, kept)
	}
	return all, nil
}

// errNoLetter says that there is no letter of that id.
var errNoLetter = errors.New("there is no such mail")

// letterID keeps names of other files, and paths, out.
var letterID = regexp.MustCompile(`^\d{8}T\d{6}\.\d{3}-[0-9a-f]{24}$`)

// Get returns one letter.
func (f *Folder) Get(id string) (Kept, error) {
	if !letterID.MatchString(id) {
		return Kept{}, errNoLetter
	}
	content, err := os.ReadFile(f.path(id, ".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return Kept{}, errNoLetter
	}
	if err != nil {
		return Kept{}, fmt.Errorf("read mail %s: %w", id, err)
	}
	var kept Kept
	if err := json.Unmarshal(content, &kept); err != nil {
		return Kept{}, fmt.Errorf("read mail %s: %w", id, err)
	}
	return kept, nil
}
