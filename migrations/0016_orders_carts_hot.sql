-- A cart is written at every step of a checkout. Before PostgreSQL 16 an index on the time of the last change makes each
-- write a new entry in every index of the table; what an index holds of a cart now never changes. The time a cart was
-- made is before the time it was changed, and narrows down the old ones as well.

-- +goose NO TRANSACTION
-- +goose Up

drop index concurrently if exists orders.carts_by_update;
drop index concurrently if exists orders.carts_of_customer;
drop index concurrently if exists orders.carts_by_age;
drop index concurrently if exists orders.carts_of_person;
create index concurrently carts_by_age on orders.carts using brin (created_at);
create index concurrently carts_of_person on orders.carts (customer_id) where customer_id is not null;

-- +goose Down

drop index concurrently if exists orders.carts_of_person;
drop index concurrently if exists orders.carts_by_age;
create index concurrently carts_by_update on orders.carts using brin (updated_at);
create index concurrently carts_of_customer on orders.carts (customer_id, updated_at desc) where customer_id is not null;
