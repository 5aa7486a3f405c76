package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"shopd/internal/catalog/search"
	"shopd/internal/platform/id"
)

// rebuild is an index that is being filled, in the view of the process that began it.
type rebuild struct {
	engine *Engine
	index  string
}

// Rebuild implements search.Engine.
func (e *Engine) Rebuild(ctx context.Context) (search.Rebuild, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := e.ensure(ctx); err != nil {
		return nil, search.Unavailable(err)
	}
	if err := e.removeBehind(ctx, e.names.building()); err != nil {
		return nil, search.Unavailable(err)
	}
	r := &rebuild{engine: e, index: e.names.index(id.New("b"))}
	unseen := settings()
	unseen["refresh_interval"] = "-1" // nobody searches it yet
	if err := e.create(ctx, r.index, e.names.building(), unseen); err != nil {
		return nil, search.Unavailable(err)
	}
	select {
	case <-time.After(2 * sightingAge): // until every process has seen it
	case <-ctx.Done():
		return nil, search.Unavailable(ctx.Err())
	}
	return r, nil
}

// removeBehind removes the indices behind an alias.
func (e *Engine) removeBehind(ctx context.Context, alias string) error {
	indices, err := e.behind(ctx, alias)
	if err != nil {
		return err
	}
	for _, index := range indices {
		if err := e.remove(ctx, index); err != nil {
			return err
		}
	}
	return nil
}

// behind lists the indices behind an alias.
func (e *Engine) behind(ctx context.Context, alias string) ([]string, error) {
	var found map[string]struct{}
	err := e.client.do(ctx, esapi.IndicesGetAliasRequest{Name: []string{alias}}, &found)
	if isStatus(err, http.StatusNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look behind %s: %w", alias, err)
	}
	indices := make([]string, 0, len(found))
	for index := range found {
		indices = append(indices, index)
	}
	return indices, nil
}

func (e *Engine) remove(ctx context.Context, index string) error {
	err := e.client.do(ctx, esapi.IndicesDeleteRequest{Index: []string{index}}, nil)
	if err != nil && !isKind(err, kindNoIndex) {
		return fmt.Errorf("remove %s: %w", index, err)
	}
	return nil
}

// current reports whether this is still the index that is being filled.
func (r *rebuild) current(ctx context.Context) error {
	indices, err := r.engine.behind(ctx, r.engine.names.building())
	if err != nil {
		return err
	}
	if len(indices) != 1 || indices[0] != r.index {
		return search.ErrRebuildSuperseded
	}
	return nil
}

// Write implements search.Rebuild. Should another rebuild begin between the look and the write, it gets the
// documents: they are right in any index, by their versions.
func (r *rebuild) Write(ctx context.Context, docs []search.Document) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := r.current(ctx); err != nil {
		return search.Unavailable(err)
	}
	entries, refused := search.NewEntries(docs)
	failures, err := r.engine.write(ctx, entries, r.engine.names.building(), false)
	if err != nil {
		return search.Unavailable(err)
	}
	return search.Refused(append(refused, failures...))
}

// Commit implements search.Rebuild.
func (r *rebuild) Commit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	e := r.engine
	if err := r.current(ctx); err != nil {
		return search.Unavailable(err)
	}
	if err := r.show(ctx); err != nil {
		return search.Unavailable(err)
	}
	old, err := e.behind(ctx, e.names.live())
	if err != nil {
		return search.Unavailable(err)
	}
	if err := r.exchange(ctx, old); err != nil {
		return search.Unavailable(err)
	}
	if err := e.readVocabulary(ctx); err != nil {
		e.log.WarnContext(ctx, "search vocabulary not read after a rebuild", "error", err)
	}
	return nil
}

// show makes what was written visible, and what is written from now on as soon as anywhere.
func (r *rebuild) show(ctx context.Context) error {
	body, err := encoded(object{"index": object{"refresh_interval": refreshInterval}})
	if err != nil {
		return err
	}
	if err := r.engine.client.do(ctx, esapi.IndicesPutSettingsRequest{Index: []string{r.index}, Body: body}, nil); err != nil {
		return fmt.Errorf("set the refresh interval of %s: %w", r.index, err)
	}
	return r.engine.refresh(ctx, r.index)
}

// exchange makes the new index the one that is searched, and removes the old ones, all at once. It fails when the
// new index is no longer the one being built.
func (r *rebuild) exchange(ctx context.Context, old []string) error {
	names := r.engine.names
	actions := []object{
		{"remove": object{"index": r.index, "alias": names.building(), "must_exist": true}},
		{"add": object{"index": r.index, "alias": names.live()}},
	}
	for _, index := range old {
		actions = append(actions, object{"remove_index": object{"index": index}})
	}
	body, err := encoded(object{"actions": actions})
	if err != nil {
		return err
	}
	err = r.engine.client.do(ctx, esapi.IndicesUpdateAliasesRequest{Body: body}, nil)
	if isKind(err, kindNoAlias) || isKind(err, kindNoIndex) {
		return search.ErrRebuildSuperseded.Wrap(err)
	}
	return err
}

// Abort implements search.Rebuild.
func (r *rebuild) Abort(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	err := r.current(ctx)
	if err == nil {
		return search.Unavailable(r.engine.remove(ctx, r.index))
	}
	if errors.Is(err, search.ErrRebuildSuperseded) {
		return nil
	}
	return search.Unavailable(err)
}
