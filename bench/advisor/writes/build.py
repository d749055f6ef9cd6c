"""Measures how near the estimated time of CREATE INDEX comes to real builds, plain and CONCURRENTLY.

    python bench/advisor/writes/build.py [--major 15] [--rows 100000 400000] [--memory 64MB] [-o FILE]

The table is `event.sql`'s, in the page cache; both the backend's processor time and the time on the clock are shown,
since others use the machine.  The estimate counts a disk in (`owning.SCAN_BYTES`), which is shown apart.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from run import HERE, SETTINGS, TABLE, candidate, statements

from premortem import advisor, catalog, pg
from premortem.advisor.building import sort_seconds
from premortem.model import Values

SHAPES = """
id
account
status
created
uid
name
email
price
note
account created
status city account
email account
account | price
account || status = 'failed'
(lower(email))
(doc ->> 'kind')
gin doc jsonb_path_ops
gin doc
gin tags
gin name gin_trgm_ops
gin (to_tsvector('english', note))
gist span
gist place
spgist place
hash uid
brin created
""".split("\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """One build: what was said, and what it took the backend and the clock."""

    shape: str
    rows: int
    memory: str
    said: float
    said_sorted: float
    seconds: float
    wall: float
    concurrently_seconds: float
    concurrently_wall: float


def builds(server: pg.Server, db: pg.Session, rows: int, memory: str) -> Iterator[Built]:
    """Yield every shape's builds on the table as it stands."""
    with pg.session(server, purpose="bench") as reader:
        profile = catalog.pull(reader, values=Values.ALL)
    table = profile.table(TABLE)
    assert table is not None
    db.execute(f"SET maintenance_work_mem = '{memory}'")
    for shape in filter(None, SHAPES):
        wanted = candidate(shape)
        size = advisor.index_size(wanted, table)
        plain, clock = _timed(db, wanted.create_sql("built", concurrently=False))
        db.execute("DROP INDEX built")
        concurrent, wall = _timed(db, wanted.create_sql("built"))
        db.execute("DROP INDEX built")
        yield Built(
            shape=shape, rows=rows, memory=memory, said=advisor.build_time(wanted, table, profile).total_seconds(),
            said_sorted=sort_seconds(wanted, table, size, major=profile.server.major), seconds=plain, wall=clock,
            concurrently_seconds=concurrent, concurrently_wall=wall,
        )  # fmt: skip


def _timed(db: pg.Session, statement: str) -> tuple[float, float]:
    stat = Path(f"/proc/{db.pid}/schedstat")
    before, started = int(stat.read_text().split()[0]), time.monotonic()
    db.execute(statement)
    return (int(stat.read_text().split()[0]) - before) / 1e9, time.monotonic() - started


def main() -> None:
    """Print each build, and how many are within a factor of 1.5 by processor time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--major", type=int, default=15)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 400_000])
    parser.add_argument("--memory", nargs="+", default=["64MB"])
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    found: list[Built] = []
    for rows in args.rows:
        with pg.start(pg.installation(args.major), settings=SETTINGS) as server, pg.writer(server, purpose="b") as db:
            for statement in statements((HERE / "event.sql").read_text(encoding="utf-8"), rows, 1):
                db.execute(statement)
            for memory in args.memory:
                for one in builds(server, db, rows, memory):
                    found.append(one)
                    print(line(one), flush=True)
                    if args.output:
                        args.output.write_text("\n".join(json.dumps(asdict(b)) for b in found) + "\n")
    good = [b for b in found if 1 / 1.5 <= b.said_sorted / b.concurrently_seconds <= 1.5]
    print(f"{len(good)} of {len(found)} within a factor of 1.5 of the processor time of CREATE INDEX CONCURRENTLY")


def line(one: Built) -> str:
    """Return one build on a line."""
    return (
        f"{one.rows:9,} {one.memory:6} {one.shape[:36]:36} {one.seconds:6.2f} s ({one.wall:6.2f} by the clock),"
        f" concurrently {one.concurrently_seconds:6.2f} s ({one.concurrently_wall:6.2f}), said {one.said_sorted:6.2f} s"
        f" ({one.said_sorted / one.concurrently_seconds:4.2f}), with a disk {one.said:6.2f} s"
    )


if __name__ == "__main__":
    main()
