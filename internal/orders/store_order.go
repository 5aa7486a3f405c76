package orders

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/events"
	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/outbox"
	"shopd/internal/platform/postgres"
)

// digest names a request: who called, and under which key.
func digest(r CompleteRequest) []byte {
	h := sha256.Sum256([]byte(string(r.CartID) + "\x00" + r.IdempotencyKey))
	return h[:]
}

// openOrder is the order that a cart became.
type openOrder struct {
	id      ID
	request []byte
}

const cartForOrderSQL = `
select ` + cartColumns + `, coalesce(o.id, ''), o.request, case when o.id is null then nextval('orders.order_numbers') else o.number end
from orders.carts as c
left join orders.orders as o on o.cart_id = c.id and o.status <> 'cancelled'
where c.id = $1`

// loadForOrder reads a cart together with its living order, if it has one, or with the number of the order to be.
func (s *Service) loadForOrder(ctx context.Context, id CartID) (*storedCart, *openOrder, error) {
	if !id.valid() {
		return nil, nil, errs.ErrNotFound
	}
	var c storedCart
	var o openOrder
	err := s.db.QueryRow(ctx, cartForOrderSQL, id).Scan(append(c.fields(), &o.id, &o.request, &c.number)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil, errs.ErrNotFound
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read cart %s: %w", id, err)
	}
	if err := s.unseal(ctx, &c); err != nil {
		return nil, nil, err
	}
	if o.id == "" {
		return &c, nil, nil
	}
	return &c, &o, nil
}

const liveStatusSQL = `
select status
from orders.orders
where cart_id = $1 and status <> 'cancelled'`

// liveStatus says where the order stands that a cart became; empty when there is none.
func (s *Service) liveStatus(ctx context.Context, id CartID) (status Status, err error) {
	err = s.db.QueryRow(ctx, liveStatusSQL, id).Scan(&status)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return status, err
}

// insertOrderSQL writes an order with its lines, its history and its event, and ties the cart to it if the cart
// is still the version that was priced. All of it is one statement, so it happens or it does not.
var insertOrderSQL = `
with cart as (
    update orders.carts
    set order_id = $1
    where id = $2 and version = $3
    returning id
), placed as (
    insert into orders.orders (
        id, cart_id, cart_version, request, customer_id, status, currency, subtotal, discount, shipping, tax, tax_included, total,
        shipping_method, contact, email_index, pieces, placed_at, pay_by, number, promotions
    )
    select $1, id, $3, $4, nullif($5, ''), 'pending_payment', $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $43
    from cart
    returning id, number
), lines as (
    insert into orders.order_lines (
        order_id, id, position, variant_id, product_id, sku, slug, title, options, image, quantity, unit_price, discount, tax, total
    )
    select p.id, l.id, l.position, l.variant_id, l.product_id, l.sku, l.slug, l.title, l.options::jsonb, l.image, l.quantity, l.unit_price, l.discount,
        l.tax, l.total
    from placed as p
    cross join unnest(
        $20::text[], $21::int[], $22::text[], $23::text[], $24::text[], $25::text[], $26::text[], $27::text[], $28::text[], $29::int[],
        $30::bigint[], $31::bigint[], $32::bigint[], $33::bigint[]
    ) as l (id, position, variant_id, product_id, sku, slug, title, options, image, quantity, unit_price, discount, tax, total)
), history as (
    insert into orders.order_history (order_id, version, kind, to_status, actor, at)
    select id, 1, 'placed', 'pending_payment', $34, $17
    from placed
), announced as (` + outbox.InsertSQL(35) + `
)
select number from placed`

// insertOrder writes a new order and sets its number. It returns ErrCartChanged when the cart is another one by
// now, and ErrPaymentInProgress when another request made an order of it first.
func (s *Service) insertOrder(ctx context.Context, q postgres.Querier, o *Order, contact, request []byte, actor string, payBy time.Time) error {
	facts := o.facts(o.PlacedAt)
	facts.Version = 1
	event, err := outbox.Rows(ctx, o.PlacedAt, events.OrderPlaced{OrderFacts: facts})
	if err != nil {
		return err
	}
	method, err := json.Marshal(o.Method)
	if err != nil {
		return err
	}
	promotions, err := json.Marshal(o.Promotions)
	if err != nil {
		return err
	}
	lines, err := lineColumns(o.Lines)
	if err != nil {
		return err
	}
	t := o.Totals
	args := []any{
		o.ID, o.CartID, o.CartVersion, request, o.CustomerID, string(o.Currency), t.Subtotal.Minor, t.Discount.Minor, t.Shipping.Minor, t.Tax.Minor,
		t.TaxIncluded.Minor, t.Total.Minor, method, contact, s.emailIndex(o.Contact.Email), o.Pieces(), o.PlacedAt, payBy, o.Number,
	}
	args = append(args, lines...)
	args = append(args, actor)
	args = append(args, event...)
	args = append(args, promotions)
	err = q.QueryRow(ctx, insertOrderSQL, args...).Scan(&o.Number)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ErrCartChanged
	case postgres.Violates(err, "one_live_order_per_cart"):
		return ErrPaymentInProgress
	case err != nil:
		return fmt.Errorf("write order of cart %s: %w", o.CartID, err)
	}
	o.History = []HistoryEntry{{At: o.PlacedAt, Kind: "placed", Actor: actor}}
	return nil
}

func (s *Service) emailIndex(email string) []byte {
	return s.sealer.BlindIndex("email|" + strings.ToLower(email))
}

func lineColumns(lines []Line) ([]any, error) {
	n := len(lines)
	ids, positions, variants, products, skus := make([]string, n), make([]int32, n), make([]string, n), make([]string, n), make([]string, n)
	slugs, titles, options, images, quantities := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]int32, n)
	prices, discounts, taxes, totals := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	for i, l := range lines {
		choice, err := json.Marshal(l.Options)
		if err != nil {
			return nil, err
		}
		ids[i], positions[i], variants[i], products[i], skus[i] = l.ID, int32(i), l.VariantID, l.ProductID, l.SKU
		slugs[i], titles[i], options[i], images[i], quantities[i] = l.Slug, l.Title, string(choice), l.Image, int32(l.Quantity)
		prices[i], discounts[i], taxes[i], totals[i] = l.UnitPrice.Minor, l.Discount.Minor, l.Tax.Minor, l.Total.Minor
	}
	return []any{ids, positions, variants, products, skus, slugs, titles, options, images, quantities, prices, discounts, taxes, totals}, nil
}

// moveSQL takes an order along one edge if it still has the version the caller has seen, with history and event.
var moveSQL = `
with moved as (
    update orders.orders
    set status = $3, version = version + 1, pay_by = null,
        paid_at = case when $3 = 'paid' then $4 else paid_at end,
        cancelled_at = case when $3 = 'cancelled' then $4 else cancelled_at end
    where id = $1 and version = $2 and status = any($5::text[])
    returning id, version
), history as (
    insert into orders.order_history (order_id, version, kind, from_status, to_status, actor, detail, at)
    select id, version, $6, $7, $3, $8, $9, $4
    from moved
), announced as (
    insert into platform.outbox (event_id, type, version, aggregate_id, aggregate_version, data, trace, occurred_at)
    select e.event_id, e.type, e.version, e.aggregate_id, e.aggregate_version, e.data::json, $16, $17
    from moved as m
    cross join unnest($10::text[], $11::text[], $12::int[], $13::text[], $14::bigint[], $15::text[])
        as e (event_id, type, version, aggregate_id, aggregate_version, data)
)
select version from moved`

// move takes o to next and announces it with ev. It returns ErrInvalidState for an edge that does not exist and
// errs.ErrStaleVersion when somebody else moved it first.
func (s *Service) move(ctx context.Context, q postgres.Querier, o *Order, next Status, kind, actor, detail string, ev events.Event) error {
	if !o.Status.May(next) {
		return ErrInvalidState.WithDetail("The order is %s and cannot become %s.", o.Status, next)
	}
	now := s.now()
	event, err := outbox.Rows(ctx, now, ev)
	if err != nil {
		return err
	}
	args := append([]any{o.ID, o.Version, string(next), now, sourcesOf(next), kind, string(o.Status), actor, detail}, event...)
	if err := q.QueryRow(ctx, moveSQL, args...).Scan(&o.Version); err != nil {
		if errors.Is(err, pgx.ErrNoRows) {
			return errs.ErrStaleVersion
		}
		return err
	}
	o.Status = next
	if next == Paid {
		o.PaidAt = &now
	}
	o.History = append(o.History, HistoryEntry{At: now, Kind: kind, Actor: actor, Detail: detail})
	return nil
}

// sourcesOf returns the states from which an order may go to next.
func sourcesOf(next Status) []string {
	var from []string
	for s := range transitions {
		if s.May(next) {
			from = append(from, string(s))
		}
	}
	return from
}

const orderSQL = `
select
    o.id, o.number, o.cart_id, o.cart_version, coalesce(o.customer_id, ''), o.status, o.currency,
    o.subtotal, o.discount, o.shipping, o.tax, o.tax_included, o.total, o.shipping_method, o.promotions, o.contact, o.version, o.placed_at, o.paid_at,
    (
        select json_agg(json_build_object(
            'id', l.id, 'variant_id', l.variant_id, 'sku', l.sku, 'product_id', l.product_id, 'slug', l.slug, 'title', l.title,
            'options', l.options, 'image', l.image, 'quantity', l.quantity, 'fulfilled_quantity', l.fulfilled,
            'cancelled_quantity', l.cancelled, 'returned_quantity', l.returned,
            'unit_price', json_build_object('amount', l.unit_price, 'currency', o.currency),
            'discount', json_build_object('amount', l.discount, 'currency', o.currency),
            'tax', json_build_object('amount', l.tax, 'currency', o.currency),
            'total', json_build_object('amount', l.total, 'currency', o.currency)
        ) order by l.position)
        from orders.order_lines as l
        where l.order_id = o.id
    ),
    (
        select coalesce(json_agg(json_build_object('at', h.at, 'kind', h.kind, 'actor', h.actor, 'detail', h.detail) order by h.version), '[]')
        from orders.order_history as h
        where h.order_id = o.id
    ),
    (
        select coalesce(json_agg(json_build_object(
            'id', f.id, 'lines', f.lines, 'carrier', f.carrier, 'tracking', f.tracking, 'tracking_url', f.tracking_url, 'created_at', f.created_at
        ) order by f.created_at, f.id), '[]')
        from orders.fulfilments as f
        where f.order_id = o.id
    ),
    (select c.token_hash from orders.carts as c where c.id = o.cart_id),
    o.refunded, o.credited, o.shipping_refunded,
    (
        select coalesce(json_agg(json_build_object(
            'id', r.id, 'state', r.state, 'amount', json_build_object('amount', r.amount, 'currency', o.currency),
            'shipping', json_build_object('amount', r.shipping, 'currency', o.currency), 'lines', r.lines, 'reason', r.reason,
            'return_id', coalesce(r.return_id, ''), 'actor', r.actor, 'created_at', r.created_at
        ) order by r.created_at, r.id), '[]')
        from orders.refunds as r
        where r.order_id = o.id
    ),
    (
        select coalesce(json_agg(json_build_object(
            'id', r.id, 'status', r.status, 'reason', r.reason, 'sealed', encode(r.note, 'base64'), 'lines', r.lines, 'exchange', r.exchange,
            'refund_id', coalesce(r.refund_id, ''), 'exchange_order_id', coalesce(r.exchange_order_id, ''), 'actor', r.actor,
            'created_at', r.created_at, 'updated_at', r.updated_at
        ) order by r.created_at, r.id), '[]')
        from orders.returns as r
        where r.order_id = o.id
    ),
    (
        select coalesce(json_agg(json_build_object(
            'id', d.id, 'kind', d.kind, 'series', d.series, 'position', d.number, 'refund_id', coalesce(d.refund_id, ''), 'issued_at', d.issued_at
        ) order by d.issued_at, d.id), '[]')
        from orders.documents as d
        where d.order_id = o.id
    ),
    (
        select coalesce(json_agg(json_build_object(
            'order_id', s.order_id, 'parent_id', s.parent_id, 'kind', s.kind, 'return_id', coalesce(s.return_id, ''),
            'credit', json_build_object('amount', s.credit, 'currency', o.currency), 'number', c.number, 'status', c.status,
            'total', json_build_object('amount', c.total, 'currency', o.currency)
        ) order by s.created_at, s.order_id), '[]')
        from orders.supplements as s
        join orders.orders as c on c.id = s.order_id
        where s.parent_id = o.id or s.order_id = o.id
    )
from orders.orders as o
where o.id = $1`

// loadOrder reads an order without its payments, and the hash of its cart's token.
func (s *Service) loadOrder(ctx context.Context, q postgres.Querier, id ID) (*Order, []byte, error) {
	if !id.valid() {
		return nil, nil, errs.ErrNotFound
	}
	var o Order
	var contact, cartToken []byte
	var returns []returnRow
	var belongs []Supplement
	err := q.QueryRow(ctx, orderSQL, id).Scan(&o.ID, &o.Number, &o.CartID, &o.CartVersion, &o.CustomerID, &o.Status, &o.Currency,
		&o.Totals.Subtotal.Minor, &o.Totals.Discount.Minor, &o.Totals.Shipping.Minor, &o.Totals.Tax.Minor, &o.Totals.TaxIncluded.Minor, &o.Totals.Total.Minor,
		&o.Method, &o.Promotions, &contact, &o.Version, &o.PlacedAt, &o.PaidAt, &o.Lines, &o.History, &o.Fulfilments, &cartToken,
		&o.Refunded.Minor, &o.Credited.Minor, &o.ShippingRefunded.Minor, &o.Refunds, &returns, &o.Documents, &belongs)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil, errs.ErrNotFound
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read order %s: %w", id, err)
	}
	for _, a := range []*money.Amount{
		&o.Totals.Subtotal, &o.Totals.Discount, &o.Totals.Shipping, &o.Totals.Tax, &o.Totals.TaxIncluded, &o.Totals.Total,
		&o.Refunded, &o.Credited, &o.ShippingRefunded,
	} {
		a.Currency = o.Currency
	}
	o.setBelongs(belongs)
	return &o, cartToken, s.openOrder(ctx, &o, contact, returns)
}

// returnRow is a return with its note as it is stored.
type returnRow struct {
	Return
	Sealed []byte `json:"sealed"`
}

// openOrder fills in what is personal of an order, with one look at its person's key. Of who was erased it stays empty.
func (s *Service) openOrder(ctx context.Context, o *Order, contact []byte, returns []returnRow) error {
	list := []sealedFor{{o.subject(), contact, contactAD(o.CartID)}}
	for _, r := range returns {
		list = append(list, sealedFor{o.subject(), r.Sealed, noteAD(o.ID)})
	}
	opened, err := s.openAll(ctx, list)
	if err != nil {
		return err
	}
	o.Returns = make([]Return, len(returns))
	for i, r := range returns {
		o.Returns[i] = r.Return
		o.Returns[i].Note = string(opened[i+1])
	}
	if opened[0] == nil {
		return nil
	}
	return json.Unmarshal(opened[0], &o.Contact)
}

// setBelongs sorts what the order belongs to from what belongs to it.
func (o *Order) setBelongs(list []Supplement) {
	o.Supplements = []Supplement{}
	for i := range list {
		if list[i].OrderID == o.ID {
			o.Parent = &list[i]
			continue
		}
		o.Supplements = append(o.Supplements, list[i])
	}
}

// Summary is an order in a list.
type Summary struct {
	ID            ID
	Number        int64
	Status        Status
	Email         string
	Name          string
	Total         money.Amount
	Pieces        int
	PlacedAt      time.Time
	Image         string // of the first line
	PaymentStatus string
}

// Filter narrows a list of orders down. Empty fields do not.
type Filter struct {
	CustomerID string
	Status     Status
	Number     int64
	Email      string
}

const summariesSQL = `
select o.id, o.number, o.status, o.cart_id, coalesce(o.customer_id, ''), o.contact, o.currency, o.total, o.pieces, o.placed_at,
    coalesce((select l.image from orders.order_lines as l where l.order_id = o.id order by l.position limit 1), '')
from orders.orders as o
where %s
order by o.placed_at desc, o.id desc
limit %d`

// list returns orders, newest first, that come after the given one.
func (s *Service) list(ctx context.Context, f Filter, after *cursor, limit int) ([]Summary, error) {
	conditions, args := []string{"true"}, []any{}
	where := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		conditions = append(conditions, condition)
	}
	if f.CustomerID != "" {
		where("o.customer_id = ?", f.CustomerID)
	}
	if f.Status != "" {
		where("o.status = ?", string(f.Status))
	}
	if f.Number != 0 {
		where("o.number = ?", f.Number)
	}
	if f.Email != "" {
		where("o.email_index = ?", s.emailIndex(f.Email))
	}
	if after != nil {
		where("(o.placed_at, o.id) < (?, ?)", after.At, after.ID)
	}
	rows, err := s.db.Query(ctx, fmt.Sprintf(summariesSQL, strings.Join(conditions, " and "), limit), args...)
	if err != nil {
		return nil, fmt.Errorf("list orders: %w", err)
	}
	var contacts []sealedFor
	sums, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Summary, error) {
		var sum Summary
		var cart CartID
		var customer string
		var contact []byte
		err := row.Scan(&sum.ID, &sum.Number, &sum.Status, &cart, &customer, &contact, &sum.Total.Currency, &sum.Total.Minor, &sum.Pieces, &sum.PlacedAt, &sum.Image)
		contacts = append(contacts, sealedFor{subjectOf(customer, cart), contact, contactAD(cart)})
		return sum, err
	})
	if err != nil {
		return nil, fmt.Errorf("list orders: %w", err)
	}
	return sums, s.addNames(ctx, sums, contacts)
}

// addNames opens the contacts that belong to sums; who was erased has none.
func (s *Service) addNames(ctx context.Context, sums []Summary, contacts []sealedFor) error {
	opened, err := s.openAll(ctx, contacts)
	if err != nil {
		return err
	}
	for i, plain := range opened {
		if plain == nil {
			continue
		}
		var c Contact
		if err := json.Unmarshal(plain, &c); err != nil {
			return err
		}
		sums[i].Email, sums[i].Name = c.Email, c.Shipping.Name
	}
	return nil
}

const overdueSQL = `
select id
from orders.orders
where status = 'pending_payment' and pay_by < $1
order by pay_by
limit $2`

func (s *Service) overdue(ctx context.Context, limit int) ([]ID, error) {
	rows, err := s.db.Query(ctx, overdueSQL, s.now(), limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[ID])
}

const postponeSQL = `
update orders.orders
set pay_by = $2
where id = $1 and status = 'pending_payment'`

const keepOpenSQL = `
update orders.orders
set pay_by = greatest(pay_by, $2)
where id = $1 and status = 'pending_payment'`

// keepOpen lets an order wait for its money until payBy at least.
func (s *Service) keepOpen(ctx context.Context, id ID, payBy time.Time) error {
	_, err := s.db.Exec(ctx, keepOpenSQL, id, payBy)
	return err
}

func (s *Service) postpone(ctx context.Context, id ID, payBy time.Time) error {
	_, err := s.db.Exec(ctx, postponeSQL, id, payBy)
	return err
}

const statesSQL = `
select id, status
from orders.orders
where id = any($1::text[])`

func (s *Service) states(ctx context.Context, ids []string) (map[string]Status, error) {
	rows, err := s.db.Query(ctx, statesSQL, ids)
	if err != nil {
		return nil, err
	}
	states := make(map[string]Status, len(ids))
	var id string
	var status Status
	_, err = pgx.ForEachRow(rows, []any{&id, &status}, func() error {
		states[id] = status
		return nil
	})
	return states, err
}

const dailySalesSQL = `
select (placed_at at time zone 'UTC')::date - $1::date, count(*), sum(total)::bigint
from orders.orders
where placed_at >= $1 and currency = $2 and paid_at is not null and status <> 'cancelled'
group by 1`

const toFulfilSQL = `
select count(*)
from orders.orders
where status in ('paid', 'partially_fulfilled')`

// dailySales fills the days, which follow each other, and counts the orders that wait to be sent.
func (s *Service) dailySales(ctx context.Context, days []Day, currency money.Currency) (toFulfil int64, err error) {
	rows, err := s.db.Query(ctx, dailySalesSQL, days[0].Date, string(currency))
	if err != nil {
		return 0, err
	}
	var index int
	var orders, revenue int64
	if _, err := pgx.ForEachRow(rows, []any{&index, &orders, &revenue}, func() error {
		if index >= 0 && index < len(days) {
			days[index].Orders, days[index].Revenue.Minor = orders, revenue
		}
		return nil
	}); err != nil {
		return 0, err
	}
	return toFulfil, s.db.QueryRow(ctx, toFulfilSQL).Scan(&toFulfil)
}
