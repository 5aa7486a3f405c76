package search

import (
	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
)

// stopWords say nothing about a product. They are indexed, and left out of queries that have other words.
var stopWords = map[string]struct{}{
	"a": {}, "an": {}, "and": {}, "at": {}, "by": {}, "for": {}, "from": {}, "i": {}, "in": {}, "is": {}, "it": {}, "my": {},
	"of": {}, "on": {}, "or": {}, "that": {}, "the": {}, "this": {}, "to": {}, "with": {},
}

func isStopWord(w string) bool {
	_, ok := stopWords[w]
	return ok
}

// irregular are plurals that no rule makes singular, by the stem of their singular.
var irregular = map[string]string{
	"mice": "mous", "feet": "foot", "teeth": "tooth", "men": "man", "women": "woman", "children": "child", "knives": "knife",
	"shelves": "shelf", "leaves": "leaf", "people": "person",
}

// stem returns the English stem of a word of plain letters, and everything else as it is.
func stem(w string) string {
	if len(w) < 3 {
		return w
	}
	for i := range len(w) {
		if w[i] < 'a' || w[i] > 'z' {
			return w
		}
	}
	if s, ok := irregular[w]; ok {
		return s
	}
	env := snowballstem.NewEnv(w)
	english.Stem(env)
	stemmed := env.Current()
	if s, ok := irregular[stemmed]; ok { // "womens"
		return s
	}
	return stemmed
}
