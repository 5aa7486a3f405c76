// Package model runs trained recommendation models: it reads a directory with an ONNX graph and its manifest, refuses
// what is not whole, and answers histories with items. It needs no database and no network.
package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
)

// Graph computes the output of a model's graph. It is safe for concurrent use.
type Graph interface {
	Run(input []float32) (output []float32, err error)
}

// Loader reads a graph with this input and output.
type Loader func(file []byte, input, output Tensor) (Graph, error)

// ErrNotFinite is what a model answers that computed something which is no number.
var ErrNotFinite = errors.New("the model computed a score that is not a number")

// Model answers histories with items. It does not change, and is safe for concurrent use.
type Model struct {
	Manifest
	graph  Graph
	skus   []string
	index  map[string]int
	golden []golden
	// popular are all items, most sold first: the answer to those about whom nothing is known.
	popular []int
	sales   []float64
	items   *items
	pool    sync.Pool
}

// Scored is an item with its score. Scores of different models, and of different histories, do not compare.
type Scored struct {
	Item  string
	Score float64
}

// vocabulary is the file of that name.
type vocabulary struct {
	Items []string  `json:"items"`
	Sales []float64 `json:"sales"`
}

// Open reads the model in a directory. It refuses a directory whose files are missing, damaged, swapped or do not fit
// together; see Verify for what it computes.
func Open(dir string, load Loader) (*Model, error) {
	m, err := OpenFS(os.DirFS(dir), load)
	if err != nil {
		return nil, fmt.Errorf("read the model in %s: %w", dir, err)
	}
	return m, nil
}

// OpenFS is Open for a directory that is somewhere else, such as in an archive.
func OpenFS(dir fs.FS, load Loader) (*Model, error) {
	manifest, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	m := &Model{Manifest: *manifest}
	if err := m.read(dir, load); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Model) read(dir fs.FS, load Loader) error {
	files := map[string][]byte{}
	for name := range m.Files {
		raw, err := m.readFile(dir, name)
		if err != nil {
			return err
		}
		files[name] = raw
	}
	if err := m.readVocabulary(files[m.Vocabulary]); err != nil {
		return fmt.Errorf("%s: %w", m.Vocabulary, err)
	}
	var err error
	if m.Kind == Reranker {
		if m.items, err = readItems(files[m.Items], files[m.Vocabulary], len(m.skus)); err != nil {
			return fmt.Errorf("%s: %w", m.Items, err)
		}
	}
	m.pool.New = func() any { return newScratch(len(m.skus)) }
	if m.golden, err = readGolden(files[m.Golden]); err != nil {
		return fmt.Errorf("%s: %w", m.Golden, err)
	}
	if m.graph, err = load(files[m.Graph.File], m.Graph.Input, m.Graph.Output); err != nil {
		return fmt.Errorf("%s: %w", m.Graph.File, err)
	}
	return nil
}

func (m *Model) readVocabulary(raw []byte) error {
	v := vocabulary{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return err
	}
	if len(v.Items) == 0 || len(v.Items) != m.Data.Items || len(v.Sales) != len(v.Items) {
		return fmt.Errorf("%d items and %d sales, where the manifest speaks of %d", len(v.Items), len(v.Sales), m.Data.Items)
	}
	m.skus, m.sales, m.index = v.Items, v.Sales, make(map[string]int, len(v.Items))
	for i, sku := range v.Items {
		if _, twice := m.index[sku]; twice {
			return fmt.Errorf("item %q is there twice", sku)
		}
		m.index[sku] = i
	}
	m.popular = best(v.Sales, make([]int, len(v.Items)), len(v.Items))
	return nil
}

// Recommend returns up to k items for a history, oldest first, best first, none of them in the history. Items that the
// model does not know are left out of account, and of an item that is there more than once the first time counts. A
// history that tells nothing is answered with what sells most. ErrNotFinite says that the model cannot be trusted.
func (m *Model) Recommend(history []string, k int) ([]Scored, error) {
	known := m.known(history)
	k = min(k, len(m.skus)-len(known))
	if k <= 0 {
		return nil, nil
	}
	if len(known) == 0 {
		list := make([]Scored, k)
		for i := range list {
			list[i] = Scored{Item: m.skus[m.popular[i]], Score: m.sales[m.popular[i]]}
		}
		return list, nil
	}
	if m.Kind == Reranker {
		return m.rerank(known, k)
	}
	return m.factorise(known, k)
}

// known are the distinct items of a history that the model knows.
func (m *Model) known(history []string) []int {
	known, seen := make([]int, 0, min(len(history), len(m.skus))), make(map[int]bool, len(history))
	for _, sku := range history {
		if i, ok := m.index[sku]; ok && !seen[i] {
			seen[i] = true
			known = append(known, i)
		}
	}
	return known
}

// Knows reports whether the model knows an item of a history.
func (m *Model) Knows(history []string) bool {
	return slices.ContainsFunc(history, func(sku string) bool { _, ok := m.index[sku]; return ok })
}

// SKUs are the items that the model knows.
func (m *Model) SKUs() []string { return slices.Clone(m.skus) }

func (m *Model) factorise(history []int, k int) ([]Scored, error) {
	input := make([]float32, len(m.skus))
	for _, h := range history {
		input[h] = 1
	}
	output, err := m.run(input)
	if err != nil {
		return nil, err
	}
	scores, inHistory := widen(output), map[int]bool{}
	for _, h := range history {
		inHistory[h] = true
	}
	list := make([]Scored, 0, k)
	for _, i := range best(scores, make([]int, len(scores)), len(scores)) {
		if len(list) == k {
			break
		}
		if !inHistory[i] {
			list = append(list, Scored{Item: m.skus[i], Score: scores[i]})
		}
	}
	return list, nil
}

func (m *Model) rerank(history []int, k int) ([]Scored, error) {
	candidates, input := m.items.features(history, m.Graph.Input.Shape[0], &m.pool)
	for i, f := range m.Features {
		for at := i; at < len(candidates)*len(m.Features); at += len(m.Features) {
			input[at] = min(max((input[at]-f.Mean)/f.Spread, -m.Clip), m.Clip)
		}
	}
	output, err := m.run(input)
	if err != nil {
		return nil, err
	}
	scores := widen(output[:len(candidates)])
	order := best(scores, make([]int, len(scores)), min(k, len(scores)))
	list := make([]Scored, len(order), k)
	for i, c := range order {
		list[i] = Scored{Item: m.skus[candidates[c]], Score: scores[c]}
	}
	return m.fill(list, history, candidates, k), nil
}

// fill adds what sells most to a list that is longer than there are candidates.
func (m *Model) fill(list []Scored, history, candidates []int, k int) []Scored {
	if len(list) == k {
		return list
	}
	known := map[int]bool{}
	for _, i := range slices.Concat(history, candidates) {
		known[i] = true
	}
	score := 0.0
	if len(list) > 0 {
		score = list[len(list)-1].Score
	}
	for _, i := range m.popular {
		if len(list) == k {
			break
		}
		if !known[i] {
			score--
			list = append(list, Scored{Item: m.skus[i], Score: score})
		}
	}
	return list
}

// run computes the output and finds what is no number in it.
func (m *Model) run(input []float32) ([]float32, error) {
	output, err := m.graph.Run(input)
	if err != nil {
		return nil, err
	}
	for _, v := range output {
		if !finite(v) {
			return nil, ErrNotFinite
		}
	}
	return output, nil
}
