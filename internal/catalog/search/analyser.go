package search

import (
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// analyser collects what is indexed of one document.
type analyser struct {
	weights    map[string]float64
	order      []string // of the terms, by their first coming
	names      set
	vocabulary set
	runs       set
	codes      set
	weighed    map[string]struct{} // terms of the text under way: each weighs once in it
}

func newAnalyser(d *Document) *analyser {
	a := &analyser{weights: make(map[string]float64, 128), weighed: make(map[string]struct{}, 64)}
	a.title(d)
	a.label(d.Brand, weightBrand)
	for i, name := range d.CategoryNames {
		if i == 0 {
			a.category(name)
		} else {
			a.label(name, weightAncestor)
		}
	}
	for _, name := range d.Collections {
		a.label(name, weightCollection)
	}
	a.attributes(d.Attributes)
	for _, code := range slices.Concat(d.SKUs, d.GTINs) {
		a.weigh(tokensOf(code), weightCode)
		if c := compact(code); c != "" {
			a.codes.add(c)
		}
	}
	description := tokensOf(cut(d.Description, maxDescriptionBytes))
	a.weigh(description, weightDescription*descriptionLength.factor(len(description)))
	return a
}

func tokensOf(text string) []token { return tokenise(normalise(text), math.MaxInt) }

// length is how the length of a text, in tokens, lowers the weights of its words.
type length struct {
	free  float64
	power float64
}

func (l length) factor(tokens int) float64 {
	return math.Pow(l.free/max(l.free, float64(tokens)), l.power)
}

// terms are the terms with their weights as whole numbers.
func (a *analyser) terms() []Term {
	all := make([]Term, len(a.order))
	for i, t := range a.order {
		weight := min(max(math.Round(a.weights[t]*weightScale), 1), MaxWeight)
		all[i] = Term{Text: t, Weight: uint8(weight)}
	}
	return all
}

// weigh adds a weight to every term of a text, once to each.
func (a *analyser) weigh(tokens []token, weight float64) {
	clear(a.weighed)
	a.weighOn(tokens, weight)
}

// weighOn goes on with the same text.
func (a *analyser) weighOn(tokens []token, weight float64) {
	for i := range tokens {
		t := &tokens[i]
		a.add(stem(t.whole), weight)
		for _, p := range t.parts {
			a.add(stem(p), weight)
		}
		if i > 0 && tokens[i-1].pairs(t) {
			a.add(paired(tokens[i-1].whole, t.whole), weight)
		}
	}
}

func (a *analyser) add(term string, weight float64) {
	if _, ok := a.weighed[term]; ok {
		return
	}
	a.weighed[term] = struct{}{}
	if _, ok := a.weights[term]; !ok {
		a.order = append(a.order, term)
	}
	a.weights[term] += weight
}

// title weighs the words of the title: less behind a "for", and in general where they say what the product is made for.
func (a *analyser) title(d *Document) {
	text := normalise(d.Title)
	tokens := tokenise(text, math.MaxInt)
	factor := titleLength.factor(len(tokens))
	end := len(tokens)
	if i := slices.IndexFunc(tokens, func(t token) bool { return t.whole == "for" }); i > 0 {
		end = i
	}
	made := madeFor(d)
	clear(a.weighed)
	for i := range tokens[:end] {
		if made.has(&tokens[i]) {
			a.weighOn(tokens[i:i+1], weightTitleFor*factor)
		}
	}
	a.weighOn(tokens[:end], weightTitle*factor)
	a.weighOn(tokens[end:], weightTitleFor*factor)
	a.heads(tokens[:end], d.Attributes, made, weightTitleHead*factor)
	a.learn(tokens)
	a.name(tokens)
	a.run(text, normalise(d.Brand))
}

// purposes are the stems of the things that a product is made for.
type purposes map[string]struct{}

// purposeName is the stem in the name of an attribute whose values say for which things a product is made: "Device type",
// "Mobile device type".
const purposeName = "devic"

// madeFor reads the attributes. What the category is named by is the product itself, not what it is made for.
func madeFor(d *Document) purposes {
	var made purposes
	for name, values := range d.Attributes {
		if !slices.ContainsFunc(tokensOf(name), func(t token) bool { return stem(t.whole) == purposeName }) {
			continue
		}
		if made == nil {
			made = make(purposes)
		}
		for _, v := range values {
			for _, t := range tokensOf(v) {
				for _, w := range append(t.parts, t.whole) {
					if kindOf(w) == word && !isStopWord(w) {
						made[stem(w)] = struct{}{}
					}
				}
			}
		}
	}
	if len(made) > 0 && len(d.CategoryNames) > 0 {
		if category := tokensOf(d.CategoryNames[0]); len(category) > 0 {
			delete(made, stem(category[len(category)-1].whole))
		}
	}
	return made
}

// has reports whether the token, or a part of it, is one of the things.
func (p purposes) has(t *token) bool {
	if len(p) == 0 {
		return false
	}
	if _, ok := p[stem(t.whole)]; ok {
		return true
	}
	return slices.ContainsFunc(t.parts, func(part string) bool { _, ok := p[stem(part)]; return ok })
}

// heads weighs the words of a title that no other noun follows: the last one of a group says what the product is, those
// before it of what sort ("notebook case 15.6 inch black"). A following word that is a value of the product, as its
// colour, is no noun.
func (a *analyser) heads(tokens []token, attributes map[string][]string, made purposes, weight float64) {
	clear(a.weighed)
	var values map[string]struct{}
	for i := range tokens {
		t := &tokens[i]
		if t.kind != word || isStopWord(t.whole) || made.has(t) {
			continue
		}
		if i+1 < len(tokens) && tokens[i+1].isNounAfter() {
			if values == nil {
				values = oneWordValues(attributes)
			}
			if _, ok := values[tokens[i+1].whole]; !ok {
				continue
			}
		}
		a.weighOn(tokens[i:i+1], weight)
	}
}

// isNounAfter reports whether the token may be the noun that the one before it belongs to.
func (t *token) isNounAfter() bool {
	return t.joined && t.kind == word && !isStopWord(t.whole) && t.whole != "pc" // a notebook PC is a notebook
}

// oneWordValues are the values of attributes that are one word.
func oneWordValues(attributes map[string][]string) map[string]struct{} {
	words := make(map[string]struct{})
	for _, values := range attributes {
		for _, v := range values {
			if !strings.ContainsRune(v, ' ') {
				words[normalise(v)] = struct{}{}
			}
		}
	}
	return words
}

// label weighs a short text that names something the product belongs to.
func (a *analyser) label(text string, weight float64) {
	tokens := tokensOf(text)
	a.weigh(tokens, weight)
	a.learn(tokens)
	a.name(tokens)
}

// category weighs the words of the category's name: the last word of each side of an "&" says what the product is, those
// before it of what sort ("Notebook Bags & Cases").
func (a *analyser) category(name string) {
	text := normalise(name)
	sides := strings.FieldsFunc(text, func(r rune) bool { return r == '&' || r == ',' })
	clear(a.weighed)
	for _, side := range sides {
		if tokens := tokenise(side, math.MaxInt); len(tokens) > 0 {
			a.weighOn(tokens[len(tokens)-1:], weightCategory)
		}
	}
	for i, side := range sides {
		tokens := tokenise(side, math.MaxInt)
		a.weighOn(tokens, weightModifier)
		a.learn(tokens)
		a.name(tokens)
		for j := range tokens {
			if !isStopWord(tokens[j].whole) {
				a.vocabulary.add(kindType + stem(tokens[j].whole))
			}
		}
		if i > 0 {
			a.acronym(tokenise(sides[i-1], math.MaxInt), tokens)
		}
	}
}

// acronym adds what the words on both sides of an "&" are called for short: "audio & video cables" are "av" cables.
func (a *analyser) acronym(before, after []token) {
	if len(before) == 0 || len(after) == 0 {
		return
	}
	first, _ := utf8.DecodeRuneInString(before[len(before)-1].whole)
	second, _ := utf8.DecodeRuneInString(after[0].whole)
	short := string([]rune{first, second})
	a.add(short, weightModifier)
	a.vocabulary.add(short)
	a.vocabulary.add(kindType + short)
}

// attributes weighs the values of attributes, and the names of those that have one.
func (a *analyser) attributes(attributes map[string][]string) {
	factor := attributesLength.factor(len(attributes))
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		says := false
		for _, v := range attributes[name] {
			switch strings.ToLower(v) {
			case "", "0", "-", "no", "none", "false", "n", "n/a":
			case "yes", "y", "true":
				says = true
			default:
				says = true
				a.value(name, v, len(attributes[name]), factor)
			}
		}
		if says {
			tokens := tokensOf(name)
			a.weigh(tokens, weightName*factor)
			a.learn(tokens)
		}
	}
}

// wholeWords is how many words a value may have that somebody asks for as a whole.
const wholeWords = 3

// value weighs one of a number of values of an attribute.
func (a *analyser) value(name, value string, of int, factor float64) {
	tokens := tokensOf(value)
	weight := weightValue * factor
	if len(tokens) <= wholeWords {
		weight += weightWholeValue / float64(of)
	}
	a.weigh(tokens, weight)
	if len(tokens) == 1 && tokens[0].kind == number && strings.Contains(strings.ToLower(name), "length") {
		a.add(tokens[0].whole+"m", weight) // a length without a unit is in metres
	}
	a.learn(tokens)
}

// learn puts words into the vocabulary; stop words, numbers and codes are no help in spelling.
func (a *analyser) learn(tokens []token) {
	for i := range tokens {
		t := &tokens[i]
		if t.kind == word {
			a.addWord(t.whole)
		}
		for _, p := range t.parts {
			if kindOf(p) == word {
				a.addWord(p)
			}
		}
	}
}

func (a *analyser) addWord(w string) {
	if len(w) > 1 && !isStopWord(w) {
		a.vocabulary.add(w)
	}
}

// name lets words be completed.
func (a *analyser) name(tokens []token) {
	for i := range tokens {
		a.names.add(tokens[i].whole)
		for _, p := range tokens[i].parts {
			a.names.add(p)
		}
	}
}

const (
	// runStart begins the runs that the title itself begins with, with or without the brand.
	runStart = "^"
	// maxRuns is how many words of a title begin a run, maxRunBytes how much of the title one holds.
	maxRuns     = 24
	maxRunBytes = 32
)

// run indexes the title from each of its words on, without separators. What begins like that is a part of the title,
// however it is separated and wherever it ends: "c5220ks", "c 5220 ks", "c522".
func (a *analyser) run(title, brand string) {
	var squeezed strings.Builder
	var starts []int
	inside := false
	for _, r := range title {
		if !isAlnum(r) {
			inside = false
			continue
		}
		if !inside {
			starts = append(starts, squeezed.Len())
		}
		inside = true
		squeezed.WriteRune(r)
	}
	all := squeezed.String()
	for _, s := range starts[:min(maxRuns, len(starts))] {
		a.runs.add(cut(all[s:], maxRunBytes))
	}
	if all == "" {
		return
	}
	a.runs.add(runStart + cut(all, maxRunBytes))
	if name, ok := strings.CutPrefix(all, squeeze(brand)); ok && name != "" {
		a.runs.add(runStart + cut(name, maxRunBytes))
	}
}

// squeeze is a normalised text without its separators.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if isAlnum(r) {
			return r
		}
		return -1
	}, s)
}
