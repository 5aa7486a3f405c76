package app

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/catalog"
	"shopd/internal/money"
	"shopd/internal/orders"
	"shopd/internal/pricing"
	"shopd/internal/users"
)

func seed(t *testing.T, b *trial) {
	t.Helper()
	began := time.Now()
	say := func(text string) { t.Logf("%6s %s", time.Since(began).Round(time.Millisecond), text) }
	require.NoError(t, b.Seed(t.Context(), say))
	say("seeded")
	require.NoError(t, b.AwaitProjections(t.Context()))
	say("projected")
}

// seeded counts every row that the sample makes.
var seeded = map[string]int64{
	"catalog.products": 253, "catalog.variants": 1987, "catalog.offers": 2 * 1987, "catalog.stock": 1987, "catalog.reviews": 420,
	"pricing.prices": 2 * 1987, "inventory.stock": 1987, "inventory.reservations": 0,
	"users.customers": 300, "users.addresses": 300,
	"orders.orders": 2000, "orders.carts": 0, "payments.payments": 2000, "platform.dead_letters": 0,
}

func requireSeeded(t *testing.T, b *trial) {
	t.Helper()
	for table, want := range seeded {
		require.Equal(t, want, b.number(t, "select count(*) from "+table), table)
	}
}

// The questions whose answer is zero in a shop whose books are right, by what is wrong otherwise.
var wrongs = map[string]string{
	"orders whose total is not the sum of its parts (I11)": `
		select count(*) from public_views.v_orders as o
		join (select order_id, sum(unit_price * quantity) as goods, sum(discount) as discount, sum(tax) as tax, sum(total) as total
			from public_views.v_order_lines group by order_id) as l using (order_id)
		where o.total <> l.total + o.shipping or o.subtotal <> l.goods or o.discount <> l.discount or o.tax <> l.tax`,
	"orders without lines": `
		select count(*) from public_views.v_orders as o where not exists (select from public_views.v_order_lines as l where l.order_id = o.order_id)`,
	"payments of another amount than their order's (I2)": `
		select count(*) from public_views.v_payments as p full join public_views.v_orders as o using (order_id)
		where p.order_id is null or o.order_id is null or p.captured <> o.total or p.currency <> o.currency`,
	"orders with money that are not paid, or the other way round (I1, I3)": `
		select count(*) from public_views.v_orders as o
		where (o.status in ('paid', 'partially_fulfilled', 'fulfilled', 'completed'))::int
			<> (select count(*) from public_views.v_payments as p where p.order_id = o.order_id and p.captured > p.refunded)`,
	"cancelled orders whose money did not go back": `
		select count(*) from public_views.v_orders as o join public_views.v_payments as p using (order_id)
		where o.status = 'cancelled' and (p.status <> 'refunded' or p.refunded <> o.total)`,
	"ledger transactions that do not balance (I11)": `
		select count(*) from (select from public_views.v_ledger group by transaction_id, currency having sum(amount) <> 0) as t`,
	"payments whose money is not in the ledger": `
		select count(*) from payments.payments as p
		where p.captured - p.refunded <> coalesce((select sum(l.amount) from payments.ledger as l where l.payment_id = p.id and l.account = 'gateway:test'), 0)`,
	"refunds that are not their payment's": `
		select count(*) from payments.payments as p
		where p.refunded <> coalesce((select sum(r.amount) from payments.refunds as r where r.payment_id = p.id and r.status = 'succeeded'), 0)`,
	"orders whose history does not lead to where they stand (I13)": `
		select count(*) from orders.orders as o
		join lateral (select count(*) as n, max(version) as newest, min(version) as oldest from orders.order_history as h where h.order_id = o.id) as h on true
		join orders.order_history as last on last.order_id = o.id and last.version = o.version
		where h.n <> o.version or h.newest <> o.version or h.oldest <> 1 or last.to_status <> o.status`,
	"steps that do not follow from the one before": `
		select count(*) from orders.order_history as h
		left join orders.order_history as before on before.order_id = h.order_id and before.version = h.version - 1
		where h.version > 1 and (before.to_status is distinct from h.from_status or before.at > h.at) or h.version = 1 and h.from_status is not null`,
	"dates of orders that differ from their history": `
		select count(*) from orders.orders as o
		where o.placed_at <> (select h.at from orders.order_history as h where h.order_id = o.id and h.kind = 'placed')
			or o.paid_at is distinct from (select h.at from orders.order_history as h where h.order_id = o.id and h.kind = 'paid')
			or o.cancelled_at is distinct from (select h.at from orders.order_history as h where h.order_id = o.id and h.kind = 'cancelled')`,
	"numbers that are not in the order of time": `
		select count(*) from (select placed_at < lag(placed_at) over (order by number) as early from orders.orders) as o where early`,
	"ids that are not in the order of time": `
		select count(*) from (select placed_at < lag(placed_at) over (order by id) as early from orders.orders) as o where early`,
	"fulfilled orders that were not sent whole, and others that were": `
		select count(*) from orders.orders as o
		join lateral (select sum(quantity) as ordered, sum(fulfilled) as sent from orders.order_lines as l where l.order_id = o.id) as l on true
		where l.ordered <> o.pieces or l.sent <> case when o.status in ('fulfilled', 'completed') then o.pieces else 0 end
			or (o.status in ('fulfilled', 'completed')) <> exists (select from orders.fulfilments as f where f.order_id = o.id)`,
	"things that happened in the future": `
		select (select count(*) from orders.order_history where at > now() + interval '2 seconds') + (select count(*) from catalog.reviews where created_at > now())
			+ (select count(*) from catalog.products where created_at > now()) + (select count(*) from users.customers where created_at > now())`,
	"products that were sold before they were there": `
		select count(*) from orders.orders as o join orders.order_lines as l on l.order_id = o.id join catalog.products as p on p.id = l.product_id
		where o.placed_at < p.created_at`,
	"products that were reviewed before they were there": `
		select count(*) from catalog.reviews as r join catalog.products as p on p.id = r.product_id where r.created_at < p.created_at`,
	"orders of accounts that were not there": `
		select count(*) from orders.orders as o join users.customers as c on c.id = o.customer_id where o.placed_at < c.created_at`,
	"orders of nobody known": `
		select count(*) from orders.orders where customer_id is not null and customer_id not in (select id from users.customers)`,
	"ratings that are not their reviews'": `
		select count(*) from catalog.products as p
		where (p.rating_count, p.rating_sum) <> (select count(*), coalesce(sum(r.rating), 0) from catalog.reviews as r where r.product_id = p.id)`,
	"stock that is not the sum of its movements (I5)": `
		select count(*) from public_views.v_stock as s
		where s.on_hand <> coalesce((select sum(m.quantity) from public_views.v_stock_movements as m where m.sku = s.sku and m.kind = 'received'), 0)
			or s.reserved <> 0 or s.available <> s.on_hand`,
	"offers that are not what pricing says": `
		select count(*) from pricing.prices as p full join catalog.offers as o using (variant_id, currency)
		where (p.amount, p.compare_at) is distinct from (o.amount, o.compare_at) or p.source <> 'import'`,
	"stock that the catalogue does not know": `
		select count(*) from inventory.stock as s full join catalog.stock as c using (sku, location) where s.available is distinct from c.available`,
	"products that are not in the list of all":    `select 253 - count(*) from catalog.listings where category_id = ''`,
	"products that are not in their own category": `select 253 - count(*) from catalog.listings as l join catalog.products as p on p.id = l.product_id and p.category_id = l.category_id`,
	"events about the past": `
		select count(*) from public_views.v_events where type not in ('catalog.product_changed.v1', 'pricing.price_changed.v1',
			'inventory.stock_changed.v1', 'inventory.stocked_out.v1', 'inventory.stock_low.v1', 'orders.order_completed.v1')`,
	"mails": `select count(*) from jobs.river_job where kind like '%mail%'`,
	"keys that are neither a customer's nor a guest's order's": `
		select (select count(*) from users.data_keys) - (select count(*) from users.customers) - (select count(*) from orders.orders where customer_id is null)`,
	"guests without a key of their own": `
		select count(*) from orders.orders as o where customer_id is null and not exists (select from users.data_keys as k where k.subject = o.cart_id)`,
	"related products that do not exist": `
		select count(*) from catalog.products as p cross join unnest(p.related) as r (sku) where not exists (select from catalog.products as q where q.sku = r.sku)`,
}

func TestSeed(t *testing.T) {
	t.Parallel()
	b := openTrial(t)
	seed(t, b)
	requireSeeded(t, b)
	for wrong, sql := range wrongs {
		require.Zero(t, b.number(t, sql), wrong)
	}
	indexed, err := b.engine.Count(t.Context())
	require.NoError(t, err)
	require.Equal(t, 253, indexed)

	t.Run("the shop looks alive", func(t *testing.T) {
		count := func(where string) int64 { return b.number(t, "select count(*) from "+where) }
		require.Greater(t, count("catalog.products where created_at > now() - interval '90 days'"), int64(30), "some products are new")
		require.Less(t, count("catalog.products where created_at > now() - interval '90 days'"), int64(80), "most are not")
		require.Greater(t, count("orders.orders where placed_at < now() - interval '300 days'"), int64(50), "the past is a year long")
		require.Greater(t, count("orders.orders where placed_at > now() - interval '7 days'"), int64(20), "orders come in")
		require.Greater(t, count("orders.orders where status = 'paid'"), int64(3), "orders wait to be sent")
		require.Less(t, count("orders.orders where status = 'paid'"), int64(100), "most are sent")
		require.Greater(t, count("orders.orders where status = 'cancelled'"), int64(50))
		require.Greater(t, count("orders.orders where customer_id is null"), int64(200), "guests buy, too")
		require.Greater(t, count("orders.orders where tax > 0"), int64(1000))
		require.Positive(t, count("orders.orders where shipping = 0"), "downloads are not sent")
		require.Positive(t, count("inventory.stock where on_hand = 0"))
		require.Greater(t, count("catalog.products where popularity > 20"), int64(20))
		require.Greater(t, count("pricing.prices where compare_at is not null and currency = 'EUR'"), int64(20))
	})
	t.Run("departments stand in the order of the sample", func(t *testing.T) {
		var names []string
		tree, err := b.Catalog.Categories(t.Context())
		require.NoError(t, err)
		for _, top := range tree {
			names = append(names, top.Name)
			for _, c := range top.Children {
				names = append(names, top.Name+" > "+c.Name)
			}
		}
		require.Equal(t, []string{
			"Gear", "Gear > Bags", "Gear > Watches", "Gear > Fitness Equipment", "Gear > Video Downloads",
			"Men", "Men > Tops", "Men > Bottoms", "Women", "Women > Tops", "Women > Bottoms",
			"Electronics", "Electronics > Computers", "Electronics > Photo",
			"Sports & Outdoor", "Sports & Outdoor > Equipment", "Sports & Outdoor > Footwear",
			"Home & Garden", "Home & Garden > Plants", "Home & Garden > Furniture",
		}, names)
	})
	t.Run("a shopper finds things", func(t *testing.T) {
		found, err := b.Catalog.Search(t.Context(), catalog.SearchQuery{Text: "yoga", Limit: 24})
		require.NoError(t, err)
		require.NotEmpty(t, found.Items)
		p, err := b.Catalog.Product(t.Context(), "joust-duffle-bag")
		require.NoError(t, err)
		require.Equal(t, "Gear", p.Category.Path[0].Name)
		require.Equal(t, money.New(3400, "USD"), p.Price)
		require.True(t, p.InStock)
		require.Equal(t, "/media/mb01-blue-0.jpg", p.Images[0].URL)
		require.NotEmpty(t, p.Related)
		require.NotNil(t, p.Rating)
		prices, err := b.Pricing.Current(t.Context(), eur, []string{string(p.Variants[0].ID)})
		require.NoError(t, err)
		require.Equal(t, money.New(3099, eur), prices[string(p.Variants[0].ID)].Amount)
	})
	t.Run("the customer of the demo signs in and finds orders", func(t *testing.T) {
		_, customer, err := b.Users.Login(t.Context(), demoCustomerEmail, demoCustomerPassword)
		require.NoError(t, err)
		require.NotEmpty(t, customer.Name)
		list, _, err := b.Orders.CustomerOrders(t.Context(), string(customer.ID), "", 24)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(list), 3)
		require.Less(t, time.Since(list[0].PlacedAt), 7*24*time.Hour, "one is recent")
		o, err := b.Orders.Order(t.Context(), list[0].ID, orders.Access{CustomerID: string(customer.ID)})
		require.NoError(t, err)
		require.Equal(t, demoCustomerEmail, o.Contact.Email)
		require.Equal(t, customer.Name, o.Contact.Shipping.Name)
		require.Len(t, o.Payments, 1)
	})
	t.Run("nobody else signs in", func(t *testing.T) {
		other, err := newSeedPlan(b.now(), usd)
		require.NoError(t, err)
		for _, password := range []string{demoCustomerPassword, "password", "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"} {
			_, _, err := b.Users.Login(t.Context(), other.email(0), password)
			require.ErrorIs(t, err, users.ErrInvalidCredentials)
		}
	})
	t.Run("seeding again changes nothing", func(t *testing.T) {
		p, err := b.Catalog.Product(t.Context(), "joust-duffle-bag")
		require.NoError(t, err)
		dearer := pricing.Change{VariantID: string(p.Variants[0].ID), SKU: p.Variants[0].SKU, Amount: money.New(4200, usd), Source: pricing.Admin}
		_, err = b.Pricing.Set(t.Context(), []pricing.Change{dearer})
		require.NoError(t, err)
		require.NoError(t, b.Seed(t.Context(), func(text string) { t.Error("seeds again: " + text) }))
		prices, err := b.Pricing.Current(t.Context(), usd, []string{dearer.VariantID})
		require.NoError(t, err)
		require.Equal(t, dearer.Amount, prices[dearer.VariantID].Amount)
	})
}

func TestSeedIsFinishedAfterACrash(t *testing.T) {
	t.Parallel()
	b := openTrial(t)
	for crash := 1; crash <= 3; crash++ {
		ctx, kill := context.WithCancel(t.Context())
		steps := 0
		err := b.Seed(ctx, func(string) {
			if steps++; steps == crash {
				kill()
			}
		})
		require.ErrorIs(t, err, context.Canceled, "stopped at step %d", crash)
	}
	seed(t, b)
	requireSeeded(t, b)
	for wrong, sql := range wrongs {
		require.Zero(t, b.number(t, sql), wrong)
	}
}

func TestPricesInEuros(t *testing.T) {
	t.Parallel()
	for dollars, euros := range map[int64]int64{
		0: 0, 50: 90, 105: 95, 109: 99, 215: 199, 500: 490, 1999: 1799, 2110: 1899, 3400: 3099, 10000: 9199, 100000: 91999,
	} {
		t.Run(money.New(dollars, usd).String(), func(t *testing.T) {
			t.Parallel()
			require.Equal(t, money.New(euros, eur), inEuros(money.New(dollars, usd)))
		})
	}
}
