package id_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/platform/id"
)

func TestIdsSortByTheTimeTheyWereMade(t *testing.T) {
	t.Parallel()
	var ids []string
	for range 20 {
		ids = append(ids, id.New("ord"))
		time.Sleep(time.Millisecond) // the resolution of a version 7 UUID
	}
	require.True(t, slices.IsSorted(ids))
	require.Len(t, slices.Compact(slices.Clone(ids)), len(ids))
}

func TestValidKnowsPrefixAndForm(t *testing.T) {
	t.Parallel()
	made := id.New("cart")
	require.True(t, id.Valid("cart", made))
	for _, wrong := range []string{"", "cart_", "cart", made + "0", made[:len(made)-1], "ord" + made[4:], "cart_../../../../etc/passwd0000", "cart_" + "ILOU567890123456789012345"} {
		require.False(t, id.Valid("cart", wrong), wrong)
	}
}

func TestDerivedIdIsTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	first := id.Derive("cat", "women")
	require.Equal(t, first, id.Derive("cat", "women"))
	require.NotEqual(t, id.Derive("cat", "women"), id.Derive("cat", "men"))
	require.True(t, id.Valid("cat", id.Derive("cat", "women")))
}
