package storefront

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"

	"shopd/internal/catalog"
)

// How much the home page shows.
const (
	rowLength   = 8
	heroLength  = 3
	homeSample  = 60 // products that sale and hero pictures are chosen from
	minSaleRow  = 4
	tilesAtMost = 8
)

type homeBody struct {
	Hero    []card
	Tiles   []tile
	Fresh   []card
	Popular []card
	Sale    []card
}

// tile leads to a category.
type tile struct {
	Name, Slug string
	Products   int
	Picture    *picture
}

func (s *Storefront) home(w http.ResponseWriter, r *http.Request) error {
	body, err := s.front.get(r.Context())
	if err != nil {
		return err
	}
	h := head{
		Title:       s.ShopName,
		Description: s.Tagline + " Clear prices, quick checkout, no account needed.",
		Canonical:   "/",
		Data:        []any{s.siteData()},
	}
	if len(body.Hero) > 0 {
		h.Image = body.Hero[0].picture.Src(1200)
	}
	return s.show(w, r, http.StatusOK, "home", forAll, h, body)
}

// loadHome reads what the home page shows. The same for everybody, it is read at most once in homeTTL.
func (s *Storefront) loadHome(ctx context.Context) (*homeBody, error) {
	var fresh, popular []catalog.ListItem
	var tree []catalog.Category
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		fresh, _, err = s.Catalog.List(ctx, catalog.ListQuery{Sort: "-created_at", Limit: homeSample})
		return err
	})
	group.Go(func() (err error) {
		popular, _, err = s.Catalog.List(ctx, catalog.ListQuery{Sort: "-popularity", Limit: homeSample})
		return err
	})
	group.Go(func() (err error) {
		tree, err = s.Catalog.Categories(ctx)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	body := &homeBody{Tiles: tiles(tree), Sale: onSale(fresh, popular)}
	body.Hero = hero(popular, fresh)
	popular, fresh = forSale(popular), forSale(fresh)
	body.Popular = cards(popular[:min(rowLength, len(popular))])
	fresh = without(fresh, body.Popular)
	body.Fresh = cards(fresh[:min(rowLength, len(fresh))])
	return body, nil
}

func tiles(tree []catalog.Category) []tile {
	var out []tile
	for _, c := range tree {
		if c.Products > 0 && len(out) < tilesAtMost {
			out = append(out, tile{Name: c.Name, Slug: c.Slug, Products: c.Products, Picture: newPicture(c.Image, "", sizesDisc)})
		}
	}
	return out
}

// hero chooses the products whose pictures open the shop: those that fill their frame before cut-outs on white.
func hero(lists ...[]catalog.ListItem) []card {
	var full, cutouts []catalog.ListItem
	seen := map[catalog.ProductID]bool{}
	for _, item := range slices.Concat(lists...) {
		p := newPicture(item.Image, "", sizesHero)
		if p == nil || seen[item.ID] || !item.InStock {
			continue
		}
		seen[item.ID] = true
		if p.Cutout {
			cutouts = append(cutouts, item)
		} else {
			full = append(full, item)
		}
	}
	var chosen []card
	for i, item := range slices.Concat(full, cutouts)[:min(heroLength, len(seen))] {
		chosen = append(chosen, newCard(item, sizesHero, i == 0))
	}
	return chosen
}

// onSale picks the largest reductions; nothing when there are too few for a row.
func onSale(lists ...[]catalog.ListItem) []card {
	var items []catalog.ListItem
	seen := map[catalog.ProductID]bool{}
	for _, item := range slices.Concat(lists...) {
		if item.InStock && !seen[item.ID] && percentOff(item.Price, item.CompareAt) > 0 {
			seen[item.ID] = true
			items = append(items, item)
		}
	}
	slices.SortStableFunc(items, func(a, b catalog.ListItem) int {
		return cmp.Compare(percentOff(b.Price, b.CompareAt), percentOff(a.Price, a.CompareAt))
	})
	if len(items) < minSaleRow {
		return nil
	}
	return cards(items[:min(rowLength, len(items))])
}

func forSale(items []catalog.ListItem) []catalog.ListItem {
	return slices.DeleteFunc(slices.Clone(items), func(i catalog.ListItem) bool { return !i.InStock })
}

func without(items []catalog.ListItem, shown []card) []catalog.ListItem {
	return slices.DeleteFunc(items, func(i catalog.ListItem) bool {
		return slices.ContainsFunc(shown, func(c card) bool { return c.ID == i.ID })
	})
}
