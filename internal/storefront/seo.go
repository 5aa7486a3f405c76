package storefront

import (
	"net/url"
	"strconv"

	"shopd/internal/catalog"
)

// ld is an object of JSON-LD. It is marshalled by the template engine, which escapes it for the script element.
type ld map[string]any

// siteData says what the shop is called and how to search it.
func (s *Storefront) siteData() ld {
	return ld{
		"@context": "https://schema.org", "@type": "WebSite", "name": s.ShopName, "url": s.BaseURL + "/",
		"potentialAction": ld{
			"@type": "SearchAction", "query-input": "required name=search_term_string",
			"target": ld{"@type": "EntryPoint", "urlTemplate": s.BaseURL + "/search?q={search_term_string}"},
		},
	}
}

// productData says what is sold, for how much, and what people think of it.
func (s *Storefront) productData(p *catalog.Product, reviews []catalog.Review) ld {
	address := s.BaseURL + "/p/" + url.PathEscape(p.Slug)
	data := ld{
		"@context": "https://schema.org", "@type": "Product", "name": p.Title, "sku": p.SKU, "url": address,
		"description": summary(p.Description, 500), "offers": offers(p, address),
	}
	if p.Brand != "" {
		data["brand"] = ld{"@type": "Brand", "name": p.Brand}
	}
	var images []string
	for _, img := range p.Images {
		images = append(images, s.BaseURL+rendition(img.URL, 1200, "jpeg"))
	}
	if images != nil {
		data["image"] = images
	}
	if p.Rating != nil && p.Rating.Count > 0 {
		data["aggregateRating"] = ld{
			"@type": "AggregateRating", "ratingValue": strconv.FormatFloat(p.Rating.Average, 'f', 1, 64), "reviewCount": p.Rating.Count,
		}
	}
	if list := reviewData(reviews); len(list) > 0 {
		data["review"] = list
	}
	return data
}

func offers(p *catalog.Product, address string) ld {
	availability := "https://schema.org/OutOfStock"
	switch {
	case p.InStock:
		availability = "https://schema.org/InStock"
	case p.Backorder:
		availability = "https://schema.org/BackOrder"
	}
	if p.PriceMax.Minor > p.Price.Minor {
		return ld{
			"@type": "AggregateOffer", "priceCurrency": string(p.Price.Currency), "lowPrice": p.Price.Decimal(), "highPrice": p.PriceMax.Decimal(),
			"offerCount": len(p.Variants), "availability": availability, "url": address,
		}
	}
	return ld{"@type": "Offer", "priceCurrency": string(p.Price.Currency), "price": p.Price.Decimal(), "availability": availability, "url": address}
}

func reviewData(reviews []catalog.Review) []ld {
	var list []ld
	for _, r := range reviews {
		list = append(list, ld{
			"@type": "Review", "name": r.Title, "reviewBody": r.Text, "datePublished": r.At.UTC().Format("2006-01-02"),
			"author": ld{"@type": "Person", "name": r.Author}, "reviewRating": ld{"@type": "Rating", "ratingValue": r.Rating},
		})
	}
	return list
}

// breadcrumbData is the way from the home page to a category, and on to a product when last names one.
func breadcrumbData(base string, path []catalog.CategoryRef, last, lastPath string) ld {
	items := []ld{{"@type": "ListItem", "position": 1, "name": "Home", "item": base + "/"}}
	add := func(name, path string) {
		items = append(items, ld{"@type": "ListItem", "position": len(items) + 1, "name": name, "item": base + path})
	}
	for _, c := range path {
		add(c.Name, "/c/"+url.PathEscape(c.Slug))
	}
	if last != "" {
		add(last, lastPath)
	}
	return ld{"@context": "https://schema.org", "@type": "BreadcrumbList", "itemListElement": items}
}
