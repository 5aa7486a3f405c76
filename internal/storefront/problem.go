package storefront

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
)

// pageHandler shows a page. The error it returns becomes an error page; nothing may have been written then.
type pageHandler func(w http.ResponseWriter, r *http.Request) error

var (
	errForeignForm = errs.New(errs.Forbidden, "cross_site_request", "This form was sent from another site. Open the shop and try again.")
	errMethod      = errs.New(errs.Malformed, "method_not_allowed", "This address does not take that kind of request.")
	errForm        = errs.New(errs.Malformed, "malformed_body", "The form could not be read.")
	errFormSize    = errs.New(errs.TooLarge, "body_too_large", "The form holds more text than this page takes.")
	errFormType    = errs.New(errs.Unsupported, "unsupported_media_type", "This address takes forms only.")
)

// maxForm is the largest form in bytes that a page takes.
const maxForm = 64 << 10

// page turns h into a handler whose errors are pages.
func (s *Storefront) page(h pageHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if !utf8.ValidString(r.URL.Path) || strings.ContainsRune(r.URL.Path, 0) {
			s.fail(w, r, errs.ErrNotFound)
			return
		}
		if err := parseForm(r); err != nil {
			s.fail(w, r, err)
			return
		}
		clean(r.Form)
		clean(r.PostForm)
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}

// parseForm reads the query and the form of a request. A query that is not well formed is read as far as it goes, like
// browsers do; a form must be one, and whole.
func parseForm(r *http.Request) error {
	isForm := r.Method == http.MethodPost && r.ContentLength != 0
	if isForm {
		media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || media != "application/x-www-form-urlencoded" || r.Header.Get("Content-Encoding") != "" {
			return errFormType
		}
	}
	err := r.ParseForm()
	if !isForm || err == nil {
		return nil
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return errFormSize.Wrap(err)
	}
	return errForm.Wrap(err)
}

// clean takes out of a form what no text has, and what neither the database nor a mail takes: broken UTF-8 and NUL.
func clean(form url.Values) {
	for _, values := range form {
		for i, v := range values {
			values[i] = strings.ReplaceAll(strings.ToValidUTF8(v, ""), "\x00", "")
		}
	}
}

// problemBody is what an error page says.
type problemBody struct {
	Status    int
	Title     string
	Detail    string
	RequestID string
	Retry     string // address to try again, where waiting may help
	Popular   []card
}

// Fail answers a request with err as a page: for what is refused before a page is reached. Callers of the API get a
// problem document.
func (s *Storefront) Fail(w http.ResponseWriter, r *http.Request, err error) {
	if isAPI(r) {
		httpx.WriteError(w, r, err)
		return
	}
	s.setHeaders(w.Header())
	s.fail(w, r, err)
}

func (s *Storefront) fail(w http.ResponseWriter, r *http.Request, err error) {
	problem := httpx.NewProblem(r.Context(), err)
	if problem.Status >= http.StatusInternalServerError {
		s.Log.ErrorContext(r.Context(), "page failed", "path", r.URL.Path, "error", err)
	}
	detail := problem.Detail
	if wait := problem.GetHeaders().Get("Retry-After"); wait != "" {
		w.Header().Set("Retry-After", wait)
		if problem.Status == http.StatusTooManyRequests {
			detail = "Many requests came from you in a short time. Go on in " + seconds(wait) + "."
		}
	}
	s.problem(w, r, problem.Status, detail, problem.RequestID)
}

// problem shows an error page, or its bare text when even that cannot be rendered.
func (s *Storefront) problem(w http.ResponseWriter, r *http.Request, status int, detail, requestID string) {
	body := problemBody{Status: status, Title: problemTitle(status), Detail: detail, RequestID: requestID}
	if r.Method == http.MethodGet && (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests) {
		body.Retry = localPath(r.URL.RequestURI())
	}
	if status == http.StatusNotFound {
		body.Detail = "The page has moved, or what it showed is no longer for sale."
		if front, err := s.front.get(r.Context()); err == nil {
			body.Popular = firstCards(front.Popular, 4)
		}
	}
	if isScript(r) {
		if err := s.piece(w, r, status, "problem", "problem-line", body); err == nil {
			return
		}
	}
	if err := s.show(w, r, status, "problem", forOne, head{Title: body.Title}, body); err != nil {
		s.Log.ErrorContext(r.Context(), "error page failed", "error", err)
		http.Error(w, strconv.Itoa(status)+" "+body.Title, status)
	}
}

// seconds is a number of seconds in words.
func seconds(n string) string {
	if n == "1" {
		return "a second"
	}
	return n + " seconds"
}

func problemTitle(status int) string {
	switch status {
	case http.StatusNotFound:
		return "We could not find that page"
	case http.StatusConflict:
		return "That is not possible any more"
	case http.StatusForbidden:
		return "That is not allowed"
	case http.StatusRequestEntityTooLarge:
		return "That is too much text"
	case http.StatusTooManyRequests:
		return "That was a bit fast"
	case http.StatusServiceUnavailable:
		return "The shop needs a moment"
	}
	if status < http.StatusInternalServerError {
		return "That request does not work here"
	}
	return "Something went wrong on our side"
}

// notFound answers what no page matches. Callers of the API get a problem document.
func (s *Storefront) notFound(w http.ResponseWriter, r *http.Request) {
	if isAPI(r) {
		httpx.NotFound(w, r)
		return
	}
	s.fail(w, r, errs.ErrNotFound)
}

func (s *Storefront) methodNotAllowed(routes chi.Routes) http.HandlerFunc {
	problem := httpx.MethodNotAllowed(routes)
	return func(w http.ResponseWriter, r *http.Request) {
		if isAPI(r) {
			problem(w, r)
			return
		}
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			if routes.Match(chi.NewRouteContext(), method, r.URL.Path) {
				allowed = append(allowed, method)
			}
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		s.problem(w, r, http.StatusMethodNotAllowed, errMethod.Detail, httpx.RequestID(r.Context()))
	}
}

func isAPI(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/webhooks/")
}

func statusOf(err error) int { return httpx.StatusOf(err) }
