-- premortem advise: 2 indexes, 14 MB of the 100 MB allowed; 1 index may go and gives back 22 MB
-- Profile prod.profile of 2026-04-06 03:15 UTC (PostgreSQL 15.18), planned by PostgreSQL 15.18 with
-- zero rows; premortem 0.1.0.
-- Reads: 13 h/day → 1 h/day, 13 times less; keeping them costs writers 9.0 s/day. 92 % of today's time
-- is measured, the rest estimated from the planner's costs.
-- Planned on the twin (PostgreSQL 15.18) for every set of parameter values: none of the 2 queries gets
-- slower. Not executed: --mirror DSN does.
-- Made by: premortem advise -p prod.profile --budget 100MB
--
-- Run it with psql -f, outside of a transaction: CONCURRENTLY is refused in one. Reads and writes go
-- on meanwhile. It stops at the first error. A build that fails leaves an invalid index of that name:
-- drop it with DROP INDEX CONCURRENTLY, and run the rest again.

\set ON_ERROR_STOP on
SET statement_timeout = 0;
SET lock_timeout = 0;

-- 1 of 2: saves 11 h/day, 92 % of it all; 14 MB, about 2.1 s to build.
-- Locks SHARE UPDATE EXCLUSIVE, which lets reads and writes go on.
-- Costs writers 9.0 s/day: 86,400 entries and 6.6 MB of WAL a day, 1,200 updates a day no longer HOT
-- (pg_stat_user_tables over 12 days).
--   select * from order_items where product_sku = $1 and status…: 12 h/day → 1 min/day (720 times
--   less)
-- Built on the mirror: 13 MB in 2.0 s.
CREATE INDEX CONCURRENTLY order_items_product_sku_status_idx ON public.order_items (product_sku, status);

-- 2 of 2: saves 1 h/day, 8 % of it all; 48 kB, about 400 ms to build.
--   open_orders: 1 h/day → 1.0 s/day (3,600 times less)
CREATE INDEX CONCURRENTLY orders_created_at_partial_idx ON public.orders (created_at) INCLUDE (id) WHERE status = 'open';

-- order_items_product_sku_status_idx replaces order_items_product_sku_idx.
DROP INDEX CONCURRENTLY public.order_items_product_sku_idx;

-- redundant, 22 MB. orders_customer_id_status_idx begins with the same columns.
-- Planned without it, none of 2 queries gets dearer.
-- A standby's queries are not in this workload.
DROP INDEX CONCURRENTLY public.orders_old_idx;

-- To undo it all:
-- CREATE INDEX CONCURRENTLY orders_old_idx ON public.orders USING btree (customer_id);
-- CREATE INDEX CONCURRENTLY order_items_product_sku_idx ON public.order_items USING btree (product_sku);
-- DROP INDEX CONCURRENTLY IF EXISTS public.orders_created_at_partial_idx;
-- DROP INDEX CONCURRENTLY IF EXISTS public.order_items_product_sku_status_idx;
