package search

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Plan is what to look for, in terms of the index: a document is found when it meets every required clause and at
// least Least of all. Its score is the sum of the clauses and bonuses it meets, times FieldQuality.
// A plan without clauses finds every document.
type Plan struct {
	Clauses []Clause
	Least   int
	Bonuses []Clause
}

// All reports whether the plan finds every document.
func (p *Plan) All() bool { return len(p.Clauses) == 0 }

// Clause is met by one of its alternatives, and scores as the best of them.
type Clause struct {
	Alternatives []Alternative
	Required     bool
}

// Alternative is met by all of its terms. It scores Base and, where Match is Words, Boost times the mean of what the
// terms say: idf × weight × (Saturation+1) / (weight+Saturation).
type Alternative struct {
	Terms []string
	Match Match
	Base  float64
	Boost float64
}

// Saturation is where more weight hardly says more. It is far above MaxWeight, so that what a term says grows with its
// weight; Elasticsearch has no other way to let it.
const Saturation = 1000

// Match is how the terms of an alternative are compared.
type Match uint8

// The ways to compare.
const (
	Words      Match = iota // terms of FieldTerms
	Code                    // a whole value of FieldCodes
	CodePrefix              // the beginning of a value of FieldCodes
	Run                     // the beginning of a value of FieldRuns
	Name                    // the beginning of a word of FieldNames
)

// met is met by documents with all terms.
func met(factor float64, terms ...string) Alternative {
	return Alternative{Terms: terms, Base: scoreMet, Boost: factor / weightScale}
}

// queryWord is a word of a query with what is known of it.
type queryWord struct {
	token
	place     int    // among the words of the query
	term      string // what the index holds in its place
	frequency int    // documents that have it, by the vocabulary; 0 when unknown
}

// queryWords analyses the text of a query. Stop words go when other words stay.
func queryWords(text string, v *Vocabulary) []queryWord {
	tokens := tokenise(normalise(cut(text, MaxTextBytes)), maxQueryWords)
	telling := slices.ContainsFunc(tokens, func(t token) bool { return !isStopWord(t.whole) })
	words := make([]queryWord, 0, len(tokens))
	for i, t := range tokens {
		if telling && isStopWord(t.whole) {
			continue
		}
		words = append(words, newQueryWord(t, i, v))
	}
	return words
}

func newQueryWord(t token, place int, v *Vocabulary) queryWord {
	w := queryWord{token: t, place: place, term: stem(t.whole)}
	w.frequency = v.Frequency(w.term)
	return w
}

// text is how the words would be typed.
func text(words []queryWord) string {
	surfaces := make([]string, len(words))
	for i := range words {
		surfaces[i] = words[i].surface
	}
	return strings.Join(surfaces, " ")
}

// understanding is what a text is read with.
type understanding struct {
	vocabulary *Vocabulary
	synonyms   *Synonyms // of the shop; nil for none
}

// plan makes a plan that needs the required words and prefers documents with the optional ones.
func (u *understanding) plan(required, optional []queryWord) (*Plan, error) {
	p := &Plan{Clauses: make([]Clause, len(required)), Least: len(required)}
	for i := range required {
		p.Clauses[i] = u.clause(&required[i], i == len(required)-1)
	}
	if err := u.join(p, required); err != nil {
		return nil, err
	}
	p.prefer(required)
	for i := range optional {
		c := u.clause(&optional[i], false)
		for j := range c.Alternatives {
			c.Alternatives[j].Base -= scoreMet
		}
		p.Bonuses = append(p.Bonuses, c)
	}
	return p, nil
}

// near lets documents miss one of the clauses: not one that says what sort of product is wanted.
func (u *understanding) near(p *Plan, words []queryWord) {
	p.Least = len(p.Clauses) - 1
	for i := range p.Clauses {
		p.Clauses[i].Required = u.vocabulary.isType(words[i].term)
	}
}

// clause is the word as written, or else everything it consists of; and a code, when it may be one. The last word of a
// text may be unfinished when nobody knows it.
func (u *understanding) clause(w *queryWord, last bool) Clause {
	c := Clause{Alternatives: append(make([]Alternative, 0, 6), met(1, w.term))}
	if len(w.parts) > 0 && w.kind != size {
		c.either(met(factorParts, stems(w.parts)...))
		if len(w.parts) == 2 && kindOf(w.parts[0]) == word && kindOf(w.parts[1]) == number {
			c.either(met(1, paired(w.parts[0], w.parts[1])))
		}
	}
	if w.kind != word {
		c.either(codes(w.whole)...)
	}
	if r := squeeze(w.surface); w.kind == mixed && utf8.RuneCountInString(r) >= minRun {
		c.either(Alternative{Terms: []string{r}, Match: Run, Base: scoreMet + scoreRun})
	}
	if w.kind == word && w.frequency == 0 && last {
		c.either(Alternative{Terms: []string{w.whole}, Match: Name, Base: scoreMet + scoreUnfinished})
	}
	return c
}

func (c *Clause) either(a ...Alternative) { c.Alternatives = append(c.Alternatives, a...) }

func stems(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = stem(w)
	}
	return out
}

// The least that is taken for the beginning of a code, or of a part of a title.
const (
	minCodePrefix = 4
	minRun        = 3
)

// codes are the ways in which s can be an SKU or a GTIN.
func codes(s string) []Alternative {
	c := compact(s)
	alternatives := []Alternative{{Terms: []string{c}, Match: Code, Base: scoreCode}}
	if utf8.RuneCountInString(c) >= minCodePrefix {
		alternatives = append(alternatives, Alternative{Terms: []string{c}, Match: CodePrefix, Base: scoreCodePrefix})
	}
	return alternatives
}

const (
	maxJoined        = 4 // words that may be one code, written with spaces
	maxJoinedQueries = 8 // words of a query in which joined words are looked for
)

// join lets words be met together, each of them by what they are as a whole.
func (u *understanding) join(p *Plan, words []queryWord) error {
	for i := range words {
		for n := 1; n <= maxJoined && i+n <= len(words); n++ {
			together := words[i : i+n]
			alternatives, err := u.whole(together, len(words))
			if err != nil {
				return err
			}
			for j := i; j < i+n; j++ {
				p.Clauses[j].either(alternatives...)
			}
		}
	}
	return nil
}

// whole are the ways to meet neighbouring words of a text, as a whole.
func (u *understanding) whole(words []queryWord, of int) ([]Alternative, error) {
	var all []Alternative
	if len(words) <= maxExpression {
		for _, s := range slices.Concat(common.of(words), u.synonyms.of(words)) {
			all = append(all, met(factorSynonym, s...))
		}
	}
	if len(words) < 2 || of > maxJoinedQueries {
		return all, nil
	}
	joined, err := u.joined(words)
	return append(all, joined...), err
}

// joined are the ways in which words are one: a code ("c 5220 ks"), a word with its number ("iphone 7"), or a word that
// was written as two ("key board").
func (u *understanding) joined(words []queryWord) ([]Alternative, error) {
	var whole, run strings.Builder
	digits := false
	for i := range words {
		whole.WriteString(words[i].whole)
		run.WriteString(squeeze(words[i].surface))
		digits = digits || words[i].kind != word
	}
	if !digits {
		if len(words) > 2 {
			return nil, nil
		}
		ok, err := u.vocabulary.Has(whole.String())
		if err != nil || !ok {
			return nil, err
		}
		return []Alternative{met(1, stem(whole.String()))}, nil
	}
	var all []Alternative
	if len(words) == 2 && words[0].pairs(&words[1].token) {
		pair := met(1, paired(words[0].whole, words[1].whole))
		pair.Base += scorePair
		all = append(all, pair)
	}
	if utf8.RuneCountInString(run.String()) >= minCodePrefix {
		all = append(all, Alternative{Terms: []string{run.String()}, Match: Run, Base: scoreMet + scoreRun})
		all = append(all, codes(whole.String())...)
	}
	return all, nil
}

// prefer adds bonuses for titles that begin with the words, and for those in which they are neighbours.
func (p *Plan) prefer(words []queryWord) {
	if len(words) == 0 || len(words) == 1 && words[0].kind == word {
		return
	}
	var run strings.Builder
	for i := range words[:len(words)-1] {
		run.WriteString(squeeze(words[i].surface))
		p.bonus(squeeze(words[i].surface)+words[i+1].ending(), scoreNeighbours)
	}
	run.WriteString(words[len(words)-1].ending())
	p.bonus(runStart+run.String(), scoreBeginning)
	if len(words) > 2 {
		p.bonus(run.String(), scoreNeighbours)
	}
}

func (p *Plan) bonus(run string, score float64) {
	p.Bonuses = append(p.Bonuses, Clause{Alternatives: []Alternative{{Terms: []string{cut(run, maxRunBytes)}, Match: Run, Base: score}}})
}

// ending is what the singular and the plural of the last word of a run have in common.
func (w *queryWord) ending() string {
	if w.kind == word && strings.HasPrefix(w.whole, w.term) {
		return w.term
	}
	return squeeze(w.surface)
}
