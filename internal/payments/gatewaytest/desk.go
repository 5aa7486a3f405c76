package gatewaytest

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Call is a request to a gateway, as the script and the log of calls know it.
type Call struct {
	Operation string    `json:"operation"`
	OrderID   string    `json:"order_id,omitempty"`
	PaymentID string    `json:"payment_id,omitempty"`
	Key       string    `json:"key,omitempty"` // idempotency key
	Method    string    `json:"method"`
	Path      string    `json:"path"`
	Rule      string    `json:"rule,omitempty"` // what the script made of it
	Replayed  bool      `json:"replayed,omitempty"`
	Status    int       `json:"status,omitempty"` // 0 while there is no answer, and when there never is
	At        time.Time `json:"at"`

	// Scope separates keys that do not know each other, where a gateway keeps them by endpoint.
	Scope string `json:"-"`
	// Fingerprint of what was asked: the same key with another one is refused. Empty is not compared.
	Fingerprint string `json:"-"`
}

// Reply is an answer.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
	// Keep stores the answer under the key. What is refused before anything was tried is not kept.
	Keep bool
	// Again gives the answer to the same key later; nil repeats this one.
	Again func() Reply
}

// Trouble is what a gateway says in its own words when a call fails for a reason of the script or of its key.
type Trouble interface {
	ServerError(status int) Reply
	RateLimited() Reply
	KeyInUse() Reply
	KeyReused() Reply
}

// Desk is where all calls to a gateway arrive: it looks at their key, asks the script, and writes them down.
type Desk struct {
	Script  *Script
	trouble Trouble
	now     func() time.Time

	mu    sync.Mutex
	keys  map[string]*keyed
	calls []Call
	done  chan struct{}
}

// keyed is what is known of an idempotency key.
type keyed struct {
	fingerprint string
	running     bool
	reply       Reply
	at          time.Time
}

const (
	keysLive  = 24 * time.Hour
	callsKept = 200_000
	hangTime  = time.Minute
)

// NewDesk returns a desk that answers trouble in the gateway's own words.
func NewDesk(script *Script, trouble Trouble, now func() time.Time) *Desk {
	return &Desk{Script: script, trouble: trouble, now: now, keys: map[string]*keyed{}, done: make(chan struct{})}
}

// Close lets go of all calls that hang.
func (d *Desk) Close() { close(d.done) }

// Reset forgets keys and calls.
func (d *Desk) Reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keys, d.calls = map[string]*keyed{}, nil
}

// Calls are those that arrived, the oldest first.
func (d *Desk) Calls() []Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Call{}, d.calls...)
}

// Serve answers a call. effect does what it asks for; rule is nil, or one that answers in its own way (Succeed, Decline,
// NeedsAction).
func (d *Desk) Serve(w http.ResponseWriter, r *http.Request, c Call, effect func(rule *Rule) Reply) {
	c.Method, c.Path, c.At = r.Method, r.URL.Path, d.now()
	id := c.Scope + "\x00" + c.Key
	if c.Key != "" {
		if stored, ok := d.claim(id, c); ok {
			c.Replayed = true
			d.answer(w, c, stored)
			return
		}
	}
	rule := d.Script.take(c)
	reply, keep, answer := d.act(&c, rule, effect)
	if c.Key != "" {
		d.settle(id, reply, keep)
	}
	if answer {
		d.answer(w, c, reply)
		return
	}
	d.note(c)
	if rule.Do == Hang {
		d.hang(r.Context(), time.Duration(rule.Delay))
	}
	reset(w)
}

// act does what the rule leaves of a call. It returns the answer, whether it is kept under the key, and whether it is
// given at all.
func (d *Desk) act(c *Call, rule *Rule, effect func(*Rule) Reply) (reply Reply, keep, answer bool) {
	if rule == nil {
		reply = effect(nil)
		return reply, reply.Keep, true
	}
	c.Rule = rule.Do
	switch rule.Do {
	case Error:
		return d.trouble.ServerError(rule.Status), false, true
	case RateLimit:
		return d.trouble.RateLimited(), false, true
	case Slow:
		d.hang(context.Background(), time.Duration(rule.Delay))
		reply = effect(nil)
		return reply, reply.Keep, true
	case Hang, Reset:
		if rule.does() {
			reply = effect(nil)
		}
		return reply, reply.Keep, false
	case ErrorStored:
		if rule.does() {
			effect(nil)
		}
		return d.trouble.ServerError(rule.Status), true, true
	}
	reply = effect(rule)
	return reply, reply.Keep, true
}

// claim takes a key for a call, or returns what is answered to it instead.
func (d *Desk) claim(id string, c Call) (Reply, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k, ok := d.keys[id]
	if ok && d.now().Sub(k.at) > keysLive {
		ok = false
	}
	switch {
	case !ok:
		d.keys[id] = &keyed{fingerprint: c.Fingerprint, running: true, at: d.now()}
		return Reply{}, false
	case k.fingerprint != c.Fingerprint:
		return d.trouble.KeyReused(), true
	case k.running:
		return d.trouble.KeyInUse(), true
	}
	if k.reply.Again != nil {
		return k.reply.Again(), true
	}
	reply := k.reply
	reply.Header = reply.Header.Clone()
	if reply.Header == nil {
		reply.Header = http.Header{}
	}
	reply.Header.Set("Idempotent-Replayed", "true")
	return reply, true
}

func (d *Desk) settle(id string, reply Reply, keep bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !keep {
		delete(d.keys, id)
		return
	}
	if k := d.keys[id]; k != nil {
		k.running, k.reply = false, reply
	}
}

func (d *Desk) note(c Call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.calls) >= callsKept {
		d.calls = append([]Call{}, d.calls[callsKept/2:]...)
	}
	d.calls = append(d.calls, c)
}

func (d *Desk) answer(w http.ResponseWriter, c Call, reply Reply) {
	c.Status = reply.Status
	d.note(c)
	for name, values := range reply.Header {
		w.Header()[name] = values
	}
	if len(reply.Body) > 0 {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(reply.Status)
	if _, err := bytes.NewReader(reply.Body).WriteTo(w); err != nil {
		slog.Debug("gateway double: the caller hung up", "error", err)
	}
}

// hang waits; the end of ctx and of the desk end it.
func (d *Desk) hang(ctx context.Context, limit time.Duration) {
	if limit <= 0 {
		limit = hangTime
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-d.done:
	}
}

// reset ends the connection so that the caller sees it reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the server ends the connection without an answer
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it ends either way
	}
	_ = conn.Close()
}
