package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"shopd/internal/rig"
)

// temper is how a buyer behaves when no answer comes.
type temper string

const (
	patient  temper = "patient"  // repeats under the same key, as payment SDKs do, and waits for answers
	hasty    temper = "hasty"    // the same, and hangs up after a second
	single   temper = "single"   // never repeats anything when paying
	clicker  temper = "clicker"  // sends the same request three times at once, then goes on as a patient one
	reloader temper = "reloader" // repeats under a new key each time, as somebody who reloads the page
)

const (
	// answerPatience is how long a buyer waits for one answer.
	answerPatience = 20 * time.Second
	hastyPatience  = time.Second
	// insistTries and payTries bound repetitions.
	insistTries = 7
	payTries    = 9
	// settlePatience is how long a buyer looks at an order whose payment is not known yet.
	settlePatience = 40 * time.Second
	ordersCookie   = "shopd_orders"
)

// plan is what a buyer is going to do. It follows from seed and number alone, whatever happens to the shop.
type plan struct {
	temper  temper
	account int // which registered customer it is; -1 for a guest
	method  string
	second  string // method after a decline; empty to give up
	action  string // what happens on the bank's page: approve, refuse, leave
	cancels bool   // cancels the paid order
	then    string // what the merchant does with the paid order; empty for nothing
	coupon  string
	returns bool // comes back from the gateway's page; else only the webhook tells the shop
	browses bool
	lines   []line
}

type line struct {
	sku      string
	quantity int
}

// draw makes the plan of buyer n.
func draw(seed, n uint64, goods []article) plan {
	rng := rand.New(rand.NewPCG(seed, n))
	p := plan{account: -1, temper: pick(rng, map[temper]int{patient: 45, hasty: 15, single: 12, clicker: 13, reloader: 15})}
	if rng.IntN(4) == 0 {
		p.account = rng.IntN(accounts)
	}
	p.method = pick(rng, methods)
	if rng.IntN(2) == 0 {
		p.second = pick(rng, secondMethods)
	}
	p.returns = rng.IntN(2) == 0
	p.then = pick(rng, map[string]int{"": 80, choreFulfil: 10, choreReturn: 5, choreRefund: 5})
	p.coupon = pick(rng, map[string]int{"": 70, couponFree: 8, couponLimited: 14, couponOnce: 8})
	p.action = pick(rng, map[string]int{"approve": 60, "refuse": 20, "leave": 20})
	p.cancels, p.browses = rng.IntN(20) == 0, rng.IntN(3) == 0
	for range 1 + rng.IntN(4) {
		kind := pick(rng, map[demand]int{steady: 80, scarce: 20})
		of := slices.DeleteFunc(slices.Clone(goods), func(a article) bool { return a.kind != kind })
		p.lines = append(p.lines, line{of[rng.IntN(len(of))].sku, 1 + rng.IntN(3)})
	}
	return p
}

// The ways to pay, by how many take them: "provider method", where the provider may be left out for the test gateway.
// Few take the silent bank: five of those in a row would open the breaker of the test gateway, which no fault of the schedule
// explains. The doubles are silent on schedule.
var (
	methods = map[string]int{
		"stripe pm_card_visa": 28, "stripe pm_card_chargeDeclined": 4, "stripe pm_card_authenticationRequired": 9, "stripe checkout": 9, "paypal": 14,
		"test_ok": 24, "test_declined": 4, "test_requires_action": 4, "test_timeout": 1, "manual": 3,
	}
	secondMethods = map[string]int{"stripe pm_card_visa": 2, "test_ok": 1}
)

// providerOf splits a way to pay.
func providerOf(method string) (provider, rest string) {
	switch provider, rest, _ = strings.Cut(method, " "); provider {
	case stripeGateway, payPalGateway, "manual":
		return provider, rest
	}
	return "test", method
}

// pick draws one of the keys by weight; the order of a map must not matter, hence the sorting.
func pick[T interface{ ~string | ~int }](rng *rand.Rand, weights map[T]int) T {
	keys := make([]T, 0, len(weights))
	total := 0
	for k, w := range weights {
		keys = append(keys, k)
		total += w
	}
	slices.Sort(keys)
	at := rng.IntN(total)
	for _, k := range keys {
		if at -= weights[k]; at < 0 {
			return k
		}
	}
	panic("weights do not add up")
}

// buyer is somebody who buys something once.
type buyer struct {
	plan
	n       uint64
	shop    *caller
	journal *journal
	p       *purchase
	crowd   *crowd
	rng     *rand.Rand // for pauses: it does not decide what is done
	keys    int

	cartPath  string
	principal string
	header    []string
	doubted   bool // an answer was lost on the way to the checkout
	secret    string
}

// buy goes through the whole purchase and returns what the buyer believes in the end.
func (b *buyer) buy(ctx context.Context) outcome {
	if b.browses && !b.browse(ctx) {
		return untried
	}
	if !b.fill(ctx) {
		return untried
	}
	return b.pay(ctx, b.method, b.second)
}

func (b *buyer) browse(ctx context.Context) bool {
	b.shop.do(ctx, browsing, answerPatience, http.MethodGet, storeAPI+"/products?limit=12", nil)
	b.shop.do(ctx, searching, answerPatience, http.MethodGet, storeAPI+"/search?q=article", nil)
	b.shop.do(ctx, browsing, answerPatience, http.MethodGet, "/", nil)
	return ctx.Err() == nil
}

func (b *buyer) newKey() string {
	b.keys++
	return fmt.Sprintf("buyer-%d-%d", b.n, b.keys)
}

// fill makes a cart that is ready to be paid.
func (b *buyer) fill(ctx context.Context) bool {
	b.principal = "anonymous"
	if b.account >= 0 {
		bearer, ok := b.crowd.bearer(ctx, b.account)
		if !ok {
			return false
		}
		b.header, b.principal = []string{"Authorization", "Bearer " + bearer}, fmt.Sprintf("customer %d", b.account)
	}
	var cart cartJSON
	a := b.insist(ctx, http.MethodPost, storeAPI+"/carts", map[string]string{"currency": "USD", "country": "US"})
	if !a.ok() || json.Unmarshal(a.body, &cart) != nil {
		return false
	}
	b.p.Cart, b.cartPath = cart.ID, storeAPI+"/carts/"+cart.ID
	if b.account < 0 {
		b.header, b.principal = []string{"X-Cart-Token", cart.Token}, cart.ID
	}
	for _, l := range b.lines {
		a := b.insist(ctx, http.MethodPost, b.cartPath+"/lines", map[string]any{"sku": l.sku, "quantity": l.quantity})
		if a.code() == "out_of_stock" {
			continue // the shop says so already; the others may do
		}
		if !a.ok() {
			return false
		}
		b.p.Wants[l.sku] += l.quantity
	}
	if len(b.p.Wants) == 0 {
		return false
	}
	if a := b.insist(ctx, http.MethodPut, b.cartPath+"/address", b.crowd.address(b.n)); !a.ok() {
		return false
	}
	a = b.insist(ctx, http.MethodPut, b.cartPath+"/shipping-method", map[string]string{"shipping_method_id": "ship_standard"})
	if !a.ok() || json.Unmarshal(a.body, &cart) != nil {
		return false
	}
	if !b.redeem(ctx, &cart) {
		return false
	}
	b.p.Seen = cart.Totals.Total.Amount
	has := map[string]int{}
	for _, l := range cart.Lines {
		has[l.SKU] += l.Quantity
	}
	for sku, n := range b.p.Wants {
		if has[sku] == n {
			continue
		}
		text := fmt.Sprintf("cart %s has %d of %s after %d were put in, answers lost on the way: %t", cart.ID, has[sku], sku, n, b.doubted)
		if has[sku] > n {
			b.journal.breach("%s", text)
		} else {
			b.journal.forgot(b.p.At, text)
		}
		return false
	}
	return true
}

// cartJSON is what buyers read of a cart.
type cartJSON struct {
	ID, Token string
	Totals    struct{ Total struct{ Amount int64 } }
	Lines     []struct {
		SKU      string
		Quantity int
	}
}

// insist repeats a request that comes before paying, under one key, until the shop answers it.
func (b *buyer) insist(ctx context.Context, method, path string, body any) answer {
	var header []string
	key := ""
	if method == http.MethodPost {
		key = b.newKey()
		header = []string{idempotencyKey, key}
	}
	header = append(header, b.header...)
	var a answer
	for n := range insistTries {
		a = b.shop.do(ctx, carting, answerPatience, method, path, body, header...)
		if key != "" {
			b.journal.answered(b.principal, key, repeat{method, path, body, header}, a)
		}
		again := a.lost() || a.code() == "request_in_progress"
		if !again || !b.rest(ctx, n) {
			return a
		}
		b.doubted = true
	}
	return a
}

// rest is the pause before try n+1; false ends the trying.
func (b *buyer) rest(ctx context.Context, n int) bool {
	pause := min(300*time.Millisecond<<n, 4*time.Second)
	return rig.Pause(ctx, pause/2+time.Duration(b.rng.Int64N(int64(pause)))) == nil
}

// orderJSON is what buyers read of an order.
type orderJSON struct {
	ID, Secret, Status string
	Totals             struct{ Total struct{ Amount int64 } }
	Payment            struct {
		ID, Provider, Status string
		NextAction           *struct{ URL string } `json:"next_action"`
	}
}

// pay completes the cart, and goes on with whatever comes of it.
func (b *buyer) pay(ctx context.Context, method, second string) outcome {
	a := b.complete(ctx, method)
	switch {
	case a.lost():
		return unknown
	case a.code() == "payment_declined":
		if second != "" {
			return b.pay(ctx, second, "")
		}
		return refused
	case a.code() == "coupon_exhausted":
		if b.coupon == "" || !b.withoutCoupon(ctx) {
			return refused
		}
		return b.pay(ctx, method, second)
	case a.code() == "already_paid":
		return bought // an earlier try did it
	case a.code() == "payment_in_progress", a.code() == "request_in_progress":
		return unknown
	case a.refused():
		return refused
	}
	var o orderJSON
	if err := json.Unmarshal(a.body, &o); err != nil || o.ID == "" {
		b.journal.breach("completing cart %s answers %d without an order: %s", b.p.Cart, a.status, snippet(a.body))
		return unknown
	}
	b.secret = o.Secret
	if !slices.Contains(b.p.Orders, o.ID) {
		b.p.Orders = append(b.p.Orders, o.ID)
	}
	if o.Totals.Total.Amount != b.p.Seen {
		b.journal.breach("order %s costs %d, its buyer saw %d", o.ID, o.Totals.Total.Amount, b.p.Seen)
	}
	return b.settle(ctx, o)
}

// settle waits for an order that is not paid yet, or lets the merchant go on with one that is.
func (b *buyer) settle(ctx context.Context, o orderJSON) outcome {
	switch {
	case o.Status == "paid":
	case o.Payment.Status == "requires_action":
		if !b.confirm(ctx, o) {
			return refused
		}
		if o = b.watch(ctx, o.ID); o.Status != "paid" {
			return unknown
		}
	case o.Payment.Status == "created":
		b.crowd.merchant.do(choreCapture, o.ID)
		return unknown
	default:
		if o = b.watch(ctx, o.ID); o.Status != "paid" {
			return unknown
		}
	}
	if b.cancels {
		a := b.shop.do(ctx, looking, answerPatience, http.MethodPost, storeAPI+"/orders/"+o.ID+"/cancel", map[string]string{"reason": "storm"}, b.orderHeader()...)
		b.p.Then = append(b.p.Then, "cancel: "+a.String())
	} else if b.then != "" {
		b.crowd.merchant.do(b.then, o.ID)
	}
	return bought
}

func (b *buyer) orderHeader() []string {
	if b.secret == "" {
		return b.header
	}
	return append([]string{"X-Order-Secret", b.secret}, b.header...)
}

// complete pays the cart as the buyer's temper is.
func (b *buyer) complete(ctx context.Context, method string) answer {
	provider, way := providerOf(method)
	payment := map[string]string{"provider": provider}
	if way != "" {
		payment["method"] = way
	}
	if provider == stripeGateway || provider == payPalGateway {
		payment["return_url"] = b.shop.base + "/order/return"
	}
	body := map[string]any{"payment": payment}
	path, key := b.cartPath+"/complete", b.newKey()
	if b.temper == clicker {
		b.together(ctx, path, key, body, method)
	}
	patience, tries := answerPatience, payTries
	switch b.temper {
	case hasty:
		patience = hastyPatience
	case single:
		tries = 1
	}
	var a answer
	for n := range tries {
		a = b.attempt(ctx, patience, path, key, body, method)
		again := a.lost() || a.code() == "request_in_progress" || a.code() == "payment_in_progress" && b.temper == reloader
		if !again || n == tries-1 || !b.rest(ctx, n) {
			return a
		}
		if b.temper == reloader {
			key = b.newKey()
		}
		if b.temper == hasty && n > 3 {
			patience = answerPatience
		}
	}
	return a
}

func (b *buyer) attempt(ctx context.Context, patience time.Duration, path, key string, body any, method string) answer {
	header := append([]string{idempotencyKey, key}, b.header...)
	begin := time.Now()
	a := b.shop.do(ctx, paying, patience, http.MethodPost, path, body, header...)
	b.journal.answered(b.principal, key, repeat{http.MethodPost, path, body, header}, a)
	b.crowd.mu.Lock()
	defer b.crowd.mu.Unlock()
	b.p.Tries = append(b.p.Tries, try{Key: key, Method: method, Answer: a.String(), MS: time.Since(begin).Milliseconds(), At: begin.Sub(b.p.At).Milliseconds()})
	return a
}

// together sends the same request three times at once.
func (b *buyer) together(ctx context.Context, path, key string, body any, method string) {
	done := make(chan struct{})
	for range 3 {
		go func() {
			b.attempt(ctx, answerPatience, path, key, body, method)
			done <- struct{}{}
		}()
	}
	for range 3 {
		<-done
	}
}

// watch looks at the order until it is paid or cancelled, or patience ends.
func (b *buyer) watch(ctx context.Context, id string) orderJSON {
	var o orderJSON
	for end := time.Now().Add(settlePatience); time.Now().Before(end); {
		a := b.shop.do(ctx, looking, answerPatience, http.MethodGet, storeAPI+"/orders/"+id, nil, b.orderHeader()...)
		if a.ok() && json.Unmarshal(a.body, &o) == nil && (o.Status == "paid" || o.Status == "cancelled") {
			return o
		}
		if rig.Pause(ctx, time.Second) != nil {
			break
		}
	}
	return o
}

// confirm plays the shopper on the bank's page; false says that there will be no money.
func (b *buyer) confirm(ctx context.Context, o orderJSON) bool {
	if b.action == "leave" || o.Payment.NextAction == nil {
		return false
	}
	if o.Payment.Provider == stripeGateway || o.Payment.Provider == payPalGateway {
		return b.confirmAtGateway(ctx, o)
	}
	form := url.Values{"order": {o.ID}, "answer": {b.action}}
	page := strings.TrimPrefix(o.Payment.NextAction.URL, b.shop.base)
	for n := range insistTries {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, b.shop.base+page, strings.NewReader(form.Encode()))
		if err != nil {
			return false
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.AddCookie(&http.Cookie{Name: ordersCookie, Value: o.ID + "." + b.secret}) //nolint:gosec // a request's cookie has no attributes
		a := b.shop.send(request, paying)
		b.p.Then = append(b.p.Then, b.action+": "+a.String())
		if !a.lost() || !b.rest(ctx, n) {
			break
		}
	}
	return b.action == "approve"
}

// confirmAtGateway plays the shopper on a page of Stripe, of a bank behind it, or of PayPal.
func (b *buyer) confirmAtGateway(ctx context.Context, o orderJSON) bool {
	choice := map[string]string{"approve": "approve", "refuse": "decline"}[b.action]
	if choice == "decline" && o.Payment.Provider == payPalGateway {
		choice = "cancel"
	}
	said, err := b.crowd.bank.answers(ctx, o.Payment.NextAction.URL, choice)
	if err != nil {
		said = err.Error()
	}
	b.p.Then = append(b.p.Then, choice+" at "+o.Payment.Provider+": "+said)
	if b.returns {
		path := storeAPI + "/orders/" + o.ID + "/payment/refresh"
		a := b.shop.do(ctx, looking, answerPatience, http.MethodPost, path, nil, b.orderHeader()...)
		b.p.Then = append(b.p.Then, "comes back: "+a.String())
	}
	return b.action == "approve"
}
