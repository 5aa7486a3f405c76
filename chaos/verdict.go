package main

import (
	"context"
	"fmt"
	"slices"
)

// verdict is what a run says of one promise.
type verdict struct {
	ID      string `json:"id"`
	Promise string `json:"promise"`
	// Checked says what was looked at, and how much of it.
	Checked  string   `json:"checked"`
	Holds    bool     `json:"holds"`
	Evidence []string `json:"evidence,omitempty"`
	// Silent says that nothing was looked at, so that it neither holds nor not.
	Silent bool `json:"silent,omitempty"`
}

// promises are those of the list that a storm tries, in its words.
var promises = map[string]string{
	"I1":  "at most one net charge per order",
	"I2":  "captured amount and currency are the order's",
	"I3":  "an order is paid if and only if there is one live capture",
	"I4":  "stock is never negative, sold never more than there was",
	"I5":  "no stock leaks: on hand + sold = what came in, nothing reserved for nobody",
	"I6":  "what was acknowledged is there",
	"I7":  "every committed change has its event, and it was heard outside",
	"I8":  "effects happen once, also when messages are repeated",
	"I9":  "the same key has one effect and one answer, byte for byte",
	"I10": "nothing stays half done, without the client",
	"I11": "money is conserved in every row",
	"I12": "coupons are used within their limits, and given back once",
	"I13": "states move along their edges only",
	"I14": "no payment stays unknown",
	"I15": "without Redis, RabbitMQ or Elasticsearch the shop goes on",
	"I16": "without PostgreSQL: 503, Retry-After, a problem, soon; never a 500",
	"I17": "a memory alarm of RabbitMQ stops neither requests nor the end of a process",
	"I18": "a replica that is killed or paused is replaced, and does no harm when it comes back",
	"I19": "who is nobody, or a customer, gets nothing that is not theirs",
	"I20": "who signed out is out on every replica, without Redis too",
	"I21": "no personal data in clear at rest",
	"I22": "erasing a customer takes the key of everything about them, and leaves the money",
	"I23": "a rolling restart loses nothing",
	"I24": "the search comes to agree with the shop",
	"I25": "limits hold across replicas, without Redis too",
	"I26": "backlogs drain, no dead letters",
}

// book collects the verdicts.
type book struct {
	verdicts []verdict
}

// say adds what one check found. Several checks of a promise become one verdict.
func (b *book) say(id, checked string, evidence ...string) {
	i := slices.IndexFunc(b.verdicts, func(v verdict) bool { return v.ID == id })
	if i < 0 {
		b.verdicts = append(b.verdicts, verdict{ID: id, Promise: promises[id], Holds: true})
		i = len(b.verdicts) - 1
	}
	v := &b.verdicts[i]
	if checked != "" {
		if v.Checked != "" {
			v.Checked += "; "
		}
		v.Checked += checked
	}
	v.Evidence = append(v.Evidence, evidence...)
	v.Holds = v.Holds && len(evidence) == 0
}

// query adds what a statement finds: each of its rows is a breach. count is a statement that says how much was looked at.
func (b *book) query(ctx context.Context, s *stand, id, what, count, sql string) error {
	var n int64
	if err := s.db.QueryRow(ctx, count).Scan(&n); err != nil {
		return fmt.Errorf("check %s: %w", id, err)
	}
	found, err := s.texts(ctx, sql)
	if err != nil {
		return fmt.Errorf("check %s: %w", id, err)
	}
	b.say(id, fmt.Sprintf("%d %s", n, what), found...)
	return nil
}

// holds reports whether every verdict does.
func (b *book) holds() bool {
	return !slices.ContainsFunc(b.verdicts, func(v verdict) bool { return !v.Holds })
}

// sorted returns the verdicts by the number of their promise.
func (b *book) sorted() []verdict {
	number := func(v verdict) (n int) {
		_, _ = fmt.Sscanf(v.ID, "I%d", &n) // all of them are so
		return n
	}
	return slices.SortedFunc(slices.Values(b.verdicts), func(x, y verdict) int { return number(x) - number(y) })
}
