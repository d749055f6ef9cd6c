"""What state costs: commits per second, rows per second, bytes per row, and how long it takes to look back.

    python bench/store/run.py --instances 20 --statements 300 --hours 6

Fills an embedded store as a watcher would that polls once a minute (the slowest way to fill it: every row gets its own
poll; `--polls 4` is a watcher at 15 s), from random counters, and asks what people and alerts ask.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from premortem import pg, store
from premortem.model import RelationName, Statement, StatementKey, Subject
from premortem.watch.deltas import Delta

T = TypeVar("T")
BEGIN = datetime(2026, 3, 24, 6, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TEXT = "select * from orders as o join order_items as i on i.order_id = o.id where o.status = $1 and i.sku = ${n}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=20)
    parser.add_argument("--statements", type=int, default=300, help="that run every minute, per instance")
    parser.add_argument("--hours", type=int, default=6)
    parser.add_argument("--polls", type=int, default=1, help="polls per minute")
    parser.add_argument("--window", type=int, default=24, help="polls in a checkpoint's windows")
    given = parser.parse_args()
    with folder() as state, store.open(directory=state) as found:
        print(f"{given.instances} instances, {given.statements} statements a minute each, {given.hours} h")
        fill(found, given)
        sizes(state)
        ask(found, given)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder on a disk, which the user who runs servers can reach."""
    place = Path(tempfile.mkdtemp(dir="/var/tmp"))
    place.chmod(0o755)
    try:
        yield place / "state"
    finally:
        shutil.rmtree(place)


def known(count: int) -> dict[StatementKey, Statement]:
    table = (RelationName(schema="public", name="orders"),)
    return {
        key(n): Statement(
            fingerprint=f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}",
            text=TEXT.replace("{n}", str(n)),
            database="shop",
            tables=table,
        )
        for n in range(count)
    }


def key(number: int) -> StatementKey:
    return StatementKey(dbid=5, userid=10, toplevel=True, queryid=number * 7919)


def fill(found: store.Store, given: argparse.Namespace) -> None:
    chance, statements = random.Random(1), known(given.statements)
    slots: list[str] = []
    commits, wall, ours = 0, 0.0, 0.0
    for poll in range(given.hours * 60 * given.polls):
        for instance in range(given.instances):
            at = BEGIN + poll * MINUTE / given.polls + timedelta(milliseconds=50 * instance)
            deltas = moved(chance, statements, at)
            checkpoint = {"slots": slots[-given.window * given.instances :: given.instances]}
            slots = [*slots[-given.window * given.instances :], " ".join(repr(one.total_ms) for one in deltas)]
            started, cpu = time.perf_counter(), used()
            found.commit(f"db-{instance}", at=at, checkpoint=checkpoint, deltas=deltas, statements=statements)
            wall, ours, commits = wall + time.perf_counter() - started, ours + used() - cpu, commits + 1
    rows = given.hours * 60 * given.instances * given.statements
    print(f"commits: {commits}, {1000 * wall / commits:.1f} ms each, {1000 * ours / commits:.1f} ms of our CPU")
    print(f"rows: {rows:,}, {rows / wall:,.0f} a second")


def moved(chance: random.Random, statements: dict[StatementKey, Statement], at: datetime) -> list[Delta]:
    return [
        Delta(
            key=one,
            start=at - MINUTE,
            end=at,
            calls=(calls := chance.randrange(1, 5000)),
            total_ms=(total := calls * chance.expovariate(0.2)),
            squares=total * total / calls * 1.7,
            rows=calls * 3,
            shared_read=chance.randrange(100),
        )
        for one in statements
    ]


def used() -> float:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


SIZES = """
SELECT sum(pg_relation_size(i.inhrelid)), sum(pg_indexes_size(i.inhrelid)), sum(c.reltuples)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'premortem.history'::regclass
"""


def sizes(state: Path) -> None:
    dsn = pg.running(state / "postgresql")
    assert dsn is not None
    with pg.writer(dsn, purpose="bench") as db:
        db.execute("VACUUM ANALYZE premortem.history")
        heap, indexes, rows = map(float, db.tuples(SIZES)[0])
        wal = float(db.value("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")) / rows
        print(f"history: {heap / rows:.1f} bytes a row, {indexes / rows:.2f} for its index; WAL {wal:.0f} a row")
        state_size = db.value(
            "SELECT pg_total_relation_size('premortem.checkpoint') + pg_total_relation_size('premortem.chunk')"
        )
        print(f"checkpoints: {state_size / 1e6:.1f} MB with what autovacuum has not taken yet")


def ask(found: store.Store, given: argparse.Namespace) -> None:
    end = BEGIN + timedelta(hours=given.hours)
    fingerprint = next(iter(known(1).values())).fingerprint
    some = [Subject(database="shop", fingerprint=one.fingerprint) for one in known(given.statements).values()]
    hours = timedelta(hours=given.hours)

    def history(of: str | None, length: timedelta) -> Callable[[], object]:
        return lambda: found.history(
            "db-7", "shop", of, since=end - length, until=end, step=timedelta(minutes=1 if of is None else 10)
        )

    timed("a query's last hours on one instance", history(fingerprint, hours))
    timed("5 minutes of one instance", history(None, timedelta(minutes=5)))
    timed("the heaviest of the last hour, of all", lambda: found.find("", since=end - timedelta(hours=1), until=end))
    timed("a table's queries in all the time", lambda: found.find("orders", since=BEGIN, until=end))
    timed(f"roll-up of {given.hours} h", lambda: found.maintain(end + timedelta(hours=1)))
    timed("what is usual, for all of one instance", lambda: found.baselines("db-7", some, end + timedelta(hours=1)))
    timed("first seen, of all of them", lambda: found.first_seen([one.fingerprint for one in some]))


def timed(what: str, do: Callable[[], T]) -> T:
    started = time.perf_counter()
    answer = do()
    print(f"{what}: {1000 * (time.perf_counter() - started):,.0f} ms")
    return answer


if __name__ == "__main__":
    main()
