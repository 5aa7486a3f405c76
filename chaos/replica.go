package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"shopd/internal/rig"
)

const (
	// readyPatience bounds the start of a replica, also while the machine is busy.
	readyPatience = 2 * time.Minute
	// drainDelay and drainTimeout are settings of the replicas; stopPatience is more than the two together.
	drainDelay   = time.Second
	drainTimeout = 15 * time.Second
	stopPatience = drainDelay + drainTimeout + 10*time.Second
)

// replica is one of the shopd processes, with wires of its own to every service.
type replica struct {
	name        string
	binary      string
	public, ops string // host:port
	environ     []string
	log         string
	wires       map[string]*wire // by service
	*rig.Process
}

// start begins the process and waits until it is ready. One that ends before is begun again, as a supervisor would: it
// may have come while the database was away. Further settings hold for this life only.
func (r *replica) start(ctx context.Context, settings ...string) error {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	for {
		if err := r.launch(settings...); err != nil {
			return err
		}
		err := rig.AwaitReady(ctx, r.Process, "http://"+r.ops)
		if err == nil || !r.Ended() || rig.Pause(ctx, time.Second) != nil {
			return err
		}
	}
}

// launch begins the process without waiting for it.
func (r *replica) launch(settings ...string) (err error) {
	r.Process, err = rig.Start(rig.Command{
		Name: r.name, Path: r.binary, Args: []string{"serve"}, Env: append(append([]string{}, r.environ...), settings...), Log: r.log,
	})
	return err
}

// terminate asks the process to end, as a deployment does, and reports one that does not in time. What it hangs on is in
// its log then.
func (r *replica) terminate() error {
	if err := r.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-r.Done():
	case <-time.After(stopPatience):
		err := errors.Join(fmt.Errorf("%s did not end within %s of SIGTERM", r.name, stopPatience), r.Signal(syscall.SIGQUIT))
		return errors.Join(err, r.Stop(syscall.SIGQUIT, 5*time.Second))
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("%s ended badly after SIGTERM: %w", r.name, err)
	}
	return nil
}

func (r *replica) close() error {
	if r.Process == nil || r.Ended() {
		return nil
	}
	return errors.Join(r.Signal(syscall.SIGCONT), r.terminate())
}

// tool runs a shopd command that works beside the replicas, directly on the services.
func (s *stand) tool(ctx context.Context, args ...string) (string, error) {
	out, err := rig.Run(ctx, s.environ(s.directly(), "SHOPD_LOG_LEVEL=error", "SHOPD_DATA_DIR="+filepath.Join(s.dir, "tool")), s.binary, args...)
	return string(out), err
}
