package crypto_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"shopd/internal/platform/crypto"
)

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func expect() crypto.Expect {
	return crypto.Expect{Type: "at+jwt", Issuer: "shop", Audience: "store", MaxAge: 10 * time.Minute, Now: func() time.Time { return at }}
}

// claims returns acceptable claims changed by change.
func claims(change func(c *jwt.RegisteredClaims)) jwt.RegisteredClaims {
	c := jwt.RegisteredClaims{
		Subject: "cus_1", Issuer: "shop", Audience: jwt.ClaimStrings{"store"},
		IssuedAt: jwt.NewNumericDate(at), ExpiresAt: jwt.NewNumericDate(at.Add(10 * time.Minute)),
	}
	if change != nil {
		change(&c)
	}
	return c
}

func newSigner(t *testing.T, keys string) *crypto.Signer {
	t.Helper()
	s, err := crypto.NewSigner(keys, newVault(t, key("a")))
	require.NoError(t, err)
	return s
}

func TestSignerAcceptsItsOwn(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]string{
		"derived from the master key": "",
		"listed":                      "2026-01:" + key("x") + ",2025-01:" + key("y"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := newSigner(t, keys).Sign(claims(nil), "at+jwt")
			require.NoError(t, err)
			var got jwt.RegisteredClaims
			require.NoError(t, newSigner(t, keys).Verify(token, &got, expect()), "another replica must accept it")
			require.Equal(t, "cus_1", got.Subject)
		})
	}
}

func TestSignerRefuses(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1:"+key("x"))
	public := ed25519.NewKeyFromSeed([]byte("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")).Public().(ed25519.PublicKey)
	sign := func(method jwt.SigningMethod, secret any, kid, typ string, c jwt.Claims) string {
		token := jwt.NewWithClaims(method, c)
		token.Header["kid"], token.Header["typ"] = kid, typ
		signed, err := token.SignedString(secret)
		require.NoError(t, err)
		return signed
	}
	own := func(typ string, change func(c *jwt.RegisteredClaims)) string {
		token, err := s.Sign(claims(change), typ)
		require.NoError(t, err)
		return token
	}
	stranger := ed25519.NewKeyFromSeed([]byte("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"))
	for name, token := range map[string]string{
		"alg none":                          sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "k1", "at+jwt", claims(nil)),
		"HS256 with the empty secret":       sign(jwt.SigningMethodHS256, []byte{}, "k1", "at+jwt", claims(nil)),
		"HS256 with the public key":         sign(jwt.SigningMethodHS256, []byte(public), "k1", "at+jwt", claims(nil)),
		"a stranger's key under our kid":    sign(jwt.SigningMethodEdDSA, stranger, "k1", "at+jwt", claims(nil)),
		"an unknown kid":                    sign(jwt.SigningMethodEdDSA, stranger, "k2", "at+jwt", claims(nil)),
		"another type":                      own("verify+jwt", nil),
		"no type":                           own("", nil),
		"no exp":                            own("at+jwt", func(c *jwt.RegisteredClaims) { c.ExpiresAt = nil }),
		"exp past by a second":              own("at+jwt", func(c *jwt.RegisteredClaims) { c.ExpiresAt = jwt.NewNumericDate(at.Add(-time.Second)) }),
		"exp an hour ahead":                 own("at+jwt", func(c *jwt.RegisteredClaims) { c.ExpiresAt = jwt.NewNumericDate(at.Add(time.Hour)) }),
		"no iat":                            own("at+jwt", func(c *jwt.RegisteredClaims) { c.IssuedAt = nil }),
		"iat an hour ahead":                 own("at+jwt", func(c *jwt.RegisteredClaims) { c.IssuedAt = jwt.NewNumericDate(at.Add(time.Hour)) }),
		"nbf an hour ahead":                 own("at+jwt", func(c *jwt.RegisteredClaims) { c.NotBefore = jwt.NewNumericDate(at.Add(time.Hour)) }),
		"another issuer":                    own("at+jwt", func(c *jwt.RegisteredClaims) { c.Issuer = "elsewhere" }),
		"another audience":                  own("at+jwt", func(c *jwt.RegisteredClaims) { c.Audience = jwt.ClaimStrings{"admin"} }),
		"no audience":                       own("at+jwt", func(c *jwt.RegisteredClaims) { c.Audience = nil }),
		"something that is no token at all": "sk_something",
		"nothing":                           "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Error(t, s.Verify(token, &jwt.RegisteredClaims{}, expect()))
		})
	}
}

func TestSignerKeepsVerifyingTheKeyBefore(t *testing.T) {
	t.Parallel()
	token, err := newSigner(t, "old:"+key("x")).Sign(claims(nil), "at+jwt")
	require.NoError(t, err)
	require.NoError(t, newSigner(t, "new:"+key("y")+",old:"+key("x")).Verify(token, &jwt.RegisteredClaims{}, expect()))
	require.Error(t, newSigner(t, "new:"+key("y")).Verify(token, &jwt.RegisteredClaims{}, expect()))
}

func TestNewSignerRefusesBadLists(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]string{
		"no kid":        key("x"),
		"short seed":    "k:YWJj",
		"one kid twice": "k:" + key("x") + ",k:" + key("y"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := crypto.NewSigner(keys, newVault(t, key("a")))
			require.Error(t, err)
		})
	}
}

func TestJWKSHoldsPublicKeysOnly(t *testing.T) {
	t.Parallel()
	var set struct{ Keys []map[string]string }
	require.NoError(t, json.Unmarshal(newSigner(t, "k1:"+key("x")).JWKS(), &set))
	require.Len(t, set.Keys, 1)
	public := ed25519.NewKeyFromSeed([]byte("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")).Public().(ed25519.PublicKey)
	require.Equal(t, map[string]string{
		"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "k1", "x": base64.RawURLEncoding.EncodeToString(public),
	}, set.Keys[0])
}
