package testenv

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
)

var sweepElasticsearch sync.Once

// Elasticsearch returns the server's URL and a prefix for the test's indices and aliases. Indices whose names start
// with it are deleted when the test ends.
func Elasticsearch(t testing.TB) (url, indexPrefix string) {
	t.Helper()
	needsService(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	url = strings.TrimSuffix(setting("SHOPD_TEST_ELASTICSEARCH_URL", "http://127.0.0.1:19200"), "/")
	if _, err := call(ctx, http.MethodGet, url+"/_cluster/health", nil); err != nil {
		missing(t, "Elasticsearch", url, err)
	}
	sweepElasticsearch.Do(func() {
		if err := deleteIndices(ctx, url, prefix, stale); err != nil {
			t.Logf("remove indices of earlier runs: %v", err)
		}
	})
	indexPrefix = newName()
	cleanup(t, "indices "+indexPrefix, func(ctx context.Context) error {
		return deleteIndices(ctx, url, indexPrefix, func(string) bool { return true })
	})
	return url, indexPrefix
}

// deleteIndices removes the indices whose names start with start and are chosen. One by one, because Elasticsearch
// refuses to delete by wildcard.
func deleteIndices(ctx context.Context, url, start string, chosen func(name string) bool) error {
	body, err := call(ctx, http.MethodGet, url+"/_cat/indices/"+start+"*?format=json&h=index&expand_wildcards=all", nil)
	if err != nil {
		return err
	}
	var indices []struct{ Index string }
	if err := json.Unmarshal(body, &indices); err != nil {
		return err
	}
	for _, index := range indices {
		if !chosen(index.Index) {
			continue
		}
		if _, err := call(ctx, http.MethodDelete, url+"/"+index.Index+"?ignore_unavailable=true", nil); err != nil {
			return err
		}
	}
	return nil
}
