// Package rig runs shopd and the services it needs as processes of its own on loopback, so that they can be measured,
// paused and killed without touching anybody else's.
package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a program that runs beside us, in a group of its own with whatever it starts. Its output goes to a log
// file. It ends with us.
type Process struct {
	Name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Command says what to run.
type Command struct {
	Name string // what it is called in errors
	Path string
	Args []string
	Env  []string
	Dir  string
	// Log is appended to; empty discards the output.
	Log string
	// Unprivileged runs it as nobody when we are root: database servers refuse root.
	Unprivileged bool
}

// spawner starts all processes from one thread that never ends: the kernel kills a child when the thread that began it
// ends, which is how nothing outlives us.
var spawner = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		lockThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// Start begins a process.
func Start(c Command) (*Process, error) {
	// Ended by Signal, Kill or Stop; a context would kill it without its children.
	cmd := exec.Command(c.Path, c.Args...) //nolint:noctx // see above
	cmd.Env, cmd.Dir = c.Env, c.Dir
	cmd.SysProcAttr = attributes(c.Unprivileged && os.Geteuid() == 0)
	var log io.Closer
	if c.Log != "" {
		f, err := os.OpenFile(c.Log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // a log that is looked at by whoever started it
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", c.Name, err)
		}
		cmd.Stdout, cmd.Stderr, log = f, f, f
	}
	started := make(chan error)
	spawner() <- func() { started <- cmd.Start() }
	err := <-started
	if log != nil {
		err = errors.Join(err, log.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	p := &Process{Name: c.Name, cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Pid is the process's id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended reports whether the process has.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Err is how the process ended; it is for after Done.
func (p *Process) Err() error { return p.err }

// Signal goes to the process alone. One that has ended is no error.
func (p *Process) Signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.Name, err)
	}
	return nil
}

// SignalGroup goes to the process and all it has started.
func (p *Process) SignalGroup(s syscall.Signal) error {
	if err := syscall.Kill(-p.Pid(), s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %s: %w", p.Name, err)
	}
	return nil
}

// killPatience bounds the end of a process that was killed.
const killPatience = 10 * time.Second

// Kill ends the process and all it has started, at once, and waits for it.
func (p *Process) Kill() error {
	err := p.SignalGroup(syscall.SIGKILL)
	select {
	case <-p.done:
	case <-time.After(killPatience):
		err = errors.Join(err, fmt.Errorf("%s does not die", p.Name))
	}
	return err
}

// Stop asks the process to end with s, and kills it when it has not within patience.
func (p *Process) Stop(s syscall.Signal, patience time.Duration) error {
	if err := p.Signal(s); err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.SignalGroup(syscall.SIGKILL) // what it left behind
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("%s did not end within %s", p.Name, patience), p.Kill())
	}
}

// Run runs a command to its end; its output is part of the error.
func Run(ctx context.Context, environ []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = environ
	output, err := cmd.CombinedOutput()
	if err != nil {
		return output, fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, output)
	}
	return output, nil
}

// runAs is Run as the user who runs the services.
func runAs(ctx context.Context, environ []string, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Dir, cmd.SysProcAttr = environ, dir, attributes(os.Geteuid() == 0)
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, output)
	}
	return nil
}
