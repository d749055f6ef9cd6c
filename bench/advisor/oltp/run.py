"""How long advising takes for 5,000 distinct queries of an application on 500 tables, and what comes of it.

    python bench/advisor/oltp/run.py [--state FOLDER] [--major 15] [--modules 50] [--profile-python] [-- ADVISE OPTIONS]

A server is filled with a few hundred rows a table, and its profile pulled; then every table is taken to be as large as
a grown production's, with as many tenants, and to be read and written as such.  `premortem advise` runs from the shell
on the profile's own workload.  Wall-clock and CPU seconds of the process and its children, with the twin to build
first.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from application import Shape, shapes

from premortem import catalog, pg
from premortem.model import (
    Column,
    ColumnStatistics,
    Index,
    Profile,
    Query,
    Site,
    StatementKind,
    Table,
    TableActivity,
    Values,
    Workload,
)

SHAPES = shapes()
ROWS = 300
WINDOW = timedelta(days=14)
#: How many different values there are once there are millions of rows; negative is a share of the rows.
DISTINCT = {
    "tenant_id": 4_000, "owner_id": 60_000, "user_id": 60_000, "actor_id": 60_000, "author_id": 60_000,
    "item_id": -0.1, "subject_id": -0.2, "row_id": -0.1, "tag_id": -0.002, "title": -0.9, "body": -1, "slug": -0.8,
    "payload": -1, "data": -0.01,
}  # fmt: skip
KINDS = {"select": StatementKind.SELECT, "insert": StatementKind.INSERT, "update": StatementKind.UPDATE,
         "delete": StatementKind.DELETE}  # fmt: skip


def production(major: int, modules: int, file: Path) -> None:
    settings = {"max_locks_per_transaction": 1000, "autovacuum": "off"}
    with pg.start(pg.installation(major), settings=settings) as server:
        with pg.writer(server, purpose="bench") as db:
            db.execute("SELECT setseed(0.4)")
            for module in range(modules):
                for shape in SHAPES:
                    for statement in statements(shape, module):
                        db.execute(statement)
            db.execute("VACUUM ANALYZE")
        with pg.session(server, purpose="bench") as session:
            profile = catalog.pull(session, values=Values.ALL)
    catalog.write(replace(grown(profile), workload=workload(modules)), file)


def statements(shape: Shape, module: int) -> Iterator[str]:
    table = f"m{module:02}_{shape.name}"
    yield f"create table {table} ({shape.columns})"
    yield f"insert into {table} {shape.rows} from generate_series(1, {ROWS}) i"
    there = shape.indexes[: module % (len(shape.indexes) + 1)]
    yield from (f"create index on {table} {index}" for index in there)
    if module % 5 == 0 and shape.indexes:  # and one that nobody needs
        yield f"create index on {table} {shape.indexes[0]}"


def grown(profile: Profile) -> Profile:
    """Take every table to be as large as a grown production's: the first modules are the most used."""
    return replace(profile, tables=tuple(_grown(t) for t in profile.tables))


def _grown(table: Table) -> Table:
    module, name = int(table.name[1:3]), table.name[4:]
    shape = next(s for s in SHAPES if s.name == name)
    factor = max(shape.size * 20_000 / (1 + module) ** 0.8, 5.0)
    used = 1 / (1 + module) ** 0.7
    inserts, updates, deletes = (rate * used for rate in shape.writes)
    return replace(
        table,
        columns=tuple(_grown_column(c) for c in table.columns),
        pages=round(table.pages * factor),
        relation_pages=round(table.relation_pages * factor),
        all_visible=round(table.all_visible * factor * 0.9),
        tuples=table.tuples * factor,
        indexes=tuple(_grown_index(i, factor) for i in table.indexes),
        activity=TableActivity(
            window=WINDOW, inserts=inserts, updates=updates, hot_updates=updates * 0.6, deletes=deletes,
            sequential_scans=0.1, index_scans=100.0,
        ),
    )  # fmt: skip


def _grown_column(column: Column) -> Column:
    return replace(column, statistics=tuple(_grown_statistics(column.name, s) for s in column.statistics))


def _grown_statistics(name: str, found: ColumnStatistics) -> ColumnStatistics:
    """More values than a few hundred rows can have; the commonest tenants stay common, other keys have none."""
    if name not in DISTINCT:
        return found
    if name == "tenant_id" and found.most_common_frequencies:
        frequencies = tuple(f * 0.25 for f in found.most_common_frequencies)
        return replace(found, n_distinct=DISTINCT[name], most_common_frequencies=frequencies)
    return replace(found, n_distinct=DISTINCT[name], most_common_values=None, most_common_frequencies=None)


def _grown_index(index: Index, factor: float) -> Index:
    return replace(
        index,
        pages=round(index.pages * factor * 0.5),
        relation_pages=round(index.relation_pages * factor * 0.5),
        tuples=index.tuples * factor,
        level=2,
        scans_per_second=50.0 / factor,
        scans=round(50.0 / factor * WINDOW.total_seconds()),
    )


def workload(modules: int) -> Workload:
    chance = random.Random(7)
    found = [
        _query(number, text.replace("{m}", f"m{module:02}"), 400 * share / (1 + module) ** 0.7 * chance.uniform(0.5, 2))
        for number, (module, text, share) in enumerate(
            (module, text, share) for module in range(modules) for shape in SHAPES for text, share in shape.asks
        )
    ]
    return Workload(window=WINDOW, statements=tuple(found), deallocations=0)


def _query(number: int, text: str, per_second: float) -> Query:
    calls = max(round(per_second * WINDOW.total_seconds()), 1)
    count = max((n for n in range(1, 10) if f"${n}" in text), default=0)
    return Query(
        text=text, original=text, fingerprint=str(number), site=Site(source="pg_stat_statements", name=str(number)),
        kind=KINDS[text.split()[0]], parameter_count=count, calls=calls,
        calls_per_second=calls / WINDOW.total_seconds(), mean_time=timedelta(milliseconds=1.5), rows_per_call=5.0,
    )  # fmt: skip


def timed(what: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    wall, cpu = time.perf_counter(), _cpu()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - wall
    print(f"{what:<40} {seconds:7.1f} s wall {_cpu() - cpu:7.1f} s CPU, exit {done.returncode}", flush=True)
    if done.returncode:
        print(done.stderr[-3000:])
    return done


def _cpu() -> float:
    times = os.times()
    return times.children_user + times.children_system


def told(file: Path) -> None:
    found = json.loads(file.read_text())
    effort = found.get("effort", {})
    print(f"{len(found['recommendations'])} indexes, {len(found['frontier'])} points on the frontier, effort {effort}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--state", type=Path, default=Path(tempfile.gettempdir()) / "premortem-bench-oltp")
    parser.add_argument("--major", type=int, default=15)
    parser.add_argument("--modules", type=int, default=50)
    parser.add_argument("--times", type=int, default=2, help="the first run builds the twin")
    parser.add_argument("--profile-python", type=Path, metavar="FILE", help="write cProfile's figures of one more run")
    parser.add_argument("options", nargs="*", help="more options of premortem advise, after --")
    chosen = parser.parse_args()
    chosen.state.mkdir(parents=True, exist_ok=True)
    profile = chosen.state / f"{chosen.major}-{chosen.modules}.profile"
    if not profile.exists():
        production(chosen.major, chosen.modules, profile)
    asked = sum(len(s.asks) for s in SHAPES) * chosen.modules
    print(f"{asked} different queries, {len(SHAPES) * chosen.modules} tables, PostgreSQL {chosen.major}")
    out = chosen.state / "advice.json"
    advise = ["premortem", "advise", "-p", str(profile), "-q", "-f", "json", "-o", str(out), *chosen.options]
    for number in range(chosen.times):
        timed("with the twin to build, if need be" if not number else "again", [sys.executable, "-m", *advise])
    told(out)
    if chosen.profile_python:
        timed("profiled", [sys.executable, "-m", "cProfile", "-o", str(chosen.profile_python), "-m", *advise])


if __name__ == "__main__":
    main()
