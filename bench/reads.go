package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"shopd/internal/rig"
	"shopd/internal/sample"
)

const (
	storeAPI = "/api/v1/store"
	pageSize = 24
	// searchPaths is how many different searches there are.
	searchPaths = 100
	// warmUp goes before each measurement and is not part of it.
	warmUp = 500 * time.Millisecond
)

// goalProduct is the share of the bare handler's requests that the product page is to reach.
const goalProduct = 0.40

// reads measures each read beside the bare handler that answers the same bytes.
func (b *bench) reads(ctx context.Context) error {
	for _, s := range []struct {
		name  string
		what  string
		goal  float64
		paths func() ([]string, error)
	}{
		{"product", "product by slug", goalProduct, productPaths},
		{"listing", "listing of 24", 0, func() ([]string, error) { return listingPaths(ctx, b.shop) }},
		{"search", "search by " + b.engine, 0, searchTerms},
	} {
		if !b.wants(s.name) {
			continue
		}
		paths, err := s.paths()
		if err != nil {
			return err
		}
		if err := b.read(ctx, s.what, s.goal, paths); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}

func (b *bench) read(ctx context.Context, what string, goal float64, paths []string) error {
	answers, err := b.shop.record(ctx, paths)
	if err != nil {
		return err
	}
	bare, err := startBare(ctx, answers)
	if err != nil {
		return err
	}
	for _, connections := range b.connections {
		b.say(fmt.Sprintf("%s, %d connections", what, connections))
		row := newRow(what, connections, "bare handler", goal)
		for range b.rounds {
			var pair [2]figures
			for i, target := range []struct {
				addr string
				pid  int
			}{{b.shop.addr, b.shop.pid()}, {bare.addr, bare.pid()}} {
				if pair[i], err = b.measureReads(ctx, target.addr, target.pid, connections, paths); err != nil {
					return errors.Join(err, bare.close())
				}
			}
			row.add(pair[0], pair[1])
		}
		b.report.add(row)
	}
	return bare.close()
}

func (b *bench) measureReads(ctx context.Context, addr string, pid, connections int, paths []string) (figures, error) {
	work := func(w *worker) error {
		path := paths[w.rng.IntN(len(paths))]
		status, err := w.get(path)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%s answers %d: %s", path, status, w.body.Bytes())
		}
		return err
	}
	if _, err := generate(ctx, addr, connections, warmUp, work); err != nil {
		return figures{}, err
	}
	m, err := b.place.measureCPU(ctx, pid)
	if err != nil {
		return figures{}, err
	}
	l, err := generate(ctx, addr, connections, b.duration, work)
	u, cpuErr := m.end()
	if err := errors.Join(err, cpuErr); err != nil {
		return figures{}, err
	}
	if l.failures > 0 {
		return figures{}, fmt.Errorf("%d requests failed: %w", l.failures, l.firstFail)
	}
	return newFigures(l, u), nil
}

// record asks for each path once and returns the answers.
func (s *shop) record(ctx context.Context, paths []string) (map[string][]byte, error) {
	c, err := dial(ctx, s.addr)
	if err != nil {
		return nil, err
	}
	answers := make(map[string][]byte, len(paths))
	for _, path := range paths {
		status, err := c.get(path)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%s answers %d: %s", path, status, c.body.Bytes())
		}
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
		answers[path] = slices.Clone(c.body.Bytes())
	}
	return answers, c.close()
}

func productPaths() (paths []string, err error) {
	for p, err := range sample.Products() {
		if err != nil {
			return nil, err
		}
		paths = append(paths, storeAPI+"/products/"+url.PathEscape(p.Slug))
	}
	return paths, nil
}

// listingPaths are the whole shop and every category in two orders, as far as they fill a page.
func listingPaths(ctx context.Context, s *shop) (paths []string, err error) {
	type category struct {
		Slug     string
		Children []json.RawMessage
	}
	body, err := rig.Fetch(ctx, s.url+storeAPI+"/categories")
	if err != nil {
		return nil, err
	}
	var top struct{ Items []json.RawMessage }
	if err := json.Unmarshal(body, &top); err != nil {
		return nil, err
	}
	slugs := []string{""}
	for left := top.Items; len(left) > 0; left = left[1:] {
		var c category
		if err := json.Unmarshal(left[0], &c); err != nil {
			return nil, err
		}
		slugs = append(slugs, c.Slug)
		left = append(left, c.Children...)
	}
	for _, slug := range slugs {
		for _, sort := range []string{"-created_at", "price"} {
			query := url.Values{"limit": {fmt.Sprint(pageSize)}, "sort": {sort}}
			if slug != "" {
				query.Set("category", slug)
			}
			path := storeAPI + "/products?" + query.Encode()
			body, err := rig.Fetch(ctx, s.url+path)
			if err != nil {
				return nil, err
			}
			var page struct{ Items []json.RawMessage }
			if err := json.Unmarshal(body, &page); err != nil {
				return nil, err
			}
			if len(page.Items) == pageSize {
				paths = append(paths, path)
			}
		}
	}
	if len(paths) == 0 {
		return nil, errors.New("no list fills a page")
	}
	return paths, nil
}

// searchTerms look for the first words of titles.
func searchTerms() (paths []string, err error) {
	for p, err := range sample.Products() {
		if err != nil {
			return nil, err
		}
		words := strings.Fields(p.Title)
		term := strings.Join(words[:min(2, len(words))], " ")
		path := storeAPI + "/search?" + url.Values{"q": {term}, "limit": {fmt.Sprint(pageSize)}}.Encode()
		if !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
		if len(paths) == searchPaths {
			break
		}
	}
	return paths, nil
}
