package search

import "context"

// Absent is an Engine that never answers: for a process that works beside the one which has the index.
type Absent struct{}

// Upsert returns ErrUnavailable.
func (Absent) Upsert(context.Context, []Document) error { return ErrUnavailable }

// Delete returns ErrUnavailable.
func (Absent) Delete(context.Context, []Ref) error { return ErrUnavailable }

// Search returns ErrUnavailable.
func (Absent) Search(context.Context, Query) (Result, error) { return Result{}, ErrUnavailable }

// Suggest returns ErrUnavailable.
func (Absent) Suggest(context.Context, string, int) (Suggestions, error) {
	return Suggestions{}, ErrUnavailable
}

// Rebuild returns ErrUnavailable.
func (Absent) Rebuild(context.Context) (Rebuild, error) { return nil, ErrUnavailable }

// Missing returns ErrUnavailable.
func (Absent) Missing(context.Context, []Ref) ([]Ref, error) { return nil, ErrUnavailable }

// Ping returns ErrUnavailable.
func (Absent) Ping(context.Context) error { return ErrUnavailable }

// Count returns ErrUnavailable.
func (Absent) Count(context.Context) (int, error) { return 0, ErrUnavailable }

// Refresh returns ErrUnavailable.
func (Absent) Refresh(context.Context) error { return ErrUnavailable }

// Close does nothing.
func (Absent) Close() error { return nil }
