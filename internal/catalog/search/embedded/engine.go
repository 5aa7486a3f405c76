// Package embedded is a search.Engine inside the process: a bleve index in a directory that no other process uses.
package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/blevesearch/bleve/v2"

	"shopd/internal/catalog/search"
)

// vocabularyInterval is how often the words of a changed index are read.
const vocabularyInterval = 2 * time.Second

// Engine is a search index on disk. Use Open.
type Engine struct {
	searcher search.Searcher
	dir      string
	log      *slog.Logger

	live       atomic.Pointer[generation]
	vocabulary atomic.Pointer[knowledge]
	changed    atomic.Bool // since the vocabulary was read

	writing  sync.Mutex // held while an index is written or exchanged
	building *rebuild   // nil when none is under way

	stop    context.CancelFunc
	stopped chan struct{}
	reading sync.Mutex // held while the vocabulary is read
}

var _ search.Engine = (*Engine)(nil)

// knowledge is what is read from an index in the background.
type knowledge struct {
	words      *search.Vocabulary
	statistics statistics
}

// Open opens the index in dir, or makes an empty one, also in the place of one that cannot be read: Count tells.
// It fails when another process has the index open. Close the engine.
func Open(dir string, log *slog.Logger) (*Engine, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the search index: %w", err)
	}
	g, err := openCurrent(dir, log)
	if err != nil {
		return nil, err
	}
	e := &Engine{dir: dir, log: log, stopped: make(chan struct{})}
	e.searcher = search.Searcher{Backend: e}
	e.live.Store(g)
	e.vocabulary.Store(&knowledge{})
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
	return errors.Join(err, e.live.Load().index.Close())
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
	k, err := readKnowledge(e.live.Load().index)
	if err != nil {
		e.changed.Store(true)
		return err
	}
	e.vocabulary.Store(k)
	return nil
}

func readKnowledge(idx bleve.Index) (*knowledge, error) {
	var counts []search.WordCount
	err := eachTerm(idx, search.FieldVocabulary, func(word string, documents uint64) {
		counts = append(counts, search.WordCount{Word: word, Count: int(documents)}) //nolint:gosec // a number of documents
	})
	if err != nil {
		return nil, err
	}
	words, err := search.NewVocabulary(counts)
	if err != nil {
		return nil, err
	}
	documents, err := idx.DocCount()
	if err != nil {
		return nil, fmt.Errorf("count the documents: %w", err)
	}
	k := &knowledge{words: words, statistics: make(statistics, len(search.TextFields))}
	for _, field := range search.TextFields {
		var postings uint64
		if err := eachTerm(idx, field, func(_ string, n uint64) { postings += n }); err != nil {
			return nil, err
		}
		k.statistics[field] = float64(postings) / float64(max(documents, 1))
	}
	return k, nil
}

// eachTerm calls f with the terms of a field and the number of documents that have them.
func eachTerm(idx bleve.Index, field string, f func(term string, documents uint64)) (err error) {
	dict, err := idx.FieldDict(field)
	if err != nil {
		return fmt.Errorf("read the terms of %s: %w", field, err)
	}
	defer func() { err = cmp.Or(err, dict.Close()) }()
	for {
		entry, err := dict.Next()
		if err != nil {
			return fmt.Errorf("read the terms of %s: %w", field, err)
		}
		if entry == nil {
			return nil
		}
		f(entry.Term, entry.Count)
	}
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
	if err := write(e.live.Load().index, entries); err != nil {
		return search.Unavailable(err)
	}
	e.changed.Store(true)
	if e.building == nil {
		return nil
	}
	return search.Unavailable(write(e.building.generation.index, entries))
}

// Search implements search.Engine.
func (e *Engine) Search(ctx context.Context, q search.Query) (search.Result, error) {
	return e.searcher.Search(ctx, q)
}

// Suggest implements search.Engine.
func (e *Engine) Suggest(ctx context.Context, prefix string, limit int) (search.Suggestions, error) {
	return e.searcher.Suggest(ctx, prefix, limit)
}

// Vocabulary implements search.Backend.
func (e *Engine) Vocabulary() *search.Vocabulary { return e.vocabulary.Load().words }

// Ping implements search.Engine.
func (e *Engine) Ping(context.Context) error {
	_, err := e.live.Load().index.DocCount()
	return search.Unavailable(err)
}

// Count implements search.Engine.
func (e *Engine) Count(ctx context.Context) (int, error) {
	page, err := e.Execute(ctx, &search.Request{Plan: &search.Plan{}, Sort: search.SortRelevance})
	if err != nil {
		return 0, search.Unavailable(err)
	}
	return page.Total, nil
}

// Refresh implements search.Engine. Writes are visible when they return; only the vocabulary comes later.
func (e *Engine) Refresh(context.Context) error { return search.Unavailable(e.readVocabulary()) }
