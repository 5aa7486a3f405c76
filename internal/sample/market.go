package sample

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// market is what the invented customers choose from, and how: a few products sell much and many sell little, people
// keep to what they are interested in and to their size, and some things are bought together.
type market struct {
	products   []Product
	byArea     map[string][]int // area → products
	weights    []float64        // popularity, by product
	companions [][]int          // what is bought with a product, the most usual first
}

// The areas of interest. A category belongs to the first that its path begins with.
var areas = []string{"Women", "Men", "Gear", "Electronics", "Home & Garden", "Sports & Outdoor"}

func newMarket(products []Product, seed uint64) *market {
	m := &market{products: products, byArea: map[string][]int{}, weights: make([]float64, len(products)), companions: make([][]int, len(products))}
	order := rand.New(rand.NewPCG(seed, 0x21bf)).Perm(len(products))
	for rank, i := range order {
		p := &products[i]
		// Zipf by rank, and the dear sell less: a bicycle is no pair of socks.
		m.weights[i] = math.Pow(float64(rank+3), -0.9) / math.Pow(max(1, float64(p.Price.Minor)/3000), 0.5)
		area, _, _ := strings.Cut(p.Category, " > ")
		m.byArea[area] = append(m.byArea[area], i)
	}
	bySKU := map[string]int{}
	for i := range products {
		bySKU[products[i].SKU] = i
	}
	for i := range products {
		m.companions[i] = m.companionsOf(i, bySKU)
	}
	return m
}

// outfits pairs parts of the catalogue whose products are worn together.
var outfits = map[string]string{
	"Women > Tops": "Women > Bottoms", "Women > Bottoms": "Women > Tops",
	"Men > Tops": "Men > Bottoms", "Men > Bottoms": "Men > Tops",
}

// companionsOf are two products that make an outfit with product i, always the same, then what its page suggests.
func (m *market) companionsOf(i int, bySKU map[string]int) []int {
	p := &m.products[i]
	var out []int
	for from, to := range outfits {
		if !strings.HasPrefix(p.Category, from) {
			continue
		}
		var fitting []int
		for j := range m.products {
			if strings.HasPrefix(m.products[j].Category, to) {
				fitting = append(fitting, j)
			}
		}
		h := hash(p.SKU)
		first := fitting[h%uint64(len(fitting))]
		second := fitting[h/7919%uint64(len(fitting))]
		out = append(out, first)
		if second != first {
			out = append(out, second)
		}
	}
	for _, sku := range p.CrossSell {
		out = append(out, bySKU[sku])
	}
	return out
}

// shopper is what is always the same about one customer.
type shopper struct {
	interests []float64 // by area
	size      float64   // place in the order of sizes, from 0 up to 1
}

func (m *market) shopper(customer int) shopper {
	r := rand.New(rand.NewPCG(customerSeed, ^uint64(customer)))
	// Half of the customers buy clothes of one kind, a few of both.
	s := shopper{interests: []float64{.1, .1, .22, .12, .18, .16}, size: min(.99, max(0, .45+.22*r.NormFloat64()))}
	s.interests[r.IntN(2)] += .6
	s.interests[2+r.IntN(4)] += .25
	return s
}

// basket returns one to five products, perhaps twice the same.
func (m *market) basket(r *rand.Rand, who shopper) []*Product {
	i := m.popular(r, weighted(r, who.interests))
	out := []*Product{&m.products[i]}
	for len(out) < 5 && r.Float64() < 0.45 {
		if with := m.companions[i]; len(with) > 0 && r.Float64() < 0.6 {
			// The first companion is twice as likely as the second, and so on.
			at := min(int(-math.Log2(1-r.Float64())), len(with)-1)
			out = append(out, &m.products[with[at]])
			continue
		}
		out = append(out, &m.products[m.popular(r, weighted(r, who.interests))])
	}
	return out
}

// popular draws a product of an area by its popularity.
func (m *market) popular(r *rand.Rand, area int) int {
	members := m.byArea[areas[area]]
	weights := make([]float64, len(members))
	for k, i := range members {
		weights[k] = m.weights[i]
	}
	return members[weighted(r, weights)]
}

// choose draws a variant of p: the customer's size, and of the rest the first ones more often.
func (s shopper) choose(r *rand.Rand, p *Product) *Variant {
	size := ""
	for _, o := range p.Options {
		if o.Name == "Size" || o.Name == "Shoe Size" {
			at := int(s.size * float64(len(o.Values)))
			if r.Float64() < .15 { // a gift
				at = r.IntN(len(o.Values))
			}
			size = o.Values[at]
		}
	}
	var fitting []int
	for i := range p.Variants {
		if o := p.Variants[i].Options; size == "" || o["Size"] == size || o["Shoe Size"] == size {
			fitting = append(fitting, i)
		}
	}
	if len(fitting) == 0 {
		return &p.Variants[0]
	}
	weights := make([]float64, len(fitting))
	for k := range fitting {
		weights[k] = 1 / float64(k+1)
	}
	return &p.Variants[fitting[weighted(r, weights)]]
}

// weighted draws an index with the given weights.
func weighted(r *rand.Rand, weights []float64) int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	at := r.Float64() * sum
	i := slices.IndexFunc(weights, func(w float64) bool { at -= w; return at < 0 })
	return max(i, 0)
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s)) // never fails
	return h.Sum64()
}
