-- Carts know their coupon codes and what promotions take off; orders keep what was taken off. The catalogue follows the
-- lowest price before a reduction.

-- +goose Up

alter table orders.carts add column coupons jsonb not null default '[]';
alter table orders.carts add column promotions jsonb not null default '[]';
alter table orders.orders add column promotions jsonb not null default '[]';

alter table catalog.offers add column lowest_before bigint;

-- +goose Down

alter table catalog.offers drop column lowest_before;
alter table orders.orders drop column promotions;
alter table orders.carts drop column promotions, drop column coupons;
