-- Promotions, their codes and limits, and each use of one. The lowest price of the 30 days before a reduction.

-- +goose Up

create table pricing.promotions (
    id text collate "C" primary key,
    title text not null,
    kind text not null check (kind in ('percentage', 'fixed_amount', 'free_shipping', 'buy_x_get_y')),
    active boolean not null,
    -- Whether it is applied without a code: those are few and every cart asks for them.
    automatic boolean not null,
    -- In hundredths of a percent; what else the promotion gives, and for what, is in terms.
    percent integer not null default 0 check (percent between 0 and 10000),
    terms jsonb not null,
    stacking text not null check (stacking in ('combinable', 'exclusive')),
    priority integer not null default 0,
    valid_from timestamptz,
    valid_to timestamptz check (valid_to > valid_from),
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    -- A promotion that was deleted stays for the orders that used it.
    deleted_at timestamptz
);

create index promotions_newest on pricing.promotions (created_at desc, id desc) where deleted_at is null;
create index promotions_automatic on pricing.promotions (id) where automatic and active and deleted_at is null;

-- A code in its normalised form belongs to one promotion.
create table pricing.coupons (
    code text collate "C" primary key check (code ~ '^[A-Z0-9_-]{3,40}$'),
    promotion_id text collate "C" not null references pricing.promotions (id)
);

create index coupons_of_promotion on pricing.coupons (promotion_id, code);

-- What is counted stands beside the promotion: it changes with every order, the promotion hardly ever.
create table pricing.promotion_limits (
    promotion_id text collate "C" primary key references pricing.promotions (id),
    use_limit bigint check (use_limit > 0),
    customer_limit bigint check (customer_limit > 0),
    uses bigint not null default 0,
    constraint uses_within_limit check (uses >= 0 and (use_limit is null or uses <= use_limit))
) with (fillfactor = 50);

-- The uses of one buyer: an account, or a mail address by its blind index.
create table pricing.promotion_buyers (
    promotion_id text collate "C" not null references pricing.promotions (id),
    buyer text collate "C" not null,
    uses bigint not null,
    use_limit bigint not null,
    primary key (promotion_id, buyer),
    constraint buyer_within_limit check (uses between 0 and use_limit)
);

-- One row for each promotion of each order. Of a promotion with a limit it is claimed before the order is written
-- (held), and ends as used or released; of others it is written when the order is paid.
create table pricing.redemptions (
    order_id text collate "C" not null,
    promotion_id text collate "C" not null references pricing.promotions (id),
    code text collate "C" not null default '',
    -- Which rows of promotion_buyers count it, and whether promotion_limits does.
    buyers text[] not null default '{}',
    counted boolean not null,
    state text not null check (state in ('held', 'used', 'released')),
    -- When a held one is looked after: its order may never have been written.
    expires_at timestamptz,
    currency text,
    revenue bigint,
    discount bigint check (discount >= 0),
    created_at timestamptz not null,
    paid_at timestamptz,
    released_at timestamptz,
    primary key (order_id, promotion_id),
    constraint held_expires check (state <> 'held' or expires_at is not null)
);

create index redemptions_held on pricing.redemptions (expires_at) where state = 'held';
create index redemptions_paid on pricing.redemptions (promotion_id, paid_at) where paid_at is not null;

-- Who is in which group of customers.
create table pricing.customer_groups (
    name text collate "C" not null check (name ~ '^[a-z0-9_-]{1,60}$'),
    customer_id text collate "C" not null,
    added_at timestamptz not null,
    primary key (name, customer_id)
);

create index groups_of_customer on pricing.customer_groups (customer_id, name);

-- The lowest price in the 30 days before this one began, kept where a reduction is shown.
alter table pricing.prices add column lowest_before bigint check (lowest_before >= 0);

-- +goose Down

alter table pricing.prices drop column lowest_before;
drop table pricing.customer_groups, pricing.redemptions, pricing.promotion_buyers, pricing.promotion_limits, pricing.coupons, pricing.promotions;
