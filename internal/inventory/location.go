package inventory

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/postgres"
)

// Location is a place where stock is. Orders are served from the one with the lowest priority that has all they need of
// an article, and from several in that order when none has.
type Location struct {
	ID       string
	Name     string
	Priority int
	Version  int64
}

var (
	errLocationTaken = errs.New(errs.Conflict, "location_exists", "There is a location with this id.")
	errLocationID    = errs.New(errs.Invalid, "validation_failed", "The id of a location is small letters, digits, - and _.").
				WithFields(errs.Field{Pointer: "/id", Code: "invalid", Detail: "a-z, 0-9, - and _; it begins with a letter or a digit"})
)

var locationID = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,59}$`)

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

// placesTTL is how long a process may not know of a location that another one has made.
const placesTTL = 10 * time.Second

type knownPlaces struct {
	ids   []string
	until time.Time
}

// placeIDs are the ids of all locations as this process knows them.
func (s *Service) placeIDs(ctx context.Context) ([]string, error) {
	if known := s.places.Load(); known != nil && s.now().Before(known.until) {
		return known.ids, nil
	}
	list, err := s.Locations(ctx)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(list))
	for i, l := range list {
		ids[i] = l.ID
	}
	s.places.Store(&knownPlaces{ids, s.now().Add(placesTTL)})
	return ids, nil
}
