package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// report is everything a run found.
type report struct {
	Seed     uint64        `json:"seed"`
	Duration time.Duration `json:"duration_ns"`
	Took     time.Duration `json:"took_ns"`
	Figures  figures       `json:"figures"`
	began    time.Time
	ended    time.Time
	Rate     float64         `json:"rate"`
	Machine  string          `json:"machine"`
	Schedule []step          `json:"schedule"`
	Windows  []window        `json:"windows"`
	Counts   map[outcome]int `json:"purchases"`
	Tries    int             `json:"tries"` // calls that complete a cart
	Orders   map[string]int  `json:"orders"`
	Requests int             `json:"requests"`
	Shares   []share         `json:"shares"`
	Verdicts []verdict       `json:"verdicts"`
	Holds    bool            `json:"holds"`
	// State is the directory with logs, databases and the buyers' journal; empty when it was removed.
	State string `json:"state,omitempty"`
}

func (r *report) fill(ctx context.Context, s *stand, b *book, j *journal, t *traffic) {
	r.Counts, r.Orders = j.counts(), map[string]int{}
	for _, p := range j.purchases {
		r.Tries += len(p.Tries)
	}
	rows, err := s.db.Query(ctx, `select status, count(*)::int from public_views.v_orders group by status`)
	if err == nil {
		for rows.Next() {
			var status string
			var n int
			if rows.Scan(&status, &n) == nil {
				r.Orders[status] = n
			}
		}
	}
	r.Requests = len(t.all)
	r.Verdicts, r.Holds = b.sorted(), b.holds()
	r.Machine = fmt.Sprintf("%d cores, %s, load average %s at the end", runtime.NumCPU(), runtime.Version(), loadAverage())
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

var errBreach = errors.New("a promise was broken")

// print writes the report. Its error says that a promise was broken, or that it could not be written.
func (r *report) print(w io.Writer, asJSON bool) error {
	var failure error
	if !r.Holds {
		failure = errBreach
	}
	if asJSON {
		return errors.Join(encode(w, r), failure)
	}
	fmt.Fprintf(w, "\nseed %d, %s of faults, %g purchases a second; %s\n\nschedule\n%s", r.Seed, r.Took.Round(time.Second), r.Rate, r.Machine, printSchedule(r.Schedule))
	fmt.Fprintf(w, "\npurchases tried %d: ok %d, refused %d, unknown to the buyer %d; %d more did not get as far as paying\n",
		r.Counts[bought]+r.Counts[refused]+r.Counts[unknown], r.Counts[bought], r.Counts[refused], r.Counts[unknown], r.Counts[untried])
	fmt.Fprintf(w, "%d requests, %d of them to pay; orders:", r.Requests, r.Tries)
	for _, status := range []string{"pending_payment", "paid", "partially_fulfilled", "fulfilled", "completed", "cancelled"} {
		if n := r.Orders[status]; n > 0 {
			fmt.Fprintf(w, " %d %s", n, status)
		}
	}
	fmt.Fprintln(w)
	r.Figures.print(w)
	return errors.Join(r.printShares(w), printVerdicts(w, r.Verdicts, r.Holds, r.State), failure)
}

func encode(w io.Writer, report any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}

func (r *report) printShares(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nwhile it held\ttimes\trequests\tserved\tP50\tP99\tcheckout P99\t")
	for _, s := range r.Shares {
		served := "–"
		if s.Requests > 0 {
			served = fmt.Sprintf("%.1f %%", 100*float64(s.Served)/float64(s.Requests))
		}
		ms := func(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
		fmt.Fprintf(t, "  %s\t%d\t%d\t%s\t%s\t%s\t%s\t\n", s.Kind, s.Windows, s.Requests, served, ms(s.P50), ms(s.P99), ms(s.CheckoutP99))
	}
	return t.Flush()
}

// printVerdicts writes a table, what was looked at, and the evidence of what is broken.
func printVerdicts(w io.Writer, verdicts []verdict, holds bool, stateDir string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\npromise\t\tverdict\t")
	for _, v := range verdicts {
		state := "holds"
		if !v.Holds {
			state = "BROKEN"
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t\n", v.ID, v.Promise, state)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nwhat was looked at")
	for _, v := range verdicts {
		fmt.Fprintf(w, "  %-4s %s\n", v.ID, v.Checked)
	}
	if holds {
		return nil
	}
	fmt.Fprintln(w, "\nevidence")
	for _, v := range verdicts {
		for _, e := range v.Evidence {
			fmt.Fprintf(w, "  %-4s %s\n", v.ID, e)
		}
	}
	_, err := fmt.Fprintf(w, "\nLogs, databases and the buyers' journal are in %s\n", stateDir)
	return err
}
