package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"shopd/internal/rig"
)

// mutation is a guard of the shop that is taken away, to see whether a storm notices.
type mutation struct {
	name  string
	edits []edit
	// only are the faults that the guard is there for, as the flag -only takes them.
	only string
	// breaks are the promises of which at least one must be seen broken.
	breaks []string
}

// edit replaces a text that is in a file once.
type edit struct{ file, old, new string }

var mutations = []mutation{
	{"stock is promised without looking whether it is there", []edit{
		{"internal/inventory/store_reserve.go", "when c.whole and c.choice = 1 then c.quantity\n            when c.whole then 0", "when c.choice = 1 then c.quantity\n            when true then 0"},
		{"internal/inventory/store_reserve.go", "1 as resort, greatest(k.available, 0) / $6::bigint as orders", "1 as resort, 1000000::bigint as orders"},
		{"migrations/0010_inventory_locations.sql", "backorder_limit is null or (backorder_limit >= 0 and on_hand - reserved >= -backorder_limit)", "true"},
	}, "redis killed,redis FLUSHALL", []string{"I4"}},
	{"a message is acknowledged before its effect is committed", []edit{
		{"internal/platform/broker/rabbitmq/consumer.go", "	deliveries := make([]broker.Delivery, len(batch))\n",
			"	for _, m := range batch {\n		if err := m.Ack(false); err != nil {\n			return nil, err\n		}\n	}\n	deliveries := make([]broker.Delivery, len(batch))\n"},
		{"internal/platform/broker/rabbitmq/consumer.go", "return again, acknowledge(done, len(again) == 0)", "return again, nil"},
	}, "kill -9", []string{"I5", "I8", "I10", "I24"}},
	{"idempotency keys are forgotten", []edit{
		{"internal/platform/idempotency/idempotency.go", "Request{Principal: principal, Key: key, Fingerprint: sum[:]}", "Request{Principal: principal, Key: key + rand.Text(), Fingerprint: sum[:]}"},
	}, "redis FLUSHALL", []string{"I9"}},
	{"a coupon's limit is not looked at", []edit{
		{"internal/pricing/store_redemption.go", "where use_limit is null or uses < use_limit", "where true"},
		{"migrations/0012_pricing_promotions.sql", "check (uses >= 0 and (use_limit is null or uses <= use_limit))", "check (uses >= 0)"},
	}, "redis FLUSHALL", []string{"I12"}},
	{"a payment without an answer counts as declined", []edit{
		{"internal/payments/service.go", "return Outcome{Status: Unknown, Ref: outcome.Ref}", "return Outcome{Status: Declined, Ref: outcome.Ref}"},
	}, "gateway does it,webhooks are lost", []string{"I1", "I3", "I11"}},
}

// mutationStorm is how long each storm lasts: long enough for a crowd to come.
const mutationStorm = 40 * time.Second

// mutationVerdict is what became of one mutation.
type mutationVerdict struct {
	Name   string   `json:"mutation"`
	Breaks []string `json:"expected"`
	Broken []string `json:"broken"`
	First  string   `json:"evidence,omitempty"`
	Caught bool     `json:"caught"`
}

// mutationReport is what became of all.
type mutationReport struct {
	Seed     uint64            `json:"seed"`
	Verdicts []mutationVerdict `json:"verdicts"`
}

// runMutations breaks one guard at a time, and lets a storm blow over each.
func runMutations(ctx context.Context, o options, say func(string)) (*mutationReport, error) {
	r := &mutationReport{Seed: o.seed}
	for _, m := range mutations {
		if o.only != "" && !slices.ContainsFunc(strings.Split(o.only, ","), func(part string) bool { return strings.Contains(m.name, strings.TrimSpace(part)) }) {
			continue
		}
		say("Breaking: " + m.name)
		v, err := m.try(ctx, o, say)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		say(fmt.Sprintf("Seen broken: %s", strings.Join(v.Broken, " ")))
		r.Verdicts = append(r.Verdicts, v)
	}
	if len(r.Verdicts) == 0 {
		return nil, fmt.Errorf("no mutation is called %q", o.only)
	}
	return r, nil
}

func (m mutation) try(ctx context.Context, o options, say func(string)) (v mutationVerdict, err error) {
	v = mutationVerdict{Name: m.name, Breaks: m.breaks}
	dir, err := os.MkdirTemp(o.state, "shopd-mutation-")
	if err != nil {
		return v, err
	}
	defer func() { err = joinRemoved(err, dir) }()
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // servers of another user pass through
		return v, err
	}
	overlay, err := m.overlay(o.source, dir)
	if err != nil {
		return v, err
	}
	binary := filepath.Join(dir, "shopd")
	if err := rig.Build(ctx, o.source, binary, "-overlay", overlay); err != nil {
		return v, err
	}
	o.mode, o.shopd, o.only, o.duration, o.state, o.keep, o.patience = modeStorm, binary, m.only, max(o.duration, mutationStorm), dir, false, mutationPatience
	report, err := run(ctx, o, say)
	if err != nil {
		return v, err
	}
	for _, verdict := range report.Verdicts {
		if verdict.Holds {
			continue
		}
		v.Broken = append(v.Broken, verdict.ID)
		if slices.Contains(m.breaks, verdict.ID) && !v.Caught {
			v.Caught, v.First = true, verdict.ID+" "+verdict.Evidence[0]
		}
	}
	return v, nil
}

// mutationPatience is how long a shop with a broken guard may take to become quiet: it often never does.
const mutationPatience = 75 * time.Second

func joinRemoved(err error, dir string) error {
	if failure := os.RemoveAll(dir); err == nil {
		return failure
	}
	return err
}

// overlay writes the edited files into dir, with the file that lets go build take them in place of the tree's. The tree
// stays as it is, and only what is changed is compiled anew.
func (m mutation) overlay(tree, dir string) (string, error) {
	tree, err := filepath.Abs(tree)
	if err != nil {
		return "", err
	}
	texts := map[string]string{}
	for _, e := range m.edits {
		if _, known := texts[e.file]; !known {
			text, err := os.ReadFile(filepath.Join(tree, e.file))
			if err != nil {
				return "", err
			}
			texts[e.file] = string(text)
		}
		if n := strings.Count(texts[e.file], e.old); n != 1 {
			return "", fmt.Errorf("%s has the guard %q %d times: bring the mutation up to date", e.file, e.old, n)
		}
		texts[e.file] = strings.Replace(texts[e.file], e.old, e.new, 1)
	}
	replace := map[string]string{}
	for file, text := range texts {
		path := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(tree, file)] = path
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, text, 0o600)
}

func (r *mutationReport) print(w io.Writer, asJSON bool) error {
	missed := 0
	for _, v := range r.Verdicts {
		if !v.Caught {
			missed++
		}
	}
	var failure error
	if missed > 0 {
		failure = fmt.Errorf("%d of %d broken guards were not noticed", missed, len(r.Verdicts))
	}
	if asJSON {
		if err := encode(w, r); err != nil {
			return err
		}
		return failure
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nseed %d\nguard that was broken\tnoticed\tpromises seen broken\t\n", r.Seed)
	for _, v := range r.Verdicts {
		noticed := "yes"
		if !v.Caught {
			noticed = "NO, expected one of " + strings.Join(v.Breaks, " ")
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t\n", v.Name, noticed, strings.Join(v.Broken, " "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, v := range r.Verdicts {
		if v.Caught {
			fmt.Fprintf(w, "  %s: %s\n", v.Name, v.First)
		}
	}
	return failure
}
