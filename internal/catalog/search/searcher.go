package search

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"
)

// Timeout bounds every search and suggestion.
const Timeout = 2 * time.Second

const (
	maxFacetNames  = 20
	maxFacetValues = 100
	maxNameBytes   = 200
)

// Searcher answers queries on a Backend: it reads the text, corrects what the catalogue does not know when nothing
// matches, and lets go of words when still nothing does.
type Searcher struct {
	Backend Backend
}

// Search is Engine.Search.
func (s Searcher) Search(ctx context.Context, q Query) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	if err := q.prepare(); err != nil {
		return Result{}, err
	}
	var a *answer
	var err error
	switch {
	case q.After != "":
		a, err = s.continued(ctx, &q)
	case strings.TrimSpace(q.Text) == "":
		a, err = s.listed(ctx, &q)
	default:
		a, err = s.answered(ctx, &q)
	}
	if err != nil {
		return Result{}, Unavailable(err)
	}
	return a.result(&q)
}

// prepare checks a query and fills in what was left out.
func (q *Query) prepare() error {
	if q.Limit < 0 || q.Limit > MaxLimit {
		return invalid("limit", "The limit is a number from 1 to 100.")
	}
	if q.Limit == 0 {
		q.Limit = DefaultLimit
	}
	if q.Sort == "" {
		q.Sort = SortRelevance
	}
	switch q.Sort {
	case SortRelevance, SortPriceAsc, SortPriceDesc, SortNewest, SortTitle, SortPopularity:
	default:
		return invalid("sort", "The sort is one of relevance, price, -price, -created_at, title, popularity.")
	}
	if len(q.CategoryID) > maxNameBytes {
		return invalid("category", "This is not a category.")
	}
	return q.prepareFacets()
}

func (q *Query) prepareFacets() error {
	if len(q.Facets) > maxFacetNames {
		return invalid("facet", "At most 20 facets can be selected.")
	}
	facets := make(map[string][]string, len(q.Facets))
	for name, values := range q.Facets {
		if len(name) > maxNameBytes || len(values) > maxFacetValues {
			return invalid("facet", "At most 100 values of a facet can be selected.")
		}
		if len(values) > 0 {
			facets[name] = values
		}
	}
	q.Facets = facets
	return nil
}

func (q *Query) filter() Filter {
	return Filter{CategoryID: q.CategoryID, Facets: q.Facets, PriceMin: q.PriceMin, PriceMax: q.PriceMax, InStockOnly: q.InStockOnly}
}

func (q *Query) request(p *Plan) *Request {
	const oneMore = 1 // tells whether there is a following page
	return &Request{Plan: p, Filter: q.filter(), Sort: q.Sort, Limit: q.Limit + oneMore, Facets: q.After == ""}
}

// few is how many products that meet all words are too few: others follow that miss one.
const few = DefaultLimit

// answer is a page with how the text was understood to get it.
type answer struct {
	page      *Page
	matching  int // of the hits, those that meet all words
	near      bool
	corrected string
	dropped   []string
}

// listed answers a query without a text.
func (s Searcher) listed(ctx context.Context, q *Query) (*answer, error) {
	page, err := s.Backend.Execute(ctx, q.request(&Plan{}))
	if err != nil {
		return nil, err
	}
	return &answer{page: page, matching: page.Total}, nil
}

// continued answers with a following page.
func (s Searcher) continued(ctx context.Context, q *Query) (*answer, error) {
	c, err := decodeCursor(q)
	if err != nil {
		return nil, err
	}
	typed := q.Text
	if c.Text != "" {
		typed = c.Text
	}
	plan := &Plan{}
	if strings.TrimSpace(typed) != "" {
		u := understanding{s.Backend.Vocabulary(), q.Synonyms}
		required, optional := part(queryWords(typed, u.vocabulary), c.Dropped)
		if len(required) == 0 {
			return nil, invalid("after", "This is not a cursor of this search. Begin without one.")
		}
		if plan, err = u.plan(required, optional); err != nil {
			return nil, err
		}
		if c.Near {
			u.near(plan, required)
		}
	}
	r := q.request(plan)
	r.After = &c.Position
	page, err := s.Backend.Execute(ctx, r)
	if err != nil {
		return nil, err
	}
	page.Total, page.Exact = c.Total, c.Exact
	return &answer{page: page, matching: c.Matching, near: c.Near, corrected: c.Text, dropped: c.Dropped}, nil
}

// part divides words into those that stay and those that were dropped.
func part(words []queryWord, dropped []string) (required, optional []queryWord) {
	for _, w := range words {
		if slices.Contains(dropped, w.surface) {
			optional = append(optional, w)
		} else {
			required = append(required, w)
		}
	}
	return required, optional
}

// answered finds the first page for a text: as typed, then corrected, then with fewer words.
func (s Searcher) answered(ctx context.Context, q *Query) (*answer, error) {
	u := understanding{s.Backend.Vocabulary(), q.Synonyms}
	words := queryWords(q.Text, u.vocabulary)
	if len(words) == 0 {
		return &answer{page: &Page{Exact: true}}, nil
	}
	t := &trial{backend: s.Backend, query: q, understanding: u}
	if done, err := t.try(ctx, words, nil, false); done || err != nil {
		return &t.answer, err
	}
	corrected := false
	for _, look := range []func(*Vocabulary, *queryWord) ([]candidate, error){misspelled, guessed} {
		better, err := t.corrections(ctx, words, look)
		if err != nil {
			return nil, err
		}
		for _, c := range better {
			if done, err := t.try(ctx, c.words, nil, true); done || err != nil {
				return &t.answer, err
			}
		}
		if len(better) > 0 && !corrected {
			words, corrected = better[0].words, true
		}
	}
	for _, gone := range droppings(words) {
		required, optional := letGo(words, gone)
		if done, err := t.try(ctx, required, optional, corrected); done || err != nil {
			return &t.answer, err
		}
	}
	return &t.answer, nil
}

// trial tries readings of a text until one matches something.
type trial struct {
	backend Backend
	query   *Query
	understanding
	answer answer
}

// try executes the query with these words. It is done when they match something in the catalogue, whatever the
// filters then leave of it: that a filter excludes everything is no reason to search for something else.
func (t *trial) try(ctx context.Context, required, optional []queryWord, corrected bool) (bool, error) {
	plan, err := t.plan(required, optional)
	if err != nil {
		return false, err
	}
	r := t.query.request(plan)
	page, err := t.backend.Execute(ctx, r)
	if err != nil {
		return false, err
	}
	total := page.Total
	if total < few && !r.Filter.Empty() {
		anything, err := t.backend.Execute(ctx, &Request{Plan: plan, Sort: SortRelevance})
		if err != nil {
			return false, err
		}
		total = anything.Total
	}
	if total == 0 {
		if t.answer.page == nil {
			t.answer.page = page
		}
		return false, nil
	}
	t.answer = answer{page: page, matching: page.Total}
	if total < few && len(required) > 1 {
		t.near(plan, required)
		if t.answer.page, err = t.backend.Execute(ctx, r); err != nil {
			return false, err
		}
		t.answer.near = true
	}
	if corrected {
		t.answer.corrected = text(inOrder(required, optional))
	}
	for i := range optional {
		t.answer.dropped = append(t.answer.dropped, optional[i].surface)
	}
	return true, nil
}

// inOrder puts words back into the order in which they were typed.
func inOrder(required, optional []queryWord) []queryWord {
	all := slices.Concat(required, optional)
	slices.SortFunc(all, func(a, b queryWord) int { return a.place - b.place })
	return all
}

// maxCorrections is how many corrections of a text are tried.
const maxCorrections = 3

// correction is a text that may have been meant.
type correction struct {
	words  []queryWord
	weight float64
}

// A word that only so few products have is taken for a mistake, when nothing has all the words, if one that is near is
// so many times as frequent.
const (
	rare     = 3
	frequent = 20
)

// misspelled are the words that may have been meant by one that the catalogue does not know, or hardly.
func misspelled(v *Vocabulary, w *queryWord) ([]candidate, error) {
	if w.frequency > rare {
		return nil, nil
	}
	found, err := v.candidates(w.whole, maxCorrections)
	if w.frequency > 0 {
		found = slices.DeleteFunc(found, func(c candidate) bool { return c.count < frequent*w.frequency })
	}
	return found, err
}

// guessed are the words that may have been meant by one that is too short to tell. Nothing better is left then.
func guessed(v *Vocabulary, w *queryWord) ([]candidate, error) {
	if w.frequency > 0 {
		return nil, nil
	}
	return v.guesses(w.whole, maxCorrections)
}

// corrections are the texts that may have been meant, best first: every word that has candidates is replaced by its
// best; when there is a single one, its other candidates follow.
func (t *trial) corrections(ctx context.Context, words []queryWord, look func(*Vocabulary, *queryWord) ([]candidate, error)) ([]correction, error) {
	candidates := make(map[int][]candidate)
	rounds := 1
	for i := range words {
		if words[i].kind != word || len(words[i].parts) > 0 {
			continue
		}
		found, err := look(t.vocabulary, &words[i])
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			candidates[i], rounds = found, len(found)
		}
	}
	if len(candidates) == 0 {
		return nil, nil
	}
	if len(candidates) > 1 {
		rounds = 1
	}
	all := make([]correction, rounds)
	for round := range all {
		all[round] = replaced(words, candidates, round, t.vocabulary)
	}
	return all, t.byContext(ctx, all)
}

// replaced puts the candidates of one round in the place of the words; a candidate may be two words.
func replaced(words []queryWord, candidates map[int][]candidate, round int, v *Vocabulary) correction {
	var c correction
	surfaces := make([]string, len(words))
	for i := range words {
		surfaces[i] = words[i].surface
		if found, ok := candidates[i]; ok {
			chosen := found[min(round, len(found)-1)]
			surfaces[i] = chosen.word
			c.weight += chosen.weight
		}
	}
	c.words = queryWords(strings.Join(surfaces, " "), v)
	return c
}

// byContext orders corrections by how many products they match, too: of two words that are near, the one that goes
// with the others was meant.
func (t *trial) byContext(ctx context.Context, all []correction) error {
	if len(all) < 2 || len(all[0].words) < 2 {
		return nil
	}
	for i := range all {
		plan, err := t.plan(all[i].words, nil)
		if err != nil {
			return err
		}
		page, err := t.backend.Execute(ctx, &Request{Plan: plan, Sort: SortRelevance})
		if err != nil {
			return err
		}
		all[i].weight += math.Log1p(float64(page.Total))
	}
	slices.SortStableFunc(all, func(a, b correction) int { return cmp.Compare(b.weight, a.weight) })
	return nil
}

// maxSingles is how many words are let go of one at a time before several go at once.
const maxSingles = 4

// droppings are the sets of words to let go of, one attempt after the other: each word alone, the rarest first,
// because what hardly anything has is what keeps the others from matching; then more and more of them.
// Numbers and codes go last, for who types one means it.
func droppings(words []queryWord) [][]int {
	if len(words) < 2 {
		return nil
	}
	order := make([]int, len(words))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(rank(words[a].kind), rank(words[b].kind)), words[a].frequency-words[b].frequency)
	})
	var sets [][]int
	for i := range order[:min(maxSingles, len(order))] {
		sets = append(sets, order[i:i+1])
	}
	for n := 2; n < len(order)-1; n *= 2 {
		sets = append(sets, order[:n])
	}
	if len(order) > 2 {
		sets = append(sets, order[:len(order)-1])
	}
	return sets
}

func rank(k tokenKind) int {
	if k == mixed {
		return 1
	}
	return 0
}

// letGo divides words into those that stay and those at the places gone.
func letGo(words []queryWord, gone []int) (required, optional []queryWord) {
	for i := range words {
		if slices.Contains(gone, i) {
			optional = append(optional, words[i])
		} else {
			required = append(required, words[i])
		}
	}
	return required, optional
}

// result makes the page the caller's.
func (a *answer) result(q *Query) (Result, error) {
	p := a.page
	hits := p.Hits[:min(len(p.Hits), q.Limit)]
	r := Result{
		Items: make([]Hit, len(hits)), Total: p.Total, TotalIsExact: p.Exact, Matching: min(a.matching, p.Total), Price: p.Price,
		CorrectedQuery: a.corrected, Dropped: a.dropped,
	}
	for i := range hits {
		r.Items[i] = hits[i].Hit
	}
	if q.After == "" {
		r.Facets = facets(p, q.Facets)
		r.Categories = categories(p.Categories)
	}
	if len(p.Hits) == len(hits) {
		return r, nil
	}
	c := cursor{
		Query: q.fingerprint(), Position: hits[len(hits)-1].Position,
		Text: a.corrected, Dropped: a.dropped, Near: a.near, Matching: a.matching, Total: p.Total, Exact: p.Exact,
	}
	next, err := c.encode()
	r.Next = next
	return r, err
}
