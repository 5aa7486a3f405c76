package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// run goes through a whole storm. The report is nil when it did not get as far as checking.
func run(ctx context.Context, o options, say func(string)) (_ *report, err error) {
	s, err := openStand(ctx, o, say)
	if err != nil {
		return nil, err
	}
	r := &report{Seed: o.seed, Duration: o.duration, Rate: o.rate, State: s.dir}
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
	c := newCrowd(o.seed, o.rate, s, j, t)
	st := &storm{stand: s, say: say}
	kinds := only(kindsFor(s), o.only)
	if len(kinds) == 0 {
		return nil, fmt.Errorf("no fault is called %q", o.only)
	}
	steps := arrange(o.seed, o.duration, kinds)
	r.Schedule = steps
	if err := errors.Join(c.register(ctx), c.promoteAll(ctx), s.awaitOpen(ctx, c.shop)); err != nil {
		return nil, err
	}
	w := startWatch(ctx, s)
	defer w.close()

	say(fmt.Sprintf("Seed %d: %d faults in %s, %g purchases begin in a second", o.seed, len(steps), o.duration, o.rate))
	coming, closeDoors := context.WithCancel(ctx)
	c.merchant.open(context.WithoutCancel(ctx), s.goods, o.seed)
	left := make(chan struct{})
	go func() {
		c.come(coming)
		c.merchant.close()
		close(left)
	}()
	began := time.Now()
	err = st.blow(ctx, steps, kinds)
	ended := time.Now()
	r.Took = ended.Sub(began)
	say("All is healed; the last buyers leave")
	closeDoors()
	<-left
	if err := errors.Join(err, ctx.Err()); err != nil {
		return nil, err
	}
	r.began, r.ended = began, ended
	return r, r.check(ctx, o, st, w, c, j, t)
}

// check waits until all is quiet and gives the verdicts.
func (r *report) check(ctx context.Context, o options, st *storm, w *watch, c *crowd, j *journal, t *traffic) error {
	s, b := st.stand, &book{}
	if err := errors.Join(st.bothReady(ctx), c.dropManual(ctx, s)); err != nil {
		return err
	}
	st.say("Waiting until all is quiet")
	left, took, err := s.awaitQuiet(ctx)
	if err != nil {
		return err
	}
	w.close()
	for i := range left {
		left[i] = "two minutes and more after healing: " + left[i]
	}
	b.say("I10", fmt.Sprintf("quiet %s after the last buyer left", took.Round(100*time.Millisecond)), left...)
	b.say("I26", "", left...)
	st.say("Checking")
	w.tell(b)
	for _, check := range []func() error{
		func() error { return s.checkBooks(ctx, b) },
		func() error { return s.checkBank(ctx, b) },
		func() error { return s.checkJournal(ctx, b, j) },
		func() error { return s.checkAudit(ctx, b) },
		func() error { return s.checkMails(ctx, b) },
		func() error { return st.checkTakeOver(ctx, b, w) },
		func() error { return s.checkSearch(ctx, b, c.shop) },
		func() error { return s.burst(ctx, b, c) },
		func() error { return s.repeatRequests(ctx, b, j, c.shop, o.seed) },
		func() error { return s.repeatMessages(ctx, b, o.seed) },
		func() error { return s.checkBooks(ctx, &book{}) },
		func() error { return s.checkDoors(ctx, b, c, j) },
		func() error { return s.checkRevocation(ctx, b, c) },
		func() error { return s.checkErasure(ctx, b, c) },
		func() error { return s.checkAtRest(ctx, b, c.canary) },
		func() (err error) { r.Figures, err = st.measure(ctx, t, r.began, r.ended); return err },
		func() error { return st.drain(ctx, b, &r.Figures) },
		func() error { return st.checkLimits(ctx, b, t) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	st.checkCarts(b, j)
	r.Shares = st.checkWindows(b, t, o.strict)
	r.Windows = st.windows
	r.fill(ctx, s, b, j, t)
	return nil
}

// tell hands over what was seen during the storm.
func (w *watch) tell(b *book) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, what := range map[string]string{"I1": "looks at the payments", "I4": "looks at the stock", "I12": "looks at coupons", "I14": "looks at open payments"} {
		b.say(id, fmt.Sprintf("%d %s meanwhile", w.looks[id], what), w.breaches[id]...)
	}
	b.say("I14", fmt.Sprintf("the longest was unknown for %s", w.longest.Round(100*time.Millisecond)))
}
