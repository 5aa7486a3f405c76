// Package lifecycle starts the parts of a process in order and stops them in reverse, within a limit, when a signal or
// a failed part says so.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// Limits of a stop.
type Limits struct {
	// DrainDelay is how long the process is unready and still serves, so that load balancers turn away first.
	DrainDelay time.Duration
	// DrainTimeout is how long work underway may take afterwards.
	DrainTimeout time.Duration
}

// Group is the parts of a process. Add them before Run.
type Group struct {
	log    *slog.Logger
	limits Limits
	parts  []part
	ready  atomic.Bool
	failed chan error
	kill   func() // ends the process at the second signal
}

type part struct {
	name  string
	start func(ctx context.Context) error
	drain func() // nil when there is nothing to do at the beginning of a stop
	stop  func(ctx context.Context) error
}

// NewGroup returns a group without parts.
func NewGroup(log *slog.Logger, limits Limits) *Group {
	return &Group{log: log, limits: limits, failed: make(chan error, 16), kill: func() { os.Exit(exitKilled) }}
}

// exitKilled is the status of a process that was told twice to end.
const exitKilled = 130

// Add appends a part. Start returns when what comes after may rely on the part; stop returns when the part has ended,
// and cuts it off when its ctx ends. Either may be nil.
func (g *Group) Add(name string, start, stop func(ctx context.Context) error) {
	g.parts = append(g.parts, part{name: name, start: start, stop: stop})
}

// Go appends a part that runs until its ctx ends. When it returns an error before, the whole group stops.
func (g *Group) Go(name string, run func(ctx context.Context) error) {
	done := make(chan struct{})
	running, cancel := context.WithCancel(context.Background())
	g.Add(name, func(context.Context) error {
		go func() {
			defer close(done)
			if err := run(running); err != nil && running.Err() == nil {
				g.fail(fmt.Errorf("%s ended: %w", name, err))
			}
		}()
		return nil
	}, func(ctx context.Context) error {
		cancel()
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// Serve appends an HTTP server on a listener that is open already. At a stop it asks its clients to connect elsewhere,
// finishes the requests it has, and cuts them off at the limit.
func (g *Group) Serve(name string, server *http.Server, listener net.Listener) {
	started := false
	var draining atomic.Bool
	server.Handler = leaving(server.Handler, &draining)
	g.parts = append(g.parts, part{
		name: name,
		start: func(context.Context) error {
			started = true
			go func() {
				if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
					g.fail(fmt.Errorf("%s ended: %w", name, err))
				}
			}()
			return nil
		},
		drain: func() { draining.Store(true) },
		stop: func(ctx context.Context) error {
			if !started {
				return listener.Close()
			}
			if err := server.Shutdown(ctx); err != nil {
				return errors.Join(err, server.Close())
			}
			return nil
		},
	})
}

// leaving asks clients to connect elsewhere with the answer to their next request. Idle connections stay open until then:
// closing them at once would cut off a request that is just on its way on one of them.
func leaving(handler http.Handler, draining *atomic.Bool) http.Handler {
	if handler == nil {
		handler = http.DefaultServeMux
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if draining.Load() {
			w.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(w, r)
	})
}

func (g *Group) fail(err error) {
	select {
	case g.failed <- err:
	default: // the first failures are enough to stop
	}
}

// Ready reports whether the process wants requests: true between the start of the last part and the beginning of a
// stop.
func (g *Group) Ready() bool { return g.ready.Load() }

// Run starts the parts and returns when all have ended: after ctx has, after SIGINT, SIGTERM or SIGHUP, or after a part
// has failed, which is the error then. A second signal ends the process at once. Started is called when all parts
// run; it may be nil.
func (g *Group) Run(ctx context.Context, started func()) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, wanted()...)
	defer signal.Stop(signals)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	finished := make(chan struct{})
	defer close(finished)
	go g.heed(signals, cancel, finished)

	begun, err := g.start(ctx)
	if err == nil {
		g.ready.Store(true)
		if started != nil {
			started()
		}
		select {
		case <-ctx.Done():
		case err = <-g.failed:
			g.log.ErrorContext(ctx, "stopping because a part failed", "error", err)
		}
	}
	return errors.Join(err, g.stop(begun, err == nil)) //nolint:contextcheck // ctx has ended; the stop has limits of its own
}

// wanted are the signals that stop us. SIGHUP comes when a terminal closes, unless nohup has ignored it.
func wanted() []os.Signal {
	all := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// heed stops at the first signal and kills at the second.
func (g *Group) heed(signals <-chan os.Signal, cancel func(), finished <-chan struct{}) {
	for received := 0; ; received++ {
		select {
		case <-finished:
			return
		case s := <-signals:
			if received > 0 {
				g.log.Warn("ending at once", "signal", s.String())
				g.kill()
				return
			}
			g.log.Info("stopping; once more to end at once", "signal", s.String())
			cancel()
		}
	}
}

// start starts the parts in order and returns those that need a stop: also the one that failed, which may have begun.
func (g *Group) start(ctx context.Context) ([]part, error) {
	for i, p := range g.parts {
		if err := ctx.Err(); err != nil {
			return g.parts[:i], nil //nolint:nilerr // told to stop while starting: that is no failure
		}
		if p.start == nil {
			continue
		}
		begun := time.Now()
		if err := p.start(ctx); err != nil {
			if ctx.Err() != nil {
				return g.parts[:i+1], nil //nolint:nilerr // the same
			}
			return g.parts[:i+1], fmt.Errorf("start %s: %w", p.name, err)
		}
		g.log.DebugContext(ctx, "started", "part", p.name, "took", time.Since(begun))
	}
	return g.parts, nil
}

func (g *Group) stop(begun []part, orderly bool) error {
	wasReady := g.ready.Swap(false)
	for _, p := range begun {
		if p.drain != nil {
			p.drain()
		}
	}
	if wasReady && orderly {
		time.Sleep(g.limits.DrainDelay)
	}
	ctx, cancel := context.WithTimeout(context.Background(), g.limits.DrainTimeout)
	defer cancel()
	var all error
	for i := len(begun) - 1; i >= 0; i-- {
		p := begun[i]
		if p.stop == nil {
			continue
		}
		at := time.Now()
		if err := p.stop(ctx); err != nil {
			all = errors.Join(all, fmt.Errorf("stop %s: %w", p.name, err))
		}
		g.log.DebugContext(ctx, "stopped", "part", p.name, "took", time.Since(at))
	}
	return all
}
