-- Carts, orders and what happens to them. Contacts are sealed: nothing personal is readable here.

-- +goose Up

create table orders.carts (
    id text collate "C" primary key,
    token_hash bytea not null,
    customer_id text collate "C",
    currency text not null,
    country text not null default '',
    lines jsonb not null default '[]',
    contact bytea,
    shipping_method jsonb,
    totals jsonb not null,
    order_id text collate "C",
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null
) with (fillfactor = 60);

create index carts_by_update on orders.carts using brin (updated_at);
create index carts_of_customer on orders.carts (customer_id, updated_at desc) where customer_id is not null;

create table orders.shipping_methods (
    id text collate "C" primary key,
    name text not null,
    estimate text not null default '',
    -- Minor units by currency, such as {"EUR": 490}.
    prices jsonb not null,
    -- Where it is offered; empty is everywhere.
    countries text[] not null default '{}',
    position integer not null default 0,
    active boolean not null default true
);

insert into orders.shipping_methods (id, name, estimate, prices, position) values
    ('ship_standard', 'Standard', '3–5 working days',
     '{"USD": 590, "EUR": 490, "GBP": 450, "CHF": 690, "CAD": 790, "AUD": 890, "SEK": 4900, "NOK": 5900, "DKK": 3900, "PLN": 1990, "CZK": 11900, "JPY": 700, "KWD": 1800}', 1),
    ('ship_express', 'Express', '1–2 working days',
     '{"USD": 1490, "EUR": 1290, "GBP": 1190, "CHF": 1490, "CAD": 1990, "AUD": 2190, "SEK": 12900, "NOK": 14900, "DKK": 9900, "PLN": 4990, "CZK": 29900, "JPY": 1800, "KWD": 4500}', 2);

create sequence orders.order_numbers start 1001;

create table orders.orders (
    id text collate "C" primary key,
    number bigint not null unique default nextval('orders.order_numbers'),
    cart_id text collate "C" not null,
    cart_version bigint not null,
    -- Which request made it, so that the same one finds it again: a digest of caller and Idempotency-Key.
    request bytea not null default '',
    customer_id text collate "C",
    status text not null check (status in ('pending_payment', 'paid', 'partially_fulfilled', 'fulfilled', 'completed', 'cancelled')),
    currency text not null,
    subtotal bigint not null,
    discount bigint not null,
    shipping bigint not null check (shipping >= 0),
    tax bigint not null check (tax >= 0),
    tax_included bigint not null check (tax_included >= 0),
    total bigint not null check (total >= 0),
    shipping_method jsonb not null,
    contact bytea,
    email_index bytea,
    pieces integer not null,
    version bigint not null default 1,
    placed_at timestamptz not null,
    paid_at timestamptz,
    cancelled_at timestamptz,
    -- Until when the money must be there; after it the completer looks the payment up and cancels.
    pay_by timestamptz,
    check (total = subtotal - discount + shipping + tax)
) with (fillfactor = 80);

-- A cart becomes one order that lives; a cancelled one may be followed by another.
create unique index one_live_order_per_cart on orders.orders (cart_id) where status <> 'cancelled';
create index orders_newest on orders.orders (placed_at desc, id desc);
create index orders_by_status on orders.orders (status, placed_at desc, id desc);
create index orders_of_customer on orders.orders (customer_id, placed_at desc, id desc) where customer_id is not null;
create index orders_by_email on orders.orders (email_index) where email_index is not null;
create index orders_unpaid on orders.orders (pay_by) where status = 'pending_payment';

create table orders.order_lines (
    order_id text collate "C" not null references orders.orders (id),
    id text collate "C" not null,
    position integer not null,
    variant_id text collate "C" not null,
    product_id text collate "C" not null,
    sku text collate "C" not null,
    slug text not null,
    title text not null,
    options jsonb not null,
    image text not null default '',
    quantity integer not null check (quantity > 0),
    fulfilled integer not null default 0 check (fulfilled between 0 and quantity),
    unit_price bigint not null check (unit_price >= 0),
    discount bigint not null,
    tax bigint not null,
    total bigint not null,
    primary key (order_id, id),
    check (total = unit_price * quantity - discount + tax)
) with (fillfactor = 90);

create table orders.order_history (
    order_id text collate "C" not null references orders.orders (id),
    version bigint not null,
    kind text not null,
    from_status text,
    to_status text not null,
    actor text not null,
    detail text not null default '',
    at timestamptz not null,
    primary key (order_id, version)
);

create table orders.fulfilments (
    id text collate "C" primary key,
    order_id text collate "C" not null references orders.orders (id),
    lines jsonb not null,
    tracking text not null default '',
    created_at timestamptz not null
);

create index fulfilments_by_order on orders.fulfilments (order_id, created_at);

create view public_views.v_orders as
select
    id collate "default" as order_id,
    number,
    status,
    currency,
    total,
    placed_at,
    paid_at,
    cart_id collate "default" as cart_id,
    subtotal,
    discount,
    shipping,
    tax,
    tax_included
from orders.orders;

create view public_views.v_order_lines as
select
    order_id collate "default" as order_id,
    variant_id collate "default" as variant_id,
    sku collate "default" as sku,
    quantity,
    unit_price,
    discount,
    tax,
    total
from orders.order_lines;

-- +goose Down

drop view public_views.v_order_lines, public_views.v_orders;
drop table orders.fulfilments, orders.order_history, orders.order_lines, orders.orders, orders.shipping_methods, orders.carts;
drop sequence orders.order_numbers;
