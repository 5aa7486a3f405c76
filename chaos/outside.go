package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/rig"
)

// checkJournal holds what buyers and merchant were told against the books.
func (s *stand) checkJournal(ctx context.Context, b *book, j *journal) error {
	type row struct {
		ID    string
		Paid  bool
		Total int64
	}
	rows, err := s.db.Query(ctx, `select order_id, paid_at is not null, total from public_views.v_orders`)
	if err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	orders := make(map[string]row, len(list))
	for _, o := range list {
		orders[o.ID] = o
	}
	told, paid := 0, 0
	var missing []string
	for _, p := range j.purchases {
		anyPaid := false
		for _, id := range p.Orders {
			told++
			o, there := orders[id]
			anyPaid = anyPaid || o.Paid
			if !there {
				missing = append(missing, fmt.Sprintf("order %s was acknowledged to buyer %d and is not there", id, p.N))
			}
		}
		if p.Outcome == bought {
			paid++
			if !anyPaid && len(p.Orders) > 0 {
				missing = append(missing, fmt.Sprintf("buyer %d was told that order %v is paid, and it never was", p.N, p.Orders))
			}
		}
	}
	b.say("I6", fmt.Sprintf("%d acknowledged orders, %d of them paid", told, paid), missing...)
	return s.checkStockJournal(ctx, b, j)
}

// checkStockJournal holds acknowledged adjustments against the movements: each was made once, and none is missing.
func (s *stand) checkStockJournal(ctx context.Context, b *book, j *journal) error {
	rows, err := s.db.Query(ctx, `select sku, sum(quantity)::bigint from public_views.v_stock_movements where kind = 'adjusted' group by sku`)
	if err != nil {
		return fmt.Errorf("read movements: %w", err)
	}
	made := map[string]int64{}
	var sku string
	var n int64
	if _, err := pgx.ForEachRow(rows, []any{&sku, &n}, func() error { made[sku] = n; return nil }); err != nil {
		return fmt.Errorf("read movements: %w", err)
	}
	var wrong []string
	for sku, told := range j.restocked {
		if made[sku] != told {
			wrong = append(wrong, fmt.Sprintf("%s: adjustments of %d pieces were acknowledged, %d were made", sku, told, made[sku]))
		}
	}
	b.say("I9", fmt.Sprintf("adjustments of %d articles", len(j.restocked)), wrong...)
	return nil
}

// checkAudit holds what was heard on our own queue against the events of the books.
func (s *stand) checkAudit(ctx context.Context, b *book) error {
	ids, err := s.texts(ctx, `select event_id from public_views.v_events`)
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	var unheard []string
	for _, id := range ids {
		if !s.audit.has(id) {
			unheard = append(unheard, "event "+id+" was never heard")
		}
	}
	events, messages := s.audit.counts()
	b.say("I7", fmt.Sprintf("%d events, %d heard in %d messages", len(ids), events, messages), few(unheard)...)
	return nil
}

var orderNumber = regexp.MustCompile(`\d+`)

// checkMails counts confirmations. One letter may arrive twice under the same Message-ID, which mail programs show once:
// SMTP promises no more. Two letters about one thing may not.
func (s *stand) checkMails(ctx context.Context, b *book) error {
	rows, err := s.db.Query(ctx, `select number, paid_at is not null from public_views.v_orders`)
	if err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	wanted := map[int64]bool{}
	var number int64
	var paid bool
	if _, err := pgx.ForEachRow(rows, []any{&number, &paid}, func() error { wanted[number] = paid; return nil }); err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	letters := map[int64]map[string]bool{}
	confirmations, copies := 0, 0
	var wrong []string
	for _, l := range s.mailbox.all() {
		if !strings.Contains(l.subject, "is confirmed") {
			continue
		}
		confirmations++
		n, err := strconv.ParseInt(orderNumber.FindString(l.subject), 10, 64)
		if err != nil {
			return fmt.Errorf("a confirmation without a number: %q", l.subject)
		}
		if letters[n] == nil {
			letters[n] = map[string]bool{}
		}
		if letters[n][l.id] {
			copies++
		}
		letters[n][l.id] = true
		if !wanted[n] {
			wrong = append(wrong, fmt.Sprintf("order %d was confirmed and is not paid", n))
		}
	}
	due := 0
	for n, paid := range wanted {
		if !paid {
			continue
		}
		due++
		if len(letters[n]) != 1 {
			wrong = append(wrong, fmt.Sprintf("paid order %d has %d confirmations", n, len(letters[n])))
		}
	}
	b.say("I8", fmt.Sprintf("%d confirmations for %d paid orders, %d of them second copies of the same letter", confirmations, due, copies), few(wrong)...)
	return nil
}

// few keeps evidence short.
func few(evidence []string) []string {
	const enough = 20
	if len(evidence) > enough {
		return append(evidence[:enough:enough], fmt.Sprintf("… and %d more", len(evidence)-enough))
	}
	return evidence
}

// snapshotSQL is everything that a repeated message must leave as it is.
const snapshotSQL = `
select concat_ws(' ',
    (select md5(string_agg(format('%s %s %s %s', sku, location, on_hand, reserved), ',' order by sku, location)) from public_views.v_stock),
    (select count(*) from public_views.v_stock_movements),
    (select md5(string_agg(format('%s %s', order_id, status), ',' order by order_id)) from public_views.v_orders),
    (select md5(string_agg(format('%s %s %s %s', payment_id, status, captured, refunded), ',' order by payment_id)) from public_views.v_payments),
    (select count(*) from public_views.v_ledger), (select count(*) from payments.refunds)
)`

// repeatMessages publishes messages that were heard five times more, shuffled, and looks whether anything happened.
func (s *stand) repeatMessages(ctx context.Context, b *book, seed uint64) error {
	var before, after string
	if err := s.db.QueryRow(ctx, snapshotSQL).Scan(&before); err != nil {
		return fmt.Errorf("take a snapshot: %w", err)
	}
	mails := len(s.mailbox.all())
	messages := slices.Repeat(s.audit.kept(), 5)
	rand.New(rand.NewPCG(seed, 8)).Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
	if err := s.audit.republish(ctx, messages); err != nil {
		return fmt.Errorf("publish messages again: %w", err)
	}
	left, _, err := s.awaitQuiet(ctx)
	if err != nil {
		return err
	}
	for _, l := range left {
		b.say("I8", "", "after messages were repeated: "+l)
	}
	if err := s.db.QueryRow(ctx, snapshotSQL).Scan(&after); err != nil {
		return fmt.Errorf("take a snapshot: %w", err)
	}
	var wrong []string
	if before != after {
		wrong = append(wrong, fmt.Sprintf("repeated messages changed the books: %s became %s", before, after))
	}
	if now := len(s.mailbox.all()); now != mails {
		wrong = append(wrong, fmt.Sprintf("repeated messages sent %d mails", now-mails))
	}
	b.say("I8", fmt.Sprintf("%d messages repeated", len(messages)), wrong...)
	return nil
}

// repeatRequests sends keyed requests once more, after Redis was emptied, and holds the answers against the first ones.
func (s *stand) repeatRequests(ctx context.Context, b *book, j *journal, c *caller, seed uint64) error {
	if err := s.redis.Client.FlushAll(ctx).Err(); err != nil {
		return fmt.Errorf("empty Redis: %w", err)
	}
	names := make([]string, 0, len(j.answers))
	for name := range j.answers {
		names = append(names, name)
	}
	slices.Sort(names)
	rand.New(rand.NewPCG(seed, 9)).Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
	const enough = 600
	var wrong []string
	repeated := 0
	for _, name := range names[:min(len(names), enough)] {
		if strings.HasPrefix(name, "customer") {
			continue // its token may be over
		}
		repeated++
		first := j.answers[name]
		a := c.do(ctx, paying, answerPatience, first.again.method, first.again.path, first.again.body, first.again.header...)
		principal, key, _ := strings.Cut(name, " ")
		j.answered(principal, key, first.again, a)
		if a.err == nil && a.header.Get(replayed) == "true" {
			continue
		}
		text := fmt.Sprintf("%s: repeated, it answers %s and is no replay", name, a)
		if strings.HasSuffix(first.again.path, "/complete") {
			wrong = append(wrong, text)
		} else {
			j.forgotten = append(j.forgotten, forgotten{first.at.Add(-relaxedFor), first.at.Add(relaxedFor), text})
		}
	}
	b.say("I9", fmt.Sprintf("%d keys, %d replays, %d keys repeated after FLUSHALL", len(j.answers), j.replays, repeated), few(append(wrong, j.breaches...))...)
	return nil
}

// burst sends fifty requests with one key at the same moment to both replicas.
func (s *stand) burst(ctx context.Context, b *book, c *crowd) error {
	const width = 50
	buyer := &buyer{
		plan: plan{account: -1, temper: patient, lines: []line{{"STEADY-01", 1}}}, n: 1 << 59, shop: c.shop, journal: c.journal, crowd: c,
		rng: rand.New(rand.NewPCG(1, 1)), p: &purchase{N: -1, At: time.Now(), Wants: map[string]int{}, Account: -1},
	}
	if !buyer.fill(ctx) {
		return errors.New("the cart for the burst cannot be filled")
	}
	key, body := buyer.newKey(), map[string]any{"payment": map[string]string{"provider": "test", "method": "test_ok"}}
	answers := make(chan answer, width)
	start := make(chan struct{})
	for i := range width {
		direct := newCaller("http://"+s.replicas[i%len(s.replicas)].public, c.shop.traffic)
		go func() {
			<-start
			header := append([]string{idempotencyKey, key}, buyer.header...)
			answers <- direct.do(ctx, paying, answerPatience, http.MethodPost, buyer.cartPath+"/complete", body, header...)
		}()
	}
	close(start)
	fresh, again, waiting := 0, 0, 0
	var wrong []string
	for range width {
		a := <-answers
		c.journal.answered(buyer.principal, key, repeat{http.MethodPost, buyer.cartPath + "/complete", body, append([]string{idempotencyKey, key}, buyer.header...)}, a)
		switch {
		case a.ok() && a.header.Get(replayed) == "":
			fresh++
		case a.ok():
			again++
		case a.code() == "request_in_progress":
			waiting++
		default:
			wrong = append(wrong, fmt.Sprintf("one of %d requests with one key is answered %s", width, a))
		}
	}
	if fresh != 1 {
		wrong = append(wrong, fmt.Sprintf("%d of %d requests with one key did the work", fresh, width))
	}
	b.say("I9", fmt.Sprintf("a burst of %d with one key: %d did it, %d were repeated to, %d told to wait", width, fresh, again, waiting), wrong...)
	return nil
}

// checkAtRest looks for the canary, which is in every name and address of a buyer, in everything that was written to a
// disk: heap and log of PostgreSQL, a dump of Redis, RabbitMQ's store, and the logs of all.
func (s *stand) checkAtRest(ctx context.Context, b *book, canary string) error {
	if _, err := s.db.Exec(ctx, "checkpoint"); err != nil {
		return fmt.Errorf("write PostgreSQL's pages: %w", err)
	}
	if err := s.redis.Client.Save(ctx).Err(); err != nil {
		return fmt.Errorf("dump Redis: %w", err)
	}
	var found []string
	var total int64
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the servers go on working
		}
		if err != nil || d.IsDir() || !d.Type().IsRegular() || filepath.Base(path) == "journal.jsonl" || filepath.Base(path) == "shopd" {
			return err
		}
		n, has, err := contains(path, canary)
		total += n
		if has {
			found = append(found, "in "+strings.TrimPrefix(path, s.dir))
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("look for personal data: %w", err)
	}
	if s.elastic != "" {
		body, err := rig.Fetch(ctx, s.elastic+"/"+s.index()+"*/_search?size=1&q="+canary)
		if err != nil {
			return fmt.Errorf("look for personal data in Elasticsearch: %w", err)
		}
		if bytes.Contains(bytes.ToLower(body), []byte(strings.ToLower(canary))) {
			found = append(found, "in Elasticsearch")
		}
	}
	b.say("I21", fmt.Sprintf("%d MB of files of the services and logs", total>>20), found...)
	return nil
}

// contains reports whether a file has the text in it, in whatever letters, and how large it is.
func contains(path, text string) (size int64, found bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false, err
	}
	defer func() { _ = f.Close() }() // it was only read
	lower := []byte(strings.ToLower(text))
	buffer := make([]byte, 0, 1<<20)
	for {
		n, err := f.Read(buffer[len(buffer):cap(buffer)])
		size += int64(n)
		buffer = buffer[:len(buffer)+n]
		if bytes.Contains(bytes.ToLower(buffer), lower) {
			return size, true, nil
		}
		if errors.Is(err, io.EOF) {
			return size, false, nil
		}
		if err != nil {
			return size, false, err
		}
		if keep := len(lower); len(buffer) > keep {
			copy(buffer, buffer[len(buffer)-keep:])
			buffer = buffer[:keep]
		}
	}
}
