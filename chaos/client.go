package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	storeAPI = "/api/v1/store"
	adminAPI = "/api/v1/admin"
	// idempotencyKey names the header, and replayed the one of an answer that was given before.
	idempotencyKey = "Idempotency-Key"
	replayed       = "Idempotent-Replayed"
)

// class is what a request is part of.
type class string

const (
	browsing  class = "browse"
	searching class = "search"
	signingIn class = "login"
	carting   class = "cart"
	paying    class = "checkout"
	looking   class = "order"
	managing  class = "merchant"
)

// exchangeRecord is one request and what became of it.
type exchangeRecord struct {
	class  class
	write  bool
	begin  time.Time
	took   time.Duration
	status int    // 0 without an answer
	broken string // how an answer breaks the rules every answer follows; empty for most
	failed bool   // no answer, or one of the balancer's own
	// noGateway says that the shop could not reach a gateway, and told so as it promises.
	noGateway bool
}

// served reports whether the shop did its part: an answer that says no is one.
func (e exchangeRecord) served() bool { return !e.failed && e.status < http.StatusInternalServerError }

// traffic is all requests of a run.
type traffic struct {
	mu  sync.Mutex
	all []exchangeRecord
}

func (t *traffic) note(e exchangeRecord) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, e)
}

// between returns the requests that began in a window.
func (t *traffic) between(from, to time.Time) []exchangeRecord {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []exchangeRecord
	for _, e := range t.all {
		if !e.begin.Before(from) && e.begin.Before(to) {
			found = append(found, e)
		}
	}
	return found
}

// caller speaks HTTP to the shop and notes every exchange.
type caller struct {
	base    string
	http    *http.Client
	traffic *traffic
}

func newCaller(base string, t *traffic) *caller {
	return &caller{base: base, traffic: t, http: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: 10 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is what came back; status is 0 when nothing did.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error
}

// refused reports whether the shop surely did not do what was asked: everything but 2xx, and 5xx or silence, after which
// nobody knows.
func (a answer) refused() bool { return a.status >= 400 && a.status < 500 }

func (a answer) ok() bool { return a.status >= 200 && a.status < 300 }

// lost says that nothing came back that would tell whether it was done.
func (a answer) lost() bool { return a.status == 0 || a.status >= 500 }

// code is the code of a problem; empty for anything else.
func (a answer) code() string {
	var p struct{ Code string }
	if a.status < 400 || json.Unmarshal(a.body, &p) != nil {
		return ""
	}
	return p.Code
}

func (a answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	if code := a.code(); code != "" {
		return fmt.Sprintf("%d %s", a.status, code)
	}
	return fmt.Sprint(a.status)
}

// do sends one request and waits for patience at most. header holds names and values in turn.
func (c *caller) do(ctx context.Context, kind class, patience time.Duration, method, path string, body any, header ...string) answer {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return answer{err: err}
		}
		payload = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, payload) //nolint:gosec // our own shop
	if err != nil {
		return answer{err: err}
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	return c.send(request, kind)
}

func (c *caller) send(request *http.Request, kind class) answer {
	begin := time.Now()
	a := c.receive(request)
	e := exchangeRecord{class: kind, write: request.Method != http.MethodGet, begin: begin, took: time.Since(begin), status: a.status, failed: a.err != nil}
	if errors.Is(a.err, context.DeadlineExceeded) && e.took < answerPatience/2 {
		e.failed = false // it was the caller who hung up
	}
	if a.header.Get(fromBalancer) != "" {
		a.err, e.failed = fmt.Errorf("balancer: %s", a.header.Get(fromBalancer)), true
	} else if a.err == nil {
		e.broken, e.noGateway = a.breach(strings.HasPrefix(request.URL.Path, "/api/")), a.code() == "payment_unavailable"
	}
	c.traffic.note(e)
	return a
}

func (c *caller) receive(request *http.Request) answer {
	response, err := c.http.Do(request) //nolint:gosec // our own shop
	if err != nil {
		return answer{err: err}
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close() // it was read to its end, or is of no use
	if err != nil {
		return answer{err: err}
	}
	return answer{status: response.StatusCode, header: response.Header, body: body}
}

// breach says how an answer of the API breaks the rules for all of them: failures are problems with a code, 503 says when
// to come again, and there is no 500.
func (a answer) breach(api bool) string {
	switch {
	case a.status == http.StatusInternalServerError:
		return "500: " + snippet(a.body)
	case a.status < 400 || !api:
		return ""
	case !strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json") || a.code() == "":
		return fmt.Sprintf("%d without a problem: %s", a.status, snippet(a.body))
	case a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") == "":
		return "503 without Retry-After: " + snippet(a.body)
	}
	return ""
}

func snippet(text []byte) string {
	const longest = 300
	return string(text[:min(len(text), longest)])
}
