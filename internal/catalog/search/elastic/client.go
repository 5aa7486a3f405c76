package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// maxAnswerBytes bounds what is read of an answer.
const maxAnswerBytes = 64 << 20

// client sends requests and reads answers.
type client struct {
	transport *elastictransport.Client
}

func newClient(urls []string) (*client, error) {
	parsed := make([]*url.URL, len(urls))
	for i, u := range urls {
		var err error
		if parsed[i], err = url.Parse(strings.TrimSpace(u)); err != nil || parsed[i].Host == "" {
			return nil, fmt.Errorf("the Elasticsearch URL number %d is not a URL", i+1)
		}
	}
	dialer := &net.Dialer{Timeout: time.Second, KeepAlive: 30 * time.Second}
	transport, err := elastictransport.New(elastictransport.Config{ //nolint:staticcheck // esapi takes what this returns
		URLs: parsed,
		Transport: &http.Transport{
			DialContext:         dialer.DialContext,
			TLSHandshakeTimeout: 2 * time.Second,
			MaxIdleConnsPerHost: 128,
			IdleConnTimeout:     time.Minute,
		},
		MaxRetries: len(urls), // another node may answer; every call has a deadline besides
	})
	if err != nil {
		return nil, fmt.Errorf("make the Elasticsearch client: %w", err)
	}
	return &client{transport: transport}, nil
}

func (c *client) close() error {
	if err := c.transport.Close(context.Background()); err != nil && !errors.Is(err, elastictransport.ErrClosed) {
		return fmt.Errorf("close the Elasticsearch client: %w", err)
	}
	return nil
}

// request is one of the requests of esapi.
type request interface {
	Do(ctx context.Context, t esapi.Transport) (*esapi.Response, error)
}

// answerError is an answer that says no.
type answerError struct {
	status int
	kind   string
	reason string
}

func (e *answerError) Error() string {
	return fmt.Sprintf("elasticsearch answered %d %s: %s", e.status, e.kind, e.reason)
}

// isKind reports whether err is an answer of this kind.
func isKind(err error, kind string) bool {
	var e *answerError
	return errors.As(err, &e) && e.kind == kind
}

// isStatus reports whether err is an answer of this status.
func isStatus(err error, status int) bool {
	var e *answerError
	return errors.As(err, &e) && e.status == status
}

// The kinds of answers that are told apart.
const (
	kindExists   = "resource_already_exists_exception"
	kindNoIndex  = "index_not_found_exception"
	kindNoAlias  = "aliases_not_found_exception"
	kindNoShards = "search_phase_execution_exception"
	kindConflict = "version_conflict_engine_exception"
)

// do sends a request and decodes the answer into out, unless out is nil.
func (c *client) do(ctx context.Context, r request, out any) (err error) {
	res, err := r.Do(ctx, c.transport)
	if err != nil {
		return fmt.Errorf("ask Elasticsearch: %w", err)
	}
	defer func() {
		if cerr := res.Body.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("read the answer of Elasticsearch: %w", cerr)
		}
	}()
	body := io.LimitReader(res.Body, maxAnswerBytes)
	if res.IsError() {
		return readError(res.StatusCode, body)
	}
	if out == nil {
		_, err = io.Copy(io.Discard, body)
	} else {
		err = json.NewDecoder(body).Decode(out)
	}
	if err != nil {
		return fmt.Errorf("read the answer of Elasticsearch: %w", err)
	}
	return nil
}

func readError(status int, body io.Reader) error {
	var answer struct {
		Error json.RawMessage `json:"error"`
	}
	e := &answerError{status: status}
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return e
	}
	var detail struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	}
	if json.Unmarshal(answer.Error, &detail) == nil {
		e.kind, e.reason = detail.Type, detail.Reason
	} else {
		e.reason = string(answer.Error)
	}
	return e
}

// object is a JSON object of the query language.
type object = map[string]any

// encoded is v as a request body.
func encoded(v any) (io.Reader, error) {
	var buf bytes.Buffer
	if err := json.NewEncoder(&buf).Encode(v); err != nil {
		return nil, fmt.Errorf("encode a request to Elasticsearch: %w", err)
	}
	return &buf, nil
}
