package orders

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/postgres"
)

const forgetCustomersSQL = `
with theirs as (
    update orders.orders
    set contact = null, email_index = null
    where customer_id = any($1::text[])
    returning id, status
), carts as (
    update orders.carts
    set contact = null
    where customer_id = any($1::text[]) and contact is not null
), returned as (
    update orders.returns
    set note = null
    where order_id in (select id from theirs) and note is not null
), logged as (
    update orders.order_log
    set note = null
    where order_id in (select id from theirs) and note is not null
), documents as (
    update orders.documents
    set buyer = null
    where order_id in (select id from theirs)
), parcels as (
    update orders.fulfilments
    set tracking = '', tracking_url = ''
    where order_id in (select id from theirs)
)
insert into orders.order_log (order_id, kind, actor, at)
select id, 'erased', 'system', $2
from theirs`

// forgetCustomers empties everything that orders keep of customers in a readable or sealed form, but the figures.
func forgetCustomers(ctx context.Context, tx pgx.Tx, customers []string, now time.Time) error {
	_, err := tx.Exec(ctx, forgetCustomersSQL, customers, now)
	return err
}

const guestsBeforeSQL = `
select o.cart_id
from orders.orders as o
where o.customer_id is null and o.contact is not null and o.placed_at < $1
    and o.status in ('fulfilled', 'completed', 'cancelled')
    and not exists (
        select
        from orders.orders as l
        where l.cart_id = o.cart_id and l.status <> 'cancelled'
            and (l.placed_at >= $1 or l.status in ('pending_payment', 'paid', 'partially_fulfilled'))
    )
order by o.placed_at
limit $2`

// guestsBefore returns the carts of guests who ordered before the time and wait for nothing.
func (s *Service) guestsBefore(ctx context.Context, before time.Time, limit int) ([]string, error) {
	return s.cartIDs(ctx, guestsBeforeSQL, before, limit)
}

const abandonedBeforeSQL = `
select id
from orders.carts
where created_at < $1 and updated_at < $1 and order_id is null
limit $2`

// abandonedBefore returns carts that nobody touched since the time and that never became an order.
func (s *Service) abandonedBefore(ctx context.Context, before time.Time, limit int) ([]string, error) {
	return s.cartIDs(ctx, abandonedBeforeSQL, before, limit)
}

func (s *Service) cartIDs(ctx context.Context, sql string, args ...any) ([]string, error) {
	rows, err := s.db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

const blankGuestsSQL = `
with theirs as (
    update orders.orders
    set contact = null, email_index = null
    where cart_id = any($1::text[]) and customer_id is null
    returning id
), carts as (
    update orders.carts
    set contact = null
    where id = any($1::text[])
), returned as (
    update orders.returns
    set note = null
    where order_id in (select id from theirs) and note is not null
), logged as (
    update orders.order_log
    set note = null
    where order_id in (select id from theirs) and note is not null
), documents as (
    update orders.documents
    set buyer = null
    where order_id in (select id from theirs)
)
update orders.fulfilments
set tracking = '', tracking_url = ''
where order_id in (select id from theirs)`

func (s *Service) blankGuests(ctx context.Context, carts []string) error {
	_, err := s.db.Exec(ctx, blankGuestsSQL, carts)
	return err
}

const deleteCartsSQL = `
delete from orders.carts
where id = any($1::text[]) and order_id is null`

func (s *Service) deleteCarts(ctx context.Context, carts []string) error {
	_, err := s.db.Exec(ctx, deleteCartsSQL, carts)
	return err
}

// contactRow is the sealed contact of an order or a cart.
type contactRow struct {
	key      string // of the row: an order's or a cart's id
	cart     CartID
	customer string
	contact  []byte
}

// contactsAfterSQL walks through the carts and then the orders: "cart_…" sorts before "ord_…".
const contactsAfterSQL = `
select key, cart, customer, contact
from (
    (
        select id as key, id as cart, coalesce(customer_id, '') as customer, contact
        from orders.carts
        where id > $1::text
        order by id
        limit $2
    )
    union all
    (
        select id, cart_id, coalesce(customer_id, ''), contact
        from orders.orders
        where id > $1::text
        order by id
        limit $2
    )
) as both_kinds
order by key
limit $2`

func (s *Service) contactsAfter(ctx context.Context, after string, limit int) ([]contactRow, error) {
	rows, err := s.db.Query(ctx, contactsAfterSQL, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (contactRow, error) {
		var c contactRow
		return c, row.Scan(&c.key, &c.cart, &c.customer, &c.contact)
	})
}

const replaceContactSQL = `
with orders_row as (
    update orders.orders
    set contact = $3
    where id = $1 and contact = $2
)
update orders.carts
set contact = $3
where id = $1 and contact = $2`

// replaceContact puts a contact in the place of the one that was read; nothing happens when it changed meanwhile.
func (s *Service) replaceContact(ctx context.Context, row contactRow, sealed []byte) error {
	return postgres.Retry(ctx, func() error {
		_, err := s.db.Exec(ctx, replaceContactSQL, row.key, row.contact, sealed)
		return err
	})
}
