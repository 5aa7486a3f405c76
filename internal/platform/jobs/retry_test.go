package jobs

import (
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"
)

func TestRetriesAreEagerAtFirst(t *testing.T) {
	t.Parallel()
	pause := func(failures int) time.Duration {
		return time.Until((&retryPolicy{}).NextRetry(&rivertype.JobRow{Attempt: failures + 1, Errors: make([]rivertype.AttemptError, failures)}))
	}
	require.Less(t, pause(0), 10*time.Second)
	for failures := range eagerTries {
		require.LessOrEqual(t, pause(failures), eagerPause)
	}
	require.Greater(t, pause(eagerTries), time.Hour)
}
