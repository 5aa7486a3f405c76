package inventory

import (
	"context"
	"regexp"
	"time"

	"shopd/internal/platform/errs"
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
