package errs_test

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/errors.md again")

const (
	root = "../../.."
	page = root + "/docs/errors.md"
)

// code is a row of the page.
type code struct {
	name     string
	statuses map[int]bool
	detail   string
	rank     int // of the place that detail comes from: the lower, the better
	places   map[string]bool
}

// catalogue is what the sources say.
type catalogue struct {
	statuses map[string]int // by the name of the kind
	codes    map[string]*code
	fields   map[string]map[string]bool // code to places
}

func TestErrorsPageIsFresh(t *testing.T) {
	t.Parallel()
	want := read(t).page()
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(want), 0o644))
	}
	have, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, want, string(have), "docs/errors.md is stale: go test ./internal/platform/errs -update")
}

// TestCodesKeepTheirKind holds for callers who go by the status: a code that comes with two statuses says nothing.
func TestCodesKeepTheirKind(t *testing.T) {
	t.Parallel()
	for _, c := range read(t).codes {
		require.Len(t, c.statuses, 1, "%s in %v", c.name, slices.Sorted(maps.Keys(c.places)))
	}
}

func read(t *testing.T) *catalogue {
	t.Helper()
	c := &catalogue{statuses: statusesOfKinds(t), codes: map[string]*code{}, fields: map[string]map[string]bool{}}
	err := filepath.WalkDir(filepath.Join(root, "internal"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			// Fakes and suites repeat codes of others; the storefront answers with pages.
			if name == "testdata" || name == "web" || name == "storefront" || strings.HasSuffix(name, "test") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(filepath.Join(root, "internal"), filepath.Dir(path))
		c.add(file, filepath.ToSlash(dir))
		return err
	})
	require.NoError(t, err)
	require.Greater(t, len(c.codes), 40, "the sources were not found")
	return c
}

// statusesOfKinds reads httpx's map of kinds to statuses, which it keeps to itself.
func statusesOfKinds(t *testing.T) map[string]int {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "internal/platform/httpx/problem.go"), nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	statuses := map[string]int{}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && v.Names[0].Name == "statusOf" {
			for _, e := range v.Values[0].(*ast.CompositeLit).Elts {
				pair := e.(*ast.KeyValueExpr)
				status, err := strconv.Atoi(pair.Value.(*ast.BasicLit).Value)
				require.NoError(t, err)
				statuses[pair.Key.(*ast.SelectorExpr).Sel.Name] = status
			}
		}
		return true
	})
	require.NotEmpty(t, statuses)
	return statuses
}

// add gathers what a file of the package in dir says.
func (c *catalogue) add(file *ast.File, dir string) {
	exported := map[ast.Expr]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			c.addFrameworkCodes(n, dir)
			for i, v := range n.Values {
				if i < len(n.Names) && n.Names[i].IsExported() {
					exported[innermost(v)] = true
				}
			}
		case *ast.CallExpr:
			c.addNew(n, dir, exported[n])
		case *ast.CompositeLit:
			c.addField(n, dir)
		case *ast.AssignStmt:
			if s, ok := n.Lhs[0].(*ast.SelectorExpr); ok && s.Sel.Name == "Code" && dir == "platform/httpx" {
				c.noteField(text(n.Rhs[0]), dir)
			}
		}
		return true
	})
}

// innermost is New(…) of New(…).With…(…).
func innermost(e ast.Expr) ast.Expr {
	for {
		call, ok := e.(*ast.CallExpr)
		if !ok {
			return e
		}
		s, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || s.Sel.Name == "New" {
			return e
		}
		if _, ok := s.X.(*ast.CallExpr); !ok {
			return e
		}
		e = s.X
	}
}

func (c *catalogue) addNew(call *ast.CallExpr, dir string, exported bool) {
	if len(call.Args) != 3 {
		return
	}
	kind := ""
	switch fn := call.Fun.(type) {
	case *ast.SelectorExpr:
		k, ok := call.Args[0].(*ast.SelectorExpr)
		if x, isIdent := fn.X.(*ast.Ident); ok && isIdent && x.Name == "errs" && fn.Sel.Name == "New" {
			kind = k.Sel.Name
		}
	case *ast.Ident:
		if k, ok := call.Args[0].(*ast.Ident); ok && dir == "platform/errs" && fn.Name == "New" {
			kind = k.Name
		}
	}
	status, known := c.statuses[kind]
	if !known {
		return
	}
	rank := 0
	if !exported {
		rank += 2
	}
	if !strings.HasPrefix(dir, "platform/") {
		rank++
	}
	c.note(text(call.Args[1]), status, text(call.Args[2]), dir, rank)
}

// addFrameworkCodes reads the codes that httpx gives to what huma finds wrong by itself.
func (c *catalogue) addFrameworkCodes(v *ast.ValueSpec, dir string) {
	if dir != "platform/httpx" || v.Names[0].Name != "frameworkCodes" {
		return
	}
	for _, e := range v.Values[0].(*ast.CompositeLit).Elts {
		pair := e.(*ast.KeyValueExpr)
		status, err := strconv.Atoi(pair.Key.(*ast.BasicLit).Value)
		if err == nil {
			c.note(text(pair.Value), status, "", dir, 3)
		}
	}
}

func (c *catalogue) note(name string, status int, detail, dir string, rank int) {
	have := c.codes[name]
	if have == nil {
		have = &code{name: name, statuses: map[int]bool{}, places: map[string]bool{}, rank: 9}
		c.codes[name] = have
	}
	have.statuses[status] = true
	have.places[dir] = true
	if rank < have.rank && detail != "" {
		have.detail, have.rank = detail, rank
	}
}

// addField gathers the codes of what is wrong in single fields.
func (c *catalogue) addField(lit *ast.CompositeLit, dir string) {
	name := ""
	switch typ := lit.Type.(type) {
	case *ast.SelectorExpr:
		name = typ.Sel.Name
	case *ast.Ident:
		name = typ.Name
	}
	if name != "Field" && name != "ProblemField" && name != "RowProblem" && name != "" {
		return
	}
	for i, e := range lit.Elts {
		pair, keyed := e.(*ast.KeyValueExpr)
		switch {
		case keyed:
			if k, ok := pair.Key.(*ast.Ident); ok && k.Name == "Code" {
				c.noteField(text(pair.Value), dir)
			}
		case i == 1 && name == "RowProblem":
			c.noteField(text(e), dir)
		}
	}
}

func (c *catalogue) noteField(name, dir string) {
	if name == "" {
		return
	}
	if c.fields[name] == nil {
		c.fields[name] = map[string]bool{}
	}
	c.fields[name][dir] = true
}

// text is the value of a string literal, also of one that is put together; what is not literal becomes "…".
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		if err == nil {
			return s
		}
	case *ast.BinaryExpr:
		left, right := text(e.X), text(e.Y)
		if left+right != "" {
			return cmp.Or(left, "…") + cmp.Or(right, "…")
		}
	}
	return ""
}

const head = `# Errors

Generated from the sources; ` + "`go test ./internal/platform/errs -update`" + ` writes it again.

Every error of the API is ` + "`application/problem+json`" + ` (RFC 9457). ` + "`code`" + ` is stable: decide by it, not by ` + "`detail`" + `, which
is written for people and may change. ` + "`type`" + ` is ` + "`urn:shopd:problem:<code>`" + `. An answer that makes sense to repeat has
` + "`Retry-After`" + ` in seconds. What is not yours answers like what does not exist: 404.

`

// page is docs/errors.md.
func (c *catalogue) page() string {
	var b strings.Builder
	b.WriteString(head + "## Codes\n\n| code | status | what it says | from |\n|---|---|---|---|\n")
	list := slices.SortedFunc(maps.Values(c.codes), func(a, b *code) int { return strings.Compare(a.name, b.name) })
	for _, e := range list {
		for status := range e.statuses {
			fmt.Fprintf(&b, "| `%s` | %d | %s | %s |\n", e.name, status, cmp.Or(e.detail, http.StatusText(status)+"."), places(e.places))
		}
	}
	b.WriteString("\n## Codes of single fields\n\nIn `errors[]` of a problem, beside the `pointer` to what is meant, and in the error file of an import. A problem with one\nfield often has that field's code itself.\n\n| code | from |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(c.fields)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, places(c.fields[name]))
	}
	return b.String()
}

func places(set map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(set)), ", ") }
