package main

import (
	"context"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	//go:embed tables.sql
	limitTables string
	//go:embed order.sql
	limitOrder []byte
)

// limit is pgbench with the least SQL of an order, on the run's database.
type limit struct {
	place  *place
	script string
}

func (p *place) openLimit(ctx context.Context) (*limit, error) {
	if _, err := p.conn.Exec(ctx, limitTables); err != nil {
		return nil, fmt.Errorf("make pgbench's tables: %w", err)
	}
	dir, err := os.MkdirTemp("", "shopd-bench-pgbench-")
	if err != nil {
		return nil, err
	}
	p.later(func(context.Context) error { return os.RemoveAll(dir) })
	l := &limit{place: p, script: filepath.Join(dir, "order.sql")}
	return l, os.WriteFile(l.script, limitOrder, 0o600)
}

// run lets connections place orders for d.
func (l *limit) run(ctx context.Context, connections int, d time.Duration) (figures, error) {
	if err := l.place.checkpoint(ctx); err != nil {
		return figures{}, err
	}
	m, err := l.place.measureCPU(ctx, 0)
	if err != nil {
		return figures{}, err
	}
	logs := filepath.Join(filepath.Dir(l.script), "transactions")
	cmd := exec.CommandContext(ctx, "pgbench", "-n", "-M", "prepared", "-c", strconv.Itoa(connections), "-j", "2",
		"-T", strconv.Itoa(max(1, int(d.Seconds()))), "-f", l.script, "-l", "--log-prefix", logs, l.place.database)
	output, err := cmd.CombinedOutput()
	u, cpuErr := m.end()
	if err != nil {
		return figures{}, fmt.Errorf("pgbench: %w\n%s", err, output)
	}
	if cpuErr != nil {
		return figures{}, cpuErr
	}
	done, err := takeLogs(logs)
	if err != nil {
		return figures{}, err
	}
	rate, err := pgbenchRate(string(output))
	if err != nil {
		return figures{}, err
	}
	// Its own connections are part of what pgbench uses; only its transactions are timed.
	u.generator = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	s := newFigures(load{done: done, took: d}, u)
	s.Rate = rate
	return s, nil
}

// pgbenchRate reads the transactions per second.
func pgbenchRate(output string) (float64, error) {
	for line := range strings.SplitSeq(output, "\n") {
		if rest, ok := strings.CutPrefix(line, "tps = "); ok {
			number, _, _ := strings.Cut(rest, " ")
			return strconv.ParseFloat(number, 64)
		}
	}
	return 0, fmt.Errorf("pgbench told no rate:\n%s", output)
}

// takeLogs reads the duration of every transaction, sorted, and removes the logs.
func takeLogs(prefix string) ([]time.Duration, error) {
	files, err := filepath.Glob(prefix + "*")
	if err != nil {
		return nil, err
	}
	var all []time.Duration
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) < 3 {
				return nil, fmt.Errorf("not a line of pgbench's log: %q", line)
			}
			µs, err := strconv.ParseInt(fields[2], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("not a line of pgbench's log: %q", line)
			}
			all = append(all, time.Duration(µs)*time.Microsecond)
		}
		if err := os.Remove(name); err != nil {
			return nil, err
		}
	}
	slices.Sort(all)
	return all, nil
}

const (
	redisKey = "shopd:bench:value"
	// redisValue is about the size of a product page.
	redisValue = 8 << 10
	// redisRate is roughly what a machine does, to turn a duration into a number of requests.
	redisRate = 40_000
)

// redis measures GET by redis-benchmark, for comparison.
func (b *bench) redis(ctx context.Context) error {
	if err := b.place.redis.Set(ctx, redisKey, strings.Repeat("v", redisValue), time.Hour).Err(); err != nil {
		return err
	}
	u, err := url.Parse(b.place.redisURL)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		return err
	}
	for _, connections := range b.connections {
		requests := max(1000, int(b.duration.Seconds()*redisRate))
		output, err := exec.CommandContext(ctx, "redis-benchmark", "-h", host, "-p", port, "--dbnum", strings.TrimPrefix(u.Path, "/"),
			"-c", strconv.Itoa(connections), "-n", strconv.Itoa(requests), "--csv", "GET", redisKey).Output()
		if err != nil {
			return fmt.Errorf("redis-benchmark: %w", err)
		}
		s, err := redisFigures(string(output))
		if err != nil {
			return err
		}
		row := newRow("redis-benchmark GET 8 kB", connections, "", 0)
		row.add(s, figures{})
		b.report.add(row)
	}
	return nil
}

// redisFigures reads the CSV of redis-benchmark: a head and one line, latencies in milliseconds.
func redisFigures(output string) (figures, error) {
	records, err := csv.NewReader(strings.NewReader(output)).ReadAll()
	if err != nil || len(records) != 2 {
		return figures{}, errors.Join(fmt.Errorf("redis-benchmark printed %q", output), err)
	}
	values := map[string]float64{}
	for i, name := range records[0][1:] {
		if values[name], err = strconv.ParseFloat(records[1][i+1], 64); err != nil {
			return figures{}, fmt.Errorf("redis-benchmark printed %q", output)
		}
	}
	ms := func(name string) time.Duration { return time.Duration(values[name] * float64(time.Millisecond)) }
	return figures{Rate: values["rps"], P50: ms("p50_latency_ms"), P99: ms("p99_latency_ms")}, nil
}
