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
	minLetters    = 5 // what was typed, or what was meant
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
	words *vellum.FST         // surface → documents
	stems map[string]int      // stem → documents
	types map[string]struct{} // stems that say what sort of product is meant
}

// kindType stands before the stem of a word that names a category: it says what sort of product is meant.
const kindType = "t\x1f"

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
	v := &Vocabulary{stems: make(map[string]int, len(counts)), types: make(map[string]struct{})}
	var buf bytes.Buffer
	b, err := vellum.New(&buf, nil)
	if err != nil {
		return nil, fmt.Errorf("start the vocabulary: %w", err)
	}
	for _, c := range counts {
		if t, ok := strings.CutPrefix(c.Word, kindType); ok {
			v.types[t] = struct{}{}
			continue
		}
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

// isType reports whether a category's name has the stem.
func (v *Vocabulary) isType(stem string) bool {
	if v == nil {
		return false
	}
	_, ok := v.types[stem]
	return ok
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
	word   string
	count  int // of the documents that have it
	weight float64
}

// weigh says how likely it is that somebody who meant word typed another: fewer edits first, then what fingers do, then
// the more frequent word.
func weigh(typed, word string, edits, count int) float64 {
	const (
		edit    = 20.0
		first   = 3.0 // the first letter is right
		missing = 1.0 // fingers rather leave a letter out than add another one
	)
	w := math.Log1p(float64(count)) - edit*float64(edits)
	if typed[0] == word[0] {
		w += first
	}
	if edits == 1 {
		w += slip(typed, word)
		if len(typed) < len(word) {
			w += missing
		}
	}
	return w
}

// slip is how much likelier than others the one mistake is that makes typed of word.
func slip(typed, word string) float64 {
	const doubled, swapped, neighbour = 3.0, 2.0, 2.0
	i := 0
	for i < len(typed) && i < len(word) && typed[i] == word[i] {
		i++
	}
	switch {
	case len(typed) == len(word)+1: // typed has one letter more
		if i > 0 && typed[i] == typed[i-1] || i+1 < len(typed) && typed[i] == typed[i+1] {
			return doubled
		}
	case len(typed) == len(word)-1:
		if i > 0 && word[i] == word[i-1] {
			return doubled
		}
	case len(typed) == len(word) && i+1 < len(typed) && typed[i] == word[i+1] && typed[i+1] == word[i]:
		return swapped
	case len(typed) == len(word) && i < len(typed) && strings.IndexByte(neighbours[word[i]], typed[i]) >= 0:
		return neighbour
	}
	return 0
}

// neighbours are the keys around each letter, on keyboards that begin with QWERTY.
var neighbours = map[byte]string{
	'q': "wa", 'w': "qeas", 'e': "wrsd", 'r': "etdf", 't': "ryfg", 'y': "tugh", 'u': "yihj", 'i': "uojk", 'o': "ipkl", 'p': "ol",
	'a': "qwsz", 's': "awedxz", 'd': "serfcx", 'f': "drtgvc", 'g': "ftyhbv", 'h': "gyujnb", 'j': "huikmn", 'k': "jiolm", 'l': "kop",
	'z': "asx", 'x': "zsdc", 'c': "xdfv", 'v': "cfgb", 'b': "vghn", 'n': "bhjm", 'm': "njk",
}

// Correct returns the words that may have been meant by w, best first, at most limit; none when w is too short to
// tell or not a word of letters.
func (v *Vocabulary) Correct(w string, limit int) ([]string, error) {
	found, err := v.candidates(w, limit)
	words := make([]string, len(found))
	for i := range found {
		words[i] = found[i].word
	}
	if len(words) == 0 {
		return nil, err
	}
	return words, err
}

// candidates are the words that may have been meant by w, best first.
func (v *Vocabulary) candidates(w string, limit int) ([]candidate, error) {
	letters := utf8.RuneCountInString(w)
	if v == nil || letters < minLetters-1 || kindOf(w) != word {
		return nil, nil
	}
	edits := 1
	if letters >= minLettersTwo {
		edits = 2
	}
	found, err := v.near(w, edits)
	if err != nil {
		return nil, err
	}
	if letters < minLetters {
		found = slices.DeleteFunc(found, func(c candidate) bool { return utf8.RuneCountInString(c.word) < minLetters })
	}
	found = append(found, v.plural(w)...)
	if len(found) == 0 {
		if a, b, ok := v.split(w); ok {
			return []candidate{{word: a + " " + b}}, nil
		}
		return nil, nil
	}
	return bestOf(found, limit), nil
}

// guesses are the words that may have been meant by one that is too short for candidates: by a slip of the fingers in
// four letters, also of a plural of which the catalogue has the singular only, or by a letter left out of four. They are for texts that would answer nothing otherwise.
func (v *Vocabulary) guesses(w string, limit int) ([]candidate, error) {
	letters := utf8.RuneCountInString(w)
	if v == nil || letters < minLetters-2 || letters >= minLetters || kindOf(w) != word {
		return nil, nil
	}
	found, err := v.near(w, 1)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(c candidate) bool {
		if letters < minLetters-1 {
			return len(c.word) <= len(w) || c.word[0] != w[0]
		}
		return slip(w, c.word) == 0
	})
	if singular, ok := strings.CutSuffix(w, "s"); ok && letters == minLetters-1 {
		of, err := v.near(singular, 1)
		if err != nil {
			return nil, err
		}
		for _, c := range of {
			if slip(singular, c.word) != 0 && len(c.word) >= len(singular) {
				found = append(found, candidate{word: c.word + "s", count: c.count, weight: c.weight})
			}
		}
	}
	return bestOf(found, limit), nil
}

func bestOf(found []candidate, limit int) []candidate {
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), strings.Compare(a.word, b.word))
	})
	found = slices.CompactFunc(found, func(a, b candidate) bool { return a.word == b.word })
	return found[:min(limit, len(found))]
}

// plural finds plurals of which the catalogue has only the singular, with one letter too many in what was typed.
func (v *Vocabulary) plural(w string) []candidate {
	if !strings.HasSuffix(w, "s") || len(w) < minLetters {
		return nil
	}
	var found []candidate
	for i := range w {
		c := w[:i] + w[i+1:]
		if s := stem(c); strings.HasSuffix(c, "s") && s != c && v.stems[s] > 0 {
			found = append(found, candidate{word: c, count: v.stems[s], weight: weigh(w, c, 1, v.stems[s])})
		}
	}
	return found
}

// near finds the words within edits of w; a swap of neighbours is one edit.
func (v *Vocabulary) near(w string, edits int) ([]candidate, error) {
	builders, err := automata()
	if err != nil {
		return nil, fmt.Errorf("build the spelling automata: %w", err)
	}
	dfa, err := builders[edits-1].BuildDfa(w, uint8(edits))
	if err != nil {
		return nil, fmt.Errorf("build the spelling automaton of %q: %w", w, err)
	}
	var found []candidate
	it, err := v.words.Search(dfa, nil, nil)
	for ; err == nil; err = it.Next() {
		key, count := it.Current()
		_, distance := dfa.MatchAndDistance(string(key))
		word := string(key)
		found = append(found, candidate{word: word, count: int(count), weight: weigh(w, word, int(distance), int(count))})
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
