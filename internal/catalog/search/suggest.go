package search

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"
)

const maxSuggestions = 20

// Suggest is Engine.Suggest.
func (s Searcher) Suggest(ctx context.Context, prefix string, limit int) (Suggestions, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	if limit < 1 || limit > maxSuggestions {
		return Suggestions{}, invalid("limit", "The limit is a number from 1 to 20.")
	}
	v := s.Backend.Vocabulary()
	words := typedWords(prefix, v)
	if len(words) == 0 {
		return Suggestions{}, nil
	}
	done, err := s.complete(ctx, words, limit)
	if err != nil {
		return Suggestions{}, Unavailable(err)
	}
	if len(done.Hits) == 0 {
		better, err := corrections(words, v)
		if err != nil {
			return Suggestions{}, Unavailable(err)
		}
		if len(better) > 0 {
			words = better[0]
			if done, err = s.complete(ctx, words, limit); err != nil {
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
func (s Searcher) complete(ctx context.Context, words []queryWord, limit int) (*Completed, error) {
	reading := make(Reading, len(words))
	last := len(words) - 1
	for i := range words[:last] {
		reading[i] = words[i].clause()
	}
	reading[last] = words[last].begun()
	return s.Backend.Complete(ctx, &Completion{
		Plan: &Plan{Readings: []Reading{reading}}, Prefix: words[last].whole, Limit: limit,
	})
}

// scoreBegun is the score of an unfinished word.
const scoreBegun = 1.0

// begun is met by words that begin like this one.
func (w *queryWord) begun() Clause {
	c := Clause{Boost: 1, Alternatives: []Alternative{
		{Terms: []string{firstLetters(w.whole, maxPrefix)}, Match: Prefix, Score: scoreBegun},
	}}
	if len(w.parts) > 0 {
		var parts []string
		for _, p := range w.parts {
			parts = append(parts, firstLetters(p, maxPrefix))
		}
		c.Alternatives = append(c.Alternatives, Alternative{Terms: parts, Match: Prefix, Score: scoreBegun})
	}
	c.Alternatives = append(c.Alternatives, codes(w.whole)...)
	return c
}

func firstLetters(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}

// queries are the texts that complete the words; of words with the same stem the most frequent one stands.
func queries(words []queryWord, completions []TermCount, limit int) []string {
	slices.SortFunc(completions, func(a, b TermCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Term, b.Term))
	})
	before := text(words[:len(words)-1])
	seen := make(map[string]struct{}, len(words)+limit)
	for i := range words[:len(words)-1] {
		seen[words[i].terms[0]] = struct{}{}
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
			return stem(t.whole) == words[i].terms[0]
		})
		if !found {
			return false
		}
	}
	return true
}
