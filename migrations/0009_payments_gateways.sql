-- Gateways that are companies: captures in part, refunds that fail, webhooks, customers at the gateway, and the daily
-- comparison with its books.

-- +goose Up

alter table payments.payments
    add column asked bigint,
    drop constraint payments_check1,
    add constraint captured_within_amount check (captured between 0 and amount) not valid,
    add constraint asked_within_amount check (asked between 1 and amount) not valid;
alter table payments.payments validate constraint captured_within_amount;
alter table payments.payments validate constraint asked_within_amount;

comment on column payments.payments.asked is 'What a capture by hand asked for; null asks for the whole amount.';

alter table payments.refunds
    add column provider_ref text,
    add column tries integer not null default 0,
    drop constraint refunds_status_check,
    add constraint refunds_status_known check (status in ('sending', 'succeeded', 'unknown', 'failed')) not valid;
alter table payments.refunds validate constraint refunds_status_known;

-- What gateways told, once each. The body is not kept: it may hold personal data, and what counts is fetched.
create table payments.webhooks (
    id text collate "C" primary key,
    provider text not null,
    event_id text not null,
    type text not null,
    api_version text not null default '',
    object_ref text not null default '',
    payment_id text not null default '',
    order_id text not null default '',
    currency text,
    amount bigint,
    account text not null default '',
    live boolean not null,
    known boolean not null,
    wrong text not null default '',
    status text not null check (status in ('received', 'processed', 'ignored', 'quarantined')),
    reason text not null default '',
    occurred_at timestamptz not null,
    received_at timestamptz not null,
    processed_at timestamptz,
    constraint one_row_per_event unique (provider, event_id)
) with (fillfactor = 80);

create index webhooks_by_status on payments.webhooks (status, id);
create index webhooks_by_payment on payments.webhooks (payment_id) where payment_id <> '';

-- Who a customer of the shop is at a gateway that keeps their ways to pay.
create table payments.customers (
    provider text not null,
    customer_id text collate "C" not null,
    provider_ref text not null,
    created_at timestamptz not null,
    primary key (provider, customer_id)
);

-- What the books of shop and gateway had, a day and a gateway.
create table payments.reconciliations (
    id text collate "C" primary key,
    provider text not null,
    day date not null,
    finished_at timestamptz not null,
    payments integer not null,
    refunds integer not null,
    sums jsonb not null,
    differences jsonb not null,
    open integer not null check (open >= 0)
);

create index reconciliations_by_day on payments.reconciliations (provider, day, id);

-- +goose Down

drop table payments.reconciliations, payments.customers, payments.webhooks;
alter table payments.refunds
    drop constraint refunds_status_known,
    add constraint refunds_status_check check (status in ('sending', 'succeeded', 'unknown')),
    drop column tries,
    drop column provider_ref;
alter table payments.payments
    drop constraint asked_within_amount,
    drop constraint captured_within_amount,
    add constraint payments_check1 check (captured in (0, amount)),
    drop column asked;
