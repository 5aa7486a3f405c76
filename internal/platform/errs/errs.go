// Package errs is the one error type that crosses from the domains to their callers: a kind that decides what
// the caller does, and a stable code that names what happened.
package errs

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of failure it is. The HTTP layer maps each kind to one status.
type Kind int

// The kinds, with the status that httpx gives them.
const (
	Internal           Kind = iota // 500: a fault of ours
	Malformed                      // 400: cannot be read
	Invalid                        // 422: can be read and is not acceptable
	Unauthenticated                // 401: we do not know who you are
	PaymentRequired                // 402: the payment was refused
	Forbidden                      // 403: we know you and you may not
	NotFound                       // 404: also for what is not yours to see
	Conflict                       // 409: does not fit the state things are in
	PreconditionFailed             // 412: you have not seen the newest version
	PreconditionNeeded             // 428: say which version you have seen
	TooLarge                       // 413
	Unsupported                    // 415
	RateLimited                    // 429
	Unavailable                    // 503: try again later
)

// Field is one thing that is wrong in the input. Pointer is a JSON pointer into the body ("/lines/0/quantity"),
// or "query/limit", "path/id", "header/Idempotency-Key" for what stands outside of it.
type Field struct {
	Pointer string
	Code    string
	Detail  string
}

// Error is a failure the caller may be told about: Detail is written for the person who called.
type Error struct {
	Kind       Kind
	Code       string // snake_case, stable, listed in docs/errors.md
	Detail     string
	Fields     []Field
	RetryAfter time.Duration // how long to wait before trying again; zero when trying again is no use
	cause      error
}

// New returns an error to be kept in a variable and compared with errors.Is.
func New(kind Kind, code, detail string) *Error {
	return &Error{Kind: kind, Code: code, Detail: detail}
}

// Error is the code, the detail and what caused it.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Detail, e.cause)
	}
	return e.Code + ": " + e.Detail
}

// Unwrap returns what caused the error, which is never shown outside the process.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is an Error with the same code, so that copies made by With… still match.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// WithDetail returns a copy with a detail made from format.
func (e *Error) WithDetail(format string, args ...any) *Error {
	c := *e
	c.Detail = fmt.Sprintf(format, args...)
	return &c
}

// WithFields returns a copy that names what is wrong in the input.
func (e *Error) WithFields(fields ...Field) *Error {
	c := *e
	c.Fields = append(append([]Field(nil), e.Fields...), fields...)
	return &c
}

// WithRetryAfter returns a copy that tells the caller how long to wait.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// Wrap returns a copy caused by err.
func (e *Error) Wrap(err error) *Error {
	c := *e
	c.cause = err
	return &c
}

// As returns the Error in err's chain, or nil when there is none.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// KindOf returns the kind of the Error in err's chain; Internal when there is none.
func KindOf(err error) Kind {
	if e := As(err); e != nil {
		return e.Kind
	}
	return Internal
}

// ErrNotFound is for whatever does not exist or is not the caller's to see.
var ErrNotFound = New(NotFound, "not_found", "There is nothing here.")

// ErrStaleVersion says that the object changed since the caller read it.
var ErrStaleVersion = New(PreconditionFailed, "stale_version", "This has changed since you read it. Read it again and repeat your change.")

// Validation returns the 422 of input that can be read and is not acceptable.
func Validation(fields ...Field) *Error {
	return New(Invalid, "validation_failed", "Some of the input is not acceptable.").WithFields(fields...)
}
