package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"shopd/internal/rig"
)

// kind is a kind of fault.
type kind struct {
	name    string
	targets []string // one of which it happens to; empty where there is but one
	lasts   bool
	costs   time.Duration // about how long healing takes
	// touches names what it happens to: two faults of one step do not touch the same.
	touches []string
	// inject makes it happen and heals it before it returns: hold waits while it lasts.
	inject func(ctx context.Context, s *storm, f fault, hold func() error) error
}

var (
	eitherReplica = []string{"replica-1", "replica-2", "both replicas"}
	oneReplica    = []string{"replica-1", "replica-2"}
)

// ways are targets like "replica-1 to redis" for a network fault.
func ways(services ...string) []string {
	var all []string
	for _, service := range services {
		for _, r := range eitherReplica {
			all = append(all, r+" to "+service)
		}
	}
	return all
}

// kindsFor are all kinds of faults that can happen on the stand.
func kindsFor(s *stand) []kind {
	networked := []string{postgres, redisServer, rabbitMQ, smtpServer, stripeGateway, payPalGateway}
	if s.elastic != "" {
		networked = append(networked, elasticsearch)
	}
	kinds := []kind{
		{name: "kill -9", targets: oneReplica, lasts: true, costs: 2 * time.Second, touches: []string{"replicas"}, inject: killReplica},
		{name: "pause (SIGSTOP, SIGCONT)", targets: oneReplica, lasts: true, touches: []string{"replicas"}, inject: pauseReplica},
		{name: "rolling restart (SIGTERM)", costs: 8 * time.Second, touches: []string{"replicas"}, inject: rollingRestart},
		{name: "redis FLUSHALL", touches: []string{redisServer}, inject: flushRedis},
		{name: "redis killed and empty again", lasts: true, touches: []string{redisServer}, inject: killRedis},
		{name: "redis hangs", lasts: true, touches: []string{redisServer}, inject: hangRedis},
		{name: "redis full", lasts: true, touches: []string{redisServer}, inject: fillRedis},
		{name: "rabbitmq killed", lasts: true, costs: 6 * time.Second, touches: []string{rabbitMQ}, inject: killRabbitMQ},
		{name: "rabbitmq memory alarm, SIGTERM meanwhile", targets: oneReplica, lasts: true, costs: 6 * time.Second, touches: []string{"replicas", rabbitMQ}, inject: alarmRabbitMQ},
		{name: "rabbitmq hangs", lasts: true, touches: []string{rabbitMQ}, inject: hangRabbitMQ},
		{name: "postgresql immediate stop", lasts: true, costs: 2 * time.Second, touches: []string{postgres}, inject: stopPostgres},
		{name: "postgresql backends terminated", touches: []string{postgres}, inject: terminateBackends},
		{name: "network slow", targets: ways(networked...), lasts: true, touches: []string{"network"}, inject: onWires(func(w *wire) error {
			return w.slow(150*time.Millisecond, 100*time.Millisecond)
		})},
		{name: "network reset", targets: ways(networked...), lasts: true, touches: []string{"network"}, inject: onWires((*wire).reset)},
		{name: "network silent", targets: ways(networked...), lasts: true, touches: []string{"network"}, inject: onWires((*wire).silence)},
		{name: "network cut", targets: ways(networked...), lasts: true, touches: []string{"network"}, inject: onWires(func(w *wire) error { w.cut(); return nil })},
		{name: "mail server refuses", lasts: true, touches: []string{smtpServer}, inject: refuseMail},
	}
	kinds = append(kinds, gatewayKinds()...)
	if s.elastic != "" {
		kinds = append(kinds,
			kind{name: "elasticsearch away", targets: []string{"both replicas to " + elasticsearch}, lasts: true, touches: []string{"network"},
				inject: onWires(func(w *wire) error { w.cut(); return nil })},
			kind{name: "elasticsearch hangs", targets: []string{"both replicas to " + elasticsearch}, lasts: true, touches: []string{"network"}, inject: onWires((*wire).silence)},
		)
	}
	return kinds
}

// only keeps the kinds, with those of their targets, that a comma list asks for; all for an empty one.
func only(kinds []kind, list string) []kind {
	if list == "" {
		return kinds
	}
	wanted := func(text string) bool {
		return slices.ContainsFunc(strings.Split(list, ","), func(part string) bool { return strings.Contains(text, strings.TrimSpace(part)) })
	}
	var kept []kind
	for _, k := range kinds {
		if len(k.targets) > 0 && !wanted(k.name) {
			k.targets = slices.DeleteFunc(slices.Clone(k.targets), func(target string) bool { return !wanted(k.name + " " + target) })
			if len(k.targets) == 0 {
				continue
			}
		} else if !wanted(k.name) {
			continue
		}
		kept = append(kept, k)
	}
	return kept
}

// window is when a fault held.
type window struct {
	fault
	From, To time.Time
	Alone    bool // no other fault of the same step
	// Note is what was measured while it held.
	Note string `json:",omitempty"`
}

// storm is the faults of a run.
type storm struct {
	*stand
	say func(string)

	mu      sync.Mutex
	windows []window
	broken  []string // promises that a fault saw broken itself

	// What checkTakeOver found: how long events and unpaid orders lay at most, and how often it was judged.
	relayLay, completerLay time.Duration
	takeOvers              int
}

func (s *storm) breach(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = append(s.broken, fmt.Sprintf(format, args...))
}

// blow goes through the schedule. Its error says that the stand itself failed, not the shop.
func (s *storm) blow(ctx context.Context, steps []step, kinds []kind) error {
	byName := map[string]kind{}
	for _, k := range kinds {
		byName[k.name] = k
	}
	for i, step := range steps {
		if interrupted := rig.Pause(ctx, step.After) != nil; interrupted {
			return nil //nolint:nilerr // the storm is over
		}
		s.say(fmt.Sprintf("%d/%d %s", i+1, len(steps), step))
		results := make(chan error, len(step.Faults))
		for _, f := range step.Faults {
			go func() { results <- s.inject(ctx, byName[f.Kind], f, len(step.Faults) == 1) }()
		}
		var err error
		for range step.Faults {
			err = errors.Join(err, <-results)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
		if err := s.reviveFallen(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// reviveFallen starts replicas again that ended by themselves, which no fault may make them do.
func (s *storm) reviveFallen(ctx context.Context, step step) error {
	for _, r := range s.replicas {
		if !r.Ended() {
			continue
		}
		s.breach("%s ended by itself, during or after %s: %v", r.name, step, r.Err())
		if err := r.start(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	return nil
}

func (s *storm) inject(ctx context.Context, k kind, f fault, alone bool) error {
	w := window{fault: f, Alone: alone}
	// Healing comes also when the run is interrupted.
	healing := context.WithoutCancel(ctx)
	hold := func() error {
		w.From = time.Now()
		_ = rig.Pause(ctx, f.For) // interrupted: heal at once
		w.To = time.Now()
		return nil
	}
	err := k.inject(healing, s, f, hold)
	if w.From.IsZero() {
		w.From = time.Now()
	}
	if w.To.IsZero() {
		w.To = time.Now()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.windows = append(s.windows, w)
	return err
}

func (s *storm) replicaNamed(name string) *replica {
	for _, r := range s.replicas {
		if r.name == name {
			return r
		}
	}
	return nil
}

func killReplica(ctx context.Context, s *storm, f fault, hold func() error) error {
	r := s.replicaNamed(f.Target)
	if err := r.Kill(); err != nil {
		return err
	}
	return errors.Join(hold(), r.start(ctx))
}

func pauseReplica(_ context.Context, s *storm, f fault, hold func() error) error {
	r := s.replicaNamed(f.Target)
	return errors.Join(r.Signal(syscall.SIGSTOP), hold(), r.Signal(syscall.SIGCONT))
}

// rollingRestart ends one replica after the other, as a deployment does, each while the other one is ready.
func rollingRestart(ctx context.Context, s *storm, _ fault, hold func() error) error {
	if err := hold(); err != nil {
		return err
	}
	for _, r := range s.replicas {
		if err := s.bothReady(ctx); err != nil {
			return err
		}
		from := time.Now()
		if err := r.terminate(); err != nil {
			s.breach("%s", err)
		}
		if err := r.start(ctx); err != nil {
			return err
		}
		s.mu.Lock()
		s.windows = append(s.windows, window{fault: fault{Kind: gracefulEnd, Target: r.name}, From: from, To: time.Now(), Alone: true})
		s.mu.Unlock()
	}
	return nil
}

// gracefulEnd is the window of one replica within a rolling restart.
const gracefulEnd = "one replica ends and begins"

// bothReady waits until the balancer sends requests to both replicas.
func (s *storm) bothReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	for _, t := range s.balancer.targets {
		for !t.ready.Load() {
			if err := rig.Pause(ctx, 50*time.Millisecond); err != nil {
				return fmt.Errorf("%s does not become ready: %w", t.name, err)
			}
		}
	}
	return nil
}

func flushRedis(ctx context.Context, s *storm, _ fault, _ func() error) error {
	return s.redis.Client.FlushAll(ctx).Err()
}

func killRedis(ctx context.Context, s *storm, _ fault, hold func() error) error {
	return errors.Join(s.redis.Kill(), hold(), s.redis.Start(ctx))
}

func hangRedis(_ context.Context, s *storm, _ fault, hold func() error) error {
	return errors.Join(s.redis.Signal(syscall.SIGSTOP), hold(), s.redis.Signal(syscall.SIGCONT))
}

// fillRedis lets Redis refuse every write, as one does that has no memory left.
func fillRedis(ctx context.Context, s *storm, _ fault, hold func() error) error {
	client := s.redis.Client
	return errors.Join(client.ConfigSet(ctx, "maxmemory", "1").Err(), hold(), client.ConfigSet(ctx, "maxmemory", "0").Err())
}

func killRabbitMQ(ctx context.Context, s *storm, _ fault, hold func() error) error {
	return errors.Join(s.rabbit.Kill(), hold(), s.rabbit.Start(ctx))
}

func hangRabbitMQ(_ context.Context, s *storm, _ fault, hold func() error) error {
	return errors.Join(s.rabbit.SignalGroup(syscall.SIGSTOP), hold(), s.rabbit.SignalGroup(syscall.SIGCONT))
}

// alarmRabbitMQ lets RabbitMQ take no messages, and ends a replica meanwhile: neither requests nor the end may hang.
func alarmRabbitMQ(ctx context.Context, s *storm, f fault, hold func() error) error {
	if err := s.rabbit.Ctl(ctx, "set_vm_memory_high_watermark", "0.0000001"); err != nil {
		return err
	}
	err := hold()
	r := s.replicaNamed(f.Target)
	if failure := r.terminate(); failure != nil {
		s.breach("under a memory alarm of RabbitMQ, %s", failure)
	}
	return errors.Join(err, s.rabbit.Ctl(ctx, "set_vm_memory_high_watermark", "0.6"), r.start(ctx))
}

func stopPostgres(ctx context.Context, s *storm, _ fault, hold func() error) error {
	return errors.Join(s.postgres.StopImmediately(), hold(), s.postgres.Start(ctx))
}

func terminateBackends(ctx context.Context, s *storm, _ fault, _ func() error) error {
	_, err := s.db.Exec(ctx, `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()`, database)
	return err
}

func refuseMail(_ context.Context, s *storm, _ fault, hold func() error) error {
	s.mailbox.refuse.Store(true)
	err := hold()
	s.mailbox.refuse.Store(false)
	return err
}

// onWires does something to the ways that the fault names.
func onWires(disturb func(*wire) error) func(context.Context, *storm, fault, func() error) error {
	return func(ctx context.Context, s *storm, f fault, hold func() error) error {
		who, service, _ := strings.Cut(f.Target, " to ")
		var failures []error
		var disturbed []*wire
		for _, r := range s.replicas {
			if w := r.wires[service]; w != nil && (r.name == who || who == "both replicas") {
				failures = append(failures, disturb(w))
				disturbed = append(disturbed, w)
			}
		}
		failures = append(failures, hold())
		for _, w := range disturbed {
			failures = append(failures, w.mend(ctx))
		}
		return errors.Join(failures...)
	}
}
