package search

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

const maxSuggestions = 20

// Suggest is Engine.Suggest.
func (s Searcher) Suggest(ctx context.Context, prefix string, limit int) (Suggestions, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	if limit < 1 || limit > maxSuggestions {
		return Suggestions{}, invalid("limit", "The limit is a number from 1 to 20.")
	}
	u := understanding{vocabulary: s.Backend.Vocabulary()}
	words := typedWords(prefix, u.vocabulary)
	if len(words) == 0 {
		return Suggestions{}, nil
	}
	done, err := s.complete(ctx, u, words, limit)
	if err != nil {
		return Suggestions{}, Unavailable(err)
	}
	if len(done.Hits) == 0 {
		t := &trial{backend: s.Backend, understanding: u}
		better, err := t.corrections(ctx, words, misspelled)
		if err != nil {
			return Suggestions{}, Unavailable(err)
		}
		if len(better) > 0 {
			words = better[0].words
			if done, err = s.complete(ctx, u, words, limit); err != nil {
				return Suggestions{}, Unavailable(err)
			}
		}
	}
	return Suggestions{
		Queries:    queries(words, done.Words, limit),
		Products:   done.Hits,
		Categories: categoriesNamed(words, done.Categories, limit),
	}, nil
}

// typedWords analyses what is being typed: the last word is unfinished, so that it stays even when it is a stop word.
func typedWords(prefix string, v *Vocabulary) []queryWord {
	tokens := tokenise(normalise(cut(prefix, MaxTextBytes)), maxQueryWords)
	words := make([]queryWord, 0, len(tokens))
	for i, t := range tokens {
		if i == len(tokens)-1 || !isStopWord(t.whole) {
			words = append(words, newQueryWord(t, i, v))
		}
	}
	return words
}

// complete finds what has all words but the last, and one that begins with it.
func (s Searcher) complete(ctx context.Context, u understanding, words []queryWord, limit int) (*Completed, error) {
	p := &Plan{Clauses: make([]Clause, len(words)), Least: len(words)}
	last := len(words) - 1
	for i := range words[:last] {
		p.Clauses[i] = u.clause(&words[i], false)
	}
	p.Clauses[last] = words[last].begun()
	return s.Backend.Complete(ctx, &Completion{Plan: p, Prefix: words[last].whole, Limit: limit})
}

// begun is met by words that begin like this one.
func (w *queryWord) begun() Clause {
	c := Clause{Alternatives: []Alternative{{Terms: []string{w.whole}, Match: Name, Base: scoreMet}}}
	if len(w.parts) > 0 {
		c.either(Alternative{Terms: w.parts, Match: Name, Base: scoreMet})
	}
	if r := squeeze(w.surface); w.kind != word && r != "" {
		c.either(Alternative{Terms: []string{r}, Match: Run, Base: scoreMet + scoreRun})
	}
	c.either(codes(w.whole)...)
	return c
}

// queries are the texts that complete the words; of words with the same stem the most frequent one stands.
func queries(words []queryWord, completions []TermCount, limit int) []string {
	slices.SortFunc(completions, func(a, b TermCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Term, b.Term))
	})
	before := text(words[:len(words)-1])
	seen := make(map[string]struct{}, len(words)+limit)
	for i := range words[:len(words)-1] {
		seen[words[i].term] = struct{}{}
	}
	var all []string
	for _, c := range completions {
		s := stem(c.Term)
		if _, ok := seen[s]; ok {
			continue
		}
		seen[s] = struct{}{}
		all = append(all, strings.TrimSpace(before+" "+c.Term))
		if len(all) == limit {
			break
		}
	}
	return all
}

// categoriesNamed are the categories whose names have the words, the last of them as a beginning.
func categoriesNamed(words []queryWord, counts []TermCount, limit int) []Category {
	var all []Category
	for _, c := range categories(counts) {
		if hasWords(c.Name, words) {
			all = append(all, Category{ID: c.ID, Name: c.Name})
		}
	}
	return all[:min(len(all), limit)]
}

func hasWords(name string, words []queryWord) bool {
	tokens := tokenise(normalise(name), maxQueryWords)
	last := len(words) - 1
	for i := range words {
		found := slices.ContainsFunc(tokens, func(t token) bool {
			if i == last {
				return strings.HasPrefix(t.whole, words[i].whole)
			}
			return stem(t.whole) == words[i].term
		})
		if !found {
			return false
		}
	}
	return true
}
