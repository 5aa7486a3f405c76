package jobs

import (
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// A service that was away for a moment is asked again soon: the first eagerTries pause for at most eagerPause. What
// fails more often than that waits as long as River's own policy has it, the fourth power of the tries in seconds.
const (
	eagerTries = 10
	eagerPause = time.Minute
)

// retryPolicy is when a job that failed is tried again.
type retryPolicy struct{ river.DefaultClientRetryPolicy }

// NextRetry implements river.ClientRetryPolicy.
func (p *retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	next := p.DefaultClientRetryPolicy.NextRetry(job)
	if soon := time.Now().Add(eagerPause); len(job.Errors) < eagerTries && next.After(soon) {
		return soon
	}
	return next
}
