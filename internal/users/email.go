package users

import (
	"regexp"
	"strings"

	"golang.org/x/net/idna"
)

// Email is a normalised e-mail address: trimmed, in lower case, its domain in ASCII. Two spellings of one address
// are one Email; addresses that only look alike are not.
type Email string

const maxEmail = 254

// localPart is the dot-atom of RFC 5322 in ASCII. Quoted local parts, spaces and control characters are
// refused: what remains cannot break out of a mail header.
var localPart = regexp.MustCompile(`^[a-z0-9!#$%&'*+/=?^_{|}~` + "`" + `-]+(\.[a-z0-9!#$%&'*+/=?^_{|}~` + "`" + `-]+)*$`)

// ParseEmail normalises raw. It returns ErrInvalidEmail for what is no address.
func ParseEmail(raw string) (Email, error) {
	if len(raw) > 4*maxEmail {
		return "", ErrInvalidEmail
	}
	local, domain, found := strings.Cut(strings.ToLower(strings.Trim(raw, " ")), "@")
	if !found || len(local) > 64 || !localPart.MatchString(local) {
		return "", ErrInvalidEmail
	}
	domain, err := idna.Lookup.ToASCII(domain)
	if err != nil || !mailable(domain) || len(local)+1+len(domain) > maxEmail {
		return "", ErrInvalidEmail
	}
	return Email(local + "@" + domain), nil
}

// mailable reports whether domain, in ASCII, can be a mail domain: at least two labels, or localhost.
func mailable(domain string) bool {
	if domain == "localhost" {
		return true
	}
	labels := strings.Split(domain, ".")
	if len(labels) < 2 {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != "" // an IP address is no domain
}

// local is the part before the @.
func (e Email) local() string {
	local, _, _ := strings.Cut(string(e), "@")
	return local
}
