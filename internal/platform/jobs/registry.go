package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"
)

// defaultTimeout bounds one try of a job.
const defaultTimeout = time.Minute

// Registry says which work is done for which kind of job. It is filled before New and not changed afterwards.
type Registry struct {
	workers  *river.Workers
	periodic []*river.PeriodicJob
	ticks    map[string]tick
}

type tick struct {
	interval time.Duration
	work     func(context.Context) error
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	r := &Registry{workers: river.NewWorkers(), ticks: map[string]tick{}}
	river.AddWorker(r.workers, &tickWorker{registry: r})
	return r
}

// Handle does work for jobs of A's kind. It may be called again for a job whose end was not recorded, so work must be
// safe to repeat. An error tries again later, within a minute at first, then with pauses that grow to hours. It panics when the kind has
// work already.
func Handle[A Args](r *Registry, work func(ctx context.Context, args A) error) {
	HandleFor(r, defaultTimeout, work)
}

// HandleFor is Handle for work that may take as long as timeout.
func HandleFor[A Args](r *Registry, timeout time.Duration, work func(ctx context.Context, args A) error) {
	river.AddWorker(r.workers, &worker[A]{timeout: timeout, work: work})
}

type worker[A Args] struct {
	river.WorkerDefaults[A]
	timeout time.Duration
	work    func(ctx context.Context, args A) error
}

// Work runs one try.
func (w *worker[A]) Work(ctx context.Context, job *river.Job[A]) error { return w.work(ctx, job.Args) }

// Timeout bounds one try.
func (w *worker[A]) Timeout(*river.Job[A]) time.Duration { return w.timeout }

// Every does work at an interval, on one replica at a time as a rule; two may overlap when a replica hangs, so the work
// must stand that. A run that could not begin within two intervals is left out: the next does what it would have done.
// An error is logged and counted, and the next run is the next try.
func (r *Registry) Every(interval time.Duration, name string, work func(ctx context.Context) error) {
	r.ticks[name] = tick{interval: interval, work: work}
	r.periodic = append(r.periodic, river.NewPeriodicJob(
		river.PeriodicInterval(interval),
		func() (river.JobArgs, *river.InsertOpts) {
			return tickArgs{Name: name}, &river.InsertOpts{MaxAttempts: 1}
		},
		&river.PeriodicJobOpts{ID: name, RunOnStart: true},
	))
}

// tickArgs is one run of periodic work.
type tickArgs struct {
	Name string `json:"name"`
}

// Kind names runs of periodic work.
func (tickArgs) Kind() string { return "jobs.tick" }

type tickWorker struct {
	river.WorkerDefaults[tickArgs]
	registry *Registry
}

// Work does what was registered under the name. A replica of an older version may meet a name it does not know, which
// is not its business.
func (w *tickWorker) Work(ctx context.Context, job *river.Job[tickArgs]) error {
	t, ok := w.registry.ticks[job.Args.Name]
	if !ok || time.Since(job.ScheduledAt) > 2*t.interval+time.Second {
		return nil
	}
	return t.work(ctx)
}

// Timeout bounds one run.
func (w *tickWorker) Timeout(*river.Job[tickArgs]) time.Duration { return defaultTimeout }
