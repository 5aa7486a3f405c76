-- Several locations, backorders, reorder points that announce themselves, returns, what happened day by day, and
-- movements that nobody can change.

-- +goose Up

-- Orders are served from the location with the lowest priority that has what they need.
alter table inventory.locations
    add column priority integer not null default 100,
    add column version bigint not null default 1;

update inventory.locations set priority = 10 where id = 'main';

-- How many pieces may be promised and sold that are not there yet; null is any number. on_hand is negative by what
-- has been sold and is still to come.
alter table inventory.stock
    add column backorder_limit bigint default 0;

-- Not validated: every row has obeyed the stricter rule until here, and validating would lock the table.
alter table inventory.stock
    drop constraint stock_available_not_negative,
    add constraint stock_not_oversold check (
        backorder_limit is null or (backorder_limit >= 0 and on_hand - reserved >= -backorder_limit)
    ) not valid;

-- An id like the ones the program makes (UUID version 7 in Crockford's base32), for events that begin here.
-- +goose StatementBegin
create function platform.new_event_id() returns text
language sql volatile
set search_path = pg_catalog
as $$
    select 'evt_' || string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz', substring(u.bits from i * 5 + 1 for 5)::int + 1, 1), '' order by i)
    from (
        select ('x' || lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
            || substr(replace(gen_random_uuid()::text, '-', ''), 14))::bit(128) || b'00' as bits
    ) as u, generate_series(0, 25) as i
$$;
-- +goose StatementEnd

-- A stock row that falls to its reorder point, or has nothing left, says so, whichever statement took the last piece.
-- +goose StatementBegin
create function inventory.announce_scarcity() returns trigger
language plpgsql
set search_path = pg_catalog
as $$
begin
    if new.reorder_point > 0 and old.available > old.reorder_point and new.available <= new.reorder_point then
        insert into platform.outbox (event_id, type, version, aggregate_id, aggregate_version, data, occurred_at)
        values (
            platform.new_event_id(), 'inventory.stock_low.v1', 1, new.sku || '@' || new.location, new.version,
            json_build_object(
                'sku', new.sku, 'location', new.location, 'available', new.available, 'reorder_point', new.reorder_point, 'version', new.version
            ),
            new.updated_at
        );
    end if;
    if old.available > 0 and new.available <= 0 then
        insert into platform.outbox (event_id, type, version, aggregate_id, aggregate_version, data, occurred_at)
        values (
            platform.new_event_id(), 'inventory.stocked_out.v1', 1, new.sku || '@' || new.location, new.version,
            json_build_object('sku', new.sku, 'location', new.location, 'on_hand', new.on_hand, 'reserved', new.reserved, 'version', new.version),
            new.updated_at
        );
    end if;
    return null;
end
$$;
-- +goose StatementEnd

create trigger announce_scarcity
after update of on_hand, reserved, reorder_point on inventory.stock
for each row
when (
    (old.available > 0 and new.available <= 0)
    or (old.available > old.reorder_point and new.available <= new.reorder_point)
)
execute function inventory.announce_scarcity();

-- The articles whose stock is a metric of its own.
create table inventory.watched (
    sku text collate "C" primary key,
    since timestamptz not null
);

-- What came back of orders: a return is taken in once.
create table inventory.returns (
    return_id text collate "C" not null,
    sku text collate "C" not null,
    location text collate "C" not null references inventory.locations (id),
    order_id text collate "C",
    quantity bigint not null check (quantity > 0),
    at timestamptz not null,
    primary key (return_id, sku)
);

create index returns_of_order on inventory.returns (order_id, sku) where order_id is not null;

-- Append-only for the program: who changes a movement is not the shop.
revoke update, delete, truncate on inventory.movements from shopd_inventory;

-- What moved on a day (UTC) and what was there at its end.
create table inventory.daily_stock (
    day date not null,
    sku text collate "C" not null,
    location text collate "C" not null,
    received bigint not null,
    sold bigint not null,
    returned bigint not null,
    adjusted bigint not null,
    transferred bigint not null,
    reserved bigint not null,
    released bigint not null,
    closing_on_hand bigint not null,
    closing_reserved bigint not null,
    filled_at timestamptz not null,
    primary key (day, sku, location)
) partition by range (day);

create index daily_stock_of_sku on inventory.daily_stock (sku, day);

-- Makes the partitions of count months from the month of first on, those that are missing. Only the owner of a table
-- may do that, so it acts as the owner. A partition is made beside the table and then attached, which lets others read
-- and write meanwhile.
-- +goose StatementBegin
create function inventory.make_daily_partitions(first date, count integer) returns integer
language plpgsql security definer
set search_path = pg_catalog
as $$
declare
    month date := date_trunc('month', first)::date;
    name text;
    made integer := 0;
begin
    perform pg_advisory_xact_lock(hashtext('inventory.daily_stock'));
    for i in 1..least(count, 120) loop
        name := 'daily_stock_' || to_char(month, 'YYYY_MM');
        if to_regclass('inventory.' || name) is null then
            execute format('create table inventory.%I (like inventory.daily_stock including defaults including constraints)', name);
            execute format(
                'alter table inventory.daily_stock attach partition inventory.%I for values from (%L) to (%L)',
                name, month, (month + interval '1 month')::date
            );
            made := made + 1;
        end if;
        month := (month + interval '1 month')::date;
    end loop;
    return made;
end
$$;
-- +goose StatementEnd

revoke all on function inventory.make_daily_partitions(date, integer) from public;
grant execute on function inventory.make_daily_partitions(date, integer) to shopd_inventory;

-- The catalogue tells shoppers of what can be ordered though it is not there.
alter table catalog.stock add column backorder boolean not null default false;

-- +goose Down

alter table catalog.stock drop column backorder;
drop function inventory.make_daily_partitions(date, integer);
drop table inventory.daily_stock, inventory.returns, inventory.watched;
grant update, delete, truncate on inventory.movements to shopd_inventory;
drop trigger announce_scarcity on inventory.stock;
drop function inventory.announce_scarcity();
drop function platform.new_event_id();
alter table inventory.stock
    drop constraint stock_not_oversold,
    drop column backorder_limit,
    add constraint stock_available_not_negative check (on_hand >= reserved);
alter table inventory.locations drop column priority, drop column version;
