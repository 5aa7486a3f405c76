package search

import "strings"

// Synonym is words, or expressions of up to three words, that are met by others as well. Without To, each of Words is
// met by every other one; with To, Words are met by what stands there, and not the other way round.
type Synonym struct {
	Words []string
	To    []string
}

// Synonyms are made once and used in any number of queries.
type Synonyms struct {
	to map[string][][]string // the stems of an expression, with spaces → what meets it, in stems
}

// maxExpression is how many words an expression may have.
const maxExpression = 3

// NewSynonyms makes synonyms. Expressions without a word, and longer ones than three words, are left out.
func NewSynonyms(rules []Synonym) *Synonyms {
	s := &Synonyms{to: make(map[string][][]string)}
	for _, r := range rules {
		for i, from := range r.Words {
			for _, to := range r.To {
				s.add(from, to)
			}
			for j, to := range r.Words {
				if i != j && len(r.To) == 0 {
					s.add(from, to)
				}
			}
		}
	}
	return s
}

func (s *Synonyms) add(from, to string) {
	f, t := expression(from), expression(to)
	if len(f) == 0 || len(f) > maxExpression || len(t) == 0 || len(t) > maxExpression {
		return
	}
	key := strings.Join(f, " ")
	s.to[key] = append(s.to[key], t)
}

func expression(text string) []string {
	tokens := tokenise(normalise(text), maxExpression+1)
	terms := make([]string, len(tokens))
	for i := range tokens {
		terms[i] = stem(tokens[i].whole)
	}
	return terms
}

// of are the ways to meet words by others.
func (s *Synonyms) of(words []queryWord) [][]string {
	if s == nil {
		return nil
	}
	key := words[0].term
	for i := range words[1:] {
		key += " " + words[i+1].term
	}
	return s.to[key]
}

// common are what English-speaking shoppers of any shop call the same.
var common = NewSynonyms([]Synonym{
	// Its two spellings.
	{Words: []string{"grey", "gray"}}, {Words: []string{"colour", "color"}}, {Words: []string{"multicolour", "multicolor"}},
	{Words: []string{"aluminium", "aluminum"}}, {Words: []string{"metre", "meter"}}, {Words: []string{"litre", "liter"}},
	{Words: []string{"fibre", "fiber"}}, {Words: []string{"centre", "center"}}, {Words: []string{"theatre", "theater"}},
	{Words: []string{"jewellery", "jewelry"}}, {Words: []string{"tyre", "tire"}}, {Words: []string{"pyjamas", "pajamas"}},
	{Words: []string{"mould", "mold"}}, {Words: []string{"moustache", "mustache"}}, {Words: []string{"grill", "grille"}},
	// Electronics.
	{Words: []string{"laptop", "notebook"}}, {Words: []string{"tv", "television"}}, {Words: []string{"pc", "computer"}},
	{Words: []string{"headphones", "headset", "earphones", "earbuds"}},
	{Words: []string{"smartphone", "mobile phone", "cell phone"}}, {Words: []string{"mobile", "cell"}},
	{Words: []string{"cord", "cable", "lead"}}, {Words: []string{"wifi", "wireless"}}, {Words: []string{"flashlight", "torch"}},
	{Words: []string{"ps", "playstation"}}, {Words: []string{"usb stick", "flash drive", "thumb drive"}},
	// Home and clothes.
	{Words: []string{"fridge", "refrigerator"}}, {Words: []string{"sofa", "couch"}}, {Words: []string{"bike", "bicycle"}},
	{Words: []string{"trousers", "pants"}}, {Words: []string{"trainers", "sneakers"}}, {Words: []string{"jumper", "sweater", "pullover"}},
	{Words: []string{"transparent", "clear"}}, {Words: []string{"photo", "photograph"}}, {Words: []string{"nappy", "diaper"}},
})
