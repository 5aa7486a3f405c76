package embedded

import (
	"slices"
	"strings"

	"shopd/internal/catalog/search"
)

// index holds documents in memory so that a search reads arrays only. Documents are numbered in the order of their
// coming; one that changes gets a new number, and its old one is dead until the index is written anew. Not safe for
// concurrent use: a generation guards it.
type index struct {
	rows []row
	byID map[string]uint32 // of the live ones
	gone map[string]int64  // versions of the deleted ones
	dead int

	terms      map[string]*postings
	vocabulary map[string]*postings
	names      map[string]*postings
	codes      map[string]*postings
	categories map[string]*postings // by id
	inStock    postings

	wordOrder sorted // words of the vocabulary
	nameOrder sorted // words of names
	codeOrder sorted
	runs      sorted

	facets     counted // what is counted of every document, and filtered by
	facetLists []postings
	headings   counted // categories with their names
}

// row is one document.
type row struct {
	id         string
	version    int64
	live       bool
	price      int64
	created    int64
	popularity float64
	quality    float64
	sortTitle  string
	record     span
	payload    uint32 // bytes at the end of the record
}

// postings are the documents that have something, ascending, with what it weighs in them where that is told.
type postings struct {
	docs    []uint32
	weights []uint8
}

func (p *postings) add(doc uint32) {
	if n := len(p.docs); n == 0 || p.docs[n-1] != doc {
		p.docs = append(p.docs, doc)
	}
}

func newIndex() *index {
	return &index{
		byID: make(map[string]uint32), gone: make(map[string]int64),
		terms: make(map[string]*postings), vocabulary: make(map[string]*postings), names: make(map[string]*postings),
		codes: make(map[string]*postings), categories: make(map[string]*postings),
		facets: newCounted(), headings: newCounted(),
	}
}

// version is the version that is known of a document; false when none is.
func (x *index) version(id string) (int64, bool) {
	if doc, ok := x.byID[id]; ok {
		return x.rows[doc].version, true
	}
	v, ok := x.gone[id]
	return v, ok
}

// put replaces a document by what was written at a place of the log.
func (x *index) put(entries []search.Entry, at []span) {
	var words, names, codes, runs []key
	for i := range entries {
		e := &entries[i]
		x.drop(e.ID)
		if !e.Live {
			x.gone[strings.Clone(e.ID)] = e.Version
			continue
		}
		delete(x.gone, e.ID)
		doc := uint32(len(x.rows))
		id := strings.Clone(e.ID) // not to keep all that was read with it
		x.byID[id] = doc
		x.rows = append(x.rows, row{
			id: id, version: e.Version, live: true, price: e.Price, created: e.CreatedAt, popularity: e.Popularity,
			quality: e.Quality, sortTitle: strings.Clone(e.SortTitle), record: at[i],
			payload: uint32(len(e.Payload)),
		})
		for _, t := range e.Terms {
			p := enter(x.terms, t.Text)
			p.docs, p.weights = append(p.docs, doc), append(p.weights, t.Weight)
		}
		words = enterNew(x.vocabulary, words, e.Vocabulary, doc)
		names = enterNew(x.names, names, e.Names, doc)
		codes = enterNew(x.codes, codes, e.Codes, doc)
		all := strings.Join(e.Runs, "")
		for _, r := range e.Runs {
			runs, all = append(runs, key{text: all[:len(r)], doc: doc}), all[len(r):]
		}
		for _, c := range e.CategoryIDs {
			enter(x.categories, c).add(doc)
		}
		if e.InStock {
			x.inStock.add(doc)
		}
		x.facets.add(e.Facets)
		x.headings.add(e.Categories)
		x.facetLists = slices.Grow(x.facetLists, len(x.facets.names)-len(x.facetLists))[:len(x.facets.names)]
		for _, f := range x.facets.of(doc) {
			x.facetLists[f].add(doc)
		}
	}
	x.wordOrder.add(words)
	x.nameOrder.add(names)
	x.codeOrder.add(codes)
	x.runs.add(runs)
}

// drop makes the number of a document dead.
func (x *index) drop(id string) {
	doc, ok := x.byID[id]
	if !ok {
		return
	}
	x.rows[doc].live = false
	delete(x.byID, id)
	x.dead++
}

func enter(m map[string]*postings, text string) *postings {
	p := m[text]
	if p == nil {
		p = &postings{}
		m[strings.Clone(text)] = p
	}
	return p
}

// enterNew enters texts, and appends to fresh those that came for the first time.
func enterNew(m map[string]*postings, fresh []key, texts []string, doc uint32) []key {
	for _, t := range texts {
		if m[t] == nil {
			t = strings.Clone(t)
			fresh = append(fresh, key{text: t})
		}
		enter(m, t).add(doc)
	}
	return fresh
}

// frequency is how many live documents are in a list: counted for short ones, for a word that no product has any more
// is not one of the catalogue's.
func (x *index) frequency(p *postings) int {
	const short = 16
	if len(p.docs) > short {
		return len(p.docs)
	}
	n := 0
	for _, d := range p.docs {
		if x.rows[d].live {
			n++
		}
	}
	return n
}

// words counts the words of the vocabulary.
func (x *index) words() []search.WordCount {
	counts := make([]search.WordCount, 0, len(x.vocabulary))
	for w, p := range x.vocabulary {
		if n := x.frequency(p); n > 0 {
			counts = append(counts, search.WordCount{Word: w, Count: n})
		}
	}
	return counts
}

// counted are names of which every document has some.
type counted struct {
	names []string
	ids   map[string]uint32
	flat  []uint32 // of all documents, one after the other
	ends  []uint32 // where those of a document end
}

func newCounted() counted { return counted{ids: make(map[string]uint32)} }

// add appends what the next document has.
func (c *counted) add(names []string) {
	for _, n := range names {
		id, ok := c.ids[n]
		if !ok {
			id = uint32(len(c.names))
			n = strings.Clone(n)
			c.names, c.ids[n] = append(c.names, n), id
		}
		c.flat = append(c.flat, id)
	}
	c.ends = append(c.ends, uint32(len(c.flat)))
}

// of is what a document has.
func (c *counted) of(doc uint32) []uint32 {
	begin := uint32(0)
	if doc > 0 {
		begin = c.ends[doc-1]
	}
	return c.flat[begin:c.ends[doc]]
}
