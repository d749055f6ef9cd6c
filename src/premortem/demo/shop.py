"""The shop of the post-mortem, at any size: the developer's copy and production differ in nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from premortem import pg

queries = pg.named_sql("premortem.demo", "sql/shop.sql")

PRODUCTION_ITEMS = 2_000_000
DEVELOPMENT_ITEMS = 5_000

#: The query that the pull request adds, as the post-mortem has it.
PULL_REQUEST = """\
-- name: open_items_of_product
select id, order_id, quantity, price
from order_items
where product_sku = $1 and status = $2;
"""
STATEMENT = PULL_REQUEST.partition("\n")[2].rstrip().rstrip(";")
HOT = ("SKU-000001", "pending")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What EXPLAIN (ANALYZE, BUFFERS) measured: the median time of several runs, and the pages one run touched."""

    milliseconds: float
    pages: int
    rows: int


def load(db: pg.Session, items: int) -> None:
    """Fill an empty database with a shop that has sold that many items, and analyze it."""
    db.execute(queries["schema"])
    db.execute("SELECT setseed(0.42)")
    for table in ("products", "orders", "items"):
        db.execute(queries[table], items=items)
    db.execute(queries["indexes"])
    db.execute("VACUUM ANALYZE")


def measure(db: pg.Session, runs: int = 5) -> Measured:
    """Run the pull request's query for its best-selling product and return what was measured."""
    arguments = ", ".join(f"'{value}'" for value in HOT)
    db.execute(f"PREPARE pull_request AS {STATEMENT}")
    try:
        runs_made = [_run(db, f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE pull_request({arguments})")]
        while len(runs_made) < runs:
            runs_made.append(_run(db, f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE pull_request({arguments})"))
    finally:
        db.execute("DEALLOCATE pull_request")
    return sorted(runs_made, key=lambda m: m.milliseconds)[runs // 2]


def _run(db: pg.Session, explain: str) -> Measured:
    (explained,) = db.value(explain)
    plan = explained["Plan"]
    return Measured(
        milliseconds=explained["Execution Time"],
        pages=plan["Shared Hit Blocks"] + plan["Shared Read Blocks"],
        rows=round(plan["Actual Rows"]),
    )
