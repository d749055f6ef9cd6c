"""Measures how fast a mirror is filled, against COPY of rows that were encoded beforehand, in the same run.

    python bench/mirror/load/run.py --rows 3e6 --workers 2

Rows per second of server CPU compare what the server has to do for a row; the share of the cores that is busy says
whether anything waits.  CPU is read from /proc: of the postmaster's children, those that ended included, and of ours.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from premortem import catalog, mirror, pg, synthesis
from premortem.mirror import Crewing, Options, Place
from premortem.mirror.place import server_settings
from premortem.mirror.wire import HEADER, PIECE, TRAILER
from premortem.model import Profile, Values

PRODUCTION = """
CREATE TABLE items (
    id bigint PRIMARY KEY, order_id bigint NOT NULL, sku text NOT NULL, status text NOT NULL, qty int NOT NULL,
    price numeric(10,2) NOT NULL, created_at timestamptz NOT NULL);
INSERT INTO items
SELECT i, 1 + floor(random() ^ 2 * 100000)::bigint, 'sku-' || floor(random() ^ 2 * 20000)::int,
       (ARRAY['new', 'paid', 'shipped', 'lost'])[1 + floor(random() ^ 3 * 4)::int], 1 + floor(random() * 9)::int,
       (random() * 900)::numeric(10, 2), timestamptz '2026-01-01' + i * interval '3 seconds'
FROM generate_series(1, 300000) i;
CREATE INDEX ON items (order_id);
CREATE INDEX ON items (sku, created_at);
CHECKPOINT;
VACUUM ANALYZE;
"""
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """CPU seconds of the server and of us, and when."""

    server: float
    client: float
    at: float

    def since(self, before: Spent) -> Spent:
        return Spent(server=self.server - before.server, client=self.client - before.client, at=self.at - before.at)


def _times(pid: int) -> tuple[int, float, float]:
    """A process's parent, its CPU seconds, and those of its children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    user, system, of_user, of_system = (int(f) for f in fields[11:15])
    return int(fields[1]), (user + system) / TICK, (of_user + of_system) / TICK


def _tree(root: int) -> float:
    total = sum(_times(root)[1:])
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent, own, ended = _times(int(entry.name))
            except OSError:
                continue
            total += own + ended if parent == root else 0.0
    return total


def spent(server: pg.Server) -> Spent:
    """What was spent until now; a session's CPU is known once the postmaster has noticed that it ended."""
    at = time.perf_counter()
    time.sleep(1.0)
    return Spent(server=_tree(server.pid), client=_tree(os.getpid()), at=at)


def production() -> Profile:
    with pg.start(pg.installation(18), settings={"autovacuum": False}) as server:
        with pg.writer(server, purpose="bench") as db:
            for statement in PRODUCTION.split(";\n"):
                if statement.strip():
                    db.execute(statement)
        with pg.session(server, purpose="bench") as db:
            return catalog.pull(db, values=Values.ALL)


def encoded(profile: Profile, options: Options) -> list[bytes]:
    plan = synthesis.plan(profile, scale=options.scale, seed=options.seed)
    (table,) = plan.tables
    return [synthesis.encode(synthesis.chunk(plan, table.relation, n)) for n in range(table.chunks)]


def stream(chunks: list[bytes]) -> Iterator[bytes | memoryview]:
    yield HEADER
    for chunk in chunks:
        view = memoryview(chunk)
        yield from (view[at : at + PIECE] for at in range(0, len(view), PIECE))
    yield TRAILER


def copied(server: pg.Server, chunks: list[bytes]) -> tuple[int, Spent]:
    """Rows and cost of one COPY of what was encoded beforehand, into the same table without indexes."""
    before = spent(server)
    with pg.writer(server, purpose="bench", database="copied") as db:
        rows = db.copy_in("COPY items FROM STDIN (FORMAT binary)", stream(chunks))
    return rows, spent(server).since(before)


def built(server: pg.Server, profile: Profile, options: Options, workers: int) -> tuple[int, Spent, Spent]:
    """Rows, and the cost of loading them, and of the whole mirror."""
    marks: list[Spent] = []

    def told(says: str) -> None:
        if (says == "starting the workers" and not marks) or (says.startswith("building indexes") and len(marks) == 1):
            marks.append(spent(server))

    began = spent(server)
    place = Place(dsn=server.dsn("mirrored"), server=server)
    found = mirror.build(place, profile, options, digest="bench", crewing=Crewing(workers=workers), told=told)
    return found.rows, marks[1].since(marks[0]), spent(server).since(began)


def said(name: str, rows: int, cost: Spent) -> str:
    busy = (cost.server + cost.client) / cost.at / (os.cpu_count() or 1)
    return (
        f"{name:<24} {rows:>11,} {cost.at:>7.2f} {rows / cost.at / 1000:>9,.0f} {cost.client:>7.2f} {cost.server:>7.2f}"
        f" {rows / cost.server / 1000:>9,.0f} {busy:>6.0%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=float, default=3e6)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    chosen = parser.parse_args()
    profile = production()
    options = Options(scale=chosen.rows / 300_000)
    chunks = encoded(profile, options)
    print(f"{sum(map(len, chunks)) / chosen.rows:.0f} bytes a row, {len(chunks)} chunks")
    print(f"{'':<24} {'rows':>11} {'s':>7} {'krows/s':>9} {'client':>7} {'server':>7} {'k/server-s':>10} {'busy':>5}")
    for _ in range(chosen.repeat):
        with pg.start(pg.installation(18), settings=server_settings()) as server:
            with pg.writer(server, purpose="bench") as db:
                db.execute("CREATE DATABASE copied")
                db.execute("CREATE DATABASE mirrored")
            with pg.writer(server, purpose="bench", database="copied") as db:
                db.execute(PRODUCTION.split(";\n")[0].replace(" PRIMARY KEY", ""))
            rows, floor = copied(server, chunks)
            print(said("COPY of encoded rows", rows, floor), flush=True)
            rows, loading, whole = built(server, profile, options, chosen.workers)
            print(said("mirror, loading", rows, loading))
            print(said("mirror, all of it", rows, whole))
            ratio = (rows / loading.server) / (rows / floor.server)
            print(f"{'':<24} rows per server CPU second: {ratio:.0%} of COPY's", flush=True)


if __name__ == "__main__":
    sys.exit(main())
