package storefront

import (
	"html/template"
	"net/url"

	"shopd/internal/catalog"
)

// card is a product in a list, worked out so far that the template has nothing to compute: lists show many.
type card struct {
	ID      catalog.ProductID
	Href    string
	Title   string
	Picture template.HTML // decorative: the title says the same
	Price   string
	Was     string // what it cost before, when Off is not zero
	Off     int64  // per cent
	Lowest  string // of the 30 days before the reduction; empty when that is not known
	From    bool   // the variants differ in price
	SoldOut bool
	Stars   template.HTML
	Reviews int

	picture *picture // nil when there is none
}

func newCard(item catalog.ListItem, sizes string, eager bool) card {
	c := card{
		ID: item.ID, Href: "/p/" + url.PathEscape(item.Slug), Title: item.Title, Price: price(item.Price), SoldOut: !item.InStock && !item.Backorder,
		Off: percentOff(item.Price, item.CompareAt), From: item.PriceMax.Minor > item.Price.Minor, picture: newPicture(item.Image, "", sizes),
		Picture: emptyFrame,
	}
	if c.Off > 0 {
		c.Was = price(*item.CompareAt)
		if item.LowestBefore != nil {
			c.Lowest = price(*item.LowestBefore)
		}
	}
	if c.picture != nil {
		c.picture.Alt, c.picture.Eager = "", eager
		c.Picture = c.picture.HTML()
	}
	if item.Rating != nil && item.Rating.Count > 0 {
		c.Stars, c.Reviews = stars(item.Rating.Average), item.Rating.Count
	}
	return c
}

func cards(items []catalog.ListItem) []card {
	out := make([]card, len(items))
	for i, item := range items {
		out[i] = newCard(item, sizesCard, false)
	}
	return out
}

func firstCards(list []card, n int) []card { return list[:min(n, len(list))] }
