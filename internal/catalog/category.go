package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/postgres"
)

// treeTTL is how long a change of the categories may take to be seen by every replica.
const treeTTL = 5 * time.Second

// tree is all categories in memory.
type tree struct {
	top    []Category
	byID   map[CategoryID]*categoryRow
	bySlug map[string]CategoryID
	read   time.Time
}

type categoryRow struct {
	ID       CategoryID
	ParentID CategoryID
	Slug     string
	Name     string
	Products int
	Image    *Image
}

const categoriesSQL = `
select
    c.id, coalesce(c.parent_id, ''), c.slug, c.name,
    (select count(*) from catalog.listings as l where l.category_id = c.id),
    (
        select p.images -> 0
        from catalog.listings as l
        join catalog.products as p on p.id = l.product_id
        where l.category_id = c.id and p.images <> '[]'
        order by l.popularity desc, l.product_id desc
        limit 1
    )
from catalog.categories as c
order by c.position, c.name, c.id`

// categoryNamesSQL is categoriesSQL for those who need neither the counts nor the pictures.
const categoryNamesSQL = `
select c.id, coalesce(c.parent_id, ''), c.slug, c.name, 0, null::jsonb
from catalog.categories as c
order by c.position, c.name, c.id`

func loadTree(ctx context.Context, q postgres.Querier, sql string, now time.Time) (*tree, error) {
	rows, err := q.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[categoryRow])
	if err != nil {
		return nil, err
	}
	t := &tree{byID: make(map[CategoryID]*categoryRow, len(list)), bySlug: make(map[string]CategoryID, len(list)), read: now}
	children := map[CategoryID][]*categoryRow{}
	for _, c := range list {
		t.byID[c.ID], t.bySlug[c.Slug] = c, c.ID
		children[c.ParentID] = append(children[c.ParentID], c)
	}
	t.top = t.build(children, "")
	return t, nil
}

func (t *tree) build(children map[CategoryID][]*categoryRow, parent CategoryID) []Category {
	nodes := make([]Category, 0, len(children[parent]))
	for _, c := range children[parent] {
		nodes = append(nodes, Category{
			CategoryRef: c.ref(), Path: t.path(c.ID), Products: c.Products, Image: c.Image, Children: t.build(children, c.ID),
		})
	}
	return nodes
}

func (c *categoryRow) ref() CategoryRef { return CategoryRef{ID: c.ID, Slug: c.Slug, Name: c.Name} }

// path leads from the top category down to the given one.
func (t *tree) path(id CategoryID) []CategoryRef {
	var path []CategoryRef
	for c := t.byID[id]; c != nil && len(path) < 16; c = t.byID[c.ParentID] {
		path = append(path, c.ref())
	}
	slices.Reverse(path)
	return path
}

// reference is a category without what is below it; nil when there is none.
func (t *tree) reference(id CategoryID) *Category {
	c := t.byID[id]
	if c == nil {
		return nil
	}
	return &Category{CategoryRef: c.ref(), Path: t.path(id), Products: c.Products, Image: c.Image, Children: []Category{}}
}

// find returns the category with the id or slug.
func (t *tree) find(ref string) (*Category, error) {
	id, ok := t.bySlug[ref]
	if !ok {
		id = CategoryID(ref)
	}
	path := t.path(id)
	level, found := t.top, (*Category)(nil)
	for _, step := range path {
		i := slices.IndexFunc(level, func(c Category) bool { return c.ID == step.ID })
		found, level = &level[i], level[i].Children
	}
	if found == nil {
		return nil, errNoCategory
	}
	return found, nil
}

// categories returns the tree, at most treeTTL old. A tree that cannot be read again stays in use.
func (s *Service) categories(ctx context.Context) (*tree, error) {
	have := s.tree.Load()
	if have != nil && s.now().Sub(have.read) < treeTTL {
		return have, nil
	}
	t, err, _ := s.flights.Do("tree", func() (any, error) {
		t, err := loadTree(context.WithoutCancel(ctx), s.db, categoriesSQL, s.now())
		if err == nil {
			s.tree.Store(t)
		}
		return t, err
	})
	if err != nil {
		if have != nil {
			return have, nil
		}
		return nil, fmt.Errorf("read categories: %w", err)
	}
	return t.(*tree), nil //nolint:errcheck // the flight returns nothing else
}

// Categories returns the top categories with all that is below them.
func (s *Service) Categories(ctx context.Context) ([]Category, error) {
	t, err := s.categories(ctx)
	if err != nil {
		return nil, err
	}
	return t.top, nil
}

// Category returns the category with the id or slug, with those below it; errs.ErrNotFound when there is none.
func (s *Service) Category(ctx context.Context, ref string) (*Category, error) {
	t, err := s.categories(ctx)
	if err != nil {
		return nil, err
	}
	return t.find(ref)
}

// slugify makes a slug of a title: lower-case letters and digits with single dashes between them.
func slugify(title string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(title) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			dash = false
			b.WriteRune(r)
		case r == '\'' || r == '’':
		case r == '&':
			dash = true
		default:
			dash = true
		}
	}
	return b.String()
}
