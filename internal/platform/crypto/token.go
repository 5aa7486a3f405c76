package crypto

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// RandomToken returns n random bytes in URL-safe base64 without padding. Thirty-two bytes cannot be guessed.
func RandomToken(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails: crypto/rand ends the process when the system has no randomness
	return base64.RawURLEncoding.EncodeToString(b)
}

// HashToken is what is stored in place of a random token. A plain SHA-256 is enough because such tokens, unlike
// passwords, cannot be guessed.
func HashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
