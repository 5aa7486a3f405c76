package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"shopd/internal/platform/jobs"
	"shopd/internal/platform/migrate"
)

// Role is a part of the work that a process takes on.
type Role string

// The roles. Every process of a deployment may have all of them, or some.
const (
	Web       Role = "web"       // answers HTTP
	Worker    Role = "worker"    // handles events and jobs
	RelayRole Role = "relay"     // brings events from the outbox to the broker
	Scheduler Role = "scheduler" // does what is due every so often
)

// AllRoles is what a process does when nobody says otherwise.
func AllRoles() []Role { return []Role{Web, Worker, RelayRole, Scheduler} }

// ParseRoles reads a comma list of roles.
func ParseRoles(list string) ([]Role, error) {
	var roles []Role
	for name := range strings.SplitSeq(list, ",") {
		r := Role(strings.TrimSpace(name))
		switch r {
		case Web, Worker, RelayRole, Scheduler:
			roles = append(roles, r)
		default:
			return nil, fmt.Errorf("there is no role %q: use web, worker, relay and scheduler", string(r))
		}
	}
	return roles, nil
}

// work runs the roles that are not HTTP until ctx ends, and returns when the last of their work is done.
func (s *Shop) work(ctx context.Context, roles []Role) error {
	has := map[Role]bool{}
	for _, r := range roles {
		has[r] = true
	}
	if err := s.awaitSchema(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	if has[Web] {
		group.Go(func() error { return s.Recs.FollowModels(ctx) })
	}
	if has[Worker] {
		group.Go(func() error { return s.broker.Run(ctx) })
		group.Go(func() error { return s.Catalog.Index(ctx) })
		group.Go(func() error { return s.guardIndex(ctx) })
	}
	if has[RelayRole] {
		group.Go(func() error { return s.relay.Run(ctx) })
	}
	if has[Worker] || has[Scheduler] {
		group.Go(func() error { return s.runJobs(ctx) })
	}
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// schemaPause is how often a process that came before its migrations looks for them.
const schemaPause = time.Second

// awaitSchema waits until the database can be reached and has all migrations: a replica that starts first is not
// ready until then, and not broken.
func (s *Shop) awaitSchema(ctx context.Context) error {
	for warned := false; ; {
		pending, err := migrate.Pending(ctx, s.pools.catalog)
		if err == nil && pending == 0 {
			return nil
		}
		if !warned {
			s.log.WarnContext(ctx, "waiting for the database schema: run shopd migrate up", "pending", pending, "error", err)
			warned = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(schemaPause):
		}
	}
}

// jobWorkers are mostly letters, which wait for a mail server; as many are fetched at once.
const jobWorkers = 64

func (s *Shop) runJobs(ctx context.Context) error {
	client, err := jobs.New(jobs.Config{
		Pool: s.pools.jobs, Registry: s.registry, Log: s.log, Metrics: s.metrics(), Tracer: s.telemetry.Tracer("jobs"),
		PollInterval: s.Config.Timers.JobPoll, Workers: jobWorkers,
	})
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Config.Timers.Drain)
	defer cancel()
	return client.Stop(stop)
}

// indexGuardPause is how often the search index is looked at for having been lost.
const indexGuardPause = 10 * time.Second

// guardIndex builds the search index anew when it was lost.
func (s *Shop) guardIndex(ctx context.Context) error {
	for {
		if err := s.Catalog.EnsureIndexed(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "search index not checked", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(indexGuardPause):
		}
	}
}
