package crypto

import (
	"crypto/rand"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// DataKey seals the personal data of one subject. When its wrapped form is deleted everywhere, what it sealed is
// unreadable for ever, in backups too. It is safe for concurrent use.
type DataKey struct {
	aead tink.AEAD
}

// NewDataKey makes a random key for subject and the wrapped form of it that may be stored.
func (v *Vault) NewDataKey(subject string) (key *DataKey, wrapped []byte, err error) {
	secret := make([]byte, keyBytes)
	rand.Read(secret) // never fails: crypto/rand ends the process when the system has no randomness
	wrapped, err = v.Seal(secret, wrapContext(subject))
	if err != nil {
		return nil, nil, fmt.Errorf("wrap data key: %w", err)
	}
	key, err = dataKey(secret)
	return key, wrapped, err
}

// OpenDataKey unwraps the key of subject.
func (v *Vault) OpenDataKey(subject string, wrapped []byte) (*DataKey, error) {
	secret, err := v.Open(wrapped, wrapContext(subject))
	if err != nil {
		return nil, fmt.Errorf("unwrap data key: %w", err)
	}
	return dataKey(secret)
}

// RewrapDataKey wraps the key of subject again under the first master key.
func (v *Vault) RewrapDataKey(subject string, wrapped []byte) ([]byte, error) {
	secret, err := v.Open(wrapped, wrapContext(subject))
	if err != nil {
		return nil, fmt.Errorf("unwrap data key: %w", err)
	}
	return v.Seal(secret, wrapContext(subject))
}

func wrapContext(subject string) []byte { return []byte("data_keys|wrapped|" + subject) }

func dataKey(secret []byte) (*DataKey, error) {
	key, err := aesKey(secret, 0, aesgcm.VariantNoPrefix)
	if err != nil {
		return nil, err
	}
	primitive, err := aesgcm.NewAEAD(key)
	if err != nil {
		return nil, err
	}
	return &DataKey{aead: primitive}, nil
}

// Seal encrypts plain for the place that associatedData names; see Vault.Seal.
func (k *DataKey) Seal(plain, associatedData []byte) ([]byte, error) {
	return k.aead.Encrypt(plain, associatedData)
}

// Open gives back what Seal was given for the same associatedData.
func (k *DataKey) Open(sealed, associatedData []byte) ([]byte, error) {
	return k.aead.Decrypt(sealed, associatedData)
}
