// Package crash kills the process at a named point of its work, so that a test can look at what is left behind and who
// ends it. Nothing is armed unless SHOPD_CRASH_AT says so, which production refuses.
package crash

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Points are all the names, in the order in which a purchase passes them.
var Points = []string{
	"key.claimed",   // a keyed request holds its key and has done nothing yet
	"key.done",      // its work is done and the answer not kept
	"key.kept",      // the answer is kept and not sent
	"outbox.taken",  // the relay has claimed events and published none
	"outbox.sent",   // the broker has confirmed them, and they are not marked
	"event.handled", // a consumer's effect is committed and the message not acknowledged
	"mail.sent",     // the mail server has taken a letter, and the job does not know
}

// armed is the point to die at; nil, as nearly always, for none.
var armed atomic.Pointer[point]

type point struct {
	name string
	left atomic.Int64
}

// Arm makes the process die at a point: "key.claimed", or "key.claimed:3" for the third time it comes there. Empty disarms.
func Arm(spec string) error {
	if spec == "" {
		armed.Store(nil)
		return nil
	}
	name, count, counted := strings.Cut(spec, ":")
	p := &point{name: name}
	p.left.Store(1)
	if counted {
		n, err := strconv.ParseInt(count, 10, 64)
		if err != nil || n < 1 {
			return fmt.Errorf("crash point %q: %q is no number of times", spec, count)
		}
		p.left.Store(n)
	}
	if !slices.Contains(Points, name) {
		return fmt.Errorf("crash point %q is none of %s", spec, strings.Join(Points, ", "))
	}
	armed.Store(p)
	return nil
}

// At is the point: the process does not come back from it when it is armed.
func At(name string) {
	if p := armed.Load(); p != nil && p.name == name && p.left.Add(-1) == 0 {
		die()
	}
}

// die ends the process as the kernel would: nothing deferred, nothing flushed.
var die = func() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // it cannot fail
	select {}
}
