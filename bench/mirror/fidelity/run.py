"""Compares a mirror with the production that it was made after: statistics, plans, rows, buffers of executed queries.

    python bench/mirror/fidelity/run.py --suite tpch --scale 1

Loads the suite into a server, takes its plans and executes its queries, pulls a profile, builds the mirror of it on
another server, and asks there what was asked here.  Also asked: what the plans of production itself become when it is
analyzed once more (the noise that no copy can be below), and what those of the mirror become with production's
statistics in its catalog.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from suites import SUITES

from premortem import catalog, mirror, pg, plans
from premortem.errors import PremortemError
from premortem.mirror import Crewing, Options, Place
from premortem.model import Node, Plan, Profile, Values

SETTINGS: dict[str, str | int | float | bool] = {
    "shared_buffers": "1GB", "work_mem": "16MB", "maintenance_work_mem": "512MB", "effective_cache_size": "4GB",
    "random_page_cost": "1.1", "max_wal_size": "8GB", "autovacuum": "off", "jit": "off",
}  # fmt: skip
PATIENCE = timedelta(seconds=25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a server says to a query: its plan, and the plan as executed where that did not take too long."""

    plan: Plan | None
    executed: Plan | None


@dataclass(slots=True, kw_only=True)
class Score:
    """Sums over a suite."""

    name: str
    shapes: list[bool] = field(default_factory=list)
    estimates: list[float] = field(default_factory=list)
    rows: list[float] = field(default_factory=list)
    buffers: list[float] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)

    def add(self, query: str, there: Asked, here: Asked) -> None:
        if there.plan is None or here.plan is None:
            return
        same = plans.shape(there.plan) == plans.shape(here.plan)
        self.shapes.append(same)
        if not same:
            self.differing.append(query)
        self.estimates += (q(a.rows, b.rows) for a, b in pairs(there.plan, here.plan))
        if there.executed is None or here.executed is None:
            return
        self.buffers.append(q(buffers(there.executed), buffers(here.executed)))
        if plans.shape(there.executed) == plans.shape(here.executed):
            self.rows += (q(done(a), done(b)) for a, b in pairs(there.executed, here.executed))

    def line(self) -> str:
        near = f"{sum(b <= 2 for b in self.buffers)}/{len(self.buffers)}" if self.buffers else "-"
        return (
            f"| {self.name} | {sum(self.shapes)}/{len(self.shapes)} | {at(self.estimates, 0.5)} | "
            f"{at(self.estimates, 0.95)} | {at(self.rows, 0.5)} | {at(self.rows, 0.95)} | {near} |"
        )


def q(one: float, other: float) -> float:
    one, other = max(one, 1.0), max(other, 1.0)
    return max(one / other, other / one)


def at(values: list[float], share: float) -> str:
    ordered = sorted(values)
    return f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))]:.2f}" if ordered else "-"


def pairs(there: Plan, here: Plan) -> Iterator[tuple[Node, Node]]:
    """Yield the nodes of two plans of one shape; of others the scans that both have."""
    if plans.shape(there) == plans.shape(here):
        yield from zip(there.root.walk(), here.root.walk(), strict=True)
        return
    known = {(n.kind, n.raw.get("Alias")): n for n in here.root.walk() if n.relation is not None}
    for node in there.root.walk():
        other = known.get((node.kind, node.raw.get("Alias")))
        if other is not None:
            yield node, other


def done(node: Node) -> float:
    return float(node.raw.get("Actual Rows", 0)) * float(node.raw.get("Actual Loops", 1))  # type: ignore[arg-type]


def buffers(plan: Plan) -> float:
    return sum(float(plan.root.raw.get(f"Shared {what} Blocks", 0)) for what in ("Hit", "Read"))  # type: ignore[arg-type]


def asked(dsn: str, queries: Mapping[str, str], *, execute: bool) -> dict[str, Asked]:
    with pg.writer(dsn, purpose="bench", statement_timeout=PATIENCE) as db:
        return {name: _asked(db, text, execute=execute) for name, text in queries.items()}


def _asked(db: pg.Session, text: str, *, execute: bool) -> Asked:
    plan = _explained(db, f"EXPLAIN (FORMAT JSON, VERBOSE) {text}")
    reads = text.lstrip().lower().startswith(("select", "with"))
    if not execute or not reads or plan is None:
        return Asked(plan=plan, executed=None)
    how = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, VERBOSE, FORMAT JSON)"
    return Asked(plan=plan, executed=_explained(db, f"{how} {text}"))


def _explained(db: pg.Session, sql: str) -> Plan | None:
    try:
        return plans.parse_json(db.value(sql))
    except PremortemError:
        return None


def pin(dsn: str, profile: Profile) -> None:
    """Put production's statistics where the mirror's own are."""
    with pg.writer(dsn, purpose="bench") as db:
        mirror.pin(db, profile)


def run(name: str, scale: float, *, values: Values, workers: int) -> list[Score]:
    suite = SUITES[name](scale)
    installation = pg.installation(18)
    with pg.start(installation, settings=SETTINGS) as server:
        with pg.writer(server, purpose="bench") as db:
            db.execute("CREATE DATABASE production")
        with pg.writer(server, purpose="bench", database="production") as db:
            db.execute("CREATE EXTENSION IF NOT EXISTS pageinspect")
            suite.load(db)
            db.execute("CHECKPOINT")
        there = asked(server.dsn("production"), suite.queries, execute=True)
        with pg.session(server, purpose="bench", database="production") as session:
            profile = catalog.pull(session, values=values)
        with pg.writer(server, purpose="bench", database="production") as db:
            db.execute("ANALYZE")
        again = asked(server.dsn("production"), suite.queries, execute=False)
    with pg.start(installation, settings=SETTINGS) as server:
        with pg.writer(server, purpose="bench") as db:
            db.execute("CREATE DATABASE mirrored")
        place = Place(dsn=server.dsn("mirrored"), server=server)
        built = mirror.build(place, profile, Options(), digest="bench", crewing=Crewing(workers=workers))
        print(f"{name}: {built.rows:,} rows in {built.seconds:.0f} s", flush=True)
        for gap in built.gaps:
            print(f"    gap: {gap.subject}: {gap.says}")
        here = asked(place.dsn, suite.queries, execute=True)
        pin(place.dsn, profile)
        pinned = asked(place.dsn, suite.queries, execute=True)
    scores = []
    for label, other in (
        ("production, analyzed again", again), ("mirror", here), ("mirror with production's statistics", pinned),
    ):  # fmt: skip
        score = Score(name=f"{name} {scale:g}: {label}")
        for query, answer in there.items():
            score.add(query, answer, other[query])
        scores.append(score)
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", choices=sorted(SUITES), action="append")
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--values", type=Values, choices=list(Values), default=Values.ALL)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    head = "| workload | same shape | estimated rows, median | p95 | actual rows, median | p95 | buffers within 2x |"
    lines = [head, "|---|--:|--:|--:|--:|--:|--:|"]
    differing: dict[str, list[str]] = {}
    for name in chosen.suite or sorted(SUITES):
        for score in run(name, chosen.scale, values=chosen.values, workers=chosen.workers):
            lines.append(score.line())
            differing[score.name] = score.differing
    print("\n".join(lines))
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        json.dump(differing, file, indent=1)
    print(f"which plans differ: {file.name}")


if __name__ == "__main__":
    sys.exit(main())
