package orders_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"shopd/internal/money"
	"shopd/internal/orders"
	"shopd/internal/platform/crypto"
	"shopd/internal/platform/id"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/testenv"
)

// house is the domain on a real database, with neighbours that keep books of their own and can be made to fail.
type house struct {
	*orders.Service
	t      *testing.T
	pool   *pgxpool.Pool // as shopd_orders
	owner  *pgxpool.Pool // as the owner of the database
	vault  *crypto.Vault
	people *people
	stock  *storeroom
	till   *till
	clock  *clock
}

const holdTime = 10 * time.Minute

func newHouse(t *testing.T) *house {
	t.Helper()
	url := testenv.Database(t)
	h := &house{t: t, people: newPeople(), clock: &clock{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}}
	h.stock = &storeroom{clock: h.clock, holds: map[string]*hold{}, left: map[string]int64{"LAMP": 100, "CHAIR": 100}}
	h.till = &till{clock: h.clock, payments: map[string][]orders.Payment{}, refunds: map[string]int64{}}
	var err error
	h.pool, err = postgres.Open(t.Context(), postgres.Config{URL: url, Role: "shopd_orders", MaxConns: 12})
	require.NoError(t, err)
	t.Cleanup(h.pool.Close)
	h.owner, err = postgres.Open(t.Context(), postgres.Config{URL: url, MaxConns: 2})
	require.NoError(t, err)
	t.Cleanup(h.owner.Close)
	h.vault, err = crypto.NewVault(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	require.NoError(t, err)
	h.Service = h.replica()
	return h
}

// replica is another process of the same shop.
func (h *house) replica() *orders.Service {
	return orders.New(orders.Deps{
		DB: h.pool, Carts: h.pool, Catalog: shelf{}, Pricing: priceTags{}, Promotions: noPromotions{}, Stock: h.stock, Payments: h.till, Personal: h.people,
		Sealer: h.vault, Mailer: noMails{}, ShopName: "Test", BaseURL: "https://shop.example", TTL: holdTime, KeepGuests: 1000 * time.Hour, KeepCarts: 100 * time.Hour,
		ReturnWindow: 30 * 24 * time.Hour, Seller: orders.Seller{Name: "Test"}, Log: slog.New(slog.DiscardHandler), Now: h.clock.Now, Registerer: prometheus.NewRegistry(),
	})
}

var address = orders.Address{Name: "Ada Lovelace", Line1: "1 Square", City: "Berlin", PostalCode: "10119", Country: "DE"}

// cart is ready to be completed: two lamps and a chair, 2 × 10.00 + 5.10 + 4.90 for sending.
func (h *house) cart(customer string) (*orders.Cart, orders.Access) {
	h.t.Helper()
	ctx := h.t.Context()
	c, token, err := h.CreateCart(ctx, orders.NewCart{Currency: "EUR", Country: "DE", CustomerID: customer})
	require.NoError(h.t, err)
	a := orders.Access{CartToken: token, CustomerID: customer}
	_, err = h.AddLine(ctx, c.ID, a, orders.AddLine{SKU: "LAMP", Quantity: 2})
	require.NoError(h.t, err)
	_, err = h.AddLine(ctx, c.ID, a, orders.AddLine{SKU: "CHAIR", Quantity: 1})
	require.NoError(h.t, err)
	_, err = h.SetContact(ctx, c.ID, a, orders.Contact{Email: "ada@example.com", Shipping: address})
	require.NoError(h.t, err)
	c, err = h.SetShippingMethod(ctx, c.ID, a, "ship_standard")
	require.NoError(h.t, err)
	require.Equal(h.t, int64(3000), c.Totals.Total.Minor)
	return c, a
}

func (h *house) request(c *orders.Cart, a orders.Access) orders.CompleteRequest {
	return orders.CompleteRequest{CartID: c.ID, Access: a, Provider: "test", IdempotencyKey: id.New("key")}
}

// buys places an order and pays it.
func (h *house) buys() *orders.Order {
	h.t.Helper()
	c, a := h.cart("")
	placed, err := h.Complete(h.t.Context(), h.request(c, a))
	require.NoError(h.t, err)
	require.Equal(h.t, orders.Paid, placed.Order.Status)
	return h.order(placed.Order.ID)
}

func (h *house) order(id orders.ID) *orders.Order {
	h.t.Helper()
	o, err := h.Order(h.t.Context(), id, orders.Access{Staff: true})
	require.NoError(h.t, err)
	return o
}

// orderOf finds the one order that a cart became, nil when there is none.
func (h *house) orderOf(c *orders.Cart) *orders.Order {
	h.t.Helper()
	rows, err := h.owner.Query(h.t.Context(), `select id from orders.orders where cart_id = $1`, c.ID)
	require.NoError(h.t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[orders.ID])
	require.NoError(h.t, err)
	require.LessOrEqual(h.t, len(ids), 1)
	if len(ids) == 0 {
		return nil
	}
	return h.order(ids[0])
}

// told counts the events of a type about an order.
func (h *house) told(id orders.ID, kind string) (n int) {
	h.t.Helper()
	require.NoError(h.t, h.owner.QueryRow(h.t.Context(), `select count(*) from platform.outbox where aggregate_id = $1 and type = $2`, id, kind).Scan(&n))
	return n
}

// clock is a time that tests move on.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// crashed is what a process dies of.
type crashed struct{ at string }

// dies runs fn in a process that is killed at the point: fn must get there.
func dies(t *testing.T, at string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		require.Equal(t, crashed{at}, recover(), "the process did not get to where it dies")
	}()
	fn()
}

// weakness is where the process may be made to die or wait, by the name of the point.
type weakness struct {
	mu     sync.Mutex
	dieAt  string
	holdAt string
	held   chan struct{} // closed when somebody waits there
	leave  chan struct{} // closed when they may go on
}

// strikes at a point once.
func (w *weakness) dies(at string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dieAt = at
}

// pauses the next process that comes to the point; it waits until resume is called.
func (w *weakness) pauses(at string) (waiting <-chan struct{}, resume func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holdAt, w.held, w.leave = at, make(chan struct{}), make(chan struct{})
	return w.held, sync.OnceFunc(func() { close(w.leave) })
}

func (w *weakness) at(point string) {
	w.mu.Lock()
	die, hold := w.dieAt == point, w.holdAt == point
	held, proceed := w.held, w.leave
	if die {
		w.dieAt = ""
	}
	if hold {
		w.holdAt = ""
	}
	w.mu.Unlock()
	if hold {
		close(held)
		<-proceed
	}
	if die {
		panic(crashed{point})
	}
}

// shelf is a catalogue of two articles.
type shelf struct{}

func (shelf) CategoryPath(context.Context, string) ([]string, error) { return nil, nil }

func (shelf) Articles(_ context.Context, refs []string) (list []orders.Article, err error) {
	for _, ref := range refs {
		for _, sku := range []string{"LAMP", "CHAIR"} {
			if variant := "var_" + strings.ToLower(sku); ref == sku || ref == variant {
				list = append(list, orders.Article{
					VariantID: variant, SKU: sku, ProductID: "prod_" + strings.ToLower(sku), Slug: strings.ToLower(sku), Title: sku, Options: map[string]string{}, Purchasable: true,
				})
			}
		}
	}
	return list, nil
}

// priceTags are prices with 19 % of tax in them.
type priceTags struct{}

func (p priceTags) Show(ctx context.Context, currency money.Currency, variants []string) (map[string]orders.Price, error) {
	return p.Charge(ctx, currency, variants)
}

func (priceTags) Charge(_ context.Context, currency money.Currency, _ []string) (map[string]orders.Price, error) {
	return map[string]orders.Price{
		"var_lamp": {Amount: money.New(1000, currency), Version: 1}, "var_chair": {Amount: money.New(510, currency), Version: 1},
	}, nil
}

func (priceTags) Tax(_ context.Context, r orders.TaxRequest) (orders.Tax, error) {
	t := orders.Tax{Lines: make([]money.Amount, len(r.Lines)), Included: r.Shipping.Share(19, 119)}
	for i, l := range r.Lines {
		t.Lines[i] = money.New(0, r.Currency)
		t.Included = t.Included.Add(l.Share(19, 119))
	}
	return t, nil
}

func (priceTags) Rate(context.Context, string, string) (int64, error) { return 190_000, nil }

// noPromotions takes nothing off.
type noPromotions struct{ orders.PromotionRedeemer }

func (noPromotions) Discounts(_ context.Context, r orders.DiscountRequest) (orders.Discounts, error) {
	d := orders.Discounts{Lines: make([]money.Amount, len(r.Lines))}
	for i := range d.Lines {
		d.Lines[i] = money.New(0, r.Currency)
	}
	return d, nil
}

func (noPromotions) ExpiredClaims(context.Context, int) ([]string, error) { return nil, nil }

func (noPromotions) Release(context.Context, ...string) error { return nil }

// noMails sends nothing.
type noMails struct{}

func (noMails) Enqueue(context.Context, pgx.Tx, []orders.Letter) error { return nil }

// storeroom keeps stock as inventory does.
type storeroom struct {
	weakness
	books sync.Mutex
	clock *clock
	left  map[string]int64
	holds map[string]*hold
}

type hold struct {
	pieces   map[string]int64
	until    time.Time
	released bool
}

func (s *storeroom) Available(context.Context, []string) (map[string]int64, error) {
	s.books.Lock()
	defer s.books.Unlock()
	return maps.Clone(s.left), nil
}

func (s *storeroom) Reserve(_ context.Context, order string, pieces map[string]int64, ttl time.Duration) error {
	s.at("before reserve")
	s.books.Lock()
	if s.holds[order] == nil {
		for sku, n := range pieces {
			s.left[sku] -= n
		}
		s.holds[order] = &hold{pieces: pieces, until: s.clock.Now().Add(ttl)}
	}
	s.books.Unlock()
	s.at("after reserve")
	return nil
}

func (s *storeroom) Extend(_ context.Context, order string, ttl time.Duration) (bool, error) {
	s.books.Lock()
	defer s.books.Unlock()
	h := s.holds[order]
	if h == nil || h.released {
		return false, nil
	}
	h.until = s.clock.Now().Add(ttl)
	return true, nil
}

func (s *storeroom) Release(_ context.Context, order, _ string) error {
	s.books.Lock()
	defer s.books.Unlock()
	if h := s.holds[order]; h != nil && !h.released {
		h.released = true
		for sku, n := range h.pieces {
			s.left[sku] += n
		}
	}
	return nil
}

func (s *storeroom) ExpiredHolds(context.Context, int) (list []string, err error) {
	s.books.Lock()
	defer s.books.Unlock()
	for order, h := range s.holds {
		if !h.released && h.until.Before(s.clock.Now()) {
			list = append(list, order)
		}
	}
	return list, nil
}

// lamps are those that nobody has.
func (s *storeroom) lamps() int64 {
	s.books.Lock()
	defer s.books.Unlock()
	return s.left["LAMP"]
}

// till takes money as payments does, with a book of what it took and gave back.
type till struct {
	weakness
	books    sync.Mutex
	clock    *clock
	payments map[string][]orders.Payment // by order
	refunds  map[string]int64            // by id
	asked    int                         // how often it was asked to give back
	broken   error                       // what Refund answers, when it is not nil
}

func (t *till) Offers(string, string) bool { return true }

func (t *till) Pay(_ context.Context, order string, amount money.Amount, provider, method, _ string) (orders.Payment, error) {
	t.at("before sending")
	p := orders.Payment{
		ID: id.New("pay"), Provider: provider, Method: method, Status: "sending", Amount: amount, Captured: money.New(0, amount.Currency),
		Refunded: money.New(0, amount.Currency), CreatedAt: t.clock.Now(),
	}
	t.books.Lock()
	n := len(t.payments[order])
	for _, live := range t.payments[order] {
		if live.Status != "declined" && live.Status != "voided" {
			t.books.Unlock()
			return orders.Payment{}, orders.ErrPaymentInProgress
		}
	}
	t.payments[order] = append(t.payments[order], p)
	t.books.Unlock()
	t.at("after sending")
	if method == "declined" {
		t.end(order, "declined")
	} else {
		t.end(order, "captured")
	}
	t.at("after capture")
	t.books.Lock()
	defer t.books.Unlock()
	return t.payments[order][n], nil
}

// end is what a gateway says in the end about the payment of an order that is under way.
func (t *till) end(order, status string) {
	t.books.Lock()
	defer t.books.Unlock()
	list := t.payments[order]
	p := &list[len(list)-1]
	p.Status = status
	if status == "captured" {
		p.Captured = p.Amount
	}
}

func (t *till) ByOrders(_ context.Context, list ...string) (map[string][]orders.Payment, error) {
	t.at("before reading payments")
	t.books.Lock()
	found := make(map[string][]orders.Payment, len(list))
	for _, order := range list {
		found[order] = append([]orders.Payment(nil), t.payments[order]...)
	}
	t.books.Unlock()
	t.at("after reading payments")
	return found, nil
}

func (t *till) OrderOf(_ context.Context, payment string) (string, error) {
	t.books.Lock()
	defer t.books.Unlock()
	for order, list := range t.payments {
		for _, p := range list {
			if p.ID == payment {
				return order, nil
			}
		}
	}
	return "", fmt.Errorf("no payment %s", payment)
}

func (t *till) ConfirmTest(context.Context, string, bool) (orders.Payment, error) {
	return orders.Payment{}, orders.ErrInvalidState
}

func (t *till) Capture(context.Context, string, money.Amount) (orders.Payment, error) {
	return orders.Payment{}, orders.ErrInvalidState
}

func (t *till) Refresh(context.Context, string) (orders.Payment, error) {
	return orders.Payment{}, orders.ErrInvalidState
}

func (t *till) Void(context.Context, string) error { return nil }

func (t *till) Refund(_ context.Context, payment, refund string, amount money.Amount, _ string) error {
	t.at("before refund")
	t.books.Lock()
	t.asked++
	if t.broken != nil {
		defer t.books.Unlock()
		return t.broken
	}
	if _, known := t.refunds[refund]; !known {
		for _, list := range t.payments {
			for i := range list {
				if list[i].ID != payment {
					continue
				}
				if list[i].Refunded.Minor+amount.Minor > list[i].Captured.Minor {
					t.books.Unlock()
					return orders.ErrRefundTooLarge
				}
				list[i].Refunded = list[i].Refunded.Add(amount)
				t.refunds[refund] = amount.Minor
			}
		}
	}
	t.books.Unlock()
	t.at("after refund")
	return nil
}

// back is what of an order's money was given back, and net what the shop still has of it.
func (t *till) back(order orders.ID) (back, net int64) {
	t.books.Lock()
	defer t.books.Unlock()
	for _, p := range t.payments[string(order)] {
		back, net = back+p.Refunded.Minor, net+p.Captured.Minor-p.Refunded.Minor
	}
	return back, net
}
