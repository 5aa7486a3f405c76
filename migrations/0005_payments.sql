-- Attempts to be paid, and the double-entry ledger of all money.

-- +goose Up

create table payments.payments (
    id text collate "C" primary key,
    order_id text collate "C" not null,
    provider text not null,
    method text not null default '',
    status text not null check (status in (
        'created', 'sending', 'requires_action', 'authorised', 'captured', 'partially_refunded', 'refunded', 'declined', 'voided', 'unknown'
    )),
    currency text not null,
    amount bigint not null check (amount >= 0),
    captured bigint not null default 0 check (captured >= 0),
    refunded bigint not null default 0 check (refunded between 0 and captured),
    provider_ref text,
    next_action jsonb,
    reason text not null default '',
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    check (captured in (0, amount))
) with (fillfactor = 70);

-- What is still open, or has succeeded, stands alone: a second attempt waits until the first is known to have failed.
create unique index one_live_payment_per_order on payments.payments (order_id)
    where status in ('created', 'sending', 'unknown', 'requires_action', 'authorised', 'captured', 'partially_refunded');
create index payments_by_order on payments.payments (order_id, created_at);
create index payments_to_resolve on payments.payments (updated_at) where status in ('sending', 'unknown', 'requires_action');

create table payments.refunds (
    id text collate "C" primary key,
    payment_id text collate "C" not null references payments.payments (id),
    amount bigint not null check (amount > 0),
    status text not null check (status in ('sending', 'succeeded', 'unknown')),
    reason text not null default '',
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create index refunds_by_payment on payments.refunds (payment_id);
create index refunds_to_resolve on payments.refunds (updated_at) where status <> 'succeeded';

-- Append-only. A positive amount is a debit, a negative one a credit.
create table payments.ledger (
    transaction_id text collate "C" not null,
    account text collate "C" not null,
    currency text collate "C" not null,
    amount bigint not null check (amount <> 0),
    payment_id text collate "C" not null,
    at timestamptz not null,
    primary key (transaction_id, account, currency)
);

-- +goose StatementBegin
create function payments.transaction_balances() returns trigger language plpgsql as $$
begin
    if exists (
        select from payments.ledger
        where transaction_id = new.transaction_id
        group by currency
        having sum(amount) <> 0
    ) then
        raise exception 'ledger transaction % does not balance', new.transaction_id
            using errcode = 'check_violation', constraint = 'ledger_balances';
    end if;
    return null;
end
$$;
-- +goose StatementEnd

create constraint trigger ledger_balances
    after insert on payments.ledger
    deferrable initially deferred
    for each row execute function payments.transaction_balances();

-- +goose StatementBegin
create function payments.ledger_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the ledger is append-only' using errcode = 'check_violation', constraint = 'ledger_append_only';
end
$$;
-- +goose StatementEnd

create trigger ledger_append_only
    before update or delete or truncate on payments.ledger
    for each statement execute function payments.ledger_is_append_only();

create view public_views.v_payments as
select
    id collate "default" as payment_id,
    order_id collate "default" as order_id,
    provider,
    provider_ref,
    status,
    amount,
    captured,
    refunded,
    currency
from payments.payments;

create view public_views.v_ledger as
select
    transaction_id collate "default" as transaction_id,
    account collate "default" as account,
    currency collate "default" as currency,
    amount,
    at
from payments.ledger;

-- +goose Down

drop view public_views.v_ledger, public_views.v_payments;
drop table payments.ledger, payments.refunds, payments.payments;
drop function payments.transaction_balances, payments.ledger_is_append_only;
