package pricing

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const (
	minCode = 3
	maxCode = 40
	// maxCodeText bounds what is looked at: people paste more than the code.
	maxCodeText = 200
)

// NormaliseCode returns the one form that a coupon code is kept and looked for in: compatibility forms become what
// they stand for (NFKC: full-width letters become plain ones), all white space goes, a to z become A to Z, and what is
// left must be 3 to 40 of A to Z, 0 to 9, dash and underscore. Anything else is no code: letters of other alphabets
// that look like these, accents, and characters that nobody sees never make a second code that looks like the first.
func NormaliseCode(text string) (code string, ok bool) {
	if len(text) > maxCodeText {
		return "", false
	}
	var b strings.Builder
	for _, r := range norm.NFKC.String(text) {
		switch {
		case unicode.IsSpace(r):
		case r >= 'a' && r <= 'z':
			b.WriteByte(byte(r - 'a' + 'A'))
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			b.WriteByte(byte(r))
		default:
			return "", false
		}
	}
	return b.String(), b.Len() >= minCode && b.Len() <= maxCode
}
