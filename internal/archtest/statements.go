package archtest

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Statement is one SQL statement that the source can send, as far as it follows from constants.
type Statement struct {
	// Package is the path of the package that sends it, relative to the module.
	Package string
	// Where is the file and line of its use.
	Where string
	// Func is the function that sends it, empty for one in a declaration of the package.
	Func string
	// SQL is the text. It is empty for an Open statement.
	SQL string
	// Open says that the text depends on values of the running program.
	Open bool
}

// startsSQL recognises a statement by its first words; prose rarely begins like that.
var startsSQL = regexp.MustCompile(`(?is)^\s*(select\s|insert\s+into\s|update\s+\S+(\s+as\s+\w+|\s+\w+)?\s+set\s|delete\s+from\s|with\s+\w+(\s*\([^)]*\))?\s+as\s+(materialized\s+)?\()`)

// FindStatements returns the SQL statements of the packages, in the order of their places. Concatenations, fmt.Sprintf of
// constants, and functions that only return such an expression are evaluated; what depends on more is Open. A literal
// that looks like SQL and is part of no statement is an error: it would go unchecked.
func FindStatements(module string, packages []Package) ([]Statement, error) {
	f := &statementFinder{
		module: module, files: token.NewFileSet(), packages: map[string]*sourcePackage{}, parents: map[ast.Node]ast.Node{}, used: map[ast.Expr]bool{},
	}
	for _, p := range packages {
		if err := f.read(p); err != nil {
			return nil, err
		}
	}
	literals := f.literals()
	roots := map[ast.Expr]*sourceFile{}
	for _, l := range literals {
		f.climb(l.expr, l.file, roots, 0)
	}
	var found []Statement
	for root, file := range roots {
		found = append(found, f.statements(root, file)...)
	}
	var missed []string
	for _, l := range literals {
		if !f.used[l.expr] {
			missed = append(missed, f.where(l.expr, l.file))
		}
	}
	if len(missed) > 0 {
		slices.Sort(missed)
		return nil, fmt.Errorf("these look like SQL and are part of no statement that can be found: %s", strings.Join(missed, ", "))
	}
	slices.SortFunc(found, func(a, b Statement) int { return cmp.Or(cmp.Compare(a.Where, b.Where), cmp.Compare(a.SQL, b.SQL)) })
	return slices.Compact(found), nil
}

// statementFinder knows the source of all packages by name.
type statementFinder struct {
	module   string
	files    *token.FileSet
	packages map[string]*sourcePackage
	parents  map[ast.Node]ast.Node
	used     map[ast.Expr]bool // literals that are part of a statement
}

type sourcePackage struct {
	path   string
	files  []*sourceFile
	values map[string]named // package-level constants and variables
	funcs  map[string]function
}

type sourceFile struct {
	*ast.File
	name    string
	pkg     *sourcePackage
	imports map[string]string // local name → path relative to the module
}

type named struct {
	value ast.Expr
	file  *sourceFile
}

type function struct {
	decl *ast.FuncDecl
	file *sourceFile
}

type literal struct {
	expr *ast.BasicLit
	file *sourceFile
}

func (f *statementFinder) read(p Package) error {
	pkg := &sourcePackage{path: p.Path, values: map[string]named{}, funcs: map[string]function{}}
	f.packages[p.Path] = pkg
	for _, name := range p.Files {
		parsed, err := parser.ParseFile(f.files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("read the source of %s: %w", p.Path, err)
		}
		file := &sourceFile{File: parsed, name: name, pkg: pkg, imports: map[string]string{}}
		pkg.files = append(pkg.files, file)
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				continue
			}
			if own, ok := strings.CutPrefix(path, f.module+"/"); ok {
				file.imports[cmp.Or(importName(spec), own[strings.LastIndex(own, "/")+1:])] = own
			}
		}
		f.index(file)
	}
	return nil
}

func importName(spec *ast.ImportSpec) string {
	if spec.Name == nil {
		return ""
	}
	return spec.Name.Name
}

// index notes the parents of all nodes, and the declarations of the package.
func (f *statementFinder) index(file *sourceFile) {
	var stack []ast.Node
	ast.Inspect(file.File, func(n ast.Node) bool {
		if n == nil {
			stack = stack[:len(stack)-1]
			return true
		}
		if len(stack) > 0 {
			f.parents[n] = stack[len(stack)-1]
		}
		stack = append(stack, n)
		return true
	})
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				file.pkg.funcs[d.Name.Name] = function{d, file}
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if s, ok := spec.(*ast.ValueSpec); ok && len(s.Values) == len(s.Names) {
					for i, name := range s.Names {
						file.pkg.values[name.Name] = named{s.Values[i], file}
					}
				}
			}
		}
	}
}

// literals are the string literals that begin like a statement.
func (f *statementFinder) literals() []literal {
	var found []literal
	for _, pkg := range f.packages {
		for _, file := range pkg.files {
			ast.Inspect(file.File, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
					if text, err := strconv.Unquote(l.Value); err == nil && startsSQL.MatchString(text) {
						found = append(found, literal{l, file})
					}
				}
				return true
			})
		}
	}
	return found
}

// maxClimb bounds the way from a literal to the call that sends it: names of names of names end somewhere.
const maxClimb = 12

// climb follows the beginning of a statement to the expressions in which it is whole: up concatenations and Sprintf,
// through names to where they are used, out of functions to where they are called.
func (f *statementFinder) climb(e ast.Expr, file *sourceFile, roots map[ast.Expr]*sourceFile, depth int) {
	if depth > maxClimb {
		return
	}
	switch parent := f.parents[e].(type) {
	case *ast.ParenExpr:
		f.climb(parent, file, roots, depth)
	case *ast.BinaryExpr:
		if parent.Op == token.ADD && parent.X == e {
			f.climb(parent, file, roots, depth)
		}
	case *ast.CallExpr:
		if isSprintf(parent) && parent.Args[0] == e {
			f.climb(parent, file, roots, depth)
			return
		}
		roots[e] = file
	case *ast.ValueSpec:
		f.climbUses(parent.Names[slices.Index(parent.Values, e)], file, roots, depth)
	case *ast.AssignStmt:
		if i := slices.Index(parent.Rhs, e); i >= 0 && i < len(parent.Lhs) && parent.Tok != token.ADD_ASSIGN {
			if name, ok := parent.Lhs[i].(*ast.Ident); ok {
				f.climbUses(name, file, roots, depth)
			}
		}
	case *ast.ReturnStmt:
		if fn := f.enclosing(parent); fn != nil && fn.Recv == nil {
			f.climbCalls(fn.Name.Name, file.pkg, roots, depth)
		}
	default:
		roots[e] = file
	}
}

// climbUses goes on from every use of a name, in its function or, where it is the package's, everywhere.
func (f *statementFinder) climbUses(name *ast.Ident, file *sourceFile, roots map[ast.Expr]*sourceFile, depth int) {
	if fn := f.enclosing(name); fn != nil {
		f.eachUse(fn, name, func(use *ast.Ident) { f.climb(use, file, roots, depth+1) })
		return
	}
	for _, other := range file.pkg.files {
		f.eachUse(other.File, name, func(use *ast.Ident) { f.climb(use, other, roots, depth+1) })
	}
}

// eachUse calls do for the places below n that read the name.
func (f *statementFinder) eachUse(n ast.Node, name *ast.Ident, do func(*ast.Ident)) {
	ast.Inspect(n, func(n ast.Node) bool {
		use, ok := n.(*ast.Ident)
		if !ok || use.Name != name.Name || use == name {
			return true
		}
		switch p := f.parents[use].(type) {
		case *ast.AssignStmt:
			if slices.Contains(p.Lhs, ast.Expr(use)) {
				return true
			}
		case *ast.SelectorExpr, *ast.ValueSpec, *ast.KeyValueExpr, *ast.Field:
			if spec, ok := p.(*ast.ValueSpec); ok && slices.Contains(spec.Values, ast.Expr(use)) {
				break
			}
			if pair, ok := p.(*ast.KeyValueExpr); ok && pair.Value == use {
				break
			}
			return true
		}
		do(use)
		return true
	})
}

// climbCalls goes on from every call of a function of the package.
func (f *statementFinder) climbCalls(name string, of *sourcePackage, roots map[ast.Expr]*sourceFile, depth int) {
	for _, pkg := range f.packages {
		for _, file := range pkg.files {
			ast.Inspect(file.File, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && f.calls(call, file, name, of) {
					f.climb(call, file, roots, depth+1)
				}
				return true
			})
		}
	}
}

// calls reports whether call, in file, is of the function name of the package of.
func (f *statementFinder) calls(call *ast.CallExpr, file *sourceFile, name string, of *sourcePackage) bool {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return fun.Name == name && file.pkg == of
	case *ast.SelectorExpr:
		x, ok := fun.X.(*ast.Ident)
		return ok && fun.Sel.Name == name && file.imports[x.Name] == of.path
	}
	return false
}

// enclosing is the declared function around n; nil at the level of the package.
func (f *statementFinder) enclosing(n ast.Node) *ast.FuncDecl {
	for ; n != nil; n = f.parents[n] {
		if fn, ok := n.(*ast.FuncDecl); ok {
			return fn
		}
	}
	return nil
}

func (f *statementFinder) where(n ast.Node, file *sourceFile) string {
	return fmt.Sprintf("%s/%s:%d", file.pkg.path, file.name, f.files.Position(n.Pos()).Line)
}

// statements evaluates a whole statement to the texts it can have.
func (f *statementFinder) statements(root ast.Expr, file *sourceFile) []Statement {
	s := Statement{Package: file.pkg.path, Where: f.where(root, file)}
	if fn := f.enclosing(root); fn != nil {
		s.Func = fn.Name.Name
	}
	values, ok := (&evaluator{finder: f}).eval(root, file, nil)
	if !ok {
		s.Open = true
		return []Statement{s}
	}
	all := make([]Statement, len(values))
	for i, v := range values {
		all[i] = s
		all[i].SQL = fmt.Sprint(v)
	}
	return all
}

func isSprintf(call *ast.CallExpr) bool {
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := fun.X.(*ast.Ident)
	return ok && x.Name == "fmt" && fun.Sel.Name == "Sprintf" && len(call.Args) > 0
}
