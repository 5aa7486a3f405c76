package main

import (
	"slices"
	"strings"

	"shopd/internal/sample"
)

type unsplashProduct struct {
	Slug         string            `json:"slug"`
	Name         string            `json:"name"`
	Description  string            `json:"description"`
	Images       []string          `json:"images"`
	Facets       [][2]string       `json:"facets"`
	OptionGroups []string          `json:"option_groups"`
	Variants     []unsplashVariant `json:"variants"`
}

type unsplashVariant struct {
	SKU     string   `json:"sku"`
	Price   float64  `json:"price"`
	Options []string `json:"options"`
}

// optionGroupNames are the option groups by the name they have here. A size means something else for shoes and for
// memory than for clothes, so both get a name of their own.
var optionGroupNames = map[string]string{
	"screen size": "Screen Size", "RAM": "Memory", "storage": "Storage", "monitor size": "Screen Size", "cpu": "Processor",
	"HDD": "Storage", "color": "Colour",
}

func convertUnsplash(in []unsplashProduct) []sample.Product {
	out := make([]sample.Product, 0, len(in))
	for _, p := range in {
		out = append(out, p.convert())
	}
	byCategory := map[string][]string{}
	bySlug := map[string]string{}
	for _, p := range out {
		byCategory[p.Category] = append(byCategory[p.Category], p.SKU)
		bySlug[p.Slug] = p.SKU
	}
	for i := range out {
		p := &out[i]
		p.Related = neighbours(byCategory[p.Category], p.SKU)
		for _, slug := range goesWith[p.Category] {
			if slug != p.Slug {
				p.CrossSell = append(p.CrossSell, bySlug[slug])
			}
		}
	}
	return out
}

// goesWith lists what is bought with the products of a category: the source says nothing about it.
var goesWith = map[string][]string{
	"Electronics > Computers":      {"cordless-mouse", "clacky-keyboard", "usb-cable", "curvy-monitor"},
	"Electronics > Photo":          {"tripod", "camera-lens", "instant-camera"},
	"Home & Garden > Plants":       {"tulip-pot", "hand-trowel", "hanging-plant"},
	"Home & Garden > Furniture":    {"light-shade", "wooden-stool", "aloe-vera"},
	"Sports & Outdoor > Equipment": {"skipping-rope", "tennis-ball", "basketball"},
	"Sports & Outdoor > Footwear":  {"skipping-rope", "allstar-sneakers", "basketball"},
}

// neighbours returns up to four SKUs that follow sku in its category, going round.
func neighbours(category []string, sku string) []string {
	const most = 4
	at := slices.Index(category, sku)
	var out []string
	for i := 1; i < len(category) && len(out) < most; i++ {
		out = append(out, category[(at+i)%len(category)])
	}
	return out
}

func (p unsplashProduct) convert() sample.Product {
	out := sample.Product{
		Slug: p.Slug, Title: p.Name, Description: cleanDescription(p.Description), Type: sample.Physical,
		Attributes: map[string][]string{}, Status: "active",
	}
	var path []string
	for _, f := range p.Facets {
		switch f[0] {
		case "category":
			path = append(path, f[1])
		case "brand":
			out.Brand = strings.ReplaceAll(f[1], "Nikkon", "Nikon")
		case "color":
			p.addColour(out.Attributes, f[1])
		case "plant type":
			out.Attributes["Plant Type"] = append(out.Attributes["Plant Type"], f[1])
		}
	}
	out.Category = strings.Join(path, " > ")
	for _, f := range p.Images {
		out.Images = append(out.Images, sample.ProductImage{File: f, Alt: p.Name})
	}
	out.Options, out.Variants = p.options(), p.variants()
	out.SKU = out.Variants[0].SKU
	if len(out.Variants) > 1 {
		out.SKU = strings.ToUpper(p.Slug)
	}
	for _, o := range out.Options {
		out.Attributes[o.Name] = o.Values
	}
	return out
}

func (p unsplashProduct) addColour(attributes map[string][]string, value string) {
	name := "Colour"
	if value == "wood" {
		name = "Material"
	}
	attributes[name] = append(attributes[name], capital(value))
}

func (p unsplashProduct) optionName(group int) string {
	name := p.OptionGroups[group]
	if name != "size" {
		return optionGroupNames[name]
	}
	if strings.HasPrefix(p.Variants[0].Options[group], "Size ") {
		return "Shoe Size"
	}
	return "Memory"
}

// optionValue leaves names of models as they are written.
func optionValue(v string) string {
	v = strings.TrimPrefix(strings.Replace(v, "inch", "Inch", 1), "Size ")
	if strings.ContainsAny(v, "0123456789") {
		return v
	}
	return capital(v)
}

func (p unsplashProduct) options() []sample.Option {
	var out []sample.Option
	for g := range p.OptionGroups {
		o := sample.Option{Name: p.optionName(g)}
		for _, v := range p.Variants {
			o.Values = appendNew(o.Values, optionValue(v.Options[g]))
		}
		out = append(out, o)
	}
	return out
}

// variants gives each its own SKU, which the three colours of one chair share in the source, and one without a slash.
func (p unsplashProduct) variants() []sample.Variant {
	var out []sample.Variant
	seen := map[string]int{}
	for _, v := range p.Variants {
		seen[v.SKU]++
	}
	for _, v := range p.Variants {
		o := sample.Variant{SKU: strings.ReplaceAll(v.SKU, "/", "-"), Price: dollars(v.Price)}
		if seen[v.SKU] > 1 {
			o.SKU += "-" + strings.Join(v.Options, "-")
		}
		for g, value := range v.Options {
			if o.Options == nil {
				o.Options = map[string]string{}
			}
			o.Options[p.optionName(g)] = optionValue(value)
		}
		out = append(out, o)
	}
	return out
}
