package search

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// The weights of a match. A term scores BM25 in FieldText, plus weight times BM25 in each other field that has it.
const (
	WeightTitle      = 3.0
	WeightLabel      = 2.0
	WeightAttributes = 1.0
)

// The scores of codes are constants above what words can add up to.
const (
	scoreCode       = 300.0
	scoreCodePrefix = 100.0
	scoreOptional   = 0.5 // factor on the words that need not match
	BM25K1          = 1.2 // saturation of the frequency of a term
	BM25B           = 0.75
)

// Plan is what to look for, in terms of the index: a document is found when it meets every clause of one reading.
// Its score is that of the best reading plus the optional clauses it meets, times FieldQuality.
// A plan without readings finds every document.
type Plan struct {
	Readings []Reading
	Optional []Clause
}

// All reports whether the plan finds every document.
func (p *Plan) All() bool { return len(p.Readings) == 0 }

// Reading is one way to understand a text. Its score is the sum of its clauses.
type Reading []Clause

// Clause is met by one of its alternatives, and scores as the best of them times Boost.
type Clause struct {
	Alternatives []Alternative
	Boost        float64
}

// Alternative is met by all of its terms.
type Alternative struct {
	Terms []string
	Match Match
	Score float64 // of Code, CodePrefix and Prefix; terms that match as Words are scored by BM25
}

// Match is how the terms of an alternative are compared.
type Match uint8

// The ways to compare.
const (
	Words      Match = iota // terms of FieldText, and of the other text fields for the score
	Code                    // a whole value of FieldCodes
	CodePrefix              // the beginning of a value of FieldCodes
	Prefix                  // a value of FieldPrefixes
)

// queryWord is a word of a query with what is known of it.
type queryWord struct {
	token
	place     int      // among the words of the query
	terms     []string // what the index holds in its place
	frequency int      // documents that have it, by the vocabulary; 0 when unknown
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
	w := queryWord{token: t, place: place, terms: []string{stem(t.whole)}}
	w.frequency = v.Frequency(w.terms[0])
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

// newPlan makes a plan that needs the required words and prefers documents with the optional ones.
func newPlan(required, optional []queryWord, v *Vocabulary) (*Plan, error) {
	p := &Plan{Readings: make([]Reading, 1, 4)}
	p.Readings[0] = make(Reading, len(required))
	for i := range required {
		p.Readings[0][i] = required[i].clause()
	}
	together, err := joinedReadings(p.Readings[0], required, v)
	if err != nil {
		return nil, err
	}
	p.Readings = append(p.Readings, together...)
	for i := range optional {
		c := optional[i].clause()
		c.Boost = scoreOptional
		p.Optional = append(p.Optional, c)
	}
	return p, nil
}

// clause is the word as written, or else everything it consists of; and a code, when it may be one.
func (w *queryWord) clause() Clause {
	c := Clause{Alternatives: make([]Alternative, 1, 4), Boost: 1}
	c.Alternatives[0] = Alternative{Terms: w.terms}
	if len(w.parts) > 0 && w.kind != size {
		c.Alternatives = append(c.Alternatives, Alternative{Terms: stems(w.parts)})
	}
	if w.kind != word {
		c.Alternatives = append(c.Alternatives, codes(w.whole)...)
	}
	return c
}

func stems(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = stem(w)
	}
	return out
}

// minCodePrefix is how much of a code has to be typed before it is taken for the beginning of one.
const minCodePrefix = 4

// codes are the ways in which s can be an SKU or a GTIN.
func codes(s string) []Alternative {
	c := compact(s)
	alternatives := []Alternative{{Terms: []string{c}, Match: Code, Score: scoreCode}}
	if utf8.RuneCountInString(c) >= minCodePrefix {
		alternatives = append(alternatives, Alternative{Terms: []string{c}, Match: CodePrefix, Score: scoreCodePrefix})
	}
	return alternatives
}

const (
	maxJoined        = 3 // words that may be one code, written with spaces
	maxJoinedQueries = 6 // words of a query in which codes with spaces are looked for
)

// joinedReadings are the readings in which neighbours are one word ("key board") or one code ("c 5220 ks").
func joinedReadings(apart Reading, words []queryWord, v *Vocabulary) ([]Reading, error) {
	if len(words) < 2 || len(words) > maxJoinedQueries {
		return nil, nil
	}
	var readings []Reading
	for i := range words {
		for n := 2; n <= maxJoined && i+n <= len(words); n++ {
			c, ok, err := joined(words[i:i+n], v)
			if err != nil {
				return nil, err
			}
			if ok {
				readings = append(readings, slices.Concat(apart[:i], Reading{c}, apart[i+n:]))
			}
		}
	}
	return readings, nil
}

// joined is the clause for words written together; ok when that gives a word of the vocabulary or what may be a code.
func joined(words []queryWord, v *Vocabulary) (c Clause, ok bool, err error) {
	var b strings.Builder
	digits := false
	for i := range words {
		b.WriteString(words[i].whole)
		digits = digits || words[i].kind != word
	}
	whole := b.String()
	c = Clause{Alternatives: []Alternative{{Terms: []string{stem(whole)}}}, Boost: 1}
	if digits {
		c.Alternatives = append(c.Alternatives, codes(whole)...)
		return c, len(whole) > minCodePrefix, nil
	}
	if len(words) > 2 {
		return c, false, nil
	}
	ok, err = v.Has(whole)
	return c, ok, err
}
