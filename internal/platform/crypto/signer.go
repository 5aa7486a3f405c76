package crypto

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Signer signs and verifies JSON Web Tokens with Ed25519 keys. It is safe for concurrent use.
type Signer struct {
	keys []signingKey // the first signs
	byID map[string]ed25519.PublicKey
}

type signingKey struct {
	id      string
	private ed25519.PrivateKey
}

// NewSigner reads a comma list of kid:seed, the seed being 32 bytes in base64. The first key signs, all of them
// verify: list a new key second until every replica knows it, then first; drop the old one after the longest token
// lifetime. An empty list takes keys derived from the master keys, in their order.
func NewSigner(keys string, vault *Vault) (*Signer, error) {
	s := &Signer{byID: map[string]ed25519.PublicKey{}}
	if strings.TrimSpace(keys) == "" {
		for _, m := range vault.masters {
			s.add("m-"+m.name, m.derive("jwt", ed25519.SeedSize))
		}
		return s, nil
	}
	for i, entry := range strings.Split(keys, ",") {
		kid, encoded, found := strings.Cut(strings.TrimSpace(entry), ":")
		if !found || kid == "" {
			return nil, fmt.Errorf("JWT key %d: must be kid:seed", i+1)
		}
		seed, err := decodeKey(encoded)
		if err != nil {
			return nil, fmt.Errorf("JWT key %d: the seed %w", i+1, err)
		}
		if s.byID[kid] != nil {
			return nil, fmt.Errorf("JWT key %d: the kid %s is there twice", i+1, kid)
		}
		s.add(kid, seed)
	}
	return s, nil
}

func (s *Signer) add(kid string, seed []byte) {
	private := ed25519.NewKeyFromSeed(seed)
	s.keys = append(s.keys, signingKey{id: kid, private: private})
	s.byID[kid] = private.Public().(ed25519.PublicKey) //nolint:errcheck // it is nothing else
}

// Sign returns claims as a token of the given type ("at+jwt").
func (s *Signer) Sign(claims jwt.Claims, typ string) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header["kid"], token.Header["typ"] = s.keys[0].id, typ
	return token.SignedString(s.keys[0].private)
}

// Expect is what a token must be to be accepted. All fields are required.
type Expect struct {
	Type     string
	Issuer   string
	Audience string
	MaxAge   time.Duration // a token that claims to live longer is refused whoever signed it
	Now      func() time.Time
}

var errToken = errors.New("token refused")

// Verify reads token into claims when it is signed by one of our keys with EdDSA, is of the expected type, issuer
// and audience, and is within its time. Its error says why for the log; callers learn only that it is refused.
func (s *Signer) Verify(token string, claims jwt.Claims, e Expect) error {
	parsed, err := jwt.ParseWithClaims(token, claims, s.keyFor,
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithExpirationRequired(),
		jwt.WithIssuer(e.Issuer), jwt.WithAudience(e.Audience), jwt.WithStrictDecoding(), jwt.WithTimeFunc(e.Now))
	if err != nil {
		return err
	}
	if typ, ok := parsed.Header["typ"].(string); !ok || !strings.EqualFold(typ, e.Type) {
		return fmt.Errorf("%w: typ is not %s", errToken, e.Type)
	}
	issued, err := claims.GetIssuedAt()
	if err != nil || issued == nil || issued.After(e.Now().Add(skew)) {
		return fmt.Errorf("%w: no iat, or one in the future", errToken)
	}
	expires, err := claims.GetExpirationTime()
	if err != nil || expires.Sub(issued.Time) > e.MaxAge {
		return fmt.Errorf("%w: lives longer than %s", errToken, e.MaxAge)
	}
	return nil
}

// skew is how far the clock of the replica that issued a token may be ahead of ours.
const skew = time.Minute

func (s *Signer) keyFor(t *jwt.Token) (any, error) {
	kid, _ := t.Header["kid"].(string)
	key, ok := s.byID[kid]
	if !ok {
		return nil, fmt.Errorf("%w: unknown kid", errToken)
	}
	return key, nil
}

type jwk struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	ID        string `json:"kid"`
	X         string `json:"x"`
}

// JWKS is the JSON Web Key Set of the public keys, for others who verify our tokens.
func (s *Signer) JWKS() json.RawMessage {
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: make([]jwk, 0, len(s.keys))}
	for _, k := range s.keys {
		set.Keys = append(set.Keys, jwk{
			KeyType: "OKP", Curve: "Ed25519", Use: "sig", Algorithm: "EdDSA", ID: k.id,
			X: base64.RawURLEncoding.EncodeToString(s.byID[k.id]),
		})
	}
	body, err := json.Marshal(set)
	if err != nil {
		panic(err) // strings always marshal
	}
	return body
}
