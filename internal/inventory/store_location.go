package inventory

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/postgres"
)

const locationsSQL = `
select id, name, priority, version
from inventory.locations
order by priority, id`

// Locations returns all places, in the order in which orders are served from them.
func (s *Service) Locations(ctx context.Context) ([]Location, error) {
	rows, err := s.db.Query(ctx, locationsSQL)
	if err != nil {
		return nil, fmt.Errorf("list locations: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Location])
	if err != nil {
		return nil, fmt.Errorf("list locations: %w", err)
	}
	return list, nil
}

const addLocationSQL = `
insert into inventory.locations (id, name, priority)
values ($1, $2, $3)
returning version`

// AddLocation makes a place. Its id stays for ever.
func (s *Service) AddLocation(ctx context.Context, l Location) (Location, error) {
	if !locationID.MatchString(l.ID) {
		return Location{}, errLocationID
	}
	err := s.db.QueryRow(ctx, addLocationSQL, l.ID, l.Name, l.Priority).Scan(&l.Version)
	if postgres.Violates(err, "locations_pkey") {
		return Location{}, errLocationTaken
	}
	if err != nil {
		return Location{}, fmt.Errorf("add location %s: %w", l.ID, err)
	}
	s.places.Store(nil)
	return l, nil
}

const updateLocationSQL = `
update inventory.locations
set name = coalesce($2, name), priority = coalesce($3, priority), version = version + 1
where id = $1 and ($4::bigint is null or version = $4)
returning id, name, priority, version`

const locationSQL = `
select id, name, priority, version
from inventory.locations
where id = $1`

// UpdateLocation changes what is not nil. A version that is not nil must be the one the caller has seen.
func (s *Service) UpdateLocation(ctx context.Context, id string, name *string, priority *int, version *int64) (l Location, err error) {
	err = s.db.QueryRow(ctx, updateLocationSQL, id, name, priority, version).Scan(&l.ID, &l.Name, &l.Priority, &l.Version)
	if errors.Is(err, pgx.ErrNoRows) {
		if _, err := s.Location(ctx, id); err != nil {
			return l, err
		}
		return l, errs.ErrStaleVersion
	}
	if err != nil {
		return l, fmt.Errorf("change location %s: %w", id, err)
	}
	return l, nil
}

// Location returns one place, or errs.ErrNotFound.
func (s *Service) Location(ctx context.Context, id string) (l Location, err error) {
	err = s.db.QueryRow(ctx, locationSQL, id).Scan(&l.ID, &l.Name, &l.Priority, &l.Version)
	if errors.Is(err, pgx.ErrNoRows) {
		return l, errs.ErrNotFound
	}
	if err != nil {
		return l, fmt.Errorf("read location %s: %w", id, err)
	}
	return l, nil
}
