// Package elastic is a search.Engine on Elasticsearch 8, for any number of processes that share an index.
package elastic

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"shopd/internal/catalog/search"
)

// Config is what an Engine needs.
type Config struct {
	URLs []string // nodes of one cluster; user and password may be part of them
	// Prefix begins the names of all indices and aliases; letters, digits and hyphens, in lower case.
	Prefix string
	Log    *slog.Logger
}

const (
	// writeTimeout bounds a bulk write and what a rebuild asks for.
	writeTimeout = 30 * time.Second
	// adminTimeout bounds small requests.
	adminTimeout = 2 * time.Second
	// vocabularyInterval is how often the words of the index are read.
	vocabularyInterval = 30 * time.Second
)

// Engine is a search index on Elasticsearch. Use Open.
type Engine struct {
	searcher search.Searcher
	client   *client
	names    names
	log      *slog.Logger

	ensured       atomic.Bool // the index was there when last asked for
	sighted       atomic.Pointer[sighting]
	vocabulary    atomic.Pointer[search.Vocabulary]
	vocabularySum atomic.Uint64

	stop    context.CancelFunc
	stopped chan struct{}
}

var _ search.Engine = (*Engine)(nil)

// Open makes an engine. It does not wait for Elasticsearch: until that answers, every call fails with
// search.ErrUnavailable. Close the engine.
func Open(c Config) (*Engine, error) {
	client, err := newClient(c.URLs)
	if err != nil {
		return nil, err
	}
	e := &Engine{client: client, names: names{prefix: c.Prefix}, log: c.Log, stopped: make(chan struct{})}
	e.searcher = search.Searcher{Backend: e}
	ctx, cancel := context.WithCancel(context.Background())
	e.stop = cancel
	go e.learn(ctx)
	return e, nil
}

// Close implements search.Engine.
func (e *Engine) Close() error {
	e.stop()
	<-e.stopped
	return e.client.close()
}

// learn reads the vocabulary from time to time, until ctx ends; more often as long as there is none.
func (e *Engine) learn(ctx context.Context) {
	defer close(e.stopped)
	for {
		wait := vocabularyInterval
		if err := e.refreshVocabulary(ctx); err != nil && ctx.Err() == nil && !isKind(err, kindNoIndex) {
			e.log.WarnContext(ctx, "search vocabulary not read", "error", err)
		}
		if e.vocabulary.Load().Len() == 0 {
			wait = time.Second
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (e *Engine) refreshVocabulary(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return e.readVocabulary(ctx)
}

// Vocabulary implements search.Backend.
func (e *Engine) Vocabulary() *search.Vocabulary { return e.vocabulary.Load() }

// ensure makes the first index unless there is one. Of several processes that try, one succeeds.
func (e *Engine) ensure(ctx context.Context) error {
	if e.ensured.Load() {
		return nil
	}
	exists, err := e.aliasExists(ctx, e.names.live())
	if err != nil {
		return err
	}
	if !exists {
		err = e.create(ctx, e.names.index(firstIndex), e.names.live(), settings())
		if err != nil && !isKind(err, kindExists) {
			return err
		}
	}
	e.ensured.Store(true)
	return nil
}

func (e *Engine) create(ctx context.Context, index, alias string, settings object) error {
	body, err := encoded(definition(alias, settings))
	if err != nil {
		return err
	}
	return e.client.do(ctx, esapi.IndicesCreateRequest{Index: index, Body: body}, nil)
}

func (e *Engine) aliasExists(ctx context.Context, alias string) (bool, error) {
	err := e.client.do(ctx, esapi.IndicesExistsAliasRequest{Name: []string{alias}}, nil)
	if isStatus(err, http.StatusNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Search implements search.Engine.
func (e *Engine) Search(ctx context.Context, q search.Query) (search.Result, error) {
	return e.searcher.Search(ctx, q)
}

// Suggest implements search.Engine.
func (e *Engine) Suggest(ctx context.Context, prefix string, limit int) (search.Suggestions, error) {
	return e.searcher.Suggest(ctx, prefix, limit)
}

// Missing implements search.Engine. It sees what was written at once.
func (e *Engine) Missing(ctx context.Context, refs []search.Ref) ([]search.Ref, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	wanted := make([]string, len(refs))
	for i, r := range refs {
		wanted[i] = r.ProductID
	}
	body, err := encoded(object{"ids": wanted})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Docs []struct {
			ID      string `json:"_id"`
			Version int64  `json:"_version"`
			Found   bool   `json:"found"`
			Error   struct {
				Type   string `json:"type"`
				Reason string `json:"reason"`
			} `json:"error"`
		} `json:"docs"`
	}
	err = e.client.do(ctx, esapi.MgetRequest{
		Index: e.names.live(), Body: body, StoredFields: []string{"_none_"},
		FilterPath: []string{"docs._id", "docs._version", "docs.found", "docs.error.type", "docs.error.reason"},
	}, &answer)
	if isKind(err, kindNoIndex) {
		return refs, nil
	}
	if err != nil {
		return nil, search.Unavailable(err)
	}
	stored := make(map[string]int64, len(answer.Docs))
	for _, d := range answer.Docs {
		if d.Error.Type != "" && d.Error.Type != kindNoIndex {
			return nil, search.Unavailable(&answerError{kind: d.Error.Type, reason: d.Error.Reason})
		}
		if d.Found {
			stored[d.ID] = d.Version
		}
	}
	return slices.DeleteFunc(slices.Clone(refs), func(r search.Ref) bool {
		v, ok := stored[r.ProductID]
		return ok && v >= r.Version
	}), nil
}

// Ping implements search.Engine.
func (e *Engine) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	return search.Unavailable(e.client.do(ctx, esapi.ClusterHealthRequest{}, nil))
}

// Count implements search.Engine.
func (e *Engine) Count(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	body, err := encoded(object{"query": planned(&search.Plan{})})
	if err != nil {
		return 0, err
	}
	var answer struct{ Count int }
	err = e.client.do(ctx, esapi.CountRequest{Index: []string{e.names.live()}, Body: body}, &answer)
	if isKind(err, kindNoIndex) {
		return 0, nil
	}
	return answer.Count, search.Unavailable(err)
}

// Refresh implements search.Engine.
func (e *Engine) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := e.ensure(ctx); err != nil {
		return search.Unavailable(err)
	}
	if err := e.refresh(ctx, e.names.live()); err != nil {
		return search.Unavailable(err)
	}
	return search.Unavailable(e.readVocabulary(ctx))
}

func (e *Engine) refresh(ctx context.Context, index string) error {
	if err := e.client.do(ctx, esapi.IndicesRefreshRequest{Index: []string{index}}, nil); err != nil {
		return fmt.Errorf("refresh %s: %w", index, err)
	}
	return nil
}
