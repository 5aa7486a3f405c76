// Package archtest checks the boundaries of the house: who may import whom, and which knowledge stays where. The rules
// are those of docs/architecture.md; the test beside it applies them to this module, and to a small broken one to show
// that each rule can go red.
package archtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Package is one package of the module as the go command sees it.
type Package struct {
	// Path is the import path relative to the module: "internal/orders".
	Path string
	// Name is the name in the package clause.
	Name string
	// Dir is where its files are.
	Dir string
	// Files are the names of its Go files without tests, whatever their build tags.
	Files []string
	// Imports are the packages of the same module that it imports, relative to the module.
	Imports []string
	// TestImports are those that only its tests import.
	TestImports []string
}

// Load lists the packages of the module that holds dir. Packages that do not compile are listed too.
func Load(ctx context.Context, dir string) ([]Package, error) {
	const fields = "ImportPath,Name,Dir,Module,GoFiles,CgoFiles,IgnoredGoFiles,Imports,TestImports,XTestImports"
	command := exec.CommandContext(ctx, "go", "list", "-e", "-json="+fields, "./...")
	command.Dir = dir
	var failure bytes.Buffer
	command.Stderr = &failure
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w: %s", dir, err, failure.String())
	}
	var packages []Package
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var listed listedPackage
		err := decoder.Decode(&listed)
		if errors.Is(err, io.EOF) {
			return packages, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the answer of go list: %w", err)
		}
		packages = append(packages, listed.relative())
	}
}

// listedPackage is the part of go list's answer that the rules need.
type listedPackage struct {
	ImportPath, Name, Dir              string
	Module                             struct{ Path string }
	GoFiles, CgoFiles, IgnoredGoFiles  []string
	Imports, TestImports, XTestImports []string
}

func (l listedPackage) relative() Package {
	p := Package{
		Path:        strings.TrimPrefix(l.ImportPath, l.Module.Path+"/"),
		Name:        l.Name,
		Dir:         l.Dir,
		Imports:     l.own(l.Imports),
		TestImports: l.own(slices.Concat(l.TestImports, l.XTestImports)),
	}
	for _, file := range slices.Concat(l.GoFiles, l.CgoFiles, l.IgnoredGoFiles) {
		if !strings.HasSuffix(file, "_test.go") {
			p.Files = append(p.Files, filepath.Base(file))
		}
	}
	return p
}

// own keeps the imports from the module itself, without repetition.
func (l listedPackage) own(imports []string) []string {
	var own []string
	for _, path := range imports {
		if rest, ok := strings.CutPrefix(path, l.Module.Path+"/"); ok {
			own = append(own, rest)
		}
	}
	slices.Sort(own)
	return slices.Compact(own)
}
