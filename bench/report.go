package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// figures are one measurement. Processor times are per thing done.
type figures struct {
	Rate      float64       `json:"per_second"`
	P50       time.Duration `json:"p50_ns"`
	P99       time.Duration `json:"p99_ns"`
	Server    time.Duration `json:"server_cpu_ns"`
	Postgres  time.Duration `json:"postgres_cpu_ns"`
	Generator time.Duration `json:"generator_cpu_ns"`

	// Of purchases only.
	PayP50  time.Duration `json:"pay_p50_ns,omitempty"` // of the call that completes the cart
	PayP99  time.Duration `json:"pay_p99_ns,omitempty"`
	Commits float64       `json:"commits,omitempty"` // transactions of PostgreSQL for one order
	WAL     float64       `json:"wal_bytes,omitempty"`
	Pending int           `json:"pending,omitempty"` // events in the outbox when the last purchase ended
	Drain   time.Duration `json:"drain_ns,omitempty"`
}

func newFigures(l load, u usage) figures {
	n := time.Duration(max(1, len(l.done)))
	return figures{
		Rate: l.rate(), P50: percentile(l.done, 0.50), P99: percentile(l.done, 0.99),
		PayP50: percentile(l.extra, 0.50), PayP99: percentile(l.extra, 0.99),
		Server: u.server / n, Postgres: u.postgres / n, Generator: u.generator / n,
	}
}

// cpu is the processor time of shopd and PostgreSQL.
func (f figures) cpu() time.Duration { return f.Server + f.Postgres }

// row is what was measured, beside its limit, over the rounds.
type row struct {
	What        string        `json:"what"`
	Connections int           `json:"connections"`
	LimitName   string        `json:"limit_name,omitempty"`
	Goal        float64       `json:"goal_ratio,omitempty"`
	GoalCPU     time.Duration `json:"goal_cpu_ns,omitempty"`
	Rounds      []figures     `json:"rounds"`
	Limits      []figures     `json:"limits,omitempty"`
}

func newRow(what string, connections int, limit string, goal float64) *row {
	return &row{What: what, Connections: connections, LimitName: limit, Goal: goal}
}

func (r *row) add(measured, limit figures) {
	r.Rounds = append(r.Rounds, measured)
	if r.LimitName != "" {
		r.Limits = append(r.Limits, limit)
	}
}

// ratio is the median over the rounds of what was measured to its limit in the same round.
func (r *row) ratio() float64 {
	ratios := make([]float64, len(r.Limits))
	for i := range r.Limits {
		ratios[i] = r.Rounds[i].Rate / r.Limits[i].Rate
	}
	return median(ratios)
}

func median[T cmp.Ordered](values []T) (m T) {
	if len(values) == 0 {
		return m
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}

// medianOf is the median of one figure over the rounds.
func medianOf[T cmp.Ordered](rounds []figures, of func(figures) T) T {
	values := make([]T, len(rounds))
	for i, f := range rounds {
		values[i] = of(f)
	}
	return median(values)
}

// report is everything a run found.
type report struct {
	Machine  string        `json:"machine"`
	Duration time.Duration `json:"duration_ns"`
	Count    int           `json:"rounds"`
	Rows     []*row        `json:"rows"`
	Lags     []lag         `json:"lags,omitempty"`
	Checks   []check       `json:"checks,omitempty"`
}

func newReport(o options, p *place) *report {
	return &report{
		Machine: fmt.Sprintf("%s, %d cores, %s, PostgreSQL %s, search by %s; load average %s at the start",
			processor(), runtime.NumCPU(), runtime.Version(), p.server, o.engine, loadAverage()),
		Duration: o.duration, Count: o.rounds,
	}
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

func (r *report) add(row *row) { r.Rows = append(r.Rows, row) }

// print writes the report. Its error says that a check failed, or that it could not be written.
func (r *report) print(w io.Writer, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return errors.Join(encoder.Encode(r), r.broken())
	}
	return errors.Join(r.printTable(w), r.printPurchases(w), r.printChecks(w), r.broken())
}

func (r *report) broken() error {
	var failures []error
	for _, c := range r.Checks {
		if !c.ok() {
			failures = append(failures, fmt.Errorf("%s: %d, not %d", c.What, c.Got, c.Want))
		}
	}
	return errors.Join(failures...)
}

func (r *report) printTable(w io.Writer) error {
	fmt.Fprintf(w, "\n%s\nmedians of %d rounds of %s; processor time is per request or order, in ms\n\n", r.Machine, r.Count, r.Duration)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "what\tconns\t/s\tP50 ms\tP99 ms\tserver CPU\tPostgreSQL CPU\tgenerator CPU\tratio\tgoal\t")
	for _, row := range r.Rows {
		goal, ratio := "", ""
		if row.LimitName != "" {
			ratio = percent(row.ratio())
		}
		if row.Goal > 0 {
			goal = verdict(row.ratio() >= row.Goal, "≥ "+percent(row.Goal))
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t\n", row.What, row.Connections, cells(row.Rounds), ratio, goal)
		if row.LimitName != "" {
			fmt.Fprintf(t, "  %s\t%d\t%s\t\t\t\n", row.LimitName, row.Connections, cells(row.Limits))
		}
	}
	return t.Flush()
}

func cells(rounds []figures) string {
	ms := func(of func(figures) time.Duration, digits int) string {
		d := medianOf(rounds, of)
		if d == 0 {
			return "–"
		}
		return fmt.Sprintf("%.*f", digits, d.Seconds()*1000)
	}
	return strings.Join([]string{
		fmt.Sprintf("%.0f", medianOf(rounds, func(f figures) float64 { return f.Rate })),
		ms(func(f figures) time.Duration { return f.P50 }, 2), ms(func(f figures) time.Duration { return f.P99 }, 2),
		ms(func(f figures) time.Duration { return f.Server }, 3), ms(func(f figures) time.Duration { return f.Postgres }, 3),
		ms(func(f figures) time.Duration { return f.Generator }, 3),
	}, "\t")
}

func percent(ratio float64) string { return fmt.Sprintf("%.1f %%", 100*ratio) }

func verdict(reached bool, goal string) string {
	if reached {
		return goal + " reached"
	}
	return goal + " NOT REACHED"
}

// printPurchases tells what the table has no column for.
func (r *report) printPurchases(w io.Writer) error {
	for _, row := range r.Rows {
		if row.GoalCPU == 0 {
			continue
		}
		cpu := medianOf(row.Rounds, figures.cpu)
		_, err := fmt.Fprintf(w, `
An order at %d connections
  processor time of shopd and PostgreSQL   %.2f ms, goal %s
  ambition of %s of pgbench's orders     %s
  the call that pays, P50 and P99          %.1f ms, %.1f ms
  transactions, WAL                        %.1f, %.1f kB
  events pending at the last order         %d; all was done %.1f s later
`, row.Connections, cpu.Seconds()*1000, verdict(cpu <= row.GoalCPU, fmt.Sprintf("≤ %.0f ms", row.GoalCPU.Seconds()*1000)),
			percent(ambitionPurchase), verdict(row.ratio() >= ambitionPurchase, percent(row.ratio())),
			1000*medianOf(row.Rounds, func(f figures) time.Duration { return f.PayP50 }).Seconds(),
			1000*medianOf(row.Rounds, func(f figures) time.Duration { return f.PayP99 }).Seconds(),
			medianOf(row.Rounds, func(f figures) float64 { return f.Commits }), medianOf(row.Rounds, func(f figures) float64 { return f.WAL })/1024,
			medianOf(row.Rounds, func(f figures) int { return f.Pending }), medianOf(row.Rounds, func(f figures) time.Duration { return f.Drain }).Seconds())
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *report) printChecks(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(r.Lags) > 0 {
		fmt.Fprintln(t, "\nevents, commit to effect\tevents\tP50 ≤\tP99 ≤\t")
	}
	for _, l := range r.Lags {
		fmt.Fprintf(t, "  %s\t%d\t%s\t%s\t\n", l.Consumer, l.Events, l.P50, l.P99)
	}
	if len(r.Checks) > 0 {
		fmt.Fprintln(t, "\nmust be true\twant\tis\t\t")
	}
	for _, c := range r.Checks {
		state := "ok"
		if !c.ok() {
			state = "WRONG"
		}
		fmt.Fprintf(t, "  %s\t%d\t%d\t%s\t\n", c.What, c.Want, c.Got, state)
	}
	return t.Flush()
}
