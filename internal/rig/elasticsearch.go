package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// DeleteIndices removes the search indices whose names begin with prefix, each by its name: a wildcard may be forbidden.
func DeleteIndices(ctx context.Context, elastic, prefix string) error {
	body, err := Fetch(ctx, elastic+"/_cat/indices/"+prefix+"*?format=json&h=index&expand_wildcards=all")
	if err != nil {
		return err
	}
	var indices []struct{ Index string }
	if err := json.Unmarshal(body, &indices); err != nil {
		return err
	}
	var failures []error
	for _, i := range indices {
		failures = append(failures, deleteIndex(ctx, elastic+"/"+i.Index))
	}
	return errors.Join(failures...)
}

func deleteIndex(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodDelete, address, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		err = fmt.Errorf("DELETE %s answers %s", address, response.Status)
	}
	return errors.Join(err, response.Body.Close())
}
