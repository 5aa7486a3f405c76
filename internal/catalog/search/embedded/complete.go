package embedded

import (
	"cmp"
	"slices"
	"strings"

	"shopd/internal/catalog/search"
)

// complete orders what was found and counts the words that begin with what was typed.
func (r *run) complete(c *search.Completion) (*search.Page, *search.Completed) {
	t := newTop(r, search.Sorted{Descending: true}, c.Limit, nil)
	headings := newCounter(&r.x.headings)
	for _, d := range r.found {
		t.offer(d)
		headings.count(d)
	}
	done := &search.Completed{Categories: headings.most(search.MaxCompletedCategories, "")}
	r.x.wordOrder.beginning(c.Prefix, func(k *key) {
		n := 0
		for _, d := range r.x.vocabulary[k.text].docs {
			if r.met[d] != 0 {
				n++
			}
		}
		if n > 0 {
			done.Words = append(done.Words, search.TermCount{Term: k.text, Count: n})
		}
	})
	slices.SortFunc(done.Words, func(a, b search.TermCount) int {
		return cmp.Or(b.Count-a.Count, strings.Compare(a.Term, b.Term))
	})
	done.Words = done.Words[:min(search.MaxCompletedWords, len(done.Words))]
	return &search.Page{Hits: t.hits()}, done
}
