package search

import (
	"cmp"
	"context"
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

// answer is a page with how the text was understood to get it.
type answer struct {
	page      *Page
	corrected string
	dropped   []string
}

// listed answers a query without a text.
func (s Searcher) listed(ctx context.Context, q *Query) (*answer, error) {
	page, err := s.Backend.Execute(ctx, q.request(&Plan{}))
	return &answer{page: page}, err
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
		v := s.Backend.Vocabulary()
		required, optional := part(queryWords(typed, v), c.Dropped)
		if len(required) == 0 {
			return nil, invalid("after", "This is not a cursor of this search. Begin without one.")
		}
		if plan, err = newPlan(required, optional, v); err != nil {
			return nil, err
		}
	}
	r := q.request(plan)
	r.After = &c.Position
	page, err := s.Backend.Execute(ctx, r)
	if err != nil {
		return nil, err
	}
	page.Total, page.Exact = c.Total, c.Exact
	return &answer{page: page, corrected: c.Text, dropped: c.Dropped}, nil
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
	v := s.Backend.Vocabulary()
	words := queryWords(q.Text, v)
	if len(words) == 0 {
		return &answer{page: &Page{Exact: true}}, nil
	}
	t := &trial{searcher: s, query: q, vocabulary: v}
	if done, err := t.try(ctx, words, nil, false); done || err != nil {
		return t.answer(), err
	}
	better, err := corrections(words, v)
	if err != nil {
		return nil, err
	}
	for _, c := range better {
		if done, err := t.try(ctx, c, nil, true); done || err != nil {
			return t.answer(), err
		}
	}
	if len(better) > 0 {
		words = better[0]
	}
	for _, gone := range droppings(words) {
		required, optional := letGo(words, gone)
		if done, err := t.try(ctx, required, optional, len(better) > 0); done || err != nil {
			return t.answer(), err
		}
	}
	return &answer{page: t.page}, nil
}

// trial tries readings of a text until one matches something.
type trial struct {
	searcher   Searcher
	query      *Query
	vocabulary *Vocabulary

	page      *Page
	corrected string
	dropped   []string
}

func (t *trial) answer() *answer {
	return &answer{page: t.page, corrected: t.corrected, dropped: t.dropped}
}

// try executes the query with these words. It is done when they match something in the catalogue, whatever the
// filters then leave of it: that a filter excludes everything is no reason to search for something else.
func (t *trial) try(ctx context.Context, required, optional []queryWord, corrected bool) (bool, error) {
	plan, err := newPlan(required, optional, t.vocabulary)
	if err != nil {
		return false, err
	}
	r := t.query.request(plan)
	page, err := t.searcher.Backend.Execute(ctx, r)
	if err != nil {
		return false, err
	}
	matches := page.Total > 0
	if !matches && !r.Filter.Empty() {
		anything, err := t.searcher.Backend.Execute(ctx, &Request{Plan: r.Plan, Sort: SortRelevance})
		if err != nil {
			return false, err
		}
		matches = anything.Total > 0
	}
	if t.page == nil || matches {
		t.page = page
	}
	if matches {
		t.understood(required, optional, corrected)
	}
	return matches, nil
}

func (t *trial) understood(required, optional []queryWord, corrected bool) {
	if corrected {
		t.corrected = text(inOrder(required, optional))
	}
	for i := range optional {
		t.dropped = append(t.dropped, optional[i].surface)
	}
}

// inOrder puts words back into the order in which they were typed.
func inOrder(required, optional []queryWord) []queryWord {
	all := slices.Concat(required, optional)
	slices.SortFunc(all, func(a, b queryWord) int { return a.place - b.place })
	return all
}

// maxCorrections is how many corrections of a text are tried.
const maxCorrections = 3

// corrections are the texts that may have been meant, best first: every unknown word is replaced by its best
// candidate; when there is a single one, its other candidates follow.
func corrections(words []queryWord, v *Vocabulary) ([][]queryWord, error) {
	candidates := make(map[int][]string)
	for i := range words {
		w := &words[i]
		if w.frequency > 0 || w.kind != word || len(w.parts) > 0 {
			continue
		}
		found, err := v.Correct(w.whole, maxCorrections)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			candidates[i] = found
		}
	}
	if len(candidates) == 0 {
		return nil, nil
	}
	rounds := 1
	if len(candidates) == 1 {
		for _, found := range candidates {
			rounds = len(found)
		}
	}
	all := make([][]queryWord, rounds)
	for round := range all {
		all[round] = replaced(words, candidates, round, v)
	}
	return all, nil
}

// replaced puts the candidates of one round in the place of the words; a candidate may be two words.
func replaced(words []queryWord, candidates map[int][]string, round int, v *Vocabulary) []queryWord {
	surfaces := make([]string, len(words))
	for i := range words {
		surfaces[i] = words[i].surface
		if found, ok := candidates[i]; ok {
			surfaces[i] = found[min(round, len(found)-1)]
		}
	}
	return queryWords(strings.Join(surfaces, " "), v)
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
		Items: make([]Hit, len(hits)), Total: p.Total, TotalIsExact: p.Exact, Price: p.Price,
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
		Text: a.corrected, Dropped: a.dropped, Total: p.Total, Exact: p.Exact,
	}
	next, err := c.encode()
	r.Next = next
	return r, err
}
