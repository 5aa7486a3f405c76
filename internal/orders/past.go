package orders

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/money"
	"shopd/internal/platform/id"
	"shopd/internal/platform/postgres"
)

// PastOrder is a paid order from before it came into the shop. Its tax and its shipping are computed as the shop
// does today.
type PastOrder struct {
	ID         ID     // one that is there already stays as it is
	CustomerID string // empty for a guest
	Contact    Contact
	Currency   money.Currency
	Lines      []PastLine
	// ShippingMethod is the name of one of the shop's methods; empty when nothing had to be sent.
	ShippingMethod string
	PlacedAt       time.Time
	PaidAt         time.Time
	FulfilledAt    time.Time // zero while it waits to be sent
	CancelledAt    time.Time // zero for an order that lives; it excludes FulfilledAt
}

// PastLine is a variant and what it was sold for.
type PastLine struct {
	SKU       string
	Quantity  int
	UnitPrice money.Amount
}

// PastTotal tells what an imported order came to.
type PastTotal struct {
	ID    ID
	Total money.Amount
}

// download is how orders are sent that need no parcel.
const download = "Download"

// ImportPast writes orders of the past with their lines, history and parcels, all of them or none, numbered in the
// order of the list; it returns what each came to. Stock is not touched, nobody gets a mail, and no event is told.
func (s *Service) ImportPast(ctx context.Context, list []PastOrder) ([]PastTotal, error) {
	if len(list) == 0 {
		return nil, nil
	}
	orders, err := s.drawPast(ctx, list)
	if err != nil {
		return nil, fmt.Errorf("import orders: %w", err)
	}
	var totals []PastTotal
	err = postgres.InTx(ctx, s.db, func(tx pgx.Tx) error {
		known, err := totalsOf(ctx, tx, orders)
		if err != nil {
			return err
		}
		totals = make([]PastTotal, len(orders))
		var rows pastRows
		for i, o := range orders {
			total, ok := known[o.ID]
			if !ok {
				total = o.Totals.Total
				if err := s.addPast(ctx, &rows, o, list[i]); err != nil {
					return err
				}
			}
			totals[i] = PastTotal{ID: o.ID, Total: total}
		}
		return rows.copy(ctx, tx)
	})
	if err != nil {
		return nil, fmt.Errorf("import orders: %w", err)
	}
	return totals, nil
}

// drawPast makes the orders without writing them.
func (s *Service) drawPast(ctx context.Context, list []PastOrder) ([]*Order, error) {
	var skus []string
	for _, p := range list {
		for _, l := range p.Lines {
			skus = append(skus, l.SKU)
		}
	}
	slices.Sort(skus)
	found, err := s.catalog.Articles(ctx, slices.Compact(skus))
	if err != nil {
		return nil, err
	}
	articles := make(map[string]Article, len(found))
	for _, a := range found {
		articles[a.SKU] = a
	}
	methods, err := shippingMethods(ctx, s.db)
	if err != nil {
		return nil, err
	}
	orders := make([]*Order, len(list))
	for i, p := range list {
		if orders[i], err = s.drawOne(ctx, p, articles, methods); err != nil {
			return nil, fmt.Errorf("order %s: %w", p.ID, err)
		}
	}
	return orders, nil
}

func (s *Service) drawOne(ctx context.Context, p PastOrder, articles map[string]Article, methods []methodRow) (*Order, error) {
	if err := p.Contact.check(); err != nil {
		return nil, err
	}
	method, err := p.method(methods)
	if err != nil {
		return nil, err
	}
	c := Cart{ID: CartID(id.Derive("cart", string(p.ID))), CustomerID: p.CustomerID, Currency: p.Currency, Contact: &p.Contact, Method: &method, Version: 1}
	for _, l := range p.Lines {
		a, ok := articles[l.SKU]
		if !ok {
			return nil, ErrNotPurchasable.WithDetail("There is no article %s.", l.SKU)
		}
		if l.Quantity < 1 || l.Quantity > MaxQuantity || l.UnitPrice.Currency != p.Currency {
			return nil, ErrQuantity.WithDetail("%s: %d pieces at %s cannot be ordered.", l.SKU, l.Quantity, l.UnitPrice)
		}
		line := newCartLine(a, Price{Amount: l.UnitPrice})
		line.Quantity = l.Quantity
		c.Lines = append(c.Lines, line)
	}
	if c.Empty() {
		return nil, ErrInvalidState.WithDetail("The order has no lines.")
	}
	if err := s.sum(ctx, &c); err != nil {
		return nil, err
	}
	o, err := s.draw(ctx, &storedCart{Cart: c})
	if err != nil {
		return nil, err
	}
	o.ID, o.PlacedAt = p.ID, p.PlacedAt
	return o, nil
}

func (p *PastOrder) method(methods []methodRow) (ShippingMethod, error) {
	if p.ShippingMethod == "" {
		return ShippingMethod{ID: "none", Name: download, Price: money.New(0, p.Currency)}, nil
	}
	i := slices.IndexFunc(methods, func(m methodRow) bool { return m.Name == p.ShippingMethod })
	if i < 0 {
		return ShippingMethod{}, ErrShippingMethod
	}
	price, ok := methods[i].Prices[string(p.Currency)]
	if !ok {
		return ShippingMethod{}, ErrCurrency
	}
	return ShippingMethod{ID: methods[i].ID, Name: methods[i].Name, Estimate: methods[i].Estimate, Price: money.New(price, p.Currency)}, nil
}

const totalsOfSQL = `
select id, total, currency
from orders.orders
where id = any($1::text[])`

func totalsOf(ctx context.Context, q postgres.Querier, orders []*Order) (map[ID]money.Amount, error) {
	ids := make([]string, len(orders))
	for i, o := range orders {
		ids[i] = string(o.ID)
	}
	rows, err := q.Query(ctx, totalsOfSQL, ids)
	if err != nil {
		return nil, err
	}
	known := map[ID]money.Amount{}
	var order ID
	var total money.Amount
	_, err = pgx.ForEachRow(rows, []any{&order, &total.Minor, &total.Currency}, func() error {
		known[order] = total
		return nil
	})
	return known, err
}

// pastRows are the rows of orders for one COPY into each table.
type pastRows struct{ orders, lines, history, fulfilments [][]any }

var (
	pastOrderColumns = []string{
		"id", "number", "cart_id", "cart_version", "customer_id", "status", "currency", "subtotal", "discount", "shipping", "tax", "tax_included", "total",
		"shipping_method", "contact", "email_index", "pieces", "version", "placed_at", "paid_at", "cancelled_at",
	}
	pastLineColumns = []string{
		"order_id", "id", "position", "variant_id", "product_id", "sku", "slug", "title", "options", "image", "quantity", "fulfilled", "unit_price", "discount",
		"tax", "total",
	}
	pastHistoryColumns    = []string{"order_id", "version", "kind", "from_status", "to_status", "actor", "detail", "at"}
	pastFulfilmentColumns = []string{"id", "order_id", "lines", "tracking", "created_at"}
)

// numberColumn is where an order's number stands among its columns; it is drawn when the rows are written.
const numberColumn = 1

func (s *Service) addPast(ctx context.Context, rows *pastRows, o *Order, p PastOrder) error {
	if err := rows.addHistory(o, p); err != nil {
		return err
	}
	sealed, err := s.sealContact(ctx, o.subject(), o.CartID, o.Contact)
	if err != nil {
		return err
	}
	t := o.Totals
	rows.orders = append(rows.orders, []any{
		string(o.ID), int64(0), string(o.CartID), o.CartVersion, orNull(o.CustomerID), string(o.Status), string(o.Currency), t.Subtotal.Minor,
		t.Discount.Minor, t.Shipping.Minor, t.Tax.Minor, t.TaxIncluded.Minor, t.Total.Minor, o.Method, sealed, s.emailIndex(o.Contact.Email), o.Pieces(),
		o.Version, o.PlacedAt, p.PaidAt, timeOrNull(p.CancelledAt),
	})
	parcel := []LinePieces{}
	for i, l := range o.Lines {
		fulfilled := 0
		if o.Status == Fulfilled {
			fulfilled = l.Quantity
			parcel = append(parcel, LinePieces{LineID: l.ID, Quantity: l.Quantity})
		}
		rows.lines = append(rows.lines, []any{
			string(o.ID), l.ID, i, l.VariantID, l.ProductID, l.SKU, l.Slug, l.Title, l.Options, l.Image, l.Quantity, fulfilled, l.UnitPrice.Minor,
			l.Discount.Minor, l.Tax.Minor, l.Total.Minor,
		})
	}
	if o.Status == Fulfilled {
		rows.fulfilments = append(rows.fulfilments, []any{id.New("ful"), string(o.ID), parcel, "", p.FulfilledAt})
	}
	return nil
}

// addHistory takes o along the edges of its life.
func (r *pastRows) addHistory(o *Order, p PastOrder) error {
	buyer := Access{CustomerID: p.CustomerID}.actor()
	r.history = append(r.history, []any{string(o.ID), int64(1), "placed", nil, string(PendingPayment), buyer, "", p.PlacedAt})
	o.Status, o.Version = PendingPayment, 1
	last := p.PlacedAt
	for _, step := range []struct {
		next                Status
		kind, actor, detail string
		at                  time.Time
	}{
		{Paid, "paid", "system", "", p.PaidAt},
		{Fulfilled, "fulfilled", "system", "", p.FulfilledAt},
		{Cancelled, "cancelled", buyer, "Cancelled by the customer.", p.CancelledAt},
	} {
		if step.at.IsZero() {
			continue
		}
		if !o.Status.May(step.next) || step.at.Before(last) {
			return ErrInvalidState.WithDetail("Order %s was %s and cannot become %s at %s.", o.ID, o.Status, step.next, step.at.Format(time.RFC3339))
		}
		o.Version++
		r.history = append(r.history, []any{string(o.ID), o.Version, step.kind, string(o.Status), string(step.next), step.actor, step.detail, step.at})
		o.Status, last = step.next, step.at
	}
	if o.Status == PendingPayment {
		return ErrInvalidState.WithDetail("Order %s was never paid.", o.ID)
	}
	return nil
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

const takeNumbersSQL = `
select nextval('orders.order_numbers')
from generate_series(1, $1::int)`

func (r *pastRows) copy(ctx context.Context, tx pgx.Tx) error {
	if len(r.orders) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, takeNumbersSQL, len(r.orders))
	if err != nil {
		return err
	}
	numbers, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	for i, number := range numbers {
		r.orders[i][numberColumn] = number
	}
	for _, t := range []struct {
		table   string
		columns []string
		rows    [][]any
	}{
		{"orders", pastOrderColumns, r.orders},
		{"order_lines", pastLineColumns, r.lines},
		{"order_history", pastHistoryColumns, r.history},
		{"fulfilments", pastFulfilmentColumns, r.fulfilments},
	} {
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{"orders", t.table}, t.columns, pgx.CopyFromRows(t.rows)); err != nil {
			return fmt.Errorf("write %s: %w", t.table, err)
		}
	}
	return nil
}
