"""When one index does another's work, and when a promise that an index keeps is kept by another one too.

An index is compared by its *shape*: what its keys are, whatever it is called.  Two shapes are equal only where
PostgreSQL would treat them alike; a doubtful case is a difference, as whoever asks means to drop one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from premortem import sqltext
from premortem.model import Index, IndexCandidate, IndexKey, KeyColumn, Table, quoted

#: What a key holds and how it compares: expression, operator class where it is not the default, collation.
Held: TypeAlias = tuple[str, str | None, str | None]
#: Descending, nulls first.
Order: TypeAlias = tuple[bool, bool]
_IN_ANY_ORDER = frozenset({"gin", "brin"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What an index can do.

    `parameters` holds the definition where operator classes have parameters, and is empty elsewhere: with them only an
    exact copy does the same.  `range_pages` are a BRIN index's.
    """

    method: str
    held: tuple[Held, ...]
    orders: tuple[Order, ...]
    include: frozenset[str] = frozenset()
    predicate: str = ""
    parameters: str = ""
    range_pages: float | None = None

    @property
    def columns(self) -> frozenset[str]:
        """Everything that can be read from it alone."""
        return self.include | {what for what, _, _ in self.held}


def shape_of(index: Index | IndexCandidate) -> Shape:
    """Return the shape of an index that is there, or of one that could be created."""
    existing = isinstance(index, Index)
    text = index.definition.partition(" USING ")[2] if existing and "_ops (" in index.definition else ""
    return Shape(
        method=index.method,
        held=tuple(_held(k) for k in index.keys),
        orders=tuple((k.descending, k.descending if k.nulls_first is None else k.nulls_first) for k in index.keys),
        include=frozenset(quoted(name) for name in index.include),
        predicate=sqltext.canonical(index.predicate) if index.predicate else "",
        parameters=text,
        range_pages=dict(index.metapage).get("pages_per_range") if isinstance(index, Index) else None,
    )


def _held(key: KeyColumn | IndexKey) -> Held:
    what = quoted(key.column) if key.column is not None else f"({sqltext.canonical(key.expression or '')})"
    return what, _opclass(key), _bare(key.collation) if key.collation else None


def _opclass(key: KeyColumn | IndexKey) -> str | None:
    """Return the operator class by the family that it is in everything but the name of, None for the default."""
    if key.opclass is None or (isinstance(key, KeyColumn) and key.opclass_is_default):
        return None
    return _bare(key.opclass).replace("varchar_", "text_")


def _bare(name: str) -> str:
    return name.rsplit(".", 1)[-1].strip('"')


def is_same(a: Shape, b: Shape) -> bool:
    """Whether each does all that the other does."""
    return does_the_work(a, b) and does_the_work(b, a) and a.include == b.include


def does_the_work(one: Shape, other: Shape) -> bool:
    """Whether whatever the other finds, in whatever order, the one finds too, from the same rows.

    A B-tree does it with more keys at its end, read backwards, or for a hash index on its first key.
    """
    if one.predicate != other.predicate or one.parameters != other.parameters or not other.include <= one.columns:
        return False
    if one.method == "btree" and other.method == "hash":
        return one.held[:1] == other.held
    if one.method != other.method:
        return False
    if one.method in _IN_ANY_ORDER:
        return set(other.held) <= set(one.held) and (one.range_pages or 0) <= (other.range_pages or 0)
    count = len(other.held)
    if one.held[:count] != other.held:
        return False
    return one.method != "btree" or _runs_along(one.orders[:count], other.orders)


def _runs_along(one: tuple[Order, ...], other: tuple[Order, ...]) -> bool:
    """Whether reading one forwards, or backwards, gives the other's order."""
    return one == other or one == tuple((not descending, not first) for descending, first in other)


def leads_to_one_row(one: Index, other: Index, table: Table) -> bool:
    """Whether the other only adds keys to a unique index: these find no more, and put nothing in another order."""
    if not one.unique or one.exclusion or not one.immediate or not _never_null(one, table):
        return False
    mine, its = shape_of(one), shape_of(other)
    count = len(mine.held)
    same = mine.method == its.method == "btree" and not mine.predicate and not its.predicate and not its.include
    return same and mine.held == its.held[:count] and _runs_along(mine.orders, its.orders[:count])


def keeps_promise(one: Index, other: Index, table: Table) -> bool:
    """Whether a unique index implies that another one is unique too.

    Its keys are some of the other's; its NULLs, which do not count as equal, are none of the other's business only
    where the other lets them repeat as well or there are none.
    """
    if not (one.unique and one.valid and one.ready) or one.exclusion or other.exclusion:
        return False
    if other.immediate and not one.immediate:
        return False
    mine, its = shape_of(one), shape_of(other)
    if not set(mine.held) <= set(its.held) or mine.predicate not in ("", its.predicate):
        return False
    return not other.nulls_not_distinct or one.nulls_not_distinct or _never_null(one, table)


def _never_null(index: Index, table: Table) -> bool:
    columns = [table.column(name) if name is not None else None for name in index.columns]
    return all(c is not None and c.not_null for c in columns)
