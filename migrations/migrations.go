// Package migrations carries the SQL files that build the database, one PostgreSQL schema a file. The package
// platform/migrate applies them.
package migrations

import "embed"

// FS holds the files, named NNNN_<schema>.sql.
//
//go:embed *.sql
var FS embed.FS
