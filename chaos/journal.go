package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// journal is what the buyers and the merchant know: it is held against what the shop's books say.
type journal struct {
	mu        sync.Mutex
	file      *os.File
	failure   error
	purchases []*purchase
	answers   map[string]keptAnswer // by principal and key
	breaches  []string              // answers to one key that differ
	restocked map[string]int64      // pieces whose adjustment was acknowledged, by SKU
	forgotten []forgotten
	replays   int
}

// keptAnswer is the first answer to a key that must be repeated from then on.
type keptAnswer struct {
	Status int
	Sum    string
	Body   string // to see a difference
	again  repeat
	at     time.Time
}

// repeat is how the same request is sent once more.
type repeat struct {
	method, path string
	body         any
	header       []string
}

func newJournal(dir string) (*journal, error) {
	f, err := os.Create(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		return nil, err
	}
	return &journal{file: f, answers: map[string]keptAnswer{}, restocked: map[string]int64{}}, nil
}

// outcome is what a buyer believes of a purchase.
type outcome string

const (
	bought  outcome = "ok"      // paid, by an answer of the shop
	refused outcome = "refused" // told that it did not come about
	unknown outcome = "unknown" // never told
	untried outcome = "untried" // did not get as far as paying
)

// purchase is what one buyer did and was told.
type purchase struct {
	N       int            `json:"n"`
	At      time.Time      `json:"at"`
	Kind    string         `json:"kind"`
	Account int            `json:"account"` // -1 for a guest
	Cart    string         `json:"cart,omitempty"`
	Wants   map[string]int `json:"wants"`
	Seen    int64          `json:"seen,omitempty"` // total of the cart before paying
	Tries   []try          `json:"tries,omitempty"`
	Orders  []string       `json:"orders,omitempty"` // ids told in 2xx answers
	Then    []string       `json:"then,omitempty"`   // what happened after paying
	Outcome outcome        `json:"outcome"`
}

// try is one call that completes the cart.
type try struct {
	Key    string `json:"key"`
	Method string `json:"method"`
	Answer string `json:"answer"`
	MS     int64  `json:"ms"`
	// At is when it was sent, in milliseconds after the purchase began.
	At int64 `json:"at"`
}

// close writes the purchase down.
func (j *journal) close(p *purchase) {
	line, err := json.Marshal(p)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.purchases = append(j.purchases, p)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err != nil && j.failure == nil {
		j.failure = err
	}
}

// answered holds an answer to a keyed request against the first one. Only answers that the shop promises to keep count:
// not those that ask to come again, and not complaints about input.
func (j *journal) answered(principal, key string, r repeat, a answer) {
	if a.lost() || a.err != nil || a.status == 422 || a.status == 429 || a.header.Get("Retry-After") != "" {
		return
	}
	sum := sha256.Sum256(a.body)
	got := keptAnswer{Status: a.status, Sum: hex.EncodeToString(sum[:8]), Body: string(a.body), again: r, at: time.Now()}
	j.mu.Lock()
	defer j.mu.Unlock()
	if a.header.Get(replayed) != "" {
		j.replays++
	}
	name := principal + " " + key
	first, there := j.answers[name]
	if !there {
		j.answers[name] = got
		return
	}
	if first.Status == got.Status && first.Sum == got.Sum {
		return
	}
	text := fmt.Sprintf("key %s of %s: first %d %s, then %d %s", key, principal, first.Status, difference(first.Body, got.Body),
		got.Status, difference(got.Body, first.Body))
	if strings.HasSuffix(r.path, "/complete") {
		j.breaches = append(j.breaches, text)
	} else {
		j.forgotten = append(j.forgotten, forgotten{first.at.Add(-relaxedFor), first.at.Add(relaxedFor), text})
	}
}

// relaxedFor is how long after an answer a crash of PostgreSQL may still take a cart's change back, with its key.
const relaxedFor = 2 * time.Second

// difference is a around the first place where it differs from b.
func difference(a, b string) string {
	const before, after = 40, 120
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return "…" + a[max(0, i-before):min(len(a), i+after)] + "…"
}

// restock notes an adjustment of the merchant's that was acknowledged.
func (j *journal) restock(sku string, pieces int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.restocked[sku] += pieces
}

// counts are the purchases by outcome.
func (j *journal) counts() map[outcome]int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := map[outcome]int{}
	for _, p := range j.purchases {
		n[p.Outcome]++
	}
	return n
}

// breach notes what a buyer saw that must not be.
func (j *journal) breach(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.breaches = append(j.breaches, fmt.Sprintf(format, args...))
}

// forgotten is a cart that lost what was put in.
type forgotten struct {
	from, to time.Time
	text     string
}

func (j *journal) forgot(since time.Time, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forgotten = append(j.forgotten, forgotten{since, time.Now(), text})
}
