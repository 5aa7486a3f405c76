package app

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSeed(t *testing.T) {
	t.Parallel()
	b := openTrial(t)
	began := time.Now()
	say := func(text string) { t.Logf("%6s %s", time.Since(began).Round(time.Millisecond), text) }
	require.NoError(t, b.Seed(t.Context(), say))
	say("seeded")
	require.NoError(t, b.AwaitProjections(t.Context()))
	say("projected")
}
