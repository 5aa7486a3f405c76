package model

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
)

// Format is the layout of model directories that this version reads.
const Format = 1

// ManifestFile is the one file of a model directory that has a fixed name: it names the others.
const ManifestFile = "manifest.json"

// Kind says how a model comes from a history to scores.
type Kind string

// The kinds.
const (
	// Factorisation takes a history as ones among zeros for all items and scores all items.
	Factorisation Kind = "factorisation"
	// Reranker scores candidates, which relations between items choose, by their features.
	Reranker Kind = "reranker"
)

// Manifest says what a model is, what it was made of and how to tell that it is whole.
type Manifest struct {
	Format  int    `json:"format"`
	Name    string `json:"name"`
	Kind    Kind   `json:"kind"`
	Version string `json:"version"`
	// Data is what it was trained on.
	Data struct {
		Source    string `json:"source"`
		From      string `json:"from"`
		Until     string `json:"until"`
		Customers int    `json:"customers"`
		Orders    int    `json:"orders"`
		Items     int    `json:"items"`
	} `json:"data"`
	Graph struct {
		File   string `json:"file"`
		Input  Tensor `json:"input"`
		Output Tensor `json:"output"`
	} `json:"graph"`
	// Vocabulary names the file with the items in the order that the graph numbers them.
	Vocabulary string `json:"vocabulary"`
	// Golden names the file with histories and what the trainer got for them.
	Golden string `json:"golden"`
	// Items names the file with relations and numbers of items; only a Reranker has it.
	Items string `json:"items,omitempty"`
	// Features are the columns of a Reranker's input, in order.
	Features []Feature `json:"features,omitempty"`
	// Clip bounds features after they are normalised.
	Clip float32 `json:"clip,omitempty"`
	// Files has every file of the directory but this one.
	Files map[string]File `json:"files"`
	// Metrics are what the trainer measured, by model and kind of task.
	Metrics json.RawMessage `json:"metrics"`
}

// Tensor is an input or output of the graph. Its shape is fixed.
type Tensor struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
}

// Feature is a column of a Reranker's input: the graph sees (value-mean)/spread.
type Feature struct {
	Name   string  `json:"name"`
	Mean   float32 `json:"mean"`
	Spread float32 `json:"spread"`
}

// File tells whether a file is the one that was written.
type File struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// maxFile bounds what is read into memory.
const maxFile = 256 << 20

// readManifest reads and checks the manifest of a directory, but none of the files that it names.
func readManifest(dir fs.FS) (*Manifest, error) {
	raw, err := readLimited(dir, ManifestFile)
	if err != nil {
		return nil, err
	}
	m := &Manifest{}
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	return m, m.check()
}

// check finds what the manifest itself can be wrong about.
func (m *Manifest) check() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(ManifestFile+": "+format, args...))
	}
	if m.Format != Format {
		return fmt.Errorf("%s: format %d; this version of shopd reads format %d", ManifestFile, m.Format, Format)
	}
	if m.Version == "" {
		wrong("no version")
	}
	for role, name := range map[string]string{"graph": m.Graph.File, "vocabulary": m.Vocabulary, "golden": m.Golden} {
		if m.Files[name].SHA256 == "" {
			wrong("the %s %q is not among the files", role, name)
		}
	}
	for name := range m.Files {
		if name != filepath.Base(name) {
			wrong("%q is not a name of a file in the directory", name)
		}
	}
	in, out := m.Graph.Input.Shape, m.Graph.Output.Shape
	if len(in) != 2 || len(out) != 2 || in[0] < 1 || in[1] < 1 || in[0] != out[0] {
		wrong("input %v and output %v are not tables with the same number of rows", in, out)
		return errors.Join(errs...)
	}
	switch m.Kind {
	case Factorisation:
		if in[0] != 1 || in[1] != out[1] || in[1] != m.Data.Items {
			wrong("input %v and output %v are not one row of the %d items", in, out, m.Data.Items)
		}
	case Reranker:
		errs = append(errs, m.checkFeatures()...)
	default:
		wrong("kind %q is not known", m.Kind)
	}
	return errors.Join(errs...)
}

// checkFeatures checks what only a Reranker has.
func (m *Manifest) checkFeatures() []error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(ManifestFile+": "+format, args...))
	}
	if m.Files[m.Items].SHA256 == "" {
		wrong("the items %q are not among the files", m.Items)
	}
	if m.Graph.Input.Shape[1] != len(m.Features) || m.Graph.Output.Shape[1] != 1 {
		wrong("input %v and output %v are not %d features and a score", m.Graph.Input.Shape, m.Graph.Output.Shape, len(m.Features))
	}
	if len(m.Features) != len(featureNames) {
		wrong("%d features; this version of shopd computes %d", len(m.Features), len(featureNames))
		return errs
	}
	for i, f := range m.Features {
		if f.Name != featureNames[i] {
			wrong("feature %d is %q; this version of shopd computes %q", i, f.Name, featureNames[i])
		}
		if !(f.Spread > 0) || !finite(f.Spread) || !finite(f.Mean) {
			wrong("feature %q cannot be normalised by mean %v and spread %v", f.Name, f.Mean, f.Spread)
		}
	}
	if !(m.Clip > 0) {
		wrong("clip is %v", m.Clip)
	}
	return errs
}

// readFile reads one file of the directory and checks that it is the one that was written.
func (m *Manifest) readFile(dir fs.FS, name string) ([]byte, error) {
	raw, err := readLimited(dir, name)
	if err != nil {
		return nil, err
	}
	want := m.Files[name]
	if int64(len(raw)) != want.Bytes {
		return nil, fmt.Errorf("%s has %d bytes, not %d: it is truncated or another file", name, len(raw), want.Bytes)
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != want.SHA256 {
		return nil, fmt.Errorf("%s has another checksum than the manifest says: it is damaged or another file", name)
	}
	return raw, nil
}

func readLimited(dir fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(dir, name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes; a model's file has at most %d", name, info.Size(), maxFile)
	}
	return fs.ReadFile(dir, name)
}

func finite(v float32) bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }
