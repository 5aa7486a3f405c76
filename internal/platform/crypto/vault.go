// Package crypto keeps shopd's secrets: it seals personal data under keys derived from one master key, signs access
// tokens, and makes random tokens. All algorithms come from tink, golang-jwt and the standard library.
package crypto

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
)

const keyBytes = 32

// Vault seals and opens with keys derived from the master keys. Every replica that is given the same master keys
// derives the same Vault. It is safe for concurrent use.
type Vault struct {
	masters []master // the first seals, the others only open
	aead    tink.AEAD
}

// master is one master key and the names that are derived from it.
type master struct {
	secret []byte
	name   string // 8 hex digits, stable, says nothing about the secret
	id     uint32 // the same as a tink key id, which prefixes what was sealed
}

// NewVault reads a comma list of master keys, each 32 bytes in base64. The first seals, all of them open: to
// rotate, put the new key in front and drop the old one when nothing is sealed with it any more.
func NewVault(masterKeys string) (*Vault, error) {
	v := &Vault{}
	for i, encoded := range strings.Split(masterKeys, ",") {
		secret, err := decodeKey(encoded)
		if err != nil {
			return nil, fmt.Errorf("master key %d: %w", i+1, err)
		}
		m := master{secret: secret}
		idBytes := m.derive("key-id", 4)
		m.id, m.name = binary.BigEndian.Uint32(idBytes), hex.EncodeToString(idBytes)
		v.masters = append(v.masters, m)
	}
	var err error
	v.aead, err = newKeyset(v.masters)
	return v, err
}

// decodeKey reads 32 bytes in base64, with either alphabet and with or without padding.
func decodeKey(encoded string) ([]byte, error) {
	clean := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(strings.TrimSpace(encoded), "="))
	key, err := base64.RawStdEncoding.DecodeString(clean)
	if err != nil {
		return nil, errors.New("is not base64")
	}
	if len(key) != keyBytes {
		return nil, fmt.Errorf("must be %d bytes, has %d", keyBytes, len(key))
	}
	return key, nil
}

// derive returns n bytes that belong to purpose and tell nothing about the master key or other purposes.
func (m master) derive(purpose string, n int) []byte {
	key, err := hkdf.Key(sha256.New, m.secret, nil, "shopd/"+purpose+"/v1", n)
	if err != nil {
		panic(err) // only for n beyond 255 hashes, and every caller passes a small constant
	}
	return key
}

// newKeyset is the AES-256-GCM keyset of masters, the first being primary.
func newKeyset(masters []master) (tink.AEAD, error) {
	manager := keyset.NewManager()
	for i, m := range masters {
		key, err := aesKey(m.derive("seal", keyBytes), m.id, aesgcm.VariantTink)
		if err != nil {
			return nil, err
		}
		if _, err := manager.AddKey(key); err != nil {
			return nil, fmt.Errorf("master key %d: %w", i+1, err)
		}
		if i == 0 {
			if err := manager.SetPrimary(m.id); err != nil {
				return nil, err
			}
		}
	}
	handle, err := manager.Handle()
	if err != nil {
		return nil, err
	}
	return aead.New(handle)
}

func aesKey(secret []byte, id uint32, variant aesgcm.Variant) (*aesgcm.Key, error) {
	parameters, err := aesgcm.NewParameters(aesgcm.ParametersOpts{
		KeySizeInBytes: keyBytes, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: variant,
	})
	if err != nil {
		return nil, err
	}
	return aesgcm.NewKey(secretdata.NewBytesFromData(secret, insecuresecretdataaccess.Token{}), id, parameters)
}

// Seal encrypts plain so that only Open with the same associatedData gives it back. Name in it where the result
// is kept ("table|column|id"), so that a value copied to another row does not open there.
func (v *Vault) Seal(plain, associatedData []byte) ([]byte, error) {
	return v.aead.Encrypt(plain, associatedData)
}

// Open gives back what Seal was given under any of the master keys. It fails when sealed was changed, was sealed
// for other associatedData or under a master key that is no longer listed.
func (v *Vault) Open(sealed, associatedData []byte) ([]byte, error) {
	return v.aead.Decrypt(sealed, associatedData)
}

// SealedByPrimary reports whether sealed was made with the first master key: otherwise it waits for rotation.
func (v *Vault) SealedByPrimary(sealed []byte) bool {
	const tinkPrefix = 5 // a version byte and the key id
	return len(sealed) >= tinkPrefix && binary.BigEndian.Uint32(sealed[1:tinkPrefix]) == v.masters[0].id
}

// BlindIndex is a keyed hash of value under the first master key: equal values can be found without keeping them.
// The caller normalises value and puts what it is in front ("email:…"), so that different columns do not match.
func (v *Vault) BlindIndex(value string) []byte { return v.masters[0].blindIndex(value) }

// BlindIndexes are the hashes of value under every master key, the first being BlindIndex: what to look for while
// a rotation is under way.
func (v *Vault) BlindIndexes(value string) [][]byte {
	indexes := make([][]byte, len(v.masters))
	for i, m := range v.masters {
		indexes[i] = m.blindIndex(value)
	}
	return indexes
}

func (m master) blindIndex(value string) []byte {
	return hmacSHA256(m.derive("blind-index", keyBytes), value)
}

// Pepper names the key that Peppered uses for new passwords.
func (v *Vault) Pepper() string { return v.masters[0].name }

// Peppered is a keyed hash of password under the named pepper: base64, 44 bytes whatever the password's length, so
// that bcrypt neither truncates it nor can be tried against a stolen table without the master key. It reports
// false when no master key has that pepper.
func (v *Vault) Peppered(pepper, password string) ([]byte, bool) {
	for _, m := range v.masters {
		if m.name == pepper {
			sum := hmacSHA256(m.derive("pepper", keyBytes), password)
			return []byte(base64.StdEncoding.EncodeToString(sum)), true
		}
	}
	return nil, false
}

func hmacSHA256(key []byte, value string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(value))
	return mac.Sum(nil)
}
