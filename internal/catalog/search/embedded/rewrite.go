package embedded

import (
	"context"
	"errors"
	"fmt"

	"shopd/internal/catalog/search"
)

// An index is written anew when so many of its documents are dead: their number, and as a share of the live ones.
const (
	deadAtLeast = 1000
	deadShare   = 2 // one half
)

// rewriteWhenDue writes the live index anew, without the dead documents, when there are many of them. It is a rebuild
// of which the catalogue knows nothing: what is written meanwhile goes to both, and a rebuild that begins supersedes it.
func (e *Engine) rewriteWhenDue(ctx context.Context) error {
	r, docs, err := e.beginRewrite()
	if r == nil || err != nil {
		return err
	}
	for from := 0; from < docs; from += batch {
		if ctx.Err() != nil {
			return r.Abort(ctx)
		}
		superseded, err := r.copy(uint32(from), uint32(min(from+batch, docs)))
		if err != nil {
			return errors.Join(err, r.Abort(ctx))
		}
		if superseded {
			return nil
		}
	}
	if err := r.Commit(ctx); err != nil && !errors.Is(err, search.ErrRebuildSuperseded) {
		return err
	}
	return nil
}

// beginRewrite begins a rewriting when it is due; it returns how many numbers of documents there are to look at.
func (e *Engine) beginRewrite() (*rebuild, int, error) {
	e.writing.Lock()
	defer e.writing.Unlock()
	x := e.live.Load().index // nobody writes to it now
	if e.building != nil || x.dead < deadAtLeast || x.dead < len(x.byID)/deadShare {
		return nil, 0, nil
	}
	g, err := newGeneration(e.dir, e.live.Load().number+1)
	if err != nil {
		return nil, 0, err
	}
	deleted := make([]search.Entry, 0, len(x.gone))
	for id, version := range x.gone {
		deleted = append(deleted, search.Tombstone(search.Ref{ProductID: id, Version: version}))
	}
	if err := g.write(deleted); err != nil {
		return nil, 0, errors.Join(err, g.remove())
	}
	e.building = &rebuild{engine: e, generation: g}
	return e.building, len(x.rows), nil
}

// copy writes the live ones among some documents to the new generation; superseded when another rebuild began.
func (r *rebuild) copy(from, to uint32) (superseded bool, err error) {
	e := r.engine
	e.writing.Lock()
	defer e.writing.Unlock()
	if e.building != r {
		return true, nil
	}
	old := e.live.Load()
	entries := make([]search.Entry, 0, to-from)
	for doc := from; doc < to; doc++ {
		row := &old.index.rows[doc]
		if !row.live {
			continue
		}
		b := make([]byte, row.record.length)
		if _, err := old.file.ReadAt(b, row.record.at); err != nil {
			return false, fmt.Errorf("read %s of the search index: %w", row.id, err)
		}
		entry, ok := readEntry(b)
		if !ok {
			return false, fmt.Errorf("read %s of the search index: %w", row.id, errBroken)
		}
		entries = append(entries, entry)
	}
	return false, r.generation.write(entries)
}
