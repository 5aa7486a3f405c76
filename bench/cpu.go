package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// tick is the unit of processor time in /proc, the same on every Linux.
const tick = 10 * time.Millisecond

// proc is what /proc says of a process.
type proc struct {
	pid, parent int
	cpu         time.Duration // in user and kernel
}

func readProc(pid int) (proc, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return proc{}, err
	}
	return parseStat(string(text))
}

// parseStat reads a line of /proc/PID/stat. The command in it may hold anything, so the fields are counted from its end.
func parseStat(line string) (proc, error) {
	head, rest, ok := strings.Cut(line, " (")
	end := strings.LastIndex(rest, ") ")
	if !ok || end < 0 {
		return proc{}, fmt.Errorf("not a line of /proc/PID/stat: %q", line)
	}
	fields := strings.Fields(rest[end+2:])
	const parent, user, system = 1, 11, 12 // of the fields after the command
	if len(fields) <= system {
		return proc{}, fmt.Errorf("too short for a line of /proc/PID/stat: %q", line)
	}
	var numbers [4]int64
	for i, text := range []string{head, fields[parent], fields[user], fields[system]} {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return proc{}, fmt.Errorf("read /proc/PID/stat: %w", err)
		}
		numbers[i] = n
	}
	return proc{pid: int(numbers[0]), parent: int(numbers[1]), cpu: time.Duration(numbers[2]+numbers[3]) * tick}, nil
}

// usage is the processor time of the parts of a measurement.
type usage struct {
	server    time.Duration // shopd, or the bare handler
	postgres  time.Duration // the backends of the run's database and the server's own processes
	generator time.Duration // this process, or pgbench
}

// meter measures usage. PostgreSQL's backends come and go, so it looks again and again.
type meter struct {
	server     int // pid; 0 for none
	postmaster int
	database   string

	first, last map[int]time.Duration // of PostgreSQL's processes
	begin       [2]time.Duration      // of the server and of this process
	stop        context.CancelFunc
	looking     sync.WaitGroup
	failure     error
}

const lookEvery = 200 * time.Millisecond

// measureCPU begins to measure a server's process, PostgreSQL and this process.
func (p *place) measureCPU(ctx context.Context, server int) (*meter, error) {
	var backend int
	if err := p.conn.QueryRow(ctx, "select pg_backend_pid()").Scan(&backend); err != nil {
		return nil, err
	}
	own, err := readProc(backend)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL must run on this machine, its processor time is read from /proc: %w", err)
	}
	m := &meter{server: server, postmaster: own.parent, database: p.name, first: map[int]time.Duration{}, last: map[int]time.Duration{}}
	if err := m.look(true); err != nil {
		return nil, err
	}
	if m.begin, err = m.own(); err != nil {
		return nil, err
	}
	ctx, m.stop = context.WithCancel(context.WithoutCancel(ctx))
	m.looking.Go(func() {
		for pause(ctx, lookEvery) == nil && m.failure == nil {
			m.failure = m.look(false)
		}
	})
	return m, nil
}

func (m *meter) own() (cpu [2]time.Duration, err error) {
	for i, pid := range []int{m.server, os.Getpid()} {
		if pid == 0 {
			continue
		}
		p, err := readProc(pid)
		if err != nil {
			return cpu, err
		}
		cpu[i] = p.cpu
	}
	return cpu, nil
}

// look notes the processor time of PostgreSQL's processes. Those that are there at the start begin at what they had
// used, later ones at nothing.
func (m *meter) look(start bool) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		p, err := readProc(pid)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) || err == nil && p.parent != m.postmaster {
			continue // ended meanwhile, or somebody else's
		}
		if err != nil {
			return err
		}
		title, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err != nil || !ours(string(bytes.TrimRight(title, "\x00 ")), m.database) {
			continue // ended meanwhile, or at work on another database
		}
		if start {
			m.first[pid] = p.cpu
		}
		m.last[pid] = p.cpu
	}
	return nil
}

// ours reports whether a process of PostgreSQL, by its title, works for the database or for all of them.
func ours(title, database string) bool {
	title = strings.TrimPrefix(title, "postgres: ")
	switch title {
	case "checkpointer", "background writer", "walwriter", "autovacuum launcher":
		return true
	}
	for word := range strings.FieldsSeq(title) {
		if word == database {
			return true
		}
	}
	return false
}

// end returns what was used since the beginning.
func (m *meter) end() (usage, error) {
	m.stop()
	m.looking.Wait()
	if m.failure != nil {
		return usage{}, m.failure
	}
	if err := m.look(false); err != nil {
		return usage{}, err
	}
	now, err := m.own()
	if err != nil {
		return usage{}, err
	}
	u := usage{server: now[0] - m.begin[0], generator: now[1] - m.begin[1]}
	for pid, cpu := range m.last {
		u.postgres += cpu - m.first[pid]
	}
	return u, nil
}
