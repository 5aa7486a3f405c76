package httpx

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"shopd/internal/platform/crash"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/idempotency"
	"shopd/internal/platform/postgres"
)

// IdempotencyHeader names a request, so that it can be repeated without doing things twice.
const IdempotencyHeader = "Idempotency-Key"

// KeyUse says what a route does with an Idempotency-Key.
type KeyUse int

// Writing routes take a key when the caller sends one; those that spend or reserve demand it.
const (
	KeyIgnored KeyUse = iota
	KeyAccepted
	KeyRequired
)

// Idempotency repeats answers to requests that carry a key. DB is where keys are claimed: its role needs the rights on
// platform.idempotency_keys.
type Idempotency struct {
	Store *idempotency.Store
	DB    postgres.Querier
	// GuestKey tells guests apart, by what they hold; empty when they hold nothing.
	GuestKey func(*http.Request) string
}

type claimKey struct{}

// Claim is the hold of a request on its key, with the way to end it inside the transaction of the effect.
type Claim struct {
	store    *idempotency.Store
	claim    idempotency.Claim
	finished bool
}

// ClaimFrom returns the request's claim; nil when it carries no key.
func ClaimFrom(ctx context.Context) *Claim {
	c, _ := ctx.Value(claimKey{}).(*Claim)
	return c
}

// Finish keeps the answer in the transaction of the effect, so that neither is there without the other. A nil
// claim does nothing.
func (c *Claim) Finish(ctx context.Context, q postgres.Querier, status int, body []byte) error {
	if c == nil {
		return nil
	}
	response := idempotency.Response{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
	if err := c.store.Finish(ctx, q, c.claim, response); err != nil {
		return err
	}
	c.finished = true
	return nil
}

// middleware claims the key, answers what was answered before, and keeps what the handler answers.
func (i *Idempotency) middleware(use KeyUse, limit int64) func(huma.Context, func(huma.Context)) {
	return func(hctx huma.Context, next func(huma.Context)) {
		r, w := humachi.Unwrap(hctx)
		header, sent := r.Header[IdempotencyHeader]
		if !sent {
			if use == KeyRequired {
				WriteError(w, r, idempotency.ErrKeyRequired)
				return
			}
			next(hctx)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
		if err != nil {
			WriteError(w, r, errBodySize)
			return
		}
		req, err := idempotency.NewRequest(i.principal(r), header[0], r.Method, r.URL.Path, body)
		if err == nil && len(header) > 1 {
			err = idempotency.ErrKeyInvalid
		}
		if err != nil {
			WriteError(w, r, err)
			return
		}
		claim, err := i.Store.Claim(r.Context(), i.DB, req)
		if err == nil {
			err = claim.Err()
		}
		if err != nil {
			WriteError(w, r, err)
			return
		}
		if claim.Outcome == idempotency.Replay {
			replay(w, claim.Response)
			return
		}
		i.run(hctx, w, r, body, claim, next)
	}
}

var errBodySize = errs.New(errs.TooLarge, "body_too_large", "The body is larger than this call takes.")

// run lets the handler answer into a buffer, keeps what it answered, and sends it.
func (i *Idempotency) run(hctx huma.Context, w http.ResponseWriter, r *http.Request, body []byte, claim idempotency.Claim, next func(huma.Context)) {
	held := &Claim{store: i.Store, claim: claim}
	// The answer is kept also when the caller has hung up meanwhile.
	ctx := context.WithValue(context.WithoutCancel(r.Context()), claimKey{}, held)
	inner := r.WithContext(context.WithValue(r.Context(), claimKey{}, held))
	inner.Body = io.NopCloser(bytes.NewReader(body))
	answer := &buffered{header: http.Header{}}
	done := false
	defer func() {
		if !done {
			i.release(ctx, claim) // a panic is on its way up: let the next try run
		}
	}()
	crash.At("key.claimed")
	next(humachi.NewContext(hctx.Operation(), inner, answer))
	done = true
	crash.At("key.done")
	response := idempotency.Response{Status: answer.status, Header: kept(answer.header), Body: answer.body.Bytes()}
	switch {
	case held.finished:
		i.Store.Remember(ctx, claim, response)
	case repeatable(response):
		if err := i.keep(ctx, claim, response); err != nil {
			// What could not be said again must not be said now: the next try under the key finds what was done, and
			// may tell it in other words.
			LoggerFrom(ctx).WarnContext(ctx, "answer not kept", "error", err)
			WriteError(w, r, err)
			return
		}
		i.Store.Remember(ctx, claim, response)
	default:
		i.release(ctx, claim)
	}
	crash.At("key.kept")
	for name, values := range answer.header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body.Bytes()) // the caller hung up: the answer is kept
}

// keepPauses are the pauses between tries to keep an answer whose effect is there: a connection that was lost, or a
// database that begins again, costs the caller no answer.
var keepPauses = []time.Duration{50 * time.Millisecond, 200 * time.Millisecond, 600 * time.Millisecond}

// keep finishes the claim. After a try whose outcome is not known, the next may find it finished, which looks as if
// somebody else had taken it over: the caller then asks again and gets it.
func (i *Idempotency) keep(ctx context.Context, claim idempotency.Claim, response idempotency.Response) error {
	for n := 0; ; n++ {
		err := i.Store.Finish(ctx, i.DB, claim, response)
		if err == nil || n == len(keepPauses) || !postgres.Unavailable(err) {
			return err
		}
		time.Sleep(keepPauses[n])
	}
}

func (i *Idempotency) release(ctx context.Context, claim idempotency.Claim) {
	if err := i.Store.Release(ctx, i.DB, claim); err != nil {
		LoggerFrom(ctx).WarnContext(ctx, "idempotency key not released", "error", err)
	}
}

// repeatable reports whether the answer is what the same request is to get again: not one that asks to be tried
// again, nor a complaint about input, which a new try may find mended.
func repeatable(r idempotency.Response) bool {
	switch {
	case r.Status >= 500, r.Status == http.StatusTooManyRequests, r.Status == http.StatusUnprocessableEntity, r.Header.Get("Retry-After") != "":
		return false
	}
	return true
}

func kept(h http.Header) http.Header {
	k := http.Header{}
	for _, name := range []string{"Content-Type", "ETag", "Location", "Retry-After", "Cache-Control"} {
		if v := h.Values(name); len(v) > 0 {
			k[name] = v
		}
	}
	return k
}

func replay(w http.ResponseWriter, r idempotency.Response) {
	for name, values := range r.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Idempotent-Replayed", "true")
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body) // the caller hung up: there is nobody to tell
}

// principal is whose keys are meant.
func (i *Idempotency) principal(r *http.Request) string {
	if p := PrincipalFrom(r.Context()); p.Known() {
		return p.Actor()
	}
	held := i.GuestKey(r)
	if held == "" {
		return string(Anonymous)
	}
	sum := sha256.Sum256([]byte(held))
	return "guest:" + hex.EncodeToString(sum[:16])
}

// buffered is an answer that is not sent yet.
type buffered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *buffered) Header() http.Header { return b.header }

func (b *buffered) WriteHeader(status int) {
	if b.status == 0 {
		b.status = status
	}
}

func (b *buffered) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return b.body.Write(p)
}
