"""Measures how near the estimated times of migrations are: real ALTERs and CREATE INDEXes on real tables.

    python bench/migrations/run.py [--rows 300000 1000000 3000000] [--majors 15 18]

For every statement: what is estimated from the profile, the wall-clock time, and the backend's own CPU seconds, which
do not suffer from whoever else uses the machine.  Everything is in the page cache; a disk takes longer, and the
estimates count one in (`SCAN_BYTES`, `WRITE_BYTES`).
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from premortem import catalog, migrations, pg
from premortem.migrations.durations import change_seconds, passes
from premortem.migrations.files import parse
from premortem.model import Profile, Values

SCHEMA = """
CREATE TABLE parent (id bigint PRIMARY KEY);
CREATE TABLE t (id bigint PRIMARY KEY, parent_id bigint, status text, email text, created_at timestamptz,
    total numeric(10,2), note text);
INSERT INTO parent SELECT i FROM generate_series(1, 10000) i;
INSERT INTO t SELECT i, 1 + i % 10000, (ARRAY['new', 'paid', 'sent'])[1 + i % 3],
    md5((i % 60000)::text) || '@example.org',
    timestamptz '2024-01-01' + i * interval '1 minute', i % 90000 / 7.0, repeat(md5(i::text), 2)
    FROM generate_series(1, {rows}) i;
CREATE INDEX t_created ON t (created_at);
VACUUM ANALYZE
"""
#: What to measure, and what takes it back.
STATEMENTS = {
    "ALTER TABLE t ADD COLUMN a uuid DEFAULT gen_random_uuid()": "ALTER TABLE t DROP COLUMN a",
    "ALTER TABLE t ADD COLUMN a int DEFAULT 5": "ALTER TABLE t DROP COLUMN a",
    "ALTER TABLE t ALTER COLUMN total TYPE numeric(12,4)": "ALTER TABLE t ALTER COLUMN total TYPE numeric(10,2)",
    "ALTER TABLE t ALTER COLUMN note SET NOT NULL": "ALTER TABLE t ALTER COLUMN note DROP NOT NULL",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (total >= 0)": "ALTER TABLE t DROP CONSTRAINT c",
    "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (parent_id) REFERENCES parent": "ALTER TABLE t DROP CONSTRAINT c",
    "ALTER TABLE t ADD CONSTRAINT c UNIQUE (id, status)": "ALTER TABLE t DROP CONSTRAINT c",
    "CREATE INDEX i ON t (parent_id)": "DROP INDEX i",
    "CREATE INDEX i ON t (email)": "DROP INDEX i",
    "CREATE INDEX i ON t (status, created_at)": "DROP INDEX i",
    "REINDEX TABLE t": "SELECT 1",
    "CLUSTER t USING t_created": "SELECT 1",
    "UPDATE t SET status = 'old'": "VACUUM FULL t",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    statement: str
    rows: int
    estimated: float
    wall: float
    cpu: float

    @property
    def ratio(self) -> float:
        return self.estimated / max(self.cpu, 0.001)


def pulled(server: pg.Server) -> Profile:
    with pg.session(server, purpose="bench", database="postgres") as session:
        return catalog.pull(session, values=Values.NONE)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(server: pg.Server, rows: int) -> Iterator[Measured]:
    with pg.writer(server, purpose="bench", database="postgres") as db:
        for statement in SCHEMA.format(rows=rows).split(";\n"):
            db.execute(statement)
        before, pid = pulled(server), db.pid
        for statement, undo in STATEMENTS.items():
            db.execute("CHECKPOINT")
            wall, cpu = time.perf_counter(), cpu_seconds(pid)
            (observed,) = migrations.apply(db, [parse("m.sql", statement)], ["public"], time_zone="UTC").observed
            wall, cpu = time.perf_counter() - wall, cpu_seconds(pid) - cpu
            seconds = sum(p.seconds for p in passes(observed.work, before, pulled(server)))
            seconds += change_seconds(rows) if statement.startswith("UPDATE") else 0.0
            yield Measured(statement=statement, rows=rows, estimated=seconds, wall=wall, cpu=cpu)
            db.execute(undo)
        db.execute("DROP TABLE t, parent")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[300_000, 1_000_000, 3_000_000])
    parser.add_argument("--majors", type=int, nargs="+", default=[15, 18])
    wanted = parser.parse_args()
    ratios = []
    for major in wanted.majors:
        settings = {"autovacuum": False, "max_parallel_maintenance_workers": 0, "maintenance_work_mem": "64MB"}
        with pg.start(pg.exact_installation(major), settings=settings) as server:
            for rows in wanted.rows:
                for one in measured(server, rows):
                    shown = f"{one.estimated:8.2f} {one.wall:8.2f} {one.cpu:8.2f}"
                    print(f"{major:>3} {rows:>9,} {shown} {one.ratio:6.2f}  {one.statement}", flush=True)
                    ratios += [one.ratio] if one.cpu > 0.1 and one.estimated > 0 else []
    if not ratios:
        return  # nothing took long enough to be measured
    ratios.sort()
    middle = math.exp(sum(map(math.log, ratios)) / len(ratios))
    print(f"estimated / CPU: lowest {ratios[0]:.2f}, geometric mean {middle:.2f}, highest {ratios[-1]:.2f}")


if __name__ == "__main__":
    main()
