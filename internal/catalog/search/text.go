package search

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// MaxTextBytes is how much of a query is looked at; nobody types more.
	MaxTextBytes = 512
	// maxQueryWords is how many words of a query are looked at.
	maxQueryWords = 16
	// maxDescriptionBytes is how much of a description is indexed.
	maxDescriptionBytes = 32 << 10
	// maxTokenBytes cuts what is no word in any language, and keeps terms below the limits of both engines.
	maxTokenBytes = 64
)

// folded are letters and signs that have no canonical decomposition but that people type without.
var folded = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ı': "i", 'ħ': "h",
	'×': "x", '″': `"`, '“': `"`, '”': `"`, '′': "'", '‘': "'", '’': "'", 'ʼ': "'",
	'‐': "-", '‑': "-", '–': "-", '—': "-", '−': "-", '⁄': "/",
}

// normalise brings text to the form in which it is compared: compatibility forms resolved, lower case, no accents.
func normalise(s string) string {
	if isPlain(s) {
		return s
	}
	if isASCII(s) {
		return strings.ToLower(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range norm.NFKD.String(strings.ToValidUTF8(s, " ")) {
		r = unicode.ToLower(r)
		if f, ok := folded[r]; ok {
			b.WriteString(f)
			continue
		}
		if !isAccent(r) {
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}

func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || (c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isAccent is true for marks that readers of the script leave out when they type: Latin, Greek and Cyrillic accents,
// Hebrew points, Arabic vowels and the elongation. Marks of Indic scripts are letters to their readers and stay.
func isAccent(r rune) bool {
	switch {
	case r >= 0x0300 && r <= 0x036f, r >= 0x0591 && r <= 0x05c7, r >= 0x064b && r <= 0x065f:
		return true
	case r == 0x0670, r == 0x0640, r == 0x200d, r >= 0xfe00 && r <= 0xfe0f, r >= 0x1f3fb && r <= 0x1f3ff:
		return true
	}
	return unicode.Is(unicode.Cf, r)
}

// token is one word, number, size or code of a text, in the normalised form.
type token struct {
	surface string   // as written, separators included: "wi-fi", "24-mb01"
	whole   string   // without separators: "wifi", "24mb01"; a size in its canonical unit: "29in"
	parts   []string // what it consists of, when more than itself: "wi", "fi"
	kind    tokenKind
	joined  bool // nothing but a space stands between it and the token before
}

type tokenKind uint8

const (
	word   tokenKind = iota // letters only
	number                  // digits with at most a decimal point
	size                    // a number with its unit, or dimensions
	mixed                   // letters and digits: codes, models
)

// tokenise splits normalised text. At most limit tokens are returned.
func tokenise(s string, limit int) []token {
	tokens := make([]token, 0, min(limit, len(s)/5+1))
	before := s // from the end of the last token on
	for len(s) > 0 && len(tokens) < limit {
		r, n := utf8.DecodeRuneInString(s)
		gap := before[:len(before)-len(s)]
		switch {
		case isAlnum(r) && !standsAlone(r):
			end := chunkEnd(s)
			tokens, s = appendChunk(tokens, cut(s[:end], maxTokenBytes), s[end:])
		case standsAlone(r):
			tokens = append(tokens, token{surface: s[:n], whole: s[:n], kind: word})
			s = s[n:]
		default:
			s = s[n:]
			continue
		}
		tokens[len(tokens)-1].joined = gap == " "
		before = s
	}
	return tokens
}

func isAlnum(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z'
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r)
}

// standsAlone is true for signs that are a word each: ideographs, kana, emoji.
func standsAlone(r rune) bool {
	return r > 0xff && (unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) || unicode.Is(unicode.So, r))
}

// isJoiner is true for signs that hold a chunk together when they stand between letters or digits.
func isJoiner(r rune) bool {
	switch r {
	case '-', '_', '.', ',', '/', '\'', '&', '+':
		return true
	}
	return false
}

// chunkEnd returns where the run of letters, digits and joiners ends with which s begins.
func chunkEnd(s string) int {
	end := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case isAlnum(r) && !standsAlone(r):
			end = i + n
		case isJoiner(r) && i > 0 && end == i && joins(s, i, r):
		default:
			return end
		}
		i += n
	}
	return end
}

// joins reports whether the joiner r at s[i] connects: a comma or a plus only between digits.
func joins(s string, i int, r rune) bool {
	if i+1 >= len(s) {
		return false
	}
	if r == ',' || r == '+' {
		return isDigit(s[i-1]) && isDigit(s[i+1])
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// appendChunk makes tokens of a chunk; rest is the text after it, for a unit that follows. It returns the text left.
func appendChunk(tokens []token, chunk, rest string) ([]token, string) {
	if t, left, ok := measure(chunk, rest); ok {
		return append(tokens, t), left
	}
	chunk = strings.TrimSuffix(chunk, "'s")
	t := token{surface: chunk, whole: chunk}
	pieces := strings.FieldsFunc(chunk, isJoiner)
	if len(pieces) > 1 {
		t.whole = strings.Join(pieces, "")
	}
	t.kind = kindOf(t.whole)
	if t.kind == mixed {
		pieces = splitDigits(pieces)
	}
	if len(pieces) > 1 {
		t.parts = pieces
	}
	return append(tokens, t), rest
}

// maxPaired is how long a number may be that belongs to the word before it.
const maxPaired = 4

// pairs reports whether the number n belongs to the word: "Windows 10", "iPhone 7".
func (t *token) pairs(n *token) bool {
	return t.kind == word && n.kind == number && len(n.whole) <= maxPaired
}

// paired is the term of a word with a number that belongs to it.
func paired(w, n string) string { return stem(w) + n }

func kindOf(s string) tokenKind {
	var digits, letters bool
	for _, r := range s {
		if unicode.IsDigit(r) {
			digits = true
		} else {
			letters = true
		}
	}
	switch {
	case digits && letters:
		return mixed
	case digits:
		return number
	default:
		return word
	}
}

// splitDigits splits every piece where letters and digits meet: "c5220ks" is "c", "5220", "ks".
func splitDigits(pieces []string) []string {
	out := make([]string, 0, len(pieces)*2)
	for _, p := range pieces {
		start := 0
		for i := 1; i < len(p); i++ {
			if isDigit(p[i]) != isDigit(p[i-1]) {
				out = append(out, p[start:i])
				start = i
			}
		}
		out = append(out, p[start:])
	}
	return out
}

// compact is a code without its separators, as codes are compared: "24-MB01" is "24mb01". Leading zeros of long
// numbers go, because a GTIN is written with 12, 13 or 14 digits.
func compact(s string) string {
	var b strings.Builder
	digits := true
	for _, r := range normalise(s) {
		if isAlnum(r) {
			b.WriteRune(r)
			digits = digits && unicode.IsDigit(r)
		}
	}
	c := b.String()
	if digits && len(c) >= 8 {
		c = strings.TrimLeft(c, "0")
	}
	return cut(c, maxTokenBytes)
}
