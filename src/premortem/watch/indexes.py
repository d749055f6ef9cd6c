"""Indexes that were there and are not: nothing fails when one is lost, everything only gets slower.

An index that came back under another name, on a renamed table, rebuilt, or as the beginning of a wider one is not lost;
nor is one whose table is gone, nor one that nothing ever used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from premortem import words
from premortem.model import AlertKind, Evidence, IndexSeen, RelationName, Sample, Source
from premortem.watch.readings import Found, Reading
from premortem.watch.state import Lost
from premortem.watch.view import View

LOST = "lost"
_UNIQUE = "unique "


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The indexes there are, those that are lost, and those that went without harm, each with why."""

    indexes: tuple[IndexSeen, ...] | None
    lost: tuple[Lost, ...] = ()
    gone: tuple[tuple[IndexSeen, str], ...] = field(default=())


def compare(
    before: tuple[IndexSeen, ...] | None, lost: tuple[Lost, ...], sample: Sample, watched: float, keep: float
) -> Inventory:
    """Return what became of the indexes since the last inventory; lost ones are kept for `keep` seconds watched."""
    kept = tuple(one for one in lost if watched - one.since < keep)
    if sample.indexes is None:
        return Inventory(indexes=before, lost=kept)
    now = _Standing.of(sample)
    # A database that shows nothing at all was not read: whatever it had is neither there nor lost.
    unread = tuple(index for index in before or () if index.database not in now.databases)
    still = tuple(one for one in kept if one.index.database not in now.databases or now.verdict(one.index) == LOST)
    known = {_name(one.index) for one in still}
    missing = [i for i in before or () if i.database in now.databases and i.valid and _name(i) not in known]
    verdicts = [(index, now.verdict(index)) for index in missing]
    new, unused = _new([index for index, why in verdicts if why == LOST], sample, watched)
    gone = tuple((index, why) for index, why in verdicts if why not in ("", LOST))
    return Inventory(indexes=(*sample.indexes, *unread), lost=(*still, *new), gone=(*gone, *unused))


def _new(
    lost: Iterable[IndexSeen], sample: Sample, watched: float
) -> tuple[tuple[Lost, ...], tuple[tuple[IndexSeen, str], ...]]:
    """Return what is lost since the last inventory, each once, and what nothing had ever used.

    An index of a partitioned table goes with those of its partitions: one loss, named by the shortest name, which is
    the parent's, and used as much as all of them.
    """
    groups: dict[tuple[str, str], list[IndexSeen]] = defaultdict(list)
    for index in lost:
        groups[index.database, body(index)].append(index)
    found, unused = [], []
    for those in groups.values():
        first = min(those, key=lambda i: (len(i.table.name), i.table, i.name))
        uses = None if any(i.scans is None for i in those) else sum(i.scans or 0 for i in those)
        if uses == 0 and not body(first).startswith(_UNIQUE):
            unused += [(index, "nothing had ever used it") for index in those]
            continue
        used = replace(first, scans=uses)
        found.append(Lost(index=used, at=sample.at, since=watched, others=len({i.table for i in those}) - 1))
    return tuple(found), tuple(unused)


def _name(index: IndexSeen) -> tuple[str, RelationName]:
    return index.database, index.name


def body(index: IndexSeen) -> str:
    """Return what an index does, whatever its name and its table's: uniqueness, method, columns, predicate."""
    unique = index.definition.upper().startswith("CREATE UNIQUE")
    return f"{_UNIQUE if unique else ''}{index.definition.partition(' USING ')[2]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """What an inventory shows: databases, tables, and what their valid indexes do."""

    databases: frozenset[str]
    tables: frozenset[tuple[str, RelationName]]
    bodies: Mapping[tuple[str, RelationName], frozenset[str]]
    names: frozenset[tuple[str, RelationName, str]]

    @classmethod
    def of(cls, sample: Sample) -> _Standing:
        indexes = sample.indexes or ()
        bodies: dict[tuple[str, RelationName], set[str]] = defaultdict(set)
        for index in indexes:
            if index.valid:
                bodies[index.database, index.table].add(body(index))
        tables = frozenset((*(sample.tables or ()), *((i.database, i.table) for i in indexes)))
        return cls(
            databases=frozenset(database for database, _ in tables),
            tables=tables,
            bodies={table: frozenset(found) for table, found in bodies.items()},
            names=frozenset((i.database, i.name, body(i)) for i in indexes if i.valid),
        )

    def verdict(self, index: IndexSeen) -> str:
        """Return `lost`, nothing where the index is there as it was, or why its going does no harm."""
        if (index.database, index.name, body(index)) in self.names:
            return ""
        table = index.database, index.table
        if table not in self.tables:
            return "its table is gone"
        there = self.bodies.get(table, frozenset())
        if body(index) in there:
            return "another index does the same"
        wider = any(_begins(body(index), other) for other in there)
        return "a wider index begins with its columns" if wider else LOST


def _begins(narrow: str, wide: str) -> bool:
    """Whether an index of several columns begins with those of a plain one."""
    plain = narrow.startswith("btree (") and narrow.endswith(")") and narrow.count("(") == 1
    return plain and wide.removeprefix(_UNIQUE).startswith(narrow[:-1] + ",") and " WHERE " not in wide


def find(view: View, inventory: Inventory) -> Found:
    """Return a reading for each lost index, until it is back or was gone for so long that somebody meant it."""
    present = frozenset(map(_name, inventory.indexes or ()))
    readings = tuple(_reading(view, one, _name(one.index) in present) for one in inventory.lost)
    return Found(readings=readings, settled=frozenset({AlertKind.INDEX}))


def _reading(view: View, lost: Lost, present: bool) -> Reading:
    index = lost.index
    what = "is invalid: no query can use it" if present else "is gone"
    scans = f", and it had been used {words.number(index.scans)} times" if index.scans else ""
    others = f", with {words.plural(lost.others, 'index', 'indexes')} like it on other tables" if lost.others else ""
    return Reading(
        kind=AlertKind.INDEX,
        database=index.database,
        subject=index.name.sql,
        value=1.0,
        limit=0.0,
        unit="",
        says=words.one_line(f"index {index.name} of {index.table} {what}{others}{scans}; it was: {index.definition}"),
        over=True,
        under=False,
        tables=(index.table,),
        evidence=(Evidence(name="definition", value=index.definition, source=Source.CATALOG),),
    )
