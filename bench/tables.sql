-- What the least SQL of an order writes to, with the indexes it cannot do without.
create schema least;

create table least.stock (
    sku integer primary key,
    available integer not null check (available >= 0)
) with (fillfactor = 80);

insert into least.stock (sku, available)
select n, 100000000
from generate_series(1, 2000) as n;

create table least.orders (
    id bigint generated always as identity primary key,
    customer text not null,
    total bigint not null,
    placed_at timestamptz not null default now()
);

create table least.order_lines (
    order_id bigint not null,
    sku integer not null,
    quantity integer not null,
    unit_price bigint not null,
    primary key (order_id, sku)
);

create table least.events (
    id bigint generated always as identity primary key,
    data json not null
);
