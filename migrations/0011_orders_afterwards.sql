-- What happens to an order after it is paid: lines taken off, refunds, returns, exchanges, parcels that can be followed,
-- invoices and credit notes, and a record of all of it. Nothing that was charged is rewritten: what is taken off is counted
-- beside it. Free text and names are sealed.

-- +goose NO TRANSACTION
-- +goose Up

alter table orders.orders
    add column if not exists refunded bigint not null default 0,
    add column if not exists credited bigint not null default 0,
    add column if not exists shipping_refunded bigint not null default 0;

alter table orders.order_lines
    add column if not exists cancelled integer not null default 0,
    add column if not exists returned integer not null default 0;

alter table orders.fulfilments
    add column if not exists carrier text not null default '',
    add column if not exists tracking_url text not null default '';

-- Checked for new rows at once, and for old ones without keeping writers out.
alter table orders.orders drop constraint if exists orders_refunds_fit;
alter table orders.orders add constraint orders_refunds_fit
    check (refunded >= 0 and credited >= 0 and refunded + credited <= total and shipping_refunded between 0 and shipping) not valid;
alter table orders.orders validate constraint orders_refunds_fit;
alter table orders.order_lines drop constraint if exists order_lines_pieces_fit;
alter table orders.order_lines add constraint order_lines_pieces_fit
    check (cancelled >= 0 and fulfilled + cancelled <= quantity and returned between 0 and fulfilled) not valid;
alter table orders.order_lines validate constraint order_lines_pieces_fit;

-- Guests whose time is up are found without reading those who are forgotten already. What an interrupted run left of the
-- index goes first.
drop index concurrently if exists orders.orders_of_guests;
create index concurrently orders_of_guests on orders.orders (placed_at)
    where customer_id is null and contact is not null;

-- Money that goes back. The id is also the refund's id at payments, so that asking twice gives once.
create table if not exists orders.refunds (
    id text collate "C" primary key,
    order_id text collate "C" not null references orders.orders (id),
    -- promised: written, payments may not know yet. accepted: payments has it. done: the money went. failed: it cannot go.
    state text not null default 'promised' check (state in ('promised', 'accepted', 'done', 'failed')),
    amount bigint not null check (amount > 0),
    shipping bigint not null default 0 check (shipping between 0 and amount),
    -- [{line_id, quantity, amount, tax}]: what it is for; empty for a gesture.
    lines jsonb not null default '[]',
    reason text not null,
    return_id text collate "C",
    actor text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create index if not exists refunds_by_order on orders.refunds (order_id, created_at);
create index if not exists refunds_to_send on orders.refunds (updated_at) where state = 'promised';

create table if not exists orders.returns (
    id text collate "C" primary key,
    order_id text collate "C" not null references orders.orders (id),
    status text not null check (status in ('requested', 'approved', 'received', 'rejected', 'cancelled')),
    actor text not null,
    reason text not null,
    note bytea,
    -- [{line_id, quantity}]
    lines jsonb not null,
    -- [{sku, quantity}]: what is wanted instead.
    exchange jsonb not null default '[]',
    refund_id text collate "C",
    exchange_order_id text collate "C",
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create index if not exists returns_by_order on orders.returns (order_id, created_at);
create index if not exists returns_open on orders.returns (created_at, id) where status in ('requested', 'approved');

-- Orders that belong to another one: what was added to it, or what goes out in exchange. credit is what the shopper had
-- paid before for what came back.
create table if not exists orders.supplements (
    order_id text collate "C" primary key references orders.orders (id),
    parent_id text collate "C" not null references orders.orders (id),
    kind text not null check (kind in ('addition', 'exchange')),
    return_id text collate "C",
    credit bigint not null default 0 check (credit >= 0),
    created_at timestamptz not null
);

create index if not exists supplements_by_parent on orders.supplements (parent_id, created_at);

-- What happened to an order beside its moves, which order_history has.
create table if not exists orders.order_log (
    id bigint generated always as identity primary key,
    order_id text collate "C" not null references orders.orders (id),
    kind text not null,
    actor text not null,
    detail text not null default '',
    ref text not null default '',
    amount bigint,
    note bytea,
    at timestamptz not null
);

create index if not exists order_log_by_order on orders.order_log (order_id, id);

-- The number of each series that was given last: it grows under the row's lock in the transaction that uses it, so that
-- no number is left out.
create table if not exists orders.document_series (
    series text collate "C" primary key,
    last bigint not null
);

-- Invoices and credit notes as they were issued; the PDF is drawn from the row.
create table if not exists orders.documents (
    id text collate "C" primary key,
    order_id text collate "C" not null references orders.orders (id),
    kind text not null check (kind in ('invoice', 'credit_note')),
    series text collate "C" not null,
    number bigint not null,
    refund_id text collate "C",
    content jsonb not null,
    buyer bytea,
    issued_at timestamptz not null,
    unique (series, number),
    check ((kind = 'credit_note') = (refund_id is not null))
);

create unique index if not exists one_invoice_per_order on orders.documents (order_id) where kind = 'invoice';
create unique index if not exists one_credit_note_per_refund on orders.documents (refund_id) where refund_id is not null;
create index if not exists documents_by_order on orders.documents (order_id, issued_at);

create or replace view public_views.v_order_history as
select
    order_id collate "default" as order_id,
    version,
    from_status,
    to_status,
    at
from orders.order_history;

-- +goose Down

drop view public_views.v_order_history;
drop table orders.documents, orders.document_series, orders.order_log, orders.supplements, orders.returns, orders.refunds;
drop index orders.orders_of_guests;
alter table orders.fulfilments drop column carrier, drop column tracking_url;
alter table orders.order_lines drop constraint order_lines_pieces_fit, drop column cancelled, drop column returned;
alter table orders.orders drop constraint orders_refunds_fit, drop column refunded, drop column credited, drop column shipping_refunded;
