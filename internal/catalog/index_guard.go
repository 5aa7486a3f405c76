package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/catalog/search"
	"shopd/internal/platform/errs"
)

// indexSettle is how long an index may take to show what was written to it.
const indexSettle = 3 * time.Second

// indexExpectedSQL counts the products that searches must find at least, and those whose turn to be indexed has not
// come yet: of these nobody can tell.
const indexExpectedSQL = `
select
    (select count(*) from catalog.listings where category_id = ''),
    (select count(*) from catalog.products where indexed_version < card_version)`

// indexGuard is what EnsureIndexed remembers.
type indexGuard struct {
	compared  bool // product by product, since the process began
	explained int  // how many products the index had too few when comparing found none to be missing
}

// EnsureIndexed brings back what the search index lost. An index that has nothing is built anew; one that has less than
// it should, because it was wiped and written to since, or restored, is compared with the catalogue product by product. It is
// compared once at the start in any case: an old state of it has as many products as the right one.
// Not to be called more than once at a time.
func (s *Service) EnsureIndexed(ctx context.Context) error {
	short, empty, err := s.lookAtIndex(ctx)
	if err != nil {
		return err
	}
	if empty || s.guard.compared && short > s.guard.explained {
		select { // what was written a moment ago cannot be found yet
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(indexSettle):
		}
		if short, empty, err = s.lookAtIndex(ctx); err != nil {
			return err
		}
	}
	switch {
	case empty:
		s.log.WarnContext(ctx, "the search index is empty: building it anew")
		err := s.Reindex(ctx, func(int, int) {})
		if errors.Is(err, search.ErrRebuildSuperseded) || errs.KindOf(err) == errs.Conflict {
			return nil // another replica does it
		}
		return err
	case s.guard.compared && short <= s.guard.explained:
		s.guard.explained = max(short, 0)
		return nil
	}
	lost, err := s.compareIndex(ctx)
	if err != nil {
		return err
	}
	s.guard.compared = true
	if lost == 0 {
		s.guard.explained = max(short, 0)
		return nil
	}
	s.log.WarnContext(ctx, "the search index had lost products: they are brought to it again", "products", lost)
	select {
	case s.wake <- struct{}{}:
	default: // Index has not come to the last call yet
	}
	return nil
}

// lookAtIndex tells how many products the index has too few, at least, and whether it has none at all though there are
// some for it.
func (s *Service) lookAtIndex(ctx context.Context) (short int, empty bool, err error) {
	var visible, pending int
	if err := s.db.QueryRow(ctx, indexExpectedSQL).Scan(&visible, &pending); err != nil {
		return 0, false, fmt.Errorf("count products: %w", err)
	}
	s.stale.Set(float64(pending))
	found, err := s.engine.Count(ctx)
	if err != nil {
		return 0, false, err
	}
	return visible - pending - found, found == 0 && visible > pending, nil
}

const indexedAfterSQL = `
select id, indexed_version
from catalog.products
where id > $1 and indexed_version = card_version and indexed_version > 0
order by id
limit $2`

// forgetIndexedSQL leaves those alone that were brought to the index meanwhile.
const forgetIndexedSQL = `
update catalog.products as p
set indexed_version = 0
from unnest($1::text[], $2::bigint[]) as w (id, version)
where p.id = w.id and p.indexed_version = w.version`

// compareIndex looks for products that the index was given and does not have as they were given, and lets their turn come
// again. It returns how many there were.
func (s *Service) compareIndex(ctx context.Context) (lost int, err error) {
	last := ""
	for {
		rows, err := s.db.Query(ctx, indexedAfterSQL, last, indexBatch)
		if err != nil {
			return lost, fmt.Errorf("read indexed products: %w", err)
		}
		refs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[search.Ref])
		if err != nil {
			return lost, fmt.Errorf("read indexed products: %w", err)
		}
		if len(refs) == 0 {
			return lost, nil
		}
		missing, err := s.engine.Missing(ctx, refs)
		if err != nil {
			return lost, err
		}
		if err := s.forgetIndexed(ctx, missing); err != nil {
			return lost, err
		}
		lost += len(missing)
		last = refs[len(refs)-1].ProductID
	}
}

func (s *Service) forgetIndexed(ctx context.Context, missing []search.Ref) error {
	if len(missing) == 0 {
		return nil
	}
	ids, versions := make([]string, len(missing)), make([]int64, len(missing))
	for i, r := range missing {
		ids[i], versions[i] = r.ProductID, r.Version
	}
	if _, err := s.db.Exec(ctx, forgetIndexedSQL, ids, versions); err != nil {
		return fmt.Errorf("let products be indexed again: %w", err)
	}
	return nil
}
