package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"shopd/internal/platform/crash"
	"shopd/internal/rig"
)

const (
	// halfStatePatience is the promise: nothing is half done two minutes after the last crash.
	halfStatePatience = 2 * time.Minute
	// consequencesFor is how long the consequences of a purchase are waited for, on a busy machine.
	consequencesFor = 20 * time.Second
	// idleFor is how long the process is watched when nothing happens: more than the pauses of what it does every so often.
	idleFor = 8 * time.Second
	// mostWrites bounds how many writes a purchase may have.
	mostWrites = 120
)

// flow is a way that a purchase goes.
type flow struct {
	name string
	plan plan
}

var flows = []flow{
	{"paid at once", plan{method: "test_ok"}},
	{"declined, then paid", plan{method: "test_declined", second: "test_ok"}},
	{"confirmed at the bank", plan{method: "test_requires_action", action: "approve"}},
	{"no answer from the gateway", plan{method: "test_timeout"}},
	{"paid and cancelled", plan{method: "test_ok", cancels: true}},
}

// crashCase is one place where the process dies.
type crashCase struct {
	Flow  string `json:"flow"`
	Point string `json:"point,omitempty"` // by name
	Write int    `json:"write,omitempty"` // or at this write
	After bool   `json:"after,omitempty"` // which was done
	// At is the statement; Died says whether the process came there.
	At   string `json:"at,omitempty"`
	Died bool   `json:"died"`
}

func (c crashCase) String() string {
	switch {
	case c.Point != "":
		return c.Flow + ": at " + c.Point
	case c.After:
		return fmt.Sprintf("%s: after write %d", c.Flow, c.Write)
	default:
		return fmt.Sprintf("%s: before write %d", c.Flow, c.Write)
	}
}

// sweep lets one process die at every place of every flow, one purchase for each, without any client that comes again.
type sweep struct {
	*stand
	say     func(string)
	crowd   *crowd
	cutter  *cutter
	replica *replica
	next    uint64
}

// crashReport is what a sweep found.
type crashReport struct {
	Seed     uint64         `json:"seed"`
	Writes   map[string]int `json:"writes"` // of each flow
	Cases    []crashCase    `json:"cases"`
	Left     int            `json:"left_out"`
	Verdicts []verdict      `json:"verdicts"`
	Holds    bool           `json:"holds"`
	State    string         `json:"state,omitempty"`
}

// lonely are settings under which nobody but the process itself, when it is back, ends what a crash has left, and not
// before all crashes are done.
var lonely = []string{"SHOPD_COMPLETER_INTERVAL=1h", "SHOPD_RECONCILE_INTERVAL=1h"}

func runCrash(ctx context.Context, o options, say func(string)) (_ *crashReport, err error) {
	o.replicas = 1
	s, err := openStand(ctx, o, say)
	if err != nil {
		return nil, err
	}
	r := &crashReport{Seed: o.seed, State: s.dir, Writes: map[string]int{}}
	defer func() {
		err = errors.Join(err, s.close())
		if err == nil && r.Holds && !o.keep {
			r.State, err = "", os.RemoveAll(s.dir)
		}
	}()
	j, err := newJournal(s.dir)
	if err != nil {
		return nil, err
	}
	t := &traffic{}
	w := &sweep{stand: s, say: say, crowd: newCrowd(o.seed, 1, s, j, t), cutter: s.cutter, replica: s.replicas[0], next: 1}
	if err := s.awaitOpen(ctx, w.crowd.shop); err != nil {
		return nil, err
	}
	if err := errors.Join(w.restart(ctx, lonely...), w.cutter.learn(ctx, idleFor)); err != nil {
		return nil, err
	}
	cases, err := w.count(ctx, r)
	if err != nil {
		return nil, err
	}
	rand.New(rand.NewPCG(o.seed, 0xc4a54)).Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
	end := time.Now().Add(o.duration)
	for i, c := range cases {
		if o.duration > 0 && time.Now().After(end) {
			r.Left = len(cases) - i
			break
		}
		if err := w.crash(ctx, &c); err != nil {
			return nil, fmt.Errorf("%s: %w", c, err)
		}
		say(fmt.Sprintf("%d/%d %s: %s", i+1, len(cases), c, c.At))
		r.Cases = append(r.Cases, c)
	}
	return r, w.judge(ctx, r, o, j)
}

// restart begins the process anew with further settings.
func (w *sweep) restart(ctx context.Context, settings ...string) error {
	if !w.replica.Ended() {
		if err := w.replica.Kill(); err != nil {
			return err
		}
	}
	if err := w.expireLease(ctx); err != nil {
		return err
	}
	return w.replica.start(ctx, settings...)
}

// buyer is the next one, who never comes again.
func (w *sweep) buyer(f flow) *buyer {
	p := f.plan
	p.temper, p.account, p.lines = single, -1, []line{{"STEADY-01", 1}, {"STEADY-02", 2}}
	n := w.next
	w.next++
	return &buyer{plan: p, n: n, shop: w.crowd.shop, journal: w.crowd.journal, crowd: w.crowd, rng: rand.New(rand.NewPCG(n, 1)), p: &purchase{
		N: int(n), At: time.Now(), Kind: f.name, Wants: map[string]int{}, Account: p.account,
	}}
}

// count lets each flow go through undisturbed, and makes the list of the places where it can be cut.
func (w *sweep) count(ctx context.Context, r *crashReport) (cases []crashCase, err error) {
	for _, f := range flows {
		b := w.buyer(f)
		if !b.fill(ctx) {
			return nil, fmt.Errorf("%s: the cart cannot be filled", f.name)
		}
		w.cutter.arm(0, false, nil)
		b.p.Outcome = b.pay(ctx, f.plan.method, f.plan.second)
		w.crowd.journal.close(b.p)
		if err := w.settled(ctx); err != nil {
			return nil, err
		}
		writes := w.cutter.disarm()
		r.Writes[f.name] = writes
		if writes == 0 || writes > mostWrites {
			return nil, fmt.Errorf("%s: %d writes were counted", f.name, writes)
		}
		for n := range writes {
			cases = append(cases, crashCase{Flow: f.name, Write: n + 1}, crashCase{Flow: f.name, Write: n + 1, After: true})
		}
		for _, point := range crash.Points {
			cases = append(cases, crashCase{Flow: f.name, Point: point})
		}
	}
	return cases, nil
}

// settledSQL counts what the events of a purchase still have to do. What only the completer ends is not among it.
const settledSQL = `
select
    (select count(*) from platform.outbox where published_at is null) + (select count(*) from platform.event_retries) +
    (select count(*) from jobs.river_job where kind = 'mail.send' and state in ('available', 'running', 'retryable')) +
    (select count(*) from inventory.reservations as r join orders.orders as o on o.id = r.order_id where r.state = 'held' and o.status <> 'pending_payment')`

// settled waits until the events of the last purchase have done their work, or a while.
func (w *sweep) settled(ctx context.Context) error {
	quiet := 0
	for end := time.Now().Add(consequencesFor); quiet < 3 && time.Now().Before(end); {
		var left int
		if err := w.db.QueryRow(ctx, settledSQL).Scan(&left); err != nil {
			return fmt.Errorf("look at what waits: %w", err)
		}
		if quiet++; left > 0 {
			quiet = 0
		}
		if err := rig.Pause(ctx, 150*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// crash lets a purchase go its way until the process dies, and starts it again.
func (w *sweep) crash(ctx context.Context, c *crashCase) error {
	f := flows[slices.IndexFunc(flows, func(f flow) bool { return f.name == c.Flow })]
	if c.Point != "" {
		return w.crashAtPoint(ctx, f, c)
	}
	b := w.buyer(f)
	if !b.fill(ctx) {
		return errors.New("the cart cannot be filled")
	}
	if err := w.settled(ctx); err != nil {
		return err
	}
	var failure error
	fired := w.cutter.arm(c.Write, c.After, func() { failure = w.replica.Kill() })
	b.p.Outcome = b.pay(ctx, f.plan.method, f.plan.second)
	w.crowd.journal.close(b.p)
	select {
	case <-fired:
		c.Died, c.At = true, w.cutter.where()
	case <-time.After(w.patience()):
	case <-ctx.Done():
		return ctx.Err()
	}
	w.cutter.disarm()
	if failure != nil || !c.Died {
		return failure
	}
	return errors.Join(w.expireLease(ctx), w.replica.start(ctx, lonely...))
}

// expireLease takes the relay's lease from the process that has just died, as time would.
func (w *sweep) expireLease(ctx context.Context) error {
	if _, err := w.db.Exec(ctx, `update platform.relay_lease set expires_at = now()`); err != nil {
		return fmt.Errorf("end the lease of a relay that is dead: %w", err)
	}
	return nil
}

// patience is how long a crash is waited for after the purchase: it may come with an event. Numbers are of another
// purchase, so the last ones need not come at all.
func (w *sweep) patience() time.Duration { return 5 * time.Second }

func (w *sweep) crashAtPoint(ctx context.Context, f flow, c *crashCase) error {
	b := w.buyer(f)
	if !b.fill(ctx) {
		return errors.New("the cart cannot be filled")
	}
	if err := w.settled(ctx); err != nil {
		return err
	}
	if err := w.restart(ctx, append([]string{"SHOPD_CRASH_AT=" + c.Point}, lonely...)...); err != nil {
		return err
	}
	b.p.Outcome = b.pay(ctx, f.plan.method, f.plan.second)
	w.crowd.journal.close(b.p)
	select {
	case <-w.replica.Done():
		c.Died, c.At = true, "named point"
	case <-time.After(w.patience()):
	case <-ctx.Done():
		return ctx.Err()
	}
	return w.restart(ctx, lonely...)
}

// judge lets the process run as it does in a shop, waits for two minutes at most, and checks.
func (w *sweep) judge(ctx context.Context, r *crashReport, o options, j *journal) error {
	w.say("All crashes are done; the process goes on as usual")
	if err := w.restart(ctx); err != nil {
		return err
	}
	b, s := &book{}, w.stand
	left, took, err := s.awaitQuiet(ctx)
	if err != nil {
		return err
	}
	if took > halfStatePatience && len(left) == 0 {
		left = append(left, fmt.Sprintf("the last half state ended after %s", took))
	}
	b.say("I10", fmt.Sprintf("quiet %s after the last crash", took.Round(100*time.Millisecond)), left...)
	for _, check := range []func() error{
		func() error { return s.checkBooks(ctx, b) },
		func() error { return s.checkBank(ctx, b) },
		func() error { return s.checkJournal(ctx, b, j) },
		func() error { return s.checkAudit(ctx, b) },
		func() error { return s.checkMails(ctx, b) },
		func() error { return s.repeatRequests(ctx, b, j, w.crowd.shop, o.seed) },
		func() error { return s.repeatMessages(ctx, b, o.seed) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	if len(j.forgotten) > 0 { // PostgreSQL has not crashed
		for _, f := range j.forgotten {
			b.say("I9", "", f.text)
		}
	}
	died := slices.ContainsFunc(r.Cases, func(c crashCase) bool { return c.Died })
	if !died {
		return errors.New("the process never died: nothing was tried")
	}
	r.Verdicts, r.Holds = b.sorted(), b.holds()
	return nil
}

func (r *crashReport) print(w io.Writer, asJSON bool) error {
	var failure error
	if !r.Holds {
		failure = errBreach
	}
	if asJSON {
		return errors.Join(encode(w, r), failure)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nseed %d\nflow\twrites\tdied at a write\tat a named point\tdid not come there\t\n", r.Seed)
	for _, f := range flows {
		writes, points, never := 0, 0, 0
		for _, c := range r.Cases {
			switch {
			case c.Flow != f.name:
			case !c.Died:
				never++
			case c.Point != "":
				points++
			default:
				writes++
			}
		}
		fmt.Fprintf(t, "  %s\t%d\t%d\t%d\t%d\t\n", f.name, r.Writes[f.name], writes, points, never)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if r.Left > 0 {
		fmt.Fprintf(w, "%d more places were left out for want of time\n", r.Left)
	}
	places := map[string]int{}
	for _, c := range r.Cases {
		if c.Died && c.Point == "" {
			places[c.At]++
		}
	}
	names := make([]string, 0, len(places))
	for name := range places {
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Fprintf(w, "\nstatements that were cut: %s\n", strings.Join(names, " · "))
	return errors.Join(printVerdicts(w, r.Verdicts, r.Holds, r.State), failure)
}
