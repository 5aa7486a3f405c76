package embedded

import (
	"context"

	"shopd/internal/catalog/search"
)

// rebuild is the index that is being filled.
type rebuild struct {
	engine     *Engine
	generation *generation
}

// Rebuild implements search.Engine.
func (e *Engine) Rebuild(context.Context) (search.Rebuild, error) {
	e.writing.Lock()
	defer e.writing.Unlock()
	if e.building != nil {
		if err := e.building.generation.remove(); err != nil {
			return nil, search.Unavailable(err)
		}
		e.building = nil
	}
	g, err := newGeneration(e.dir, e.live.Load().number+1)
	if err != nil {
		return nil, search.Unavailable(err)
	}
	e.building = &rebuild{engine: e, generation: g}
	return e.building, nil
}

// Write implements search.Rebuild.
func (r *rebuild) Write(ctx context.Context, docs []search.Document) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, refused := search.NewEntries(docs)
	r.engine.writing.Lock()
	defer r.engine.writing.Unlock()
	if r.engine.building != r {
		return search.ErrRebuildSuperseded
	}
	if err := r.generation.write(entries); err != nil {
		return search.Unavailable(err)
	}
	return search.Refused(refused)
}

// Commit implements search.Rebuild.
func (r *rebuild) Commit(context.Context) error {
	e := r.engine
	e.writing.Lock()
	defer e.writing.Unlock()
	if e.building != r {
		return search.ErrRebuildSuperseded
	}
	if err := setCurrent(e.dir, r.generation); err != nil {
		return search.Unavailable(err)
	}
	old := e.live.Swap(r.generation)
	e.building = nil
	e.changed.Store(true)
	if err := old.remove(); err != nil {
		e.log.Error("old search index not removed", "error", err)
	}
	return nil
}

// Abort implements search.Rebuild.
func (r *rebuild) Abort(context.Context) error {
	e := r.engine
	e.writing.Lock()
	defer e.writing.Unlock()
	if e.building != r {
		return nil
	}
	e.building = nil
	return search.Unavailable(r.generation.remove())
}
