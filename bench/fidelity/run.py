"""Compares a twin's plans with production's, node by node and to the cent.

    python bench/fidelity/run.py --suite tpch --scale 1 --pair 15:15 --pair 18:18 --pair 15:18

Loads the suite into a server of the first major, takes its plans there, pulls a profile, opens a twin on the second
major, and plans the same queries on it.  Prints a row per pair and the queries that differ.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from suites import SUITES, Suite

from premortem import catalog, pg, plans, twin
from premortem.errors import PremortemError
from premortem.model import Node, ParameterSet, Plan, Query, Site, Values

LITERAL = ParameterSet(name="literal")
PRODUCTION = {
    "shared_buffers": "1GB", "work_mem": "16MB", "maintenance_work_mem": "512MB", "effective_cache_size": "4GB",
    "random_page_cost": "1.1", "max_wal_size": "8GB", "autovacuum": "off", "jit": "off",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One query in both places."""

    name: str
    same_shape: bool
    same_cost: bool
    says: str


def compare(name: str, there: Plan, here: Plan) -> Compared:
    same_shape = plans.shape(there) == plans.shape(here)
    differing = tuple(_differing(there.root, here.root)) if same_shape else ()
    cost = f"{there.total_cost:,.2f} against {here.total_cost:,.2f}"
    first = f"; deepest differing node: {differing[-1]}" if differing else ""
    same = same_shape and not differing
    return Compared(name=name, same_shape=same_shape, same_cost=same, says=cost + first)


def _differing(there: Node, here: Node) -> Iterator[str]:
    for a, b in zip(there.walk(), here.walk(), strict=True):
        figures = ((a.startup_cost, a.total_cost, a.rows, a.width), (b.startup_cost, b.total_cost, b.rows, b.width))
        if figures[0] != figures[1]:
            yield f"{a.kind} {a.relation or ''} {a.index or ''} {figures[0]} against {figures[1]}"


def query(name: str, text: str) -> Query:
    return Query(text=text, original=text, fingerprint=name, site=Site(source=name))


def plans_there(server: pg.Server, suite: Suite) -> dict[str, Plan | str]:
    found: dict[str, Plan | str] = {}
    with pg.writer(server, purpose="fidelity", database="production") as db:
        for name, text in suite.queries.items():
            try:
                found[name] = plans.parse_json(db.value(f"EXPLAIN (FORMAT JSON, VERBOSE) {text}"))
            except PremortemError as error:
                found[name] = error.message
    return found


def run(suite: Suite, production: int, others: list[int]) -> None:
    with pg.start(pg.installation(production), settings=PRODUCTION) as server:
        with pg.writer(server, purpose="fidelity") as db:
            db.execute("CREATE DATABASE production")
        with pg.writer(server, purpose="fidelity", database="production") as db:
            db.execute("CREATE EXTENSION IF NOT EXISTS pageinspect")
            suite.load(db)
        there = plans_there(server, suite)
        with pg.session(server, purpose="fidelity", database="production") as session:
            began = time.perf_counter()
            profile = catalog.pull(session, values=Values.ALL)
            pulled = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "production.profile"
        catalog.write(profile, file)
        size = file.stat().st_size
        profile = catalog.read(file)
    for major in others:
        report(suite, profile, there, major, f"pull {pulled:.1f} s, profile {size / 1024:,.0f} kB")


def report(suite: Suite, profile: catalog.Profile, there: dict[str, Plan | str], major: int, note: str) -> None:
    began = time.perf_counter()
    compared, failed = [], []
    with twin.open(profile, installation=pg.installation(major)) as here:
        opened = time.perf_counter() - began
        for name, plan in there.items():
            if isinstance(plan, str):
                failed.append(f"{name} in production: {plan}")
                continue
            try:
                planned = here.explain(query(name, suite.queries[name]), LITERAL)
                compared.append(compare(name, plan, planned.plan))
            except PremortemError as error:
                failed.append(f"{name} on the twin: {error.message}")
        gaps = here.gaps
    shapes, costs = (sum(getattr(c, f) for c in compared) for f in ("same_shape", "same_cost"))
    print(f"{suite.name} {profile.server.major} -> {major}: {shapes}/{len(compared)} shapes,", end=" ")
    print(f"{costs}/{len(compared)} exact in every node; {note}, twin open {opened:.1f} s", flush=True)
    for c in compared:
        if not c.same_cost:
            print(f"    {c.name}: {'cost' if c.same_shape else 'SHAPE'}: {c.says}")
    for line in failed:
        print(f"    {line}")
    for gap in gaps:
        print(f"    gap: {gap.subject}: {gap.says}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", choices=sorted(SUITES), action="append")
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--pair", action="append", metavar="PRODUCTION:TWIN")
    chosen = parser.parse_args()
    pairs: dict[int, list[int]] = {}
    for pair in chosen.pair or ["15:15", "18:18", "15:18"]:
        production, _, other = pair.partition(":")
        pairs.setdefault(int(production), []).append(int(other))
    for name in chosen.suite or sorted(SUITES):
        suite = SUITES[name](chosen.scale)
        for production, others in pairs.items():
            run(suite, production, others)


if __name__ == "__main__":
    sys.exit(main())
