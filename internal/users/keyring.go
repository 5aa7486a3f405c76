package users

import (
	"context"
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5/pgxpool"

	"shopd/internal/platform/crypto"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/postgres"
)

// ErrErased says that the key to somebody's data is gone, and with it the data.
var ErrErased = errs.New(errs.NotFound, "erased", "This personal data has been erased.")

const (
	// cachedKeys and keyLife bound the unwrapped keys in memory; another replica may still use the key of
	// somebody who was erased for keyLife, if it has anything left to open with it.
	cachedKeys = 10_000
	keyLife    = time.Minute
)

// Keyring holds one data key for each person: a customer, a member of staff, or a guest by the id of their order.
// Other domains seal what they know of a person through it, so that erasing the key erases all of it.
type Keyring struct {
	pool  *pgxpool.Pool
	vault *crypto.Vault
	now   func() time.Time
	cache *lru.Cache[string, cachedKey]
}

type cachedKey struct {
	key   *crypto.DataKey
	until time.Time
}

// NewKeyring returns the keyring of the users schema. Pool must have the role of users; its commits may be relaxed,
// because whatever was sealed with a key is written after it and so lost before it.
func NewKeyring(pool *pgxpool.Pool, vault *crypto.Vault, now func() time.Time) (*Keyring, error) {
	cache, err := lru.New[string, cachedKey](cachedKeys)
	if err != nil {
		return nil, err
	}
	return &Keyring{pool: pool, vault: vault, now: now, cache: cache}, nil
}

// Sealed is what Seal gave for a subject and a place.
type Sealed struct {
	Subject        string
	Bytes          []byte
	AssociatedData []byte
}

// Seal encrypts plain for subject, making their key when they have none. Name the place in associatedData
// ("orders|address|ord_…"): the result opens for no other.
func (k *Keyring) Seal(ctx context.Context, subject string, plain, associatedData []byte) ([]byte, error) {
	key, ok := k.remembered(subject)
	if !ok {
		var err error
		if key, err = k.keyOrNew(ctx, subject); err != nil {
			return nil, err
		}
		k.remember(subject, key)
	}
	return key.Seal(plain, associatedData)
}

// Open gives back what Seal was given. It returns ErrErased when the key of subject is gone.
func (k *Keyring) Open(ctx context.Context, subject string, sealed, associatedData []byte) ([]byte, error) {
	key, err := k.key(ctx, k.pool, subject)
	if err != nil {
		return nil, err
	}
	return key.Open(sealed, associatedData)
}

// OpenAll opens many, with one statement for all keys that are not in memory. What belongs to somebody whose key is gone
// comes back as nil.
func (k *Keyring) OpenAll(ctx context.Context, list []Sealed) ([][]byte, error) {
	keys := make(map[string]*crypto.DataKey, len(list))
	var missing []string
	for _, s := range list {
		if _, known := keys[s.Subject]; known {
			continue
		}
		key, ok := k.remembered(s.Subject)
		if !ok {
			missing = append(missing, s.Subject)
		}
		keys[s.Subject] = key
	}
	if len(missing) > 0 {
		found, err := selectWrapped(ctx, k.pool, missing)
		if err != nil {
			return nil, fmt.Errorf("read data keys: %w", err)
		}
		for _, w := range found {
			key, err := k.vault.OpenDataKey(w.Subject, w.Wrapped)
			if err != nil {
				return nil, err
			}
			keys[w.Subject] = key
			k.remember(w.Subject, key)
		}
	}
	opened := make([][]byte, len(list))
	for i, s := range list {
		key := keys[s.Subject]
		if key == nil {
			continue
		}
		plain, err := key.Open(s.Bytes, s.AssociatedData)
		if err != nil {
			return nil, fmt.Errorf("open what is sealed for %s: %w", s.Subject, err)
		}
		opened[i] = plain
	}
	return opened, nil
}

func (k *Keyring) remembered(subject string) (*crypto.DataKey, bool) {
	cached, ok := k.cache.Get(subject)
	if !ok || !k.now().Before(cached.until) {
		return nil, false
	}
	return cached.key, true
}

func (k *Keyring) remember(subject string, key *crypto.DataKey) {
	k.cache.Add(subject, cachedKey{key: key, until: k.now().Add(keyLife)})
}

// keyOrNew returns the key of subject, made in the same statement when there is none.
func (k *Keyring) keyOrNew(ctx context.Context, subject string) (*crypto.DataKey, error) {
	fresh, wrapped, err := k.vault.NewDataKey(subject)
	if err != nil {
		return nil, err
	}
	for {
		stored, made, err := ensureDataKey(ctx, k.pool, subject, wrapped)
		switch {
		case errors.Is(err, ErrErased):
			continue // somebody else made it at the same moment: now it can be seen
		case err != nil:
			return nil, fmt.Errorf("make the data key of %s: %w", subject, err)
		case made:
			return fresh, nil
		}
		return k.vault.OpenDataKey(subject, stored)
	}
}

// Forget deletes the keys of subjects: what was sealed with them cannot be read any more.
func (k *Keyring) Forget(ctx context.Context, subjects ...string) error {
	for _, subject := range subjects {
		k.cache.Remove(subject)
	}
	if err := deleteDataKeys(ctx, k.pool, subjects); err != nil {
		return fmt.Errorf("delete %d data keys: %w", len(subjects), err)
	}
	return nil
}

func (k *Keyring) forget(ctx context.Context, q postgres.Querier, subject string) error {
	k.cache.Remove(subject)
	if err := deleteDataKey(ctx, q, subject); err != nil {
		return fmt.Errorf("delete the data key of %s: %w", subject, err)
	}
	return nil
}

// key returns the key of subject, or ErrErased.
func (k *Keyring) key(ctx context.Context, q postgres.Querier, subject string) (*crypto.DataKey, error) {
	if key, ok := k.remembered(subject); ok {
		return key, nil
	}
	wrapped, err := selectDataKey(ctx, q, subject)
	if err != nil {
		return nil, err
	}
	key, err := k.vault.OpenDataKey(subject, wrapped)
	if err != nil {
		return nil, err
	}
	k.remember(subject, key)
	return key, nil
}

// create makes the key of subject, or returns the one that is there. It is not cached: q may be a transaction
// that is rolled back, and what is sealed with a key nobody stored is lost.
func (k *Keyring) create(ctx context.Context, q postgres.Querier, subject string) (*crypto.DataKey, error) {
	key, wrapped, err := k.vault.NewDataKey(subject)
	if err != nil {
		return nil, err
	}
	inserted, err := insertDataKey(ctx, q, subject, wrapped)
	if err != nil {
		return nil, err
	}
	if !inserted {
		return k.key(ctx, q, subject)
	}
	return key, nil
}

// sealText seals a text column of the row id; an empty text stays null.
func sealText(key *crypto.DataKey, place, id, text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	sealed, err := key.Seal([]byte(text), []byte(place+"|"+id))
	if err != nil {
		return nil, fmt.Errorf("seal %s of %s: %w", place, id, err)
	}
	return sealed, nil
}

func openText(key *crypto.DataKey, place, id string, sealed []byte) (string, error) {
	if sealed == nil {
		return "", nil
	}
	text, err := key.Open(sealed, []byte(place+"|"+id))
	if err != nil {
		return "", fmt.Errorf("open %s of %s: %w", place, id, err)
	}
	return string(text), nil
}
