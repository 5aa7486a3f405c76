// Package id makes the type-prefixed, time-ordered identifiers that shopd shows to the outside.
package id

import (
	"encoding/base32"
	"encoding/binary"
	"strings"
	"time"

	"github.com/google/uuid"
)

// crockford is Crockford's base32 in lower case: it sorts like the bytes it encodes and has no i, l, o or u to misread.
var crockford = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

const bodyLength = 26 // 16 bytes in base32

// New returns prefix, an underscore and a UUID version 7 in base32, such as "ord_06e5k3m8…".
// Ids of one prefix sort by the time they were made, to the millisecond.
func New(prefix string) string {
	return From(prefix, uuid.Must(uuid.NewV7()))
}

// From returns the id with the given prefix that carries u.
func From(prefix string, u uuid.UUID) string {
	return prefix + "_" + crockford.EncodeToString(u[:])
}

// Derive returns the id that always belongs to the same prefix and seed: for rows that are generated again
// and must not double. It does not sort by time.
func Derive(prefix, seed string) string {
	return From(prefix, uuid.NewSHA1(uuid.NameSpaceOID, []byte(prefix+"\x00"+seed)))
}

// Valid reports whether s is an id with the given prefix.
func Valid(prefix, s string) bool {
	body, ok := strings.CutPrefix(s, prefix+"_")
	if !ok || len(body) != bodyLength {
		return false
	}
	_, err := crockford.DecodeString(body)
	return err == nil
}

// Floor returns what sorts before every id that New makes with the prefix at that time or later, and after all that it
// made before, to the millisecond.
func Floor(prefix string, at time.Time) string {
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[:], uint64(at.UnixMilli())<<16)
	return From(prefix, u)
}
