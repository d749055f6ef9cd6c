"""Statements that show, when they are executed, what the rules on executed plans look for."""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA = """
CREATE TABLE orders (id int PRIMARY KEY, customer int, state text, amount int, note text, at timestamptz);
INSERT INTO orders SELECT g, g % 100, CASE WHEN g % 50 = 0 THEN 'open' ELSE 'done' END, (g * 7919) % 10007,
    repeat('x', 200), timestamptz '2024-01-01' + g * interval '1 min' FROM generate_series(1, 60000) g;
CREATE INDEX orders_customer_idx ON orders (customer);
CREATE INDEX orders_amount_idx ON orders (amount);
CREATE TABLE items (id int PRIMARY KEY, order_id int REFERENCES orders ON DELETE CASCADE, pieces int);
INSERT INTO items SELECT g, g % 5000 + 1, g % 10 FROM generate_series(1, 30000) g;
CREATE TABLE visits (id int PRIMARY KEY, city text, zip int, order_id int);
INSERT INTO visits SELECT g, 'city ' || g % 20, g % 20, g FROM generate_series(1, 50000) g;
CREATE TABLE moves (id int PRIMARY KEY, order_id int);
INSERT INTO moves SELECT g, g FROM generate_series(1, 20000) g;
ALTER TABLE moves ALTER order_id SET (n_distinct = 20);
"""
ALONE = "SET max_parallel_workers_per_gather = 0;"
SMALL = f"{ALONE} SET work_mem = '64kB';"
PARALLEL = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A statement, what is set before it, and the same where the rule has nothing to say."""

    settings: str
    statement: str
    quiet_settings: str = ALONE
    quiet_statement: str = ""
    options: str = "ANALYZE, BUFFERS"
    limits: str = ""

    @property
    def quiet(self) -> str:
        return self.quiet_statement or self.statement


JOIN_OF_ALL = " JOIN ".join(
    ["orders o0", *(f"items i{n} ON i{n}.order_id = o0.id AND i{n}.pieces = o0.customer" for n in range(1, 9))]
)
SCENARIOS: dict[str, Scenario] = {
    "sort-spills-to-disk": Scenario(settings=SMALL, statement="SELECT * FROM orders ORDER BY note, amount",
        quiet_settings=f"{ALONE} SET work_mem = '64MB'"),
    "hash-spills-to-disk": Scenario(
        settings=f"{SMALL} SET enable_mergejoin = off; SET enable_nestloop = off",
        statement="SELECT * FROM items i JOIN orders o ON o.id = i.order_id AND o.amount > i.pieces",
        quiet_settings=f"{ALONE} SET work_mem = '64MB'; SET enable_mergejoin = off; SET enable_nestloop = off"),
    "temporary-file-written": Scenario(
        settings=SMALL,
        statement="WITH c AS MATERIALIZED (SELECT * FROM orders) SELECT count(*) FROM c WHERE amount > 3",
        quiet_settings=f"{ALONE} SET work_mem = '64MB'"),
    "lossy-bitmap": Scenario(
        settings=f"{SMALL} SET enable_seqscan = off; SET enable_indexscan = off",
        statement="SELECT * FROM orders WHERE amount < 3000",
        quiet_settings=f"{ALONE} SET enable_seqscan = off; SET enable_indexscan = off"),
    "index-recheck-discards-rows": Scenario(
        settings="CREATE INDEX orders_at_idx ON orders USING brin (amount); SET enable_seqscan = off; "
        "SET enable_indexscan = off; DROP INDEX orders_amount_idx; " + ALONE,
        statement="SELECT * FROM orders WHERE amount < 300",
        quiet_settings=f"{ALONE} SET enable_seqscan = off; SET enable_indexscan = off"),
    "index-only-scan-visits-heap": Scenario(
        settings=f"{ALONE} UPDATE orders SET amount = amount + 1 WHERE customer < 40; SET enable_seqscan = off; "
        "SET enable_bitmapscan = off",
        statement="SELECT customer FROM orders WHERE customer < 20",
        quiet_settings=f"{ALONE} SET enable_seqscan = off; SET enable_bitmapscan = off"),
    "join-filter-discards-rows": Scenario(
        settings=ALONE,
        statement="SELECT * FROM (SELECT * FROM items WHERE id <= 50) i JOIN (SELECT * FROM orders WHERE id <= 3000) o"
        " ON o.amount - i.pieces = 7",
        quiet_statement="SELECT * FROM (SELECT * FROM items WHERE id <= 50) i JOIN orders o ON o.id = i.order_id"),
    "slow-trigger": Scenario(settings="", statement="DELETE FROM orders WHERE id <= 90",
        quiet_settings="CREATE INDEX ON items (order_id)", limits="min_ms = 10"),
    "memoize-cache-misses": Scenario(
        settings=f"{ALONE} SET enable_hashjoin = off; SET enable_mergejoin = off",
        statement="SELECT * FROM moves m JOIN orders o ON o.id = m.order_id",
        quiet_statement="SELECT * FROM items i JOIN orders o ON o.id = i.pieces",
        quiet_settings=f"{ALONE} SET enable_hashjoin = off; SET enable_mergejoin = off"),
    "workers-not-launched": Scenario(
        settings=f"{PARALLEL} SET max_parallel_workers = 0; SET jit = off",
        statement="SELECT sum(length(md5(o.note))) FROM orders o",
        quiet_settings=f"{PARALLEL} SET jit = off", limits="min_ms = 0"),
    "jit-takes-longer-than-it-saves": Scenario(
        settings=f"{ALONE} SET jit_above_cost = 0; SET jit_inline_above_cost = 0; SET jit_optimize_above_cost = 0",
        statement="SELECT sum(amount * 2) FROM orders WHERE customer > 3",
        quiet_settings=f"{ALONE} SET jit = off", limits="min_ms = 10\nmin_share = 0"),
    "planning-slower-than-execution": Scenario(
        settings="SET join_collapse_limit = 12; SET geqo = off; " + ALONE,
        statement=f"SELECT count(*) FROM {JOIN_OF_ALL} WHERE o0.id = 7",
        quiet_statement="SELECT count(*) FROM orders o JOIN items i ON i.order_id = o.id", limits="min_ms = 5"),
    "row-estimate-wrong": Scenario(
        settings=ALONE, statement="SELECT * FROM visits WHERE zip / 10 = 0",
        quiet_statement="SELECT * FROM visits WHERE zip = 7"),
    "correlated-columns-without-statistics": Scenario(
        settings=ALONE, statement="SELECT * FROM visits WHERE city = 'city 7' AND zip = 7",
        quiet_statement="SELECT * FROM visits WHERE zip = 7"),
    "nested-loop-runs-too-often": Scenario(
        settings=ALONE,
        statement="SELECT * FROM visits v JOIN orders o ON o.id = v.order_id WHERE v.city = 'city 7' AND v.zip = 7",
        quiet_statement="SELECT * FROM visits v JOIN orders o ON o.id = v.order_id WHERE v.zip = 7",
        limits="min_share = 0"),
    "wal-mostly-full-pages": Scenario(
        settings="CHECKPOINT", statement="UPDATE orders SET amount = 0 WHERE id % 30 = 0",
        quiet_settings="CHECKPOINT",
        quiet_statement="INSERT INTO moves SELECT g, 1 FROM generate_series(30000, 30500) g",
        options="ANALYZE, WAL"),
    "reads-from-disk": Scenario(
        settings=ALONE, statement="SELECT count(*) FROM orders WHERE amount > 3", limits="min_pages = 1_000"),
}  # fmt: skip
