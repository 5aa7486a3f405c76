-- What is bought, and what is bought together: what recommendations begin with.

-- +goose Up

create table recs.sales (
    product_id text collate "C" primary key,
    pieces bigint not null
);

create index sales_most_wanted on recs.sales (pieces desc, product_id);

create table recs.pairs (
    product_id text collate "C" not null,
    other_id text collate "C" not null,
    orders bigint not null,
    primary key (product_id, other_id)
);

create index pairs_most_often on recs.pairs (product_id, orders desc, other_id);

-- +goose Down

drop table recs.pairs, recs.sales;
