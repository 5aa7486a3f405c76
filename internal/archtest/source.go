package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// sourceRule confines the use of some names of a package to some files.
type sourceRule struct {
	name string
	// pkg is the import path of the package whose names are confined.
	pkg string
	// confined tells which of its names.
	confined func(name string) bool
	// allows tells where they may be used.
	allows func(p Package, file string) bool
	reason string
}

var sourceRules = []sourceRule{
	{
		name:     "settings-come-from-config",
		pkg:      "os",
		confined: func(name string) bool { return slices.Contains([]string{"Getenv", "LookupEnv", "ExpandEnv"}, name) },
		allows: func(p Package, _ string) bool {
			at := placeOf(p.Path)
			// The embedded services find the user's directories (XDG_…), which are not settings of shopd.
			return p.Name == "main" || slices.Contains([]string{"config", "embedded", "testenv"}, at.name) && at.layer == platform
		},
		reason: "only commands and platform/config read the environment; pass the value in",
	},
	{
		name:     "database-errors-stay-in-stores",
		pkg:      "github.com/jackc/pgx/v5/pgconn",
		confined: func(name string) bool { return strings.HasSuffix(name, "Error") },
		allows:   inStore,
		reason:   "a store turns database errors into errors of its domain; use platform/postgres",
	},
	{
		name:     "database-errors-stay-in-stores",
		pkg:      "github.com/jackc/pgx/v5",
		confined: func(name string) bool { return strings.HasPrefix(name, "Err") },
		allows: func(p Package, file string) bool {
			return inStore(p, file) || placeOf(p.Path).layer == platform
		},
		reason: "a store turns database errors into errors of its domain",
	},
}

func inStore(p Package, file string) bool {
	return file == "store.go" || strings.HasPrefix(file, "store_") || placeOf(p.Path) == place{platform, "postgres"}
}

// CheckSource applies the rules on which file may use what. Tests may use everything.
func CheckSource(packages []Package) ([]Violation, error) {
	var found []Violation
	for _, p := range packages {
		for _, name := range p.Files {
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, fmt.Errorf("read the source of %s: %w", p.Path, err)
			}
			for _, rule := range sourceRules {
				if rule.allows(p, name) {
					continue
				}
				for _, use := range rule.uses(file) {
					where := fmt.Sprintf("%s/%s:%d", p.Path, name, files.Position(use.Pos()).Line)
					found = append(found, Violation{rule.name, where, use.Sel.Name + ": " + rule.reason})
				}
			}
		}
	}
	return found, nil
}

// uses finds the confined names in a file.
func (r sourceRule) uses(file *ast.File) []*ast.SelectorExpr {
	local := localName(file, r.pkg)
	if local == "" {
		return nil
	}
	var found []*ast.SelectorExpr
	ast.Inspect(file, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && x.Name == local && r.confined(selector.Sel.Name) {
			found = append(found, selector)
		}
		return true
	})
	return found
}

// localName is what a file calls an imported package, empty when it does not import it.
func localName(file *ast.File, path string) string {
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil || imported != path {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		if strings.HasSuffix(path, "/pgx/v5") {
			return "pgx" // the last element is a major version
		}
		return path[strings.LastIndex(path, "/")+1:]
	}
	return ""
}
