-- The roles, the schemas, and the plumbing that all domains share: outbox, inbox, retries, dead letters,
-- idempotency keys. The tables of schema jobs come from River, after these files.

-- +goose Up

-- Roles belong to the whole cluster, so databases that are migrated side by side make them at the same moment:
-- whoever comes second finds the role there, or its row being written, and looks again.
-- +goose StatementBegin
do $$
declare
    name text;
begin
    foreach name in array array[
        'shopd_catalog', 'shopd_orders', 'shopd_pricing', 'shopd_recs', 'shopd_payments', 'shopd_inventory',
        'shopd_users', 'shopd_relay', 'shopd_jobs'
    ] loop
        for attempt in 1..50 loop
            begin
                if not exists (select from pg_roles where rolname = name) then
                    execute format('create role %I nologin', name);
                end if;
                if not pg_has_role(current_user, name, 'member') or (
                    select rolsuper from pg_roles where rolname = current_user
                ) and not exists (
                    select from pg_auth_members
                    where roleid = name::regrole and member = current_user::regrole
                ) then
                    execute format('grant %I to current_user', name);
                end if;
                exit;
            exception
                when duplicate_object or unique_violation or internal_error or undefined_object then
                    if attempt = 50 then
                        raise;
                    end if;
                    perform pg_sleep(0.01 * attempt);
            end;
        end loop;
    end loop;
end
$$;
-- +goose StatementEnd

create schema platform;
create schema jobs;
create schema public_views;

grant usage on schema platform, jobs to
    shopd_catalog, shopd_orders, shopd_pricing, shopd_recs, shopd_payments, shopd_inventory, shopd_users,
    shopd_relay, shopd_jobs;

-- Readiness asks under a domain's role whether migrations are pending.
grant select on public.goose_db_version to public;

-- A domain works through its role, which has rights on its own schema and on the plumbing only. Migrations run
-- as the owner, so the rights are given to whatever the owner makes there later.
-- +goose StatementBegin
do $$
declare
    domain text;
    role_name text;
begin
    foreach domain in array array['catalog', 'orders', 'pricing', 'recs', 'payments', 'inventory', 'users'] loop
        role_name := 'shopd_' || domain;
        execute format('create schema %I', domain);
        execute format('grant all on schema %I to %I', domain, role_name);
        execute format('alter default privileges in schema %I grant all on tables to %I', domain, role_name);
        execute format('alter default privileges in schema %I grant all on sequences to %I', domain, role_name);
        -- A domain puts jobs beside its own rows; updating is what River's unique insert does on a conflict.
        execute format('alter default privileges in schema jobs grant select, insert, update on tables to %I', role_name);
        execute format('alter default privileges in schema jobs grant usage on sequences to %I', role_name);
    end loop;
end
$$;
-- +goose StatementEnd

alter default privileges in schema jobs grant all on tables to shopd_jobs;
alter default privileges in schema jobs grant all on sequences to shopd_jobs;

-- Events wait here until the relay has brought them to the broker. seq orders what is waiting and is never used
-- to remember a place: a slow transaction commits a low number late.
create table platform.outbox (
    event_id text collate "C" primary key,
    seq bigint generated always as identity,
    type text not null,
    version integer not null,
    aggregate_id text not null,
    aggregate_version bigint not null,
    data json not null,
    trace text not null default '',
    occurred_at timestamptz not null,
    created_at timestamptz not null default now(),
    -- An event that the broker refused is not tried again before.
    not_before timestamptz,
    published_at timestamptz
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);

create index outbox_unpublished on platform.outbox (seq) where published_at is null;

-- Which relay publishes: one at a time, until its lease runs out. There is one row.
create table platform.relay_lease (
    only_row boolean primary key default true check (only_row),
    owner text not null default '',
    expires_at timestamptz not null default '-infinity'
) with (fillfactor = 10);

insert into platform.relay_lease default values;

-- What each consumer has handled: the row is written in the transaction of the effect.
create table platform.inbox (
    consumer text collate "C" not null,
    event_id text collate "C" not null,
    handled_at timestamptz not null default now(),
    primary key (consumer, event_id)
);

create index inbox_handled_at on platform.inbox using brin (handled_at);

-- Events to be handed to one consumer later: the retries of the in-process broker, and redriven dead letters.
create table platform.event_retries (
    consumer text collate "C" not null,
    event_id text collate "C" not null,
    envelope json not null,
    attempt integer not null check (attempt >= 0),
    first_failed_at timestamptz,
    due_at timestamptz not null,
    primary key (consumer, event_id)
);

create index event_retries_due on platform.event_retries (due_at);

-- Events that a consumer gave up on. A redriven one that fails again comes back to its own row.
create table platform.dead_letters (
    id text collate "C" primary key,
    consumer text collate "C" not null,
    event_id text collate "C",
    type text,
    envelope json,
    raw bytea,
    error text not null,
    attempts integer not null,
    first_failed_at timestamptz not null,
    last_failed_at timestamptz not null,
    redriven_at timestamptz,
    redrives integer not null default 0,
    unique (consumer, event_id),
    constraint dead_letter_has_content check ((envelope is null) <> (raw is null))
);

create index dead_letters_waiting on platform.dead_letters (last_failed_at desc, id desc) where redriven_at is null;

-- Answers to requests that carry an Idempotency-Key. sealed is the answer, encrypted: it may hold personal data.
create table platform.idempotency_keys (
    principal text collate "C" not null,
    key text collate "C" not null,
    fingerprint bytea not null,
    state text not null check (state in ('started', 'finished')),
    claimed_by text not null,
    lease_until timestamptz not null,
    lease_epoch bigint not null,
    resource text,
    status integer,
    sealed bytea,
    created_at timestamptz not null default now(),
    primary key (principal, key),
    constraint finished_has_answer check (state = 'started' or (status is not null and sealed is not null))
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

create index idempotency_keys_created_at on platform.idempotency_keys using brin (created_at);

grant insert on platform.outbox to
    shopd_catalog, shopd_orders, shopd_pricing, shopd_recs, shopd_payments, shopd_inventory, shopd_users, shopd_jobs;

grant select, insert on platform.inbox to
    shopd_catalog, shopd_orders, shopd_pricing, shopd_recs, shopd_payments, shopd_inventory, shopd_users;

grant select, insert, update, delete on platform.idempotency_keys to
    shopd_catalog, shopd_orders, shopd_pricing, shopd_recs, shopd_payments, shopd_inventory, shopd_users;

grant select, insert, update, delete on
    platform.outbox, platform.inbox, platform.event_retries, platform.dead_letters, platform.idempotency_keys
    to shopd_relay;

grant select, update on platform.relay_lease to shopd_relay;

-- Reports compare ids of different views, so they leave with the database's own collation.
create view public_views.v_events as
select
    event_id collate "default" as event_id,
    type,
    aggregate_id,
    created_at,
    published_at
from platform.outbox;

-- +goose Down

drop schema public_views cascade;
drop schema jobs cascade;
drop schema platform cascade;
drop schema catalog cascade;
drop schema orders cascade;
drop schema pricing cascade;
drop schema recs cascade;
drop schema payments cascade;
drop schema inventory cascade;
drop schema users cascade;
