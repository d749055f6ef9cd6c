"""An index that holds all that a query needs of a relation, so that the table is not visited.

For one query a few narrow columns are worth that (`covering`).  For a workload more can be: an index of a third of the
table's width is a third of the table to read, for every query that needs no more (`forms`).  A column that is included
costs the index its deduplication (`nbtree/README`, "Deduplication"); one that conditions are on may stand behind the
keys instead, where it is tested before the table is visited.  Both are offered, and which is smaller and quicker is
found out with them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from premortem.advisor.columns import base_type
from premortem.advisor.operators import is_sortable
from premortem.advisor.wants import Operand, Use, Want
from premortem.advisor.wide import may_be_too_long
from premortem.model import IndexCandidate, IndexKey, Table

_SPARED = ", without visiting the table"
_DOCUMENTS = frozenset(("json", "jsonb", "xml", "tsvector", "hstore", "bytea"))
_FIXED = frozenset({Use.EQUAL, Use.TRUE, Use.FALSE})
_MOST_COLUMNS = 3
_MOST_BYTES = 40.0
_VISIBLE = 0.5
_MOST_COLUMNS_OF_WORKLOAD = 8
_MOST_KEYS = 8
_WORTH_OF_ROW = 0.7  # an index of nearly the table's width saves nothing
_TUPLE_OVERHEAD = 12.0  # IndexTupleData and its line pointer
_UNKNOWN_WIDTH = 16.0


def covering(want: Want, candidate: IndexCandidate) -> IndexCandidate | None:
    """Return the candidate with the query's other columns included, None where they are many, wide or unknown."""
    extra = _lacking(want, candidate)
    if not extra or len(extra) > _MOST_COLUMNS or sum(_width(want.table, name) for name in extra) > _MOST_BYTES:
        return None
    return _including(candidate, extra)


def forms(want: Want, candidate: IndexCandidate) -> Iterator[IndexCandidate]:
    """Yield the candidate in its covering forms: columns of conditions as keys and the rest included, and all included.

    A column that the query fixes is better a key than included; behind a range or an order it is better in front, and
    the candidate that has it there covers as well.
    """
    extra = _lacking(want, candidate)
    if not extra or len(extra) > _MOST_COLUMNS_OF_WORKLOAD or not _is_narrow(want, candidate, extra):
        return
    if any(_is_bulky(want, name) for name in extra):
        return
    fixed = {t.operand.column for t in want.terms if t.use in _FIXED} & set(extra)
    if fixed and not candidate.interchangeable:
        return
    tested = _tested(want, extra, fixed)
    if tested and len(candidate.keys) + len(tested) <= _MOST_KEYS:
        yield _including(_with_keys(candidate, tested, fixed), tuple(c for c in extra if c not in tested))
    if not fixed or not tested:
        yield _including(candidate, extra)


def instead(want: Want) -> IndexCandidate | None:
    """Return an index to be read from end to end in the table's place, where the query needs few narrow columns."""
    if not want.outputs and not want.filtered:
        return None
    needed = (want.outputs or frozenset()) | want.filtered
    keys = [c.name for c in want.table.columns if c.name in needed and is_sortable(want.table, c.name)]
    first = IndexCandidate(table=want.relation, keys=tuple(IndexKey(column=c) for c in keys[:1]), because="few columns")
    extra = tuple(c for c in keys[1:])
    fits = keys and len(keys) == len(needed) and len(keys) <= _MOST_KEYS and _is_narrow(want, first, extra)
    if not fits or not _can_cover(want) or any(_is_bulky(want, name) for name in keys):
        return None
    return _with_keys(replace(first, because=f"few columns of a wide table{_SPARED}"), extra, ())


def _tested(want: Want, extra: Sequence[str], fixed: Collection[str | None]) -> tuple[str, ...]:
    """Return the columns that conditions are on, those first that are fixed."""
    found = [c for c in extra if c in want.filtered and is_sortable(want.table, c)]
    return tuple(sorted(found, key=lambda c: c not in fixed))


def _lacking(want: Want, candidate: IndexCandidate) -> tuple[str, ...]:
    """Return the columns that the query needs and the candidate does not hold; none where it cannot cover at all."""
    if want.outputs is None or candidate.method != "btree" or any(k.column is None for k in candidate.keys):
        return ()
    if not _can_cover(want):
        return ()
    keys = {k.column for k in candidate.keys}
    needed = want.outputs | (want.filtered - keys - _implied(want, candidate))
    return tuple(c.name for c in want.table.columns if c.name in needed and c.name not in keys)


def _can_cover(want: Want) -> bool:
    """Whether index-only scans spare visits: not whole rows, and most pages visible to all."""
    return want.outputs is not None and want.table.all_visible / max(1, want.table.pages) >= _VISIBLE


def _is_bulky(want: Want, name: str) -> bool:
    """Whether a column is no plain value: a document, an array, a text that may be too long for an index."""
    column = want.table.column(name)
    kind = base_type(column.type) if column else ""
    return (
        kind.endswith("[]") or kind in _DOCUMENTS or may_be_too_long(Operand(column=name, columns=(name,)), want.table)
    )


def _implied(want: Want, candidate: IndexCandidate) -> set[str]:
    """Return the columns of conditions that the index's predicate answers, for which no row need be looked at."""
    if candidate.predicate is None:
        return set()
    answered = [t for t in want.terms if t.text and t.text in candidate.predicate]
    open_terms = (t for t in want.terms if t not in answered)
    return {c for t in answered for c in t.operand.columns} - {c for t in open_terms for c in t.operand.columns}


def _including(candidate: IndexCandidate, extra: tuple[str, ...]) -> IndexCandidate:
    return replace(candidate, include=extra, because=f"{candidate.because}{_SPARED}")


def _with_keys(candidate: IndexCandidate, extra: Sequence[str], fixed: Collection[str | None]) -> IndexCandidate:
    """Return the candidate with more keys; where all of its keys are interchangeable, the fixed ones are so too."""
    keys = (*candidate.keys, *(IndexKey(column=c) for c in extra))
    free = candidate.interchangeable
    if free == len(candidate.keys):
        free += sum(c in fixed for c in extra)
    return replace(candidate, keys=keys, interchangeable=free)


def _is_narrow(want: Want, candidate: IndexCandidate, extra: tuple[str, ...]) -> bool:
    """Whether an index of these columns is well below the table's width."""
    held = (*(k.column or "" for k in candidate.keys), *extra)
    return _TUPLE_OVERHEAD + sum(_width(want.table, c) for c in held) <= _WORTH_OF_ROW * _row_width(want.table)


def _row_width(table: Table) -> float:
    return table.size_bytes / max(1.0, table.rows)


def _width(table: Table, name: str) -> float:
    column = table.column(name)
    statistics = column.own_statistics if column else None
    return float(statistics.average_width) if statistics else _UNKNOWN_WIDTH
