// Package idempotency lets a request that carries an Idempotency-Key have its effect once and its answer as often
// as it is asked for, on any replica. PostgreSQL decides; Redis only answers faster.
//
// The course of a request:
//
//	req, err := idempotency.NewRequest(principal, key, method, path, body)
//	claim, err := store.Claim(ctx, pool, req) // commits at once; the pool's commits may be relaxed
//	err = claim.Err()                         // 409 while it runs elsewhere, 422 for another request
//	if claim.Outcome == idempotency.Replay {  // answer claim.Response
//	}
//	// the effect, in a transaction that ends with
//	err = store.Finish(ctx, tx, claim, response)
//	// after the commit
//	store.Remember(ctx, claim, response)
//
// A claim that is lost in a crash of PostgreSQL leaves no effect behind either: the effect's own commit comes
// later in the log, and takes the claim to disk with it. When the answer is not to be kept (429, 5xx), Release
// instead of Finish lets the next try run.
package idempotency

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/postgres"
)

// The errors a caller with a key may be told.
var (
	ErrKeyRequired = errs.New(errs.Malformed, "idempotency_key_required",
		"This request needs an Idempotency-Key header, so that it can be repeated without doing things twice.")
	ErrKeyInvalid = errs.New(errs.Malformed, "idempotency_key_invalid",
		"An Idempotency-Key has 1 to 255 printable ASCII characters.")
	ErrKeyReused = errs.New(errs.Invalid, "idempotency_key_reused",
		"This Idempotency-Key was used for another request. Use a new key.")
	ErrInProgress = errs.New(errs.Conflict, "request_in_progress",
		"The same request is being worked on. Repeat it in a moment to get its answer.").WithRetryAfter(time.Second)
)

// longestKey is how many characters a key may have.
const longestKey = 255

// CheckKey returns ErrKeyInvalid for a key that was sent and cannot be used.
func CheckKey(key string) error {
	unprintable := strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' })
	if key == "" || len(key) > longestKey || unprintable {
		return ErrKeyInvalid
	}
	return nil
}

// Request is who asks for what under which key.
type Request struct {
	// Principal is whose keys are meant, such as "cus_…" or a guest's "cart_…": keys of different principals have
	// nothing to do with each other.
	Principal string
	Key       string
	// Fingerprint tells this request from others.
	Fingerprint []byte
}

// NewRequest checks the key and takes the fingerprint of method, path and body. The order of members and white
// space in a JSON body make no difference.
func NewRequest(principal, key, method, path string, body []byte) (Request, error) {
	if err := CheckKey(key); err != nil {
		return Request{}, err
	}
	sum := sha256.Sum256(slices.Concat([]byte(method+"\n"+path+"\n"), canonical(body)))
	return Request{Principal: principal, Key: key, Fingerprint: sum[:]}, nil
}

// canonical is body with sorted members, when it is one JSON document, and else body.
func canonical(body []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var document any
	if decoder.Decode(&document) != nil || decoder.More() {
		return body
	}
	sorted, err := json.Marshal(document)
	if err != nil {
		return body
	}
	return sorted
}

// Outcome is what a claim found.
type Outcome int

const (
	// Fresh says that nobody has used the key; do the work.
	Fresh Outcome = iota + 1
	// TakenOver says that whoever had begun is gone. Look what of the work is done (see Claim.Resource), and do
	// the rest.
	TakenOver
	// Replay says that the work is done; answer Claim.Response.
	Replay
	// InProgress says that another request with the key is at work.
	InProgress
	// Mismatch says that the key belongs to a different request.
	Mismatch
)

// Response is an answer as it is repeated: the same status, headers and bytes.
type Response struct {
	Status int         `json:"status"`
	Header http.Header `json:"header,omitempty"`
	Body   []byte      `json:"body"`
}

// Claim is a request's hold on its key.
type Claim struct {
	Request
	Outcome Outcome
	// Epoch grows with each claim that took the key over.
	Epoch int64
	// Resource is what SetResource noted under this key.
	Resource string
	// Response is set for a Replay.
	Response Response

	token string    // proves that the hold is ours
	since time.Time // when the key was first used, for as long as we know
}

// Err is ErrInProgress or ErrKeyReused when the request must not go on.
func (c Claim) Err() error {
	switch c.Outcome {
	case InProgress:
		return ErrInProgress
	case Mismatch:
		return ErrKeyReused
	default:
		return nil
	}
}

// A key is free again when it is older than the time keys are kept for, and its hold can be taken over when the
// lease has run out. The clock is PostgreSQL's: the replicas' clocks do not matter.
const (
	isExpired  = `k.created_at < now() - $6::interval`
	isOrphaned = `k.state = 'started' and k.lease_until < now() and k.fingerprint = excluded.fingerprint`
)

const claimKey = `
insert into platform.idempotency_keys as k
    (principal, key, fingerprint, state, claimed_by, lease_until, lease_epoch, created_at)
values ($1, $2, $3, 'started', $4, now() + $5::interval, 1, now())
on conflict (principal, key) do update
set claimed_by = case when ` + isExpired + ` or ` + isOrphaned + ` then excluded.claimed_by else k.claimed_by end,
    lease_until = case when ` + isExpired + ` or ` + isOrphaned + ` then excluded.lease_until else k.lease_until end,
    lease_epoch = case when ` + isExpired + ` or ` + isOrphaned + ` then k.lease_epoch + 1 else k.lease_epoch end,
    fingerprint = case when ` + isExpired + ` then excluded.fingerprint else k.fingerprint end,
    state = case when ` + isExpired + ` then 'started' else k.state end,
    resource = case when ` + isExpired + ` then null else k.resource end,
    status = case when ` + isExpired + ` then null else k.status end,
    sealed = case when ` + isExpired + ` then null else k.sealed end,
    created_at = case when ` + isExpired + ` then now() else k.created_at end
returning fingerprint, state = 'finished', claimed_by, lease_epoch, coalesce(resource, ''), sealed,
    created_at = now(), extract(epoch from now() - created_at)::float8`

// Claim takes hold of the request's key, or says why not. It is one statement; inside a transaction, others with
// the same key wait for its end.
func (s *Store) Claim(ctx context.Context, q postgres.Querier, req Request) (Claim, error) {
	if c, ok := s.recall(ctx, req); ok {
		return c, nil
	}
	c := Claim{Request: req, token: rand.Text()}
	var fingerprint, sealed []byte
	var finished, isNew bool
	var holder string
	var age float64
	err := q.QueryRow(ctx, claimKey, req.Principal, req.Key, req.Fingerprint, c.token, s.lease, s.ttl).
		Scan(&fingerprint, &finished, &holder, &c.Epoch, &c.Resource, &sealed, &isNew, &age)
	if err != nil {
		return Claim{}, fmt.Errorf("claim an idempotency key: %w", err)
	}
	c.since = s.now().Add(-time.Duration(age * float64(time.Second)))
	switch {
	case holder == c.token && isNew:
		c.Outcome = Fresh
	case holder == c.token:
		c.Outcome = TakenOver
	case !bytes.Equal(fingerprint, req.Fingerprint):
		c.Outcome = Mismatch
	case !finished:
		c.Outcome = InProgress
	default:
		answer, err := s.unseal(req, sealed)
		if err != nil {
			return Claim{}, err
		}
		c.Outcome, c.Response = Replay, answer.Response
		s.keep(ctx, c, sealed)
	}
	return c, nil
}

const finishKey = `
update platform.idempotency_keys
set state = 'finished', status = $%[4]d, sealed = $%[5]d
where principal = $%[1]d and key = $%[2]d and claimed_by = $%[3]d and state = 'started'`

// FinishParams is how many parameters FinishSQL takes.
const FinishParams = 5

// FinishSQL is the update of Finish for a hot path that has a statement of its own; its parameters are numbered
// from first. It must change one row, or the transaction must not commit: the key has been taken over.
func FinishSQL(first int) string {
	return fmt.Sprintf(finishKey, first, first+1, first+2, first+3, first+4)
}

var finish = FinishSQL(1)

// FinishArgs are the arguments of FinishSQL.
func (s *Store) FinishArgs(c Claim, r Response) ([]any, error) {
	sealed, err := s.seal(c.Request, r)
	if err != nil {
		return nil, err
	}
	return []any{c.Principal, c.Key, c.token, r.Status, sealed}, nil
}

// Finish keeps the answer, in the transaction of the effect. It returns ErrInProgress when another request has
// taken the key over meanwhile: the transaction must then not commit.
func (s *Store) Finish(ctx context.Context, q postgres.Querier, c Claim, r Response) error {
	args, err := s.FinishArgs(c, r)
	if err != nil {
		return err
	}
	return s.hold(ctx, q, "finish", finish, args...)
}

const setResource = `
update platform.idempotency_keys
set resource = $4
where principal = $1 and key = $2 and claimed_by = $3 and state = 'started'`

// SetResource notes what the request is making, such as an order's id, for whoever takes over after a crash. It
// goes into the transaction that makes it, and returns ErrInProgress under the rule of Finish.
func (s *Store) SetResource(ctx context.Context, q postgres.Querier, c Claim, resource string) error {
	return s.hold(ctx, q, "note a resource under", setResource, c.Principal, c.Key, c.token, resource)
}

const releaseKey = `
with forgotten as (
    delete from platform.idempotency_keys
    where principal = $1 and key = $2 and claimed_by = $3 and state = 'started' and resource is null
    returning key
), freed as (
    update platform.idempotency_keys
    set lease_until = '-infinity'
    where principal = $1 and key = $2 and claimed_by = $3 and state = 'started' and resource is not null
    returning key
)
select key from forgotten
union all
select key from freed`

// Release gives the key up without an answer, so that the next try runs: as a Fresh one, or as TakenOver when a
// resource was noted. A key that is no longer held is left alone.
func (s *Store) Release(ctx context.Context, q postgres.Querier, c Claim) error {
	if _, err := q.Exec(ctx, releaseKey, c.Principal, c.Key, c.token); err != nil {
		return fmt.Errorf("release an idempotency key: %w", err)
	}
	return nil
}

// hold runs an update that must find the claim in force.
func (s *Store) hold(ctx context.Context, q postgres.Querier, what, sql string, args ...any) error {
	tag, err := q.Exec(ctx, sql, args...)
	if err != nil {
		return fmt.Errorf("%s an idempotency key: %w", what, err)
	}
	if tag.RowsAffected() == 0 {
		return ErrInProgress.Wrap(errors.New("the claim was taken over"))
	}
	return nil
}
