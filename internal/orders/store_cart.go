package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/postgres"
)

// storedCart is a cart with what only the store and the access check see.
type storedCart struct {
	Cart
	tokenHash []byte
	sealed    []byte // the contact
	number    int64  // of the order it is about to become
}

const cartColumns = `c.id, c.token_hash, coalesce(c.customer_id, ''), c.currency, c.country, c.lines, c.contact, c.shipping_method, c.coupons, c.promotions, c.totals,
    coalesce(c.order_id, ''), c.version, c.created_at, c.updated_at`

func (c *storedCart) fields() []any {
	return []any{&c.ID, &c.tokenHash, &c.CustomerID, &c.Currency, &c.Country, &c.Lines, &c.sealed, &c.Method, &c.Coupons, &c.Promotions, &c.Totals,
		&c.OrderID, &c.Version, &c.CreatedAt, &c.UpdatedAt}
}

const insertCartSQL = `
insert into orders.carts (id, token_hash, customer_id, currency, country, lines, totals, version, created_at, updated_at)
values ($1, $2, nullif($3, ''), $4, $5, '[]', $6, 1, $7, $7)`

func insertCart(ctx context.Context, q postgres.Querier, c *Cart, hash []byte) error {
	totals, err := json.Marshal(c.Totals)
	if err != nil {
		return err
	}
	_, err = q.Exec(ctx, insertCartSQL, c.ID, hash, c.CustomerID, string(c.Currency), c.Country, totals, c.CreatedAt)
	return err
}

const cartSQL = `
select ` + cartColumns + `
from orders.carts as c
where c.id = $1`

func (s *Service) loadCart(ctx context.Context, q postgres.Querier, id CartID) (*storedCart, error) {
	if !id.valid() {
		return nil, errs.ErrNotFound
	}
	var c storedCart
	err := q.QueryRow(ctx, cartSQL, id).Scan(c.fields()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errs.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read cart %s: %w", id, err)
	}
	return &c, s.unseal(ctx, &c)
}

// contactAD binds a sealed contact to the cart it was made for; the order made from it keeps the bytes.
func contactAD(id CartID) []byte { return []byte("orders.contact|" + string(id)) }

func (s *Service) unseal(ctx context.Context, c *storedCart) (err error) {
	c.Contact, err = s.openContact(ctx, c.subject(), c.ID, c.sealed)
	return err
}

const saveCartSQL = `
update orders.carts
set customer_id = nullif($3, ''), country = $4, lines = $5, contact = $6, shipping_method = $7, totals = $8, version = version + 1, updated_at = $9,
    coupons = $11, promotions = $12
where id = $1 and version = $2 and coalesce(order_id, '') = $10`

// saveCart writes c back unless somebody else did since it was read: then it returns errStaleCart.
func (s *Service) saveCart(ctx context.Context, q postgres.Querier, c *storedCart, now time.Time) error {
	lines, err := json.Marshal(c.Lines)
	if err != nil {
		return err
	}
	totals, err := json.Marshal(c.Totals)
	if err != nil {
		return err
	}
	coupons, err := json.Marshal(c.Coupons)
	if err != nil {
		return err
	}
	promotions, err := json.Marshal(c.Promotions)
	if err != nil {
		return err
	}
	var method []byte
	if c.Method != nil {
		if method, err = json.Marshal(c.Method); err != nil {
			return err
		}
	}
	tag, err := q.Exec(ctx, saveCartSQL, c.ID, c.Version, c.CustomerID, c.Country, lines, c.sealed, method, totals, now, string(c.OrderID), coupons, promotions)
	if err != nil {
		return fmt.Errorf("write cart %s: %w", c.ID, err)
	}
	if tag.RowsAffected() == 0 {
		return errStaleCart
	}
	c.Version++
	c.UpdatedAt = now
	return nil
}

const methodsSQL = `
select id, name, estimate, prices, countries
from orders.shipping_methods
where active
order by position, id`

// methodRow is a shipping method for all currencies.
type methodRow struct {
	ID        string
	Name      string
	Estimate  string
	Prices    map[string]int64
	Countries []string
}

func shippingMethods(ctx context.Context, q postgres.Querier) ([]methodRow, error) {
	rows, err := q.Query(ctx, methodsSQL)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[methodRow])
}
