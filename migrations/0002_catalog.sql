-- Products, their variants and categories, and beside them what the catalogue follows of prices and stock by events.

-- +goose Up

create table catalog.categories (
    id text collate "C" primary key,
    parent_id text collate "C" references catalog.categories (id),
    slug text collate "C" not null unique,
    name text not null,
    position integer not null default 0,
    unique nulls not distinct (parent_id, name)
);

create table catalog.products (
    id text collate "C" primary key,
    slug text collate "C" not null unique,
    sku text collate "C" not null,
    title text not null,
    description text not null default '',
    brand text not null default '',
    status text not null default 'active' check (status in ('draft', 'active', 'archived')),
    category_id text collate "C" references catalog.categories (id),
    attributes jsonb not null default '{}',
    options jsonb not null default '[]',
    images jsonb not null default '[]',
    collections text[] not null default '{}',
    related text[] not null default '{}',
    rating_sum bigint not null default 0,
    rating_count bigint not null default 0,
    popularity double precision not null default 0,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- The product as lists and the search index show it, computed whenever anything in it changes.
    card jsonb,
    price bigint,
    in_stock boolean not null default false,
    card_version bigint not null default 0,
    indexed_version bigint not null default 0
);

create index products_to_index on catalog.products (id) where indexed_version < card_version;
create index products_by_update on catalog.products (updated_at desc, id desc);

create table catalog.variants (
    id text collate "C" primary key,
    product_id text collate "C" not null references catalog.products (id) on delete cascade,
    sku text collate "C" not null unique,
    position integer not null,
    options jsonb not null default '{}',
    gtins text[] not null default '{}',
    image text
);

create index variants_by_product on catalog.variants (product_id, position);

-- What pricing says a variant costs. An older version never overwrites a newer one.
create table catalog.offers (
    variant_id text collate "C" not null,
    currency text collate "C" not null,
    amount bigint not null,
    compare_at bigint,
    version bigint not null,
    primary key (variant_id, currency)
);

-- What inventory says is there.
create table catalog.stock (
    sku text collate "C" not null,
    location text collate "C" not null,
    available bigint not null,
    version bigint not null,
    primary key (sku, location)
) with (fillfactor = 70);

-- One row for each category a product is listed under: its own, all above it, and '' for the whole shop.
-- Every order a list can have is an index, so that no page of it is slower than another.
create table catalog.listings (
    category_id text collate "C" not null,
    product_id text collate "C" not null references catalog.products (id) on delete cascade,
    created_at timestamptz not null,
    title text collate "C" not null,
    price bigint not null,
    popularity double precision not null,
    primary key (category_id, product_id)
);

create index listings_newest on catalog.listings (category_id, created_at desc, product_id desc);
create index listings_price on catalog.listings (category_id, price, product_id);
create index listings_title on catalog.listings (category_id, title, product_id);
create index listings_popularity on catalog.listings (category_id, popularity desc, product_id desc);
create index listings_by_product on catalog.listings (product_id);

create table catalog.reviews (
    id text collate "C" primary key,
    product_id text collate "C" not null references catalog.products (id) on delete cascade,
    rating smallint not null check (rating between 1 and 5),
    title text not null,
    body text not null,
    author text not null,
    created_at timestamptz not null
);

create index reviews_newest on catalog.reviews (product_id, created_at desc, id desc);

-- +goose Down

drop table catalog.reviews, catalog.listings, catalog.stock, catalog.offers, catalog.variants, catalog.products, catalog.categories;
