package orders

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/platform/outbox"
)

// Deps is what the service needs. All fields are required.
type Deps struct {
	DB         *pgxpool.Pool // acts as shopd_orders
	Carts      *pgxpool.Pool // the same with relaxed commits: a cart may lose its last change in a crash
	Catalog    Catalog
	Pricing    Pricing
	Promotions PromotionRedeemer
	Stock      StockReserver
	Payments   PaymentTaker
	Personal   PersonalData
	Sealer     Sealer
	Mailer     Mailer
	Methods    []PaymentMethod // the ways to pay that the storefront offers
	ShopName   string
	BaseURL    string
	TTL        time.Duration // how long stock is held for an unpaid order
	KeepGuests time.Duration // how long a guest's name and address stay readable after the order
	KeepCarts  time.Duration // how long a cart waits that nobody touches
	// ReturnWindow is how long shoppers may ask to give goods back after they were sent; then orders are completed.
	ReturnWindow time.Duration
	Seller       Seller // who writes the invoices
	Log          *slog.Logger
	Now          func() time.Time
	Registerer   prometheus.Registerer
}

// PaymentMethod is a way to pay that the storefront offers.
type PaymentMethod struct {
	Provider string `json:"provider"`
	Method   string `json:"method,omitempty"`
	Label    string `json:"label"`
	Hint     string `json:"hint,omitempty"`
}

// Service keeps carts and makes orders of them.
type Service struct {
	db, carts             *pgxpool.Pool
	catalog               Catalog
	pricing               Pricing
	promotions            PromotionRedeemer
	stock                 StockReserver
	payments              PaymentTaker
	personal              PersonalData
	sealer                Sealer
	mailer                Mailer
	offers                []PaymentMethod
	shopName              string
	baseURL               string
	ttl                   time.Duration
	keepGuests, keepCarts time.Duration
	returnWindow          time.Duration
	seller                Seller
	log                   *slog.Logger
	now                   func() time.Time
	methods               atomic.Pointer[timedMethods]
	recent                recentCarts
	metrics               *metrics
}

// New returns a Service.
func New(d Deps) *Service {
	return &Service{
		db: d.DB, carts: d.Carts, catalog: d.Catalog, pricing: d.Pricing, promotions: d.Promotions, stock: d.Stock, payments: d.Payments, personal: d.Personal, sealer: d.Sealer, mailer: d.Mailer,
		offers: d.Methods, shopName: d.ShopName, baseURL: d.BaseURL, ttl: d.TTL, returnWindow: d.ReturnWindow, seller: d.Seller, keepGuests: d.KeepGuests, keepCarts: d.KeepCarts, log: d.Log, now: d.Now, recent: newRecentCarts(), metrics: newMetrics(d.Registerer),
	}
}

type metrics struct {
	processing *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{processing: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "shopd_order_processing_seconds",
		Help:    "Time from the call that completes a cart to the order being paid, pending or refused.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"outcome"})}
	reg.MustRegister(m.processing)
	return m
}

// PaymentMethods are the ways to pay that the storefront offers.
func (s *Service) PaymentMethods() []PaymentMethod { return s.offers }

// Order returns an order with its payments; errs.ErrNotFound when access does not open it.
func (s *Service) Order(ctx context.Context, id ID, a Access) (*Order, error) {
	o, cartToken, err := s.loadOrder(ctx, s.db, id)
	if err != nil {
		return nil, err
	}
	if !s.opensOrder(a, o, cartToken) {
		return nil, errs.ErrNotFound
	}
	payments, err := s.payments.ByOrders(ctx, string(id))
	if err != nil {
		return nil, err
	}
	o.Payments = payments[string(id)]
	return o, nil
}

// Secret opens the order for a guest; it is for callers who have opened it another way.
func (s *Service) Secret(id ID) string { return s.secretOf(id) }

// CustomerOrders returns a customer's orders, newest first.
func (s *Service) CustomerOrders(ctx context.Context, customerID, after string, limit int) ([]Summary, string, error) {
	return s.List(ctx, Filter{CustomerID: customerID}, after, limit)
}

// List returns orders, newest first, with where the next page begins; empty after the last one.
func (s *Service) List(ctx context.Context, f Filter, after string, limit int) ([]Summary, string, error) {
	from, err := parseCursor(after)
	if err != nil {
		return nil, "", err
	}
	list, err := s.list(ctx, f, from, limit+1)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(list) > limit {
		list = list[:limit]
		last := list[limit-1]
		next = cursor{At: last.PlacedAt, ID: last.ID}.String()
	}
	return list, next, s.addPayments(ctx, list)
}

func (s *Service) addPayments(ctx context.Context, list []Summary) error {
	if len(list) == 0 {
		return nil
	}
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = string(list[i].ID)
	}
	payments, err := s.payments.ByOrders(ctx, ids...)
	if err != nil {
		return err
	}
	for i := range list {
		if all := payments[ids[i]]; len(all) > 0 {
			list[i].PaymentStatus = all[len(all)-1].Status
		}
	}
	return nil
}

// cursor is where a list of orders goes on.
type cursor struct {
	At time.Time `json:"t"`
	ID ID        `json:"i"`
}

func (c cursor) String() string {
	body, _ := json.Marshal(c) //nolint:errchkjson // a time and a string always encode
	return base64.RawURLEncoding.EncodeToString(body)
}

func parseCursor(s string) (*cursor, error) { return parseCursorOf("ord", s) }

// parseCursorOf reads a place in a list of what has ids of this prefix.
func parseCursorOf(prefix, s string) (*cursor, error) {
	if s == "" {
		return nil, nil
	}
	var c cursor
	body, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(body, &c) != nil || !id.Valid(prefix, string(c.ID)) {
		return nil, errs.New(errs.Invalid, "invalid_parameter", "after is not a place in this list.").
			WithFields(errs.Field{Pointer: "query/after", Code: "invalid_parameter", Detail: "use next of the page before"})
	}
	return &c, nil
}

// Cancel ends an order that was not sent yet. Its stock and its money go back. It returns ErrInvalidState for one
// that cannot be cancelled, and ErrPaymentInProgress while the gateway has not answered.
func (s *Service) Cancel(ctx context.Context, id ID, a Access, reason string) (*Order, error) {
	o, err := s.Order(ctx, id, a)
	if err != nil {
		return nil, err
	}
	cause := causeCustomer
	if a.Staff {
		cause = causeShop
	}
	return s.cancelWith(ctx, o, cause, reason, a.actor())
}

// Why an order is cancelled, as its event says. What people write as their reason is kept apart, sealed.
const (
	causeCustomer = "cancelled by the customer"
	causeShop     = "cancelled by the shop"
	causeUnpaid   = events.NotPaidInTime
)

func (s *Service) cancel(ctx context.Context, o *Order, cause, actor string) (*Order, error) {
	return s.cancelWith(ctx, o, cause, "", actor)
}

func (s *Service) cancelWith(ctx context.Context, o *Order, cause, note, actor string) (*Order, error) {
	if err := checkNote("/reason", note); err != nil {
		return nil, err
	}
	if !o.Status.May(Cancelled) {
		return nil, ErrInvalidState.WithDetail("The order is %s and cannot be cancelled.", o.Status)
	}
	if o.Credited.Minor > 0 {
		return nil, ErrInvalidState.WithDetail("A part of the order pays for another one. Cancel that one first.")
	}
	for _, p := range o.Payments {
		switch p.Status {
		case "sending", "unknown":
			return nil, ErrPaymentInProgress
		case "created", "requires_action", "authorised":
			if err := s.payments.Void(ctx, p.ID); err != nil {
				return nil, err
			}
		}
	}
	// All that was promised before goes first: cancelling gives back what is left.
	if err := s.sendRefunds(ctx, o); err != nil {
		return nil, err
	}
	ended, err := s.endOrder(ctx, o, cause, note, actor)
	if err == nil && len(o.Promotions) > 0 {
		s.unredeem(ctx, o.ID) // at once: the next order of the cart may need them
	}
	return ended, err
}

// endOrder writes that o is cancelled, with what is left of its money promised back.
func (s *Service) endOrder(ctx context.Context, o *Order, cause, note, actor string) (*Order, error) {
	wasPaid, paid := o.Status != PendingPayment, o.capturedPayment()
	if note == "" && !wasPaid {
		ev := events.OrderCancelled{OrderFacts: o.facts(s.now()), Reason: cause}
		if err := s.move(ctx, s.db, o, Cancelled, "cancelled", actor, cause, ev); err != nil {
			return nil, err
		}
		outbox.Wake()
		return s.Order(ctx, o.ID, Access{Staff: true})
	}
	seen := o.Version
	return s.amendAndRefund(ctx, o.ID, Access{Staff: true}, func(tx pgx.Tx, o *Order) error {
		if o.Version != seen {
			return errs.ErrStaleVersion
		}
		if wasPaid && paid != nil && o.Refundable().Minor > 0 {
			if err := s.promise(ctx, tx, o, cancelRefund(o, paid, actor), ""); err != nil {
				return err
			}
		}
		ev := events.OrderCancelled{OrderFacts: o.facts(s.now()), Reason: cause, WasPaid: wasPaid}
		if err := s.move(ctx, tx, o, Cancelled, "cancelled", actor, cause, ev); err != nil {
			return err
		}
		if note == "" {
			return nil
		}
		return s.note(ctx, tx, o, entry{kind: kindReason, actor: actor, note: note})
	})
}

// ConfirmTestPayment plays the bank for a payment of the test gateway and returns its order.
func (s *Service) ConfirmTestPayment(ctx context.Context, paymentID string, a Access, approve bool) (*Order, error) {
	orderID, err := s.payments.OrderOf(ctx, paymentID)
	if err != nil {
		return nil, err
	}
	o, err := s.Order(ctx, ID(orderID), a)
	if err != nil {
		return nil, err
	}
	p, err := s.payments.ConfirmTest(ctx, paymentID, approve)
	if err != nil {
		return nil, err
	}
	if p.Status == "captured" {
		if err := s.settle(ctx, o, p.ID); err != nil {
			return nil, err
		}
	}
	return s.Order(ctx, o.ID, Access{Staff: true})
}

// Capture takes the money of an order whose payment is authorised, or came another way: amount of it, or all when amount is
// nil. What is not taken is let go of, and counted as given back. Without an answer of the gateway the payment is unknown,
// which is no error; ErrInvalidState says that no payment waits.
func (s *Service) Capture(ctx context.Context, id ID, amount *money.Amount) (*Order, error) {
	o, err := s.Order(ctx, id, Access{Staff: true})
	if err != nil {
		return nil, err
	}
	all := money.New(0, o.Currency)
	switch {
	case amount == nil:
		amount = &all
	case amount.Currency != o.Currency:
		return nil, ErrCurrency.WithDetail("The order is in %s.", o.Currency)
	case amount.Minor <= 0:
		return nil, errAmount
	}
	for _, p := range o.Payments {
		if p.Status != "authorised" && p.Status != "created" {
			continue
		}
		p, err := s.payments.Capture(ctx, p.ID, *amount)
		if err != nil {
			return nil, err
		}
		if p.Status != "captured" {
			return s.Order(ctx, id, Access{Staff: true})
		}
		if o, err = s.Order(ctx, id, Access{Staff: true}); err != nil {
			return nil, err
		}
		if err := s.settle(ctx, o, p.ID); err != nil {
			return nil, err
		}
		return s.Order(ctx, id, Access{Staff: true})
	}
	return nil, ErrInvalidState.WithDetail("The order has no payment that waits to be captured.")
}

// Actions are what staff may do with an order now.
func (o *Order) Actions() []string {
	actions := []string{}
	if o.Status.May(Cancelled) && o.Credited.Minor == 0 {
		actions = append(actions, "cancel")
	}
	if o.Status == Paid || o.Status == PartiallyFulfilled {
		actions = append(actions, "fulfil", "edit")
	}
	if o.Refundable().Minor > 0 {
		actions = append(actions, "refund")
	}
	if slices.ContainsFunc(o.Lines, func(l Line) bool { return o.Returnable(l.ID) > 0 }) {
		actions = append(actions, "return")
	}
	if (o.Status == PendingPayment || o.Status == Paid) && len(o.Fulfilments) == 0 {
		actions = append(actions, "address")
	}
	if p := o.latestPayment(); o.Status == PendingPayment && (p.Status == "authorised" || p.Status == "created") {
		actions = append(actions, "capture")
	}
	return actions
}

// describe names an order for people.
func (o *Order) describe() string { return fmt.Sprintf("#%d", o.Number) }

func firstName(name string) string {
	first, _, _ := strings.Cut(name, " ")
	return first
}

// Day sums up the paid orders of one day (UTC).
type Day struct {
	Date    time.Time
	Orders  int64
	Revenue money.Amount
}

// DailySales returns the last days, today last, of orders in the currency that were paid, and how many orders wait
// to be sent.
func (s *Service) DailySales(ctx context.Context, currency money.Currency, days int) ([]Day, int64, error) {
	today := s.now().Truncate(24 * time.Hour)
	list := make([]Day, days)
	for i := range list {
		list[i] = Day{Date: today.AddDate(0, 0, i-days+1), Revenue: money.New(0, currency)}
	}
	toFulfil, err := s.dailySales(ctx, list, currency)
	if err != nil {
		return nil, 0, fmt.Errorf("sum up sales: %w", err)
	}
	return list, toFulfil, nil
}
