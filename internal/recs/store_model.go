package recs

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/postgres"
)

// insertModelSQL leaves the two activations before: to go back is to activate again, from the directory.
const insertModelSQL = `
with old as (
    delete from recs.models
    where id in (select id from recs.models order by activation desc offset 2)
)
insert into recs.models (id, name, version, archive, activated_at)
values ($1, $2, $3, $4, $5)`

func insertModel(ctx context.Context, q postgres.Querier, id, name, version string, archive []byte, at time.Time) error {
	_, err := q.Exec(ctx, insertModelSQL, id, name, version, archive, at)
	return err
}

const deleteModelsSQL = `
delete from recs.models`

func deleteModels(ctx context.Context, q postgres.Querier) error {
	_, err := q.Exec(ctx, deleteModelsSQL)
	return err
}

const currentActivationSQL = `
select id
from recs.models
order by activation desc
limit 1`

// currentActivation is empty when no model is active.
func currentActivation(ctx context.Context, q postgres.Querier) (string, error) {
	var current string
	err := q.QueryRow(ctx, currentActivationSQL).Scan(&current)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return current, err
}

const readArchiveSQL = `
select archive
from recs.models
where id = $1`

func readArchive(ctx context.Context, q postgres.Querier, id string) (archive []byte, err error) {
	err = q.QueryRow(ctx, readArchiveSQL, id).Scan(&archive)
	return archive, err
}
