// Package embedded is a search.Engine inside the process: an index in memory, kept in a directory that no other process
// uses.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"shopd/internal/catalog/search"
)

// vocabularyInterval is how often the words of a changed index are read.
const vocabularyInterval = 2 * time.Second

// Engine is a search index. Use Open.
type Engine struct {
	searcher search.Searcher
	dir      string
	log      *slog.Logger
	lock     *os.File

	live       atomic.Pointer[generation]
	vocabulary atomic.Pointer[search.Vocabulary]
	changed    atomic.Bool // since the vocabulary was read

	writing  sync.Mutex // held while an index is written or exchanged
	building *rebuild   // nil when none is under way

	stop    context.CancelFunc
	stopped chan struct{}
	reading sync.Mutex // held while the vocabulary is read
}

var _ search.Engine = (*Engine)(nil)

// Open opens the index in dir, or makes an empty one, also in the place of one that cannot be read: Count tells.
// It fails when another process has the index open. Close the engine.
func Open(dir string, log *slog.Logger) (*Engine, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the search index: %w", err)
	}
	held, err := lock(dir)
	if err != nil {
		return nil, err
	}
	g, err := openCurrent(dir, log)
	if err != nil {
		return nil, errors.Join(err, held.Close())
	}
	e := &Engine{dir: dir, log: log, lock: held, stopped: make(chan struct{})}
	e.searcher = search.Searcher{Backend: e}
	e.live.Store(g)
	e.changed.Store(true)
	ctx, cancel := context.WithCancel(context.Background())
	e.stop = cancel
	go e.learn(ctx)
	return e, nil
}

// Close implements search.Engine.
func (e *Engine) Close() error {
	e.stop()
	<-e.stopped
	e.writing.Lock()
	defer e.writing.Unlock()
	var err error
	if e.building != nil {
		err = e.building.generation.remove()
		e.building = nil
	}
	return errors.Join(err, e.live.Load().close(), e.lock.Close())
}

// learn reads the vocabulary whenever the index has changed, until ctx ends.
func (e *Engine) learn(ctx context.Context) {
	defer close(e.stopped)
	tick := time.NewTicker(vocabularyInterval)
	defer tick.Stop()
	for {
		if err := e.readVocabulary(); err != nil {
			e.log.ErrorContext(ctx, "search vocabulary not read", "error", err)
		}
		if err := e.rewriteWhenDue(ctx); err != nil {
			e.log.ErrorContext(ctx, "search index not written anew", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (e *Engine) readVocabulary() error {
	e.reading.Lock()
	defer e.reading.Unlock()
	if !e.changed.Swap(false) {
		return nil
	}
	g := e.live.Load()
	g.mu.RLock()
	counts := g.index.words()
	g.mu.RUnlock()
	v, err := search.NewVocabulary(counts)
	if err != nil {
		e.changed.Store(true)
		return err
	}
	e.vocabulary.Store(v)
	return nil
}

// Upsert implements search.Engine.
func (e *Engine) Upsert(ctx context.Context, docs []search.Document) error {
	entries, refused := search.NewEntries(docs)
	if err := e.write(ctx, entries); err != nil {
		return err
	}
	return search.Refused(refused)
}

// Delete implements search.Engine.
func (e *Engine) Delete(ctx context.Context, refs []search.Ref) error {
	entries := make([]search.Entry, len(refs))
	for i, r := range refs {
		entries[i] = search.Tombstone(r)
	}
	return e.write(ctx, entries)
}

// write stores entries in the live index, and in the one that is being built.
func (e *Engine) write(ctx context.Context, entries []search.Entry) error {
	if err := ctx.Err(); err != nil || len(entries) == 0 {
		return err
	}
	e.writing.Lock()
	defer e.writing.Unlock()
	if err := e.live.Load().write(entries); err != nil {
		return search.Unavailable(err)
	}
	e.changed.Store(true)
	if e.building == nil {
		return nil
	}
	return search.Unavailable(e.building.generation.write(entries))
}

// Search implements search.Engine.
func (e *Engine) Search(ctx context.Context, q search.Query) (search.Result, error) {
	return e.searcher.Search(ctx, q)
}

// Suggest implements search.Engine.
func (e *Engine) Suggest(ctx context.Context, prefix string, limit int) (search.Suggestions, error) {
	return e.searcher.Suggest(ctx, prefix, limit)
}

// Execute implements search.Backend.
func (e *Engine) Execute(ctx context.Context, r *search.Request) (page *search.Page, err error) {
	err = e.with(ctx, r.Plan, func(g *generation, run *run) error {
		page = run.page(r)
		return g.fill(page.Hits)
	})
	return page, err
}

// Complete implements search.Backend.
func (e *Engine) Complete(ctx context.Context, c *search.Completion) (done *search.Completed, err error) {
	err = e.with(ctx, c.Plan, func(g *generation, run *run) error {
		var page *search.Page
		page, done = run.complete(c)
		if err := g.fill(page.Hits); err != nil {
			return err
		}
		for i := range page.Hits {
			done.Hits = append(done.Hits, page.Hits[i].Hit)
		}
		return nil
	})
	return done, err
}

// with calls f with a plan that was carried out on the live index.
func (e *Engine) with(ctx context.Context, plan *search.Plan, f func(*generation, *run) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for {
		g := e.live.Load()
		g.mu.RLock()
		if e.live.Load() != g { // exchanged, and perhaps closed
			g.mu.RUnlock()
			continue
		}
		defer g.mu.RUnlock()
		r := begin(g.index, plan)
		defer r.end()
		r.find()
		return f(g, r)
	}
}

// Vocabulary implements search.Backend.
func (e *Engine) Vocabulary() *search.Vocabulary { return e.vocabulary.Load() }

// Missing implements search.Engine.
func (e *Engine) Missing(_ context.Context, refs []search.Ref) ([]search.Ref, error) {
	g := e.live.Load()
	g.mu.RLock()
	defer g.mu.RUnlock()
	var missing []search.Ref
	for _, r := range refs {
		if v, ok := g.index.version(r.ProductID); !ok || v < r.Version {
			missing = append(missing, r)
		}
	}
	return missing, nil
}

// Ping implements search.Engine.
func (e *Engine) Ping(context.Context) error { return nil }

// Count implements search.Engine.
func (e *Engine) Count(context.Context) (int, error) {
	g := e.live.Load()
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.index.byID), nil
}

// Refresh implements search.Engine. Writes are visible when they return; only the vocabulary comes later.
func (e *Engine) Refresh(context.Context) error { return search.Unavailable(e.readVocabulary()) }
