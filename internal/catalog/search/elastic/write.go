package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"shopd/internal/catalog/search"
)

// maxBulkBytes is from which size on a bulk request is sent.
const maxBulkBytes = 4 << 20

// Upsert implements search.Engine.
func (e *Engine) Upsert(ctx context.Context, docs []search.Document) error {
	entries, refused := search.NewEntries(docs)
	failures, err := e.writeLive(ctx, entries)
	if err != nil {
		return search.Unavailable(err)
	}
	return search.Refused(append(refused, failures...))
}

// Delete implements search.Engine.
func (e *Engine) Delete(ctx context.Context, refs []search.Ref) error {
	entries := make([]search.Entry, len(refs))
	for i, r := range refs {
		entries[i] = search.Tombstone(r)
	}
	failures, err := e.writeLive(ctx, entries)
	if err != nil {
		return search.Unavailable(err)
	}
	return search.Refused(failures)
}

// writeLive stores entries in the index that is searched, and in the one that a rebuild fills; once more when the
// index behind the alias was exchanged in that moment, or lost.
func (e *Engine) writeLive(ctx context.Context, entries []search.Entry) ([]search.Failure, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	failures, err := e.writeLiveOnce(ctx, entries)
	if isKind(err, kindNoIndex) {
		e.ensured.Store(false)
		return e.writeLiveOnce(ctx, entries)
	}
	return failures, err
}

func (e *Engine) writeLiveOnce(ctx context.Context, entries []search.Entry) ([]search.Failure, error) {
	if err := e.ensure(ctx); err != nil {
		return nil, err
	}
	building, err := e.isBuilding(ctx)
	if err != nil {
		return nil, err
	}
	return e.write(ctx, entries, e.names.live(), building)
}

// sighting is when it was last looked whether a rebuild is under way.
type sighting struct {
	at       time.Time
	building bool
}

// sightingAge is how long a sighting counts. A rebuild waits longer than that before its caller reads what to write:
// by then every process writes to both indices.
const sightingAge = 500 * time.Millisecond

// isBuilding reports whether a rebuild is under way.
func (e *Engine) isBuilding(ctx context.Context) (bool, error) {
	now := time.Now()
	if s := e.sighted.Load(); s != nil && now.Sub(s.at) < sightingAge {
		return s.building, nil
	}
	building, err := e.aliasExists(ctx, e.names.building())
	if err != nil {
		return false, err
	}
	e.sighted.Store(&sighting{at: now, building: building})
	return building, nil
}

// write sends entries to an alias, and to the building one, in requests of a moderate size.
func (e *Engine) write(ctx context.Context, entries []search.Entry, alias string, building bool) ([]search.Failure, error) {
	var failures []search.Failure
	var body bytes.Buffer
	send := func() error {
		if body.Len() == 0 {
			return nil
		}
		refused, err := e.bulk(ctx, body.Bytes())
		failures = append(failures, refused...)
		body.Reset()
		return err
	}
	for i := range entries {
		line, err := json.Marshal(source(&entries[i]))
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", entries[i].ID, err)
		}
		if err := appendAction(&body, alias, &entries[i], line); err != nil {
			return nil, err
		}
		if building {
			if err := appendAction(&body, e.names.building(), &entries[i], line); err != nil {
				return nil, err
			}
		}
		if body.Len() >= maxBulkBytes {
			if err := send(); err != nil {
				return nil, err
			}
		}
	}
	return failures, send()
}

// appendAction appends the two lines that store an entry unless a newer version is there. require_alias keeps
// Elasticsearch from making an index of its own when ours was removed.
func appendAction(b *bytes.Buffer, alias string, e *search.Entry, source []byte) error {
	action, err := json.Marshal(object{"index": object{
		"_index": alias, "_id": e.ID, "require_alias": true, "version": e.Version, "version_type": "external_gte",
	}})
	if err != nil {
		return fmt.Errorf("encode the action for %s: %w", e.ID, err)
	}
	b.Write(action)
	b.WriteByte('\n')
	b.Write(source)
	b.WriteByte('\n')
	return nil
}

type bulkAnswer struct {
	Errors bool `json:"errors"`
	Items  []struct {
		Index struct {
			Index  string `json:"_index"`
			ID     string `json:"_id"`
			Status int    `json:"status"`
			Error  struct {
				Type   string `json:"type"`
				Reason string `json:"reason"`
			} `json:"error"`
		} `json:"index"`
	} `json:"items"`
}

// bulk sends a bulk request. Documents that will never be accepted are returned; an error means to try all again.
func (e *Engine) bulk(ctx context.Context, body []byte) ([]search.Failure, error) {
	var answer bulkAnswer
	err := e.client.do(ctx, esapi.BulkRequest{
		Body: bytes.NewReader(body), FilterPath: []string{"errors", "items.index._index", "items.index._id", "items.index.status", "items.index.error.type", "items.index.error.reason"},
	}, &answer)
	if err != nil || !answer.Errors {
		return nil, err
	}
	var refused []search.Failure
	for _, item := range answer.Items {
		i := &item.Index
		failure := &answerError{status: i.Status, kind: i.Error.Type, reason: i.Error.Reason}
		switch {
		case i.Status < http.StatusMultipleChoices || i.Error.Type == kindConflict:
		case i.Error.Type == kindNoIndex && i.Index == e.names.building():
			// The rebuild ended since it was seen.
		case i.Status == http.StatusBadRequest:
			refused = append(refused, search.Failure{ProductID: i.ID, Err: failure})
		default:
			return nil, failure
		}
	}
	return refused, nil
}
