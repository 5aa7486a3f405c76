package embedded

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"strings"
	"sync"

	"shopd/internal/catalog/search"
)

// run carries out one plan on an index: clause after clause into arrays with a place for each document.
type run struct {
	x     *index
	plan  *search.Plan
	total []float32 // score of each document
	met   []uint32  // clauses each document meets, one bit each
	found []uint32  // documents that meet one

	best    []float32 // of the alternatives of one clause
	current []uint32  // documents that meet one of them
}

var runs = sync.Pool{New: func() any { return &run{} }}

func begin(x *index, plan *search.Plan) *run {
	r := runs.Get().(*run) //nolint:errcheck,forcetypeassert // nothing else is in this pool
	r.x, r.plan = x, plan
	if n := len(x.rows); len(r.total) < n {
		n += n / 8 // so that a growing index does not ask for new arrays each time
		r.total, r.met, r.best = make([]float32, n), make([]uint32, n), make([]float32, n)
	}
	return r
}

// end leaves the arrays as they were found: empty.
func (r *run) end() {
	for _, d := range r.found {
		r.total[d], r.met[d] = 0, 0
	}
	r.found = r.found[:0]
	r.x, r.plan = nil, nil
	runs.Put(r)
}

// find fills found with the documents the plan finds, dead ones left out.
func (r *run) find() {
	if r.plan.All() {
		for d := range r.x.rows {
			if r.x.rows[d].live {
				r.found = append(r.found, uint32(d))
				r.total[d] = 1
			}
		}
		return
	}
	all := uint32(1)<<len(r.plan.Clauses) - 1
	strict := r.plan.Least >= len(r.plan.Clauses)
	seen := uint32(0)
	for _, i := range r.byCost() {
		c, bit := &r.plan.Clauses[i], uint32(1)<<i
		if strict && seen != 0 {
			r.narrow(c, bit, seen)
		} else {
			r.widen(c, bit)
		}
		seen |= bit
	}
	needed := all
	if !strict {
		needed = 0
		for i := range r.plan.Clauses {
			if r.plan.Clauses[i].Required {
				needed |= 1 << i
			}
		}
	}
	kept := r.found[:0]
	for _, d := range r.found {
		if m := r.met[d]; m&needed == needed && bits.OnesCount32(m) >= r.plan.Least && r.x.rows[d].live {
			kept = append(kept, d)
		} else {
			r.total[d], r.met[d] = 0, 0
		}
	}
	r.found = kept
	for i := range r.plan.Bonuses {
		r.prefer(&r.plan.Bonuses[i])
	}
	for _, d := range r.found {
		r.total[d] *= float32(r.x.rows[d].quality)
	}
}

// byCost orders the clauses by how many documents they may be met by, the fewest first.
func (r *run) byCost() []int {
	order, costs := make([]int, len(r.plan.Clauses)), make([]int, len(r.plan.Clauses))
	for i := range order {
		order[i] = i
		for j := range r.plan.Clauses[i].Alternatives {
			costs[i] += r.cost(&r.plan.Clauses[i].Alternatives[j])
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return costs[a] - costs[b] })
	return order
}

func (r *run) cost(a *search.Alternative) int {
	if a.Match != search.Words {
		return 0 // hardly ever many
	}
	n := math.MaxInt
	for _, t := range a.Terms {
		if p := r.x.terms[t]; p == nil {
			n = 0
		} else {
			n = min(n, len(p.docs))
		}
	}
	return n
}

// widen adds what meets a clause to what was found.
func (r *run) widen(c *search.Clause, bit uint32) {
	r.each(c, func(d uint32, score float32) {
		if r.met[d] == 0 {
			r.found = append(r.found, d)
		}
		r.met[d] |= bit
		r.total[d] += score
	})
}

// narrow marks what meets a clause among what has met all clauses seen.
func (r *run) narrow(c *search.Clause, bit, seen uint32) {
	r.each(c, func(d uint32, score float32) {
		if r.met[d] == seen {
			r.met[d] |= bit
			r.total[d] += score
		}
	})
}

// prefer adds the score of a clause to what was found and meets it.
func (r *run) prefer(c *search.Clause) {
	r.each(c, func(d uint32, score float32) {
		if r.met[d] != 0 {
			r.total[d] += score
		}
	})
}

// each calls f with the documents that meet a clause, and the best score among the alternatives.
func (r *run) each(c *search.Clause, f func(doc uint32, score float32)) {
	if len(c.Alternatives) == 1 && c.Alternatives[0].Match == search.Words && len(c.Alternatives[0].Terms) == 1 {
		if p := r.x.terms[c.Alternatives[0].Terms[0]]; p != nil {
			base, factor := float32(c.Alternatives[0].Base), float32(c.Alternatives[0].Boost)*r.x.idf(p)
			for i, d := range p.docs {
				f(d, base+factor*said[p.weights[i]])
			}
		}
		return
	}
	for i := range c.Alternatives {
		r.alternative(&c.Alternatives[i])
	}
	for _, d := range r.current {
		f(d, r.best[d])
		r.best[d] = 0
	}
	r.current = r.current[:0]
}

func (r *run) offer(d uint32, score float32) {
	if r.best[d] == 0 {
		r.current = append(r.current, d)
	}
	r.best[d] = max(r.best[d], score)
}

func (r *run) alternative(a *search.Alternative) {
	base := float32(a.Base)
	one := func(p *postings) {
		if p != nil {
			for _, d := range p.docs {
				r.offer(d, base)
			}
		}
	}
	switch a.Match {
	case search.Words:
		r.words(a.Terms, base, float32(a.Boost))
	case search.Code:
		one(r.x.codes[a.Terms[0]])
	case search.CodePrefix:
		r.x.codeOrder.beginning(a.Terms[0], func(k *key) { one(r.x.codes[k.text]) })
	case search.Run:
		r.x.runs.beginning(a.Terms[0], func(k *key) { r.offer(k.doc, base) })
	case search.Name:
		r.named(a.Terms, base)
	}
}

// words offers the documents that have all terms.
func (r *run) words(terms []string, base, boost float32) {
	lists := make([]*postings, len(terms))
	for i, t := range terms {
		if lists[i] = r.x.terms[t]; lists[i] == nil {
			return
		}
	}
	slices.SortFunc(lists, func(a, b *postings) int { return len(a.docs) - len(b.docs) })
	factors := make([]float32, len(lists))
	for i, p := range lists {
		factors[i] = boost * r.x.idf(p) / float32(len(lists))
	}
	first, at := lists[0], make([]int, len(lists))
	for i, d := range first.docs {
		score, all := base+factors[0]*said[first.weights[i]], true
		for j := 1; j < len(lists) && all; j++ {
			at[j] = advance(lists[j].docs, at[j], d)
			if all = at[j] < len(lists[j].docs) && lists[j].docs[at[j]] == d; all {
				score += factors[j] * said[lists[j].weights[at[j]]]
			}
		}
		if all {
			r.offer(d, score)
		}
	}
}

// advance returns the first place from i on with a document from d on, in growing steps.
func advance(docs []uint32, i int, d uint32) int {
	step := 1
	for i+step < len(docs) && docs[i+step] < d {
		i += step
		step *= 2
	}
	end := min(i+step+1, len(docs))
	at, _ := slices.BinarySearch(docs[i:end], d)
	return i + at
}

// named offers the documents that have, for each beginning, a name that begins so.
func (r *run) named(beginnings []string, base float32) {
	if len(beginnings) == 1 {
		r.x.nameOrder.beginning(beginnings[0], func(k *key) {
			for _, d := range r.x.names[k.text].docs {
				r.offer(d, base)
			}
		})
		return
	}
	var all map[uint32]struct{}
	for _, b := range beginnings {
		some := make(map[uint32]struct{})
		r.x.nameOrder.beginning(b, func(k *key) {
			for _, d := range r.x.names[k.text].docs {
				if _, ok := all[d]; ok || all == nil {
					some[d] = struct{}{}
				}
			}
		})
		all = some
	}
	for d := range all {
		r.offer(d, base)
	}
}

// said is what a weight is worth in a score.
var said = func() (table [math.MaxUint8 + 1]float32) {
	for w := range table {
		table[w] = float32(w) * (search.Saturation + 1) / (float32(w) + search.Saturation)
	}
	return table
}()

// idf is Lucene's: how much it says about a document to be in a list.
func (x *index) idf(p *postings) float32 {
	n, all := float64(len(p.docs)), float64(len(x.rows))
	return float32(math.Log1p((all - n + 0.5) / (n + 0.5)))
}

// page filters, counts and orders what was found.
func (r *run) page(q *search.Request) *search.Page {
	page := &search.Page{Exact: true}
	f := r.filter(&q.Filter)
	order := q.Order()
	top := newTop(r, order, q.Limit, q.After)
	tally := newTally(r, &f, q.Facets)
	for _, d := range r.found {
		switch failed := f.fails(r.x, d); {
		case failed == 0:
			page.Total++
			top.offer(d)
			tally.hit(d)
		case q.Facets:
			tally.miss(d, failed)
		}
	}
	page.Hits = top.hits()
	tally.fill(page)
	return page
}

// filter is what a search.Filter means on this index: conditions of which each keeps some documents.
type filter struct {
	conditions []condition
	names      []string // of the facets, by condition; empty for others
	priced     int      // the condition on prices; -1 for none
	low, high  int64
}

// condition is a set of documents.
type condition []uint64

func (c condition) has(d uint32) bool { return c[d>>6]>>(d&63)&1 != 0 }

func (r *run) filter(f *search.Filter) filter {
	out := filter{priced: -1, low: math.MinInt64, high: math.MaxInt64}
	add := func(name string, lists ...*postings) {
		set := make(condition, len(r.x.rows)/64+1)
		for _, p := range lists {
			if p == nil {
				continue
			}
			for _, d := range p.docs {
				set[d>>6] |= 1 << (d & 63)
			}
		}
		out.conditions, out.names = append(out.conditions, set), append(out.names, name)
	}
	if f.CategoryID != "" {
		add("", r.x.categories[f.CategoryID])
	}
	if f.InStockOnly {
		add("", &r.x.inStock)
	}
	for name, values := range f.Facets {
		lists := make([]*postings, 0, len(values))
		for _, v := range values {
			if id, ok := r.x.facets.ids[search.FacetTerm(name, v)]; ok {
				lists = append(lists, &r.x.facetLists[id])
			}
		}
		add(name, lists...)
	}
	if f.PriceMin != nil || f.PriceMax != nil {
		out.priced = len(out.conditions)
		if f.PriceMin != nil {
			out.low = *f.PriceMin
		}
		if f.PriceMax != nil {
			out.high = *f.PriceMax
		}
	}
	return out
}

// fails tells the conditions a document does not meet, one bit each.
func (f *filter) fails(x *index, d uint32) uint32 {
	failed := uint32(0)
	for i, c := range f.conditions {
		if !c.has(d) {
			failed |= 1 << i
		}
	}
	if f.priced >= 0 {
		if p := x.rows[d].price; p < f.low || p > f.high {
			failed |= 1 << f.priced
		}
	}
	return failed
}

// tally counts what a page tells besides its hits.
type tally struct {
	r        *run
	f        *filter
	on       bool
	facets   counter
	headings counter
	selected []*counter // by condition; nil where nothing is counted without it
	prices   search.PriceRange
	priced   bool
}

func newTally(r *run, f *filter, on bool) *tally {
	t := &tally{r: r, f: f, on: on}
	if !on {
		return t
	}
	t.facets, t.headings = newCounter(&r.x.facets), newCounter(&r.x.headings)
	t.selected = make([]*counter, len(f.conditions))
	for i, name := range f.names {
		if name != "" {
			c := newCounter(&r.x.facets)
			t.selected[i] = &c
		}
	}
	return t
}

func (t *tally) hit(d uint32) {
	if !t.on {
		return
	}
	t.facets.count(d)
	t.headings.count(d)
	for _, c := range t.selected {
		if c != nil {
			c.count(d)
		}
	}
	t.price(d)
}

// miss counts a document that fails some conditions where it would be a hit without one of them.
func (t *tally) miss(d uint32, failed uint32) {
	if bits.OnesCount32(failed) > 1 {
		return
	}
	i := bits.TrailingZeros32(failed)
	if i == t.f.priced {
		t.price(d)
	} else if t.selected[i] != nil {
		t.selected[i].count(d)
	}
}

func (t *tally) price(d uint32) {
	p := t.r.x.rows[d].price
	if !t.priced {
		t.prices, t.priced = search.PriceRange{Min: p, Max: p}, true
	}
	t.prices.Min, t.prices.Max = min(t.prices.Min, p), max(t.prices.Max, p)
}

func (t *tally) fill(page *search.Page) {
	if !t.on {
		return
	}
	page.Facets = t.facets.most(search.MaxFacetTerms, "")
	page.Categories = t.headings.most(search.MaxCategoryTerms, "")
	page.Selected = make(map[string][]search.TermCount)
	for i, c := range t.selected {
		if c != nil {
			page.Selected[t.f.names[i]] = c.most(search.MaxFacetTerms, search.FacetPrefix(t.f.names[i]))
		}
	}
	if t.priced {
		page.Price = &t.prices
	}
}

// counter counts the names of documents.
type counter struct {
	of     *counted
	counts []uint32
}

func newCounter(of *counted) counter { return counter{of: of, counts: make([]uint32, len(of.names))} }

func (c *counter) count(d uint32) {
	for _, id := range c.of.of(d) {
		c.counts[id]++
	}
}

// most are the names that were counted most, at most limit and only those that begin with prefix.
func (c *counter) most(limit int, prefix string) []search.TermCount {
	const tallest = 256
	var heights [tallest]int // how many names were counted so often
	for _, n := range c.counts {
		heights[min(n, tallest-1)]++
	}
	least, above := uint32(1), 0
	if prefix == "" {
		for h := tallest - 1; h > 0; h-- {
			if above += heights[h]; above >= limit {
				least = uint32(h)
				break
			}
		}
	}
	var all []search.TermCount
	for id, n := range c.counts {
		if n >= least && strings.HasPrefix(c.of.names[id], prefix) {
			all = append(all, search.TermCount{Term: c.of.names[id], Count: int(n)})
		}
	}
	slices.SortFunc(all, func(a, b search.TermCount) int {
		return cmp.Or(b.Count-a.Count, strings.Compare(a.Term, b.Term))
	})
	return all[:min(limit, len(all))]
}

// top keeps the first documents of an order, in a heap whose root is the last of them.
type top struct {
	r     *run
	order search.Sorted
	limit int
	after *search.Position
	heap  []ranked
}

// ranked is a document with what it is ordered by.
type ranked struct {
	number float64
	text   string
	doc    uint32
}

func newTop(r *run, order search.Sorted, limit int, after *search.Position) *top {
	return &top{r: r, order: order, limit: limit, after: after, heap: make([]ranked, 0, limit)}
}

func (t *top) value(d uint32) ranked {
	row := &t.r.x.rows[d]
	v := ranked{doc: d}
	switch t.order.By {
	case "":
		v.number = float64(t.r.total[d])
	case search.FieldPrice:
		v.number = float64(row.price)
	case search.FieldCreatedAt:
		v.number = float64(row.created)
	case search.FieldPopularity:
		v.number = row.popularity
	case search.FieldQuality:
		v.number = row.quality
	case search.FieldSortTitle:
		v.text = row.sortTitle
	}
	return v
}

// compare orders two documents, ties by their ids.
func (t *top) compare(a, b *ranked) int {
	return t.compareTo(a, b.number, b.text, t.r.x.rows[b.doc].id)
}

func (t *top) compareTo(a *ranked, number float64, text, id string) int {
	c := cmp.Compare(a.number, number)
	if t.order.Text {
		c = strings.Compare(a.text, text)
	}
	if t.order.Descending {
		c = -c
	}
	if c != 0 {
		return c
	}
	return strings.Compare(t.r.x.rows[a.doc].id, id)
}

func (t *top) offer(d uint32) {
	if t.limit == 0 {
		return
	}
	v := t.value(d)
	if t.after != nil && t.compareTo(&v, t.after.Number, t.after.Text, t.after.ID) <= 0 {
		return
	}
	if len(t.heap) < t.limit {
		t.heap = append(t.heap, v)
		t.up(len(t.heap) - 1)
		return
	}
	if t.compare(&v, &t.heap[0]) < 0 {
		t.heap[0] = v
		t.down(0)
	}
}

func (t *top) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if t.compare(&t.heap[i], &t.heap[parent]) <= 0 {
			return
		}
		t.heap[i], t.heap[parent] = t.heap[parent], t.heap[i]
		i = parent
	}
}

func (t *top) down(i int) {
	for {
		last, left := i, 2*i+1
		for child := left; child <= left+1 && child < len(t.heap); child++ {
			if t.compare(&t.heap[child], &t.heap[last]) > 0 {
				last = child
			}
		}
		if last == i {
			return
		}
		t.heap[i], t.heap[last] = t.heap[last], t.heap[i]
		i = last
	}
}

// hits are the documents in their order, still without payloads.
func (t *top) hits() []search.PageHit {
	slices.SortFunc(t.heap, func(a, b ranked) int { return t.compare(&a, &b) })
	hits := make([]search.PageHit, len(t.heap))
	for i, v := range t.heap {
		id := t.r.x.rows[v.doc].id
		hits[i] = search.PageHit{
			Hit:      search.Hit{ProductID: id},
			Position: search.Position{Number: v.number, Text: v.text, ID: id},
		}
		if t.order.By == "" {
			hits[i].Score = v.number
		}
	}
	return hits
}
