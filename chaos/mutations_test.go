package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMutationsFitTheTree: every guard that a mutation takes away is still where it is looked for.
func TestMutationsFitTheTree(t *testing.T) {
	t.Parallel()
	for _, m := range mutations {
		dir := t.TempDir()
		for _, e := range m.edits {
			path := filepath.Join(dir, e.file)
			if _, err := os.Stat(path); err != nil {
				text, err := os.ReadFile(filepath.Join("..", e.file))
				require.NoError(t, err)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, text, 0o600))
			}
			require.NoError(t, e.apply(dir), m.name)
		}
		require.NotEmpty(t, m.breaks, m.name)
	}
}
