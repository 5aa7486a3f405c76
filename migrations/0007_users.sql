-- Customers, staff, their sessions and tokens, API keys and the audit log. Everything that tells who a person is
-- lies sealed in bytea columns under a key of that person's own (data_keys): without the key it is noise.

-- +goose Up

-- One key per person, wrapped by the master key. Deleting the row erases the person, in backups too.
create table users.data_keys (
    subject text collate "C" primary key,
    wrapped bytea not null,
    created_at timestamptz not null default now()
);

create table users.customers (
    id text collate "C" primary key,
    status text not null check (status in ('active', 'disabled', 'erased')),
    -- Keyed hash of the normalised address: finds the customer, tells nothing. Null once erased.
    email_index bytea,
    email_sealed bytea,
    name_sealed bytea,
    phone_sealed bytea,
    password_hash text,
    email_verified_at timestamptz,
    -- Tokens carry the number they were made under; raising it ends all of them.
    session_version bigint not null default 1,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint customers_email_index_key unique (email_index),
    constraint erased_customers_are_empty check (
        case status
            when 'erased' then num_nonnulls(email_index, email_sealed, name_sealed, phone_sealed, password_hash) = 0
            else num_nonnulls(email_index, email_sealed, password_hash) = 3
        end
    )
);

create table users.addresses (
    id text collate "C" primary key,
    customer_id text collate "C" not null references users.customers (id),
    sealed bytea not null,
    is_default boolean not null default false,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create index addresses_of_customer on users.addresses (customer_id, id);

create unique index addresses_one_default on users.addresses (customer_id) where is_default;

create table users.staff (
    id text collate "C" primary key,
    role text not null check (role in ('owner', 'manager', 'support', 'viewer')),
    email_index bytea not null,
    email_sealed bytea not null,
    name_sealed bytea,
    password_hash text,
    session_version bigint not null default 1,
    version bigint not null default 1,
    disabled_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint staff_email_index_key unique (email_index)
);

-- A customer's session is the family of its refresh tokens. A staff session is found by the hash of its cookie.
create table users.sessions (
    id text collate "C" primary key,
    customer_id text collate "C" references users.customers (id),
    staff_id text collate "C" references users.staff (id),
    token_hash bytea,
    session_version bigint not null,
    created_at timestamptz not null,
    last_seen_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    revoked_because text,
    constraint sessions_have_one_owner check (num_nonnulls(customer_id, staff_id) = 1),
    constraint sessions_of_staff_have_a_cookie check ((staff_id is null) = (token_hash is null)),
    constraint sessions_token_hash_key unique (token_hash)
) with (fillfactor = 80);

create index sessions_live_of_customer on users.sessions (customer_id) where customer_id is not null and revoked_at is null;

create index sessions_live_of_staff on users.sessions (staff_id) where staff_id is not null and revoked_at is null;

create index sessions_expiry on users.sessions (expires_at);

-- Single use. The successor is kept, sealed, for the few seconds in which a client whose answer got lost may ask again.
create table users.refresh_tokens (
    token_hash bytea primary key,
    session_id text collate "C" not null references users.sessions (id) on delete cascade,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    successor_sealed bytea,
    constraint used_tokens_have_a_successor check ((used_at is null) = (successor_sealed is null))
) with (fillfactor = 80);

create index refresh_tokens_of_session on users.refresh_tokens (session_id);

-- Tokens that travel by mail or are printed once. Redeeming one deletes it.
create table users.one_time_tokens (
    token_hash bytea primary key,
    purpose text not null check (purpose in ('verify_email', 'change_email', 'reset_password', 'staff_login')),
    customer_id text collate "C" references users.customers (id),
    staff_id text collate "C" references users.staff (id),
    -- The address the account had when the token was made: a token does not outlive a change of address.
    email_index bytea not null,
    -- The new address of a change_email, and its index.
    new_email_sealed bytea,
    new_email_index bytea,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    constraint one_time_tokens_have_one_owner check (num_nonnulls(customer_id, staff_id) = 1),
    constraint changes_name_the_new_address check (
        num_nonnulls(new_email_sealed, new_email_index) = case purpose when 'change_email' then 2 else 0 end
    )
);

create index one_time_tokens_of_customer on users.one_time_tokens (customer_id, purpose) where customer_id is not null;

create index one_time_tokens_of_staff on users.one_time_tokens (staff_id, purpose) where staff_id is not null;

create index one_time_tokens_expiry on users.one_time_tokens (expires_at);

create table users.api_keys (
    id text collate "C" primary key,
    name text not null check (length(name) between 1 and 100),
    token_hash bytea not null,
    hint text not null,
    scopes text[] not null check (cardinality(scopes) > 0),
    created_at timestamptz not null,
    created_by text not null,
    last_used_at timestamptz,
    revoked_at timestamptz,
    constraint api_keys_token_hash_key unique (token_hash)
);

-- Who did what. Ids and figures only, no personal data: it is kept when a person is erased.
create table users.audit_log (
    id text collate "C" primary key,
    at timestamptz not null,
    actor text not null,
    action text not null,
    object text not null,
    detail jsonb not null default '{}'
);

create index audit_log_of_object on users.audit_log (object, id);

-- The log grows and is never rewritten.
revoke update, delete, truncate on users.audit_log from shopd_users;

-- +goose Down

drop table users.audit_log;
drop table users.api_keys;
drop table users.one_time_tokens;
drop table users.refresh_tokens;
drop table users.sessions;
drop table users.staff;
drop table users.addresses;
drop table users.customers;
drop table users.data_keys;
