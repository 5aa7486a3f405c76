package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
)

// evaluator computes what an expression can be from the source alone. A name that is given one of several constants
// has several values; what depends on anything else has none that are known.
type evaluator struct {
	finder *statementFinder
	depth  int
}

const (
	maxDepth  = 40
	maxValues = 64 // of one expression; more would be no list of statements but a language
)

// eval returns the values of e, strings or int64; false when they cannot be known. bound are the parameters of the
// function that e belongs to, where a call gave them.
func (v *evaluator) eval(e ast.Expr, file *sourceFile, bound map[string][]any) ([]any, bool) {
	v.depth++
	defer func() { v.depth-- }()
	if v.depth > maxDepth {
		return nil, false
	}
	switch e := e.(type) {
	case *ast.ParenExpr:
		return v.eval(e.X, file, bound)
	case *ast.BasicLit:
		return v.literal(e)
	case *ast.BinaryExpr:
		return v.binary(e, file, bound)
	case *ast.Ident:
		return v.ident(e, file, bound)
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			if pkg := v.finder.packages[file.imports[x.Name]]; pkg != nil {
				return v.global(pkg, e.Sel.Name)
			}
		}
	case *ast.CallExpr:
		return v.call(e, file, bound)
	}
	return nil, false
}

func (v *evaluator) literal(l *ast.BasicLit) ([]any, bool) {
	v.finder.used[l] = true
	switch l.Kind {
	case token.STRING:
		text, err := strconv.Unquote(l.Value)
		return []any{text}, err == nil
	case token.INT:
		n, err := strconv.ParseInt(l.Value, 0, 64)
		return []any{n}, err == nil
	}
	return nil, false
}

func (v *evaluator) binary(e *ast.BinaryExpr, file *sourceFile, bound map[string][]any) ([]any, bool) {
	left, okLeft := v.eval(e.X, file, bound)
	right, okRight := v.eval(e.Y, file, bound)
	if !okLeft || !okRight || e.Op != token.ADD || len(left)*len(right) > maxValues {
		return nil, false
	}
	var sums []any
	for _, l := range left {
		for _, r := range right {
			switch l := l.(type) {
			case string:
				sums = append(sums, l+fmt.Sprint(r))
			case int64:
				n, ok := r.(int64)
				if !ok {
					return nil, false
				}
				sums = append(sums, l+n)
			}
		}
	}
	return sums, true
}

// ident looks a name up where Go would: parameters and variables of the function, then the package.
func (v *evaluator) ident(e *ast.Ident, file *sourceFile, bound map[string][]any) ([]any, bool) {
	if values, ok := bound[e.Name]; ok {
		return values, true
	}
	if fn := v.finder.enclosing(e); fn != nil {
		if values, here, ok := v.local(fn, e.Name, file, bound); here {
			return values, ok
		}
		if i := parameter(fn, e.Name); i >= 0 {
			return v.arguments(fn, i, file)
		}
	}
	return v.global(file.pkg, e.Name)
}

func (v *evaluator) global(pkg *sourcePackage, name string) ([]any, bool) {
	value, ok := pkg.values[name]
	if !ok {
		return nil, false
	}
	return v.eval(value.value, value.file, nil)
}

// local gathers what a function's own variable or constant is set to; here is false when it has none of that name.
func (v *evaluator) local(fn *ast.FuncDecl, name string, file *sourceFile, bound map[string][]any) (values []any, here, ok bool) {
	ok = true
	add := func(e ast.Expr) {
		more, known := v.eval(e, file, bound)
		values, ok = append(values, more...), ok && known
	}
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, l := range n.Lhs {
				if id, is := l.(*ast.Ident); !is || id.Name != name {
					continue
				}
				here = true
				if n.Tok != token.ASSIGN && n.Tok != token.DEFINE || len(n.Lhs) != len(n.Rhs) {
					ok = false
					continue
				}
				add(n.Rhs[i])
			}
		case *ast.ValueSpec:
			for i, id := range n.Names {
				if id.Name == name {
					here = true
					if len(n.Values) != len(n.Names) {
						ok = false
						continue
					}
					add(n.Values[i])
				}
			}
		case *ast.RangeStmt:
			for _, e := range []ast.Expr{n.Key, n.Value} {
				if id, is := e.(*ast.Ident); is && id.Name == name {
					here, ok = true, false
				}
			}
		}
		return true
	})
	return values, here, ok
}

// parameter is the position of a named parameter, -1 when there is none.
func parameter(fn *ast.FuncDecl, name string) int {
	i := 0
	for _, field := range fn.Type.Params.List {
		for _, id := range field.Names {
			if id.Name == name {
				return i
			}
			i++
		}
	}
	return -1
}

// arguments are the values that the calls of a function give its parameter. Methods are left out: their calls cannot
// be told apart without types.
func (v *evaluator) arguments(fn *ast.FuncDecl, i int, file *sourceFile) ([]any, bool) {
	if fn.Recv != nil {
		return nil, false
	}
	var values []any
	found, ok := false, true
	for _, pkg := range v.finder.packages {
		for _, caller := range pkg.files {
			ast.Inspect(caller.File, func(n ast.Node) bool {
				call, is := n.(*ast.CallExpr)
				if !is || !v.finder.calls(call, caller, fn.Name.Name, file.pkg) || i >= len(call.Args) {
					return true
				}
				found = true
				more, known := v.eval(call.Args[i], caller, nil)
				values, ok = append(values, more...), ok && known
				return true
			})
		}
	}
	return values, found && ok
}

func (v *evaluator) call(call *ast.CallExpr, file *sourceFile, bound map[string][]any) ([]any, bool) {
	args := make([][]any, len(call.Args))
	known := true
	for i, a := range call.Args {
		values, ok := v.eval(a, file, bound)
		args[i], known = values, known && ok
	}
	if !known {
		return nil, false
	}
	if isSprintf(call) {
		return sprintf(args)
	}
	fn, ok := v.callee(call, file)
	if !ok || fn.decl.Body == nil || len(fn.decl.Body.List) != 1 {
		return nil, false
	}
	result, ok := fn.decl.Body.List[0].(*ast.ReturnStmt)
	if !ok || len(result.Results) != 1 {
		return nil, false
	}
	inner := map[string][]any{}
	for _, field := range fn.decl.Type.Params.List {
		for _, name := range field.Names {
			i := parameter(fn.decl, name.Name)
			if i >= len(args) {
				return nil, false
			}
			inner[name.Name] = args[i]
		}
	}
	return v.eval(result.Results[0], fn.file, inner)
}

func (v *evaluator) callee(call *ast.CallExpr, file *sourceFile) (function, bool) {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		fn, ok := file.pkg.funcs[fun.Name]
		return fn, ok
	case *ast.SelectorExpr:
		if x, is := fun.X.(*ast.Ident); is {
			if pkg := v.finder.packages[file.imports[x.Name]]; pkg != nil {
				fn, ok := pkg.funcs[fun.Sel.Name]
				return fn, ok
			}
		}
	}
	return function{}, false
}

// sprintf formats every combination of the arguments' values.
func sprintf(args [][]any) ([]any, bool) {
	combinations := [][]any{nil}
	for _, values := range args {
		var longer [][]any
		for _, c := range combinations {
			for _, value := range values {
				longer = append(longer, append(slices.Clone(c), value))
			}
		}
		if combinations = longer; len(combinations) > maxValues {
			return nil, false
		}
	}
	texts := make([]any, len(combinations))
	for i, c := range combinations {
		format, ok := c[0].(string)
		if !ok {
			return nil, false
		}
		texts[i] = fmt.Sprintf(format, c[1:]...)
	}
	return texts, true
}
