// Package httpx is the HTTP side of shopd's plumbing: how a route is declared, who may call it, how errors look on
// the wire, and the middleware around every request. It knows no word of the shop.
package httpx

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"shopd/internal/platform/errs"
)

const (
	maxBody          = 256 << 10
	bodyReadTimeout  = 5 * time.Second
	retryUnavailable = 2 * time.Second
)

// API is where routes are registered.
type API struct {
	huma.API
	idempotency *Idempotency
}

// NewAPI mounts an API on router. Its routes come from Register, its document is served at prefix+"/openapi.json".
func NewAPI(router chi.Router, title, version, prefix string, idempotency *Idempotency) *API {
	useProblems()
	config := huma.DefaultConfig(title, version)
	config.OpenAPIPath = prefix + "/openapi"
	config.DocsPath, config.SchemasPath = "", ""
	config.CreateHooks = nil // no $schema links in answers
	config.Transformers = nil
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "Access token of a customer or of staff, or an API key (sk_…)."},
	}
	return &API{API: humachi.New(router, config), idempotency: idempotency}
}

// useProblems makes huma answer with our problems, once for the process: it keeps that in package variables.
var useProblems = sync.OnceFunc(func() {
	huma.NewErrorWithContext = func(hctx huma.Context, status int, message string, causes ...error) huma.StatusError {
		ctx := context.Background()
		if hctx != nil {
			ctx = hctx.Context()
		}
		p := fromFramework(ctx, status, message, causes)
		if hctx != nil {
			for name, values := range p.GetHeaders() {
				hctx.SetHeader(name, values[0])
			}
			if p.Status >= http.StatusInternalServerError {
				LoggerFrom(ctx).ErrorContext(ctx, "request failed", "error", fmt.Sprint(causes), "path", hctx.URL().Path)
			}
		}
		return p
	}
	huma.NewError = func(status int, message string, causes ...error) huma.StatusError {
		return fromFramework(context.Background(), status, message, causes)
	}
})

// Route declares one operation. ID, Method, Path, Summary and Access are required.
type Route struct {
	ID      string // operationId, kebab-case
	Method  string
	Path    string
	Summary string
	Tag     string // group in the documentation
	Access  Access
	Status  int // of success; 0 is 200
	Errors  []int
	// OpenQuery leaves the check for unknown query parameters to the handler.
	OpenQuery bool
	// Key says what the route does with an Idempotency-Key. POST and PATCH accept one at least.
	Key KeyUse
	// Answer is the type of the body where the handler answers with bytes.
	Answer any
	// MaxBody is the largest body in bytes; 0 is 256 KiB.
	MaxBody int64
}

// Register adds a route to api. Bodies and queries with unknown fields are refused, and so is a caller that
// Access does not let in, before handler runs.
func Register[I, O any](api *API, route Route, handler func(context.Context, *I) (*O, error)) {
	if route.Access.kind == accessNone {
		panic("httpx: route " + route.ID + " does not say who may call it")
	}
	operation := huma.Operation{
		OperationID: route.ID, Method: route.Method, Path: route.Path, Summary: route.Summary, Tags: []string{route.Tag},
		DefaultStatus: route.Status, Errors: route.Errors, MaxBodyBytes: maxBody, BodyReadTimeout: bodyReadTimeout,
		RejectUnknownQueryParameters: !route.OpenQuery,
		Extensions:                   map[string]any{"x-access": route.Access.String()},
		Middlewares:                  huma.Middlewares{guard(route.Access)},
	}
	if route.MaxBody > 0 {
		operation.MaxBodyBytes = route.MaxBody
	}
	if route.Key == KeyIgnored && (route.Method == http.MethodPost || route.Method == http.MethodPatch) {
		route.Key = KeyAccepted
	}
	if route.Key != KeyIgnored {
		operation.Middlewares = append(operation.Middlewares, api.idempotency.middleware(route.Key, operation.MaxBodyBytes))
		operation.Parameters = append(operation.Parameters, &huma.Param{
			Name: IdempotencyHeader, In: "header", Required: route.Key == KeyRequired, Description: "Names the request: repeated under the same key it is answered again and done once.",
			Schema: &huma.Schema{Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(255)},
		})
	}
	if route.Answer != nil {
		status := strconv.Itoa(max(route.Status, http.StatusOK))
		operation.Responses = map[string]*huma.Response{status: {
			Description: http.StatusText(max(route.Status, http.StatusOK)),
			Content: map[string]*huma.MediaType{"application/json": {
				Schema: api.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(route.Answer), true, ""),
			}},
		}}
	}
	if route.Access.kind != accessPublic {
		operation.Security = []map[string][]string{{"bearer": {}}}
	}
	huma.Register(api.API, operation, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err == nil {
			return out, nil
		}
		problem := NewProblem(ctx, err)
		if problem.Status >= http.StatusInternalServerError {
			LoggerFrom(ctx).ErrorContext(ctx, "request failed", "error", err, "operation", route.ID)
		}
		return nil, problem
	})
}

func ptr[T any](v T) *T { return &v }

func guard(access Access) func(huma.Context, func(huma.Context)) {
	return func(hctx huma.Context, next func(huma.Context)) {
		if err := access.Check(PrincipalFrom(hctx.Context())); err != nil {
			_, w := humachi.Unwrap(hctx)
			NewProblem(hctx.Context(), err).write(w)
			return
		}
		next(hctx)
	}
}

// Page is the part of a list's input that every list shares.
type Page struct {
	Limit int    `query:"limit" default:"24" minimum:"1" maximum:"100" doc:"How many items at most."`
	After string `query:"after" maxLength:"512" doc:"Where to go on: the next of the page before."`
}

// List is a page of a list. Next is null on the last page.
type List[T any] struct {
	Items []T     `json:"items" nullable:"false"`
	Next  *string `json:"next" doc:"Pass as after to get the following page; null on the last one."`
}

// NewList returns items as a list; an empty next means it is the last page.
func NewList[T any](items []T, next string) List[T] {
	if items == nil {
		items = []T{}
	}
	l := List[T]{Items: items}
	if next != "" {
		l.Next = &next
	}
	return l
}

// IfMatch reads the version out of an If-Match header: `"7"` or `7`. It returns nil for an empty one, and an
// error for one that is no version.
func IfMatch(header string) (*int64, error) {
	if header == "" {
		return nil, nil
	}
	var v int64
	if _, err := fmt.Sscanf(strings.Trim(header, `"`), "%d", &v); err != nil {
		return nil, errs.New(errs.Invalid, "invalid_parameter", "If-Match must be the version in quotes, as the ETag had it.")
	}
	return &v, nil
}

// ETag is the entity tag of a version.
func ETag(version int64) string { return fmt.Sprintf(`"%d"`, version) }

// UnknownQuery returns the error for query parameters that are neither in known nor start with one of prefixes.
func UnknownQuery(query url.Values, known []string, prefixes ...string) error {
	for name := range query {
		if slices.Contains(known, name) || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			continue
		}
		return errs.New(errs.Invalid, "unknown_parameter", "There is no such parameter here: "+name).
			WithFields(errs.Field{Pointer: "query/" + name, Code: "unknown_parameter", Detail: "unknown query parameter"})
	}
	return nil
}
