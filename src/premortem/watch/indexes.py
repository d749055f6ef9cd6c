"""Indexes that were there and are not: nothing fails when one is lost, everything only gets slower.

An index that came back under another name, on a renamed table, rebuilt, or as the beginning of a wider one is not lost;
nor is one whose table is gone, nor one that nothing ever used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from premortem import words
from premortem.model import AlertKind, Evidence, IndexSeen, RelationName, Sample, Source
from premortem.watch.readings import Found, Reading
from premortem.watch.state import Lost
from premortem.watch.view import View


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
    databases = {index.database for index in sample.indexes}
    now = _Standing.of(sample.indexes)
    # A database that shows no index at all was not read: whatever it had is neither there nor lost.
    unread = tuple(index for index in before or () if index.database not in databases)
    still = tuple(one for one in kept if one.index.database not in databases or now.misses(one.index))
    known = {_name(one.index) for one in still}
    missing = [i for i in before or () if i.database in databases and i.valid and _name(i) not in known]
    verdicts = [(index, now.verdict(index)) for index in missing]
    new = tuple(Lost(index=index, at=sample.at, since=watched) for index, why in verdicts if why == "lost")
    gone = tuple((index, why) for index, why in verdicts if why not in ("", "lost"))
    return Inventory(indexes=(*sample.indexes, *unread), lost=(*still, *new), gone=gone)


def _name(index: IndexSeen) -> tuple[str, RelationName]:
    return index.database, index.name


def body(index: IndexSeen) -> str:
    """Return what an index does, whatever its name and its table's: uniqueness, method, columns, predicate."""
    unique = index.definition.upper().startswith("CREATE UNIQUE")
    return f"{'unique ' if unique else ''}{index.definition.partition(' USING ')[2]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """The valid indexes of an inventory, by what they do and by table."""

    valid: Mapping[tuple[str, RelationName], IndexSeen]
    present: frozenset[tuple[str, RelationName]]
    bodies: Mapping[tuple[str, RelationName], frozenset[str]]
    names: frozenset[tuple[str, RelationName, str]]

    @classmethod
    def of(cls, indexes: Iterable[IndexSeen]) -> _Standing:
        every = tuple(indexes)
        bodies: dict[tuple[str, RelationName], set[str]] = {}
        for index in every:
            mine = bodies.setdefault((index.database, index.table), set())
            if index.valid:
                mine.add(body(index))
        return cls(
            valid={_name(i): i for i in every if i.valid},
            present=frozenset(map(_name, every)),
            bodies={table: frozenset(found) for table, found in bodies.items()},
            names=frozenset((i.database, i.name, body(i)) for i in every if i.valid),
        )

    def misses(self, index: IndexSeen) -> bool:
        """Whether a lost index is still missed: its table is there, and nothing does what it did."""
        return self.verdict(index) == "lost"

    def verdict(self, index: IndexSeen) -> str:
        """Return `lost`, nothing where the index is there as it was, or why its going does no harm."""
        if (index.database, index.name, body(index)) in self.names:
            return ""
        table = index.database, index.table
        if table not in self.bodies:
            return "its table is gone, or nothing is left of its indexes"
        if body(index) in self.bodies[table]:
            return "another index does the same"
        if any(_begins(body(index), other) for other in self.bodies[table]):
            return "a wider index begins with its columns"
        if index.scans == 0 and not body(index).startswith("unique "):
            return "nothing had ever used it"
        return "lost"


def _begins(narrow: str, wide: str) -> bool:
    """Whether an index of several columns begins with those of a plain one."""
    plain = narrow.startswith("btree (") and narrow.endswith(")") and narrow.count("(") == 1
    return plain and wide.removeprefix("unique ").startswith(narrow[:-1] + ",") and " WHERE " not in wide


def find(view: View, inventory: Inventory) -> Found:
    """Return a reading for each lost index, until it is back or was gone for so long that somebody meant it."""
    present = frozenset(map(_name, inventory.indexes or ()))
    readings = tuple(_reading(view, one, _name(one.index) in present) for one in inventory.lost)
    return Found(readings=readings, settled=frozenset({AlertKind.INDEX}))


def _reading(view: View, lost: Lost, present: bool) -> Reading:
    index = lost.index
    what = "is invalid: no query can use it" if present else "is gone"
    scans = f", and it had been used {words.number(index.scans)} times" if index.scans else ""
    return Reading(
        kind=AlertKind.INDEX,
        database=index.database,
        subject=index.name.sql,
        value=1.0,
        limit=0.0,
        unit="",
        says=words.one_line(f"index {index.name} of {index.table} {what}{scans}; it was: {index.definition}"),
        over=True,
        under=False,
        tables=(index.table,),
        evidence=(Evidence(name="definition", value=index.definition, source=Source.CATALOG),),
    )
