-- premortem advise: 1 index, 14 MB of the 100 MB allowed; 1 index may go and gives back 22 MB
-- Profile select '\x1b]0;owned\x07\x1b[31m' as "```</details><script>alert(1)</script>@octocat #1",
-- '\u202egnp' -- |x| of 2026-04-06 03:15 UTC (PostgreSQL 15.18), planned by PostgreSQL 15.18 with zero
-- rows; premortem 0.1.0.
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

-- 1 of 1: saves 11 h/day, 92 % of it all; 14 MB, about 2.1 s to build.
-- Locks select '\x1b]0;owned\x07\x1b[31m' as "```</details><script>alert(1)</script>@octocat #1",
-- '\u202egnp' -- |x|.
-- Costs writers 9.0 s/day: 86,400 entries and 6.6 MB of WAL a day, 1,200 updates a day no longer HOT
-- (pg_stat_user_tables over 12 days).
--   select '\x1b]0;owned\x07\x1b[31m' as "```</details><script>alert(1)</script>@octocat #1",
--   '\u202egnp' -- |x|: 1 h/day → 1 min/day (60 times less)
-- Select '\x1b]0;owned\x07\x1b[31m' as "```</details><script>alert(1)</script>@octocat #1",
-- '\u202egnp' -- |x|.
CREATE INDEX CONCURRENTLY order_items_product_sku_status_idx ON public.order_items (product_sku, status);

-- select '\x1b]0;owned\x07\x1b[31m' as "```</details><script>alert(1)</script>@octocat #1",
-- '\u202egnp' -- |x| replaces "select '\x1b]0;owned\x07\x1b[31m' as
-- ""```</details><script>alert(1)</script>@octocat #1"", '\u202egnp' -- |x|".
DROP INDEX CONCURRENTLY public.order_items_product_sku_idx;

-- redundant, 22 MB. Select '\x1b]0;owned\x07\x1b[31m' as
-- "```</details><script>alert(1)</script>@octocat #1", '\u202egnp' -- |x|.
-- Select '\x1b]0;owned\x07\x1b[31m' as "```</details><script>alert(1)</script>@octocat #1",
-- '\u202egnp' -- |x|.
-- Select '\x1b]0;owned\x07\x1b[31m' as "```</details><script>alert(1)</script>@octocat #1",
-- '\u202egnp' -- |x|.
DROP INDEX CONCURRENTLY public.orders_old_idx;

-- To undo it all:
-- CREATE INDEX CONCURRENTLY orders_old_idx ON public.orders USING btree (customer_id);
-- CREATE INDEX CONCURRENTLY order_items_product_sku_idx ON public.order_items USING btree (product_sku);
-- DROP INDEX "select '\x1b]0;owned\x07\x1b[31m' as "```</details><script>alert(1)</script>@octocat #1", '\u202egnp' -- |x|";
