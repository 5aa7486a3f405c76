package app

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write generated files again")

func TestTheDocumentOfTheAPIIsFresh(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, Program{Stdout: &out}.OpenAPI())
	golden(t, "openapi.yaml", out.Bytes())
}

// golden compares what was generated with the file of that name in docs, or writes it.
func golden(t *testing.T, name string, generated []byte) {
	t.Helper()
	path := filepath.Join("..", "..", "docs", name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, generated, 0o644))
		return
	}
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(kept), string(generated), "run go test ./internal/app -run %s -update and review the difference", t.Name())
}
