package crypto_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/platform/crypto"
)

// key returns a master key made of one letter, in base64.
func key(letter string) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(letter, 32)))
}

func newVault(t *testing.T, keys ...string) *crypto.Vault {
	t.Helper()
	v, err := crypto.NewVault(strings.Join(keys, ","))
	require.NoError(t, err)
	return v
}

func TestNewVaultRefusesBadKeys(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]string{
		"empty":                "",
		"not base64":           "not base64 at all",
		"31 bytes":             base64.StdEncoding.EncodeToString(make([]byte, 31)),
		"second one too short": key("a") + "," + "YWJj",
		"the same twice":       key("a") + "," + key("a"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := crypto.NewVault(keys)
			require.Error(t, err)
			require.NotContains(t, err.Error(), key("a"), "the error must not repeat a key")
		})
	}
}

func TestNewVaultReadsBothAlphabets(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte{0xff, 0xfe}, 16)
	standard := newVault(t, base64.StdEncoding.EncodeToString(secret))
	url := newVault(t, " "+base64.RawURLEncoding.EncodeToString(secret)+" ")
	require.Equal(t, standard.BlindIndex("x"), url.BlindIndex("x"))
}

func TestVaultSealsForOnePlace(t *testing.T) {
	t.Parallel()
	replica1, replica2 := newVault(t, key("a")), newVault(t, key("a"))
	sealed, err := replica1.Seal([]byte("secret"), []byte("customers|email|1"))
	require.NoError(t, err)
	require.NotContains(t, string(sealed), "secret")

	plain, err := replica2.Open(sealed, []byte("customers|email|1"))
	require.NoError(t, err)
	require.Equal(t, "secret", string(plain))

	_, err = replica2.Open(sealed, []byte("customers|email|2"))
	require.Error(t, err, "a value moved to another row must not open")
	_, err = newVault(t, key("b")).Open(sealed, []byte("customers|email|1"))
	require.Error(t, err, "another master key must not open")
}

func TestVaultRotation(t *testing.T) {
	t.Parallel()
	before, during, after := newVault(t, key("a")), newVault(t, key("b"), key("a")), newVault(t, key("b"))
	old, err := before.Seal([]byte("x"), nil)
	require.NoError(t, err)
	require.False(t, during.SealedByPrimary(old))
	_, err = during.Open(old, nil)
	require.NoError(t, err)

	fresh, err := during.Seal([]byte("x"), nil)
	require.NoError(t, err)
	require.True(t, during.SealedByPrimary(fresh))
	_, err = after.Open(fresh, nil)
	require.NoError(t, err)

	indexes := during.BlindIndexes("email:a@b.de")
	require.Equal(t, [][]byte{after.BlindIndex("email:a@b.de"), before.BlindIndex("email:a@b.de")}, indexes)
	require.Equal(t, after.BlindIndex("email:a@b.de"), during.BlindIndex("email:a@b.de"))
}

func TestDataKeyDiesWithItsWrappedForm(t *testing.T) {
	t.Parallel()
	v := newVault(t, key("a"))
	k, wrapped, err := v.NewDataKey("cus_1")
	require.NoError(t, err)
	sealed, err := k.Seal([]byte("Ada"), []byte("customers|name|cus_1"))
	require.NoError(t, err)

	again, err := v.OpenDataKey("cus_1", wrapped)
	require.NoError(t, err)
	plain, err := again.Open(sealed, []byte("customers|name|cus_1"))
	require.NoError(t, err)
	require.Equal(t, "Ada", string(plain))

	_, err = v.OpenDataKey("cus_2", wrapped)
	require.Error(t, err, "a key must not serve another subject")
	other, _, err := v.NewDataKey("cus_1")
	require.NoError(t, err)
	_, err = other.Open(sealed, []byte("customers|name|cus_1"))
	require.Error(t, err, "a new key must not read what the lost one sealed")
}

func TestRewrapDataKey(t *testing.T) {
	t.Parallel()
	k, wrapped, err := newVault(t, key("a")).NewDataKey("cus_1")
	require.NoError(t, err)
	sealed, err := k.Seal([]byte("Ada"), nil)
	require.NoError(t, err)

	rewrapped, err := newVault(t, key("b"), key("a")).RewrapDataKey("cus_1", wrapped)
	require.NoError(t, err)
	same, err := newVault(t, key("b")).OpenDataKey("cus_1", rewrapped)
	require.NoError(t, err)
	plain, err := same.Open(sealed, nil)
	require.NoError(t, err)
	require.Equal(t, "Ada", string(plain))
}

func TestPepperedHasOneLengthAndNoTruncation(t *testing.T) {
	t.Parallel()
	v := newVault(t, key("b"), key("a"))
	short, ok := v.Peppered(v.Pepper(), strings.Repeat("a", 72))
	require.True(t, ok)
	long, ok := v.Peppered(v.Pepper(), strings.Repeat("a", 73))
	require.True(t, ok)
	require.Len(t, short, 44)
	require.Len(t, long, 44)
	require.NotEqual(t, short, long)

	old := newVault(t, key("a"))
	viaOld, ok := v.Peppered(old.Pepper(), "x")
	require.True(t, ok, "a password hashed before the rotation must still be checkable")
	direct, _ := old.Peppered(old.Pepper(), "x")
	require.Equal(t, direct, viaOld)
	_, ok = old.Peppered(v.Pepper(), "x")
	require.False(t, ok)
}

func TestRandomToken(t *testing.T) {
	t.Parallel()
	a, b := crypto.RandomToken(32), crypto.RandomToken(32)
	require.Len(t, a, 43)
	require.NotEqual(t, a, b)
	require.NotEqual(t, crypto.HashToken(a), crypto.HashToken(b))
}
