package imaging

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"shopd/internal/platform/errs"
)

// DefaultWidth is the width that a URL without w gets.
const DefaultWidth = 800

// pictureName keeps whatever could be a path out of the sources.
var pictureName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$`)

// Handler serves GET and HEAD of /media/{name}?w=640&f=webp: w is one of Widths, f is webp, avif, jpeg or auto, which
// is the default and goes by the Accept header. The route pattern must have a path value called name. Errors are
// given to onError, which writes the response.
func (r *Renderer) Handler(onError func(http.ResponseWriter, *http.Request, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		name := req.PathValue("name")
		if !pictureName.MatchString(name) {
			onError(w, req, errs.ErrNotFound)
			return
		}
		q, err := parseQuery(req.URL.RawQuery)
		if err != nil {
			onError(w, req, err)
			return
		}
		h := w.Header()
		format := q.format
		if q.auto {
			format = FormatFor(req.Header.Get("Accept"))
			h.Add("Vary", "Accept")
		}
		out, err := r.Rendition(req.Context(), name, q.width, format)
		if err != nil {
			onError(w, req, err)
			return
		}
		h.Set("Content-Type", out.ContentType)
		h.Set("ETag", out.ETag)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		// ServeContent answers HEAD, If-None-Match and Range.
		http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(out.Body))
	})
}

// FormatFor is the format that f=auto stands for: WebP when the Accept header names it, JPEG otherwise.
func FormatFor(accept string) Format {
	for entry := range strings.SplitSeq(accept, ",") {
		mediaType, params, _ := strings.Cut(entry, ";")
		if strings.EqualFold(strings.TrimSpace(mediaType), WebP.ContentType()) && !refuses(params) {
			return WebP
		}
	}
	return JPEG
}

// refuses reports whether the parameters of an Accept entry give it the quality zero.
func refuses(params string) bool {
	_, q, ok := strings.Cut(strings.ReplaceAll(strings.ToLower(params), " ", ""), "q=")
	if !ok {
		return false
	}
	v, err := strconv.ParseFloat(q, 64)
	return err == nil && v == 0
}

type query struct {
	width  int
	format Format
	auto   bool
}

// parseQuery refuses what it does not know: every spelling of a URL would be an entry of its own in caches.
func parseQuery(raw string) (query, error) {
	out := query{width: DefaultWidth, auto: true}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return out, errs.New(errs.Malformed, "malformed_query", "The query cannot be read.").Wrap(err)
	}
	for key, given := range values {
		if len(given) != 1 {
			return out, errs.Validation(errs.Field{Pointer: "query/" + key, Code: "repeated_parameter", Detail: "Give this once."})
		}
		switch key {
		case "w":
			out.width, err = strconv.Atoi(given[0])
			if err != nil {
				return out, ErrWidth.WithFields(errs.Field{Pointer: "query/w", Code: "invalid_width", Detail: "Not a whole number."})
			}
		case "f":
			out.format = Format(given[0])
			out.auto = given[0] == "auto"
		default:
			return out, errs.Validation(errs.Field{Pointer: "query/" + key, Code: "unknown_parameter", Detail: "There is no such parameter."})
		}
	}
	return out, nil
}
