-- The least SQL of an order: three inserts and one guarded update of the stock, in one transaction.
\set sku random(1, 2000)
begin;
insert into least.orders (customer, total) values ('bench@example.com', 4999) returning id as order_id \gset
insert into least.order_lines (order_id, sku, quantity, unit_price) values (:order_id, :sku, 1, 4999);
insert into least.events (data) values ('{"type":"order_placed","total":4999}');
update least.stock set available = available - 1 where sku = :sku and available >= 1;
commit;
