-- Stock, what of it is promised, and every movement of it.

-- +goose Up

create table inventory.locations (
    id text collate "C" primary key,
    name text not null
);

insert into inventory.locations (id, name) values ('main', 'Main warehouse');

create table inventory.stock (
    sku text collate "C" not null,
    location text collate "C" not null references inventory.locations (id),
    on_hand bigint not null default 0,
    reserved bigint not null default 0,
    available bigint not null generated always as (on_hand - reserved) stored,
    reorder_point bigint not null default 0,
    version bigint not null default 1,
    updated_at timestamptz not null,
    primary key (sku, location),
    constraint stock_reserved_not_negative check (reserved >= 0),
    constraint stock_available_not_negative check (on_hand >= reserved)
) with (fillfactor = 60);

create table inventory.reservations (
    order_id text collate "C" not null,
    sku text collate "C" not null,
    location text collate "C" not null,
    quantity bigint not null check (quantity > 0),
    state text not null default 'held' check (state in ('held', 'sold', 'released', 'returned')),
    expires_at timestamptz not null,
    created_at timestamptz not null,
    settled_at timestamptz,
    primary key (order_id, sku, location)
) with (fillfactor = 80);

create index reservations_held on inventory.reservations (expires_at) where state = 'held';

-- Append-only. quantity is what came (positive) or went (negative): of on_hand for received, sold, returned,
-- adjusted and transferred; of what is reserved for reserved and released.
create table inventory.movements (
    id bigint generated always as identity primary key,
    sku text collate "C" not null,
    location text collate "C" not null,
    kind text not null check (kind in ('received', 'sold', 'returned', 'adjusted', 'transferred', 'reserved', 'released')),
    quantity bigint not null,
    order_id text collate "C",
    reason text not null default '',
    actor text not null,
    at timestamptz not null
);

create index movements_of_sku on inventory.movements (sku, at desc);

create view public_views.v_stock as
select
    sku collate "default" as sku,
    location collate "default" as location,
    on_hand,
    reserved,
    available
from inventory.stock;

create view public_views.v_stock_movements as
select
    sku collate "default" as sku,
    kind,
    quantity,
    order_id collate "default" as order_id,
    at
from inventory.movements;

-- +goose Down

drop view public_views.v_stock_movements, public_views.v_stock;
drop table inventory.movements, inventory.reservations, inventory.stock, inventory.locations;
