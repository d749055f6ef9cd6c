#!/usr/bin/env python3
"""How far a time that is predicted from a plan's cost is off: each statement, predicted from the others.

bench/speed/run.py     25 statements on the shop of tests/check, 8 times each, with pg_stat_statements of PostgreSQL 18
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from premortem import catalog, pg, sources, twin
from premortem.check.speed import learned
from premortem.errors import PremortemError
from premortem.model import GENERIC, ParameterSet, Query, StatementKind, Values
from premortem.settings import Speed
from tests.check.shop import fill

LITERAL = ParameterSet(name="literal")
STATUSES = ("pending", "paid", "shipped")
QUERIES = (
    "select * from orders where id = {order}",
    "select * from orders where customer_id = {customer}",
    "select count(*) from orders where status = {status}",
    "select count(*) from order_items where product_sku = {sku}",
    "select * from order_items where order_id = {order}",
    "select sum(quantity) from order_items where status = {status}",
    "select c.country, count(*) from orders o join customers c on c.id = o.customer_id where o.status = {status}"
    " group by 1",
    "select * from orders order by created_at desc limit 10",
    "select * from order_items where product_sku = {sku} and status = 'shipped' limit 10",
    "select count(*) from customers where email like {prefix}",
    "select o.id, sum(i.quantity) from orders o join order_items i on i.order_id = o.id"
    " where o.customer_id = {customer} group by 1",
    "select country, count(*) from customers group by 1",
    "select * from customers order by email limit 20 offset 5000",
    "select count(distinct product_sku) from order_items",
    "select * from orders where created_at > '2026-01-05' limit 100",
    "select status, count(*), max(created_at) from orders group by 1",
    "select product_sku, sum(quantity) from order_items group by 1 order by 2 desc limit 10",
    "select * from countries where name = 'country 5'",
    "select count(*) from orders o where exists"
    " (select 1 from order_items i where i.order_id = o.id and i.status = 'packed')",
    "select * from customers c where not exists (select 1 from orders o where o.customer_id = c.id) limit 50",
    "select avg(quantity) from order_items where quantity > 5",
    "select count(*) from order_items i join orders o on o.id = i.order_id where o.status = {status}",
    "select * from order_items order by quantity desc, id limit 5",
    "select max(id) from order_items",
    "select * from order_items where id between {order} and {order} + 5000",
)


def ask(db: pg.Session) -> None:
    """Ask every query eight times, with values as they come."""
    chosen = random.Random(5)
    for query in QUERIES:
        for _ in range(8):
            values = {
                "order": chosen.randint(1, 100_000),
                "customer": chosen.randint(1, 20_000),
                "status": f"'{chosen.choice(STATUSES)}'",
                "sku": f"'SKU-{chosen.randint(0, 4999):06d}'",
                "prefix": f"'user{chosen.randint(1, 99)}%'",
            }
            db.execute(query.format(**values))


def measured(server: pg.Server) -> list[tuple[float, float, str]]:
    """Return the mean milliseconds of each statement, its cost on a twin, and its text."""
    dsn = server.dsn("postgres")
    with pg.writer(dsn, purpose="bench") as db:
        fill(db)
        db.execute("CREATE EXTENSION pg_stat_statements")
        ask(db)
    with pg.session(dsn, purpose="bench") as session:
        profile = catalog.pull(session, values=Values.ALL)
    found = []
    with twin.open(profile) as opened:
        for query in sources.workload(profile):
            if not isinstance(query, Query) or query.kind is not StatementKind.SELECT or query.mean_time is None:
                continue
            try:
                plan = opened.explain(query, GENERIC if query.parameter_count else LITERAL).plan
            except PremortemError:
                continue
            if any(node.relation is not None and node.relation.schema == "public" for node in plan.walk()):
                found.append((query.mean_time.total_seconds() * 1000, plan.total_cost, query.text))
    return [f for f in found if f[1] >= 100]


def main() -> int:
    """Print each statement's time and the prediction from the others."""
    installation = pg.exact_installation(18)
    assert installation is not None
    settings: dict[str, str | int | float | bool] = {
        "shared_preload_libraries": "pg_stat_statements",
        "max_parallel_workers_per_gather": 0,
    }
    with pg.start(installation, settings=settings) as server:
        print(*told(measured(server)), sep="\n")
    return 0


def told(figures: Sequence[tuple[float, float, str]]) -> list[str]:
    """Return a line for each statement, and one for all."""
    lines, factors, inside = [], [], 0
    for place, (ms, cost, text) in enumerate(figures):
        speed = learned([(m, c) for other, (m, c, _) in enumerate(figures) if other != place])
        if not isinstance(speed, Speed):
            return [speed.says]
        low, middle, high = (cost * s for s in (speed.low, speed.median, speed.high))
        factors.append(max(ms / middle, middle / ms))
        inside += low <= ms <= high
        lines.append(f"{ms:9.1f} ms  predicted {middle:9.1f} ({low:.1f} to {high:.1f})  {text[:70]}")
    share = f"{inside} of {len(factors)} within the range"
    return [*lines, f"{share}; off by a factor of {median(factors):.1f} in the middle, {max(factors):.1f} at worst"]


if __name__ == "__main__":
    sys.exit(main())
