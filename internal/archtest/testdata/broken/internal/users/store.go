package users

import (
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func known(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) || errors.Is(err, pgx.ErrNoRows)
}
