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

// NewKeyring returns the keyring of the users schema. Pool must have the role of users.
func NewKeyring(pool *pgxpool.Pool, vault *crypto.Vault, now func() time.Time) (*Keyring, error) {
	cache, err := lru.New[string, cachedKey](cachedKeys)
	if err != nil {
		return nil, err
	}
	return &Keyring{pool: pool, vault: vault, now: now, cache: cache}, nil
}

// Seal encrypts plain for subject, making their key when they have none. Name the place in associatedData
// ("orders|address|ord_…"): the result opens for no other.
func (k *Keyring) Seal(ctx context.Context, subject string, plain, associatedData []byte) ([]byte, error) {
	key, err := k.key(ctx, k.pool, subject)
	if errors.Is(err, ErrErased) {
		key, err = k.create(ctx, k.pool, subject)
	}
	if err != nil {
		return nil, err
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

// Forget deletes the key of subject: what was sealed with it cannot be read any more, backups included.
func (k *Keyring) Forget(ctx context.Context, subject string) error {
	return k.forget(ctx, k.pool, subject)
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
	if cached, ok := k.cache.Get(subject); ok && k.now().Before(cached.until) {
		return cached.key, nil
	}
	wrapped, err := selectDataKey(ctx, q, subject)
	if err != nil {
		return nil, err
	}
	key, err := k.vault.OpenDataKey(subject, wrapped)
	if err != nil {
		return nil, err
	}
	k.cache.Add(subject, cachedKey{key: key, until: k.now().Add(keyLife)})
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
