package embedded

import (
	"cmp"
	"context"
	"math"
	"reflect"

	blevesearch "github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/searcher"
	index "github.com/blevesearch/bleve_index_api"

	"shopd/internal/catalog/search"
)

// The scorers of bleve multiply with the share of clauses met and with the idf a second time. These here score as
// Lucene does, so that both engines rank alike.

// matching is a searcher as the ones below see it. They are driven by Next and Advance alone.
type matching = blevesearch.Searcher

// base has what a blevesearch.Searcher needs besides Next, Advance and Close.
type base struct {
	count uint64
	pool  int
}

func (base) Weight() float64              { return 0 }
func (base) SetQueryNorm(float64)         {}
func (b base) Count() uint64              { return b.count }
func (base) Min() int                     { return 0 }
func (base) Size() int                    { return int(reflect.TypeFor[base]().Size()) }
func (b base) DocumentMatchPoolSize() int { return b.pool }

// statistics are the mean lengths of the text fields, in terms.
type statistics map[string]float64

// defaultLength is used until the lengths have been counted.
const defaultLength = 10

func (s statistics) length(field string) float64 {
	if l := s[field]; l > 0 {
		return l
	}
	return defaultLength
}

// postings are the documents with a term in one field.
type postings struct {
	reader index.TermFieldReader
	doc    index.TermFieldDoc
	ok     bool // doc is a document
	factor float64
	length float64
}

func openPostings(ctx context.Context, r index.IndexReader, field, term string, weight float64, s statistics) (*postings, error) {
	reader, err := r.TermFieldReader(ctx, []byte(term), field, true, true, false)
	if err != nil {
		return nil, err
	}
	documents, err := r.DocCount()
	if err != nil {
		return nil, err
	}
	n := float64(reader.Count())
	idf := math.Log1p((float64(documents) - n + 0.5) / (n + 0.5))
	return &postings{reader: reader, factor: weight * idf * (search.BM25K1 + 1), length: s.length(field)}, nil
}

func (p *postings) next() error {
	p.doc.ID = p.doc.ID[:0]
	d, err := p.reader.Next(&p.doc)
	p.ok = d != nil
	return err
}

func (p *postings) advance(id index.IndexInternalID) error {
	p.doc.ID = p.doc.ID[:0]
	d, err := p.reader.Advance(id, &p.doc)
	p.ok = d != nil
	return err
}

// score is BM25 of the current document.
func (p *postings) score() float64 {
	tf := float64(p.doc.Freq)
	length := p.length
	if p.doc.Norm > 0 {
		length = 1 / (p.doc.Norm * p.doc.Norm)
	}
	return p.factor * tf / (tf + search.BM25K1*(1-search.BM25B+search.BM25B*length/p.length))
}

// scoredTerm matches documents with a term in FieldText, and adds the scores it has in the weighted fields.
type scoredTerm struct {
	base
	text  *postings
	other []*postings
}

var weights = []struct {
	field  string
	weight float64
}{
	{search.FieldTitle, search.WeightTitle},
	{search.FieldLabel, search.WeightLabel},
	{search.FieldAttributes, search.WeightAttributes},
}

func newScoredTerm(ctx context.Context, r index.IndexReader, term string, s statistics) (*scoredTerm, error) {
	text, err := openPostings(ctx, r, search.FieldText, term, 1, s)
	if err != nil {
		return nil, err
	}
	t := &scoredTerm{base: base{count: text.reader.Count(), pool: 1}, text: text}
	if t.count == 0 {
		return t, nil
	}
	for _, w := range weights {
		p, err := openPostings(ctx, r, w.field, term, w.weight, s)
		if err != nil {
			return nil, cmp.Or(err, t.Close())
		}
		t.other = append(t.other, p)
		if err := p.next(); err != nil {
			return nil, cmp.Or(err, t.Close())
		}
	}
	return t, nil
}

func (t *scoredTerm) Next(ctx *blevesearch.SearchContext) (*blevesearch.DocumentMatch, error) {
	if err := t.text.next(); err != nil || !t.text.ok {
		return nil, err
	}
	return t.match(ctx)
}

func (t *scoredTerm) Advance(ctx *blevesearch.SearchContext, id index.IndexInternalID) (*blevesearch.DocumentMatch, error) {
	if err := t.text.advance(id); err != nil || !t.text.ok {
		return nil, err
	}
	return t.match(ctx)
}

func (t *scoredTerm) match(ctx *blevesearch.SearchContext) (*blevesearch.DocumentMatch, error) {
	at := t.text.doc.ID
	m := ctx.DocumentMatchPool.Get()
	m.IndexInternalID = append(m.IndexInternalID, at...)
	m.Score = t.text.score()
	for _, p := range t.other {
		if p.ok && p.doc.ID.Compare(at) < 0 {
			if err := p.advance(at); err != nil {
				return nil, err
			}
		}
		if p.ok && p.doc.ID.Equals(at) {
			m.Score += p.score()
		}
	}
	return m, nil
}

func (t *scoredTerm) Close() error {
	err := t.text.reader.Close()
	for _, p := range t.other {
		err = cmp.Or(err, p.reader.Close())
	}
	return err
}

// constant gives every match of a searcher the same score.
type constant struct {
	matching
	score float64
}

func (c constant) Next(ctx *blevesearch.SearchContext) (*blevesearch.DocumentMatch, error) {
	return c.scored(c.matching.Next(ctx))
}

func (c constant) Advance(ctx *blevesearch.SearchContext, id index.IndexInternalID) (*blevesearch.DocumentMatch, error) {
	return c.scored(c.matching.Advance(ctx, id))
}

func (c constant) scored(m *blevesearch.DocumentMatch, err error) (*blevesearch.DocumentMatch, error) {
	if m != nil {
		m.Score = c.score
	}
	return m, err
}

// best matches what one of its searchers matches, with the highest score among them.
type best struct {
	base
	of      []matching
	current []*blevesearch.DocumentMatch
	started bool
}

func newBest(of []matching) matching {
	if len(of) == 1 {
		return of[0]
	}
	b := &best{of: of, current: make([]*blevesearch.DocumentMatch, len(of))}
	for _, s := range of {
		b.count += s.Count()
		b.pool += s.DocumentMatchPoolSize()
	}
	return b
}

func (b *best) Next(ctx *blevesearch.SearchContext) (*blevesearch.DocumentMatch, error) {
	if !b.started {
		b.started = true
		for i, s := range b.of {
			m, err := s.Next(ctx)
			if err != nil {
				return nil, err
			}
			b.current[i] = m
		}
	}
	return b.take(ctx)
}

func (b *best) Advance(ctx *blevesearch.SearchContext, id index.IndexInternalID) (*blevesearch.DocumentMatch, error) {
	for i, s := range b.of {
		m := b.current[i]
		if b.started && (m == nil || m.IndexInternalID.Compare(id) >= 0) {
			continue
		}
		if m != nil {
			ctx.DocumentMatchPool.Put(m)
		}
		next, err := s.Advance(ctx, id)
		if err != nil {
			return nil, err
		}
		b.current[i] = next
	}
	b.started = true
	return b.take(ctx)
}

// take returns the first document that any searcher stands at, and moves those searchers on.
func (b *best) take(ctx *blevesearch.SearchContext) (*blevesearch.DocumentMatch, error) {
	first := -1
	for i, m := range b.current {
		if m != nil && (first < 0 || m.IndexInternalID.Compare(b.current[first].IndexInternalID) < 0) {
			first = i
		}
	}
	if first < 0 {
		return nil, nil
	}
	taken := b.current[first]
	for i := first; i < len(b.current); i++ {
		m := b.current[i]
		if m == nil || !m.IndexInternalID.Equals(taken.IndexInternalID) {
			continue
		}
		taken.Score = max(taken.Score, m.Score)
		if i != first {
			ctx.DocumentMatchPool.Put(m)
		}
		next, err := b.of[i].Next(ctx)
		if err != nil {
			return nil, err
		}
		b.current[i] = next
	}
	return taken, nil
}

func (b *best) Close() error {
	var err error
	for _, s := range b.of {
		err = cmp.Or(err, s.Close())
	}
	return err
}

// ranked adds to the score of a match those of the preferences it meets, multiplies it with its quality, and
// notes the prices it has seen.
type ranked struct {
	matching
	preferences []*preference
	values      index.DocValueReader
	prices      *search.PriceRange
	priced      bool
	quality     float64
	price       float64
}

// preference is a searcher that follows another one.
type preference struct {
	matching
	boost   float64
	current *blevesearch.DocumentMatch
	started bool
}

func (p *preference) score(ctx *blevesearch.SearchContext, id index.IndexInternalID) (float64, error) {
	if !p.started || p.current != nil && p.current.IndexInternalID.Compare(id) < 0 {
		if p.current != nil {
			ctx.DocumentMatchPool.Put(p.current)
		}
		m, err := p.Advance(ctx, id)
		if err != nil {
			return 0, err
		}
		p.current, p.started = m, true
	}
	if p.current == nil || !p.current.IndexInternalID.Equals(id) {
		return 0, nil
	}
	return p.current.Score * p.boost, nil
}

func (r *ranked) Next(ctx *blevesearch.SearchContext) (*blevesearch.DocumentMatch, error) {
	return r.rank(ctx)(r.matching.Next(ctx))
}

func (r *ranked) Advance(ctx *blevesearch.SearchContext, id index.IndexInternalID) (*blevesearch.DocumentMatch, error) {
	return r.rank(ctx)(r.matching.Advance(ctx, id))
}

func (r *ranked) rank(ctx *blevesearch.SearchContext) func(*blevesearch.DocumentMatch, error) (*blevesearch.DocumentMatch, error) {
	return func(m *blevesearch.DocumentMatch, err error) (*blevesearch.DocumentMatch, error) {
		if m == nil || err != nil {
			return m, err
		}
		for _, p := range r.preferences {
			s, err := p.score(ctx, m.IndexInternalID)
			if err != nil {
				return nil, err
			}
			m.Score += s
		}
		r.quality, r.price = 1, 0
		if err := r.values.VisitDocValues(m.IndexInternalID, r.see); err != nil {
			return nil, err
		}
		m.Score *= r.quality
		r.note(int64(r.price))
		return m, nil
	}
}

func (r *ranked) see(field string, term []byte) {
	if n, ok := decodeNumber(term); ok {
		if field == search.FieldPrice {
			r.price = n
		} else {
			r.quality = n
		}
	}
}

func (r *ranked) note(price int64) {
	if !r.priced {
		r.prices.Min, r.prices.Max, r.priced = price, price, true
	}
	r.prices.Min, r.prices.Max = min(r.prices.Min, price), max(r.prices.Max, price)
}

func (r *ranked) Close() error {
	err := r.matching.Close()
	for _, p := range r.preferences {
		err = cmp.Or(err, p.Close())
	}
	return err
}

func (r *ranked) DocumentMatchPoolSize() int {
	n := r.matching.DocumentMatchPoolSize()
	for _, p := range r.preferences {
		n += p.DocumentMatchPoolSize() + 1
	}
	return n
}

// unscored are the options for searchers whose score is not used.
var unscored = blevesearch.SearcherOptions{Score: "none"}

// both matches what all searchers match; its score is their sum.
func both(ctx context.Context, r index.IndexReader, all []matching) (matching, error) {
	if len(all) == 1 {
		return all[0], nil
	}
	return searcher.NewConjunctionSearcher(ctx, r, all, blevesearch.SearcherOptions{})
}
