package main

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMutationsFitTheTree: every guard that a mutation takes away is still where it is looked for.
func TestMutationsFitTheTree(t *testing.T) {
	t.Parallel()
	for _, m := range mutations {
		path, err := m.overlay("..", t.TempDir())
		require.NoError(t, err, m.name)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var overlay struct{ Replace map[string]string }
		require.NoError(t, json.Unmarshal(text, &overlay))
		require.NotEmpty(t, overlay.Replace, m.name)
		for original, edited := range overlay.Replace {
			before, err := os.ReadFile(original)
			require.NoError(t, err)
			after, err := os.ReadFile(edited)
			require.NoError(t, err)
			require.NotEqual(t, string(before), string(after), m.name)
		}
		require.NotEmpty(t, m.breaks, m.name)
	}
}
