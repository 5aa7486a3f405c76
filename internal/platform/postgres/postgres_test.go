package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"shopd/internal/platform/postgres"
)

func TestWhatCountsAsAServerThatIsAway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		away bool
	}{
		"nobody listens":                      {&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}, true},
		"the connection ended in a statement": {io.ErrUnexpectedEOF, true},
		"the connection ended before one":     {io.EOF, true},
		"it takes too long":                   {context.DeadlineExceeded, true},
		"it goes down":                        {&pgconn.PgError{Code: "57P01"}, true},
		"it starts":                           {&pgconn.PgError{Code: "57P03"}, true},
		"it has no connection left":           {&pgconn.PgError{Code: "53300"}, true},
		"a wrong statement":                   {&pgconn.PgError{Code: "42601"}, false},
		"a breach of a constraint":            {&pgconn.PgError{Code: "23505"}, false},
		"no row":                              {pgx.ErrNoRows, false},
		"a mistake of ours":                   {errors.New("nil map"), false},
	} {
		require.Equal(t, c.away, postgres.Unavailable(fmt.Errorf("read a cart: %w", c.err)), name)
	}
}
