package storefront

import (
	"context"
	"time"

	"shopd/internal/catalog"
)

const (
	navTTL  = 30 * time.Second
	homeTTL = 30 * time.Second
)

// navCategory is a category in the menu.
type navCategory struct {
	Name, Slug string
	Children   []navCategory
}

// loadNav reads the two upper levels of the category tree, without what has nothing to sell.
func (s *Storefront) loadNav(ctx context.Context) ([]navCategory, error) {
	tree, err := s.Catalog.Categories(ctx)
	if err != nil {
		return nil, err
	}
	return navOf(tree, 2), nil
}

func navOf(tree []catalog.Category, levels int) []navCategory {
	if levels == 0 {
		return nil
	}
	var nav []navCategory
	for _, c := range tree {
		if c.Products > 0 {
			nav = append(nav, navCategory{Name: c.Name, Slug: c.Slug, Children: navOf(c.Children, levels-1)})
		}
	}
	return nav
}
