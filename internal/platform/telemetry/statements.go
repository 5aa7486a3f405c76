package telemetry

import (
	"context"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// Statements are the SQL statements that ran under one context, without begin, commit and rollback.
type Statements struct {
	mu  sync.Mutex
	all []string
}

// Count is how many there were.
func (s *Statements) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// All are the statements in the order they were sent.
func (s *Statements) All() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.all...)
}

func (s *Statements) add(sql string) {
	first, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(sql)), " ")
	switch strings.TrimSuffix(first, ";") {
	case "begin", "commit", "rollback", "savepoint", "release":
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, sql)
}

type statementsKey struct{}

// CountStatements returns a context whose SQL is counted where a StatementCounter is the tracer: for tests that bound
// the statements of a use case.
func CountStatements(ctx context.Context) (context.Context, *Statements) {
	s := &Statements{}
	return context.WithValue(ctx, statementsKey{}, s), s
}

// StatementCounter is a pgx tracer that counts the statements of contexts made by CountStatements. Statements of a
// batch count one by one.
type StatementCounter struct{}

var (
	_ pgx.QueryTracer    = StatementCounter{}
	_ pgx.BatchTracer    = StatementCounter{}
	_ pgx.CopyFromTracer = StatementCounter{}
)

// TraceQueryStart counts one statement.
func (StatementCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	note(ctx, data.SQL)
	return ctx
}

// TraceQueryEnd does nothing.
func (StatementCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart counts the statements of a batch.
func (StatementCounter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	for _, query := range data.Batch.QueuedQueries {
		note(ctx, query.SQL)
	}
	return ctx
}

// TraceBatchQuery does nothing.
func (StatementCounter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd does nothing.
func (StatementCounter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// TraceCopyFromStart counts a copy as one statement.
func (StatementCounter) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	note(ctx, "copy "+data.TableName.Sanitize())
	return ctx
}

// TraceCopyFromEnd does nothing.
func (StatementCounter) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {}

func note(ctx context.Context, sql string) {
	if s, ok := ctx.Value(statementsKey{}).(*Statements); ok {
		s.add(sql)
	}
}
