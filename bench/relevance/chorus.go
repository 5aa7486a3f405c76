// Package relevance measures how well a search engine finds: it fills the engine with a catalogue of real products, asks
// queries that people have judged answers of, and tells how near the answers come to the best possible ones.
//
// The data are the Chorus electronics data set in the form of a folder with products.jsonl.gz and dev.jsonl.gz. They
// are no part of this repository.
package relevance

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"shopd/internal/catalog/search"
)

// The files of a data folder.
const (
	productsFile = "products.jsonl.gz"
	queriesFile  = "dev.jsonl.gz"
)

// product is a line of the products.
type product struct {
	ID          string         `json:"id"`
	Title       string         `json:"title"`
	Brand       string         `json:"brand"`
	EANs        []string       `json:"ean"`
	Description string         `json:"description"`
	PriceCents  int64          `json:"price_cents"`
	Released    string         `json:"released"`
	Category    string         `json:"category"`
	Group       string         `json:"category_group"`
	Attributes  map[string]any `json:"attrs"`
}

// Products reads the catalogue of a data folder as a merchant would bring it into the shop: the number of a product is
// its SKU, the attributes have their names without the letter for their type, and nothing is added to the texts.
func Products(dir string) ([]search.Document, error) {
	var docs []search.Document
	err := eachLine(filepath.Join(dir, productsFile), func(line []byte) error {
		var p product
		if err := json.Unmarshal(line, &p); err != nil {
			return err
		}
		d, err := p.document()
		docs = append(docs, d)
		return err
	})
	return docs, err
}

func (p *product) document() (search.Document, error) {
	d := search.Document{
		ProductID: p.ID, Title: p.Title, Description: p.Description, Brand: p.Brand, SKUs: []string{p.ID}, GTINs: p.EANs,
		Attributes: make(map[string][]string, len(p.Attributes)), Price: p.PriceCents, InStock: true,
		Status: search.StatusActive, Version: 1,
	}
	for _, name := range []string{p.Category, p.Group} {
		d.CategoryIDs = append(d.CategoryIDs, "cat_"+strings.ReplaceAll(strings.ToLower(name), " ", "_"))
		d.CategoryNames = append(d.CategoryNames, name)
	}
	if p.Released != "" {
		released, err := time.Parse(time.DateOnly, p.Released)
		if err != nil {
			return d, err
		}
		d.CreatedAt = released
	}
	for key, value := range p.Attributes {
		text, err := attributeText(value)
		if err != nil {
			return d, fmt.Errorf("attribute %s: %w", key, err)
		}
		d.Attributes[attributeName(key)] = text
	}
	payload, err := json.Marshal(map[string]any{"id": p.ID, "title": p.Title, "price": p.PriceCents})
	d.Payload = payload
	return d, err
}

// attributeName makes a name of a key: "n_cable_length" is "Cable length".
func attributeName(key string) string {
	_, name, _ := strings.Cut(key, "_")
	name = strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r == '_' }), " ")
	if name == "" {
		return key
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// attributeText is a value as text; a list with commas and no spaces is many values.
func attributeText(value any) ([]string, error) {
	switch v := value.(type) {
	case string:
		if strings.Contains(v, ", ") {
			return []string{v}, nil
		}
		return strings.Split(v, ","), nil
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}, nil
	case bool:
		if v {
			return []string{"Yes"}, nil
		}
		return []string{"No"}, nil
	}
	return nil, fmt.Errorf("a %T is no value", value)
}

// Query is a query with the grades of its judged answers, from 0 for wrong to 3 for just right.
type Query struct {
	ID        string         `json:"qid"`
	Set       string         `json:"set"`
	Kind      string         `json:"kind"`
	Text      string         `json:"query"`
	Clean     string         `json:"clean"` // the text without its spelling mistake, where it has one
	Judgments map[string]int `json:"judgments"`
	Closed    bool           `json:"closed"` // what is not judged is wrong
	Ignore    []string       `json:"ignore"` // products of which nobody can tell
}

// Queries reads the queries of a data folder.
func Queries(dir string) ([]Query, error) {
	var all []Query
	err := eachLine(filepath.Join(dir, queriesFile), func(line []byte) error {
		var q Query
		err := json.Unmarshal(line, &q)
		all = append(all, q)
		return err
	})
	return all, err
}

// familySize is how many queries that stand beside one another go to the same half: near ones are neighbours.
const familySize = 8

// Half returns the queries of the first or the second half, alike in kinds: rules made while looking at one half are
// proved by the other.
func Half(queries []Query, second bool) []Query {
	seen := make(map[string]int)
	var kept []Query
	for _, q := range queries {
		odd := seen[q.Set]/familySize%2 == 1
		seen[q.Set]++
		if odd == second {
			kept = append(kept, q)
		}
	}
	return kept
}

const maxLineBytes = 16 << 20

func eachLine(path string, f func(line []byte) error) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	lines := bufio.NewReaderSize(unzipped, maxLineBytes)
	for number := 1; ; number++ {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			if err := f(line); err != nil {
				return fmt.Errorf("%s, line %d: %w", path, number, err)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s, line %d: %w", path, number, err)
		}
	}
}
