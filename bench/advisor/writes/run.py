"""Measures what one index more costs those who write, and how near `advisor.upkeep`'s figures for it come.

    python bench/advisor/writes/run.py [--major 15] [--rows 150000] [--batch 15000] [--only gin] [-o FILE]

The same batches run on a table with two indexes and on the same table with one more, of every shape in `event.shapes`:
inserts, updates that are not HOT, updates that were HOT and are not any more, and the VACUUM that follows; without page
images, and again with them right after a checkpoint.  Processor time is the backend's own (`/proc/PID/schedstat`), log
is what the access methods' own records take (pg_walinspect).  Batches are rolled back, so that each starts from the
same table; of a cheap index there are three, so that the difference stands out from the noise.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from premortem import advisor, catalog, pg
from premortem.advisor.entries import Cost, Shape, entering, shape_of, vacuuming
from premortem.advisor.existing import as_candidate
from premortem.advisor.machine import Machine
from premortem.advisor.selectivity import share_of_predicate
from premortem.advisor.size import IndexSize
from premortem.model import Index, IndexCandidate, IndexKey, Profile, RelationName, Table, Values

HERE = Path(__file__).parent
TABLE = RelationName(schema="public", name="event")
METHODS = ("gin", "gist", "spgist", "brin", "hash")
FEW = 2000
LOG = """
    SELECT sum(combined_size)::float8 FROM pg_get_wal_stats(%(start)s::pg_lsn, %(end)s::pg_lsn)
    WHERE "resource_manager/record_type" IN ('Btree', 'Gin', 'Gist', 'SPGist', 'Hash', 'BRIN')
"""
SETTINGS: dict[str, str | int | bool] = {
    "shared_buffers": "1GB", "max_wal_size": "16GB", "checkpoint_timeout": "1h", "autovacuum": False,
    "maintenance_work_mem": "256MB", "full_page_writes": False, "max_parallel_maintenance_workers": 0,
    "max_parallel_workers_per_gather": 0, "jit": False, "bgwriter_lru_maxpages": 0, "wal_level": "replica",
}  # fmt: skip
#: How an update changes a column, so that it is not HOT any more once that is indexed.
CHANGES = {
    "id": "id = -id", "account": "account = account + 1", "city": "city = city + 1", "status": "status = 'back'",
    "flag": "flag = NOT flag", "created": "created = created + interval '1 second'", "day": "day = day + 1",
    "uid": "uid = md5(uid::text)::uuid", "name": "name = name || 'x'", "email": "email = 'x' || email",
    "price": "price = price + 1", "score": "score = score / 2", "maybe": "maybe = coalesce(maybe, 0) + 1",
    "deleted": "deleted = coalesce(deleted, created) + interval '1 second'",
    "stage": "stage = CASE stage WHEN 'new' THEN 'paid'::stage ELSE 'new' END", "note": "note = note || 'x'",
    "ip": "ip = ip + 1", "doc": "doc = doc || '{\"kind\": \"k99\"}'", "tags": "tags = tags || 'new'::text",
    "span": "span = tstzrange(lower(span), upper(span) + interval '1 hour')",
    "place": "place = place + point(0.1, 0.1)",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One shape and kind of batch: what the index added, what was said that it would, and what it rests on."""

    shape: str
    kind: str
    copies: int
    seconds: float
    wal: float
    said_seconds: float
    said_wal: float
    base_seconds: float
    base_wal: float


def candidate(shape: str) -> IndexCandidate:
    """Return the index that a line of `event.shapes` describes."""
    left, _, predicate = shape.partition("||")
    keys, _, include = left.partition("|")
    first = keys.split()[0]
    keys = keys.split(None, 1)[1] if first in (*METHODS, "unique") else keys
    return IndexCandidate(
        table=TABLE, keys=tuple(_keys(keys)), method=first if first in METHODS else "btree",
        include=tuple(include.split()), predicate=predicate.strip() or None, unique=first == "unique",
    )  # fmt: skip


def _keys(text: str) -> Iterator[IndexKey]:
    for match in re.finditer(r"\((?P<expression>.+)\)|(?P<column>\w+)(?: (?P<opclass>\w+_ops))?", text.strip()):
        if match["expression"]:
            yield IndexKey(expression=match["expression"])
        else:
            yield IndexKey(column=match["column"], opclass=match["opclass"])


class Bench:
    """A session with its processor time and its log counted."""

    def __init__(self, db: pg.Session, batch: int, table: Table) -> None:
        self.db, self.batch, self.table = db, batch, table
        self.after: tuple[str, ...] = ()
        self._stat = Path(f"/proc/{db.pid}/schedstat")
        for setting in ("synchronous_commit = on", "enable_hashjoin = off", "enable_mergejoin = off"):
            db.execute(f"SET {setting}")

    def cost(self, *statements: str, undone: bool = True) -> Cost:
        """Return what the statements cost, in a transaction that is rolled back."""
        if undone:
            self.db.execute("BEGIN")
        seconds, log = self._now()
        for statement in statements:
            self.db.execute(statement)
        after, end = self._now()
        if undone:
            self.db.execute("ROLLBACK")
        self.db.execute("SELECT pg_logical_emit_message(true, '', '')")  # its commit flushes the log, so it can be read
        return Cost(seconds=after - seconds, wal=float(self.db.value(LOG, start=log, end=end) or 0))

    def _now(self) -> tuple[float, str]:
        log = str(self.db.value("SELECT pg_current_wal_insert_lsn()"))
        return int(self._stat.read_text().split()[0]) / 1e9, log

    def inserted(self, rows: int) -> Cost:
        """Return what inserting so many fresh rows costs."""
        return self.cost(f"INSERT INTO event SELECT * FROM fresh LIMIT {rows}", *self.after)

    def filled(self) -> None:
        """Fill the table row by row: the pages of an index that grew are not as full as those of one that was built."""
        self.db.execute("TRUNCATE event")
        self.db.execute("INSERT INTO event SELECT * FROM source")
        self.vacuumed()

    def updated(self, change: str = "hits = hits + 1") -> Cost:
        """Return what updating a batch of rows costs, in no order and all over the table."""
        return self.cost(f"UPDATE event SET {change} FROM picked WHERE event.id = picked.id", *self.after)

    def vacuumed(self) -> Cost:
        """Return what VACUUM costs with the rows dead that the batches left."""
        return self.cost("VACUUM (INDEX_CLEANUP ON, TRUNCATE, PARALLEL 0) event", undone=False)

    def images(self, *, on: bool) -> None:
        """Switch page images on or off: the checkpointer takes the setting up before it answers."""
        self.db.execute(f"ALTER SYSTEM SET full_page_writes = {'on' if on else 'off'}")
        self.db.execute("SELECT pg_reload_conf()")
        self.db.execute("CHECKPOINT")


def batches(bench: Bench, change: str | None, *, repeats: int = 2) -> dict[str, Cost]:
    """Return what each kind of batch costs, the least of the repeats."""
    found: dict[str, list[Cost]] = {}
    bench.filled()
    for _ in range(repeats):
        found.setdefault("insert", []).append(bench.inserted(bench.batch))
        bench.vacuumed()
        found.setdefault("update", []).append(bench.updated())
        found.setdefault("vacuum", []).append(bench.vacuumed())
        if change is not None:
            found.setdefault("lost", []).append(bench.updated(change))
            bench.vacuumed()
    bench.images(on=True)
    found["insert images"] = [bench.inserted(bench.batch)]
    bench.db.execute("CHECKPOINT")
    found["few images"] = [bench.inserted(FEW)]
    bench.vacuumed()
    bench.db.execute("CHECKPOINT")
    found["update images"] = [bench.updated()]
    bench.images(on=False)
    bench.vacuumed()
    return {kind: _least(costs) for kind, costs in found.items()}


def _least(costs: list[Cost]) -> Cost:
    return Cost(seconds=min(c.seconds for c in costs), wal=statistics.median(c.wal for c in costs))


def changed_column(wanted: IndexCandidate) -> str | None:
    """Return the column of the index that an update changes, None where that is an indexed one already."""
    first = wanted.keys[0]
    text = first.column or first.expression or ""
    return next((name for name in CHANGES if re.search(rf"\b{name}\b", text) and name != "id"), None)


def said(
    wanted: IndexCandidate, table: Table, size: IndexSize, batch: int, copies: int, major: int
) -> Mapping[str, Cost]:
    """Return what the model says that the batches cost with the index, for each of so many copies."""
    share = 1.0 if wanted.predicate is None else share_of_predicate(wanted.predicate, table)
    off, on = Machine(interval=1.0, images=0.0, searches=major < 17), Machine(interval=1.0)
    shape, rows = shape_of(wanted, table, size), batch * share
    lost = entering(shape, rows, off, scattered=True)
    for other in (_existing(i, table) for i in table.indexes):
        lost += entering(other, batch, off, scattered=True).times(1 / copies)
    return {
        "insert": entering(shape, rows, off), "insert images": entering(shape, rows, on),
        "few images": entering(shape, FEW * share, on), "update": entering(shape, rows, off, scattered=True),
        "update images": entering(shape, rows, on, scattered=True), "lost": lost,
        "vacuum": vacuuming(shape, rows, off),
    }  # fmt: skip


def _existing(index: Index, table: Table) -> Shape:
    size = IndexSize(pages=index.pages, tuples=index.tuples, level=index.level, bytes=index.pages * 8192)
    return shape_of(as_candidate(index, TABLE), table, size, is_new=False)


def measure(bench: Bench, shapes: list[str], profile: Profile) -> Iterator[Measured]:
    """Yield every shape's figures; the table without the index is measured anew every few shapes."""
    table = bench.table
    base: dict[str, Cost] = {}
    for number, shape in enumerate(shapes):
        wanted = candidate(shape)
        column = changed_column(wanted)
        if number % 6 == 0:
            base = batches(bench, None, repeats=3)
        if column is not None:
            base["lost"] = min((bench.updated(CHANGES[column]) for _ in range(2)), key=lambda c: c.seconds)
            bench.vacuumed()
        copies = 1 if wanted.method in ("gin", "gist", "spgist") else 3
        bench.db.execute("TRUNCATE event")
        for copy in range(copies):
            bench.db.execute(wanted.create_sql(f"event_more_{copy}", concurrently=False))
        # What waits in a GIN index's pending list is part of the price, whoever pays it.
        bench.after = ("SELECT gin_clean_pending_list('event_more_0')",) if wanted.method == "gin" else ()
        with_it = batches(bench, CHANGES[column] if column else None)
        bench.after = ()
        for copy in range(copies):
            bench.db.execute(f"DROP INDEX event_more_{copy}")
        expected = said(wanted, table, advisor.index_size(wanted, table), bench.batch, copies, profile.server.major)
        for kind, cost in with_it.items():
            yield Measured(
                shape=shape, kind=kind, copies=copies,
                seconds=(cost.seconds - base[kind].seconds) / copies, wal=(cost.wal - base[kind].wal) / copies,
                said_seconds=expected[kind].seconds, said_wal=expected[kind].wal,
                base_seconds=base[kind].seconds, base_wal=base[kind].wal,
            )  # fmt: skip


def main() -> None:
    """Print the ratios of what was said to what was measured, and how many are within the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--major", type=int, default=15)
    parser.add_argument("--rows", type=int, default=150_000)
    parser.add_argument("--batch", type=int, default=15_000)
    parser.add_argument("--only", default="", help="shapes that contain this text")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    shapes = [s for s in (HERE / "event.shapes").read_text().splitlines() if s and args.only in s]
    found: list[Measured] = []
    started = time.monotonic()
    with pg.start(pg.installation(args.major), settings=SETTINGS) as server, pg.writer(server, purpose="bench") as db:
        text = (HERE / "event.sql").read_text(encoding="utf-8")
        for statement in statements(text, args.rows, args.batch):
            db.execute(statement)
        with pg.session(server, purpose="bench") as reader:
            profile = catalog.pull(reader, values=Values.ALL)
        if args.output:
            catalog.write(profile, args.output.with_suffix(".profile"))
        table = profile.table(TABLE)
        assert table is not None
        for one in measure(Bench(db, args.batch, replace(table)), shapes, profile):
            found.append(one)
            print(line(one), flush=True)
            if args.output:
                args.output.write_text("\n".join(json.dumps(asdict(m)) for m in found) + "\n")
    print(summary(found))
    print(f"{time.monotonic() - started:.0f} s")


def statements(text: str, rows: int, batch: int) -> Iterator[str]:
    """Return the statements of `event.sql` for so many rows, and so many more to insert."""
    text = text.replace(":rows", str(rows)).replace(":batch", str(batch))
    return (s for s in re.split(r";\n(?!\s)", text) if s.strip())


def line(one: Measured) -> str:
    """Return one measurement on a line."""
    return (
        f"{one.shape[:44]:44} {one.kind:14} {one.seconds * 1e3:8.1f} ms said {one.said_seconds * 1e3:8.1f}"
        f" ({_ratio(one.said_seconds, one.seconds)})  {one.wal / 1e6:8.2f} MB said {one.said_wal / 1e6:8.2f}"
        f" ({_ratio(one.said_wal, one.wal)})"
    )


def _ratio(said_: float, measured: float) -> str:
    return f"{said_ / measured:5.2f}" if measured > 0 else "    -"


def summary(found: list[Measured]) -> str:
    """Return how many of each kind are within the goal: a factor of 1.5 on time, of 1.25 on log."""
    lines = []
    for kind in dict.fromkeys(m.kind for m in found):
        those = [m for m in found if m.kind == kind]
        time_, log = (
            [_within(m.said_seconds, m.seconds, 1.5, 1e-3) for m in those],
            [_within(m.said_wal, m.wal, 1.25, 50e3) for m in those],
        )
        lines.append(f"{kind:14} time {sum(time_):3} of {len(time_):3}, log {sum(log):3} of {len(log):3}")
    return "\n".join(lines)


def _within(said_: float, measured: float, factor: float, least: float) -> bool:
    """Whether a figure is right, or both are next to nothing."""
    if max(said_, measured) < least:
        return True
    return measured > 0 and 1 / factor <= said_ / measured <= factor


if __name__ == "__main__":
    main()
