package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/payments/gatewaytest"
	paypaldouble "shopd/internal/payments/gatewaytest/paypal"
	stripedouble "shopd/internal/payments/gatewaytest/stripe"
	"shopd/internal/rig"
)

// The gateways, by the names that faults, wires and the shop's payments have for them.
const (
	stripeGateway = "stripe"
	payPalGateway = "paypal"
)

// The keys that the doubles let in. They protect nothing.
const (
	stripeKey    = "sk_test_double"
	payPalID     = "double"
	payPalSecret = "double-secret"
)

// gatewayTimeout is a setting of the replicas: how long they wait for a gateway.
const gatewayTimeout = 2 * time.Second

// bank is the gateways: doubles with books of their own, which are the oracle of money.
type bank struct {
	doubles map[string]*gatewaytest.Control
	servers map[string]*gatewaytest.Server
	// shopper is how a buyer's browser reaches the gateways' pages: never disturbed.
	shopper *http.Client
}

func newBank(seed uint64) (_ *bank, err error) {
	stripe := stripedouble.New(stripedouble.Options{SecretKey: stripeKey, Seed: seed})
	paypal := paypaldouble.New(paypaldouble.Options{ClientID: payPalID, ClientSecret: payPalSecret, Seed: seed + 1})
	b := &bank{
		doubles: map[string]*gatewaytest.Control{stripeGateway: stripe.Control, payPalGateway: paypal.Control}, servers: map[string]*gatewaytest.Server{},
		shopper: &http.Client{
			Timeout: answerPatience, Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 10 * time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	for name, double := range map[string]gatewaytest.Gateway{stripeGateway: stripe, payPalGateway: paypal} {
		if b.servers[name], err = gatewaytest.Listen(double, "127.0.0.1:0"); err != nil {
			return nil, errors.Join(err, b.close())
		}
	}
	return b, nil
}

func (b *bank) close() error {
	var failures []error
	for _, s := range b.servers {
		failures = append(failures, s.Close())
	}
	return errors.Join(failures...)
}

// addr is where a gateway is, without what may lie between.
func (b *bank) addr(name string) string { return strings.TrimPrefix(b.servers[name].URL, "http://") }

// tellsTo sends the webhooks of both gateways to the shop.
func (b *bank) tellsTo(shop string) {
	for name, double := range b.doubles {
		double.Courier.Deliver(gatewaytest.Delivering{URL: shop + "/webhooks/" + name})
	}
}

// settings are those of a replica that reaches the gateways at these addresses.
func (b *bank) settings(at map[string]string) []string {
	return []string{
		"SHOPD_STRIPE_API_URL=http://" + at[stripeGateway], "SHOPD_STRIPE_SECRET_KEY=" + stripeKey,
		"SHOPD_STRIPE_WEBHOOK_SECRET=" + stripedouble.DefaultWebhookSecret,
		"SHOPD_PAYPAL_API_URL=http://" + at[payPalGateway], "SHOPD_PAYPAL_CLIENT_ID=" + payPalID, "SHOPD_PAYPAL_CLIENT_SECRET=" + payPalSecret,
		"SHOPD_PAYPAL_WEBHOOK_ID=" + paypaldouble.DefaultWebhookID, "SHOPD_GATEWAY_TIMEOUT=" + gatewayTimeout.String(),
	}
}

// answers is a shopper on a page of a gateway.
func (b *bank) answers(ctx context.Context, page, choice string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, page, strings.NewReader(url.Values{"answer": {choice}}.Encode()))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := b.shopper.Do(request)
	if err != nil {
		return "", err
	}
	return response.Status, response.Body.Close()
}

// pending is how many webhooks are still under way.
func (b *bank) pending() (n int) {
	for _, double := range b.doubles {
		n += double.Courier.Pending()
	}
	return n
}

// twice are the orders that a gateway was charged for twice, whatever went back after.
func (b *bank) twice() (found []string) {
	for name, double := range b.doubles {
		for _, breach := range double.Book.Breaches() {
			found = append(found, fmt.Sprintf("%s: %s: order %s, %s at %s", name, breach.What, breach.OrderID, breach.Ref, breach.At.Format(time.TimeOnly)))
		}
	}
	slices.Sort(found)
	return found
}

// gatewayFault is a kind of fault of the gateways, which happens to one of them by rules of its script.
func gatewayFault(name string, rules ...gatewaytest.Rule) kind {
	return kind{
		name: name, targets: []string{stripeGateway, payPalGateway}, lasts: true, touches: []string{"gateways"},
		inject: func(_ context.Context, s *storm, f fault, hold func() error) error {
			script := s.bank.doubles[f.Target].Desk.Script
			err := errors.Join(script.Add(rules...), hold())
			script.Clear()
			return err
		},
	}
}

// webhookFault is one in how webhooks are brought.
func webhookFault(name string, change func(*gatewaytest.Delivering)) kind {
	return kind{
		name: name, targets: []string{stripeGateway, payPalGateway}, lasts: true, touches: []string{"gateways"},
		inject: func(_ context.Context, s *storm, f fault, hold func() error) error {
			courier := s.bank.doubles[f.Target].Courier
			before := courier.How()
			how := before
			change(&how)
			courier.Deliver(how)
			err := hold()
			courier.Deliver(before)
			return err
		},
	}
}

// oneIn is a fault that most calls meet, and some do not.
const oneIn = 0.6

// gatewayKinds are the faults of gateways. Each takes the money or not, and does not say so.
func gatewayKinds() []kind {
	no, long := false, gatewaytest.Duration(gatewayTimeout+time.Second)
	rule := func(do string) gatewaytest.Rule { return gatewaytest.Rule{Do: do, Probability: oneIn} }
	hangs, stored, nothing, late := rule(gatewaytest.Hang), rule(gatewaytest.ErrorStored), rule(gatewaytest.ErrorStored), rule(gatewaytest.Slow)
	hangs.Delay, late.Delay, nothing.Effect = gatewaytest.Duration(5*time.Second), long, &no
	return []kind{
		gatewayFault("gateway does it and hangs", hangs),
		gatewayFault("gateway does it and resets", rule(gatewaytest.Reset)),
		gatewayFault("gateway does it and keeps a 500", stored),
		gatewayFault("gateway does nothing and keeps a 500", nothing),
		gatewayFault("gateway answers 500", rule(gatewaytest.Error)),
		gatewayFault("gateway does it too late", late),
		gatewayFault("gateway declines",
			gatewaytest.Rule{Operation: gatewaytest.OpCharge, Do: gatewaytest.Decline, Probability: oneIn},
			gatewaytest.Rule{Operation: gatewaytest.OpCapture, Do: gatewaytest.Decline, Probability: oneIn},
		),
		gatewayFault("gateway limits calls", rule(gatewaytest.RateLimit)),
		webhookFault("webhooks are lost", func(how *gatewaytest.Delivering) { how.Lose = 1 }),
		webhookFault("webhooks come five times in another order", func(how *gatewaytest.Delivering) {
			how.Copies, how.Delay = 4, gatewaytest.Duration(4*time.Second)
		}),
	}
}

// agreePatience is how long shop and gateways may differ after everything else is quiet.
const agreePatience = time.Minute

// checkBank holds the gateways' books against the shop's. Nobody but the gateways knows what money really moved.
func (s *stand) checkBank(ctx context.Context, b *book) error {
	var differ map[string][]string
	var captured int
	for end := time.Now().Add(agreePatience); ; {
		var err error
		if differ, captured, err = s.differences(ctx); err != nil {
			return err
		}
		if len(differ) == 0 || time.Now().After(end) || rig.Pause(ctx, time.Second) != nil {
			break
		}
	}
	looked := fmt.Sprintf("%d captures in the books of the gateways", captured)
	for _, id := range []string{"I2", "I3", "I11"} {
		b.say(id, looked, few(differ[id])...)
	}
	b.say("I1", "each moment of the gateways' books", few(s.bank.twice())...)
	return nil
}

// shopPayment is a payment as the shop's views have it, with its order.
type shopPayment struct {
	ID, OrderID, Provider, Ref, Status   string
	Captured, Refunded                   int64
	Currency, OrderStatus, OrderCurrency string
	OrderTotal                           int64
}

const attemptsSQL = `
select p.payment_id, p.order_id, p.provider, coalesce(p.provider_ref, ''), p.status, p.captured, p.refunded, p.currency, coalesce(o.status, ''), coalesce(o.currency, ''),
    coalesce(o.total, 0)
from public_views.v_payments as p
left join public_views.v_orders as o using (order_id)
where p.provider in ('stripe', 'paypal')`

const gatewayAccountsSQL = `
select account, coalesce(sum(amount), 0)::bigint
from public_views.v_ledger
where account in ('gateway:stripe', 'gateway:paypal')
group by account`

// differences finds where shop and gateways disagree, by promise.
func (s *stand) differences(ctx context.Context) (differ map[string][]string, captures int, err error) {
	rows, err := s.db.Query(ctx, attemptsSQL)
	if err != nil {
		return nil, 0, fmt.Errorf("read payments: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[shopPayment])
	if err != nil {
		return nil, 0, fmt.Errorf("read payments: %w", err)
	}
	if rows, err = s.db.Query(ctx, gatewayAccountsSQL); err != nil {
		return nil, 0, fmt.Errorf("read the ledger: %w", err)
	}
	ledger := map[string]int64{}
	var account string
	var sum int64
	if _, err := pgx.ForEachRow(rows, []any{&account, &sum}, func() error { ledger[account] = sum; return nil }); err != nil {
		return nil, 0, fmt.Errorf("read the ledger: %w", err)
	}
	return s.bank.compare(list, ledger)
}

// compare is differences for payments that have been read.
func (b *bank) compare(list []shopPayment, ledger map[string]int64) (differ map[string][]string, captures int, _ error) {
	differ = map[string][]string{}
	note := func(id, format string, args ...any) { differ[id] = append(differ[id], fmt.Sprintf(format, args...)) }
	ours := make(map[string]shopPayment, len(list))
	for _, a := range list {
		ours[a.ID] = a
	}
	held := map[string]bool{} // payments whose money a gateway knows
	for name, double := range b.doubles {
		var net int64
		for _, p := range double.Book.List(func(p *gatewaytest.Payment) bool { return p.Captured > 0 }) {
			captures++
			net += p.Captured - p.Refunded
			held[p.PaymentID] = true
			a, known := ours[p.PaymentID]
			switch {
			case !known:
				note("I3", "%s took %d for payment %s of order %s, which the shop does not have", name, p.Captured, p.PaymentID, p.OrderID)
			case a.OrderID != p.OrderID || a.Provider != name:
				note("I3", "%s took %d for order %s; in the shop payment %s is of order %s by %s", name, p.Captured, p.OrderID, a.ID, a.OrderID, a.Provider)
			case a.Captured != p.Captured || a.Refunded != p.Refunded || a.Currency != p.Currency:
				note("I11", "payment %s (%s) of order %s: %s took %d %s and gave back %d, the shop says %d %s and %d", a.ID, a.Status, a.OrderID, name, p.Captured, p.Currency,
					p.Refunded, a.Captured, a.Currency, a.Refunded)
			case p.Captured != a.OrderTotal || p.Currency != a.OrderCurrency:
				note("I2", "payment %s: %s took %d %s, order %s costs %d %s", a.ID, name, p.Captured, p.Currency, a.OrderID, a.OrderTotal, a.OrderCurrency)
			case p.Live() && !slices.Contains(aliveStates, a.OrderStatus):
				note("I3", "money without an order: %s has %d for order %s, which is %s", name, p.Captured-p.Refunded, a.OrderID, a.OrderStatus)
			}
		}
		if said := ledger["gateway:"+name]; said != net {
			note("I11", "%s has %d, the shop's ledger says %d", name, net, said)
		}
	}
	for _, a := range list {
		if a.Captured > 0 && !held[a.ID] {
			note("I3", "an order without money: the shop took %d by payment %s for order %s (%s), and %s knows of none", a.Captured, a.ID, a.OrderID, a.OrderStatus, a.Provider)
		}
	}
	return differ, captures, nil
}

// gatewayAftermath is how long after a gateway's fault its breaker may keep payments out.
const gatewayAftermath = 20 * time.Second

// keptOut reports whether a request was told that there is no gateway because one had just failed: that is promised, and
// no fault of what else happens.
func (s *storm) keptOut(e exchangeRecord) bool {
	return e.noGateway && slices.ContainsFunc(s.windows, func(w window) bool {
		ofGateway := strings.HasPrefix(w.Kind, "gateway ") || strings.HasSuffix(w.Target, "to "+stripeGateway) || strings.HasSuffix(w.Target, "to "+payPalGateway)
		return ofGateway && w.From.Before(e.begin) && w.To.Add(gatewayAftermath).After(e.begin)
	})
}
