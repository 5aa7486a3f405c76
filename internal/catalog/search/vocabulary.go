package search

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/blevesearch/vellum"
	"github.com/blevesearch/vellum/levenshtein"
)

// Spelling is corrected for words of at least these lengths, in letters.
const (
	minLetters    = 5
	minLettersTwo = 9 // for two mistakes
)

// WordCount is a word of the vocabulary with the number of documents that have it.
type WordCount struct {
	Word  string
	Count int
}

// Vocabulary is the words of a catalogue: what is spelled right is what is there. It does not change and is safe
// for concurrent use. The nil Vocabulary knows nothing.
type Vocabulary struct {
	words *vellum.FST    // surface → documents
	stems map[string]int // stem → documents
}

// automata returns the builders of automata for one and two mistakes; making them costs milliseconds.
var automata = sync.OnceValues(func() ([2]*levenshtein.LevenshteinAutomatonBuilder, error) {
	one, err := levenshtein.NewLevenshteinAutomatonBuilder(1, true)
	if err != nil {
		return [2]*levenshtein.LevenshteinAutomatonBuilder{}, err
	}
	two, err := levenshtein.NewLevenshteinAutomatonBuilder(2, true)
	return [2]*levenshtein.LevenshteinAutomatonBuilder{one, two}, err
})

// NewVocabulary makes a vocabulary of the values of FieldVocabulary. It reorders counts.
func NewVocabulary(counts []WordCount) (*Vocabulary, error) {
	slices.SortFunc(counts, func(a, b WordCount) int { return strings.Compare(a.Word, b.Word) })
	v := &Vocabulary{stems: make(map[string]int, len(counts))}
	var buf bytes.Buffer
	b, err := vellum.New(&buf, nil)
	if err != nil {
		return nil, fmt.Errorf("start the vocabulary: %w", err)
	}
	for _, c := range counts {
		if err := b.Insert([]byte(c.Word), uint64(max(c.Count, 0))); err != nil {
			return nil, fmt.Errorf("add %q to the vocabulary: %w", c.Word, err)
		}
		s := stem(c.Word)
		v.stems[s] = max(v.stems[s], c.Count)
	}
	if err := b.Close(); err != nil {
		return nil, fmt.Errorf("finish the vocabulary: %w", err)
	}
	if v.words, err = vellum.Load(buf.Bytes()); err != nil {
		return nil, fmt.Errorf("load the vocabulary: %w", err)
	}
	return v, nil
}

// Len is the number of words.
func (v *Vocabulary) Len() int {
	if v == nil {
		return 0
	}
	return v.words.Len()
}

// Frequency is the number of documents that have a word of this stem; 0 when none is known to.
func (v *Vocabulary) Frequency(stem string) int {
	if v == nil {
		return 0
	}
	return v.stems[stem]
}

// Has reports whether the catalogue has the word just as it is written.
func (v *Vocabulary) Has(w string) (bool, error) {
	if v == nil {
		return false, nil
	}
	has, err := v.words.Contains([]byte(w))
	if err != nil {
		return false, fmt.Errorf("look up %q in the vocabulary: %w", w, err)
	}
	return has, nil
}

// candidate is a word that may have been meant.
type candidate struct {
	word  string
	count int
	edits int
	first bool // begins with the same letter
}

// weight orders candidates: fewer edits first, then the same first letter, then the more frequent word.
func (c *candidate) weight() float64 {
	w := math.Log1p(float64(c.count)) - 20*float64(c.edits)
	if c.first {
		w += 3
	}
	return w
}

// Correct returns the words that may have been meant by w, best first, at most limit; none when w is too short to
// tell or not a word of letters.
func (v *Vocabulary) Correct(w string, limit int) ([]string, error) {
	letters := utf8.RuneCountInString(w)
	if v == nil || letters < minLetters || kindOf(w) != word {
		return nil, nil
	}
	edits := 1
	if letters >= minLettersTwo {
		edits = 2
	}
	candidates, err := v.near(w, edits)
	if err != nil {
		return nil, err
	}
	if len(candidates) == 0 {
		if a, b, ok := v.split(w); ok {
			return []string{a + " " + b}, nil
		}
		return nil, nil
	}
	slices.SortFunc(candidates, func(a, b candidate) int { return cmp.Compare(b.weight(), a.weight()) })
	words := make([]string, 0, limit)
	for _, c := range candidates[:min(limit, len(candidates))] {
		words = append(words, c.word)
	}
	return words, nil
}

// near finds the words within edits of w; a swap of neighbours is one edit.
func (v *Vocabulary) near(w string, edits int) ([]candidate, error) {
	builders, err := automata()
	if err != nil {
		return nil, fmt.Errorf("build the spelling automata: %w", err)
	}
	dfa, err := builders[edits-1].BuildDfa(w, uint8(edits)) //nolint:gosec // edits is 1 or 2
	if err != nil {
		return nil, fmt.Errorf("build the spelling automaton of %q: %w", w, err)
	}
	var found []candidate
	it, err := v.words.Search(dfa, nil, nil)
	for ; err == nil; err = it.Next() {
		key, count := it.Current()
		_, distance := dfa.MatchAndDistance(string(key))
		found = append(found, candidate{word: string(key), count: int(count), edits: int(distance), first: key[0] == w[0]}) //nolint:gosec // a number of documents
	}
	if err != vellum.ErrIteratorDone { //nolint:errorlint // the iterator returns the sentinel itself
		return nil, fmt.Errorf("search the vocabulary for %q: %w", w, err)
	}
	return found, nil
}

// split finds two words of the vocabulary that were written together.
func (v *Vocabulary) split(w string) (first, second string, ok bool) {
	const shortest = 3
	best := 0
	for i := shortest; i <= len(w)-shortest; i++ {
		a, b := v.stems[stem(w[:i])], v.stems[stem(w[i:])]
		if both := min(a, b); both > best {
			best, first, second = both, w[:i], w[i:]
		}
	}
	return first, second, best > 0
}
