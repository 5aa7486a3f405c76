package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"shopd/internal/rig"
)

// checkDoors looks at who gets in: everything of the API that is not public, by nobody and by a customer, and what belongs
// to others.
func (s *stand) checkDoors(ctx context.Context, b *book, c *crowd, j *journal) error {
	bearer, ok := c.bearer(ctx, 1)
	if !ok {
		return errors.New("a customer cannot sign in")
	}
	closed, err := s.closedRoutes(ctx, c.shop)
	if err != nil {
		return err
	}
	var wrong []string
	customer := []string{"Authorization", "Bearer " + bearer}
	tried := 0
	for _, r := range closed {
		for who, header := range map[string][]string{"nobody": nil, "a customer": customer} {
			if who == "a customer" && !strings.HasPrefix(r.path, adminAPI) {
				continue // it may be theirs
			}
			tried++
			a := c.shop.do(ctx, looking, answerPatience, r.method, r.path, map[string]any{}, append([]string{idempotencyKey, "door-" + who}, header...)...)
			if a.status != http.StatusUnauthorized && a.status != http.StatusForbidden {
				wrong = append(wrong, fmt.Sprintf("%s %s answers %s to %s", r.method, r.path, a, who))
			}
		}
	}
	foreign := 0
	for _, p := range j.purchases {
		if len(p.Orders) == 0 || p.Account >= 0 || foreign >= 20 {
			continue
		}
		foreign++
		path := storeAPI + "/orders/" + p.Orders[0]
		for _, header := range [][]string{nil, customer} {
			for what, a := range map[string]answer{
				"read":   c.shop.do(ctx, looking, answerPatience, http.MethodGet, path, nil, header...),
				"cancel": c.shop.do(ctx, looking, answerPatience, http.MethodPost, path+"/cancel", map[string]any{}, header...),
			} {
				if a.status != http.StatusNotFound {
					wrong = append(wrong, fmt.Sprintf("to %s order %s of somebody else answers %s", what, p.Orders[0], a))
				}
			}
		}
	}
	b.say("I19", fmt.Sprintf("%d routes that are not public tried %d times, %d orders of others", len(closed), tried, foreign), few(wrong)...)
	return nil
}

// closedRoute is an operation that its description does not call public.
type closedRoute struct{ method, path string }

var pathParameter = regexp.MustCompile(`\{[^}]+\}`)

func (s *stand) closedRoutes(ctx context.Context, shop *caller) ([]closedRoute, error) {
	a := shop.do(ctx, looking, answerPatience, http.MethodGet, "/api/v1/openapi.json", nil)
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(a.body, &document); err != nil {
		return nil, fmt.Errorf("read the description of the API: %s: %w", a, err)
	}
	var closed []closedRoute
	for path, operations := range document.Paths {
		for method, text := range operations {
			var o struct{ Security []any }
			if method == "parameters" || json.Unmarshal(text, &o) != nil || len(o.Security) == 0 {
				continue
			}
			closed = append(closed, closedRoute{strings.ToUpper(method), pathParameter.ReplaceAllString(path, "x")})
		}
	}
	if len(closed) == 0 {
		return nil, errors.New("the description of the API calls everything public")
	}
	slices.SortFunc(closed, func(x, y closedRoute) int { return strings.Compare(x.path+x.method, y.path+y.method) })
	return closed, nil
}

// revokedWithin is how soon a session must be over on every replica.
const revokedWithin = 10 * time.Second

// direct speaks to one replica.
func (s *stand) direct(i int, t *traffic) *caller {
	return newCaller("http://"+s.replicas[i].public, t)
}

// checkRevocation signs a customer out on one replica while Redis is dead, and looks when the other one knows.
func (s *stand) checkRevocation(ctx context.Context, b *book, c *crowd) error {
	bearer, ok := c.bearer(ctx, 2)
	if !ok {
		return errors.New("a customer cannot sign in")
	}
	header := []string{"Authorization", "Bearer " + bearer}
	me := func(i int) int {
		return s.direct(i, c.shop.traffic).do(ctx, looking, answerPatience, http.MethodGet, storeAPI+"/me", nil, header...).status
	}
	var wrong []string
	for i := range s.replicas {
		if status := me(i); status != http.StatusOK {
			return fmt.Errorf("a customer who is signed in gets %d", status)
		}
	}
	if err := s.redis.Kill(); err != nil {
		return err
	}
	a := s.direct(0, c.shop.traffic).do(ctx, signingIn, answerPatience, http.MethodPost, storeAPI+"/auth/logout", nil, header...)
	out := time.Now()
	if !a.ok() {
		wrong = append(wrong, "without Redis nobody can sign out: "+a.String())
	}
	var latest time.Duration
	for i := range s.replicas {
		for me(i) != http.StatusUnauthorized && time.Since(out) < revokedWithin && rig.Pause(ctx, 50*time.Millisecond) == nil {
		}
		if latest = time.Since(out); latest >= revokedWithin {
			wrong = append(wrong, fmt.Sprintf("%s lets a customer in %s after they signed out", s.replicas[i].name, revokedWithin))
			break
		}
	}
	if err := s.redis.Start(ctx); err != nil {
		return err
	}
	for i := range s.replicas {
		if status := me(i); status != http.StatusUnauthorized {
			wrong = append(wrong, fmt.Sprintf("with Redis back, %s answers %d to a customer who signed out", s.replicas[i].name, status))
		}
	}
	b.say("I20", fmt.Sprintf("a customer signed out on one replica while Redis was dead; all knew after %s", latest.Round(time.Millisecond)), wrong...)
	return nil
}

const (
	keysOfSQL   = `select count(*)::int from users.data_keys where subject = $1`
	ordersOfSQL = `
select concat_ws(' ', count(*), sum(o.total), (
    select sum(p.captured - p.refunded) from payments.payments as p join orders.orders as x on x.id = p.order_id where x.customer_id = $1
))
from orders.orders as o
where o.customer_id = $1`
)

// checkErasure erases a customer who bought: the key of all that is known of them must go, and the money must stay.
func (s *stand) checkErasure(ctx context.Context, b *book, c *crowd) error {
	bearer, ok := c.bearer(ctx, 0)
	if !ok {
		return errors.New("a customer cannot sign in")
	}
	header := []string{"Authorization", "Bearer " + bearer}
	var me struct{ ID string }
	a := c.shop.do(ctx, looking, answerPatience, http.MethodGet, storeAPI+"/me", nil, header...)
	if err := json.Unmarshal(a.body, &me); err != nil || me.ID == "" {
		return fmt.Errorf("read a customer's account: %s: %w", a, err)
	}
	var keys int
	var before, after string
	if err := errors.Join(s.db.QueryRow(ctx, keysOfSQL, me.ID).Scan(&keys), s.db.QueryRow(ctx, ordersOfSQL, me.ID).Scan(&before)); err != nil {
		return fmt.Errorf("look at a customer: %w", err)
	}
	if keys == 0 {
		return fmt.Errorf("customer %s has no key of their own", me.ID)
	}
	a = c.shop.do(ctx, signingIn, answerPatience, http.MethodDelete, storeAPI+"/me", map[string]string{"password": password}, header...)
	var wrong []string
	if !a.ok() {
		wrong = append(wrong, "a customer cannot erase their account: "+a.String())
	}
	if err := errors.Join(s.db.QueryRow(ctx, keysOfSQL, me.ID).Scan(&keys), s.db.QueryRow(ctx, ordersOfSQL, me.ID).Scan(&after)); err != nil {
		return fmt.Errorf("look at a customer: %w", err)
	}
	if keys > 0 {
		wrong = append(wrong, fmt.Sprintf("the key of customer %s is still there", me.ID))
	}
	if before != after {
		wrong = append(wrong, fmt.Sprintf("erasing customer %s changed orders and money from %s to %s", me.ID, before, after))
	}
	for i, r := range s.replicas {
		if a := s.direct(i, c.shop.traffic).do(ctx, looking, answerPatience, http.MethodGet, storeAPI+"/me", nil, header...); a.status != http.StatusUnauthorized {
			wrong = append(wrong, fmt.Sprintf("%s still lets customer %s in: %s", r.name, me.ID, a))
		}
	}
	b.say("I22", fmt.Sprintf("a customer with orders, total and money (%s) was erased; the key of everything about them is gone, the money is not", before), wrong...)
	return nil
}

const (
	// limitPerMinute is what the replicas allow one client for checkLimits, and limitFor how long that client asks.
	limitPerMinute = 300
	limitFor       = 6 * time.Second
)

// checkLimits gives the replicas a limit, with and without Redis, and counts what one client gets through.
func (s *storm) checkLimits(ctx context.Context, b *book, t *traffic) error {
	for _, r := range s.replicas {
		if err := errors.Join(r.terminate(), r.start(ctx, fmt.Sprintf("SHOPD_RATE_LIMIT_PER_MINUTE=%d", limitPerMinute))); err != nil {
			return err
		}
	}
	if err := s.bothReady(ctx); err != nil {
		return err
	}
	var wrong, seen []string
	for i, state := range []string{"with Redis", "without Redis"} {
		if i == 1 {
			if err := s.redis.Kill(); err != nil {
				return err
			}
		}
		served, refused, took := s.askMuch(ctx, t, fmt.Sprintf("203.0.113.%d", 7+i))
		allowed := float64(limitPerMinute) * (1 + took.Minutes())
		seen = append(seen, fmt.Sprintf("%s %d of %d in %s", state, served, served+refused, took.Round(100*time.Millisecond)))
		if float64(served) > allowed*1.05 {
			wrong = append(wrong, fmt.Sprintf("%s one client got %d requests through in %s; %d a minute are allowed", state, served, took.Round(time.Second), limitPerMinute))
		}
		if refused == 0 || served == 0 {
			wrong = append(wrong, fmt.Sprintf("%s %d requests of one client were served and %d refused", state, served, refused))
		}
		if i == 0 && float64(served) < limitPerMinute*0.95 {
			wrong = append(wrong, fmt.Sprintf("%s one client got only %d requests through; %d a minute are allowed", state, served, limitPerMinute))
		}
	}
	b.say("I25", fmt.Sprintf("%d a minute through two replicas: %s", limitPerMinute, strings.Join(seen, ", ")), wrong...)
	return s.redis.Start(ctx)
}

// askMuch lets one client ask both replicas as fast as it can.
func (s *stand) askMuch(ctx context.Context, t *traffic, client string) (served, refused int, took time.Duration) {
	begin := time.Now()
	for n := 0; time.Since(begin) < limitFor; n++ {
		a := s.direct(n%len(s.replicas), t)
		a.http = askMuchHTTP
		switch answer := a.do(ctx, looking, answerPatience, http.MethodGet, storeAPI+"/payment-methods", nil, "X-Forwarded-For", client); {
		case answer.ok():
			served++
		case answer.status == http.StatusTooManyRequests:
			refused++
		}
	}
	return served, refused, time.Since(begin)
}

// askMuchHTTP keeps its connections between requests.
var askMuchHTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: 5 * time.Second}}
