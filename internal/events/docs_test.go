package events_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	root = "../.."
	page = root + "/docs/events.md"
)

// member is a field of a payload as it stands in JSON.
type member struct{ name, kind, comment string }

// declaration is an event as its source declares it.
type declaration struct {
	goName, routing, doc, aggregate string
	members                         []member
}

// source is what the files of the package declare.
type source struct {
	structs    map[string]*ast.TypeSpec
	docs       map[string]string
	routings   map[string]string // Go type to routing key
	aggregates map[string]string // Go type to what its Aggregate says
}

func TestEventsPageIsFresh(t *testing.T) {
	t.Parallel()
	want := render(t)
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(want), 0o644))
	}
	have, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, want, string(have), "docs/events.md is stale: go test ./internal/events -update")
}

// declared returns the events of the package by routing key.
func declared(t *testing.T) map[string]declaration {
	t.Helper()
	s := parse(t)
	found := map[string]declaration{}
	for goName, routing := range s.routings {
		aggregate := s.aggregates[goName]
		for _, f := range s.structs[goName].Type.(*ast.StructType).Fields.List {
			if embedded, ok := f.Type.(*ast.Ident); ok && len(f.Names) == 0 && aggregate == "" {
				aggregate = s.aggregates[embedded.Name]
			}
		}
		found[routing] = declaration{goName: goName, routing: routing, doc: s.docs[goName], aggregate: aggregate, members: s.members(goName)}
	}
	require.NotEmpty(t, found)
	return found
}

func parse(t *testing.T) source {
	t.Helper()
	s := source{map[string]*ast.TypeSpec{}, map[string]string{}, map[string]string{}, map[string]string{}}
	paths, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					typ, ok := spec.(*ast.TypeSpec)
					if !ok {
						continue
					}
					if _, ok := typ.Type.(*ast.StructType); ok {
						s.structs[typ.Name.Name], s.docs[typ.Name.Name] = typ, sentence(typ.Name.Name, d.Doc.Text())
					}
				}
			case *ast.FuncDecl:
				s.addMethod(d)
			}
		}
	}
	return s
}

// addMethod notes what the Type and Aggregate methods say: the one in its value, the other in its comment.
func (s source) addMethod(d *ast.FuncDecl) {
	if d.Recv == nil {
		return
	}
	receiver, ok := d.Recv.List[0].Type.(*ast.Ident)
	if !ok {
		return
	}
	switch d.Name.Name {
	case "Type":
		if value, ok := d.Body.List[0].(*ast.ReturnStmt).Results[0].(*ast.BasicLit); ok {
			s.routings[receiver.Name], _ = strconv.Unquote(value.Value)
		}
	case "Aggregate":
		s.aggregates[receiver.Name] = strings.TrimSuffix(sentence("Aggregate is", d.Doc.Text()), ".")
	}
}

// sentence is a comment on one line, without the name it begins with.
func sentence(name, doc string) string {
	return strings.TrimSpace(strings.TrimPrefix(strings.Join(strings.Fields(doc), " "), name))
}

func (s source) members(goName string) []member {
	var list []member
	for _, f := range s.structs[goName].Type.(*ast.StructType).Fields.List {
		if len(f.Names) == 0 {
			list = append(list, s.members(f.Type.(*ast.Ident).Name)...)
			continue
		}
		tag, _ := strconv.Unquote(f.Tag.Value)
		name, rest, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		kind := s.kind(f.Type)
		if strings.Contains(rest, "omitempty") {
			kind += ", may be missing"
		}
		list = append(list, member{name, kind, strings.TrimSpace(f.Comment.Text())})
	}
	return list
}

// kind is a Go type in words of JSON.
func (s source) kind(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return s.kind(e.X)
	case *ast.ArrayType:
		return "list of " + s.kind(e.Elt)
	case *ast.SelectorExpr:
		return map[string]string{"Time": "time", "Amount": "money"}[e.Sel.Name]
	case *ast.Ident:
		switch e.Name {
		case "string":
			return "text"
		case "int", "int64":
			return "integer"
		case "bool":
			return "boolean"
		}
		var parts []string
		for _, m := range s.members(e.Name) {
			parts = append(parts, m.name+": "+m.kind)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return ""
}

// use is what the other packages do with the events.
type use struct {
	consumers map[string]map[string]bool // Go type to consumers
	published map[string]bool            // Go types that are filled with something, and routing keys in SQL
}

func readUse(t *testing.T) use {
	t.Helper()
	u := use{map[string]map[string]bool{}, map[string]bool{}}
	err := filepath.WalkDir(filepath.Join(root, "internal"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || filepath.Dir(path) == filepath.Join(root, "internal/events") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, u.note)
		return nil
	})
	require.NoError(t, err)
	return u
}

var routingKey = regexp.MustCompile(`[a-z]+\.[a-z_]+\.v\d+`)

func (u use) note(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl:
		if n.Name.Name == "Subscriptions" && n.Body != nil {
			addConsumers(u.consumers, n)
		}
	case *ast.CompositeLit:
		if s, ok := n.Type.(*ast.SelectorExpr); ok && len(n.Elts) > 0 {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "events" {
				u.published[s.Sel.Name] = true
			}
		}
	case *ast.BasicLit:
		for _, key := range routingKey.FindAllString(n.Value, -1) {
			u.published[key] = true
		}
	}
	return true
}

func (u use) hearers() map[string][]string {
	list := map[string][]string{}
	for goName, names := range u.consumers {
		list[goName] = slices.Sorted(maps.Keys(names))
	}
	return list
}

func addConsumers(found map[string]map[string]bool, fn *ast.FuncDecl) {
	named := map[string][]string{} // variables that hold types
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if v, ok := n.Lhs[0].(*ast.Ident); ok {
				named[v.Name] = eventsIn(n.Rhs[0])
			}
		case *ast.CompositeLit:
			consumer, types := "", []string(nil)
			for _, e := range n.Elts {
				pair, ok := e.(*ast.KeyValueExpr)
				if !ok {
					continue
				}
				switch key, _ := pair.Key.(*ast.Ident); {
				case key != nil && key.Name == "Consumer":
					if value, ok := pair.Value.(*ast.BasicLit); ok {
						consumer, _ = strconv.Unquote(value.Value)
					}
				case key != nil && key.Name == "Types":
					types = eventsIn(pair.Value)
					if v, ok := pair.Value.(*ast.Ident); ok {
						types = named[v.Name]
					}
				}
			}
			for _, goName := range types {
				if found[goName] == nil {
					found[goName] = map[string]bool{}
				}
				found[goName][consumer] = true
			}
		}
		return true
	})
}

// eventsIn lists the types of package events that e names.
func eventsIn(e ast.Expr) []string {
	var list []string
	ast.Inspect(e, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "events" {
				list = append(list, s.Sel.Name)
			}
		}
		return true
	})
	return list
}

const head = `# Events

Generated from ` + "`internal/events`" + `; ` + "`go test ./internal/events -update`" + ` writes it again.

Events are facts: something happened and is committed. On RabbitMQ they go to the topic exchange ` + "`shopd.events`" + ` with their
type as routing key. The body is an envelope around the payload:

| member | what it is |
|---|---|
| ` + "`id`" + ` | the event, ` + "`evt_…`" + `; the same one when it is delivered again |
| ` + "`type`, `version`" + ` | routing key, and the number at its end |
| ` + "`aggregate_id`, `aggregate_version`" + ` | what it speaks of, and which version of it the event left behind |
| ` + "`occurred_at`" + ` | UTC |
| ` + "`trace`" + ` | W3C traceparent of the request that caused it; missing when it was not traced |
| ` + "`data`" + ` | the payload, as below |

- Delivered **at least once**, and possibly out of order. Handle an ` + "`id`" + ` once; where the newest state is what matters, drop an event whose
  ` + "`aggregate_version`" + ` is not above the one you have.
- Ids and figures only, **no personal data**.
- Fields are added without notice; ignore those you do not know. A field that changes its meaning comes as a new version beside the old one.
- Money is ` + "`{\"amount\": 1999, \"currency\": \"EUR\"}`" + ` in minor units; times are RFC 3339 in UTC.

`

func render(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(head)
	all, use := declared(t), readUse(t)
	hearers, published := use.hearers(), use.published
	b.WriteString("| type | says | consumers here |\n|---|---|---|\n")
	for _, routing := range slices.Sorted(maps.Keys(all)) {
		e := all[routing]
		what := strings.TrimPrefix(e.doc, "says ")
		if !published[e.goName] && !published[routing] {
			what = "*Not published yet:* " + what
		}
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s |\n", routing, strings.ReplaceAll(routing, ".", ""), what, strings.Join(hearers[e.goName], ", "))
	}
	for _, routing := range slices.Sorted(maps.Keys(all)) {
		e := all[routing]
		fmt.Fprintf(&b, "\n## %s\n\nAggregate: %s.\n\n| field | kind | |\n|---|---|---|\n", routing, e.aggregate)
		for _, m := range e.members {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", m.name, m.kind, m.comment)
		}
		example, err := os.ReadFile(golden(routing))
		require.NoError(t, err)
		fmt.Fprintf(&b, "\n```json\n%s```\n", example)
	}
	return b.String()
}
