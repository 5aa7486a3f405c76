package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"math"
	"slices"
	"strings"

	"shopd/internal/money"
	"shopd/internal/sample"
)

type lumaProduct struct {
	SKU         string               `json:"sku"`
	Name        string               `json:"name"`
	Description string               `json:"description"`
	Price       *float64             `json:"price"`
	Special     *float64             `json:"special_price"`
	Categories  []string             `json:"categories"`
	Attrs       map[string]oneOrMany `json:"attrs"`
	Images      []string             `json:"images"`
	Type        string               `json:"type"`
	Variants    []lumaVariant        `json:"variants"`
	Related     []string             `json:"related"`
	Upsell      []string             `json:"upsell"`
	CrossSell   []string             `json:"crosssell"`
}

type lumaVariant struct {
	SKU     string            `json:"sku"`
	Price   float64           `json:"price"`
	Options map[string]string `json:"options"`
	Images  []string          `json:"images"`
}

// oneOrMany reads a JSON string or a list of them.
type oneOrMany []string

func (o *oneOrMany) UnmarshalJSON(raw []byte) error {
	if raw[0] == '[' {
		return json.Unmarshal(raw, (*[]string)(o))
	}
	*o = make([]string, 1)
	return json.Unmarshal(raw, &(*o)[0])
}

// attributeNames are the attributes of luma that shoppers filter by, by the name they have here. What is not listed
// is bookkeeping of the source, or becomes a collection.
var attributeNames = map[string]string{
	"activity": "Activity", "category_gear": "Gear Type", "climate": "Climate", "color": "Colour",
	"features_bags": "Features", "format": "Format", "gender": "Gender", "material": "Material", "pattern": "Pattern",
	"size": "Size", "strap_bags": "Strap", "style_bags": "Style", "style_bottom": "Style", "style_general": "Style",
}

// collectionFlags are the yes-or-no attributes of luma that are collections here.
var collectionFlags = map[string]string{
	"eco_collection": "Eco Friendly", "erin_recommends": "Erin Recommends", "new": "New Arrivals",
	"performance_fabric": "Performance Fabrics",
}

// reduced are the promotions of luma whose products are shown as 20 % off: its own rule for pants, and its two sales.
// The price stays that of the source; what it is compared with is computed from it.
var reduced = []string{"Promotions/Pants", "Promotions/Men Sale", "Promotions/Women Sale"}

const saleCollection = "Sale"

var spellings = strings.NewReplacer("performance fabric", "Performance Fabric", "performance Fabric", "Performance Fabric", "Full zip", "Full Zip", "¼ zip", "¼ Zip")

func convertLuma(in []lumaProduct) []sample.Product {
	bySKU := map[string]lumaProduct{}
	for _, p := range in {
		bySKU[p.SKU] = p
	}
	out := make([]sample.Product, 0, len(in))
	for _, p := range in {
		out = append(out, p.convert(bySKU))
	}
	return out
}

func (p lumaProduct) convert(bySKU map[string]lumaProduct) sample.Product {
	price := dollars(p.price(bySKU))
	out := sample.Product{
		SKU: p.SKU, Title: p.title(), Description: cleanDescription(p.description()), Brand: "Luma", Type: sample.Physical,
		Category: p.category(), Collections: p.collections(), Price: price, Attributes: p.attributes(), Status: "active",
	}
	if p.Type == "virtual" {
		out.Type = sample.Digital
	}
	out.CompareAtPrice = p.compareAt(price)
	out.Options = p.options()
	out.Variants = p.variants(price, out.CompareAtPrice)
	out.Images = p.images()
	related := p.Related
	if len(related) == 0 {
		related = p.Upsell
	}
	out.Related, out.CrossSell = known(related, bySKU), known(p.CrossSell, bySKU)
	return out
}

// freeDownload is sold by the source in three parts with prices of their own, which are not in the data: here it is
// one product at the price of the dearest other download.
const (
	freeDownload      = "240-LV09"
	freeDownloadPrice = 22.00
)

// price is that of the product or, for the bundle and the set, the sum of their parts: the cheapest choice of each.
func (p lumaProduct) price(bySKU map[string]lumaProduct) float64 {
	var parts []string // each a comma-separated choice of SKUs
	switch {
	case p.SKU == freeDownload:
		return freeDownloadPrice
	case p.Type == "bundle":
		for _, option := range p.Attrs["bundle_options"] {
			_, choice, _ := strings.Cut(option, ":")
			parts = append(parts, choice)
		}
	case p.Type == "grouped":
		for _, list := range p.Attrs["associated_sku"] {
			parts = append(parts, strings.Split(list, ",")...)
		}
	case p.Special != nil:
		return *p.Special
	default:
		return *p.Price
	}
	sum := 0.0
	for _, choice := range parts {
		cheapest := math.Inf(1)
		for sku := range strings.SplitSeq(choice, ",") {
			cheapest = min(cheapest, *bySKU[sku].Price)
		}
		sum += cheapest
	}
	return sum
}

func (p lumaProduct) compareAt(price money.Amount) *money.Amount {
	if p.Special != nil && *p.Special < *p.Price {
		before := dollars(*p.Price)
		return &before
	}
	if slices.ContainsFunc(p.Categories, func(c string) bool { return slices.Contains(reduced, c) }) {
		before := price.Share(5, 4)
		return &before
	}
	return nil
}

func (p lumaProduct) title() string {
	title := spaces(html.UnescapeString(p.Name))
	if strings.HasPrefix(p.Name, "Sprite Stasis Ball") { // nine products of three names
		title += ", " + p.colour()
	}
	return title
}

func (p lumaProduct) description() string {
	if p.SKU == freeDownload {
		return yogaForLife
	}
	return p.Description
}

// colour is that of a product without variants. The pink balls are filed under red in the source.
func (p lumaProduct) colour() string {
	if strings.HasSuffix(p.SKU, "-pink") {
		return "Pink"
	}
	if c := p.Attrs["color"]; len(c) > 0 {
		return c[0]
	}
	return ""
}

// category is the first path of the product that is a place in the shop and not a promotion.
func (p lumaProduct) category() string {
	for _, c := range p.Categories {
		top, rest, _ := strings.Cut(c, "/")
		switch top {
		case "Men", "Women", "Gear":
			return strings.ReplaceAll(c, "/", " > ")
		case "Training":
			return "Gear > " + rest + "s" // Video Downloads
		}
	}
	return "Gear"
}

func (p lumaProduct) collections() []string {
	found := map[string]bool{}
	for _, c := range p.Categories {
		c = strings.TrimPrefix(c, "Collections/")
		switch {
		case slices.Contains(reduced, c):
			found[saleCollection] = true
		case c == "Erin Recommends New":
			found["Erin Recommends"] = true
		case !strings.Contains(c, "/") && c != "Collections" && c != "Promotions":
			found[c] = true
		}
	}
	if p.Special != nil && *p.Special < *p.Price {
		found[saleCollection] = true
	}
	for flag, name := range collectionFlags {
		if v := p.Attrs[flag]; len(v) > 0 && (v[0] == "1" || v[0] == "Yes") {
			found[name] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func (p lumaProduct) attributes() map[string][]string {
	out := map[string][]string{}
	for key, values := range p.Attrs {
		if name, ok := attributeNames[key]; ok {
			for _, v := range values {
				out[name] = appendNew(out[name], spellings.Replace(v))
			}
		}
	}
	if c := p.colour(); c != "" {
		out["Colour"] = []string{c}
	} else if len(p.Variants) == 0 {
		for _, file := range p.Images {
			if colour, _ := colourAndView(file); colour != "" {
				out["Colour"] = appendNew(out["Colour"], capital(colour))
			}
		}
	}
	if top, _, _ := strings.Cut(p.category(), " > "); top != "Gear" {
		out["Gender"] = []string{top}
	}
	for _, o := range p.options() {
		out[o.Name] = o.Values
	}
	return out
}

var optionNames = map[string]string{"size": "Size", "color": "Colour"}

func (p lumaProduct) options() []sample.Option {
	var out []sample.Option
	for _, key := range []string{"size", "color"} {
		o := sample.Option{Name: optionNames[key]}
		for _, v := range p.Variants {
			if value, ok := v.Options[key]; ok {
				o.Values = appendNew(o.Values, value)
			}
		}
		if len(o.Values) > 0 {
			out = append(out, o)
		}
	}
	return out
}

func (p lumaProduct) variants(price money.Amount, compareAt *money.Amount) []sample.Variant {
	if len(p.Variants) == 0 {
		return []sample.Variant{{SKU: p.SKU, Price: price, CompareAtPrice: compareAt}}
	}
	out := make([]sample.Variant, 0, len(p.Variants))
	for _, v := range p.Variants {
		o := sample.Variant{SKU: v.SKU, Price: dollars(v.Price), CompareAtPrice: compareAt, Options: map[string]string{}}
		for key, value := range v.Options {
			o.Options[optionNames[key]] = value
		}
		if len(v.Images) > 0 {
			o.Image = v.Images[0]
		}
		out = append(out, o)
	}
	return out
}

func (p lumaProduct) images() []sample.ProductImage {
	files := slices.Clone(p.Images)
	for _, v := range p.Variants {
		for _, f := range v.Images {
			files = appendNew(files, f)
		}
	}
	title := p.title()
	out := make([]sample.ProductImage, 0, len(files))
	for _, f := range files {
		alt := title
		colour, view := colourAndView(f)
		if colour != "" && !strings.Contains(strings.ToLower(title), colour) {
			alt += " in " + colour
		}
		out = append(out, sample.ProductImage{File: f, Alt: alt + view})
	}
	return out
}

// views are the endings of file names that tell what is on the picture, by what is said of it.
var views = []struct{ ending, says string }{
	{"_back", ", from behind"}, {"_side", ", from the side"}, {"_outfit", ", worn with an outfit"}, {"_alt", ", another view"},
}

var colours = []string{"black", "blue", "brown", "gray", "green", "lavender", "orange", "pink", "purple", "red", "white", "yellow"}

// colourAndView reads a file name such as mh01-gray_back.jpg.
func colourAndView(file string) (colour, view string) {
	for part := range strings.FieldsFuncSeq(file, func(r rune) bool { return r == '-' || r == '_' || r == '.' }) {
		if slices.Contains(colours, part) {
			colour = part
		}
	}
	for _, v := range views {
		if strings.Contains(file, v.ending) {
			view = v.says
		}
	}
	return colour, view
}

// known drops what the catalogue does not hold, and repetitions.
func known(skus []string, bySKU map[string]lumaProduct) []string {
	var out []string
	for _, s := range skus {
		if _, ok := bySKU[s]; ok {
			out = appendNew(out, s)
		}
	}
	return out
}

func dollars(major float64) money.Amount {
	return money.New(int64(math.Round(major*100)), "USD")
}

func appendNew[T comparable](list []T, v T) []T {
	if slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

func capital(s string) string {
	return strings.ToUpper(cmp.Or(s, " ")[:1]) + s[min(1, len(s)):]
}

// yogaForLife replaces a description whose headings and lists have run together in the source.
const yogaForLife = `Tone up mind and body: Pro Yoga Instructor and Master Practitioner Marie Peale helps tone and sculpt your physique with her invigorating yet gentle approach. You'll learn to use yoga to relax, control stress and increase your calorie-burning capacity, all while exploring traditional and new yoga poses that lengthen and strengthen your full muscular structure. Two 25-minute episodes and one of 40 minutes, each with warm-up and cool-down.
- Increase strength, flexibility and metabolism.
- Audio options: music and instruction, or instruction only.
- Heart rate and breathing techniques explained.
- Episode 1: a creative session geared toward opening your lungs, with a focus on hips and shoulders.
- Episode 2: ramp up the tempo and energy with calorie-burning flows.
- Episode 3: push your reach and stamina with an intense series of standing and floor exercises and poses.
Marie is a trained martial artist and dancer with a BS in Biological Engineering and over 10 years as a certified yoga teacher. She has studied yoga in England, India and, in 2009, at the Ashraqat Ashram Yoga Farm in the United States.`

// lumaReview is a line of reviews.jsonl.gz.
type lumaReview struct {
	SKU      string `json:"sku"`
	Rating   int    `json:"rating"`
	Title    string `json:"title"`
	Text     string `json:"text"`
	Reviewer string `json:"reviewer"`
}

// renamed maps the beginnings of SKUs that the source renamed after the reviews had been written.
var renamed = map[string]string{"MHS": "MH", "MSHT": "MSH", "WSHT": "WSH"}

// successors maps single SKUs to the product that took their place.
var successors = map[string]string{
	"MJ05": "MJ06", "UB01": "24-UB02", "WG06": "24-UG06", "WG081": "24-WG081-blue", "WG082": "24-WG082-blue", "WG083": "24-WG083-blue",
}

// convertReviews keeps all reviews; those of articles that the catalogue has no counterpart for name no product.
func convertReviews(in []lumaReview, products []sample.Product) []sample.Review {
	sold := map[string]bool{}
	for _, p := range products {
		sold[p.SKU] = true
	}
	out := make([]sample.Review, 0, len(in))
	for i, r := range in {
		o := sample.Review{
			SKU: r.product(sold), Rating: r.Rating, Title: reviewTitle(r.Title, r.Text), Text: spaces(html.UnescapeString(r.Text)),
			Author: spaces(r.Reviewer), DaysAgo: 3 + int(draw("review", fmt.Sprint(i, r.SKU))*600),
		}
		if o.SKU != r.SKU {
			o.SourceSKU = r.SKU
		}
		out = append(out, o)
	}
	return out
}

func (r lumaReview) product(sold map[string]bool) string {
	if sold[r.SKU] {
		return r.SKU
	}
	if s := successors[r.SKU]; s != "" {
		return s
	}
	number := strings.TrimLeft(r.SKU, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	if s := renamed[strings.TrimSuffix(r.SKU, number)] + number; sold[s] {
		return s
	}
	return ""
}
