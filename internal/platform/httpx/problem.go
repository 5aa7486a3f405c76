package httpx

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/postgres"
)

// Problem is the body of every error answer: RFC 9457 with a stable code and the request's id.
type Problem struct { //nolint:errname // the name of RFC 9457
	Type      string         `json:"type" doc:"Stable URI of the kind of problem." example:"urn:shopd:problem:out_of_stock"`
	Title     string         `json:"title" doc:"The status in words."`
	Status    int            `json:"status" doc:"The HTTP status."`
	Detail    string         `json:"detail,omitempty" doc:"What happened, for the person who called."`
	Code      string         `json:"code" doc:"Stable name of the problem, listed in docs/errors.md." example:"out_of_stock"`
	RequestID string         `json:"request_id" doc:"Name of this request in the logs."`
	Errors    []ProblemField `json:"errors,omitempty" doc:"What is wrong in the input, one by one."`

	retryAfter int // seconds, 0 for none
	allow      string
}

// ProblemField is one thing that is wrong in the input.
type ProblemField struct {
	Pointer string `json:"pointer" doc:"JSON pointer into the body, or query/…, path/…, header/…." example:"/quantity"`
	Code    string `json:"code" example:"invalid_quantity"`
	Detail  string `json:"detail"`
}

// Error is the code and the detail.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType makes huma answer with the media type of RFC 9457.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders are the headers that go with the problem.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	return h
}

var statusOf = map[errs.Kind]int{
	errs.Internal: 500, errs.Malformed: 400, errs.Invalid: 422, errs.Unauthenticated: 401, errs.PaymentRequired: 402,
	errs.Forbidden: 403, errs.NotFound: 404, errs.Conflict: 409, errs.PreconditionFailed: 412, errs.PreconditionNeeded: 428,
	errs.TooLarge: 413, errs.Unsupported: 415, errs.RateLimited: 429, errs.Unavailable: 503,
}

// StatusOf is the HTTP status of err.
func StatusOf(err error) int { return statusOf[errs.KindOf(err)] }

var (
	errInternal    = errs.New(errs.Internal, "internal", "Something went wrong on our side. It has been logged.")
	errText        = errs.New(errs.Invalid, "validation_failed", "Text must be Unicode without zero characters.")
	errUnavailable = errs.New(errs.Unavailable, "unavailable", "The shop cannot answer right now. Try again in a moment.").WithRetryAfter(retryUnavailable)
)

// NewProblem turns err into what the caller may see. The text of an error without a kind stays in the process.
func NewProblem(ctx context.Context, err error) *Problem {
	var ready *Problem
	if errors.As(err, &ready) {
		ready.RequestID = RequestID(ctx)
		return ready
	}
	e := errs.As(err)
	if e == nil {
		e = kindOf(err)
	}
	p := newProblem(statusOf[e.Kind], e.Code, e.Detail)
	p.RequestID = RequestID(ctx)
	p.retryAfter = int(math.Ceil(e.RetryAfter.Seconds()))
	for _, f := range e.Fields {
		p.Errors = append(p.Errors, ProblemField{Pointer: f.Pointer, Code: f.Code, Detail: f.Detail})
	}
	return p
}

// notText is PostgreSQL's code for text that it cannot store.
const notText = "22021"

// kindOf tells what an error without a kind is to the caller.
func kindOf(err error) *errs.Error {
	switch {
	case postgres.Unavailable(err):
		return errUnavailable
	case postgres.Code(err) == notText:
		return errText
	}
	return errInternal
}

func newProblem(status int, code, detail string) *Problem {
	return &Problem{Type: "urn:shopd:problem:" + code, Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

// WriteError answers a request of a plain handler with err.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	p := NewProblem(r.Context(), err)
	if p.Status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled) { // nobody waits for what was cancelled
		LoggerFrom(r.Context()).ErrorContext(r.Context(), "request failed", "error", err, "path", r.URL.Path)
	}
	p.write(w)
}

func (p *Problem) write(w http.ResponseWriter) {
	h := w.Header()
	for name, values := range p.GetHeaders() {
		h[name] = values
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	if err := json.NewEncoder(w).Encode(p); err != nil {
		slog.Debug("write problem", "error", err) // the caller hung up: nobody is left to tell
	}
}

// frameworkCodes names the failures that huma finds before a handler runs.
var frameworkCodes = map[int]string{
	400: "malformed_body", 404: "not_found", 405: "method_not_allowed", 406: "not_acceptable", 408: "body_too_slow",
	413: "body_too_large", 415: "unsupported_media_type", 422: "validation_failed", 500: "internal",
}

// fromFramework builds the problem for what huma found wrong by itself.
func fromFramework(ctx context.Context, status int, message string, causes []error) *Problem {
	for _, cause := range causes {
		if e := errs.As(cause); e != nil {
			return NewProblem(ctx, e)
		}
		var d *huma.ErrorDetail
		if errors.As(cause, &d) && strings.HasPrefix(d.Location, "path.") {
			return NewProblem(ctx, errs.ErrNotFound) // no thing has such a name
		}
	}
	if status >= 500 && len(causes) > 0 {
		return NewProblem(ctx, causes[0])
	}
	code := frameworkCodes[status]
	if code == "" {
		code = "invalid_request"
	}
	p := newProblem(status, code, sentence(message))
	p.RequestID = RequestID(ctx)
	for _, cause := range causes {
		p.Errors = append(p.Errors, fieldOf(cause))
	}
	if code == "validation_failed" && len(p.Errors) > 0 {
		p.refine()
	}
	if status == http.StatusBadRequest {
		p.Errors = nil // the parser's own words add nothing a caller can use
		p.Detail = "The body is not a single well-formed JSON document."
	}
	return p
}

// refine gives the whole problem the code of its first field when that says more than "validation failed".
func (p *Problem) refine() {
	first := p.Errors[0]
	if first.Code == "validation_failed" {
		return
	}
	p.Code = first.Code
	p.Type = "urn:shopd:problem:" + first.Code
	p.Detail = sentence(first.Detail)
}

func fieldOf(cause error) ProblemField {
	var d *huma.ErrorDetail
	if !errors.As(cause, &d) {
		return ProblemField{Code: "validation_failed", Detail: cause.Error()}
	}
	d = readable(d)
	f := ProblemField{Pointer: pointer(d.Location), Code: "validation_failed", Detail: d.Message}
	switch {
	case d.Message == "unexpected property", d.Message == "unknown query parameter":
		f.Code = "unknown_field"
		if strings.HasPrefix(d.Location, "query") {
			f.Code = "unknown_parameter"
		}
		f.Detail = "There is no such field here: " + f.Pointer
	case strings.HasPrefix(d.Location, "query"):
		f.Code = "invalid_parameter"
	case strings.HasSuffix(d.Location, "quantity"):
		f.Code = "invalid_quantity"
	case strings.HasSuffix(d.Location, "amount"), strings.HasSuffix(d.Location, "currency"):
		f.Code = "invalid_money"
	}
	return f
}

// decoderField finds the field in what encoding/json says of a value that the schema lets pass: 1e2 is a whole number
// to a schema, and none to a Go integer.
var decoderField = regexp.MustCompile(`^json: cannot unmarshal .* Go struct field [^.\s]*\.(\S+) of type`)

// readable is d, with the words of encoding/json put as a place in the body.
func readable(d *huma.ErrorDetail) *huma.ErrorDetail {
	if !strings.HasPrefix(d.Message, "json: ") {
		return d
	}
	other := &huma.ErrorDetail{Location: d.Location, Message: "not a value of the right type"}
	if m := decoderField.FindStringSubmatch(d.Message); m != nil {
		other.Location = "body." + m[1]
	}
	return other
}

// pointer turns huma's "body.lines[0].quantity" into "/lines/0/quantity"; other places keep their prefix.
func pointer(location string) string {
	path := strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(location)
	if rest, ok := strings.CutPrefix(path, "body"); ok {
		return rest
	}
	return path
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}
